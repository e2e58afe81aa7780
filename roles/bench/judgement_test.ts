import assert from "node:assert/strict";
import { isMet, judge, type Judgement } from "./judgement.ts";
import type { Cell } from "./matrix.ts";
import { spread } from "./spread.ts";
import type { NetworkFigures, Result, Row } from "./summary.ts";
import { TARGETS } from "./targets.ts";
import { CELL } from "./test_cell.ts";

/** A row with so many values a second in each run. */
function row(cell: Partial<Cell>, ...values_per_s: number[]): Row {
  const once = (figure: number) => spread(values_per_s.map(() => figure));
  return {
    ...{ ...CELL, ...cell },
    ...{ values_per_s: spread(values_per_s), p50_us: once(100) },
    ...{ p99_us: 200, p999_us: 300, max_us: 400, p999_to_p50: once(3) },
    ...{ percentiles_us: [], retries: 0, p50_to_floor: 1, processes: [] },
    ...{ to_relay: 0.5, to_relayFull: 0.4 },
    ...{ frames_per_value: 1, bytes_per_value: 1 },
  };
}

function result(rows: readonly Row[], more: Partial<Result> = {}): Result {
  const common = { repeats: 1, seconds: 1, networks: [], flows: [] };
  return { ...common, rows, ...more };
}

/** The targets about something. */
function about(what: string, of: Result): Judgement[] {
  const found = judge(of).filter((it) => it.what === what);
  assert(found.length > 0, what);
  return found;
}

Deno.test("every target is judged, and what was not measured says so", () => {
  const judgements = judge(result([]));
  assert.equal(judgements.length, TARGETS.length);
  for (const { what, verdict, ratio } of judgements) {
    assert.equal(verdict, "not measured", what);
    assert.equal(ratio, undefined, what);
  }
});

Deno.test("a bound itself is met, unless the figure must be under it", () => {
  assert(isMet("at least", 5, 5) && !isMet("at least", 4.9, 5));
  assert(isMet("at most", 5, 5) && !isMet("at most", 5.1, 5));
  assert(isMet("under", 4.9, 5) && !isMet("under", 5, 5));
});

Deno.test("a peak is the fastest cell of its topology, and none is told where little was in flight", () => {
  const rows = [
    row({ outstanding: 512 }, 1_400_000, 1_700_000, 1_600_000),
    row({ outstanding: 4096 }, 1_500_000),
    row({ outstanding: 4096, storage: "lmdb-sync" }, 9_000_000),
    row({ outstanding: 4096, topology: "roles" }, 1_300_000),
    row({ outstanding: 4096, clients: 16 }, 9_000_000),
  ];
  const [replicas] = about("peak values/s, replicas", result(rows));
  assert.equal(replicas.verdict, "met");
  assert.equal(replicas.measured?.median, 1_600_000);
  assert.equal(replicas.measured?.least, 1_400_000);
  assert.equal(replicas.where, "replicas, memory: 512 in flight");
  assert.equal(replicas.ratio, 1_600_000 / 1_500_000);
  const [roles] = about("peak values/s, roles", result(rows));
  assert.equal(roles.verdict, "missed");
  const [little] = about("peak values/s, replicas", result([rows[0]]));
  assert.equal(little.verdict, "not measured");
});

