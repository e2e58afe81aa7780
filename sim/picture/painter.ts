/** Draws the part of the picture that is in view, and knows what is under the pointer. */
import { kindOf } from "./filter.ts";
import { type Label, labelText, wordsOf } from "./labels.ts";
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
import type { Pen, Segment } from "./pen.ts";
import { duration, seconds } from "./time.ts";

/** All that decides what is drawn. */
export interface Scene {
  readonly rows: Rows;
  readonly scale: Scale;
  /** Distance of each row from the top. */
  readonly ys: Float64Array;
  /** Distance of each place, and of the lane behind them, from the left; -1: hidden. */
  readonly xs: readonly number[];
  /** The places, and the lane, from left to right. */
  readonly order: readonly number[];
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
/** A band says again after so many pixels what it is. */
const BAND_TEXT_PIXELS = 320;
/** Labels stand a little above their points, out of the way of arrows that leave. */
const LIFT_PIXELS = 7;
/** Longest label. */
const ROOM_PIXELS_MAX = 320;
/** Least distance of faults that are written across. */
const BANNER_SPACE_PIXELS = 40;
/** Most arrows in one image; of more, evenly spread ones are drawn. */
const ARROWS_MAX = 12_000;
/** How far from the pointer something is still meant. */
const REACH_PIXELS = 7;
/** Waiting longer than this is written between the rows. */
const PAUSE_US = 10_000;

/** Something that was drawn for an event; as a segment, also where it is a point or a text. */
interface Target extends Segment {
  readonly event: number;
}

export class Painter {
  /** Arrows that were left out of the last image. */
  omitted = 0;
  readonly #model: Model;
  readonly #pen: Pen;
  #scene!: Scene;
  /** Rows in view, at least a pixel apart. */
  #view: number[] = [];
  #targets: Target[] = [];

  constructor(model: Model, pen: Pen) {
    this.#model = model;
    this.#pen = pen;
  }

  draw(scene: Scene): void {
    this.#scene = scene;
    this.#targets = [];
    this.#pen.begin(scene.width, scene.height);
    this.#view = this.#findView();
    if (this.#view.length === 0) return;
    this.#drawSpans();
    this.#drawLines();
    for (const reign of this.#model.reigns) this.#drawReign(reign);
    this.#drawDecisions();
    this.#drawArrows();
    this.#drawPoints();
    if (hasLabels(scene.scale)) this.#drawLabels();
    this.#drawBanners();
    this.#drawTimes();
  }

  /** The event whose sign is nearest to a point of the canvas, of equally near ones the last drawn; -1: none is near. */
  eventAt(x: number, y: number): number {
    let nearest = -1;
    let least = REACH_PIXELS;
    for (const target of this.#targets) {
      const distance = distanceTo(target, x, y);
      if (distance > least) continue;
      least = distance;
      nearest = target.event;
    }
    return nearest;
  }

  #findView(): number[] {
    const { ys, top, height } = this.#scene;
    const view: number[] = [];
    // A row above may have labels that reach into view.
    let row = Math.max(0, firstFrom(ys, top - 6 * LABEL_PIXELS) - 1);
    while (row < ys.length && ys[row] < top + height + LABEL_PIXELS) {
      view.push(row);
      row = Math.max(row + 1, firstFrom(ys, ys[row] + 1));
    }
    return view;
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

  #labels(row: number, column: number): readonly Label[] {
    const { rows, xs } = this.#scene;
    return rows.labels.get(row * xs.length + column) ?? [];
  }

  /** Faults that say how long they last, as washes behind the lines they concern. */
  #drawSpans(): void {
    const { rows, ys, xs, width, top } = this.#scene;
    for (const { place, start, until_us } of this.#model.spans) {
      if (place !== undefined && xs[place] < 0) continue;
      const y = this.#y(start);
      const height = yOfTime(rows, ys, until_us) - top - y;
      if (place === undefined) {
        this.#pen.fill("fault-span", GUTTER_PIXELS, y, width, height);
      } else this.#pen.fill("fault-span", this.#x(place) - 16, y, 32, height);
    }
  }

