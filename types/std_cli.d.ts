/**
 * What kpaxos uses of `@std/cli`. The npm package that carries Deno's standard
 * library has no types of its own; with JSR behind `@std/cli` this file can go.
 * Source: the documentation of parseArgs in Deno's standard library.
 */

/** Which arguments are what. */
export interface ParseOptions {
  /** Options that take no value. */
  boolean?: readonly string[];
  /** Options whose value stays text; "_" for the positional arguments. */
  string?: readonly string[];
  /** Options whose values are gathered in an array. */
  collect?: readonly string[];
  /** Other names: short name by long name. */
  alias?: Readonly<Record<string, string>>;
  /** Called for an argument that is none of the above; `false` leaves it out of the result. */
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Sorts `args` into options by name and, under `_`, positional arguments. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions,
): Record<string, unknown> & { _: string[] };
