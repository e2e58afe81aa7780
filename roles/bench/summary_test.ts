import assert from "node:assert/strict";
import type { ProcessCost, Sample } from "./cluster.ts";
import type { DiskFloor } from "./disk_floor.ts";
import type { NetworkFloor } from "./floors.ts";
import { type Cell, keyOf } from "./matrix.ts";
import { flowKey, flowOf } from "./flow.ts";
import { type Measured, summarise } from "./summary.ts";
import { CELL as MEMORY } from "./test_cell.ts";

const SYNC: Cell = { ...MEMORY, storage: "lmdb-sync" };

function process(name: string, cores: number): ProcessCost {
  const [user_cores, system_cores] = [cores / 4, cores * 3 / 4];
  return {
    ...{ name, user_cores, system_cores, running_cores: cores },
    ...{ switches_per_s: 9, rssBytes: 1e6, ownBytes: 5e5 },
  };
}

function sample(values_per_s: number, p50: number): Sample {
  return {
    values_per_s,
    latency_us: { p50, p90: p50, p99: 2 * p50, p999: 3 * p50, max: 4 * p50 },
    percentiles_us: [[50, p50], [100, 4 * p50]],
    retries: 1,
    processes: [process("replica 1", p50 / 100), process("client", 1)],
    frames_per_value: 5,
    bytes_per_value: 500,
  };
}

function network(p50: number, frames_per_s: number): NetworkFloor {
  const floor = { p50_us: p50, p99_us: 2 * p50, frames_per_s };
  return { relay: floor, relayAsleep: floor, asleep: floor, spinning: floor };
}

function disk(commit_p50_us: number): DiskFloor {
  const repeated = { per_s: 1000, p50_us: 100 };
  return {
    growing: repeated,
    inPlace: repeated,
    growing_bytes_per_s: 1e8,
    inPlace_bytes_per_s: 2e8,
    lmdb: [{ batch: 1, commits_per_s: 1, puts_per_s: 1, commit_p50_us }],
  };
}

function measured(): Measured {
  const cells: Measured["cells"] = new Map();
  const add = (cell: Cell, ...samples: Sample[]) =>
    cells.set(keyOf(cell), { cell, samples });
  add(MEMORY, sample(9000, 90), sample(12000, 60), sample(10000, 80));
  add(SYNC, sample(2000, 500), sample(2500, 360), sample(1000, 900));
  add({ ...SYNC, outstanding: 32 });
  return {
    cells,
    networks: new Map([[1500, [network(40, 90_000), network(44, 110_000)]]]),
    flows: new Map([
      [flowKey(flowOf(MEMORY)), {
        flow: flowOf(MEMORY),
        frames_per_s: [120_000, 140_000, 125_000],
      }],
    ]),
    disks: [disk(300), disk(338), disk(250)],
    starts_ms: [100, 140],
    idle: {
      layout: MEMORY,
      runs: [[process("replica 1", 0.02), process("replica 2", 0.01)]],
    },
  };
}

Deno.test("summarise() tells medians and spread, beside the floors of the same run", () => {
  const { rows, networks, start_ms, idle } = summarise(measured(), 3, 1);
  assert.equal(rows.length, 2, "a cell without samples is no row");
  const [memory, sync] = rows;
  assert.deepEqual(memory.values_per_s, {
    median: 10000,
    least: 9000,
    most: 12000,
    runs: [9000, 12000, 10000],
  });
  assert.equal(memory.p50_us.median, 80);
  assert.equal(memory.p99_us, 160);
  assert.deepEqual(memory.percentiles_us, [[50, 80], [100, 320]]);
  assert.equal(memory.retries, 3);
  assert.equal(networks[0].relay_p50_us, 42);
  assert.equal(networks[0].relay_bytes_per_s, 165_000_000, "the best");
  assert.equal(memory.p50_to_floor, 80 / 42);
  assert.equal(memory.p999_to_p50.median, 3);
  // 20 values of 64 bytes are in a full 2A, of 1,392 bytes.
  assert.equal(memory.to_relay, 500 / 140_000);
  assert.equal(memory.to_relayFull, 500 * 1392 / 165_000_000);
  assert.equal(memory.to_memory, undefined);
  assert.equal(sync.to_memory, 0.2);
  assert.equal(sync.p50_to_floor, 500 / (42 + 300));
  assert.equal(memory.processes[0].name, "replica 1");
  assert.equal(memory.processes[0].user_cores, 0.2);
  assert.equal(start_ms?.median, 120);
  assert.equal(idle?.cores.median, 0.02, "of the busiest node");
});

Deno.test("the floor waits for frames as the nodes do; of one replica it is one frame to and fro", () => {
  const { cells, networks, flows, ...rest } = measured();
  cells.clear();
  const single: Cell = { ...MEMORY, topology: "single" };
  const spinning: Cell = { ...single, busyPoll: "yes" };
  const asleep: Cell = { ...MEMORY, busyPoll: "no" };
  for (const cell of [single, spinning, asleep]) {
    cells.set(keyOf(cell), { cell, samples: [sample(10_000, 30)] });
    const flow = flowOf(cell);
    flows.set(flowKey(flow), { flow, frames_per_s: [100_000] });
  }
  networks.set(1500, [{
    relay: network(40, 90_000).relay,
    relayAsleep: network(60, 80_000).relay,
    asleep: network(20, 50_000).relay,
    spinning: network(5, 60_000).relay,
  }]);
  const { rows } = summarise({ cells, networks, flows, ...rest }, 1, 1);
  assert.deepEqual(rows.map((row) => row.p50_to_floor), [1.5, 6, 0.5]);
  assert.equal(rows[0].to_relay, 500 / 100_000);
  assert.equal(rows[0].to_relayFull, 500 * 1392 / (50_000 * 1500));
});

Deno.test("summarise() has nothing to say of what was not measured", () => {
  const empty = summarise(
    {
      cells: new Map([[keyOf(MEMORY), { cell: MEMORY, samples: [] }]]),
      networks: new Map([[1500, []]]),
      flows: new Map([
        [flowKey(flowOf(MEMORY)), { flow: flowOf(MEMORY), frames_per_s: [] }],
      ]),
      disks: [],
      starts_ms: [],
      idle: { layout: MEMORY, runs: [] },
    },
    3,
    1,
  );
  assert.deepEqual(empty.rows, []);
  assert.equal(empty.disk, undefined);
  assert.equal(empty.start_ms, undefined);
  assert.equal(empty.idle, undefined);
  assert.deepEqual(empty.flows, []);
});
