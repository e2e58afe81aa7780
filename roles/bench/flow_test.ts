import assert from "node:assert/strict";
import { flowOf, valuesPerFrame } from "./flow.ts";
import type { Cell } from "./matrix.ts";
import { CELL } from "./test_cell.ts";

Deno.test("a frame holds so many values, or so much of one", () => {
  assert.equal(valuesPerFrame(1500, 64), 20);
  assert.equal(valuesPerFrame(1500, 1382), 1);
  assert.equal(valuesPerFrame(9000, 64), 134);
  const part = valuesPerFrame(1500, 1 << 20);
  assert(part > 0.001 && part < 0.002);
});

Deno.test("a flow's frames are as long as a full 2A: 56 bytes, a run's 16, and each value with its length, padded to 8", () => {
  const bytes = (cell: Partial<Cell>) =>
    flowOf({ ...CELL, ...cell }).frameBytes;
  assert.equal(bytes({}), 56 + 16 + 20 * 66);
  assert.equal(bytes({ valueBytes: 1024 }), 56 + 1048);
  assert.equal(bytes({ valueBytes: 1382 }), 56 + 1400);
  assert.equal(bytes({ valueBytes: 1 << 20 }), 56 + 1400);
  assert.equal(bytes({ valueBytes: 1024, mtu: 9000 }), 56 + 16 + 8 * 1026);
  assert.equal(bytes({ batching: false }), 56 + 88);
  assert.equal(flowOf({ ...CELL, batching: false }).values, 1);
});

Deno.test("a flow goes over the hops of its cell's decision, by processes that wait as its nodes do", () => {
  const way = (cell: Partial<Cell>) => {
    const { hops, busyPoll } = flowOf({ ...CELL, ...cell });
    return `${hops} ${busyPoll}`;
  };
  assert.equal(way({}), "relay auto");
  assert.equal(way({ topology: "roles", busyPoll: "no" }), "relay no");
  assert.equal(way({ topology: "single" }), "echo no");
  assert.equal(way({ topology: "single", busyPoll: "yes" }), "echo yes");
});
