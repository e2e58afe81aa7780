/** A cluster of real processes on a private network, whose nodes can be killed, frozen, cut off and started again. */
import { readMemory } from "../../roles/bench/usage.ts";
import type { Report } from "../../roles/check.ts";
import { verdict } from "../../roles/check_report.ts";
import { LineCounter } from "../../roles/line_counter.ts";
import { LocalProcess } from "../../roles/local_process.ts";
import { createNet, INTERFACE, type Net } from "../netns.ts";
import { KPAXOS } from "../process.ts";
import { Cables } from "./cables.ts";
import type { MemorySample } from "./memory.ts";
import { storageOptions, type StorageWord } from "../../roles/storage_word.ts";
import { now_ms, Watch } from "./watch.ts";

/** Three replicas; or three acceptors and two proposers, each a process of its own. */
export const TOPOLOGIES = ["replicas", "roles"] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** How long anything that must happen may take before the experiment gives up. */
const PATIENCE_MS = 30_000;
/** How long learners may deliver nothing at the end before nobody waits for them any more. */
const STALLED_MS = 5_000;
const LEAVE_MS = 5_000;
const POLL_MS = 20;
const SAMPLE_MS = 1000;
/** Should the experiment be killed, its nodes end by themselves after this time. */
const LIFETIME = "8h";
/** Ids of learners begin above those of replicas. */
const LEARNER_IDS = 11;
/** Once the last value is submitted nobody else submits: it stands in the last lines. */
const ENDING_BYTES = 64 << 10;

/** What a site is made of. */
export interface SiteOptions {
  readonly topology: Topology;
  /** Hosts for clients, "c1" and so on. */
  readonly clients: number;
  /** Lines of paxos.conf besides the members. */
  readonly conf?: readonly string[];
  /** Where nodes keep what must survive them (default: in memory). */
  readonly storage?: StorageWord;
  /** The folder for it of a node, by its name (default: one for all in `folder`). */
  readonly storageOf?: (name: string) => string;
  /**
   * The site is recorded: what learners and these replicas deliver is appended to files, over all their
   * starts, and nobody stamps it; clients write what was acknowledged. So all of them may be killed.
   */
  readonly recorded?: readonly string[];
  /** Further options of a node, by its name. */
  readonly optionsOf?: (name: string) => readonly string[];
  /** The folder for logs and values is kept by the caller. */
  readonly folder: string;
  /** Called with what happens, for people to follow. */
  readonly say: (text: string) => void;
}

/** One line of a client's --json. */
export interface ClientLine {
  readonly second?: number;
  readonly values: number;
  readonly values_per_s: number;
  readonly latency_us: { readonly p50: number; readonly max: number };
  readonly retries: number;
  readonly unanswered: number;
  readonly reason?: string;
}

/** A client that was started. */
export interface Client {
  readonly process: LocalProcess;
  /** What it prints, line by line. */
  readonly lines: ClientLine[];
  /** What it was told to be decided, if the site is recorded. */
  readonly acknowledged: string;
}

/** A learner outside of the cluster, which no fault but one that is meant for it hits. */
export interface Learner {
  readonly name: string;
  readonly watch: Watch;
}

/** A process and how its memory went. */
export interface MemoryOf {
  readonly name: string;
  readonly pid: number;
  readonly startedAt_ms: number;
  readonly samples: MemorySample[];
}

/** Another process of the same cluster, as it is started again and again. */
interface Node {
  readonly host: string;
  readonly command: readonly string[];
  /** What it delivers is appended here. */
  readonly record?: string;
  process?: LocalProcess;
  /** By the experiment. */
  killed: boolean;
}

/** A running cluster; see `openSite`. */
export class Site implements AsyncDisposable {
  /** Acceptors, proposers and replicas, in the order of their ids. */
  readonly members: readonly string[];
  readonly cables: Cables;
  readonly net: Net;
  /** Every process that ran, with its memory; filled while `sampleMemory` is on. */
  readonly memory: MemoryOf[] = [];
  readonly learners: Learner[] = [];
  readonly #options: SiteOptions;
  readonly #nodes = new Map<string, Node>();
  /** Files that learners append to, if the site is recorded. */
  readonly records: string[] = [];
  readonly #submitted: string[] = [];
  readonly #acknowledged: string[] = [];
  readonly #startedAt_ms = now_ms();
  /** Processes that ended though nobody killed them, and what they said last. */
  readonly #deaths: string[] = [];
  /** Nodes may end now. */
  #leaving = false;
  readonly #events: Deno.FsFile;
  #leader?: { round: number; id: number };
  #sampler?: ReturnType<typeof setInterval>;
  #clients = 0;

