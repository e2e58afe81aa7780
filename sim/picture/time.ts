/** Virtual time as people read it. */

/** An instant as people compare it: all digits, in seconds. */
export function seconds(at_us: number): string {
  return (at_us / 1e6).toFixed(6);
}

/** A span of time in the unit that suits it. */
export function duration(span_us: number): string {
  if (span_us < 1000) return `${Math.round(span_us)} µs`;
  if (span_us < 1e6) return `${Number((span_us / 1e3).toPrecision(3))} ms`;
  return `${Number((span_us / 1e6).toPrecision(3))} s`;
}
