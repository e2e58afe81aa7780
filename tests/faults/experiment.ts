/** What every experiment is given, and what it returns. */
import type { Topology } from "./site.ts";
import type { StorageWord } from "../../roles/storage_word.ts";

/** What an experiment is asked for. Each uses what concerns it. */
export interface Wanted {
  readonly topology: Topology;
  readonly storage: StorageWord;
  /** Lines of paxos.conf besides those that the experiment needs. */
  readonly conf: readonly string[];
  readonly seconds: number;
  readonly repeats: number;
  readonly kills: number;
  /** From one kill or cut to the next. */
  readonly period_ms: number;
  /** Instances that are decided before anything is measured; every value its own. */
  readonly after: number;
  /** Values that are decided before a learner is started. */
  readonly values: number;
  /** Values in flight of a client. */
  readonly outstanding: number;
  /** Of the choices that the experiment draws. */
  readonly seed: number;
  /** For logs and values; exists. */
  readonly folder: string;
  /** Called with what happens, for people to follow. */
  readonly say: (text: string) => void;
}

/** What came out. */
export interface Outcome {
  /** What was promised and did not hold: a value lost, delivered twice, no progress. */
  readonly broken: string[];
  /** Figures that are worse than they should be on a machine that has nothing else to do. */
  readonly missed: string[];
  /** For programs. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly lines: readonly string[];
}

/** An experiment, by its name on the command line. */
export interface Experiment {
  readonly summary: string;
  /** Options that it has, and their defaults. */
  readonly defaults: Readonly<Partial<Record<NumberOption, number>>> & {
    readonly topology: Topology;
    /** Memory, if nothing is said. */
    readonly storage?: StorageWord;
  };
  run(wanted: Wanted): Promise<Outcome>;
}

/** Options that are whole numbers. */
export type NumberOption =
  | "seconds"
  | "repeats"
  | "kills"
  | "period_ms"
  | "after"
  | "values"
  | "outstanding"
  | "seed";

/** "1,234,567". */
export function grouped(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}
