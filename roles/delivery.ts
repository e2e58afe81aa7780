/**
 * Delivered values on their way from the node's thread to standard output and sockets.
 *
 *   record in the ring: instance f64 | sequence f64 | client u64 | index u32 | length u32 | value
 *
 * A record with the index RESUME has no value: it says that what follows begins at its instance.
 */
import type { Delivery } from "../core/core.ts";
import {
  DELIVERIES_MAX,
  DELIVERY_STEP_BYTES,
  LARGE_BYTES_MAX,
} from "../core/layout.ts";
import { MTU_MAX } from "../ffi/nic.ts";
import type { Sink } from "./node.ts";
import { type RingMemory, RingReader, RingWriter } from "./ring.ts";

const RECORD_BYTES = 32;
const RESUME = 0xffffffff;
/** All that one step may deliver fits into what is free: its values, the last batch, a large value, and their records. */
const STEP_BYTES = DELIVERY_STEP_BYTES + MTU_MAX + LARGE_BYTES_MAX +
  DELIVERIES_MAX * (RECORD_BYTES + 16);
/** A ring that takes several steps before it pushes back. */
export const DELIVERY_RING_BYTES = 16 << 20;

/** The node's end: a sink that pushes back when the reader is slow. */
export class RingSink implements Sink {
  readonly #writer: RingWriter;
  #delivered = 0;
  #from = 0;
  /** The reader is still to be told from where it goes on. */
  #resumes = false;

  constructor(memory: RingMemory) {
    this.#writer = new RingWriter(memory);
  }

  /**
   * Tells the reader, before any value, that the node goes on where an earlier process of its may have
   * delivered already.
   *
   * @param from The first instance of which values are handed out; 0: that of the first value to come.
   */
  resume(from: number): void {
    this.#from = from;
    this.#resumes = from === 0;
    if (from > 0) this.#write(from, 0, 0n, RESUME, NOTHING);
    this.flush();
  }

