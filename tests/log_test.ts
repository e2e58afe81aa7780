/** The acceptor's log against a map: nothing kept is changed, nothing is taken that must stay. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { openUnits } from "./units.ts";

interface Kept {
  readonly ballot: bigint;
  readonly batch: Uint8Array;
}

function makeLog(bytes: number) {
  const opened = openUnits();
  const { units, scratch } = opened;
  units.logMake(bytes);
  const put = (
    instance: number,
    ballot: bigint,
    batch: Uint8Array,
    limit: number,
  ): boolean => {
    opened.bytes.set(batch, scratch);
    return units.put(
      BigInt(instance),
      ballot,
      scratch,
      batch.length,
      batch.length % 7,
      BigInt(limit),
    ) !== 0;
  };
  const get = (instance: number): Kept | undefined => {
    const key = BigInt(instance);
    const ballot = units.getBallot(key);
    if (ballot === 0n) return undefined;
    const at = units.getBatch(key);
    const batch = opened.bytes.slice(at, at + units.getBytes(key));
    assert.equal(units.getValues(key), batch.length % 7);
    return { ballot, batch };
  };
  return { put, get, low: () => Number(units.low()), units };
}

Deno.test("the log keeps what the model keeps, and trims only below the limit", () => {
  const call = fc.record({
    step: fc.integer({ min: -12, max: 6 }),
    bytes: fc.integer({ min: 0, max: 60 }).map((words) => words * 8),
    lag: fc.integer({ min: 0, max: 40 }),
  });
  const property = fc.property(
    fc.array(call, { minLength: 50, maxLength: 400 }),
    (calls) => {
      const log = makeLog(8192);
      const model = new Map<number, Kept>();
      let top = 1;
      let ballot = 1n;
      let limit = 1;
      for (const { step, bytes, lag } of calls) {
        const instance = Math.max(log.low(), top + step);
        limit = Math.max(limit, Math.min(top - lag, top));
        const batch = new Uint8Array(bytes).fill(Number(ballot % 251n));
        const lowBefore = log.low();
        if (log.put(instance, ballot, batch, limit)) {
          model.set(instance, { ballot, batch });
          top = Math.max(top, instance);
        }
        ballot++;
        const low = log.low();
        assert(
          low === lowBefore || low <= Math.max(limit, lowBefore),
          `trimmed to ${low} with limit ${limit}`,
        );
        assert(low <= instance, "the log trimmed what it was about to take");
        for (const [key, kept] of model) {
          if (key < low) model.delete(key);
          else assert.deepEqual(log.get(key), kept, `instance ${key}`);
        }
        assert.equal(log.get(top + 1), undefined);
      }
    },
  );
  fc.assert(property, { numRuns: 60 });
});

Deno.test("a log whose instances may all go takes any number of batches", () => {
  const log = makeLog(8192);
  for (let instance = 1; instance <= 20_000; instance++) {
    const batch = new Uint8Array(instance * 8 % 480).fill(instance);
    assert(log.put(instance, 1n, batch, instance), `instance ${instance}`);
    assert.deepEqual(log.get(instance), { ballot: 1n, batch });
  }
  assert(log.low() > 19_900 - 8192 / 16 && log.low() <= 20_000);
});

Deno.test("a log that must keep everything refuses what does not fit, and keeps the rest", () => {
  const log = makeLog(4096);
  const batch = new Uint8Array(400).fill(5);
  let taken = 0;
  while (log.put(taken + 1, 1n, batch, 1)) taken++;
  assert.equal(taken, Math.floor(4096 / 416));
  for (let instance = 1; instance <= taken; instance++) {
    assert.deepEqual(log.get(instance), { ballot: 1n, batch });
  }
  // One decided instance less to keep makes room for one more.
  assert(log.put(taken + 1, 1n, batch, 2));
  assert.equal(log.low(), 2);
  assert(!log.put(taken + 2, 1n, batch, 2));
});

Deno.test("a log takes an instance far above the others only if those between may go", () => {
  const log = makeLog(1 << 20);
  const batch = new Uint8Array(8);
  assert(log.put(1, 1n, batch, 1));
  assert(log.put(4096, 1n, batch, 1));
  assert(!log.put(4097, 1n, batch, 1), "its index is full");
  assert(log.put(1_000_000_000, 1n, batch, 1_000_000_000));
  assert.equal(log.get(1), undefined);
  assert.equal(log.get(4096), undefined);
  assert.deepEqual(log.get(1_000_000_000), { ballot: 1n, batch });
});
