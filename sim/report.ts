/** What `kpaxos sim` prints: progress, and what many runs came to. */
import type { Topology } from "./plan.ts";
import type { Totals } from "./totals.ts";

/** How often progress is shown, ms: on a terminal, and in a log. */
const TERMINAL_MS = 500;
const LOG_MS = 10_000;

/** What was run, and how. */
export interface RunFacts {
  readonly first: number;
  readonly seconds: number;
  readonly threads: number;
  readonly json: boolean;
  readonly topology?: Topology;
  readonly plan?: string;
}

const number = (value: number) => Math.round(value).toLocaleString("en-US");

/** Progress, on one line of a terminal, or now and then on a line of a log. */
export class ProgressLine {
  readonly #err: (text: string) => void;
  readonly #count: number;
  readonly #began_ms: number;
  readonly #end_ms: number;
  readonly #terminal = Deno.stderr.isTerminal();
  #shown_ms: number;

  /**
   * @param count Seeds in all; Infinity: as many as there is time for.
   * @param end_ms When time is up; Infinity: when all seeds ran.
   */
  constructor(
    err: (text: string) => void,
    count: number,
    began_ms: number,
    end_ms: number,
  ) {
    this.#err = err;
    this.#count = count;
    this.#began_ms = began_ms;
    this.#end_ms = end_ms;
    this.#shown_ms = began_ms;
  }

  show(totals: Totals, now_ms: number): void {
    const period_ms = this.#terminal ? TERMINAL_MS : LOG_MS;
    if (now_ms - this.#shown_ms < period_ms) return;
    this.#shown_ms = now_ms;
    const passed_ms = now_ms - this.#began_ms;
    const rate = totals.seeds / passed_ms;
    const left_ms = this.#count === Infinity
      ? this.#end_ms - now_ms
      : (this.#count - totals.seeds) / rate;
    const of = this.#count === Infinity ? "" : ` of ${number(this.#count)}`;
    const violations = totals.failures.length;
    const line = `${number(totals.seeds)}${of} seeds, ${
      number(rate * 1000)
    } seeds/s, ${hours(totals.virtual_us)}, ${
      violations === 0
        ? "no violation"
        : `${violations} VIOLATIONS (the last: seed ${
          totals.failures[violations - 1].seed
        })`
    }, ${clock(left_ms)} left`;
    this.#err(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** Makes the line of a terminal empty. */
  clear(): void {
    if (this.#terminal) this.#err("\r\x1b[K");
  }
}

/** The totals, for people or as one line of JSON. */
export function summary(totals: Totals, facts: RunFacts): string {
  const violations = totals.failures.map((failure) => ({
    ...failure,
    replay: `${replayCommand(failure.seed, facts)} --trace`,
  }));
  if (facts.json) {
    const { failures: _, ...sums } = totals;
    const { first, seconds, threads } = facts;
    return JSON.stringify({
      first,
      threads,
      seconds: Number(seconds.toFixed(3)),
      events_per_s: Math.round(totals.turns / seconds),
      virtual_s_per_s: Number((totals.virtual_us / 1e6 / seconds).toFixed(1)),
      ...sums,
      violations,
    }) + "\n";
  }
  return [
    ...headLines(totals, facts),
    ...violations.flatMap((it) => [
      `VIOLATION of ${it.property} in seed ${it.seed} (${it.topology}) at ${
        (it.at_us / 1e6).toFixed(6)
      } s: ${it.message}`,
      `  replay: ${it.replay}`,
    ]),
    verdict(violations.length),
  ].join("\n") + "\n";
}

function verdict(violations: number): string {
  if (violations === 0) return "no violation";
  return violations === 1 ? "1 violation" : `${violations} violations`;
}

function headLines(totals: Totals, { first, seconds, threads }: RunFacts) {
  const { seeds, ended, turns, virtual_us } = totals;
  const open = seeds - ended - totals.failures.length;
  const counts = (record: Record<string, number>) =>
    Object.entries(record).sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${number(count)}`).join(", ");
  return [
    seeds === 1
      ? `seed ${first}, ${seconds.toFixed(1)} s`
      : `${number(seeds)} seeds from ${first} on, ${
        seconds.toFixed(1)
      } s on ${threads} threads`,
    `${number(turns)} events (${number(turns / seconds)}/s), ${
      number(totals.frames)
    } frames, ${hours(virtual_us)} (${
      number(virtual_us / 1e6 / seconds)
    } virtual seconds a second)`,
    `${number(totals.submitted)} values submitted, ${
      number(totals.decided)
    } decided; everything was decided in the end in ${number(ended)} runs` +
    (open > 0
      ? `, and had not to be in ${
        number(open)
      }, where too few acceptors kept their memory or nobody could lead`
      : ""),
    `topologies: ${counts(totals.topologies)}`,
    `faults: ${counts(totals.faults)}`,
    `hash ${totals.hash}`,
  ];
}

/** The command that does the same run again. */
export function replayCommand(
  seed: number,
  { topology, plan }: { readonly topology?: string; readonly plan?: string },
): string {
  if (plan !== undefined) return `kpaxos sim --plan ${plan}`;
  const shape = topology === undefined ? "" : ` --topology ${topology}`;
  return `kpaxos sim --seed ${seed}${shape}`;
}

function hours(virtual_us: number): string {
  const seconds = virtual_us / 1e6;
  return seconds < 3600
    ? `${seconds.toFixed(1)} virtual seconds`
    : `${(seconds / 3600).toFixed(1)} virtual hours`;
}

function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}
