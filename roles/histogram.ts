/**
 * A histogram of fixed size: what is recorded is told apart to three digits, and recording costs
 * nanoseconds. (The idea of HdrHistogram, by Gil Tene: as many equal steps within each power of 2.)
 */

/** Below twice this every number has a step of its own, and from there on each power of 2 has so many. */
const STEPS = 1024;
const STEP_BITS = 10;
const NUMBER_BITS = 32;
const CELLS = (NUMBER_BITS - STEP_BITS + 1) * STEPS;
/** The largest number that can be recorded; larger ones count as this one. */
export const HISTOGRAM_MAX: number = 2 ** NUMBER_BITS - 1;

/** Counts whole numbers from 0 to 2^32 - 1. */
export class Histogram {
  readonly #counts = new Float64Array(CELLS);
  #count = 0;
  #max = 0;

  /** How many numbers were recorded. */
  get count(): number {
    return this.#count;
  }

  /** The largest number that was recorded; 0: none was. */
  get max(): number {
    return this.#max;
  }

  /** Records a whole number. */
  record(number: number): void {
    const kept = Math.min(number, HISTOGRAM_MAX);
    this.#counts[cellOf(kept)]++;
    this.#count++;
    if (kept > this.#max) this.#max = kept;
  }

  /** Records all that `other` has. */
  add(other: Histogram): void {
    const from = other.#counts;
    for (let cell = cellOf(other.#max); cell >= 0; cell--) {
      this.#counts[cell] += from[cell];
    }
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forgets what was recorded. */
  reset(): void {
    this.#counts.fill(0, 0, cellOf(this.#max) + 1);
    this.#count = 0;
    this.#max = 0;
  }

  /**
   * The number that `percentile` percent of those recorded do not exceed, to three digits, or a little more.
   *
   * @param percentile 0 to 100; of 0 the least of them.
   * @returns 0 if nothing was recorded.
   */
  percentile(percentile: number): number {
    const rank = Math.ceil(this.#count * percentile / 100);
    let below = 0;
    for (let cell = 0; cell < CELLS; cell++) {
      below += this.#counts[cell];
      if (below >= rank && below > 0) return Math.min(lastOf(cell), this.#max);
    }
    return 0;
  }
}

/** The cell of a number: its leading bits, and how many were left out. */
function cellOf(number: number): number {
  const dropped = Math.max(NUMBER_BITS - STEP_BITS - 1 - Math.clz32(number), 0);
  return (dropped << STEP_BITS) + (number >>> dropped);
}

/** The largest number of a cell. */
function lastOf(cell: number): number {
  const dropped = Math.max((cell >> STEP_BITS) - 1, 0);
  return (cell - dropped * STEPS + 1) * 2 ** dropped - 1;
}
