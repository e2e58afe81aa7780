/** One long run: is the last minute as fast as the first, and does memory stay as it was? */
import { EXIT, UserError } from "../errors.ts";
import type { Console } from "../main.ts";
import type { Figures } from "../meter.ts";
import type { BenchOptions } from "../options.ts";
import { Cluster, type ProcessMemory } from "./cluster.ts";
import { isMet } from "./judgement.ts";
import { describeLayout } from "./matrix.ts";
import { Interrupted } from "../interrupted.ts";
import { median } from "./spread.ts";
import type { Stage } from "./stage.ts";
import { STEADY_MEMORY_MAX, STEADY_RATIO_MIN, type Target } from "./targets.ts";

/** Seconds at the start that are not compared. */
const WARM_UP_SECONDS = 10;
/** Seconds that are compared with one another. */
const SPAN_SECONDS = 60;
/** A line on standard error so often. */
const TELL_SECONDS = 10;

/** One second of the run. */
export interface Second {
  readonly values: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly processes: readonly ProcessMemory[];
}

/** A part of the run: means and medians of its seconds. */
export interface Span {
  readonly values_per_s: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly processes: readonly ProcessMemory[];
}

/** The two ends of a run. */
export interface Comparison {
  /** Seconds in each of the spans. */
  readonly spanSeconds: number;
  readonly first: Span;
  readonly last: Span;
  /** Throughput of the last span as part of the first's. */
  readonly ratio: number;
  /** The same of resident memory, of the process that grew most. */
  readonly memoryRatio: number;
}

/**
 * Runs one load on one cluster, and compares.
 *
 * @param limits When it ends.
 * @throws {UserError} if it was too short for that.
 */
export async function runLong(
  stage: Stage,
  options: BenchOptions,
  limits: { readonly seconds?: number; readonly count?: number },
  console: Console,
): Promise<number> {
  const [{ layout, loads }] = options.trials;
  // The largest load: this is about what it costs to go on for long.
  const load = loads.at(-1)!;
  const limit = [
    ...(limits.seconds === undefined
      ? []
      : ["--seconds", String(limits.seconds)]),
    ...(limits.count === undefined ? [] : ["--count", String(limits.count)]),
  ];
  const seconds: Second[] = [];
  let values = 0;
  const onSecond = (
    figures: Figures,
    processes: readonly ProcessMemory[],
  ) => {
    const { p50, p99 } = figures.latency_us;
    seconds.push({
      values: figures.values,
      p50_us: p50,
      p99_us: p99,
      processes,
    });
    values += figures.values;
    if (seconds.length % TELL_SECONDS !== 0) return;
    console.err(
      `bench: ${seconds.length} s, ${grouped(values)} values, now ${
        grouped(figures.values_per_s)
      }/s\n`,
    );
  };
  console.err(
    `bench: one long run: ${
      describeLayout(layout)
    }, ${load.outstanding} values of ${load.valueBytes} bytes in flight\n`,
  );
  let code: number = EXIT.done;
  try {
    await using cluster = await Cluster.start(stage, layout);
    await cluster.run(load, limit, onSecond);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    code = EXIT.interrupted;
  }
  const comparison = compare(seconds);
  if (comparison === undefined) {
    if (code === EXIT.interrupted) return code;
    throw new UserError(
      `the run took ${seconds.length} s, too short to compare its ends; give a longer --long, or a larger --count`,
    );
  }
  console.out(
    options.json
      ? JSON.stringify({ ...layout, ...load, values, ...comparison }) + "\n"
      : formatComparison(comparison, values, seconds.length),
  );
  return code;
}

/**
 * Compares the first span after warming up with the last: a minute each, or half of a shorter run.
 *
 * @returns undefined if there are not two seconds to compare.
 */
export function compare(seconds: readonly Second[]): Comparison | undefined {
  const warmUp = Math.min(WARM_UP_SECONDS, Math.floor(seconds.length / 10));
  const warm = seconds.slice(warmUp);
  const spanSeconds = Math.min(SPAN_SECONDS, Math.floor(warm.length / 2));
  if (spanSeconds === 0) return undefined;
  const first = spanOf(warm.slice(0, spanSeconds));
  const last = spanOf(warm.slice(-spanSeconds));
  return {
    spanSeconds,
    first,
    last,
    ratio: last.values_per_s / first.values_per_s,
    memoryRatio: Math.max(
      ...last.processes.map(({ name, rssBytes }) =>
        rssBytes / residentOf(first, name)
      ),
    ),
  };
}

/** NaN for a process that was not there. */
function residentOf({ processes }: Span, name: string): number {
  return processes.find((it) => it.name === name)?.rssBytes ?? NaN;
}

function spanOf(seconds: readonly Second[]): Span {
  const values = seconds.reduce((sum, it) => sum + it.values, 0);
  return {
    values_per_s: values / seconds.length,
    p50_us: median(seconds.map((it) => it.p50_us)),
    p99_us: median(seconds.map((it) => it.p99_us)),
    processes: seconds.at(-1)!.processes,
  };
}

function formatComparison(
  { spanSeconds, first, last, ratio, memoryRatio }: Comparison,
  values: number,
  seconds: number,
): string {
  const line = (name: string, { values_per_s, p50_us, p99_us }: Span) =>
    `${name} ${spanSeconds} s: ${
      grouped(values_per_s)
    } values/s, p50 ${p50_us} µs, p99 ${p99_us} µs`;
  const memory = last.processes.map(({ name, rssBytes }) =>
    `  ${name}: ${megabytes(residentOf(first, name))} MB, then ${
      megabytes(rssBytes)
    } MB`
  );
  const judged = (figure: number, is: Target["is"], bound: number) =>
    `${figure.toFixed(3)}, of a billion values ${is} ${bound}: ${
      isMet(is, figure, bound) ? "met" : "missed"
    }`;
  return [
    `${grouped(values)} values in ${grouped(seconds)} s`,
    line("first", first),
    line("last ", last),
    `last / first: ${judged(ratio, "at least", STEADY_RATIO_MIN)}`,
    "resident memory at the end of the first and of the last span:",
    ...memory,
    `last / first, at most: ${
      judged(memoryRatio, "at most", STEADY_MEMORY_MAX)
    }`,
    "",
  ].join("\n");
}

function megabytes(bytes: number): string {
  return grouped(bytes / 2 ** 20);
}

function grouped(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}
