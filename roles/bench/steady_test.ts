import assert from "node:assert/strict";
import { compare, type Second } from "./steady.ts";

/** Seconds with so many values each. */
function run(...values: number[]): Second[] {
  return values.map((count, i) => ({
    values: count,
    p50_us: count / 10,
    p99_us: count,
    processes: [{ name: "client", rssBytes: i }],
  }));
}

Deno.test("the first and the last minute of a long run are compared, without its first ten seconds", () => {
  const warmUp = new Array(10).fill(1);
  const first = new Array(60).fill(1000);
  const between = new Array(30).fill(5);
  const last = new Array(60).fill(950);
  const told = compare(run(...warmUp, ...first, ...between, ...last))!;
  assert.equal(told.spanSeconds, 60);
  assert.equal(told.first.values_per_s, 1000);
  assert.equal(told.last.values_per_s, 950);
  assert.equal(told.last.p50_us, 95);
  assert.equal(told.ratio, 0.95);
  assert.equal(told.first.processes[0].rssBytes, 69);
  assert.equal(told.last.processes[0].rssBytes, 159);
  assert.equal(told.memoryRatio, 159 / 69);
});

Deno.test("of a short run the halves are compared, of one second nothing", () => {
  const told = compare(run(10, 20, 30, 40))!;
  assert.equal(told.spanSeconds, 2);
  assert.equal(told.first.values_per_s, 15);
  assert.equal(told.last.values_per_s, 35);
  assert.equal(compare(run(10)), undefined);
});
