/** Runs many seeds, one after another or on several threads. */
import type { CoreBuild } from "../core/core.ts";
import { drawPlan } from "./draw.ts";
import type { Topology } from "./plan.ts";
import { type Result, simulate } from "./simulate.ts";
import { add, noTotals, type Totals, totalsOf } from "./totals.ts";

/** Every so many seeds one runs twice: both runs must be the same, event for event. */
const TWICE_EVERY = 50;
/** Seeds that a thread takes at a time. */
const CHUNK_SEEDS = 20;

/** Some seeds in a row. */
export interface Seeds {
  readonly first: number;
  readonly count: number;
  readonly topology?: Topology;
}

/** Runs seeds in this thread. */
export function runSeeds(
  { first, count, topology }: Seeds,
  build?: CoreBuild,
): Totals {
  const totals = noTotals();
  for (let seed = first; seed < first + count; seed++) {
    add(totals, totalsOf(runSeed(seed, topology, build)));
  }
  return totals;
}

/** Runs a seed; now and then twice, and then what differs is a violation. */
function runSeed(
  seed: number,
  topology: Topology | undefined,
  build: CoreBuild | undefined,
): Result {
  const plan = drawPlan(seed, topology);
  const result = simulate(plan, { build });
  if (seed % TWICE_EVERY !== 0 || result.violation !== undefined) return result;
  const { hash } = simulate(plan, { build });
  if (hash === result.hash) return result;
  return {
    ...result,
    violation: {
      property: "determinism",
      message: `two runs differ: ${result.hash}, ${hash}`,
      at_us: result.virtual_us,
    },
  };
}

/** A thread that runs seeds. */
export interface SeedRunner {
  run(seeds: Seeds): Promise<Totals>;
}

/** What a sweep is to do. */
export interface Sweep {
  readonly first: number;
  /** Most seeds; Infinity: until told to stop. */
  readonly count: number;
  readonly topology?: Topology;
  readonly runners: readonly SeedRunner[];
  /** Asked before every chunk. */
  readonly stopped: () => boolean;
  /** Told after every chunk. */
  readonly onProgress: (totals: Totals) => void;
}

/** Runs seeds from the first on, on all threads at once, until all ran or it is stopped. */
export async function sweep(options: Sweep): Promise<Totals> {
  const { first, count, topology, runners, stopped, onProgress } = options;
  const totals = noTotals();
  let next = first;
  await Promise.all(runners.map(async (runner) => {
    while (next < first + count && !stopped()) {
      const chunk = Math.min(CHUNK_SEEDS, first + count - next);
      const seeds = { first: next, count: chunk, topology };
      next += chunk;
      add(totals, await runner.run(seeds));
      onProgress(totals);
    }
  }));
  totals.failures.sort((a, b) => a.seed - b.seed);
  return totals;
}