Deno.test("latencies are held against floors of the same run, or against fixed ones", () => {
  const network = { mtu: 1500, relay_p50_us: 70, spinning_p50_us: 40 };
  const disk = { inPlace: { per_s: 1, p50_us: 150 } };
  const cells = [
    row({}, 1),
    row({ storage: "lmdb-sync" }, 1),
    row({ topology: "single", busyPoll: "yes" }, 1),
  ];
  const measured = result(cells, {
    networks: [network as NetworkFigures],
    disk: disk as Result["disk"],
  });
  const judged = (what: string) =>
    about(what, measured).map(({ bound, verdict }) => [bound, verdict]);
  assert.deepEqual(judged("p50 µs with 1 in flight, replicas"), [
    [1.5 * 70, "met"],
    [66, "missed"],
  ]);
  assert.deepEqual(judged("p50 µs with lmdb-sync and 1 in flight, replicas"), [
    [210, "met"],
  ]);
  assert.deepEqual(judged("p50 µs of one hop there and back with busy-poll"), [
    [80, "missed"],
  ]);
  const quick = { inPlace: { per_s: 1, p50_us: 100 } } as Result["disk"];
  const [{ bound }] = about(
    "p50 µs with lmdb-sync and 1 in flight, replicas",
    { ...measured, disk: quick },
  );
  assert.equal(bound, 189, "100 and 60 are less");
});

Deno.test("half of the peak is the load that is nearest to it, and none that is far from it", () => {
  const what = "p99.9 / p50 at half of the peak, replicas";
  const tail = (of: Row, ratio: number) => ({
    ...of,
    p999_to_p50: spread([ratio]),
  });
  const rows = [
    tail(row({ outstanding: 32 }, 400_000), 2),
    tail(row({ outstanding: 128 }, 550_000), 4),
    tail(row({ outstanding: 512 }, 650_000), 6),
    tail(row({ outstanding: 4096 }, 1_000_000), 8),
  ];
  const [half] = about(what, result(rows));
  assert.equal(half.measured?.median, 4);
  assert.match(half.where!, /128 in flight: 55 % of the peak/);
  const [none] = about(what, result([rows[3], row({}, 200_000)]));
  assert.equal(none.verdict, "not measured");
});

Deno.test("the worst step is told of all series, by the runs in which both loads were measured", () => {
  const rows = [
    row({ outstanding: 8192 }, 900, 1800, 2000),
    row({ outstanding: 4096 }, 1000, 2000),
    row({ outstanding: 4096, storage: "lmdb-sync" }, 100, 200),
    row({ outstanding: 8192, storage: "lmdb-sync" }, 95, 190),
    // A series of its own, as slow as it may be.
    row({ outstanding: 8192, valueBytes: 1024 }, 10),
  ];
  const what = "values/s of a load over those of the one before, at worst";
  const [worst] = about(what, result(rows));
  assert.deepEqual(worst.measured?.runs, [0.9, 0.9]);
  assert.equal(worst.verdict, "met");
  assert.equal(worst.where, "replicas, memory: 4,096 to 8,192 in flight");
  const [none] = about(what, result([rows[0], rows[2]]));
  assert.equal(none.verdict, "not measured");
});

Deno.test("memory is that of the largest replica, and an idle node counts if it is a usual one", () => {
  const process = (name: string, megabytes: number) => ({
    ...{ name, user_cores: 0, system_cores: 0, running_cores: 0 },
    ...{ switches_per_s: 0, rssBytes: megabytes * 2 ** 20, ownBytes: 0 },
  });
  const large = {
    ...row({ valueBytes: 1024, clients: 16 }, 1),
    processes: [
      ...[process("replica 1", 180), process("replica 2", 201)],
      process("client", 900),
    ],
  };
  const jumbo = {
    ...row({ mtu: 9000 }, 1),
    processes: [process("replica 1", 300)],
  };
  const cores = spread([0.008, 0.011]);
  const measured = result([large, jumbo], { idle: { layout: CELL, cores } });
  const [memory] = about("resident memory of a replica, MB", measured);
  assert.equal(memory.measured?.median, 201);
  assert.equal(memory.verdict, "missed");
  const [idle] = about("idle replica, % of a core", measured);
  assert.equal(idle.verdict, "met");
  assert(Math.abs(idle.measured!.median - 0.95) < 1e-9);
  const [unusual] = about("idle replica, % of a core", {
    ...measured,
    idle: { layout: { ...CELL, topology: "roles" }, cores },
  });
  assert.equal(unusual.verdict, "not measured");
});
