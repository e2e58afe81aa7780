/** From samples to figures: medians, their spread, and ratios to the floors of the same run. */
import type { StorageWord } from "../storage_word.ts";
import type { ProcessCost, Sample } from "./cluster.ts";
import type { DiskFloor } from "./disk_floor.ts";
import type { NetworkFloor } from "./floors.ts";
import { type Flow, flowKey, flowOf } from "./flow.ts";
import { type Cell, keyOf, type Layout } from "./matrix.ts";
import { median, type Spread, spread } from "./spread.ts";

/** Everything that was measured, as it came. */
export interface Measured {
  readonly cells: Map<
    string,
    { readonly cell: Cell; readonly samples: Sample[] }
  >;
  /** By MTU. */
  readonly networks: Map<number, NetworkFloor[]>;
  /** Frames of each cell's own size. */
  readonly flows: Map<
    string,
    { readonly flow: Flow; readonly frames_per_s: number[] }
  >;
  readonly disks: DiskFloor[];
  readonly starts_ms: number[];
  /** Nodes of this cluster while nobody asked it for anything. */
  readonly idle: {
    readonly layout: Layout | undefined;
    readonly runs: (readonly ProcessCost[])[];
  };
}

/** What frames of one MTU reach with no protocol: medians of latencies, the best of frames a second. */
export interface NetworkFigures {
  readonly mtu: number;
  /** One frame at a time through the three hops of a decision. */
  readonly relay_p50_us: number;
  readonly relay_p99_us: number;
  /** The same by processes that sleep between frames. */
  readonly relayAsleep_p50_us: number;
  /** Full frames through the same hops with many under way. */
  readonly relay_frames_per_s: number;
  readonly relay_bytes_per_s: number;
  readonly relayAsleep_frames_per_s: number;
  /** A frame to and fro between two processes that sleep, and that spin. */
  readonly asleep_p50_us: number;
  readonly spinning_p50_us: number;
  /** Full frames to and fro with many under way. */
  readonly echo_frames_per_s: number;
}

/** What frames of a cell's own size reach with no protocol, at best. */
export interface FlowFigures extends Flow {
  readonly frames_per_s: number;
  readonly bytes_per_s: number;
}

/** One line of the result. */
export interface Row extends Cell {
  readonly values_per_s: Spread;
  readonly p50_us: Spread;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly p999_to_p50: Spread;
  readonly max_us: number;
  /** Pairs of a percentile and a latency. */
  readonly percentiles_us: readonly (readonly [number, number])[];
  readonly retries: number;
  /** Throughput as part of what the relay carries in the same frames over the same hops. */
  readonly to_relay: number;
  /** Bytes of those frames a second, as part of what the relay carries in frames of the MTU's size. */
  readonly to_relayFull: number;
  /** p50 over that of the same hops alone; with synchronous commits over theirs and one commit's. */
  readonly p50_to_floor: number;
  /** Throughput as part of the same cell's in memory. */
  readonly to_memory?: number;
  readonly processes: readonly ProcessCost[];
  readonly frames_per_value: number;
  readonly bytes_per_value: number;
}

/** The result of a bench. */
export interface Result {
  readonly repeats: number;
  readonly seconds: number;
  readonly networks: readonly NetworkFigures[];
  readonly flows: readonly FlowFigures[];
  readonly disk?: DiskFloor;
  /** A client's start to its first decided value. */
  readonly start_ms?: Spread;
  /** The busiest node of a cluster that nobody asks for anything. */
  readonly idle?: { readonly layout: Layout; readonly cores: Spread };
  readonly rows: readonly Row[];
}

/** Joins what was measured; cells without a sample are left out. */
export function summarise(
  measured: Measured,
  repeats: number,
  seconds: number,
): Result {
  const { cells, networks, disks, starts_ms } = measured;
  const figures = [...networks].filter(([, floors]) => floors.length > 0)
    .map(([mtu, floors]) => networkFigures(mtu, floors));
  const flows = [...measured.flows.values()]
    .filter(({ frames_per_s }) => frames_per_s.length > 0)
    .map(flowFigures);
  const disk = disks.length === 0 ? undefined : diskFigures(disks);
  const rows = [...cells.values()].filter(({ samples }) => samples.length > 0)
    .map(({ cell, samples }) => {
      const network = figures.find(({ mtu }) => mtu === cell.mtu)!;
      const key = flowKey(flowOf(cell));
      const flow = flows.find((it) => flowKey(it) === key)!;
      const commit_us = disk?.lmdb[0].commit_p50_us ?? 0;
      return rowOf(cell, samples, network, flow, commit_us);
    });
  const inMemory = new Map(
    rows.filter(({ storage }) => storage === "memory")
      .map((row) => [keyOf(row), row.values_per_s.median]),
  );
  return {
    repeats,
    seconds,
    networks: figures,
    flows,
    disk,
    start_ms: starts_ms.length === 0 ? undefined : spread(starts_ms),
    idle: idleFigures(measured.idle),
    rows: rows.map((row) => besideMemory(row, inMemory)),
  };
}

function idleFigures({ layout, runs }: Measured["idle"]): Result["idle"] {
  if (layout === undefined || runs.length === 0) return undefined;
  const busiest = runs.map((nodes) =>
    Math.max(...nodes.map(({ running_cores }) => running_cores))
  );
  return { layout, cores: spread(busiest) };
}

function besideMemory(row: Row, inMemory: Map<string, number>): Row {
  const storage: StorageWord = "memory";
  const memory = inMemory.get(keyOf({ ...row, storage }));
  if (row.storage === storage || memory === undefined) return row;
  return { ...row, to_memory: row.values_per_s.median / memory };
}

