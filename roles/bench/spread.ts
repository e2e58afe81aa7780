/** Of several runs: the one in the middle, and how far the others are from it. */

/** Figures of runs. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Each run's, in the order of the runs. */
  readonly runs: readonly number[];
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** Median, least and most. */
export function spread(runs: readonly number[]): Spread {
  return {
    median: median(runs),
    least: Math.min(...runs),
    most: Math.max(...runs),
    runs,
  };
}
