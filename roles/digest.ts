/** A 64-bit digest of bytes, for telling values apart without keeping them. */

/**
 * Digests bytes with two lanes of 32 bits. Each lane mixes words the way of MurmurHash3
 * (multiply, rotate, multiply; Appleby 2011) with constants of its own, and both are mixed
 * together at the end. Not for adversaries: ten million values that nobody chose to collide
 * have a pair in common with a probability of 3 in a million.
 */
export class Digest {
  /** Low and high half of the digest of what was last given to `update`, unsigned. */
  low = 0;
  high = 0;

  /** Digests `bytes`; the result is in `low` and `high`. */
  update(bytes: Uint8Array): void {
    let a = 0x3c6ef372;
    let b = 0xa54ff53a | 0;
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = (word << 8) | bytes[i];
      if ((i & 3) === 3) {
        a = mix(a, word, 0x85ebca6b, 0x9e3779b1);
        b = mix(b, word, 0xc2b2ae35, 0x27d4eb2f);
        word = 0;
      }
    }
    // The length tells a short last word from the same with zeros in front.
    a = mix(mix(a, word, 0x85ebca6b, 0x9e3779b1), bytes.length, 0x85ebca6b, 1);
    b = mix(mix(b, word, 0xc2b2ae35, 0x27d4eb2f), bytes.length, 0xc2b2ae35, 1);
    a = avalanche(a ^ rotate(b, 16));
    b = avalanche(b + a);
    this.low = a >>> 0;
    this.high = b >>> 0;
  }
}

function mix(lane: number, word: number, first: number, second: number) {
  const mixed = Math.imul(rotate(Math.imul(word, first), 15), second);
  return Math.imul(rotate(lane ^ mixed, 13), 5) + 0x5bd1e995 | 0;
}

/** Lets every bit of `lane` reach every other. */
function avalanche(lane: number): number {
  let it = lane;
  it = Math.imul(it ^ (it >>> 16), 0x7feb352d);
  it = Math.imul(it ^ (it >>> 15), 0x846ca68b | 0);
  return it ^ (it >>> 16);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
