/** One cluster of the bench: started, put under load, looked at while it works. */
import { UserError } from "../errors.ts";
import type { LocalProcess } from "../local_process.ts";
import type { Figures, Latencies, Summary } from "../meter.ts";
import type { Host } from "../private_network.ts";
import { selfCommand } from "../self.ts";
import { storageOptions } from "../storage_word.ts";
import type { Layout, Load } from "./matrix.ts";
import { CLIENT_HOST, CLUSTER_HOSTS, type Stage } from "./stage.ts";
import {
  type Memory,
  readMemory,
  readTraffic,
  readUsage,
  type Usage,
} from "./usage.ts";

/** What a process used in a second, and what it had in memory at its end. */
export interface ProcessCost extends Memory {
  /** "replica 1", "client". */
  readonly name: string;
  readonly user_cores: number;
  readonly system_cores: number;
  /** Both together, measured more exactly. */
  readonly running_cores: number;
  readonly switches_per_s: number;
}

/** What one run of a client brought. */
export interface Sample {
  readonly values_per_s: number;
  readonly latency_us: Latencies;
  readonly percentiles_us: Summary["percentiles_us"];
  readonly retries: number;
  readonly processes: readonly ProcessCost[];
  /** Over all interfaces, as sent. */
  readonly frames_per_value: number;
  readonly bytes_per_value: number;
}

/** How long a client submits before its figures count: JavaScript is compiled meanwhile. */
export const WARM_UP_S = 0.4;
/** A client needs this long to start and to find the leader. */
const CLIENT_START_MS = 150;
/** How long a cluster may take until it decides its first value. */
const START_MS = 30_000;
/** A client is looked at so often while it is measured: the last look before its end counts. */
const LOOKS = 5;
/** How often a client is started that was not seen at work. */
const ATTEMPTS = 3;
/** How long a cluster is left alone before it counts as idle: code that became warm is compiled meanwhile. */
export const REST_S = 3;
/** How long an idle cluster is looked at. */
export const IDLE_S = 8;

interface Node {
  readonly kind: string;
  readonly id: number;
  /** Index of its host. */
  readonly host: number;
}

/** The nodes of a topology; the roles are those of libpaxos' own benchmark, and a learner. */
function nodesOf({ topology }: Layout): Node[] {
  const everywhere = (kind: string): Node[] =>
    Array.from({ length: CLUSTER_HOSTS }, (_, host) => ({
      kind,
      id: host + 1,
      host,
    }));
  if (topology === "single") return [{ kind: "replica", id: 1, host: 0 }];
  if (topology === "replicas") return everywhere("replica");
  return [
    ...everywhere("acceptor"),
    { kind: "proposer", id: 1, host: 0 },
    { kind: "learner", id: 1, host: 1 },
  ];
}

/** What was counted at one moment. */
interface Moment {
  readonly at_ms: number;
  readonly usages: readonly (Usage | undefined)[];
  readonly frames: number;
  readonly bytes: number;
}

/** A running cluster. Dispose of it with `await using`. */
export class Cluster implements AsyncDisposable {
  readonly #stage: Stage;
  readonly #layout: Layout;
  readonly #hosts: readonly Host[];
  readonly #folder: string;
  readonly #conf: string;
  readonly #processes: readonly LocalProcess[];
  #leaving = false;

