/** `kpaxos bench`: the matrix, interleaved and repeated, with the floors of the same run. */
import { EXIT } from "../errors.ts";
import type { Console } from "../main.ts";
import type { BenchOptions } from "../options.ts";
import { Cluster, WARM_UP_S } from "./cluster.ts";
import {
  DISK_TAKES_S,
  measureDiskOf,
  measureNetwork,
  RELAY_TAKES_S,
} from "./floors.ts";
import {
  describeLayout,
  keyOf,
  type Layout,
  layoutsOf,
  loadsOf,
} from "./matrix.ts";
import { type Part, PART_VARIABLE } from "./part.ts";
import { Progress } from "./progress.ts";
import { Interrupted } from "../interrupted.ts";
import { Stage } from "./stage.ts";
import { runLong } from "./steady.ts";
import { type Measured, type Result, summarise } from "./summary.ts";
import { formatResult } from "./table.ts";

/** What a cluster takes to start, to be idle once, and to leave. */
const CLUSTER_TAKES_S = 4.5;
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
  const storesOnDisk = options.storages.some((it) => it !== "memory");
  await using stage = new Stage(options.folder, storesOnDisk);
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
  console.out((json ? JSON.stringify(result) : formatResult(result)) + "\n");
  if (chartFile === undefined || result.rows.length === 0) return;
  const { writeChart } = await import("./chart.ts");
  await writeChart(chartFile, result);
  console.err(`bench: the chart is in ${chartFile}\n`);
}

class Bench {
  readonly progress: Progress;
  readonly #stage: Stage;
  readonly #options: BenchOptions;
  readonly #measured: Measured = {
    cells: new Map(),
    networks: new Map(),
    disks: [],
    starts_ms: [],
    idle: [],
  };

  constructor(stage: Stage, options: BenchOptions) {
    this.#stage = stage;
    this.#options = options;
    const { repeats, mtus } = options;
    for (const layout of layoutsOf(options)) {
      for (const load of loadsOf(options)) {
        const cell = { ...layout, ...load };
        this.#measured.cells.set(keyOf(cell), { cell, samples: [] });
      }
    }
    const clusters_s = layoutsOf(options).length * this.#clusterTakes_s();
    const floors_s = mtus.length * RELAY_TAKES_S +
      (this.#storesOnDisk() ? DISK_TAKES_S : 0);
    this.progress = new Progress(repeats * (clusters_s + floors_s));
  }

  async run(): Promise<void> {
    const { repeats } = this.#options;
    const layouts = layoutsOf(this.#options);
    for (let repeat = 1; repeat <= repeats; repeat++) {
      const prefix = `run ${repeat} of ${repeats}`;
      await this.#floors(prefix);
      // To and fro, so that what drifts with time favours nobody.
      for (const it of repeat % 2 === 1 ? layouts : layouts.toReversed()) {
        await this.#cluster(it, prefix);
      }
    }
  }

  result(): Result {
    const { repeats, seconds } = this.#options;
    return summarise(this.#measured, repeats, seconds);
  }

  async #floors(prefix: string): Promise<void> {
    const { networks, disks } = this.#measured;
    for (const mtu of this.#options.mtus) {
      this.progress.say(`${prefix}: frames with no protocol, MTU ${mtu}`);
      const floor = await measureNetwork(this.#stage, mtu);
      networks.set(mtu, [...networks.get(mtu) ?? [], floor]);
      this.progress.done(RELAY_TAKES_S);
    }
    if (!this.#storesOnDisk()) return;
    this.progress.say(`${prefix}: the disk alone`);
    disks.push(await measureDiskOf(this.#stage));
    this.progress.done(DISK_TAKES_S);
  }

  async #cluster(layout: Layout, prefix: string): Promise<void> {
    const { cells, starts_ms, idle } = this.#measured;
    const { seconds } = this.#options;
    this.progress.say(`${prefix}: ${describeLayout(layout)}`);
    await using cluster = await Cluster.start(this.#stage, layout);
    starts_ms.push(await cluster.timeToFirst_ms());
    // Whoever never sleeps is never idle.
    if (layout.busyPoll !== "yes") idle.push(await cluster.idle());
    for (const load of loadsOf(this.#options)) {
      const { samples } = cells.get(keyOf({ ...layout, ...load }))!;
      samples.push(await cluster.measure(load, seconds));
    }
    this.progress.done(this.#clusterTakes_s());
  }

  #clusterTakes_s(): number {
    const loads = loadsOf(this.#options).length;
    return CLUSTER_TAKES_S + loads * (this.#options.seconds + CLIENT_TAKES_S);
  }

  #storesOnDisk(): boolean {
    return this.#options.storages.some((it) => it !== "memory");
  }
}
