/** What the project wants of its figures: the table of docs/performance.md, as data. */
import {
  atHalfOfPeak,
  atMostRelay,
  atMostSpinning,
  type Bound,
  commitAnd,
  fastest,
  type Figure,
  fixed,
  idle,
  inLongRun,
  memoryOfReplica,
  ofRelay,
  p50,
  peak,
  startTime,
  worstStep,
} from "./figures.ts";

/** One of them. */
export interface Target {
  readonly what: string;
  readonly is: "at least" | "at most" | "under";
  readonly bound: Bound;
  readonly figure: Figure;
}

/** Throughput at the end of a run of a billion values, as part of that at its beginning. */
export const STEADY_RATIO_MIN = 0.95;
/** What a process may have in memory at that end, as part of what it had at the beginning: "flat". */
export const STEADY_MEMORY_MAX = 1.02;

const TOPOLOGIES = [
  { name: "replicas", topology: ["replicas"] },
  { name: "roles", topology: ["roles"] },
] as const;

/** Of values of 64 bytes in memory where nothing else is said; each by itself where a target names no topology. */
export const TARGETS: readonly Target[] = [
  {
    what: "peak values/s, roles",
    is: "at least",
    bound: fixed(1_500_000, "10 x libpaxos, 8 x Corosync"),
    figure: peak({ topology: ["roles"] }),
  },
  {
    what: "peak values/s, replicas",
    is: "at least",
    bound: fixed(1_500_000, "20 x libpaxos"),
    figure: peak({ topology: ["replicas"] }),
  },
  ...TOPOLOGIES.flatMap(({ name, topology }): Target[] => [
    {
      what: `values/s with 128 in flight, ${name}`,
      is: "at least",
      bound: fixed(740_000, "5 x libpaxos"),
      figure: fastest({ topology, outstanding: [128] }),
    },
    {
      what: `values/s with 32 in flight, ${name}`,
      is: "at least",
      bound: fixed(300_000, "3 x libpaxos"),
      figure: fastest({ topology, outstanding: [32] }),
    },
    {
      what: `p50 µs with 1 in flight, ${name}`,
      is: "at most",
      bound: atMostRelay(1.5),
      figure: p50({ topology, outstanding: [1] }),
    },
    {
      what: `p50 µs with 1 in flight, ${name}`,
      is: "under",
      bound: fixed(66, "half of libpaxos"),
      figure: p50({ topology, outstanding: [1] }),
    },
    {
      what: `p99.9 / p50 at half of the peak, ${name}`,
      is: "at most",
      bound: fixed(5, "p50 of the same cell"),
      figure: atHalfOfPeak({ topology }),
    },
    {
      what: `peak values/s with lmdb-sync, ${name}`,
      is: "at least",
      bound: fixed(750_000, "500 x libpaxos, 13 x a raft library in C"),
      figure: peak({ topology, storage: ["lmdb-sync"] }),
    },
    {
      what: `p50 µs with lmdb-sync and 1 in flight, ${name}`,
      is: "at most",
      bound: commitAnd(60, 189),
      figure: p50({ topology, storage: ["lmdb-sync"], outstanding: [1] }),
    },
    {
      what: `peak values/s with lmdb-async, ${name}`,
      is: "at least",
      bound: fixed(1_200_000, "28 x libpaxos"),
      figure: peak({ topology, storage: ["lmdb-async"] }),
    },
  ]),
  {
    what: "peak values/s with one value a frame",
    is: "at least",
    bound: fixed(150_000, "-"),
    figure: peak({ batching: [false] }),
  },
  {
    what: "peak values/s of 16 bytes with lmdb-sync",
    is: "at least",
    bound: fixed(1_250_000, "Dragonboat on three servers"),
    figure: peak({ storage: ["lmdb-sync"], valueBytes: [16] }),
  },
  {
    what: "bytes/s of 1 KB values at their peak, as part of the relay's",
    is: "at least",
    bound: fixed(0.7, "the relay with the same frames"),
    figure: ofRelay({ valueBytes: [1024] }),
  },
  {
    what: "p50 µs of one hop there and back with busy-poll",
    is: "at most",
    bound: atMostSpinning(2),
    figure: p50({ topology: ["single"], busyPoll: ["yes"], outstanding: [1] }),
  },
  {
    what: "values/s of a load over those of the one before, at worst",
    is: "at least",
    bound: fixed(0.9, "the same series with less in flight"),
    figure: worstStep(),
  },
  {
    what: "values/s at the end of a billion, over those at the beginning",
    is: "at least",
    bound: fixed(STEADY_RATIO_MIN, "its first minute"),
    figure: inLongRun(),
  },
  {
    what: "memory at the end of a billion, over that at the beginning",
    is: "at most",
    bound: fixed(STEADY_MEMORY_MAX, "its first minute"),
    figure: inLongRun(),
  },
  {
    what: "start of a client to its first decided value, ms",
    is: "under",
    bound: fixed(200, "-"),
    figure: startTime(),
  },
  {
    what: "idle replica, % of a core",
    is: "under",
    bound: fixed(1, "-"),
    figure: idle(),
  },
  {
    what: "resident memory of a replica, MB",
    is: "under",
    bound: fixed(200, "-"),
    figure: memoryOfReplica(),
  },
];
