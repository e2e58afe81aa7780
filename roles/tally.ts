/** How often each of many things was expected, and seen by each of several observers, in little memory. */

import type { Digest } from "./digest.ts";

const FIRST_CAPACITY = 1 << 10;
const BITS = 32;

/**
 * A table from 64-bit digests to counts. An entry takes 24 bytes for up to 32
 * observers, because nearly everything is seen once: that takes one bit. Only
 * what is seen again has counters of its own.
 */
export class Tally {
  readonly #observers: number;
  readonly #wordsPerEntry: number;
  // Invariant: entries 0 to #size - 1 are in use, and stay where they are.
  #low = new Uint32Array(FIRST_CAPACITY);
  #high = new Uint32Array(FIRST_CAPACITY);
  #expected = new Uint32Array(FIRST_CAPACITY);
  #seen: Uint32Array;
  #size = 0;
  // Invariant: a power of two, at least twice the capacity; 0: free, otherwise entry + 1.
  #slots = new Uint32Array(FIRST_CAPACITY * 2);
  /** Counts beyond the first: entry * observers + observer. */
  readonly #again = new Map<number, number>();

  /** @param observers How many there are; they are numbered from 0. */
  constructor(observers: number) {
    this.#observers = observers;
    this.#wordsPerEntry = Math.ceil(observers / BITS);
    this.#seen = new Uint32Array(FIRST_CAPACITY * this.#wordsPerEntry);
  }

  /** Number of different digests. */
  get size(): number {
    return this.#size;
  }

  /** The entry of a digest, or -1. */
  find({ low, high }: Digest): number {
    return this.#slots[this.#slotOf(low, high)] - 1;
  }

  /** The entry of a digest, new if there was none. */
  insert({ low, high }: Digest): number {
    if (this.#size === this.#low.length) this.#grow();
    const slot = this.#slotOf(low, high);
    if (this.#slots[slot] !== 0) return this.#slots[slot] - 1;
    const entry = this.#size++;
    this.#slots[slot] = entry + 1;
    this.#low[entry] = low;
    this.#high[entry] = high;
    return entry;
  }

  /** How often an entry is expected. */
  expected(entry: number): number {
    return this.#expected[entry];
  }

  /** Expects an entry once more. */
  expect(entry: number): void {
    this.#expected[entry]++;
  }

  /** Counts that `observer` saw an entry; returns how often it has now. */
  see(entry: number, observer: number): number {
    const word = this.#wordOf(entry, observer);
    const bit = 1 << (observer % BITS);
    if ((this.#seen[word] & bit) === 0) {
      this.#seen[word] |= bit;
      return 1;
    }
    const key = entry * this.#observers + observer;
    const again = (this.#again.get(key) ?? 0) + 1;
    this.#again.set(key, again);
    return again + 1;
  }

  /** How often `observer` saw an entry. */
  seen(entry: number, observer: number): number {
    const bit = 1 << (observer % BITS);
    if ((this.#seen[this.#wordOf(entry, observer)] & bit) === 0) return 0;
    return 1 + (this.#again.get(entry * this.#observers + observer) ?? 0);
  }

  #wordOf(entry: number, observer: number): number {
    return entry * this.#wordsPerEntry + Math.floor(observer / BITS);
  }

  /** Where a digest is, or the free slot where it belongs. */
  #slotOf(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = low & mask;; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] - 1;
      if (entry < 0) return slot;
      if (this.#low[entry] === low && this.#high[entry] === high) return slot;
    }
  }

  #grow(): void {
    this.#low = doubled(this.#low);
    this.#high = doubled(this.#high);
    this.#expected = doubled(this.#expected);
    this.#seen = doubled(this.#seen);
    this.#slots = new Uint32Array(this.#low.length * 2);
    for (let entry = 0; entry < this.#size; entry++) {
      const slot = this.#slotOf(this.#low[entry], this.#high[entry]);
      this.#slots[slot] = entry + 1;
    }
  }
}

function doubled(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(words.length * 2);
  larger.set(words);
  return larger;
}
