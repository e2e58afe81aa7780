import assert from "node:assert/strict";
import { median, spread } from "./spread.ts";

Deno.test("median() takes the middle one, or the mean of the two in the middle", () => {
  assert.equal(median([5]), 5);
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([8, 2, 4, 100]), 6);
});

Deno.test("spread() keeps the order of the runs", () => {
  const runs = [3, 1, 2];
  assert.deepEqual(spread(runs), { median: 2, least: 1, most: 3, runs });
});
