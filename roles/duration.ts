/** Durations as people write them: a plain number is seconds, or 500ms, 2s, 1m, 1h. */

const UNIT_MS: Readonly<Record<string, number>> = {
  "": 1000,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads a duration.
 *
 * @param text A decimal number and a unit without a space between: `2`, `0.5`, `500ms`, `2s`, `1m`, `1h`.
 * @returns Milliseconds, or undefined when `text` is no duration.
 */
export function parseDuration_ms(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[match[2]];
}

/**
 * Writes a duration in the largest unit that needs no fraction, the way `parseDuration_ms` reads it.
 *
 * @param duration_ms Milliseconds, a whole number.
 */
export function formatDuration(duration_ms: number): string {
  for (const unit of ["h", "m", "s"]) {
    if (duration_ms > 0 && duration_ms % UNIT_MS[unit] === 0) {
      return `${duration_ms / UNIT_MS[unit]}${unit}`;
    }
  }
  return `${duration_ms}ms`;
}
