/** Targets beside what a bench measured: met, missed or not measured, by medians of the same run. */
import type { Spread } from "./spread.ts";
import type { Result } from "./summary.ts";
import { type Target, TARGETS } from "./targets.ts";

/** One target, judged. */
export interface Judgement {
  readonly what: string;
  readonly is: Target["is"];
  /** What it is held against; absent if the floor that it comes from was not measured. */
  readonly bound?: number;
  readonly against: string;
  readonly measured?: Spread;
  /** The cell. */
  readonly where?: string;
  /** The median over the bound. */
  readonly ratio?: number;
  readonly verdict: "met" | "missed" | "not measured";
}

/** Judges every target. */
export function judge(result: Result): Judgement[] {
  return TARGETS.map(({ what, is, bound, figure }) => {
    const [limit, seen] = [bound(result), figure(result)];
    const judgement = { what, is, ...limit, ...seen };
    if (limit.bound === undefined || seen === undefined) {
      return { ...judgement, verdict: "not measured" };
    }
    const { median } = seen.measured;
    return {
      ...judgement,
      ratio: median / limit.bound,
      verdict: isMet(is, median, limit.bound) ? "met" : "missed",
    };
  });
}

/** Whether a figure is what a target wants. */
export function isMet(
  is: Target["is"],
  figure: number,
  bound: number,
): boolean {
  if (is === "at least") return figure >= bound;
  return is === "at most" ? figure <= bound : figure < bound;
}
