/** The host's XXH64 is that of the specification, for every length. */
import assert from "node:assert/strict";
import { xxh64 as measure } from "../tests/xxh64.ts";
import { xxh64 } from "./xxh64.ts";

Deno.test("xxh64() gives what the specification's arithmetic gives, at every length and place", () => {
  const bytes = new Uint8Array(300);
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = Math.imul(state, 0x41c64e6d) + 12345 | 0;
    bytes[i] = state >>> 16;
  }
  const hash = new Uint32Array(2);
  for (let from = 0; from < 4; from++) {
    for (let length = 0; length <= bytes.length - from; length++) {
      xxh64(new DataView(bytes.buffer), from, length, hash);
      assert.equal(
        BigInt(hash[1]) << 32n | BigInt(hash[0]),
        measure(bytes.subarray(from, from + length), 0n),
        `${length} bytes from ${from}`,
      );
    }
  }
});