  constructor(options: SiteOptions, net: Net) {
    this.#options = options;
    this.net = net;
    this.cables = new Cables(net);
    this.members = memberNames(options.topology);
    this.#events = Deno.openSync(this.path("events.log"), {
      create: true,
      append: true,
    });
    Deno.writeTextFileSync(
      this.path("paxos.conf"),
      [...this.members, ...(options.conf ?? []), ""].join("\n"),
    );
    for (const name of this.members) {
      const delivers = options.recorded?.includes(name);
      const more = delivers ? ["--output", "ndjson"] : [];
      this.#declare(name, hostOf(name), more, delivers);
    }
  }

  /** Path of a file in the run's folder. */
  path(name: string): string {
    return `${this.#options.folder}/${name}`;
  }

  /** Writes down what was done to whom, with the time that the nodes' logs have too. */
  note(text: string): void {
    const line = `${new Date().toISOString()} ${text}\n`;
    this.#events.writeSync(new TextEncoder().encode(line));
    const at_s = (now_ms() - this.#startedAt_ms) / 1000;
    this.#options.say(`${at_s.toFixed(2).padStart(8)} s  ${text}`);
  }

  /** Starts all members, and so many learners, and waits until all run. */
  async start(learners: number): Promise<void> {
    await Promise.all(this.members.map((name) => this.restart(name)));
    for (let n = 0; n < learners; n++) {
      if (this.#isRecorded) await this.#addRecorded(n + 1);
      else await this.addLearner();
    }
  }

  /** Starts one more learner, on a host of its own that the network must have. */
  async addLearner(options: readonly string[] = []): Promise<Learner> {
    const number = this.learners.length + 1;
    const name = `learner ${LEARNER_IDS + number - 1}`;
    const watch = new Watch(this.path(`${name.replace(" ", "-")}.ndjson`));
    this.#declare(name, `l${number}`, options);
    this.learners.push({ name, watch });
    await this.restart(name, watch.pipe);
    return { name, watch };
  }

  /** Starts a node that does not run, and waits until it does. */
  async restart(name: string, outputFile?: string): Promise<void> {
    const node = this.#node(name);
    if (node.process !== undefined && !node.process.hasEnded) {
      throw new Error(`${name} runs already`);
    }
    node.killed = false;
    node.process = this.#spawn(name, node.host, node.command, { outputFile });
    const line = await inTime(
      node.process.errors.find(/: running /),
      `${name} runs`,
    );
    if (line === undefined) {
      throw new Error(
        `${name} did not start: ${node.process.errors.lines.join("; ")}`,
      );
    }
  }

  /** kill -9. Returns when it was sent, in ms since 1970. */
  kill(name: string): number {
    const at_ms = now_ms();
    this.#node(name).killed = true;
    this.process(name).signal("SIGKILL");
    this.note(`kill -9 of ${name}`);
    return at_ms;
  }

  /** kill -9 of all that run, clients too, before anything else happens; returns when they have ended. */
  async killAll(): Promise<void> {
    const victims = [...this.#nodes.values()].filter(({ process }) =>
      process?.hasEnded === false
    );
    for (const victim of victims) {
      victim.killed = true;
      victim.process!.signal("SIGKILL");
    }
    this.note(`kill -9 of all ${victims.length}`);
    await Promise.all(victims.map(({ process }) => process!.ended));
  }

  /** The running process of a node, or the one that ran last. */
  process(name: string): LocalProcess {
    const { process } = this.#node(name);
    if (process === undefined) throw new Error(`${name} was never started`);
    return process;
  }

  get #isRecorded(): boolean {
    return this.#options.recorded !== undefined;
  }

  /** Members and learners, but no clients. */
  get nodes(): string[] {
    return [...this.#nodes.keys()].filter((it) => !it.startsWith("client"));
  }

  runs(name: string): boolean {
    return this.#node(name).process?.hasEnded === false;
  }

  /** Pulls a host's cable, or plugs it in again. */
  link(host: string, state: "up" | "down"): void {
    this.net.exec(host, "ip", "link", "set", INTERFACE, state);
    this.note(`link of ${host} ${state}`);
  }

  /** The host of a member, a learner or a client. */
  host(name: string): string {
    return this.#node(name).host;
  }

  /** The member that said last that it leads, if it still runs. */
  get leader(): string | undefined {
    if (this.#leader === undefined) return undefined;
    const { id } = this.#leader;
    const name = this.members.find((it) =>
      it === `proposer ${id}` || it === `replica ${id}`
    )!;
    return this.runs(name) ? name : undefined;
  }

  /** Waits until a member leads. */
  async led(): Promise<string> {
    await until(() => this.leader !== undefined, "a member leads");
    return this.leader!;
  }

  /**
   * Starts a client on host "c1" and so on; what it submits is checked at the end.
   *
   * @param more.onAcknowledged Called with every acknowledged value at once, in place of reports;
   *   for a recorded site.
   */
  client(
    options: readonly string[],
    more: {
      readonly host?: string;
      readonly stdin?: "piped";
      readonly onAcknowledged?: (value: string) => void;
    } = {},
  ): Client {
    const number = ++this.#clients;
    const name = `client ${number}`;
    const submitted = this.path(`submitted-${number}.txt`);
    // It is there also if the client cannot start.
    Deno.writeTextFileSync(submitted, "");
    this.#submitted.push(submitted);
    const host = more.host ?? `c${number}`;
    const acknowledged = this.path(`acknowledged-${number}.txt`);
    const { onAcknowledged } = more;
    const command = ["client", "--submitted", submitted, ...options];
    if (onAcknowledged === undefined) command.push("--json");
    if (this.#isRecorded) {
      Deno.writeTextFileSync(acknowledged, "");
      this.#acknowledged.push(acknowledged);
      const told = onAcknowledged === undefined ? acknowledged : "/dev/stdout";
      command.push("--acknowledged", told);
    }
    const lines: ClientLine[] = [];
    const process = this.#spawn(name, host, command, {
      stdin: more.stdin,
      onOutput: (text) => {
        if (onAcknowledged === undefined) {
          lines.push(JSON.parse(text));
          return;
        }
        Deno.writeTextFileSync(acknowledged, `${text}\n`, { append: true });
        onAcknowledged(text);
      },
    });
    this.#nodes.set(name, { host, command, process, killed: false });
    return { process, lines, acknowledged };
  }

  /** Takes the resident memory of every process once a second from now on. */
  sampleMemory(): void {
    this.#sampler = setInterval(() => {
      const now = now_ms();
      for (const { pid, startedAt_ms, samples } of this.memory) {
        const rssBytes = readMemory(pid)?.rssBytes;
        if (rssBytes === undefined) continue;
        const at_s = (now - startedAt_ms) / 1000;
        samples.push({ at_s, rss_kb: rssBytes / 1024 });
      }
    }, SAMPLE_MS);
  }

  /** Waits until every learner has delivered all that was submitted, or none delivers any more. */
  async delivered(): Promise<void> {
    const values = this.#submitted.reduce(
      (sum, file) => sum + countLines(file),
      0,
    );
    let [last, progressAt_ms] = [-1, now_ms()];
    for (;;) {
      const counts = this.learners.map(({ watch }) => watch.delivered);
      const sum = counts.reduce((a, b) => a + b, 0);
      if (sum !== last) [last, progressAt_ms] = [sum, now_ms()];
      const isComplete = counts.every((count) => count >= values);
      if (isComplete || now_ms() - progressAt_ms > STALLED_MS) return;
      await sleep(POLL_MS);
    }
  }

  /** Ends all nodes, in order: the last that were started first. */
  async leave(): Promise<void> {
    this.#leaving = true;
    clearInterval(this.#sampler);
    const processes = [...this.#nodes.values()].flatMap(({ process }) =>
      process === undefined ? [] : [process]
    ).reverse();
    for (const process of processes) process.signal("SIGCONT");
    await Promise.all(processes.map((process) => process.leave(LEAVE_MS)));
  }

  /**
   * Waits for what is still to be delivered, ends all nodes, and has `kpaxos check` compare what
   * was submitted with what every learner delivered.
   *
   * @param isComplete Every submitted value must have been delivered.
   * @returns What is wrong; nothing if all is well.
   */
  async check(isComplete = true): Promise<{ report: Report; wrong: string[] }> {
    this.cables.heal();
    const late = this.#isRecorded ? await this.#settle() : [];
    if (!this.#isRecorded) await this.delivered();
    await this.leave();
    const files = [
      ...this.#submitted.flatMap((file) => ["--proposed", file]),
      ...this.#acknowledged.flatMap((file) => ["--acknowledged", file]),
      ...this.learners.flatMap(({ watch }) => ["--learned", watch.file]),
      ...this.records.flatMap((file) => ["--learned", file]),
    ];
    const check = new LocalProcess({
      name: "check",
      argv: [...KPAXOS, "check", "--json", ...files],
    });
    await check.ended;
    const [line] = check.output.lines;
    if (line === undefined) {
      throw new Error(`kpaxos check failed: ${check.errors.lines.join("; ")}`);
    }
    const report: Report = JSON.parse(line);
    this.note(`check: ${verdict(report)}`);
    const wrong = this.#deaths.concat(
      late,
      report.violations.map(({ property, file, line, message }) =>
        `${property}: ${file}:${line}: ${message}`
      ),
    );
    const missing = report.proposed - report.deliveredByAll;
    if (isComplete && missing > 0) {
      wrong.push(
        `${missing} of ${report.proposed} submitted values were not delivered by every learner`,
      );
    }
    if (report.proposed === 0) wrong.push("nothing was submitted");
    return { report, wrong };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving = true;
    clearInterval(this.#sampler);
    for (const { process } of this.#nodes.values()) process?.signal("SIGKILL");
    for (const { process } of this.#nodes.values()) await process?.ended;
    for (const { watch } of this.learners) watch.close();
    this.#events.close();
    await this.net[Symbol.asyncDispose]();
  }

  #declare(
    name: string,
    host: string,
    options: readonly string[] = [],
    isRecorded = false,
  ): void {
    const [kind, id] = name.split(" ");
    const { storage = "memory", storageOf } = this.#options;
    const folder = storageOf?.(name) ?? this.path("storage");
    const command = [
      ...[kind, "--id", id, ...options],
      ...storageOptions(storage, kind, folder),
    ];
    const record = isRecorded ? this.path(`${kind}-${id}.ndjson`) : undefined;
    if (record !== undefined) {
      Deno.writeTextFileSync(record, "");
      this.records.push(record);
    }
    this.#nodes.set(name, { host, command, record, killed: false });
  }

  async #addRecorded(number: number): Promise<void> {
    const name = `learner ${LEARNER_IDS + number - 1}`;
    this.#declare(name, `l${number}`, [], true);
    await this.restart(name);
  }

  /** Submits a last value, and waits until all have delivered it, and so all that was acknowledged before. */
  async #settle(): Promise<string[]> {
    const last = this.client(["--count", "1", "--value-size", "48"], {
      host: "c1",
    });
    try {
      await inTime(last.process.ended, "a last value is decided");
      const value = Deno.readTextFileSync(last.acknowledged).trim();
      if (value === "") return problems(last);
      await until(
        () => this.records.every((file) => ending(file).includes(value)),
        `all have delivered the last value, ${value}`,
      );
    } catch (error) {
      return [(error as Error).message];
    }
    return [];
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node;
  }

  #spawn(
    name: string,
    host: string,
    command: readonly string[],
    { outputFile, stdin, onOutput }: {
      outputFile?: string;
      stdin?: "piped";
      onOutput?: (line: string) => void;
    },
  ): LocalProcess {
    const log = Deno.openSync(this.path(`${name.replace(" ", "-")}.log`), {
      create: true,
      append: true,
    });
    const process = new LocalProcess({
      name,
      argv: this.net.command(host, [
        ...KPAXOS,
        ...command,
        ...["--if", INTERFACE, "--conf", this.path("paxos.conf")],
        ...["--lifetime", LIFETIME],
        ...(this.#options.optionsOf?.(name) ?? []),
      ]),
      outputFile: outputFile ?? this.#nodes.get(name)?.record,
      appends: outputFile === undefined,
      stdin,
      onOutput,
      onError: (line) => {
        log.writeSync(new TextEncoder().encode(line + "\n"));
        // A client may end by itself, but not like this.
        if (name.startsWith("client") && /this is a bug/i.test(line)) {
          this.#deaths.push(`${name}: ${line}`);
        }
        this.#listen(line);
      },
    });
    process.ended.then(() => {
      log.close();
      if (!name.startsWith("client")) this.#bury(name, process);
    });
    this.memory.push({
      name,
      pid: process.pid,
      startedAt_ms: now_ms(),
      samples: [],
    });
    return process;
  }

  /** A node that ends by itself has found a bug, or made one visible. */
  #bury(name: string, { errors }: LocalProcess): void {
    if (this.#leaving || this.#node(name).killed) return;
    const { lines } = errors;
    const said = lines.find((line) => line.startsWith("Error:")) ??
      lines.at(-1);
    this.note(`${name} ended by itself`);
    this.#deaths.push(`${name} ended by itself: ${said}`);
  }

  /** Who leads: the highest ballot of which its owner says so. */
  #listen(line: string): void {
    const match = / leading ballot=(\d+)\.(\d+)/.exec(line);
    if (match === null) return;
    const [round, id] = match.slice(1).map(Number);
    const before = this.#leader;
    if (
      before !== undefined &&
      (before.round > round || before.round === round && before.id > id)
    ) return;
    this.#leader = { round, id };
    this.note(`proposer ${id} leads, ballot ${round}.${id}`);
  }
}

