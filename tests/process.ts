/** Processes of the program under test: started, waited for with a limit, and gone when the test is over. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LineCounter } from "../roles/line_counter.ts";
import { LocalProcess } from "../roles/local_process.ts";
import { canMakeNamespaces } from "./netns.ts";

/** How long anything may take before the test fails: far more than it does. */
const PATIENCE_MS = 20_000;
const POLL_MS = 10;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What the program is made of. */
const SOURCES = ["cli.ts", "core", "ffi", "roles", "sim", "storage"];
/** What the program embeds; other builds lie there too. */
const BUILT = [
  "core.wasm",
  "libkpnic.so",
  "liblmdb.so.0",
  "echarts.js.gz",
];

/**
 * The command that starts kpaxos: `KPAXOS_BIN`; otherwise the tree's ./kpaxos, unless one of its
 * sources is newer, which are then run as they are.
 */
export const KPAXOS: readonly string[] = command();

/** Tests in namespaces need root. Where everything must be tested they fail without, elsewhere they are ignored. */
export const inNamespaces = {
  ignore: !canMakeNamespaces && Deno.env.get("CI") !== "true",
};

function command(): string[] {
  const named = Deno.env.get("KPAXOS_BIN");
  if (named !== undefined) return [named];
  const binary = `${ROOT}kpaxos`;
  const built = BUILT.map((name) => modifiedAt_ms(`${ROOT}build/${name}`));
  if (modifiedAt_ms(binary) > Math.max(...SOURCES.map(newest_ms), ...built)) {
    return [binary];
  }
  return [Deno.execPath(), "run", "-A", `${ROOT}cli.ts`];
}

/** When the newest of a folder's files was written, but for tests. */
function newest_ms(path: string): number {
  const full = `${ROOT}${path}`;
  if (!Deno.statSync(full).isDirectory) return modifiedAt_ms(full);
  return Math.max(
    0,
    ...Deno.readDirSync(full)
      .filter(({ name }) => !name.endsWith("_test.ts"))
      .map(({ name }) => newest_ms(`${path}/${name}`)),
  );
}

function modifiedAt_ms(path: string): number {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch {
    return 0;
  }
}

/** How a test starts kpaxos. */
export interface StartOptions {
  /** What starts it in another place: `net.command("a", [])`. */
  readonly prefix?: readonly string[];
  /** Standard output goes to this file. */
  readonly outputFile?: string;
  readonly stdin?: "piped";
  readonly env?: Readonly<Record<string, string>>;
}

/** One line of a client's --json. */
export interface ClientLine {
  readonly second?: number;
  readonly values: number;
  readonly retries: number;
  readonly unanswered: number;
  readonly reason?: string;
}

/** A running kpaxos. */
export class Kpaxos extends LocalProcess {
  /** Waits until a line on standard error matches; returns it. Fails when the process ends without it. */
  async says(pattern: RegExp): Promise<string> {
    const line = await this.#inTime(
      this.errors.find(pattern),
      `says ${pattern}`,
    );
    assert(line !== undefined, `never said ${pattern}: ${this.#all()}`);
    return line;
  }

  /** Waits until there are so many lines on standard output. */
  async prints(lines: number): Promise<void> {
    await until(
      () => this.output.lines.length >= lines || this.hasEnded,
      () => `prints ${lines} lines: ${this.#all()}`,
    );
    assert(this.output.lines.length >= lines, this.#all());
  }

  /** Waits for its end, which must come by itself with this exit code. */
  async ends(code: number): Promise<void> {
    const status = await this.#inTime(this.ended, "ends");
    assert.equal(status.code, code, this.#all());
  }

  /** Sends a signal and waits for the end with this exit code. */
  async endsOn(signal: Deno.Signal, code: number): Promise<void> {
    this.signal(signal);
    await this.ends(code);
  }

  /** A client's lines with --json. */
  get report(): ClientLine[] {
    return this.output.lines.map((line) => JSON.parse(line));
  }

  async #inTime<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new Error(`It takes too long that it ${what}: ${this.#all()}`),
          ),
        PATIENCE_MS,
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #all(): string {
    const end = (lines: string[]) => lines.slice(-20).join("\n");
    return `${this.name}\n${end(this.errors.lines)}\n${end(this.output.lines)}`;
  }
}

/** Waits for a condition that nothing tells of. */
export async function until(
  isTrue: () => boolean,
  what: () => string,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (performance.now() > deadline) {
      throw new Error(`It takes too long until it ${what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A learner and the file that it writes to. */
export interface Learner {
  readonly process: Kpaxos;
  readonly file: string;
}

function countLines(file: string): number {
  const counter = new LineCounter(file);
  counter.advance();
  counter.close();
  return counter.lines;
}

/** A folder for files, and processes; both are gone when the test is over. */
export class Stage implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "kpaxos-test-" });
  readonly #processes: Kpaxos[] = [];

  /** Path of a file in the folder. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** Starts kpaxos with arguments as on a command line, "replica --id 1 --if eth0". */
  start(line: string, options: StartOptions = {}): Kpaxos {
    const { prefix = [], ...rest } = options;
    const process = new Kpaxos({
      name: `kpaxos ${line}`,
      argv: [...prefix, ...KPAXOS, ...line.split(" ")],
      ...rest,
    });
    this.#processes.push(process);
    return process;
  }

  /** Starts a node and waits until it runs. */
  async run(line: string, options: StartOptions = {}): Promise<Kpaxos> {
    const process = this.start(line, options);
    await process.says(/: running /);
    return process;
  }

  /** Starts a learner that writes to a file, and waits until it runs. */
  async runLearner(
    line: string,
    options: StartOptions = {},
  ): Promise<Learner> {
    const file = this.path(`learned-${this.#processes.length}`);
    const process = await this.run(`learner ${line}`, {
      ...options,
      outputFile: file,
    });
    return { process, file };
  }

  /**
   * Waits until every learner has delivered as many values as were submitted, stops them, and
   * has kpaxos check that all delivered the same values, those and each once.
   *
   * @returns How many values.
   */
  async agree(
    submitted: readonly string[],
    learners: readonly Learner[],
  ): Promise<number> {
    const values = submitted.reduce((sum, file) => sum + countLines(file), 0);
    for (const { process, file } of learners) {
      const counter = new LineCounter(file);
      await until(() => {
        counter.advance();
        return counter.lines >= values || process.hasEnded;
      }, () => `has delivered ${values} values, not ${counter.lines}`);
      counter.close();
      await process.endsOn("SIGTERM", 0);
    }
    const files = [
      ...submitted.flatMap((file) => ["--proposed", file]),
      ...learners.flatMap(({ file }) => ["--learned", file]),
    ];
    const check = this.start(`check --require-termination ${files.join(" ")}`);
    await check.ends(0);
    assert.deepEqual(check.output.lines, [
      "agreement ok, integrity ok, no duplicates, 100% terminated",
    ]);
    return values;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) process.signal("SIGKILL");
    for (const process of this.#processes) await process.ended;
    await Deno.remove(this.folder, { recursive: true });
  }
}
