/** What a plan says, for people. */
import type { Weather } from "./plan.ts";

/** Most pairs that a text names. */
const PAIRS_MAX = 6;

/** Who no longer hears whom. */
export function cutsText(
  cuts: readonly (readonly [from: number, to: number])[],
  names: readonly string[],
): string {
  const pairs = cuts.filter(([from, to]) => from !== to);
  if (pairs.length > PAIRS_MAX) {
    return `partition: ${pairs.length} of ${
      names.length * (names.length - 1)
    } ways are cut`;
  }
  const list = pairs.map(([from, to]) => `${names[from]} to ${names[to]}`);
  return `partition: ${list.join(", ") || "nothing"} is cut`;
}

/** What the network does to frames. */
export function weatherText({ delay_us, ...shares }: Weather): string {
  const named = Object.entries(shares).filter(([, share]) => share > 0)
    .map(([name, share]) => `${name} ${(share * 100).toFixed(1)}%`);
  return [...named, `delay ${delay_us.least} to ${delay_us.most} µs`]
    .join(", ");
}

/** Whether no frame is lost, doubled or damaged; it may take its time. */
export function isCalm({ delay_us: _, ...shares }: Weather): boolean {
  return Object.values(shares).every((share) => share === 0);
}
