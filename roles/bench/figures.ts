/** What a target looks at in the result of a bench, and what it is held against. */
import { count } from "../report.ts";
import {
  type Choice,
  describeSeries,
  isAmong,
  USUAL_LAYOUT,
  USUAL_LOAD,
} from "./matrix.ts";
import { type Spread, spread } from "./spread.ts";
import type { NetworkFigures, Result, Row } from "./summary.ts";

/** A figure, and where it was seen; undefined: its cells were not measured. */
export type Figure = (
  result: Result,
) => { readonly measured: Spread; readonly where: string } | undefined;

/** What a figure is compared with; without a bound: the floor that it comes from was not measured. */
export type Bound = (
  result: Result,
) => { readonly bound?: number; readonly against: string };

/** With fewer values in flight no peak can be told. */
const PEAK_VALUES = 4096;
/** A load is half of the peak if it reaches so much of it. */
const HALF = { least: 0.35, most: 0.7 } as const;

/** The same in every run. */
export function fixed(bound: number, against: string): Bound {
  return () => ({ bound, against });
}

/** So many times the relay's way of one frame. */
export function atMostRelay(times: number): Bound {
  return atMostNetwork(times, "the relay's 3 hops", (it) => it.relay_p50_us);
}

/** So many times a frame to and fro between processes that spin. */
export function atMostSpinning(times: number): Bound {
  return atMostNetwork(
    times,
    "one frame to and fro, spinning",
    (it) => it.spinning_p50_us,
  );
}

function atMostNetwork(
  times: number,
  name: string,
  floor_us: (network: NetworkFigures) => number,
): Bound {
  return ({ networks }) => {
    const network = networks.find(({ mtu }) => mtu === USUAL_LAYOUT.mtu[0]);
    const against = `${times} x ${name}`;
    if (network === undefined) return { against };
    const us = floor_us(network);
    return { bound: times * us, against: `${against}: ${us.toFixed(1)} µs` };
  };
}

/** What the disk takes for one commit and so much more, or `least_us` where that is more. */
export function commitAnd(more_us: number, least_us: number): Bound {
  return ({ disk }) => {
    const against = `4 KiB and fdatasync in place, and ${more_us} µs`;
    if (disk === undefined) return { against };
    const bound = disk.inPlace.p50_us + more_us;
    return bound > least_us
      ? { bound, against: `${against}: ${disk.inPlace.p50_us} and ${more_us}` }
      : { bound: least_us, against: "a raft library in C" };
  };
}

/** Values a second of the fastest of these cells. */
export function fastest(choice: Choice): Figure {
  return (result) => {
    const row = fastestOf(rowsOf(result, choice));
    return row && { measured: row.values_per_s, where: describeRow(row) };
  };
}

/** The same where enough was in flight to call it a peak. */
export function peak(choice: Choice): Figure {
  return (result) => {
    const row = peakOf(rowsOf(result, choice));
    return row && { measured: row.values_per_s, where: describeRow(row) };
  };
}

/** The latency that half of the values of these cells are within; of several the shortest. */
export function p50(choice: Choice): Figure {
  return (result) => {
    const [row] = rowsOf(result, choice)
      .toSorted((a, b) => a.p50_us.median - b.p50_us.median);
    return row && { measured: row.p50_us, where: describeRow(row) };
  };
}

/** What of the relay's throughput with the same frames these cells reach at their peak. */
export function ofRelay(choice: Choice): Figure {
  return (result) => {
    const row = peakOf(rowsOf(result, choice));
    if (row === undefined) return undefined;
    const part = row.to_relay / row.values_per_s.median;
    return {
      measured: spread(row.values_per_s.runs.map((it) => it * part)),
      where: describeRow(row),
    };
  };
}

/** p99.9 over p50 of the cell that is nearest to half of the peak. */
export function atHalfOfPeak(choice: Choice): Figure {
  return (result) => {
    const rows = rowsOf(result, choice);
    const most = peakOf(rows)?.values_per_s.median ?? 0;
    const part = (row: Row) => row.values_per_s.median / most;
    const [row] = rows
      .filter((it) => part(it) >= HALF.least && part(it) <= HALF.most)
      .toSorted((a, b) => Math.abs(part(a) - 0.5) - Math.abs(part(b) - 0.5));
    return row && {
      measured: row.p999_to_p50,
      where: `${describeRow(row)}: ${
        (part(row) * 100).toFixed(0)
      } % of the peak`,
    };
  };
}

/** Of every series the throughput of each load over that of the next smaller one, run by run: the worst. */
export function worstStep(): Figure {
  return ({ rows }) => {
    const series = Map.groupBy(rows, (row) => describeSeries(row));
    const steps = [...series.values()].flatMap((of) => {
      const sorted = of.toSorted((a, b) => a.outstanding - b.outstanding);
      return sorted.slice(1).map((row, i) => stepOf(sorted[i], row));
    });
    return steps.toSorted((a, b) => a.measured.median - b.measured.median)[0];
  };
}

function stepOf(from: Row, to: Row) {
  // An interrupted bench may have seen one of them less often.
  const ratios = to.values_per_s.runs.slice(0, from.values_per_s.runs.length)
    .map((it, i) => it / from.values_per_s.runs[i]);
  return {
    measured: spread(ratios),
    where: `${describeSeries(to)}: ${count(from.outstanding)} to ${
      count(to.outstanding)
    } in flight`,
  };
}

/** From the start of a client to its first decided value, in ms. */
export function startTime(): Figure {
  return ({ start_ms }) =>
    start_ms && { measured: start_ms, where: "every cluster" };
}

/** What the busiest idle replica uses, in per cent of a core. */
export function idle(): Figure {
  return ({ idle }) => {
    if (idle === undefined || !isAmong(idle.layout, USUAL_LAYOUT)) return;
    return {
      measured: spread(idle.cores.runs.map((it) => it * 100)),
      where: "the busiest of replicas, memory",
    };
  };
}

/** Resident memory of the largest replica with default settings, after whichever load, in MB. */
export function memoryOfReplica(): Figure {
  return ({ rows }) => {
    const [largest] = rows.filter((row) => isAmong(row, USUAL_LAYOUT))
      .flatMap((row) =>
        row.processes.filter(({ name }) => name.startsWith("replica"))
          .map(({ name, rssBytes }) => ({ row, name, rssBytes }))
      )
      .toSorted((a, b) => b.rssBytes - a.rssBytes);
    return largest && {
      measured: spread([largest.rssBytes / 2 ** 20]),
      where: `${largest.name} of ${describeRow(largest.row)}`,
    };
  };
}

/** What only a run of its own tells. */
export function inLongRun(): Figure {
  return () => undefined;
}

/** Rows with these properties, and the usual ones where nothing is said. */
function rowsOf({ rows }: Result, choice: Choice): Row[] {
  const wanted = { ...USUAL_LAYOUT, ...USUAL_LOAD, ...choice };
  return rows.filter((row) => isAmong(row, wanted));
}

function fastestOf(rows: readonly Row[]): Row | undefined {
  return rows.toSorted((a, b) => b.values_per_s.median - a.values_per_s.median)
    .at(0);
}

function peakOf(rows: readonly Row[]): Row | undefined {
  const isEnough = rows.some(({ outstanding, clients }) =>
    outstanding * clients >= PEAK_VALUES
  );
  return isEnough ? fastestOf(rows) : undefined;
}

function describeRow(row: Row): string {
  return `${describeSeries(row)}: ${count(row.outstanding)} in flight`;
}
