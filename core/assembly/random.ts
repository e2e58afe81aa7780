/** The core's only randomness: xorshift64* from the host's seed (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016). */

let state: u64 = 1;

export function randomSeed(seed: u64): void {
  // 0 is the generator's one fixed point.
  state = seed ^ 0x9e3779b97f4a7c15;
  if (state == 0) state = 1;
}

/** The next 32 random bits. */
export function random(): u32 {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return <u32>((state * 0x2545f4914f6cdd1d) >> 32);
}

/** A number from 0 to `bound - 1`. */
export function randomBelow(bound: u64): u64 {
  return (<u64>random() * bound) >> 32;
}
