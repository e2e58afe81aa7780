/** XXH64 (xxHash specification 0.1.1, section "XXH64 algorithm description"): the check over every frame. */

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

class Lane {
  @inline static round(accumulator: u64, input: u64): u64 {
    return rotl(accumulator + input * P2, 31) * P1;
  }
  @inline static merge(hash: u64, accumulator: u64): u64 {
    return (hash ^ Lane.round(0, accumulator)) * P1 + P4;
  }
}

/** The XXH64 of `bytes` bytes at `at`. */
export function xxh64(at: usize, bytes: u32, seed: u64): u64 {
  let p = at;
  const end = at + bytes;
  let hash: u64;
  if (bytes >= 32) {
    let a = seed + P1 + P2;
    let b = seed + P2;
    let c = seed;
    let d = seed - P1;
    const stripes = end - 32;
    do {
      a = Lane.round(a, load<u64>(p));
      b = Lane.round(b, load<u64>(p, 8));
      c = Lane.round(c, load<u64>(p, 16));
      d = Lane.round(d, load<u64>(p, 24));
      p += 32;
    } while (p <= stripes);
    hash = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
    hash = Lane.merge(hash, a);
    hash = Lane.merge(hash, b);
    hash = Lane.merge(hash, c);
    hash = Lane.merge(hash, d);
  } else {
    hash = seed + P5;
  }
  hash += bytes;
  while (p + 8 <= end) {
    hash = rotl(hash ^ Lane.round(0, load<u64>(p)), 27) * P1 + P4;
    p += 8;
  }
  if (p + 4 <= end) {
    hash = rotl(hash ^ (<u64>load<u32>(p) * P1), 23) * P2 + P3;
    p += 4;
  }
  while (p < end) {
    hash = rotl(hash ^ (<u64>load<u8>(p) * P5), 11) * P1;
    p += 1;
  }
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}