function networkFigures(
  mtu: number,
  floors: readonly NetworkFloor[],
): NetworkFigures {
  const of = (figure: (floor: NetworkFloor) => number) =>
    median(floors.map(figure));
  // What disturbs a relay only slows it down, so the best run tells what the network carries.
  const best = (figure: (floor: NetworkFloor) => number) =>
    Math.max(...floors.map(figure));
  const frames_per_s = best(({ relay }) => relay.frames_per_s);
  return {
    mtu,
    relay_p50_us: of(({ relay }) => relay.p50_us),
    relay_p99_us: of(({ relay }) => relay.p99_us),
    relayAsleep_p50_us: of(({ relayAsleep }) => relayAsleep.p50_us),
    relayAsleep_frames_per_s: best(({ relayAsleep }) =>
      relayAsleep.frames_per_s
    ),
    relay_frames_per_s: frames_per_s,
    relay_bytes_per_s: frames_per_s * mtu,
    asleep_p50_us: of(({ asleep }) => asleep.p50_us),
    spinning_p50_us: of(({ spinning }) => spinning.p50_us),
    echo_frames_per_s: best(({ asleep }) => asleep.frames_per_s),
  };
}

function flowFigures(
  { flow, frames_per_s }: {
    readonly flow: Flow;
    readonly frames_per_s: readonly number[];
  },
): FlowFigures {
  // As of the network.
  const per_s = Math.max(...frames_per_s);
  return {
    ...flow,
    frames_per_s: per_s,
    bytes_per_s: per_s * flow.frameBytes,
  };
}

function diskFigures(disks: readonly DiskFloor[]): DiskFloor {
  const of = (figure: (disk: DiskFloor) => number) => median(disks.map(figure));
  return {
    growing: {
      per_s: of((it) => it.growing.per_s),
      p50_us: of((it) => it.growing.p50_us),
    },
    inPlace: {
      per_s: of((it) => it.inPlace.per_s),
      p50_us: of((it) => it.inPlace.p50_us),
    },
    growing_bytes_per_s: of((it) => it.growing_bytes_per_s),
    inPlace_bytes_per_s: of((it) => it.inPlace_bytes_per_s),
    lmdb: disks[0].lmdb.map(({ batch }, i) => ({
      batch,
      commits_per_s: of((it) => it.lmdb[i].commits_per_s),
      puts_per_s: of((it) => it.lmdb[i].puts_per_s),
      commit_p50_us: of((it) => it.lmdb[i].commit_p50_us),
    })),
  };
}

/** The floor of a decision, in frames of the MTU's size where there are many: relays that sleep if the nodes do; with one replica a frame to and fro. */
function hopsOf(
  { topology, busyPoll }: Cell,
  network: NetworkFigures,
): { readonly p50_us: number; readonly frames_per_s: number } {
  if (topology !== "single") {
    return busyPoll === "no"
      ? {
        p50_us: network.relayAsleep_p50_us,
        frames_per_s: network.relayAsleep_frames_per_s,
      }
      : {
        p50_us: network.relay_p50_us,
        frames_per_s: network.relay_frames_per_s,
      };
  }
  const spins = busyPoll === "yes";
  return {
    p50_us: spins ? network.spinning_p50_us : network.asleep_p50_us,
    frames_per_s: network.echo_frames_per_s,
  };
}

/** @param commit_us What one synchronous commit takes. */
function rowOf(
  cell: Cell,
  samples: readonly Sample[],
  network: NetworkFigures,
  flow: FlowFigures,
  commit_us: number,
): Row {
  const of = (figure: (sample: Sample) => number) =>
    median(samples.map(figure));
  const values_per_s = spread(samples.map((it) => it.values_per_s));
  const p50_us = spread(samples.map((it) => it.latency_us.p50));
  const hops = hopsOf(cell, network);
  const floor_us = hops.p50_us + (cell.storage === "lmdb-sync" ? commit_us : 0);
  const frames_per_s = values_per_s.median / flow.values;
  return {
    ...cell,
    values_per_s,
    p50_us,
    p99_us: of((it) => it.latency_us.p99),
    p999_us: of((it) => it.latency_us.p999),
    p999_to_p50: spread(
      samples.map(({ latency_us }) => latency_us.p999 / latency_us.p50),
    ),
    max_us: of((it) => it.latency_us.max),
    percentiles_us: samples[0].percentiles_us.map(([percentile], i) =>
      [percentile, of((it) => it.percentiles_us[i]?.[1] ?? 0)] as const
    ),
    retries: samples.reduce((sum, { retries }) => sum + retries, 0),
    to_relay: frames_per_s / flow.frames_per_s,
    to_relayFull: frames_per_s * flow.frameBytes /
      (hops.frames_per_s * cell.mtu),
    p50_to_floor: p50_us.median / floor_us,
    processes: processMedians(samples),
    frames_per_value: of((it) => it.frames_per_value),
    bytes_per_value: of((it) => it.bytes_per_value),
  };
}

/** Of each process that was seen in the first run: the medians over all that saw it. */
function processMedians(samples: readonly Sample[]): ProcessCost[] {
  return samples[0].processes.map(({ name }) => {
    const runs = samples.flatMap(({ processes }) =>
      processes.filter((it) => it.name === name)
    );
    const of = (figure: (process: ProcessCost) => number) =>
      median(runs.map(figure));
    return {
      name,
      user_cores: of((it) => it.user_cores),
      system_cores: of((it) => it.system_cores),
      running_cores: of((it) => it.running_cores),
      switches_per_s: of((it) => it.switches_per_s),
      rssBytes: of((it) => it.rssBytes),
      ownBytes: of((it) => it.ownBytes),
    };
  });
}
