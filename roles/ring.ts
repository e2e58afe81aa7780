/**
 * A ring of bytes between two threads: one writes records, the other reads them, nobody copies twice.
 *
 *   control words: HEAD (read so far) and TAIL (written so far), in bytes modulo 2^32;
 *                  CLOSED by the writer; WAITING: the writer found no room
 *                  DONE: records with which the reader is done, modulo 2^32
 *   each record:   bytes u32 | payload, padded to 8; SKIP fills what is left at the end of the ring
 */

const HEAD = 0;
const TAIL = 1;
const CLOSED = 2;
const WAITING = 3;
const DONE = 4;
const CONTROL_BYTES = 64;
const RECORD_HEADER_BYTES = 8;
const SKIP = 0xffffffff;

/** The memory of a ring: it is what one thread posts to the other. */
export type RingMemory = SharedArrayBuffer;

/** Makes the memory of a ring of `bytes` bytes, a power of two. */
export function makeRing(bytes: number): RingMemory {
  if (bytes < 4096 || (bytes & (bytes - 1)) !== 0) {
    throw new RangeError(
      `A ring of ${bytes} bytes: a power of two was expected`,
    );
  }
  return new SharedArrayBuffer(CONTROL_BYTES + bytes);
}

class Ring {
  protected readonly control: Int32Array<SharedArrayBuffer>;
  protected readonly bytes: Uint8Array;
  protected readonly view: DataView;
  protected readonly capacity: number;

  constructor(memory: RingMemory) {
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.view = new DataView(memory, CONTROL_BYTES);
    this.capacity = this.bytes.length;
  }

  /** Bytes between head and tail. */
  protected used(): number {
    return (Atomics.load(this.control, TAIL) -
      Atomics.load(this.control, HEAD)) >>> 0;
  }
}

/** The writing end. */
export class RingWriter extends Ring {
  /** Records written, modulo 2^32. */
  #written = 0;

  /** Bytes that can certainly be written now, as one record. */
  get room(): number {
    // A record may have to leave the rest of the ring empty, so half of what is free is certain.
    return Math.floor((this.capacity - this.used()) / 2) -
      2 * RECORD_HEADER_BYTES;
  }

  /**
   * Writes one record: `fill` puts `length` bytes at `at`.
   *
   * @returns false, and writes nothing, when it does not fit now.
   */
  write(
    length: number,
    fill: (bytes: Uint8Array, view: DataView, at: number) => void,
  ): boolean {
    const size = RECORD_HEADER_BYTES + ((length + 7) & ~7);
    const tail = Atomics.load(this.control, TAIL) >>> 0;
    const offset = tail & (this.capacity - 1);
    const rest = this.capacity - offset;
    const skip = rest < size ? rest : 0;
    if (this.used() + skip + size > this.capacity) return false;
    if (skip > 0) this.view.setUint32(offset, SKIP, true);
    const at = skip > 0 ? 0 : offset;
    this.view.setUint32(at, length, true);
    fill(this.bytes, this.view, at + RECORD_HEADER_BYTES);
    Atomics.store(this.control, TAIL, (tail + skip + size) | 0);
    this.#written = (this.#written + 1) >>> 0;
    return true;
  }

  /** Records written with which the reader is not done. */
  get undone(): number {
    return (this.#written - Atomics.load(this.control, DONE)) >>> 0;
  }

  /** Asks the reader to say when it has made room; see `RingReader.takeWaiting`. */
  setWaiting(): void {
    Atomics.store(this.control, WAITING, 1);
  }

  /** Tells a reader that sleeps that there is something to read. */
  notify(): void {
    Atomics.notify(this.control, TAIL);
  }

  /** Resolves when the reader has read something since `write` failed. */
  async drained(): Promise<void> {
    const head = Atomics.load(this.control, HEAD);
    if (this.used() === 0) return;
    await Atomics.waitAsync(this.control, HEAD, head).value;
  }

  /** Nothing more will be written. */
  close(): void {
    Atomics.store(this.control, CLOSED, 1);
    this.notify();
  }
}

/** The reading end. */
export class RingReader extends Ring {
  /**
   * Calls `visit` with each record that is there, up to `most`; returns how many were taken. A record
   * for which it returns false is not taken, and ends it.
   */
  read(
    visit: (
      bytes: Uint8Array,
      view: DataView,
      at: number,
      length: number,
    ) => unknown,
    most = Infinity,
  ): number {
    const tail = Atomics.load(this.control, TAIL);
    let head = Atomics.load(this.control, HEAD);
    let records = 0;
    while (head !== tail && records < most) {
      const at = (head >>> 0) & (this.capacity - 1);
      const length = this.view.getUint32(at, true);
      if (length === SKIP) {
        head = (head + this.capacity - at) | 0;
        continue;
      }
      const from = at + RECORD_HEADER_BYTES;
      if (visit(this.bytes, this.view, from, length) === false) break;
      head = (head + RECORD_HEADER_BYTES + ((length + 7) & ~7)) | 0;
      records++;
    }
    if (head !== Atomics.load(this.control, HEAD)) {
      Atomics.store(this.control, HEAD, head);
      Atomics.notify(this.control, HEAD);
    }
    return records;
  }

  /** Tells the writer that so many more records have gone where they are meant to go. */
  done(records: number): void {
    Atomics.add(this.control, DONE, records);
  }

  /** Resolves when there is something to read or the writer closed; at once if there is. */
  async readable(): Promise<void> {
    const tail = Atomics.load(this.control, TAIL);
    if (this.used() > 0 || this.closed) return;
    await Atomics.waitAsync(this.control, TAIL, tail).value;
  }

  /** Whether the writer asked to be told of room; asking clears it. */
  takeWaiting(): boolean {
    return Atomics.exchange(this.control, WAITING, 0) === 1;
  }

  /** The writer closed; what is left can still be read. */
  get closed(): boolean {
    return Atomics.load(this.control, CLOSED) === 1;
  }

  get empty(): boolean {
    return this.used() === 0;
  }
}
