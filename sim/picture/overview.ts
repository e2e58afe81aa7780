/** A strip beside the picture: the whole run at a glance, and which part of it is in view. */
import type { SimEvent } from "../events.ts";
import type { Rows } from "./layout.ts";
import type { Model } from "./model.ts";
import type { Pen } from "./pen.ts";

/** What is worth a mark, what matters most last; with its colour and height in pixels. */
const MARKS: readonly (readonly [SimEvent["type"], string, number])[] = [
  ["choose", "chosen", 1],
  ["fault", "fault", 2],
  ["stop", "ink", 2],
  ["violation", "violation", 5],
];

/** What a scrolling element shows of its contents, in pixels. */
interface View {
  readonly scrollTop: number;
  readonly scrollHeight: number;
  readonly clientHeight: number;
}

export class Overview {
  readonly #marks: readonly (readonly [number, string, number])[];
  readonly #pen: Pen;

  constructor({ events }: Model, pen: Pen) {
    this.#pen = pen;
    this.#marks = MARKS.flatMap(([type, colour, height]) =>
      [...events.keys()].filter((i) => events[i].type === type)
        .map((i) => [i, colour, height] as const)
    );
  }

  /** Draws it for rows at distances `ys`, of which `view` shows a part. */
  draw(rows: Rows, ys: Float64Array, view: View, width: number): void {
    const height = view.clientHeight;
    const pen = this.#pen;
    pen.begin(width, height);
    pen.fill("panel", 0, 0, width, height);
    const share = height / view.scrollHeight;
    const seen = Math.max(4, height * share);
    pen.fill("grid", 0, view.scrollTop * share, width, seen);
    for (const [event, colour, thickness] of this.#marks) {
      const row = rows.rowOf[event];
      if (row < 0) continue;
      pen.fill(colour, 3, ys[row] * share, width - 6, thickness);
    }
  }
}
