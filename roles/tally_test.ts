import assert from "node:assert/strict";
import { Digest } from "./digest.ts";
import { Tally } from "./tally.ts";

const encoder = new TextEncoder();

function digest(text: string): Digest {
  const it = new Digest();
  it.update(encoder.encode(text));
  return it;
}

Deno.test("the digests of a million counted values and of all short ones are different", () => {
  const tally = new Tally(1);
  const it = new Digest();
  let count = 0;
  for (let i = 0; i < 1_000_000; i++) {
    it.update(encoder.encode(`value-${i}`));
    tally.insert(it);
    count++;
  }
  for (let length = 0; length < 200; length++) {
    it.update(new Uint8Array(length));
    tally.insert(it);
    count++;
  }
  for (let i = 0; i < 65536; i++) {
    it.update(Uint8Array.of(i >> 8, i));
    tally.insert(it);
    count++;
  }
  // Two zero bytes were there already.
  assert.equal(tally.size, count - 1);
});

Deno.test("one changed bit changes about half of the digest's bits", () => {
  const bytes = encoder.encode("a value of some length, not a multiple of 4");
  const before = new Digest();
  before.update(bytes);
  let changed = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = bytes.slice();
    other[bit >> 3] ^= 1 << (bit & 7);
    const after = new Digest();
    after.update(other);
    changed += ones(before.low ^ after.low) + ones(before.high ^ after.high);
  }
  const share = changed / (bytes.length * 8 * 64);
  assert.ok(share > 0.47 && share < 0.53, `${share}`);
});

Deno.test("an entry is found again, after growth too, and nothing else is", () => {
  const tally = new Tally(2);
  const entries = Array.from(
    { length: 5000 },
    (_, i) => tally.insert(digest(`${i}`)),
  );
  assert.equal(tally.size, 5000);
  entries.forEach((entry, i) => {
    assert.equal(tally.find(digest(`${i}`)), entry);
    assert.equal(tally.insert(digest(`${i}`)), entry);
  });
  assert.equal(tally.find(digest("5000")), -1);
});

Deno.test("each observer's counts are its own, after growth too", () => {
  const tally = new Tally(33);
  const entry = tally.insert(digest("x"));
  tally.expect(entry);
  tally.expect(entry);
  assert.deepEqual([
    tally.see(entry, 0),
    tally.see(entry, 0),
    tally.see(entry, 0),
  ], [1, 2, 3]);
  assert.equal(tally.see(entry, 32), 1);
  for (let i = 0; i < 5000; i++) tally.insert(digest(`${i}`));
  assert.equal(tally.expected(entry), 2);
  assert.equal(tally.seen(entry, 0), 3);
  assert.equal(tally.seen(entry, 1), 0);
  assert.equal(tally.seen(entry, 32), 1);
  assert.equal(tally.seen(tally.find(digest("1")), 0), 0);
});

/** How many bits of a 32-bit word are set. */
function ones(word: number): number {
  return (word >>> 0).toString(2).replaceAll("0", "").length;
}
