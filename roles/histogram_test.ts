import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram, HISTOGRAM_MAX } from "./histogram.ts";

Deno.test("percentiles of a histogram are those of the sorted numbers, to three digits", () => {
  const numbers = fc.oneof(
    fc.integer({ min: 0, max: 5000 }),
    fc.integer({ min: 0, max: HISTOGRAM_MAX }),
  );
  fc.assert(fc.property(
    fc.array(numbers, { minLength: 1, maxLength: 200 }),
    fc.constantFrom(0.1, 25, 50, 90, 99, 99.9, 100),
    (recorded, percentile) => {
      const histogram = new Histogram();
      for (const number of recorded) histogram.record(number);
      const sorted = recorded.toSorted((a, b) => a - b);
      const rank = Math.ceil(recorded.length * percentile / 100);
      const exact = sorted[rank - 1];
      const told = histogram.percentile(percentile);
      assert.ok(told >= exact && told <= exact * 1.001, `${told} for ${exact}`);
      assert.equal(histogram.max, sorted.at(-1));
      assert.equal(histogram.count, recorded.length);
    },
  ));
});

Deno.test("histograms that were added tell what one of all their numbers would", () => {
  const [first, second, both] = [
    new Histogram(),
    new Histogram(),
    new Histogram(),
  ];
  for (let n = 0; n < 3000; n++) {
    (n % 3 === 0 ? first : second).record(n * n);
    both.record(n * n);
  }
  first.add(second);
  for (const percentile of [1, 50, 99, 100]) {
    assert.equal(first.percentile(percentile), both.percentile(percentile));
  }
  assert.equal(first.count, 3000);
  assert.equal(first.max, 2999 ** 2);
});

Deno.test("a histogram that was reset has nothing, and what is too large counts as the largest", () => {
  const histogram = new Histogram();
  histogram.record(2 ** 40);
  assert.equal(histogram.max, HISTOGRAM_MAX);
  assert.equal(histogram.percentile(50), HISTOGRAM_MAX);
  histogram.reset();
  assert.equal(histogram.count, 0);
  assert.equal(histogram.max, 0);
  assert.equal(histogram.percentile(50), 0);
});
