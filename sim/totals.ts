/** What many runs came to. */
import type { Result } from "./simulate.ts";
import type { Property } from "./violation.ts";

/** A run in which a promise did not hold. */
export interface Failure {
  readonly seed: number;
  readonly topology: string;
  readonly property: Property;
  readonly message: string;
  readonly at_us: number;
}

/** Sums over runs. Plain data: threads hand them over. */
export interface Totals {
  seeds: number;
  /** Runs in which everything was decided and delivered in the end. */
  ended: number;
  turns: number;
  frames: number;
  virtual_us: number;
  submitted: number;
  decided: number;
  topologies: Record<string, number>;
  faults: Record<string, number>;
  failures: Failure[];
  /** Of all runs' hashes, in whatever order they ran; 16 hexadecimal digits. */
  hash: string;
}

export function noTotals(): Totals {
  return {
    seeds: 0,
    ended: 0,
    turns: 0,
    frames: 0,
    virtual_us: 0,
    submitted: 0,
    decided: 0,
    topologies: {},
    faults: {},
    failures: [],
    hash: "0".repeat(16),
  };
}

/** The totals of one run. */
export function totalsOf(result: Result): Totals {
  const { seed, topology, violation } = result;
  return {
    seeds: 1,
    ended: result.ended ? 1 : 0,
    turns: result.turns,
    frames: result.frames,
    virtual_us: result.virtual_us,
    submitted: result.submitted,
    decided: result.decided,
    topologies: { [topology]: 1 },
    faults: { ...result.faults },
    failures: violation === undefined ? [] : [{ seed, topology, ...violation }],
    hash: result.hash,
  };
}

/** Adds `more` to `totals`. */
export function add(totals: Totals, more: Totals): void {
  totals.seeds += more.seeds;
  totals.ended += more.ended;
  totals.turns += more.turns;
  totals.frames += more.frames;
  totals.virtual_us += more.virtual_us;
  totals.submitted += more.submitted;
  totals.decided += more.decided;
  addCounts(totals.topologies, more.topologies);
  addCounts(totals.faults, more.faults);
  totals.failures.push(...more.failures);
  totals.hash = (BigInt(`0x${totals.hash}`) ^ BigInt(`0x${more.hash}`))
    .toString(16).padStart(16, "0");
}

function addCounts(
  counts: Record<string, number>,
  more: Record<string, number>,
): void {
  for (const [name, count] of Object.entries(more)) {
    counts[name] = (counts[name] ?? 0) + count;
  }
}
