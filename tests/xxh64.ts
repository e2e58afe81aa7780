/** XXH64 in BigInt arithmetic, written from the specification: the measure for the core's own. */

const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P3 = 1609587929392839161n;
const P4 = 9650029242287828579n;
const P5 = 2870177450012600261n;

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint) =>
  u64(value << bits) | (value >> (64n - bits));
const round = (lane: bigint, input: bigint) =>
  u64(rotate(u64(lane + input * P2), 31n) * P1);

/** The XXH64 of `bytes`. Source: xxHash fast digest algorithm 0.1.1. */
export function xxh64(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = u64(seed + P5);
  if (bytes.length >= 32) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map(u64);
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) {
        lanes[i] = round(lanes[i], view.getBigUint64(at + i * 8, true));
      }
    }
    const [a, b, c, d] = lanes;
    hash = u64(
      rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n),
    );
    for (const lane of lanes) {
      hash = u64((hash ^ round(0n, lane)) * P1 + P4);
    }
  }
  hash = u64(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash ^= round(0n, view.getBigUint64(at, true));
    hash = u64(rotate(hash, 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    hash ^= u64(BigInt(view.getUint32(at, true)) * P1);
    hash = u64(rotate(hash, 23n) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash ^= u64(BigInt(bytes[at]) * P5);
    hash = u64(rotate(hash, 11n) * P1);
  }
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}