  /** The nodes' lines: solid while up, dotted while not. */
  #drawLines(): void {
    const { height, xs } = this.#scene;
    const draw = (column: number, y1: number, y2: number, up: boolean) => {
      const x = this.#x(column);
      const line = { x1: x, y1, x2: x, y2 };
      if (up) this.#pen.line("line", 2, line);
      else this.#pen.line("muted", 1, line, [1, 5]);
    };
    xs.forEach((x, column) => {
      if (x >= 0) draw(column, 0, height, false);
    });
    for (const { place, start, stop } of this.#model.lives) {
      const y1 = start < 0 ? 0 : Math.max(0, this.#y(start));
      const y2 = stop < 0 ? height : Math.min(height, this.#y(stop));
      if (xs[place] >= 0 && y1 < y2) draw(place, y1, y2, true);
    }
  }

  /** A band along a proposer's line: outlined while it campaigns, filled while it leads. */
  #drawReign({ place, ballot, start, leads, stop }: Reign): void {
    const { xs, height } = this.#scene;
    const y1 = Math.max(-BAND_PIXELS, this.#y(start));
    const bottom = height + BAND_PIXELS;
    const y2 = stop < 0 ? bottom : Math.min(bottom, this.#y(stop));
    if (xs[place] < 0 || y1 >= y2) return;
    const pen = this.#pen;
    const x = this.#x(place) - BAND_PIXELS / 2;
    const colour = `ballot${this.#model.ballots.get(ballot)! % 6}`;
    pen.frame(colour, x, y1, BAND_PIXELS, y2 - y1);
    const from = this.#y(leads < 0 ? start : leads);
    const [words, behind] = leads < 0
      ? [`campaigns for ${ballot}`, "paper"]
      : [`leads in ${ballot}`, colour];
    const filled = Math.max(y1, from);
    if (leads >= 0) pen.fill(colour, x, filled, BAND_PIXELS, y2 - filled);
    const length = pen.width(words) + 12;
    const skipped = Math.max(0, Math.floor(-from / BAND_TEXT_PIXELS));
    let y = from + skipped * BAND_TEXT_PIXELS;
    for (; y + length < y2; y += BAND_TEXT_PIXELS) {
      pen.writeUpwards("ink", behind, words, x + BAND_PIXELS / 2, y + 6);
    }
  }

  /** Fine lines across for decisions. */
  #drawDecisions(): void {
    const { ys, xs, top } = this.#scene;
    const lane = xs.length - 1;
    for (const row of this.#view) {
      if (!this.#labels(row, lane).some(({ tone }) => tone === "chosen")) {
        continue;
      }
      const y = ys[row] - top;
      const line = { x1: GUTTER_PIXELS, y1: y, x2: this.#x(lane), y2: y };
      this.#pen.line("chosen", 1, line, [1, 5]);
    }
  }

  #drawArrows(): void {
    const { rows } = this.#scene;
    const ends: number[] = [];
    const [first, last] = [this.#view[0], this.#view.at(-1)!];
    eachArrow(this.#model, rows, first, last, (end) => ends.push(end));
    const stride = Math.ceil(ends.length / ARROWS_MAX);
    for (let i = 0; i < ends.length; i += stride) this.#drawArrow(ends[i]);
    this.omitted = ends.length - this.#targets.length;
  }

  #drawArrow(end: number): void {
    const { sends, events } = this.#model;
    const { selected } = this.#scene;
    const pen = this.#pen;
    const event = events[end];
    const lost = event.type === "lose";
    const x1 = this.#x(columnOf(this.#model, sends[end]));
    const x = this.#x(columnOf(this.#model, end));
    const x2 = x - Math.sign(x - x1) * (lost ? 14 : 2);
    const arrow = { x1, y1: this.#y(sends[end]), x2, y2: this.#y(end) };
    const colour = kindOf(this.#model, end) ?? "muted";
    const again = event.type === "receive" && event.copy > 0;
    const stressed = selected >= 0 && sends[selected] === sends[end];
    pen.line(colour, stressed ? 3 : 1.4, arrow, again ? [5, 3] : []);
    this.#targets.push({ event: end, ...arrow });
    if (lost) return pen.cross("violation", x2, arrow.y2);
    pen.head(colour, arrow);
    if (event.type === "receive" && event.fate !== undefined) {
      const share = 16 / Math.max(32, Math.abs(x2 - x1));
      const y = arrow.y2 - share * (arrow.y2 - arrow.y1);
      pen.bolt("violation", x2 - share * (x2 - x1), y);
    }
  }

  /** A dot for everything a node does; a ring around what is selected. */
  #drawPoints(): void {
    const { rows, xs, ys, top, selected } = this.#scene;
    for (const row of this.#view) {
      for (let column = 0; column < xs.length - 1; column++) {
        if (xs[column] < 0) continue;
        const done = this.#labels(row, column).find((label) =>
          !this.#isLoss(label)
        );
        if (done === undefined) continue;
        const [x, y] = [this.#x(column), ys[row] - top];
        this.#pen.dot(done.tone, x, y);
        this.#targets.push({ event: done.event, x1: x, y1: y, x2: x, y2: y });
      }
    }
    if (selected < 0 || rows.rowOf[selected] < 0) return;
    const x = this.#x(columnOf(this.#model, selected));
    this.#pen.ring("focus", x, this.#y(selected));
  }

  /** Labels stand to the right of their line; where rows are close, the later ones give way. */
  #drawLabels(): void {
    const { xs, ys, top } = this.#scene;
    const free = xs.map(() => -Infinity);
    for (const row of this.#view) {
      xs.forEach((x, column) => {
        const labels = this.#labels(row, column);
        if (x < 0 || labels.length === 0 || ys[row] < free[column]) return;
        const room = this.#room(row, column);
        labels.forEach((label, line) => {
          const y = ys[row] - top + line * LABEL_PIXELS - LIFT_PIXELS;
          this.#writeLabel(label, this.#x(column) + 9, y, room);
        });
        free[column] = ys[row] + labels.length * LABEL_PIXELS;
      });
    }
  }

  /** Pixels for labels: up to the next line, or beyond where that has nothing to say. */
  #room(row: number, column: number): number {
    const { xs, order, scale, width } = this.#scene;
    for (const next of order.slice(order.indexOf(column) + 1)) {
      if (xs[next] < 0) continue;
      const silent = this.#labels(row, next).length === 0;
      if (silent && !scale.proportional) continue;
      return xs[next] - xs[column] - 20;
    }
    return Math.min(width - this.#x(column) - 14, ROOM_PIXELS_MAX);
  }

  #writeLabel(label: Label, x: number, y: number, room: number): void {
    const { event, tone } = label;
    const from = columnOf(this.#model, this.#model.sends[event]);
    // A cross stands where a lost copy from the right would have arrived.
    const crossed = this.#isLoss(label) && from > columnOf(this.#model, event);
    const x1 = x + (crossed ? 14 : 0);
    const words = this.#pen.fit(labelText(label), room - (x1 - x));
    const width = this.#pen.write(tone, words, x1, y);
    this.#targets.push({ event, x1, y1: y, x2: x1 + width, y2: y });
  }

  #isLoss({ event }: Label): boolean {
    return this.#model.events[event].type === "lose";
  }

  /** Faults of the network and violations across all lines; where there are many, violations first. */
  #drawBanners(): void {
    const { banners } = this.#scene.rows;
    const isViolation = (event: number) =>
      this.#model.events[event].type === "violation";
    let free = -Infinity;
    for (const event of banners.filter((banner) => !isViolation(banner))) {
      const y = this.#y(event);
      if (y < free) continue;
      this.#drawBanner(event, y);
      free = y + BANNER_SPACE_PIXELS;
    }
    for (const event of banners.filter(isViolation)) {
      this.#drawBanner(event, this.#y(event));
    }
  }

