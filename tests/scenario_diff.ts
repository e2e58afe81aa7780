/** The difference of two texts, line by line, as `diff -u` shows it. */

/** For every pair of places, how many lines the rests from there on have in common at most. */
function commonLengths(
  before: readonly string[],
  after: readonly string[],
): number[][] {
  const lengths = Array.from(
    { length: before.length + 1 },
    () => new Array<number>(after.length + 1).fill(0),
  );
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i][j] = before[i] === after[j]
        ? lengths[i + 1][j + 1] + 1
        : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}

/** All lines of both texts in order: "-" marks what only the first has, "+" what only the second has. */
export function unified(
  before: readonly string[],
  after: readonly string[],
): string[] {
  const lengths = commonLengths(before, after);
  const result: string[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      result.push(`  ${before[i++]}`);
      j++;
    } else if (
      j === after.length ||
      (i < before.length && lengths[i + 1][j] >= lengths[i][j + 1])
    ) {
      result.push(`- ${before[i++]}`);
    } else {
      result.push(`+ ${after[j++]}`);
    }
  }
  return result;
}
