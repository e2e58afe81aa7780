/// <reference lib="dom" />
/** Draws the visible part of the picture on a canvas, and finds what is under the pointer. */
import { kindOf } from "./filter.ts";
import { type Label, labelText } from "./labels.ts";
import {
  columnOf,
  eachArrow,
  firstFrom,
  hasLabels,
  LABEL_PIXELS,
  type Rows,
  type Scale,
  yOfTime,
} from "./layout.ts";
import type { Model, Reign } from "./model.ts";
import { duration, seconds } from "./time.ts";

/** All that decides what is drawn. */
export interface Scene {
  readonly rows: Rows;
  readonly scale: Scale;
  /** Distance of each row from the top. */
  readonly ys: Float64Array;
  /** Distance of each place, and of the lane behind them, from the left; -1: hidden. */
  readonly xs: readonly number[];
  readonly width: number;
  readonly height: number;
  /** How far the picture is scrolled. */
  readonly left: number;
  readonly top: number;
  /** Index of an event; -1: none. */
  readonly selected: number;
}

/** Width of the column of times. */
export const GUTTER_PIXELS = 84;
/** Width of the band along the line of a proposer that leads. */
const BAND_PIXELS = 14;
/** Labels stand a little above their points, out of the way of arrows that leave. */
const LIFT_PIXELS = 7;
/** Longest label. */
const ROOM_PIXELS_MAX = 320;
/** Most arrows in one image; of more, evenly spread ones are drawn. */
const ARROWS_MAX = 12_000;
/** How far from the pointer something is still meant. */
const REACH_PIXELS = 7;
/** Waiting longer than this is written between the rows. */
const PAUSE_US = 10_000;
const FONT = "11px system-ui, sans-serif";
const BOLD = "bold 11px system-ui, sans-serif";

interface Segment {
  readonly end: number;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** The canvas and what was drawn on it last. */
export class Painter {
  /** Arrows that were left out of the last image. */
  omitted = 0;
  readonly #model: Model;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #style: CSSStyleDeclaration;
  readonly #colours = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  #segments: Segment[] = [];
  #scene!: Scene;

  constructor(canvas: HTMLCanvasElement, model: Model) {
    this.#model = model;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    this.#style = getComputedStyle(document.documentElement);
  }

  /** Light became dark or the other way round. */
  forgetColours(): void {
    this.#colours.clear();
  }

  /** The value of a colour of the style sheet. */
  colour(name: string): string {
    let value = this.#colours.get(name);
    if (value === undefined) {
      value = this.#style.getPropertyValue(`--${name}`).trim();
      this.#colours.set(name, value);
    }
    return value;
  }

  draw(scene: Scene): void {
    this.#scene = scene;
    const { width, height, rows, ys, top } = scene;
    this.#resize();
    const context = this.#context;
    context.fillStyle = this.colour("paper");
    context.fillRect(0, 0, width, height);
    context.textBaseline = "middle";
    context.font = FONT;
    const first = Math.max(0, firstFrom(ys, top - 60) - 1);
    const last = Math.min(ys.length - 1, firstFrom(ys, top + height));
    this.#drawLines();
    if (rows.times_us.length === 0) return;
    this.#drawReigns();
    this.#drawDecisions(first, last);
    this.#drawArrows(first, last);
    this.#drawPoints(first, last);
    if (hasLabels(scene.scale)) this.#drawLabels(first, last);
    this.#drawBanners(first, last);
    this.#drawTimes(first, last);
  }

  /** The event at a point of the canvas; -1: none. */
  eventAt(x: number, y: number): number {
    const { rows, ys, xs, top, left } = this.#scene;
    const at = firstFrom(ys, y + top - REACH_PIXELS);
    for (let row = at; row < ys.length; row++) {
      if (ys[row] > y + top + REACH_PIXELS) break;
      const column = xs.findIndex((place) =>
        place >= 0 && Math.abs(place - left - x) <= REACH_PIXELS
      );
      const labels = rows.labels.get(row * xs.length + column);
      if (column >= 0 && labels !== undefined) return labels[0].event;
    }
    return this.#labelAt(x, y) ?? this.#arrowAt(x, y);
  }

  #labelAt(x: number, y: number): number | undefined {
    const { rows, ys, xs, top, left, scale } = this.#scene;
    if (!hasLabels(scale)) return undefined;
    const column = xs.findLastIndex((place) => place >= 0 && place - left <= x);
    const bottom = y + top + LIFT_PIXELS;
    const row = firstFrom(ys, bottom + LABEL_PIXELS / 2) - 1;
    const labels = rows.labels.get(row * xs.length + column);
    const line = Math.round((bottom - ys[row]) / LABEL_PIXELS);
    const label = labels?.[line];
    if (label === undefined) return undefined;
    const width = this.#context.measureText(labelText(label)).width;
    return x - xs[column] + left < width + 12 ? label.event : undefined;
  }

