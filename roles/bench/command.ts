/** `kpaxos bench`: the matrix, interleaved and repeated, with the floors of the same run. */
import { EXIT } from "../errors.ts";
import type { Console } from "../main.ts";
import type { BenchOptions } from "../options.ts";
import { Cluster, IDLE_S, REST_S, WARM_UP_S } from "./cluster.ts";
import {
  DISK_TAKES_S,
  measureDiskOf,
  measureNetwork,
  networkTakes_s,
} from "./floors.ts";
import { type Flow, flowKey, flowOf } from "./flow.ts";
import { judge } from "./judgement.ts";
import { describeLayout, keyOf, type Trial } from "./matrix.ts";
import { type Part, PART_VARIABLE } from "./part.ts";
import { Progress } from "./progress.ts";
import { Interrupted } from "../interrupted.ts";
import { Stage } from "./stage.ts";
import { runLong } from "./steady.ts";
import { type Measured, type Result, summarise } from "./summary.ts";
import { formatResult } from "./table.ts";

/** What a cluster takes to start and to leave. */
const CLUSTER_TAKES_S = 2.5;
/** What a run of a client takes beyond its seconds. */
const CLIENT_TAKES_S: number = WARM_UP_S + 0.4;

/**
 * Measures, and prints what was measured, also when it is interrupted.
 *
 * @returns The exit code.
 * @throws {UserError} if there can be no private network, no room, or a node fails.
 */
export async function runBench(
  options: BenchOptions,
  console: Console,
): Promise<number> {
  const part = Deno.env.get(PART_VARIABLE);
  if (part !== undefined) {
    const { runPart } = await import("./part.ts");
    return runPart(JSON.parse(part) as Part, console);
  }
  await using stage = new Stage(options.folder, storesOnDisk(options));
  if (options.long !== undefined) {
    return await runLong(stage, options, options.long, console);
  }
  const bench = new Bench(stage, options);
  let code: number = EXIT.done;
  try {
    await bench.run();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    code = EXIT.interrupted;
  } finally {
    bench.progress.end();
  }
  await print(bench.result(), options, console);
  return code;
}

async function print(
  result: Result,
  { json, chartFile }: BenchOptions,
  console: Console,
): Promise<void> {
  const text = json
    ? JSON.stringify({ ...result, targets: judge(result) })
    : formatResult(result);
  console.out(text + "\n");
  if (chartFile === undefined || result.rows.length === 0) return;
  const { writeChart } = await import("./chart.ts");
  await writeChart(chartFile, result);
  console.err(`bench: the chart is in ${chartFile}\n`);
}

function storesOnDisk({ trials }: BenchOptions): boolean {
  return trials.some(({ layout }) => layout.storage !== "memory");
}

class Bench {
  readonly progress: Progress;
  readonly #stage: Stage;
  readonly #options: BenchOptions;
  readonly #mtus: readonly number[];
  readonly #flows: readonly Flow[];
  /** Whoever never sleeps is never idle. */
  readonly #idleTrial: Trial | undefined;
  readonly #measured: Measured;

  constructor(stage: Stage, options: BenchOptions) {
    this.#stage = stage;
    this.#options = options;
    const { trials, repeats } = options;
    const cells = trials.flatMap(({ layout, loads }) =>
      loads.map((load) => ({ ...layout, ...load }))
    );
    const flows = new Map(
      cells.map(flowOf).map((flow) => [flowKey(flow), flow]),
    );
    this.#mtus = [...new Set(cells.map(({ mtu }) => mtu))];
    this.#flows = [...flows.values()];
    this.#idleTrial = trials.find(({ layout }) => layout.busyPoll !== "yes");
    this.#measured = {
      cells: new Map(cells.map((cell) => [keyOf(cell), { cell, samples: [] }])),
      networks: new Map(this.#mtus.map((mtu) => [mtu, []])),
      flows: new Map(
        [...flows].map(([key, flow]) => [key, { flow, frames_per_s: [] }]),
      ),
      disks: [],
      starts_ms: [],
      idle: { layout: this.#idleTrial?.layout, runs: [] },
    };
    const networks_s = this.#mtus.reduce(
      (sum, mtu) => sum + networkTakes_s(this.#flowsOf(mtu).length),
      0,
    );
    const floors_s = networks_s + (storesOnDisk(options) ? DISK_TAKES_S : 0);
    const trials_s = trials.reduce((sum, it) => sum + this.#takes_s(it), 0);
    this.progress = new Progress(repeats * (floors_s + trials_s));
  }

  async run(): Promise<void> {
    const { trials, repeats } = this.#options;
    for (let repeat = 1; repeat <= repeats; repeat++) {
      const prefix = `run ${repeat} of ${repeats}`;
      await this.#floors(prefix);
      // To and fro, so that what drifts with time favours nobody.
      for (const it of repeat % 2 === 1 ? trials : trials.toReversed()) {
        await this.#cluster(it, prefix);
      }
    }
  }

  result(): Result {
    const { repeats, seconds } = this.#options;
    return summarise(this.#measured, repeats, seconds);
  }

  async #floors(prefix: string): Promise<void> {
    const { networks, flows, disks } = this.#measured;
    for (const mtu of this.#mtus) {
      this.progress.say(`${prefix}: frames with no protocol, MTU ${mtu}`);
      const own = this.#flowsOf(mtu);
      const floor = await measureNetwork(this.#stage, mtu, own);
      networks.get(mtu)!.push(floor.network);
      for (const [flow, frames_per_s] of floor.flows_per_s) {
        flows.get(flowKey(flow))!.frames_per_s.push(frames_per_s);
      }
      this.progress.done(networkTakes_s(own.length));
    }
    if (!storesOnDisk(this.#options)) return;
    this.progress.say(`${prefix}: the disk alone`);
    disks.push(await measureDiskOf(this.#stage));
    this.progress.done(DISK_TAKES_S);
  }

  async #cluster(trial: Trial, prefix: string): Promise<void> {
    const { cells, starts_ms, idle } = this.#measured;
    const { layout, loads } = trial;
    this.progress.say(`${prefix}: ${describeLayout(layout)}`);
    await using cluster = await Cluster.start(this.#stage, layout);
    starts_ms.push(await cluster.timeToFirst_ms());
    for (const load of loads) {
      const { samples } = cells.get(keyOf({ ...layout, ...load }))!;
      samples.push(await cluster.measure(load, this.#options.seconds));
    }
    if (trial === this.#idleTrial) idle.runs.push(await cluster.idle());
    this.progress.done(this.#takes_s(trial));
  }

  #flowsOf(mtu: number): Flow[] {
    return this.#flows.filter((flow) => flow.mtu === mtu);
  }

  #takes_s(trial: Trial): number {
    const each_s = this.#options.seconds + CLIENT_TAKES_S;
    const idle_s = trial === this.#idleTrial ? REST_S + IDLE_S : 0;
    return CLUSTER_TAKES_S + trial.loads.length * each_s + idle_s;
  }
}
