/** A small seeded generator of random numbers, so that every test can be replayed. */

/** Both included. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Weyl sequence through a 32-bit finaliser of two multiplications; period 2^32. Not for secrets. */
export class Random {
  #state: number;

  /** @param seed Any integer; its low 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.u32() / 2 ** 32 * (most - least + 1));
  }

  /** One of several. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)];
  }

  /** Some of several, each with the given probability. */
  some<T>(choices: readonly T[], probability: number): T[] {
    return choices.filter(() => this.chance(probability));
  }
}
