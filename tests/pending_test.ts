/** The leader's queue against a list: first in, first out, whole values, over the ring's end. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { openUnits } from "./units.ts";

const RING_BYTES = 4 << 20;

/** A value in the queue, as client/sequence:length:fill. */
type Name = string;

function makeQueue() {
  const opened = openUnits();
  const { units, scratch } = opened;
  units.queueMake();
  const view = () => new DataView(opened.bytes.buffer);
  return {
    empty: () => units.queueEmpty() !== 0,
    push(client: bigint, first: number, sizes: readonly number[]): boolean {
      const bytes = opened.bytes;
      let at = scratch + 16;
      sizes.forEach((size, i) => {
        view().setUint16(at, size, true);
        bytes.fill((first + i) % 251, at + 2, at + 2 + size);
        at += 2 + size;
      });
      const end = (at + 7) & ~7;
      bytes.fill(0, at, end);
      view().setBigUint64(scratch, client, true);
      view().setBigUint64(
        scratch + 8,
        BigInt(first) | BigInt(sizes.length) << 48n,
        true,
      );
      return units.queuePush(scratch, end - scratch) !== 0;
    },
    /** The values of one batch, each checked for its bytes. */
    take(limit: number, valuesMax = 0xffff, snug = limit): Name[] {
      const batch = scratch + 0x8000;
      const bytes = units.queueTake(batch, snug, limit, valuesMax);
      assert(bytes <= limit && bytes % 8 === 0, `a batch of ${bytes} bytes`);
      const names: Name[] = [];
      const memory = opened.bytes;
      for (let at = batch; at < batch + bytes;) {
        const client = view().getBigUint64(at, true);
        const word = view().getBigUint64(at + 8, true);
        const count = Number(word >> 48n);
        assert(count > 0, "a run without values");
        let sequence = Number(word & 0xffff_ffff_ffffn);
        at += 16;
        for (let n = 0; n < count; n++, sequence++) {
          const size = view().getUint16(at, true);
          const value = memory.subarray(at + 2, at + 2 + size);
          assert(value.every((byte) => byte === sequence % 251));
          names.push(`${client}/${sequence}:${size}`);
          at += 2 + size;
        }
        at = (at + 7) & ~7;
      }
      assert.equal(units.queueTaken(), names.length);
      assert(names.length <= valuesMax, `${names.length} values`);
      return names;
    },
  };
}

Deno.test("the queue gives back what went in, in order, whatever the limits of the batches", () => {
  const operation = fc.oneof(
    fc.record({
      client: fc.bigInt(1n, 3n),
      sizes: fc.array(fc.integer({ min: 0, max: 300 }), {
        minLength: 1,
        maxLength: 40,
      }),
    }),
    fc.record({
      limit: fc.integer({ min: 42, max: 180 }).map((w) => w * 8),
      valuesMax: fc.constantFrom(1, 3, 0xffff),
    }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = makeQueue();
      const expected: Name[] = [];
      const got: Name[] = [];
      let next = 1;
      for (const operation of operations) {
        if ("limit" in operation) {
          got.push(...queue.take(operation.limit, operation.valuesMax));
          continue;
        }
        const { client, sizes } = operation;
        assert(queue.push(client, next, sizes));
        sizes.forEach((size, i) =>
          expected.push(`${client}/${next + i}:${size}`)
        );
        next += sizes.length;
      }
      while (!queue.empty()) got.push(...queue.take(1400));
      assert.deepEqual(got, expected);
    }),
    { numRuns: 60 },
  );
});

Deno.test("the queue goes on over the ring's end many times, nearly empty or nearly full", () => {
  for (const waiting of [0, 1, 3000]) {
    const queue = makeQueue();
    const expected: Name[] = [];
    const got: Name[] = [];
    const sizes = [200, 700, 300];
    // Five times around.
    for (let n = 0; n * 1224 < RING_BYTES * 5; n++) {
      assert(queue.push(7n, n * 3 + 1, sizes), `push ${n}, ${waiting} waiting`);
      sizes.forEach((size, i) => expected.push(`7/${n * 3 + 1 + i}:${size}`));
      if (n >= waiting) got.push(...queue.take(1224));
    }
    while (!queue.empty()) got.push(...queue.take(1400));
    assert.deepEqual(got, expected);
  }
});

