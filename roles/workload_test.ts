import assert from "node:assert/strict";
import type { Core } from "../core/core.ts";
import { makeRing, RingWriter } from "./ring.ts";
import { LineWorkload, LoadWorkload } from "./workload.ts";

/** What tests leave as it is: a value of 100 bytes fits, and a larger one goes in pieces of 10. */
const OPTIONS = {
  outstanding: 10_000,
  valueBytesFit: 100,
  chunkBytesFit: 10,
  onComplete: () => {},
};

/** A core that takes `room` values from each client and keeps them. */
class FakeCore {
  readonly values: string[][];
  hasRoom = true;
  readonly #room: number;

  constructor(clients: number, room: number) {
    this.values = Array.from({ length: clients }, () => []);
    this.#room = room;
  }

  clientRoom(client: number): number {
    return this.#room - this.values[client].length;
  }

  submit(client: number, value: Uint8Array): number {
    assert.ok(this.clientRoom(client) > 0);
    return this.values[client].push(new TextDecoder().decode(value.slice()));
  }

  submitChunk(
    client: number,
    piece: Uint8Array,
    total: number,
    offset: number,
  ): number {
    const header = new TextEncoder().encode(`[${offset} of ${total}]`);
    return this.submit(client, Uint8Array.of(...header, ...piece));
  }

  hasLargeRoom(): boolean {
    return this.hasRoom;
  }
}

/** The core that a workload takes it for. */
const asCore = (core: FakeCore) => core as unknown as Core;

function load(core: FakeCore, options: { valueBytes: number; count?: number }) {
  const workload = new LoadWorkload({
    ...OPTIONS,
    clients: core.values.length,
    prefix: "p",
    ...options,
  });
  return { workload, fill: () => workload.fill(asCore(core), 0) };
}

Deno.test("generated values have the size asked for and are all different", () => {
  const core = new FakeCore(3, 150);
  assert.equal(load(core, { valueBytes: 64 }).fill(), 450);
  const all = core.values.flat();
  assert.equal(new Set(all).size, 450);
  assert.ok(all.every((value) => value.length === 64));
  assert.match(core.values[1][99], /^p-1-100\.+$/);
});

Deno.test("a generated value too short for its number keeps the number's end", () => {
  const core = new FakeCore(1, 1234);
  load(core, { valueBytes: 3 }).fill();
  assert.equal(core.values[0][1233], "234");
  assert.ok(core.values[0].every((value) => value.length === 3));
});

Deno.test("a generated value of just the size of its text is not cut", () => {
  const core = new FakeCore(1, 12);
  load(core, { valueBytes: 6 }).fill();
  assert.equal(core.values[0][8], "p-0-9.");
  assert.equal(core.values[0][11], "p-0-12");
});

Deno.test("load stops at its count, and at stop()", () => {
  const core = new FakeCore(2, 100);
  const counted = load(core, { valueBytes: 32, count: 130 });
  assert.equal(counted.fill(), 130);
  assert.ok(counted.workload.exhausted);
  const stopped = load(new FakeCore(1, 5), { valueBytes: 32 });
  assert.equal(stopped.fill(), 5);
  stopped.workload.stop();
  assert.ok(stopped.workload.exhausted);
  assert.equal(stopped.fill(), 0);
});

function lines(...texts: string[]) {
  const memory = makeRing(1 << 16);
  const writer = new RingWriter(memory);
  for (const text of texts) {
    const line = new TextEncoder().encode(text);
    writer.write(line.length, (bytes, _view, at) => bytes.set(line, at));
  }
  return { memory, writer };
}

Deno.test("lines are submitted in order, as room allows, until the input ends", () => {
  const { memory, writer } = lines("one", "", "three");
  const submitted: number[] = [];
  const workload = new LineWorkload(memory, {
    ...OPTIONS,
    clients: 1,
    onSubmit: (value) => submitted.push(value.length),
  });
  const small = new FakeCore(1, 2);
  assert.equal(workload.fill(asCore(small), 0), 2);
  assert.deepEqual(small.values[0], ["one", ""]);
  writer.close();
  assert.ok(!workload.exhausted);
  const rest = new FakeCore(1, 2);
  assert.equal(workload.fill(asCore(rest), 0), 1);
  assert.deepEqual(rest.values[0], ["three"]);
  assert.ok(workload.exhausted);
  assert.deepEqual(submitted, [3, 0, 5]);
});

