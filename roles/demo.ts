/** The demo: a cluster of real processes on this machine under load, and proof that it agreed. */
import { statfsSync } from "node:fs";
import type { Report } from "./check.ts";
import { formatReport, reportExitCode, verdict } from "./check_report.ts";
import { OPTIONS } from "./commands.ts";
import { EXIT, UserError } from "./errors.ts";
import { Interrupted, listenForInterrupts } from "./interrupted.ts";
import { LineCounter } from "./line_counter.ts";
import { LocalProcess, type LocalProcessOptions } from "./local_process.ts";
import type { Figures } from "./meter.ts";
import type { DemoOptions } from "./options.ts";
import {
  type LocalNetwork,
  NoNamespaces,
  openLoopback,
  openNamespaces,
} from "./private_network.ts";
import { ClientReport, duration } from "./report.ts";
import { selfCommand } from "./self.ts";

/** Learners besides those of the replicas; what they deliver is compared. */
const LEARNERS = 2;
/** How long the nodes may take to start. */
const START_MS = 30_000;
/** How long learners may deliver nothing before the demo no longer waits for them. */
const STALLED_MS = 5_000;
/** How long a node may take to leave. */
const LEAVE_MS = 5_000;
const POLL_MS = 50;
/** Nodes end by themselves so long after the load should be over, should this process be killed. */
const ORPHAN_S = 120;
/** Lines of a log that are shown when its node failed. */
const LOG_LINES = 5;
/** The demo stops before it fills the disk. */
const FREE_BYTES_MIN = 256 << 20;

/** What a client prints with --json, as far as it is used here. */
type ClientLine = Figures & {
  readonly second?: number;
  readonly unanswered: number;
  readonly reason?: string;
};

