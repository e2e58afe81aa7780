/** The nearest known word to one that was mistyped. */

/**
 * Finds the candidate that `word` was most likely meant to be.
 *
 * @param word What was written.
 * @param candidates The words that are known.
 * @returns The nearest candidate, or undefined when none is near.
 */
export function nearest(
  word: string,
  candidates: readonly string[],
): string | undefined {
  // A word longer than anything known is no typing error, and comparing costs its length.
  if (word.length === 0 || word.length > 64) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const longest = Math.max(wanted.length, candidate.length);
    // A third of the letters may be wrong, at least one, so that short words do not match all others.
    const allowed = Math.max(1, Math.floor(longest / 3));
    const isPrefix = wanted.length >= 3 && candidate.startsWith(wanted);
    const distance = isPrefix ? 0.5 : editDistance(wanted, candidate);
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(previous[j] + 1, current[j - 1] + 1, replaced);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] &&
        a[i - 2] === b[j - 1];
      if (swapped) {
        current[j] = Math.min(current[j], beforePrevious[j - 2] + 1);
      }
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length];
}
