/**
 * From which seed the properties and fuzzers start, and how much they try: always the same unless
 * the environment says otherwise, so that what fails once fails again.
 *
 *   KPAXOS_SEED=N      another seed (default 1)
 *   KPAXOS_EFFORT=N    N times as many cases (default 1)
 */
function positive(name: string): number {
  const text = Deno.env.get(name) ?? "1";
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`${name} is "${text}", expected a whole number from 1 on`);
}

/** Where randomness starts. */
export const SEED = positive("KPAXOS_SEED");

/** How many cases to try where `usual` do every day. */
export function cases(usual: number): number {
  return usual * positive("KPAXOS_EFFORT");
}
