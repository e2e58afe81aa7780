/// <reference lib="dom" />
/** A strip beside the picture: the whole run at a glance, and which part of it is in view. */
import type { SimEvent } from "../events.ts";
import type { Rows } from "./layout.ts";
import type { Model } from "./model.ts";

/** What is worth a mark, what matters most last; with its colour and height in pixels. */
const MARKS: readonly [SimEvent["type"], string, number][] = [
  ["choose", "chosen", 1],
  ["fault", "fault", 2],
  ["stop", "ink", 2],
  ["violation", "violation", 5],
];

export class Overview {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #marks: readonly (readonly [number, string, number])[];
  readonly #colour: (name: string) => string;

  constructor(
    canvas: HTMLCanvasElement,
    { events }: Model,
    colour: (name: string) => string,
  ) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    this.#colour = colour;
    this.#marks = MARKS.flatMap(([type, name, height]) =>
      [...events.keys()].filter((i) => events[i].type === type)
        .map((i) => [i, name, height] as const)
    );
  }

  /** Calls back with where the reader points, as a share of the whole from 0 to 1. */
  onPick(pick: (share: number) => void): void {
    this.#canvas.addEventListener("pointerdown", ({ offsetY }) => {
      pick(offsetY / this.#canvas.clientHeight);
    });
  }

  /** Draws it for rows at distances `ys`, of which `view` shows a part. */
  draw(rows: Rows, ys: Float64Array, view: HTMLElement): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.#canvas.width = width;
    this.#canvas.height = height;
    const share = height / view.scrollHeight;
    const context = this.#context;
    context.fillStyle = this.#colour("panel");
    context.fillRect(0, 0, width, height);
    context.fillStyle = this.#colour("grid");
    context.fillRect(
      0,
      view.scrollTop * share,
      width,
      Math.max(4, view.clientHeight * share),
    );
    for (const [event, name, thickness] of this.#marks) {
      const row = rows.rowOf[event];
      if (row < 0) continue;
      context.fillStyle = this.#colour(name);
      context.fillRect(3, ys[row] * share, width - 6, thickness);
    }
  }
}
