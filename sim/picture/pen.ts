/// <reference lib="dom" />
/** Strokes, signs and words on a canvas, in the colours of the style sheet. */

const FONT = "11px system-ui, sans-serif";
const BOLD = `bold ${FONT}`;
/** Texts whose fitting part is remembered; measuring is slow. */
const TEXTS_MAX = 50_000;

/** From one point to another, in pixels. */
export interface Segment {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

export class Pen {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #style: CSSStyleDeclaration;
  readonly #colours = new Map<string, string>();
  readonly #texts = new Map<string, string>();

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    this.#style = getComputedStyle(document.documentElement);
  }

  /** The style sheet's colours changed: light became dark or the other way round. */
  forgetColours(): void {
    this.#colours.clear();
  }

  /** Begins an image of this size. */
  begin(width: number, height: number): void {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio;
    const [across, down] = [
      Math.round(width * ratio),
      Math.round(height * ratio),
    ];
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.textBaseline = "middle";
    this.#context.font = FONT;
    this.fill("paper", 0, 0, width, height);
  }

  fill(colour: string, x: number, y: number, width: number, height: number) {
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillRect(x, y, width, height);
  }

  frame(colour: string, x: number, y: number, width: number, height: number) {
    this.#context.strokeStyle = this.#colour(colour);
    this.#context.lineWidth = 2;
    this.#context.strokeRect(x + 1, y, width - 2, height);
  }

  line(
    colour: string,
    width: number,
    { x1, y1, x2, y2 }: Segment,
    dash: readonly number[] = [],
  ): void {
    const context = this.#context;
    context.strokeStyle = this.#colour(colour);
    context.lineWidth = width;
    context.setLineDash([...dash]);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    context.setLineDash([]);
  }

  /** The head of an arrow, at the end of `segment`. */
  head(colour: string, { x1, y1, x2, y2 }: Segment): void {
    const context = this.#context;
    const angle = Math.atan2(y2 - y1, x2 - x1);
    context.fillStyle = this.#colour(colour);
    context.beginPath();
    context.moveTo(x2, y2);
    for (const turn of [angle + 0.4, angle - 0.4]) {
      context.lineTo(x2 - 8 * Math.cos(turn), y2 - 8 * Math.sin(turn));
    }
    context.fill();
  }

  cross(colour: string, x: number, y: number): void {
    this.line(colour, 2, { x1: x - 4, y1: y - 4, x2: x + 4, y2: y + 4 });
    this.line(colour, 2, { x1: x - 4, y1: y + 4, x2: x + 4, y2: y - 4 });
  }

  /** A bolt that strikes a point. */
  bolt(colour: string, x: number, y: number): void {
    this.line(colour, 2, { x1: x - 3, y1: y - 8, x2: x + 3, y2: y });
    this.line(colour, 2, { x1: x + 3, y1: y, x2: x - 3, y2: y });
    this.line(colour, 2, { x1: x - 3, y1: y, x2: x + 3, y2: y + 8 });
  }

  dot(colour: string, x: number, y: number): void {
    this.#context.fillStyle = this.#colour(colour);
    this.#circle(x, y, 3);
    this.#context.fill();
  }

  ring(colour: string, x: number, y: number): void {
    this.#context.strokeStyle = this.#colour(colour);
    this.#context.lineWidth = 2;
    this.#circle(x, y, 8);
    this.#context.stroke();
  }

  /** Words on a patch of paper, so that lines may pass behind. Returns their width. */
  write(colour: string, words: string, x: number, y: number): number {
    const width = this.width(words);
    this.#context.globalAlpha = 0.85;
    this.fill("paper", x - 2, y - 6, width + 4, 12);
    this.#context.globalAlpha = 1;
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillText(words, x, y);
    return width;
  }

  /** Words that end at `x`. */
  writeUpTo(colour: string, words: string, x: number, y: number): void {
    this.#context.textAlign = "right";
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillText(words, x, y);
    this.#context.textAlign = "left";
  }

  /** Words in bold. */
  writeBold(colour: string, words: string, x: number, y: number): void {
    this.#context.font = BOLD;
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillText(words, x, y);
    this.#context.font = FONT;
  }

  /** Words from below upwards that end at `y`, on a patch of colour `behind`. */
  writeUpwards(
    colour: string,
    behind: string,
    words: string,
    x: number,
    y: number,
  ): void {
    const context = this.#context;
    context.save();
    context.translate(x, y);
    context.rotate(-Math.PI / 2);
    const width = this.width(words);
    this.fill(behind, -width - 2, -6, width + 4, 12);
    this.writeUpTo(colour, words, 0, 0);
    context.restore();
  }

  width(words: string): number {
    return this.#context.measureText(words).width;
  }

  /** As much of a text as fits so many pixels, with an ellipsis where it was cut. */
  fit(text: string, room: number): string {
    const key = `${Math.floor(room)} ${text}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const cut = (length: number) =>
      length === text.length ? text : text.slice(0, length).trimEnd() + "…";
    let low = 0;
    let high = Math.min(text.length, 400);
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.width(cut(middle)) <= room) low = middle;
      else high = middle - 1;
    }
    if (this.#texts.size >= TEXTS_MAX) this.#texts.clear();
    this.#texts.set(key, cut(low));
    return cut(low);
  }

  #colour(name: string): string {
    let value = this.#colours.get(name);
    if (value === undefined) {
      value = this.#style.getPropertyValue(`--${name}`).trim();
      this.#colours.set(name, value);
    }
    return value;
  }

  #circle(x: number, y: number, radius: number): void {
    this.#context.beginPath();
    this.#context.arc(x, y, radius, 0, 2 * Math.PI);
  }
}
