/** `kpaxos sim`: simulates clusters, says what happened, and makes what fails small enough to read. */
import type { CoreBuild } from "../core/core.ts";
import { EXIT, UserError } from "../roles/errors.ts";
import { drawPlan } from "./draw.ts";
import type { SimEvent } from "./events.ts";
import { picture } from "./picture.ts";
import type { Plan, Topology } from "./plan.ts";
import { readPlan } from "./read_plan.ts";
import { Recorder } from "./recorder.ts";
import { ProgressLine, replayCommand, summary } from "./report.ts";
import { shrink } from "./shrink.ts";
import { type RunWatch, simulate } from "./simulate.ts";
import { sweep } from "./sweep.ts";
import { type Totals, totalsOf } from "./totals.ts";
import { traceLine } from "./trace.ts";
import { startThreads } from "./threads.ts";

/** What `kpaxos sim` is asked for. */
export interface SimOptions {
  /** First seed; absent: drawn anew. */
  readonly seed?: number;
  /** How many seeds; absent: one if it is named, else as long as `minutes` or `SEEDS` says. */
  readonly seeds?: number;
  readonly minutes?: number;
  readonly topology?: Topology;
  /** File of a plan to run in place of a seed's. */
  readonly plan?: string;
  readonly trace: boolean;
  readonly html?: string;
  readonly json: boolean;
}

/** Where text goes. */
export interface Outlets {
  out(text: string): void;
  err(text: string): void;
}

/** Seeds when nothing says how many. */
const SEEDS = 200;
/** Seeds are drawn and counted below this. */
const SEED_END = 2 ** 32;
/** Most events of a picture: a browser shows more only slowly. */
const PICTURE_EVENTS_MAX = 100_000;
/** How long a failing plan may be made smaller. */
const SHRINK_MS = 30_000;

/**
 * Simulates.
 *
 * @param build Of a single run; the shipping core unless a test brings one that fails.
 * @returns The exit code: 1 if a promise did not hold.
 * @throws {UserError} if the options do not fit together, or a file cannot be read or written.
 */
export async function runSim(
  options: SimOptions,
  outlets: Outlets,
  build?: CoreBuild,
): Promise<number> {
  const single = options.plan !== undefined ||
    (options.seed !== undefined && options.seeds === undefined &&
      options.minutes === undefined);
  if (single) return runOne(options, outlets, build);
  for (const name of ["trace", "html"] as const) {
    if (!options[name]) continue;
    throw new UserError(
      `--${name} shows one run; name it with --seed alone, or with --plan`,
      EXIT.usage,
    );
  }
  return await runMany(options, outlets);
}

/** One run, with its trace or picture. */
function runOne(
  options: SimOptions,
  outlets: Outlets,
  build: CoreBuild | undefined,
): number {
  const plan = options.plan === undefined
    ? drawPlan(options.seed!, options.topology)
    : readPlan(options.plan);
  const began_ms = performance.now();
  const events: SimEvent[] = [];
  let cutAt_us: number | undefined;
  const recorder = new Recorder((event) => {
    if (options.trace) outlets.out(traceLine(event, recorder.places) + "\n");
    if (options.html === undefined) return;
    if (events.length < PICTURE_EVENTS_MAX) events.push(event);
    else cutAt_us ??= event.at_us;
  });
  const watched = options.trace || options.html !== undefined;
  const watch: RunWatch | undefined = watched ? recorder : undefined;
  const totals = totalsOf(simulate(plan, { watch, build }));
  if (options.html !== undefined) {
    const command = replayCommand(plan.seed, options);
    write(
      options.html,
      picture(recorder.recording(events, { command, cutAt_us })),
    );
    outlets.err(`the picture is in ${options.html}\n`);
  }
  const seconds = (performance.now() - began_ms) / 1000;
  // A trace has standard output for itself.
  const console = options.trace
    ? { out: outlets.err, err: outlets.err }
    : outlets;
  tell(totals, { first: plan.seed, seconds, threads: 1 }, options, console);
  if (totals.failures.length === 0) return EXIT.done;
  if (options.plan === undefined) shrinkPlan(plan, totals, outlets, build);
  return EXIT.failed;
}

async function runMany(
  options: SimOptions,
  outlets: Outlets,
): Promise<number> {
  const count = options.seeds ??
    (options.minutes === undefined ? SEEDS : Infinity);
  const first = options.seed ?? drawSeed(count);
  if (count !== Infinity && first + count > SEED_END) {
    throw new UserError(
      `seeds ${first} to ${first + count - 1} go beyond ${
        SEED_END - 1
      }, the last one`,
      EXIT.usage,
    );
  }
  const began_ms = performance.now();
  const end_ms = began_ms + (options.minutes ?? Infinity) * 60_000;
  let interrupted = false;
  const stop = () => interrupted = true;
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  const threads = await startThreads(navigator.hardwareConcurrency);
  const progress = new ProgressLine(outlets.err, count, began_ms, end_ms);
  let totals: Totals;
  try {
    totals = await sweep({
      first,
      count: Math.min(count, SEED_END - first),
      topology: options.topology,
      runners: threads,
      stopped: () => interrupted || performance.now() >= end_ms,
      onProgress: (totals) => progress.show(totals, performance.now()),
    });
    progress.clear();
  } finally {
    threads.forEach((thread) => thread.end());
    Deno.removeSignalListener("SIGINT", stop);
    Deno.removeSignalListener("SIGTERM", stop);
  }
  const seconds = (performance.now() - began_ms) / 1000;
  const run = { first, seconds, threads: threads.length };
  tell(totals, run, options, outlets);
  if (totals.failures.length === 0) {
    return interrupted ? EXIT.interrupted : EXIT.done;
  }
  const [{ seed }] = totals.failures;
  if (!interrupted) {
    shrinkPlan(drawPlan(seed, options.topology), totals, outlets);
  }
  return EXIT.failed;
}

/** A first seed after which all others fit. */
function drawSeed(count: number): number {
  const room = SEED_END - (count === Infinity ? SEED_END / 2 : count);
  return Math.floor(Math.random() * room) + 1;
}

function tell(
  totals: Totals,
  run: { first: number; seconds: number; threads: number },
  options: SimOptions,
  outlets: Outlets,
): void {
  outlets.out(summary(totals, { ...run, ...options }));
}

/** Makes the first failing plan smaller and writes it to a file of its own. */
function shrinkPlan(
  plan: Plan,
  { failures }: Totals,
  outlets: Outlets,
  build?: CoreBuild,
): void {
  const [{ property }] = failures;
  // One run alone shows no difference between two.
  if (property === "determinism") return;
  outlets.err(`making the plan of seed ${plan.seed} smaller...\n`);
  const end_ms = performance.now() + SHRINK_MS;
  const { plan: small, tried, finished } = shrink(
    plan,
    (it) => simulate(it, { build }).violation?.property === property,
    () => performance.now() < end_ms,
  );
  const path = Deno.makeTempFileSync({
    prefix: `kpaxos-sim-${plan.seed}-`,
    suffix: ".json",
  });
  write(path, JSON.stringify(small, null, 2) + "\n");
  const end = finished ? "" : "; there was no time for more";
  outlets.err(
    `nodes ${plan.nodes.length} to ${small.nodes.length}, events ${plan.events.length} to ${small.events.length}, after ${tried} tries${end}\n` +
      `replay: kpaxos sim --plan ${path} --trace\n`,
  );
}

function write(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text);
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${(error as Error).message}`);
  }
}