  /** Values that have left for good, or that nobody wants: a crash cannot lose them any more. */
  get taken(): number {
    return Math.max(this.#delivered - this.#writer.undone, 0);
  }

  get full(): boolean {
    if (this.#writer.room >= STEP_BYTES) return false;
    this.#writer.setWaiting();
    // The reader may have made room between the two, and would not tell.
    return this.#writer.room < STEP_BYTES;
  }

  deliver(delivery: Delivery): void {
    this.#delivered++;
    if (delivery.instance < this.#from) return;
    const { instance, sequence, client, index, value } = delivery;
    if (this.#resumes) {
      this.#resumes = false;
      this.#write(instance, 0, 0n, RESUME, NOTHING);
    }
    this.#write(instance, sequence, client, index, value);
  }

  flush(): void {
    this.#writer.notify();
  }

  /** The node delivers no more. */
  close(): void {
    this.#writer.close();
  }

  #write(
    instance: number,
    sequence: number,
    client: bigint,
    index: number,
    value: Uint8Array,
  ): void {
    const written = this.#writer.write(
      RECORD_BYTES + value.length,
      (bytes, view, at) => {
        view.setFloat64(at, instance, true);
        view.setFloat64(at + 8, sequence, true);
        view.setBigUint64(at + 16, client, true);
        view.setUint32(at + 24, index, true);
        view.setUint32(at + 28, value.length, true);
        bytes.set(value, at + RECORD_BYTES);
      },
    );
    if (!written) throw new Error("A step delivered more than it may");
  }
}

const NOTHING = new Uint8Array();

/** Values formatted in one go, and bytes after which no further one is. */
const TAKE_MAX = 512;
const TAKE_BYTES = 1 << 20;

/** How values are written: one JSON object a line, or each value and a newline. */
export type DeliveryFormat = "ndjson" | "raw";

/** The other end: turns what was delivered into bytes for a file, a pipe or a socket. */
export class DeliveryReader {
  readonly #reader: RingReader;
  readonly #format: DeliveryFormat;
  readonly #onTaken: () => void;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", {
    fatal: true,
    ignoreBOM: true,
  });
  #client = 0n;
  #clientJson = "0";
  #chunk = new Uint8Array(64 << 10);
  #used = 0;
  /** Records of which the bytes were taken and are not known to have gone. */
  #taken = 0;

  /** @param onTaken Called when there is room again and the node waits for it. */
  constructor(
    memory: RingMemory,
    format: DeliveryFormat,
    onTaken: () => void,
  ) {
    this.#reader = new RingReader(memory);
    this.#format = format;
    this.#onTaken = onTaken;
  }

  /** Resolves when there is something to take, or nothing will come any more. */
  readable(): Promise<void> {
    return this.#reader.readable();
  }

  /** Nothing is left, and nothing will come. */
  get ended(): boolean {
    return this.#reader.closed && this.#reader.empty;
  }

  /** Some of what was delivered, formatted; empty when there is nothing. The bytes are used again by the next call. */
  take(): Uint8Array<ArrayBuffer> {
    this.#used = 0;
    this.#taken += this.#reader.read((bytes, view, at) => {
      if (this.#used >= TAKE_BYTES) return false;
      const index = view.getUint32(at + 24, true);
      if (index === RESUME) {
        if (this.#format === "raw") return;
        this.#appendText(`{"from":${view.getFloat64(at, true)}}\n`);
        return;
      }
      const value = bytes.subarray(
        at + RECORD_BYTES,
        at + RECORD_BYTES + view.getUint32(at + 28, true),
      );
      if (this.#format === "raw") {
        this.#append(value);
        this.#append(NEWLINE);
        return;
      }
      this.#appendLine(
        view.getFloat64(at, true),
        index,
        view.getBigUint64(at + 16, true),
        view.getFloat64(at + 8, true),
        value,
      );
    }, TAKE_MAX);
    if (this.#reader.takeWaiting()) this.#onTaken();
    return this.#chunk.subarray(0, this.#used);
  }

  /** All that was taken so far has gone where it is meant to go. */
  done(): void {
    this.#reader.done(this.#taken);
    this.#taken = 0;
  }

  #appendLine(
    instance: number,
    index: number,
    client: bigint,
    seq: number,
    value: Uint8Array,
  ): void {
    const head = `{"instance":${instance},"index":${index},"client":${
      this.#clientText(client)
    },"seq":${seq},`;
    // Most text is the same in JSON, and copying it is several times as fast as decoding and encoding.
    if (isPlain(value)) {
      this.#appendText(`${head}"value":"`);
      this.#append(value);
      this.#append(PLAIN_END);
      return;
    }
    // A decoder does not read shared memory.
    const own = value.slice();
    let rest: string;
    try {
      rest = `"value":${JSON.stringify(this.#decoder.decode(own))}}\n`;
    } catch {
      rest = `"base64":"${own.toBase64()}"}\n`;
    }
    this.#append(this.#encoder.encode(head + rest));
  }

  /** A client's number as JSON. Values of one client mostly follow each other. */
  #clientText(client: bigint): string {
    if (client !== this.#client) {
      this.#client = client;
      // Numbers beyond 2^53 would be rounded by most readers of JSON.
      const quote = client <= Number.MAX_SAFE_INTEGER ? "" : '"';
      this.#clientJson = `${quote}${client}${quote}`;
    }
    return this.#clientJson;
  }

  /** Appends text that is ASCII. */
  #appendText(text: string): void {
    this.#reserve(text.length);
    this.#encoder.encodeInto(text, this.#chunk.subarray(this.#used));
    this.#used += text.length;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#chunk.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Makes the chunk larger when so many bytes do not fit. */
  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#chunk.length) return;
    const larger = new Uint8Array(
      Math.max(this.#chunk.length * 2, this.#used + bytes),
    );
    larger.set(this.#chunk.subarray(0, this.#used));
    this.#chunk = larger;
  }
}

/** Whether a value is printable ASCII that JSON does not escape. */
function isPlain(value: Uint8Array): boolean {
  for (let i = 0; i < value.length; i++) {
    const byte = value[i];
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) {
      return false;
    }
  }
  return true;
}

const NEWLINE = Uint8Array.of(10);
/** What follows a plain value in its line. */
const PLAIN_END = new TextEncoder().encode('"}\n');