Deno.test("a line that does not fit goes in pieces, and is answered with the last of them", () => {
  const large = "0123456789".repeat(10) + "tail";
  const { memory } = lines("one", large, "three");
  const latencies: number[] = [];
  const submitted: number[] = [];
  const workload = new LineWorkload(memory, {
    ...OPTIONS,
    clients: 1,
    onSubmit: (value) => submitted.push(value.length),
    onComplete: (latency_us) => latencies.push(latency_us),
  });
  const core = new FakeCore(1, 7);
  workload.fill(asCore(core), 1000);
  assert.deepEqual(core.values[0].slice(0, 4), [
    "one",
    "three",
    "[0 of 104]0123456789",
    "[10 of 104]0123456789",
  ]);
  // Five pieces found room, six are left.
  for (const sequence of [1, 2, 3, 4, 5, 6, 7]) {
    workload.complete(0, sequence, 50);
  }
  assert.deepEqual(latencies, [50, 50]);
  assert.ok(!workload.exhausted);
  const rest = new FakeCore(1, 20);
  rest.values[0].length = 7;
  rest.values[0].fill("");
  workload.fill(asCore(rest), 5000);
  assert.equal(rest.values[0].at(-1), "[100 of 104]tail");
  for (const sequence of [8, 9, 13, 12, 11, 10]) {
    workload.complete(0, sequence, 50);
  }
  assert.deepEqual(latencies, [50, 50, 4050], "since it was begun");
  assert.deepEqual(submitted, [3, 104, 5]);
});

Deno.test("a large value waits for the one before it, and for the learners' room", () => {
  const large = "x".repeat(150);
  const { memory } = lines(large, large, large, "small");
  const workload = new LineWorkload(memory, { ...OPTIONS, clients: 2 });
  const core = new FakeCore(2, 40);
  core.hasRoom = false;
  assert.equal(workload.fill(asCore(core), 0), 0);
  core.hasRoom = true;
  workload.fill(asCore(core), 0);
  // Each client has one; the third, and what is behind it, wait.
  assert.deepEqual(core.values.map(({ length }) => length), [15, 15]);
  for (let sequence = 1; sequence <= 15; sequence++) {
    workload.complete(1, sequence, 9);
  }
  workload.fill(asCore(core), 0);
  assert.deepEqual(core.values.map(({ length }) => length), [15, 31]);
});

Deno.test("a client has as many values in flight as it may, a large one counts as one", () => {
  const { memory } = lines("a", "x".repeat(150), "b", "c");
  const workload = new LineWorkload(memory, {
    ...OPTIONS,
    clients: 1,
    outstanding: 3,
  });
  const core = new FakeCore(1, 100);
  workload.fill(asCore(core), 0);
  assert.equal(core.values[0].length, 1 + 15 + 1);
  workload.complete(0, 1, 9);
  workload.fill(asCore(core), 0);
  assert.equal(core.values[0].at(-1), "c");
});

Deno.test("each value is acknowledged once, whole, when it is answered; a large one with its last chunk", () => {
  const core = new FakeCore(2, 100);
  const large = "x".repeat(150);
  const { memory } = lines("one", large, "two");
  const acknowledged: string[] = [];
  const workload = new LineWorkload(memory, {
    ...OPTIONS,
    clients: 1,
    onAcknowledge: (value) =>
      acknowledged.push(new TextDecoder().decode(value)),
  });
  while (workload.fill(asCore(core), 0) > 0);
  // "one" was the first that the client submitted, "two" came before or between the chunks.
  const sequenceOf = (value: string) => core.values[0].indexOf(value) + 1;
  workload.complete(0, sequenceOf("two"), 1);
  assert.deepEqual(acknowledged, ["two"]);
  const chunks = core.values[0].flatMap((value, i) =>
    value.startsWith("[") ? [i + 1] : []
  );
  chunks.forEach((sequence) => workload.complete(0, sequence, 1));
  assert.deepEqual(acknowledged, ["two", large]);
  workload.complete(0, sequenceOf("one"), 1);
  assert.deepEqual(acknowledged, ["two", large, "one"]);
});