/**
 * Runs a cluster on this machine, puts load on it, and checks what it did.
 *
 * @returns The exit code: 0 only if every submitted value was delivered once, in one order.
 * @throws {UserError} if a node cannot run.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const demo = new Demo(options);
  const stopListening = demo.listen();
  try {
    return await demo.run();
  } catch (error) {
    if (error instanceof Interrupted) return EXIT.interrupted;
    throw error;
  } finally {
    await demo.cleanUp();
    stopListening();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #folder = makeFolder();
  readonly #processes: LocalProcess[] = [];
  /** Rejects when there is no point in going on. */
  readonly #trouble: Promise<never>;
  #giveUp: (error: Error) => void = () => {};
  #network?: LocalNetwork;
  #keep: boolean;
  /** Nodes may end now. */
  #leaving = false;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#keep = options.keep;
    this.#trouble = new Promise((_, reject) => this.#giveUp = reject);
    this.#trouble.catch(() => {
      // It may come while nobody waits.
    });
  }

  /** Ends in order on the first signal, and at once on the second; returns what undoes it. */
  listen(): () => void {
    return listenForInterrupts(
      this.#giveUp,
      () => this.#processes.forEach((process) => process.signal("SIGKILL")),
    );
  }

  async run(): Promise<number> {
    const { replicas, seconds } = this.#options;
    this.#network = await this.#openNetwork();
    this.#say(
      `${plural(replicas, "replica")}, ${LEARNERS} learners and a client, ` +
        (this.#network.kind === "namespaces"
          ? "each in a network namespace of its own, joined by a bridge"
          : "as processes on loopback"),
    );
    const learned = await this.#startCluster();
    this.#say(`all are running; load for ${seconds} s`);
    const submitted = this.#path("submitted.txt");
    const summary = await this.#load(submitted);
    this.#say("the load is over; the learners deliver what is left");
    await this.#awaitDelivery(learned, summary.values);
    await this.#leave();
    let isProven = true;
    for (const { name, ended } of this.#processes) {
      const { code } = await ended;
      if (code === EXIT.done) continue;
      this.#say(`${name} left with exit code ${code}`);
      isProven = false;
    }
    this.#say("checking what was submitted against what was delivered");
    const report = await this.#check(submitted, learned);
    this.#print(summary, report);
    isProven &&= reportExitCode(report, true) === EXIT.done;
    // What went wrong must not be lost with the files.
    if (!isProven) this.#keep = true;
    return isProven ? EXIT.done : EXIT.failed;
  }

  /** Ends what still runs, and removes everything but what is to be kept. */
  async cleanUp(): Promise<void> {
    await this.#leave();
    await this.#network?.close();
    if (this.#keep) {
      this.#say(`logs, submitted and delivered values: ${this.#folder}`);
    } else {
      await Deno.remove(this.#folder, { recursive: true });
    }
  }

  async #openNetwork(): Promise<LocalNetwork> {
    try {
      return await openNamespaces(this.#options.replicas + LEARNERS + 1);
    } catch (error) {
      if (!(error instanceof NoNamespaces)) throw error;
      this.#say(
        `no private network can be made here (${error.message}), so the nodes use UDP on loopback`,
      );
      return openLoopback();
    }
  }

  /** Starts replicas and learners; returns the files that the learners write to. */
  async #startCluster(): Promise<string[]> {
    const { replicas } = this.#options;
    const ids = Array.from({ length: replicas }, (_, i) => i + 1);
    const members = ids.map((id) => `replica ${id}\n`).join("");
    await Deno.writeTextFile(this.#path("paxos.conf"), members);
    for (const id of ids) {
      this.#start(id, `replica ${id}`, ["replica", "--id", String(id)], {
        onError: (line) => {
          const ballot = / leading ballot=(\S+)/.exec(line)?.[1];
          if (ballot !== undefined) {
            this.#say(`replica ${id} leads, ballot ${ballot}`);
          }
        },
      });
    }
    const learned: string[] = [];
    for (let id = replicas + 1; id <= replicas + LEARNERS; id++) {
      const outputFile = this.#path(`learner-${id}.ndjson`);
      learned.push(outputFile);
      this.#start(id, `learner ${id}`, ["learner", "--id", String(id)], {
        outputFile,
      });
    }
    const timer = setTimeout(() =>
      this.#giveUp(
        new UserError(
          `the nodes did not all start within ${START_MS / 1000} s: ` +
            "is this machine busy with something else?",
        ),
      ), START_MS);
    const running = this.#processes.map((it) => it.errors.find(/: running /));
    await this.#orTrouble(Promise.all(running));
    clearTimeout(timer);
    return learned;
  }

  /** Runs the client to its end; returns its summary. */
  async #load(submitted: string): Promise<ClientLine> {
    const { replicas, outstanding, seconds } = this.#options;
    const report = new ClientReport(false);
    const lines: ClientLine[] = [];
    const client = this.#start(replicas + LEARNERS + 1, "client", [
      ...["client", "--json", "--outstanding", String(outstanding)],
      ...["--seconds", String(seconds), "--submitted", submitted],
    ], {
      onOutput: (text) => {
        const line: ClientLine = JSON.parse(text);
        lines.push(line);
        if (line.second === undefined) return;
        report.second(line, line.unanswered, line.reason);
        this.#watchDisk();
      },
    });
    const status = await this.#orTrouble(client.ended);
    const summary = lines.at(-1);
    if (summary === undefined || summary.second !== undefined) {
      throw failure(client, status);
    }
    return summary;
  }

  /** Waits until every learner has delivered so many values, or nothing more comes. */
  async #awaitDelivery(
    files: readonly string[],
    values: number,
  ): Promise<void> {
    const counters = files.map((path) => new LineCounter(path));
    try {
      let progressAt = performance.now();
      for (;;) {
        let grew = false;
        for (const counter of counters) grew = counter.advance() || grew;
        const now = performance.now();
        if (grew) progressAt = now;
        const isComplete = counters.every(({ lines }) => lines >= values);
        if (isComplete || now - progressAt > STALLED_MS) return;
        await this.#orTrouble(
          new Promise((resolve) => setTimeout(resolve, POLL_MS)),
        );
      }
    } finally {
      counters.forEach((counter) => counter.close());
    }
  }

  /** Checks in a process of its own, so that a signal still ends the demo at once. */
  async #check(
    submitted: string,
    learned: readonly string[],
  ): Promise<Report> {
    const check = new LocalProcess({
      name: "check",
      argv: [
        ...[...selfCommand(), "check", "--json", "--proposed", submitted],
        ...learned.flatMap((file) => ["--learned", file]),
      ],
    });
    this.#processes.push(check);
    const status = await this.#orTrouble(check.ended);
    const [report] = check.output.lines;
    if (report === undefined) throw failure(check, status);
    return JSON.parse(report);
  }

  #start(
    node: number,
    name: string,
    command: readonly string[],
    options: Partial<LocalProcessOptions>,
  ): LocalProcess {
    const network = this.#network!;
    const lifetime_s = Math.min(
      this.#options.seconds + ORPHAN_S,
      OPTIONS.lifetime.kind.max_ms / 1000,
    );
    const log = Deno.openSync(this.#path(`${name.replace(" ", "-")}.log`), {
      create: true,
      write: true,
    });
    const process = new LocalProcess({
      ...options,
      name,
      argv: network.command(node, [
        ...selfCommand(),
        ...command,
        ...network.nodeOptions,
        ...["--conf", this.#path("paxos.conf")],
        ...["--lifetime", String(lifetime_s)],
      ]),
      onError: (line) => {
        log.writeSync(new TextEncoder().encode(line + "\n"));
        options.onError?.(line);
      },
    });
    process.ended.then((status) => {
      log.close();
      if (!this.#leaving && name !== "client") {
        this.#giveUp(failure(process, status));
      }
    });
    this.#processes.push(process);
    return process;
  }

  /** Ends every process; learners first, so that they can still say goodbye. */
  async #leave(): Promise<void> {
    this.#leaving = true;
    const lastFirst = [...this.#processes].reverse();
    await Promise.all(lastFirst.map((process) => process.leave(LEAVE_MS)));
  }

  /** Values come faster than a disk has room for them for long. */
  #watchDisk(): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    if (bavail * bsize >= FREE_BYTES_MIN) return;
    this.#giveUp(
      new UserError(
        `less than ${
          FREE_BYTES_MIN >> 20
        } MB are left for the delivered values in ${this.#folder}; ` +
          "set TMPDIR to a folder with more room, or give fewer --seconds",
        EXIT.environment,
      ),
    );
  }

  /** What everything that takes time is waited for with. */
  #orTrouble<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#trouble]);
  }

  #print(summary: ClientLine, report: Report): void {
    const { replicas, json, keep } = this.#options;
    const network = this.#network!.kind;
    const learners = report.learners.map(({ delivered }, i) => ({
      id: replicas + 1 + i,
      delivered,
    }));
    const { out, err } = formatReport(report, false);
    if (json) {
      console.log(JSON.stringify({
        ok: reportExitCode(report, true) === EXIT.done,
        verdict: verdict(report),
        network,
        replicas,
        ...summary,
        learners,
        violations: report.violations,
        folder: keep ? this.#folder : undefined,
      }));
      return;
    }
    const { latency_us: latency } = summary;
    const carrier = network === "namespaces"
      ? "bare Ethernet frames"
      : "UDP on loopback";
    console.log(
      `${grouped(summary.values)} values decided over ${carrier}: ` +
        `${
          grouped(summary.values_per_s)
        } values/s, ${summary.mbit_per_s} Mb/s, ` +
        `retries ${grouped(summary.retries)}\n` +
        `latency p50 ${duration(latency.p50)}, p90 ${duration(latency.p90)}, ` +
        `p99 ${duration(latency.p99)}, p99.9 ${duration(latency.p999)}, ` +
        `max ${duration(latency.max)}`,
    );
    for (const { id, delivered } of learners) {
      console.log(`learner ${id} delivered ${grouped(delivered)} values`);
    }
    if (reportExitCode(report, true) !== EXIT.done) {
      console.error(err.trimEnd());
    }
    console.log(out.trimEnd());
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  #say(text: string): void {
    console.error(`demo: ${text}`);
  }
}

/** @throws {UserError} if there is no place for files. */
function makeFolder(): string {
  try {
    return Deno.makeTempDirSync({ prefix: "kpaxos-demo-" });
  } catch (error) {
    throw new UserError(
      `cannot make a folder for logs and values: ${
        (error as Error).message
      }; set TMPDIR to a folder you may write to`,
      EXIT.environment,
    );
  }
}

/** Why the demo cannot go on: what a process said last. */
function failure(
  process: LocalProcess,
  { code, signal }: Deno.CommandStatus,
): UserError {
  const said = process.errors.lines.slice(-LOG_LINES);
  const end = signal === null
    ? `ended with exit code ${code}`
    : `was ended by ${signal}`;
  return new UserError(
    [`${process.name} ${end}; it said last:`, ...said].join("\n  "),
    code === EXIT.environment ? EXIT.environment : EXIT.failed,
  );
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