/** Makes the network of a site; nothing runs on it yet. */
export async function openSite(
  options: SiteOptions,
  learners: number,
): Promise<Site> {
  const net = await createNet({
    nodes: [
      ...memberNames(options.topology).map(hostOf),
      ...Array.from({ length: learners }, (_, i) => `l${i + 1}`),
      ...Array.from({ length: options.clients }, (_, i) => `c${i + 1}`),
    ],
  });
  return new Site(options, net);
}

/**
 * Waits for a client's end.
 *
 * @returns What is wrong with it; nothing if all that it submitted was decided.
 */
export async function problems(
  { process, lines }: Client,
): Promise<string[]> {
  const { code } = await process.ended;
  if (code === 0) return [];
  const left = lines.at(-1)?.unanswered;
  return [
    `${process.name} ended with exit code ${code}, ` +
    `${left === undefined ? "and no report" : `${left} values unanswered`}: ` +
    `${process.errors.lines.at(-1) ?? "it said nothing"}`,
  ];
}

/** Waits until something is so. @throws {Error} if it never is. */
export async function until(
  isTrue: () => boolean,
  what: string,
  patience_ms = PATIENCE_MS,
): Promise<void> {
  const deadline_ms = now_ms() + patience_ms;
  while (!isTrue()) {
    if (now_ms() > deadline_ms) {
      throw new Error(`waited ${patience_ms / 1000} s until ${what}`);
    }
    await sleep(POLL_MS);
  }
}

/** Lets time pass: faults come and last for so long. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
}

function memberNames(topology: Topology): string[] {
  return topology === "replicas" ? [1, 2, 3].map((id) => `replica ${id}`) : [
    ...[1, 2, 3].map((id) => `acceptor ${id}`),
    ...[1, 2].map((id) => `proposer ${id}`),
  ];
}

/** "replica 2" lives on "r2". */
function hostOf(name: string): string {
  return name[0] + name.split(" ")[1];
}

/** The last lines of a file. */
function ending(file: string): string {
  using handle = Deno.openSync(file);
  const bytes = new Uint8Array(ENDING_BYTES);
  const { size } = handle.statSync();
  handle.seekSync(Math.max(0, size - bytes.length), Deno.SeekMode.Start);
  return new TextDecoder().decode(bytes.subarray(0, handle.readSync(bytes)!));
}

function countLines(file: string): number {
  const counter = new LineCounter(file);
  counter.advance();
  counter.close();
  return counter.lines;
}

async function inTime<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${PATIENCE_MS / 1000} s until ${what}`)),
      PATIENCE_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
