import assert from "node:assert/strict";
import { Meter } from "./meter.ts";

Deno.test("a meter reports a second and the run, each from its own start", () => {
  const meter = new Meter(0);
  for (let i = 1; i <= 100; i++) {
    meter.submit(64);
    meter.record(i * 10);
  }
  const first = meter.second(1_000_000, 5);
  assert.equal(first.values, 100);
  assert.equal(first.values_per_s, 100);
  assert.equal(first.mbit_per_s, 0.05);
  assert.equal(first.latency_us.p50, 500);
  assert.equal(first.latency_us.max, 1000);
  assert.equal(first.retries, 5);
  const empty = meter.second(2_000_000, 5);
  assert.deepEqual(empty, {
    values: 0,
    values_per_s: 0,
    mbit_per_s: 0,
    latency_us: { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 },
    retries: 0,
  });
  const run = meter.summary(2_000_000, 7);
  assert.equal(run.values, 100);
  assert.equal(run.values_per_s, 50);
  assert.equal(run.latency_us.p90, 900);
  assert.equal(run.retries, 7);
});

Deno.test("a latency below a microsecond counts as one", () => {
  const meter = new Meter(0);
  meter.record(0);
  assert.equal(meter.summary(1, 0).latency_us.max, 1);
});

Deno.test("what came before the run began is in no summary", () => {
  const meter = new Meter(0);
  meter.record(9_000);
  meter.begin(1_000_000, 3);
  for (let latency_us = 1; latency_us <= 100; latency_us++) {
    meter.record(latency_us);
  }
  const run = meter.summary(3_000_000, 5);
  assert.equal(run.values, 100);
  assert.equal(run.values_per_s, 50);
  assert.equal(run.retries, 2);
  assert.equal(run.latency_us.max, 100);
});

Deno.test("a summary tells percentiles from the least to the greatest latency", () => {
  const meter = new Meter(0);
  assert.deepEqual(meter.summary(1, 0).percentiles_us, []);
  for (let latency_us = 1; latency_us <= 1000; latency_us++) {
    meter.record(latency_us);
  }
  const told = new Map(meter.summary(1, 0).percentiles_us);
  assert.deepEqual(
    [0, 50, 90, 99, 100].map((it) => told.get(it)),
    [1, 500, 900, 990, 1000],
  );
});
