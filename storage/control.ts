/** What a node's thread and its storage thread tell each other, in memory that they share. */
import { StorageCondition } from "../core/layout.ts";

/** Words of 32 bits. Numbers of records are told by their low half: the halves of two are never far apart. */
enum Word {
  /** Rings by changing, whenever the node has told something. */
  bell = 0,
  appended,
  durable,
  condition,
  isStopping,
  isFinished,
  end,
}

/** Words of 64 bits. */
enum Wide {
  trimLimit = 0,
  low,
  end,
}

const WIDE_AT = 64;

/** One end of it, whichever. */
export class StorageControl {
  /** What the other end is made of. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #wide: BigInt64Array;

  constructor(
    buffer: SharedArrayBuffer = new SharedArrayBuffer(WIDE_AT + 8 * Wide.end),
  ) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, Word.end);
    this.#wide = new BigInt64Array(buffer, WIDE_AT);
  }

  /** The node: records up to this one wait for storage. */
  append(last: number): void {
    Atomics.store(this.#words, Word.appended, last | 0);
    this.ring();
  }

  /** The node: something is not as it was. */
  ring(): void {
    Atomics.add(this.#words, Word.bell, 1);
    Atomics.notify(this.#words, Word.bell);
  }

  /** The node: nothing more will come. */
  stop(): void {
    Atomics.store(this.#words, Word.isStopping, 1);
    this.ring();
  }

  /** Waits until the storage thread has stored what there was and left; false: it has not in that time. */
  waitFinished(timeout_ms: number): boolean {
    const end = Atomics.wait(this.#words, Word.isFinished, 0, timeout_ms);
    return end !== "timed-out";
  }

  /** Storage: waits until the node tells something that it had not when its bell was `heard`. */
  waitForBell(heard: number, timeout_ms: number): void {
    Atomics.wait(this.#words, Word.bell, heard, timeout_ms);
  }

  get bell(): number {
    return Atomics.load(this.#words, Word.bell);
  }

  get isStopping(): boolean {
    return Atomics.load(this.#words, Word.isStopping) === 1;
  }

  /** Storage: it has left. */
  finish(): void {
    Atomics.store(this.#words, Word.isFinished, 1);
    Atomics.notify(this.#words, Word.isFinished);
  }

  /** Number of the last record that waits for storage, which is not below `done`. */
  appended(done: number): number {
    return ahead(done, Atomics.load(this.#words, Word.appended));
  }

  /** Number of the last record that is durable, which is not below `before`. */
  durable(before: number): number {
    return ahead(before, Atomics.load(this.#words, Word.durable));
  }

  setDurable(last: number): void {
    Atomics.store(this.#words, Word.durable, last | 0);
  }

  get condition(): StorageCondition {
    return Atomics.load(this.#words, Word.condition);
  }

  /** Once storage has failed it stays so. */
  set condition(condition: StorageCondition) {
    let before = this.condition;
    while (before !== StorageCondition.failed) {
      // The other thread may find a failure at this moment.
      const found: StorageCondition = Atomics.compareExchange(
        this.#words,
        Word.condition,
        before,
        condition,
      );
      if (found === before) return;
      before = found;
    }
  }

  get trimLimit(): number {
    return Number(Atomics.load(this.#wide, Wide.trimLimit));
  }

  set trimLimit(instance: number) {
    Atomics.store(this.#wide, Wide.trimLimit, BigInt(instance));
  }

  get low(): number {
    return Number(Atomics.load(this.#wide, Wide.low));
  }

  set low(instance: number) {
    Atomics.store(this.#wide, Wide.low, BigInt(instance));
  }
}

/** The number at or above `from` with this low half. */
function ahead(from: number, low: number): number {
  return from + ((low - from) >>> 0);
}