  #drawBanner(event: number, y: number): void {
    const { width, height } = this.#scene;
    if (y < -LABEL_PIXELS || y > height + LABEL_PIXELS) return;
    const [tone, words] = wordsOf(this.#model, event)!;
    const x = GUTTER_PIXELS;
    this.#pen.fill(`${tone}-wash`, x, y - 8, width, 16);
    const fitting = this.#pen.fit(words, width - x - 40);
    this.#pen.writeBold(`${tone}-ink`, fitting, x + 8, y);
    this.#targets.push({ event, x1: x, y1: y, x2: width, y2: y });
  }

  /** Times to the left, as many as there is room for, and how long nothing happened. */
  #drawTimes(): void {
    const { rows: { times_us }, ys, top, height } = this.#scene;
    this.#pen.fill("panel", 0, 0, GUTTER_PIXELS - 8, height);
    const right = GUTTER_PIXELS - 14;
    let free = -Infinity;
    for (const row of this.#view) {
      if (ys[row] < free || times_us[row] === times_us[row - 1]) continue;
      const time = seconds(times_us[row]);
      this.#pen.writeUpTo("muted", time, right, ys[row] - top);
      free = ys[row] + LABEL_PIXELS - 1;
      const wait_us = times_us[row + 1] - times_us[row];
      const gap = ys[row + 1] - ys[row];
      if (!(wait_us >= PAUSE_US && gap >= 2 * LABEL_PIXELS - 2)) continue;
      const y = ys[row] + gap / 2 - top;
      this.#pen.writeUpTo("muted", `⋮ ${duration(wait_us)}`, right, y);
    }
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
