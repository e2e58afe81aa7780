/**
 * Where events stand: one row for each instant in which something is shown, time downwards.
 *
 * What a place does in one instant is one step of its node, hence one point. Only where a frame
 * is sent and arrives in the same instant does that instant take another row, so that every arrow
 * points down. What is written across all lines has a row of its own.
 */
import { addLabel, type Label } from "./labels.ts";
import type { Model } from "./model.ts";
import type { SimEvent } from "../events.ts";

/** Events in rows. Rows, like events, are named by their index. */
export interface Rows {
  /** How many events are shown. */
  readonly shown: number;
  /** The row of each event; -1: hidden. */
  readonly rowOf: Int32Array;
  readonly times_us: readonly number[];
  /** Labels by `row * (places + 1) + place`; the last place is the lane of what concerns all. */
  readonly labels: ReadonlyMap<number, readonly Label[]>;
  /** Faults of the network and violations; each has a row of its own. */
  readonly banners: readonly number[];
  /** Most labels that any place has in a row. */
  readonly labelsMost: readonly number[];
  /** Shown ends of copies, in the order in which they were sent. */
  readonly arrows: readonly number[];
  /** The last row that each block of `BLOCK` arrows reaches. */
  readonly blockEnds: readonly number[];
}

/** How rows become places on the screen. */
export interface Scale {
  /** 1: as high as text. */
  readonly zoom: number;
  /** Distances are as time; otherwise as its logarithm. */
  readonly proportional: boolean;
  readonly pixelsPerMicrosecond: number;
}

/** Bits of client, proposer, acceptor and learner. */
const ROLES = [8, 1, 2, 4];
/** Arrows that are looked up together. */
const BLOCK = 256;
/** The least zoom with labels. */
const LABEL_ZOOM = 0.7;
export const LABEL_PIXELS = 15;
export const TOP_PIXELS = 16;

/** Where an event happens: its place, or the lane of what concerns all. */
export function columnOf(model: Model, index: number): number {
  const event = model.events[index];
  return "place" in event && event.place !== undefined
    ? event.place
    : model.recording.places.length;
}

/** The places from left to right: those who ask, who propose, who accept, who learn. */
export function orderOf({ recording: { places } }: Model): number[] {
  const rank = (place: number) =>
    ROLES.findIndex((role) => (places[place].roles & role) !== 0);
  return [...places.keys()].sort((a, b) => rank(a) - rank(b));
}

/** Events that are written across all lines. */
function isBanner(event: SimEvent): boolean {
  return event.type === "violation" ||
    (event.type === "fault" && event.place === undefined);
}

/** Puts the events that `shown` marks into rows. */
export function arrange(model: Model, shown: Uint8Array): Rows {
  const rowOf = new Int32Array(model.events.length).fill(-1);
  const times_us: number[] = [];
  const banners: number[] = [];
  /** The row that each column has reached. */
  const reached = new Int32Array(model.recording.places.length + 1);
  /** The first row of this instant that is not taken by a banner. */
  let first = 0;
  model.events.forEach((event, i) => {
    if (shown[i] === 0) return;
    if (times_us.at(-1) !== event.at_us) first = times_us.length;
    if (isBanner(event)) {
      banners.push(i);
      rowOf[i] = times_us.length;
      first = rowOf[i] + 1;
    } else {
      const column = columnOf(model, i);
      const send = model.sends[i];
      const below = send < 0 || send === i ? 0 : rowOf[send] + 1;
      rowOf[i] = Math.max(first, reached[column], below);
      reached[column] = rowOf[i];
    }
    while (times_us.length <= rowOf[i]) times_us.push(event.at_us);
  });
  return {
    shown: shown.reduce((sum, one) => sum + one, 0),
    rowOf,
    times_us,
    banners,
    ...findLabels(model, rowOf, times_us.length),
    ...findArrows(model, rowOf),
  };
}