  private constructor(stage: Stage, layout: Layout) {
    this.#stage = stage;
    this.#layout = layout;
    this.#hosts = stage.hosts(layout.mtu);
    // Each begins with nothing stored.
    this.#folder = Deno.makeTempDirSync({ dir: stage.folder });
    this.#conf = `${this.#folder}/paxos.conf`;
    const members = layout.topology === "single" ? 1 : CLUSTER_HOSTS;
    // A proposer of its own keeps nothing, and goes by what it knows of the acceptors' storage.
    const backend = layout.storage === "memory" ? "memory" : "lmdb";
    Deno.writeTextFileSync(
      this.#conf,
      Array.from({ length: members }, (_, i) => `replica ${i + 1}\n`).join("") +
        `storage-backend ${backend}\n`,
    );
    this.#processes = nodesOf(layout).map(({ kind, id, host }) =>
      this.#start(host, `${kind} ${id}`, [
        ...[kind, "--id", String(id)],
        ...(kind === "learner" ? ["--output", "none"] : []),
        ...storageOptions(layout.storage, kind, this.#folder),
        ...["--verbosity", "error"],
      ])
    );
    for (const process of this.#processes) {
      stage.watch(process, () => this.#leaving);
    }
  }

  /** Starts its nodes, and waits until it decides values. */
  static async start(stage: Stage, layout: Layout): Promise<Cluster> {
    await stage.connect(layout.mtu);
    const cluster = new Cluster(stage, layout);
    const client = cluster.#client(["--count", "1000", "--verbosity", "error"]);
    const timer = setTimeout(() => client.signal("SIGKILL"), START_MS);
    try {
      await stage.finish(client);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return cluster;
  }

  /**
   * Puts a load on it for so long, after warming up.
   *
   * @throws {UserError} if the machine is too busy to look at it meanwhile.
   */
  async measure(load: Load, seconds: number): Promise<Sample> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const sample = await this.#measureOnce(load, seconds);
      if (sample !== undefined) return sample;
    }
    throw new UserError(
      `${ATTEMPTS} clients were gone before the bench could look at them twice: the machine is too busy; ` +
        "end what else runs, or give longer --seconds",
    );
  }

  /** @returns undefined if the client was not seen twice before its end. */
  async #measureOnce(
    load: Load,
    seconds: number,
  ): Promise<Sample | undefined> {
    const client = this.#client([
      ...loadOptions(load),
      ...["--warm-up", String(WARM_UP_S), "--seconds", String(seconds)],
    ]);
    const all = [...this.#processes, client];
    const isAtWork = () =>
      !client.hasEnded && summaryIn(client.output.lines) === undefined;
    await this.#stage.pause(CLIENT_START_MS + WARM_UP_S * 1000);
    const before = this.#look(all);
    let after = before;
    while (isAtWork()) {
      await Promise.race([
        this.#stage.pause(seconds * 1000 / LOOKS),
        client.ended,
      ]);
      const now = this.#look(all);
      if (isAtWork() && now.usages.at(-1) !== undefined) after = now;
    }
    const summary = summaryIn(await this.#stage.finish(client))!;
    return after === before || before.usages.at(-1) === undefined
      ? undefined
      : sampleOf(summary, all, before, after);
  }

  /**
   * One long run; `onSecond` gets each second of it.
   *
   * @param limit Options of the client that say when it ends.
   */
  async run(
    load: Load,
    limit: readonly string[],
    onSecond: (figures: Figures, processes: readonly ProcessMemory[]) => void,
  ): Promise<Summary> {
    let all: readonly LocalProcess[] = this.#processes;
    const client = this.#client(
      [...loadOptions(load), ...limit],
      (line) => {
        const figures = JSON.parse(line);
        if (figures.second === undefined) return;
        const memory = all.map(({ name, pid }) => ({
          name,
          rssBytes: readMemory(pid)?.rssBytes ?? 0,
        }));
        onSecond(figures, memory);
      },
    );
    all = [...this.#processes, client];
    const lines = await this.#stage.finish(client);
    return JSON.parse(lines.at(-1)!);
  }

  /** From the start of a client to the moment at which it knows its first value decided, in ms. */
  async timeToFirst_ms(): Promise<number> {
    const begun_ms = performance.now();
    const client = this.#start(CLIENT_HOST, "client", [
      ...["client", "--count", "1", "--verbosity", "error"],
      ...["--acknowledged", "/dev/stdout"],
    ]);
    await this.#stage.firstLine(client);
    const took_ms = performance.now() - begun_ms;
    await this.#stage.finish(client);
    return took_ms;
  }

  /** What its nodes use while nobody wants anything, some seconds after the last value. */
  async idle(): Promise<readonly ProcessCost[]> {
    await this.#stage.pause(REST_S * 1000);
    const before = this.#look(this.#processes);
    await this.#stage.pause(IDLE_S * 1000);
    return costsOf(this.#processes, before, this.#look(this.#processes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving = true;
    await this.#stage.leave(this.#processes);
    await Deno.remove(this.#folder, { recursive: true });
  }

  #client(
    options: readonly string[],
    onOutput?: (line: string) => void,
  ): LocalProcess {
    return this.#start(
      CLIENT_HOST,
      "client",
      ["client", "--json", ...options],
      onOutput,
    );
  }

  #start(
    host: number,
    name: string,
    command: readonly string[],
    onOutput?: (line: string) => void,
  ): LocalProcess {
    const argv = this.#hosts[host].command([
      ...[...selfCommand(), ...command, "--if", "eth0"],
      ...["--conf", this.#conf, "--mtu", String(this.#layout.mtu)],
      ...["--batching", this.#layout.batching ? "yes" : "no"],
      ...["--busy-poll", this.#layout.busyPoll],
    ]);
    return this.#stage.start({ name, argv, onOutput });
  }

  #look(processes: readonly LocalProcess[]): Moment {
    const traffic = this.#hosts.map((it) => readTraffic(it.countersPath));
    return {
      at_ms: performance.now(),
      usages: processes.map(({ pid }) => readUsage(pid)),
      frames: traffic.reduce((sum, { frames }) => sum + frames, 0),
      bytes: traffic.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

/** What a process has in memory. */
export interface ProcessMemory {
  readonly name: string;
  readonly rssBytes: number;
}

function loadOptions({ outstanding, valueBytes, clients }: Load): string[] {
  return [
    ...["--outstanding", String(outstanding), "--clients", String(clients)],
    ...["--value-size", String(valueBytes), "--verbosity", "error"],
  ];
}

/** What a client prints last, of the lines that it has printed. */
function summaryIn(lines: readonly string[]): Summary | undefined {
  const last = lines.at(-1);
  return last?.includes('"percentiles_us"') ? JSON.parse(last) : undefined;
}

function sampleOf(
  summary: Summary,
  processes: readonly LocalProcess[],
  before: Moment,
  after: Moment,
): Sample {
  const { values_per_s, latency_us, percentiles_us, retries } = summary;
  const values = values_per_s * (after.at_ms - before.at_ms) / 1000;
  return {
    values_per_s,
    latency_us,
    percentiles_us,
    retries,
    processes: costsOf(processes, before, after),
    frames_per_value: (after.frames - before.frames) / values,
    bytes_per_value: (after.bytes - before.bytes) / values,
  };
}

/** What each process used a second between two moments; a process that ended meanwhile is left out. */
function costsOf(
  processes: readonly LocalProcess[],
  before: Moment,
  after: Moment,
): ProcessCost[] {
  const seconds = (after.at_ms - before.at_ms) / 1000;
  return processes.flatMap(({ name }, i) => {
    const [from, to] = [before.usages[i], after.usages[i]];
    if (from === undefined || to === undefined) return [];
    return [{
      name,
      user_cores: (to.user_s - from.user_s) / seconds,
      system_cores: (to.system_s - from.system_s) / seconds,
      running_cores: (to.running_s - from.running_s) / seconds,
      switches_per_s: (to.switches - from.switches) / seconds,
      rssBytes: to.rssBytes,
      ownBytes: to.ownBytes,
    }];
  });
}
