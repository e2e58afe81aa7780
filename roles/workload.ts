/** Where a client's values come from: generated ones for load, or lines that another thread read. */
import type { Core } from "../core/core.ts";
import { UserError } from "./errors.ts";
import type { Workload } from "./node.ts";
import { type RingMemory, RingReader } from "./ring.ts";

/** Called with every submitted value, before it leaves; it must not keep the bytes. */
export type OnSubmit = (value: Uint8Array) => void;

/** Values submitted in one go, so that frames are received in between. */
const FILL_MAX = 4096;

/** A workload that comes to an end. */
export interface FiniteWorkload extends Workload {
  /** Nothing more will be submitted. */
  readonly exhausted: boolean;
  /** Submit nothing more. */
  stop(): void;
}

/** What generated values are made of. */
export interface LoadOptions {
  /** Virtual clients. */
  readonly clients: number;
  readonly valueBytes: number;
  /** Values in all; unlimited if absent. */
  readonly count?: number;
  /** Begins every value, so that no other client makes the same ones. */
  readonly prefix: string;
  readonly onSubmit?: OnSubmit;
  readonly onComplete: (latency_us: number) => void;
}

/**
 * Generated values: prefix, virtual client and a running number, filled up with dots. A value that
 * is too short for that keeps the end of it, so only there may two be equal.
 */
export class LoadWorkload implements FiniteWorkload {
  readonly #options: LoadOptions;
  readonly #makers: ValueMaker[];
  #left: number;
  #turn = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#left = options.count ?? Infinity;
    this.#makers = Array.from(
      { length: options.clients },
      (_, client) =>
        new ValueMaker(`${options.prefix}-${client}-`, options.valueBytes),
    );
  }

  get exhausted(): boolean {
    return this.#left === 0;
  }

  stop(): void {
    this.#left = 0;
  }

  fill(core: Core, now_us: number): number {
    const { clients, onSubmit } = this.#options;
    let submitted = 0;
    // Every client gets its turn, whichever had room first.
    for (let n = 0; n < clients && submitted < FILL_MAX; n++) {
      const client = this.#turn;
      this.#turn = (this.#turn + 1) % clients;
      for (
        let room = core.clientRoom(client);
        room > 0 && this.#left > 0;
        room--
      ) {
        const value = this.#makers[client].next();
        onSubmit?.(value);
        core.submit(client, value, now_us);
        this.#left--;
        submitted++;
      }
    }
    return submitted;
  }

  complete(_client: number, _sequence: number, latency_us: number): void {
    this.#options.onComplete(latency_us);
  }
}

/** Writes a number that only grows into the same buffer again and again. */
class ValueMaker {
  readonly #text: Uint8Array;
  readonly #value: Uint8Array;
  readonly #digitsAt: number;
  readonly #short: boolean;
  #number = 0;

  constructor(prefix: string, valueBytes: number) {
    const head = new TextEncoder().encode(prefix);
    this.#digitsAt = head.length;
    const room = head.length + String(Number.MAX_SAFE_INTEGER).length;
    this.#short = valueBytes < room;
    this.#text = new Uint8Array(Math.max(valueBytes, room)).fill(DOT);
    this.#text.set(head);
    this.#value = this.#text.subarray(0, valueBytes);
  }

  next(): Uint8Array {
    const number = ++this.#number;
    let end = this.#digitsAt + 1;
    for (let n = number; n >= 10; n = Math.floor(n / 10)) end++;
    let n = number;
    for (let at = end - 1; at >= this.#digitsAt; at--) {
      this.#text[at] = ZERO + n % 10;
      n = Math.floor(n / 10);
    }
    if (!this.#short || end <= this.#value.length) return this.#value;
    return this.#text.subarray(end - this.#value.length, end);
  }
}

const DOT = ".".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

/** Lines that the control thread reads from standard input, one value each. */
export class LineWorkload implements FiniteWorkload {
  readonly #reader: RingReader;
  readonly #clients: number;
  readonly #valueBytesMax: number;
  readonly #onSubmit?: OnSubmit;
  readonly #onComplete: (latency_us: number) => void;
  #turn = 0;
  #line = 0;
  #stopped = false;

  constructor(
    memory: RingMemory,
    clients: number,
    valueBytesMax: number,
    onComplete: (latency_us: number) => void,
    onSubmit?: OnSubmit,
  ) {
    this.#valueBytesMax = valueBytesMax;
    this.#reader = new RingReader(memory);
    this.#clients = clients;
    this.#onSubmit = onSubmit;
    this.#onComplete = onComplete;
  }

  get exhausted(): boolean {
    return this.#stopped || (this.#reader.closed && this.#reader.empty);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** @throws {UserError} if a line is longer than a value may be. */
  fill(core: Core, now_us: number): number {
    if (this.#stopped) return 0;
    let submitted = 0;
    for (let n = 0; n < this.#clients; n++) {
      const client = this.#turn;
      this.#turn = (this.#turn + 1) % this.#clients;
      submitted += this.#reader.read((bytes, _view, at, length) => {
        this.#line++;
        if (length > this.#valueBytesMax) {
          throw new UserError(
            `line ${this.#line} of standard input has ${length} bytes, but a value may have ` +
              `${this.#valueBytesMax} at most, so that it fits one frame; cut it, or raise --mtu ` +
              "where every node's interface allows it",
          );
        }
        const value = bytes.subarray(at, at + length);
        this.#onSubmit?.(value);
        core.submit(client, value, now_us);
      }, Math.min(core.clientRoom(client), FILL_MAX));
    }
    return submitted;
  }

  complete(_client: number, _sequence: number, latency_us: number): void {
    this.#onComplete(latency_us);
  }
}
