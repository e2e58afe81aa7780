/** Where a client's values come from: generated ones for load, or lines that another thread read. */
import type { Core } from "../core/core.ts";
import { LargeValues } from "./large_values.ts";
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

/** What every workload is made with. */
export interface WorkloadOptions {
  /** Virtual clients. */
  readonly clients: number;
  /** Values that each of them may have in flight; a large one is one. */
  readonly outstanding: number;
  /** Most bytes of a value that goes in one piece, and of a piece of a larger one; see `core.ts`. */
  readonly valueBytesFit: number;
  readonly chunkBytesFit: number;
  readonly onSubmit?: OnSubmit;
  /** Called with every value that was answered; without it none is kept so long. */
  readonly onAcknowledge?: (value: Uint8Array) => void;
  readonly onComplete: (latency_us: number) => void;
}

/** What generated values are made of. */
export interface LoadOptions extends WorkloadOptions {
  readonly valueBytes: number;
  /** Values in all; unlimited if absent. */
  readonly count?: number;
  /** Begins every value, so that no other client makes the same ones. */
  readonly prefix: string;
}

/** Key of the one large value that a client may have under way; sequence numbers are positive. */
const LARGE = 0;

/** Hands the values of a process' virtual clients to the core, whole or in pieces. */
class Submitter {
  readonly #options: WorkloadOptions;
  readonly #inFlight: number[];
  readonly #large: LargeValues;
  /** Copies of the values in flight of each client, by sequence number; filled if somebody is to be told. */
  readonly #unanswered: Map<number, Uint8Array>[];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#inFlight = new Array(options.clients).fill(0);
    this.#unanswered = Array.from(this.#inFlight, () => new Map());
    this.#large = new LargeValues(options.chunkBytesFit);
  }

  /** No value has pieces that are still to be submitted. */
  get idle(): boolean {
    return this.#large.idle;
  }

  /** How many values a client may submit now, as far as they are small. */
  room(core: Core, client: number): number {
    const room = this.#options.outstanding - this.#inFlight[client];
    return Math.min(room, core.clientRoom(client));
  }

  /** Whether a client, which has `room`, may submit a value of so many bytes now. */
  takes(core: Core, client: number, bytes: number): boolean {
    if (bytes <= this.#options.valueBytesFit) return true;
    return !this.#large.isBusy(client) && core.hasLargeRoom(client);
  }

  /** Submits a value that the client may submit; a large one is submitted by `goOn`. */
  submit(core: Core, client: number, value: Uint8Array, now_us: number): void {
    this.#options.onSubmit?.(value);
    this.#inFlight[client]++;
    let sequence = LARGE;
    if (value.length <= this.#options.valueBytesFit) {
      sequence = core.submit(client, value, now_us);
    } else {
      this.#large.begin(client, value, now_us);
    }
    if (this.#options.onAcknowledge === undefined) return;
    this.#unanswered[client].set(sequence, value.slice());
  }

  /** Submits pieces of a client's large value, as far as there is room; returns how many. */
  goOn(core: Core, client: number, now_us: number): number {
    return this.#large.submit(core, client, now_us);
  }

  complete(client: number, sequence: number, latency_us: number): void {
    const whole_us = this.#large.complete(client, sequence, latency_us);
    if (whole_us === undefined) return;
    this.#inFlight[client]--;
    this.#options.onComplete(whole_us);
    if (this.#options.onAcknowledge === undefined) return;
    const values = this.#unanswered[client];
    const key = values.has(sequence) ? sequence : LARGE;
    this.#options.onAcknowledge(values.get(key)!);
    values.delete(key);
  }
}

/**
 * Generated values: prefix, virtual client and a running number, filled up with dots. A value that
 * is too short for that keeps the end of it, so only there may two be equal.
 */
export class LoadWorkload implements FiniteWorkload {
  readonly #options: LoadOptions;
  readonly #submitter: Submitter;
  readonly #makers: ValueMaker[];
  #left: number;
  #turn = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#submitter = new Submitter(options);
    this.#left = options.count ?? Infinity;
    this.#makers = Array.from(
      { length: options.clients },
      (_, client) =>
        new ValueMaker(`${options.prefix}-${client}-`, options.valueBytes),
    );
  }

  get exhausted(): boolean {
    return this.#left === 0 && this.#submitter.idle;
  }

  stop(): void {
    this.#left = 0;
  }

  fill(core: Core, now_us: number): number {
    const { clients, valueBytes } = this.#options;
    const submitter = this.#submitter;
    let submitted = 0;
    // Every client gets its turn, whichever had room first.
    for (let n = 0; n < clients && submitted < FILL_MAX; n++) {
      const client = this.#turn;
      this.#turn = (this.#turn + 1) % clients;
      for (
        let room = submitter.room(core, client);
        room > 0 && this.#left > 0;
        room--
      ) {
        if (!submitter.takes(core, client, valueBytes)) break;
        submitter.submit(core, client, this.#makers[client].next(), now_us);
        this.#left--;
        submitted++;
      }
      submitted += submitter.goOn(core, client, now_us);
    }
    return submitted;
  }

  complete(client: number, sequence: number, latency_us: number): void {
    this.#submitter.complete(client, sequence, latency_us);
  }
}

/** Writes a number that only grows into the same buffer again and again. */
class ValueMaker {
  readonly #text: Uint8Array;
  readonly #value: Uint8Array;
  readonly #digitsAt: number;
  readonly #short: boolean;
  /** Where the digits of the number end. */
  #end: number;

  constructor(prefix: string, valueBytes: number) {
    const head = new TextEncoder().encode(prefix);
    this.#digitsAt = head.length;
    const room = head.length + String(Number.MAX_SAFE_INTEGER).length;
    this.#short = valueBytes < room;
    this.#text = new Uint8Array(Math.max(valueBytes, room)).fill(DOT);
    this.#text.set(head);
    this.#text[this.#digitsAt] = ZERO;
    this.#end = this.#digitsAt + 1;
    this.#value = this.#text.subarray(0, valueBytes);
  }

  next(): Uint8Array {
    // Counted in the text itself, since millions of numbers a second are written.
    const text = this.#text;
    let at = this.#end - 1;
    while (at >= this.#digitsAt && text[at] === NINE) text[at--] = ZERO;
    if (at >= this.#digitsAt) {
      text[at]++;
    } else {
      text[this.#digitsAt] = ZERO + 1;
      text[this.#end++] = ZERO;
    }
    if (!this.#short || this.#end <= this.#value.length) return this.#value;
    return text.subarray(this.#end - this.#value.length, this.#end);
  }
}

const DOT = ".".charCodeAt(0);
const ZERO = "0".charCodeAt(0);
const NINE = "9".charCodeAt(0);

/** Lines that the control thread reads from standard input, one value each. */
export class LineWorkload implements FiniteWorkload {
  readonly #reader: RingReader;
  readonly #clients: number;
  readonly #submitter: Submitter;
  #turn = 0;
  #stopped = false;

  constructor(memory: RingMemory, options: WorkloadOptions) {
    this.#reader = new RingReader(memory);
    this.#clients = options.clients;
    this.#submitter = new Submitter(options);
  }

  get exhausted(): boolean {
    const ended = this.#stopped || (this.#reader.closed && this.#reader.empty);
    return ended && this.#submitter.idle;
  }

  stop(): void {
    this.#stopped = true;
  }

  fill(core: Core, now_us: number): number {
    const submitter = this.#submitter;
    let submitted = 0;
    for (let n = 0; n < this.#clients; n++) {
      const client = this.#turn;
      this.#turn = (this.#turn + 1) % this.#clients;
      const room = this.#stopped ? 0 : submitter.room(core, client);
      submitted += this.#reader.read((bytes, _view, at, length) => {
        // A large value that has to wait lets the next client try.
        if (!submitter.takes(core, client, length)) return false;
        const value = bytes.subarray(at, at + length);
        submitter.submit(core, client, value, now_us);
      }, Math.min(room, FILL_MAX));
      submitted += submitter.goOn(core, client, now_us);
    }
    return submitted;
  }

  complete(client: number, sequence: number, latency_us: number): void {
    this.#submitter.complete(client, sequence, latency_us);
  }
}