function findLabels(model: Model, rowOf: Int32Array, rows: number) {
  const columns = model.recording.places.length + 1;
  const labels = new Map<number, Label[]>();
  const labelsMost = new Array<number>(rows).fill(0);
  model.events.forEach((event, i) => {
    const row = rowOf[i];
    if (row < 0) return;
    const step = row * columns + columnOf(model, i);
    const here = labels.get(step) ?? [];
    if (!isBanner(event)) addLabel(here, model, i);
    if (here.length > 0) labels.set(step, here);
    labelsMost[row] = Math.max(labelsMost[row], here.length);
  });
  return { labels, labelsMost };
}

function findArrows(model: Model, rowOf: Int32Array) {
  const arrows: number[] = [];
  const blockEnds: number[] = [];
  for (const [send, ends] of model.copies) {
    if (rowOf[send] < 0) continue;
    for (const end of ends) {
      if (rowOf[end] < 0) continue;
      const block = Math.floor(arrows.length / BLOCK);
      blockEnds[block] = Math.max(blockEnds[block] ?? 0, rowOf[end]);
      arrows.push(end);
    }
  }
  return { arrows, blockEnds };
}

/** Calls back with the end of every arrow that touches the rows from `first` to `last`. */
export function eachArrow(
  { sends }: Model,
  { rowOf, times_us, arrows, blockEnds }: Rows,
  first: number,
  last: number,
  visit: (end: number) => void,
): void {
  for (let block = 0; block < blockEnds.length; block++) {
    if (times_us[rowOf[sends[arrows[block * BLOCK]]]] > times_us[last]) return;
    if (blockEnds[block] < first) continue;
    for (const end of arrows.slice(block * BLOCK, (block + 1) * BLOCK)) {
      if (rowOf[end] >= first && rowOf[sends[end]] <= last) visit(end);
    }
  }
}

/** Labels are drawn at this scale. */
export function hasLabels(scale: Scale): boolean {
  return scale.proportional || scale.zoom >= LABEL_ZOOM;
}

/** Distance of each row from the top, in pixels; never decreasing. */
export function placeRows(rows: Rows, scale: Scale): Float64Array {
  const { times_us, labelsMost } = rows;
  const ys = new Float64Array(times_us.length);
  if (scale.proportional) {
    return ys.map((_, row) =>
      TOP_PIXELS + (times_us[row] - times_us[0]) * scale.pixelsPerMicrosecond
    );
  }
  let y = TOP_PIXELS;
  for (let row = 0; row < ys.length; row++) {
    ys[row] = y;
    const wait_us = (times_us[row + 1] ?? times_us[row]) - times_us[row];
    const spread = scale.zoom * (14 + 4 * Math.log10(1 + wait_us));
    const lines = hasLabels(scale) ? labelsMost[row] : 0;
    const text = Math.max(0, lines - 1) * LABEL_PIXELS;
    y += text + (lines > 0 ? Math.max(spread, LABEL_PIXELS) : spread);
  }
  return ys;
}

/** The first of ascending `numbers` that is not below `value`; their count if none is. */
export function firstFrom(numbers: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where an instant is, also one in which nothing is shown. */
export function yOfTime(rows: Rows, ys: Float64Array, at_us: number): number {
  const { times_us } = rows;
  const after = firstFrom(times_us, at_us);
  if (after === times_us.length) return (ys.at(-1) ?? 0) + LABEL_PIXELS;
  if (times_us[after] === at_us || after === 0) return ys[after];
  const share = (at_us - times_us[after - 1]) /
    (times_us[after] - times_us[after - 1]);
  return ys[after - 1] + share * (ys[after] - ys[after - 1]);
}

/** The instant at a distance from the top. */
export function timeOfY(rows: Rows, ys: Float64Array, y: number): number {
  const { times_us } = rows;
  const after = firstFrom(ys, y);
  if (after === 0) return times_us[0] ?? 0;
  if (after === ys.length) return times_us[ys.length - 1];
  const share = (y - ys[after - 1]) / (ys[after] - ys[after - 1]);
  return times_us[after - 1] + share * (times_us[after] - times_us[after - 1]);
}
