/** Sets of small numbers as bits of 32-bit words, as many words as they need. */

/** Whether the set holds `n`. */
export function hasBit(set: Uint32Array, n: number): boolean {
  return (set[n >>> 5] >>> (n & 31) & 1) === 1;
}

/** The set with `numbers` added; the same object if it holds them all. */
export function withBits(
  set: Uint32Array,
  numbers: readonly number[],
): Uint32Array {
  if (numbers.every((n) => hasBit(set, n))) return set;
  const words = Math.max(...numbers.map((n) => (n >>> 5) + 1), set.length);
  const more = new Uint32Array(words);
  more.set(set);
  for (const n of numbers) more[n >>> 5] |= 1 << (n & 31);
  return more;
}

/** The set without `n`; the same object if it does not hold it. */
export function without(set: Uint32Array, n: number): Uint32Array {
  if (!hasBit(set, n)) return set;
  const less = set.slice();
  less[n >>> 5] &= ~(1 << (n & 31));
  return less;
}

/** The union of sets. */
export function union(sets: readonly Uint32Array[]): Uint32Array {
  let words = 0;
  for (const set of sets) words = Math.max(words, set.length);
  const all = new Uint32Array(words);
  for (const set of sets) {
    for (let i = 0; i < set.length; i++) all[i] |= set[i];
  }
  return all;
}

/** Calls back with every number of the set, in order. */
export function eachBit(set: Uint32Array, visit: (n: number) => void): void {
  for (let i = 0; i < set.length; i++) {
    for (let bits = set[i]; bits !== 0; bits &= bits - 1) {
      visit((i << 5) + 31 - Math.clz32(bits & -bits));
    }
  }
}
