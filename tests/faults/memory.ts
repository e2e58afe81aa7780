/** Resident memory of processes over time, and how fast it grows. */

/** One look at a process. */
export interface MemorySample {
  /** Since the process was started. */
  readonly at_s: number;
  readonly rss_kb: number;
}

/** Slope of the line of least squares through the samples, in KiB a minute; 0 for fewer than two. */
export function slope_kb_per_min(samples: readonly MemorySample[]): number {
  const mean = (of: (sample: MemorySample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const at_s = mean((it) => it.at_s);
  const rss_kb = mean((it) => it.rss_kb);
  let product = 0;
  let square = 0;
  for (const sample of samples) {
    product += (sample.at_s - at_s) * (sample.rss_kb - rss_kb);
    square += (sample.at_s - at_s) ** 2;
  }
  return square === 0 ? 0 : product / square * 60;
}