Deno.test("a full queue refuses, loses nothing, and takes again what fits", () => {
  const queue = makeQueue();
  const sizes = [1000];
  let pushed = 0;
  while (queue.push(1n, pushed + 1, sizes)) pushed++;
  assert.equal(pushed, Math.floor(RING_BYTES / 1024));
  assert.deepEqual(queue.take(1400), ["1/1:1000"]);
  // The ring never fills to the last byte once it has wrapped, so two go for one to come.
  assert.deepEqual(queue.take(1400), ["1/2:1000"]);
  assert(queue.push(1n, pushed + 1, sizes));
  assert(!queue.push(1n, pushed + 2, sizes));
  const rest: Name[] = [];
  while (!queue.empty()) rest.push(...queue.take(1400));
  assert.equal(rest.length, pushed - 1);
  assert.equal(rest.at(-1), `1/${pushed + 1}:1000`);
});

Deno.test("batches of short values end where it is snug, those of long ones where the frame ends", () => {
  const cases = [
    // The size of each value, and how many a batch of 1,296 bytes, or else 1,400, should have.
    { size: 16, values: 71 },
    { size: 64, values: 19 },
    { size: 150, values: 8 },
    { size: 190, values: 6 },
    // With one value less, more than an eighth of the snug batch would be empty.
    { size: 340, values: 4 },
    { size: 640, values: 2 },
    { size: 1382, values: 1 },
  ];
  for (const { size, values } of cases) {
    const queue = makeQueue();
    const sizes = new Array<number>(200).fill(size);
    assert(queue.push(7n, 1, sizes));
    for (let n = 0; n < 2; n++) {
      assert.equal(
        queue.take(1400, 0xffff, 1296).length,
        values,
        `${size} bytes`,
      );
    }
  }
});

Deno.test("a batch of several runs ends where it is snug, too", () => {
  const queue = makeQueue();
  const names: Name[] = [];
  // As a client's full frames come: 20 values each, of which a snug batch holds 19.
  for (let n = 0; n < 19; n++) {
    assert(queue.push(7n, 20 * n + 1, new Array<number>(20).fill(64)));
  }
  for (let n = 0; n < 20; n++) {
    const batch = queue.take(1400, 0xffff, 1296);
    assert.equal(batch.length, 19, `batch ${n}`);
    names.push(...batch);
  }
  assert(queue.empty());
  assert.equal(new Set(names).size, 380);
  // What is not worth another run's header is left to the next batch.
  assert(queue.push(7n, 1, [1266]) && queue.push(8n, 1, [64]));
  assert.deepEqual(queue.take(1400, 0xffff, 1296), ["7/1:1266"]);
  assert.deepEqual(queue.take(1400, 0xffff, 1296), ["8/1:64"]);
});

Deno.test("whatever is snug, values come out whole and in order, and no batch could have taken one more", () => {
  const bytesOf = (names: readonly Name[]) =>
    names.reduce((sum, name) => sum + 2 + Number(name.split(":")[1]), 16);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1382 }), {
        minLength: 1,
        maxLength: 60,
      }),
      fc.integer({ min: 154, max: 175 }).map((words) => 8 * words),
      (sizes, snug) => {
        const queue = makeQueue();
        assert(queue.push(7n, 1, sizes));
        const got: Name[] = [];
        while (!queue.empty()) {
          const batch = queue.take(1400, 0xffff, snug);
          got.push(...batch);
          const next = sizes[got.length];
          const bytes = bytesOf(batch);
          if (next === undefined) continue;
          const isSnug = bytes <= snug && bytes >= snug - Math.floor(snug / 8);
          const limit = isSnug ? snug : 1400;
          assert(bytes + 2 + next > limit, `${bytes} bytes, then ${next}`);
        }
        assert.deepEqual(got, sizes.map((size, n) => `7/${n + 1}:${size}`));
      },
    ),
  );
});
