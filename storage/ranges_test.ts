/** A set kept as ranges is the set. */
import assert from "node:assert/strict";
import { Random } from "../sim/random.ts";
import { Ranges } from "./ranges.ts";

function numbers(ranges: Ranges): number[] {
  const all: number[] = [];
  for (let i = 0; i < ranges.count; i++) {
    assert(ranges.first(i) < ranges.end(i));
    if (i > 0) assert(ranges.end(i - 1) < ranges.first(i));
    for (let n = ranges.first(i); n < ranges.end(i); n++) all.push(n);
  }
  return all;
}

Deno.test("ranges hold what was added, but for what was removed, in as few ranges as there can be", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const ranges = new Ranges();
    let model = new Set<number>();
    for (let step = 0; step < 60; step++) {
      if (random.chance(0.1)) {
        const limit = random.between(0, 40);
        ranges.removeBelow(limit);
        model = new Set([...model].filter((n) => n >= limit));
      } else {
        const number = random.between(0, 40);
        ranges.add(number);
        model.add(number);
      }
      const sorted = [...model].sort((a, b) => a - b);
      assert.deepEqual(numbers(ranges), sorted, `seed ${seed}, step ${step}`);
    }
    const copy = new Ranges();
    copy.add(99);
    copy.copy(ranges);
    assert.deepEqual(numbers(copy), numbers(ranges));
  }
});
