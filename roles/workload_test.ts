import assert from "node:assert/strict";
import type { Core } from "../core/core.ts";
import { makeRing, RingWriter } from "./ring.ts";
import { LineWorkload, LoadWorkload } from "./workload.ts";

/** A core that takes `room` values from each client and keeps them. */
class FakeCore {
  readonly values: string[][];
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
}

function load(core: FakeCore, options: { valueBytes: number; count?: number }) {
  const workload = new LoadWorkload({
    clients: core.values.length,
    prefix: "p",
    onComplete: () => {},
    ...options,
  });
  return { workload, fill: () => workload.fill(core as unknown as Core, 0) };
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
  const workload = new LineWorkload(
    memory,
    1,
    100,
    () => {},
    (value) => submitted.push(value.length),
  );
  const small = new FakeCore(1, 2);
  assert.equal(workload.fill(small as unknown as Core, 0), 2);
  assert.deepEqual(small.values[0], ["one", ""]);
  writer.close();
  assert.ok(!workload.exhausted);
  const rest = new FakeCore(1, 2);
  assert.equal(workload.fill(rest as unknown as Core, 0), 1);
  assert.deepEqual(rest.values[0], ["three"]);
  assert.ok(workload.exhausted);
  assert.deepEqual(submitted, [3, 0, 5]);
});

Deno.test("a line longer than a value may be is an error that names the line", () => {
  const { memory } = lines("short", "x".repeat(101));
  const workload = new LineWorkload(memory, 1, 100, () => {});
  assert.throws(
    () => workload.fill(new FakeCore(1, 9) as unknown as Core, 0),
    /line 2 of standard input has 101 bytes, but a value may have 100/,
  );
});
