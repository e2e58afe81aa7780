/** The core's XXH64 against published vectors and an independent implementation. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { openUnits } from "./units.ts";
import { xxh64 } from "./xxh64.ts";

const opened = openUnits();

function hash(bytes: Uint8Array, seed: bigint): bigint {
  opened.bytes.set(bytes, opened.scratch);
  const { units, scratch } = opened;
  return BigInt.asUintN(64, units.hash(scratch, bytes.length, seed));
}

Deno.test("XXH64 of published inputs is what was published", () => {
  const published: [string, bigint][] = [
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["abc", 0x44bc2cf5ad770999n],
  ];
  for (const [text, digest] of published) {
    const bytes = new TextEncoder().encode(text);
    assert.equal(hash(bytes, 0n), digest, `the core, "${text}"`);
    assert.equal(xxh64(bytes, 0n), digest, `the model, "${text}"`);
  }
});

Deno.test("XXH64 of any input of any length is that of the model", () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 200 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    (bytes, seed) => assert.equal(hash(bytes, seed), xxh64(bytes, seed)),
  );
  fc.assert(property, { numRuns: 1000 });
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 37 + length);
    assert.equal(hash(bytes, 7n), xxh64(bytes, 7n), `${length} bytes`);
  }
});