  #arrowAt(x: number, y: number): number {
    let nearest = -1;
    let least = REACH_PIXELS;
    for (const segment of this.#segments) {
      const distance = distanceTo(segment, x, y);
      if (distance > least) continue;
      least = distance;
      nearest = segment.end;
    }
    return nearest;
  }

  #resize(): void {
    const { width, height } = this.#scene;
    const ratio = devicePixelRatio;
    const canvas = this.#canvas;
    if (
      canvas.width !== Math.round(width * ratio) ||
      canvas.height !== Math.round(height * ratio)
    ) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #x(column: number): number {
    return this.#scene.xs[column] - this.#scene.left;
  }

  /** Where an event is on the canvas, also a hidden one. */
  #y(event: number): number {
    const { rows, ys, top } = this.#scene;
    const row = rows.rowOf[event];
    if (row >= 0) return ys[row] - top;
    return yOfTime(rows, ys, this.#model.events[event].at_us) - top;
  }

  #stroke(
    colour: string,
    width: number,
    dash: number[],
    ...[x1, y1, x2, y2]: number[]
  ): void {
    const context = this.#context;
    context.strokeStyle = this.colour(colour);
    context.lineWidth = width;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    context.setLineDash([]);
  }

  /** The nodes' lines: solid while up, dotted while not. */
  #drawLines(): void {
    const { height, xs } = this.#scene;
    xs.forEach((place, column) => {
      if (place < 0) return;
      const x = this.#x(column);
      this.#stroke("grid", 1, [2, 4], x, 0, x, height);
    });
    for (const { place, start, stop } of this.#model.lives) {
      if (xs[place] < 0) continue;
      const y1 = start < 0 ? 0 : Math.max(0, this.#y(start));
      const y2 = stop < 0 ? height : Math.min(height, this.#y(stop));
      if (y1 < y2) {
        this.#stroke("line", 1.5, [], this.#x(place), y1, this.#x(place), y2);
      }
    }
  }

  #drawReigns(): void {
    for (const reign of this.#model.reigns) {
      if (this.#scene.xs[reign.place] >= 0) this.#drawReign(reign);
    }
  }

  /** A band along a proposer's line: outlined while it campaigns, filled while it leads. */
  #drawReign({ place, ballot, start, leads, stop }: Reign): void {
    const { height } = this.#scene;
    const context = this.#context;
    const y1 = Math.max(-9, this.#y(start));
    const y2 = stop < 0 ? height + 9 : Math.min(height + 9, this.#y(stop));
    if (y1 >= y2) return;
    const x = this.#x(place) - BAND_PIXELS / 2;
    const colour = this.colour(`ballot${this.#model.ballots.get(ballot)! % 6}`);
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(x + 1, y1, BAND_PIXELS - 2, y2 - y1);
    if (leads >= 0 && this.#y(leads) < y2) {
      const from = Math.max(y1, this.#y(leads));
      context.fillRect(x, from, BAND_PIXELS, y2 - from);
    }
    const [text, from] = leads >= 0
      ? [`leads in ${ballot}`, Math.max(this.#y(leads), 0)]
      : [`campaigns for ${ballot}`, Math.max(y1, 0)];
    if (y2 - from < context.measureText(text).width + 12) return;
    context.save();
    context.translate(x + BAND_PIXELS / 2, from + 6);
    context.rotate(-Math.PI / 2);
    context.textAlign = "right";
    this.#write(text, 0, 0, "ink", leads >= 0 ? colour : this.colour("paper"));
    context.restore();
  }

  /** Fine lines across for decisions. */
  #drawDecisions(first: number, last: number): void {
    const { rows, ys, xs, top } = this.#scene;
    for (let row = first; row <= last; row++) {
      const labels = rows.labels.get(row * xs.length + xs.length - 1) ?? [];
      if (!labels.some(({ tone }) => tone === "chosen")) continue;
      const y = ys[row] - top;
      const right = this.#x(xs.length - 1);
      this.#stroke("chosen", 1, [1, 5], GUTTER_PIXELS, y, right, y);
    }
  }

  #drawArrows(first: number, last: number): void {
    const ends: number[] = [];
    eachArrow(this.#model, this.#scene.rows, first, last, (end) => {
      ends.push(end);
    });
    const stride = Math.ceil(ends.length / ARROWS_MAX);
    this.#segments = [];
    for (let i = 0; i < ends.length; i += stride) this.#drawArrow(ends[i]);
    this.omitted = ends.length - this.#segments.length;
  }

  #drawArrow(end: number): void {
    const { sends, events } = this.#model;
    const event = events[end];
    const send = sends[end];
    const x1 = this.#x(columnOf(this.#model, send));
    const y1 = this.#y(send);
    const y2 = this.#y(end);
    const lost = event.type === "lose";
    const short = lost ? 14 : 2;
    const x = this.#x(columnOf(this.#model, end));
    const x2 = x - Math.sign(x - x1) * short;
    const colour = kindOf(this.#model, end) ?? "muted";
    const again = event.type === "receive" && event.copy > 0;
    const chosen = this.#scene.selected >= 0 &&
      sends[this.#scene.selected] === send;
    this.#stroke(colour, chosen ? 3 : 1.4, again ? [5, 3] : [], x1, y1, x2, y2);
    this.#segments.push({ end, x1, y1, x2, y2 });
    if (lost) this.#drawCross(x2, y2);
    else {
      const damaged = event.type === "receive" && event.fate !== undefined;
      this.#drawHead(x1, y1, x2, y2, damaged ? "violation" : colour);
      if (damaged) this.#drawDamage(x2 - Math.sign(x2 - x1) * 12, y1, y2);
    }
  }

  #drawHead(
    x1: number,
    y1: number,
    x2: number,
    y2: number,
    colour: string,
  ): void {
    const context = this.#context;
    const angle = Math.atan2(y2 - y1, x2 - x1);
    context.fillStyle = this.colour(colour);
    context.beginPath();
    context.moveTo(x2, y2);
    for (const turn of [0.4, -0.4]) {
      context.lineTo(
        x2 - 8 * Math.cos(angle + turn),
        y2 - 8 * Math.sin(angle + turn),
      );
    }
    context.fill();
  }

  #drawCross(x: number, y: number): void {
    this.#stroke("violation", 2, [], x - 4, y - 4, x + 4, y + 4);
    this.#stroke("violation", 2, [], x - 4, y + 4, x + 4, y - 4);
  }

  /** A bolt through an arrow that arrives damaged. */
  #drawDamage(x: number, y1: number, y2: number): void {
    const y = y2 - Math.min(8, (y2 - y1) / 4);
    this.#stroke("violation", 2, [], x - 3, y - 7, x + 2, y);
    this.#stroke("violation", 2, [], x + 2, y, x - 2, y + 1);
    this.#stroke("violation", 2, [], x - 2, y + 1, x + 3, y + 8);
  }

  /** A dot for everything a node does; a ring around what is selected. */
  #drawPoints(first: number, last: number): void {
    const { rows, xs, ys, top, selected } = this.#scene;
    const context = this.#context;
    for (let row = first; row <= last; row++) {
      for (let column = 0; column < xs.length - 1; column++) {
        const labels = rows.labels.get(row * xs.length + column);
        if (labels === undefined || xs[column] < 0) continue;
        context.fillStyle = this.colour(labels[0].tone);
        context.beginPath();
        context.arc(this.#x(column), ys[row] - top, 3, 0, 2 * Math.PI);
        context.fill();
      }
    }
    if (selected < 0 || rows.rowOf[selected] < 0) return;
    const x = this.#x(columnOf(this.#model, selected));
    context.strokeStyle = this.colour("focus");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, this.#y(selected), 8, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Labels stand to the right of their line; where rows are close, the later ones give way. */
  #drawLabels(first: number, last: number): void {
    const { rows, xs, ys, top } = this.#scene;
    const free = xs.map(() => -Infinity);
    for (let row = first; row <= last; row++) {
      for (let column = xs.length - 1; column >= 0; column--) {
        const labels = rows.labels.get(row * xs.length + column);
        if (labels === undefined || xs[column] < 0) continue;
        if (ys[row] < free[column]) continue;
        const room = this.#room(row, column);
        labels.forEach((label, line) => {
          const y = ys[row] - top + line * LABEL_PIXELS - LIFT_PIXELS;
          this.#writeLabel(label, this.#x(column) + 9, y, room);
        });
        free[column] = ys[row] + labels.length * LABEL_PIXELS;
      }
    }
  }

  /** Pixels for labels: up to the next line, or beyond where that has nothing to say. */
  #room(row: number, column: number): number {
    const { rows, xs, scale } = this.#scene;
    for (let next = column + 1; next < xs.length; next++) {
      if (xs[next] < 0) continue;
      const silent = !rows.labels.has(row * xs.length + next);
      if (silent && !scale.proportional) continue;
      return xs[next] - xs[column] - 20;
    }
    return ROOM_PIXELS_MAX;
  }

  #writeLabel(label: Label, x: number, y: number, room: number): void {
    if (this.#isBanner(label)) return;
    const lost = this.#model.events[label.event].type === "lose";
    const shift = lost ? 14 : 0;
    const text = this.#fit(labelText(label), room - shift);
    this.#write(text, x + shift, y, label.tone);
  }

  /** What concerns all, but for decisions, is written across. */
  #isBanner({ event }: Label): boolean {
    const { type } = this.#model.events[event];
    return type === "violation" ||
      (type === "fault" &&
        columnOf(this.#model, event) === this.#model.recording.places.length);
  }

  /** Text on paper, or on another colour, so that lines may pass behind it. */
  #write(
    text: string,
    x: number,
    y: number,
    colour: string,
    behind = this.colour("paper"),
  ): void {
    const context = this.#context;
    const { width } = context.measureText(text);
    const left = context.textAlign === "right" ? x - width : x;
    context.globalAlpha = 0.85;
    context.fillStyle = behind;
    context.fillRect(left - 2, y - 6, width + 4, 12);
    context.globalAlpha = 1;
    context.fillStyle = this.colour(colour);
    context.fillText(text, x, y);
  }

  /** As much of a text as fits so many pixels. */
  #fit(text: string, room: number): string {
    const key = `${Math.floor(room)} ${text}`;
    let fitting = this.#texts.get(key);
    if (fitting !== undefined) return fitting;
    let low = 0;
    let high = Math.min(text.length, 400);
    const cut = (length: number) =>
      length === text.length ? text : text.slice(0, length).trimEnd() + "…";
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#context.measureText(cut(middle)).width <= room) low = middle;
      else high = middle - 1;
    }
    fitting = cut(low);
    if (this.#texts.size > 50_000) this.#texts.clear();
    this.#texts.set(key, fitting);
    return fitting;
  }

  /** Faults of the network and violations, across all lines. */
  #drawBanners(first: number, last: number): void {
    const { rows, ys, xs, top } = this.#scene;
    for (let row = first; row <= last; row++) {
      const labels = rows.labels.get(row * xs.length + xs.length - 1) ?? [];
      labels.forEach((label, line) => {
        if (!this.#isBanner(label)) return;
        this.#drawBanner(label, ys[row] - top + line * LABEL_PIXELS);
      });
    }
  }

  #drawBanner(label: Label, y: number): void {
    const { width } = this.#scene;
    const context = this.#context;
    const [paper, ink] = label.tone === "violation"
      ? ["violation", "violation-ink"]
      : ["fault-wash", "fault"];
    context.fillStyle = this.colour(paper);
    context.fillRect(GUTTER_PIXELS, y - 8, width, 16);
    context.font = BOLD;
    context.fillStyle = this.colour(ink);
    const text = this.#fit(labelText(label), width - GUTTER_PIXELS - 16);
    context.fillText(text, GUTTER_PIXELS + 8, y);
    context.font = FONT;
  }

  /** Times to the left, as many as there is room for, and how long nothing happened. */
  #drawTimes(first: number, last: number): void {
    const { rows, ys, top, height } = this.#scene;
    const context = this.#context;
    context.fillStyle = this.colour("panel");
    context.fillRect(0, 0, GUTTER_PIXELS - 8, height);
    context.textAlign = "right";
    context.fillStyle = this.colour("muted");
    let free = -Infinity;
    const right = GUTTER_PIXELS - 14;
    for (let row = first; row <= last; row++) {
      if (ys[row] < free || rows.times_us[row] === rows.times_us[row - 1]) {
        continue;
      }
      context.fillText(seconds(rows.times_us[row]), right, ys[row] - top);
      free = ys[row] + 14;
      const wait_us = rows.times_us[row + 1] - rows.times_us[row];
      const gap = ys[row + 1] - ys[row];
      if (wait_us < PAUSE_US || gap < 28) continue;
      const y = ys[row] + gap / 2 - top;
      context.fillText(`⋮ ${duration(wait_us)}`, right, y);
    }
    context.textAlign = "left";
  }
}

function distanceTo(
  { x1, y1, x2, y2 }: Segment,
  x: number,
  y: number,
): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1);
  const share = Math.max(0, Math.min(1, along));
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
