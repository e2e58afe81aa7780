/**
 * Clients of registers that live in the log: each submits reads and writes as values, one at a time,
 * and notes when it began and when it heard that the value was decided. What a read returned is what
 * the log says at its place.
 *
 *   value: {"op":"w","key":"k3","value":"7-12","id":"7-12"} or {"op":"r","key":"k3","id":"7-13"}
 */
import { readFinal } from "../../roles/deliveries.ts";
import type { Random } from "../../sim/random.ts";
import { type Client, type Site, sleep } from "../faults/site.ts";
import { now_ms } from "../faults/watch.ts";
import {
  checkRealTime,
  checkRegister,
  type Operation,
} from "./linearizability.ts";

/** Clients in one process: as many operations of it are under way at most. */
const THREADS = 4;
/** So few that operations on one key overlap. */
const KEYS = ["k1", "k2", "k3", "k4", "k5"];
/** How long a client waits before its next operation. */
const THINK_MS = [0, 30] as const;
/** From the end of a process to the next. */
const RETRY_MS = 50;

/** An operation as its client knows it: not what a read returned. */
interface Submitted {
  readonly id: string;
  readonly key: string;
  readonly kind: "read" | "write";
  readonly invoked: number;
  answered?: number;
}

/** What came out. */
export interface RegisterReport {
  readonly operations: number;
  /** Operations that nobody answered, because the client's process died. */
  readonly open: number;
  readonly wrong: string[];
}

/** Several clients that share a host, and a process that may be killed. */
export class RegisterClients {
  readonly #site: Site;
  readonly #host: string;
  readonly #random: Random;
  readonly #history: Submitted[];
  readonly #waiting = new Map<string, (isAnswered: boolean) => void>();
  #client?: Client;
  #stdin?: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #isStopped = false;
  #threads: Promise<void>[] = [];

  /** @param history Of all clients: gathers what they did. */
  constructor(site: Site, host: string, random: Random, history: Submitted[]) {
    this.#site = site;
    this.#host = host;
    this.#random = random;
    this.#history = history;
  }

  /** Starts them. */
  start(): void {
    this.#spawn();
    for (let thread = 1; thread <= THREADS; thread++) {
      this.#threads.push(this.#run(`${this.#host}.${thread}`));
    }
  }

  /** Ends the process while operations are under way. */
  kill(): void {
    this.#client?.process.signal("SIGKILL");
  }

  /** Lets every client end its operation, for so long, and ends them. */
  async stop(patience_ms: number): Promise<void> {
    this.#isStopped = true;
    await Promise.race([Promise.all(this.#threads), sleep(patience_ms)]);
    this.#client?.process.signal("SIGTERM");
    await this.#client?.process.ended;
    await Promise.all(this.#threads);
  }

  /** Starts the process, and again whenever it ends. */
  #spawn(): void {
    const client = this.#site.client([
      ...["--stdin", "--clients", `${THREADS}`, "--outstanding", "1"],
    ], {
      host: this.#host,
      stdin: "piped",
      onAcknowledged: (value) =>
        this.#waiting.get(JSON.parse(value).id)?.(true),
    });
    this.#client = client;
    this.#stdin = client.process.stdin.getWriter();
    client.process.ended.then(async () => {
      this.#stdin = undefined;
      for (const giveUp of this.#waiting.values()) giveUp(false);
      await sleep(RETRY_MS);
      if (!this.#isStopped) this.#spawn();
    });
  }

  async #run(name: string): Promise<void> {
    for (let number = 1; !this.#isStopped; number++) {
      await sleep(this.#random.between(...THINK_MS));
      while (this.#stdin === undefined && !this.#isStopped) {
        await sleep(RETRY_MS);
      }
      if (this.#stdin !== undefined) await this.#operate(`${name}-${number}`);
    }
  }

  async #operate(id: string): Promise<void> {
    const operation: Submitted = {
      id,
      key: this.#random.pick(KEYS),
      kind: this.#random.chance(0.5) ? "read" : "write",
      invoked: now_ms(),
    };
    this.#history.push(operation);
    const answered = new Promise<boolean>((resolve) =>
      this.#waiting.set(id, resolve)
    );
    const { key, kind } = operation;
    const value = kind === "read"
      ? { op: "r", key, id }
      : { op: "w", key, value: id, id };
    this.#stdin!.write(new TextEncoder().encode(JSON.stringify(value) + "\n"))
      .catch(() => {
        // The process has died, and its end is about to be known here.
      });
    if (await answered) operation.answered = now_ms();
    this.#waiting.delete(id);
  }
}

/**
 * Applies the log to the registers, and judges what their clients saw.
 *
 * @param learned What a learner delivered, all of it.
 */
export function judge(
  history: readonly Submitted[],
  learned: string,
): RegisterReport {
  const applied = apply(learned);
  const wrong: string[] = [];
  const placed = history.flatMap((it) => {
    const found = applied.get(it.id);
    if (found !== undefined) {
      return [{
        key: it.key,
        place: found.place,
        operation: { ...it, name: it.id, value: found.value },
      }];
    }
    return [];
  });
  const lost = history.filter(({ id, answered }) =>
    answered !== undefined && !applied.has(id)
  );
  if (lost.length > 0) {
    wrong.push(
      `registers: ${lost[0].id} was answered, and is not in the log` +
        (lost.length === 1
          ? ""
          : `, and so it is with ${lost.length - 1} more`),
    );
  }
  const late = checkRealTime(placed);
  if (late !== undefined) {
    const [first, second] = late;
    wrong.push(
      `registers: ${first.name} was answered before ${second.name} began, ` +
        "and stands behind it in the log",
    );
  }
  for (const key of KEYS) {
    const operations = placed.filter((it) => it.key === key);
    wrong.push(...explain(key, operations.map(({ operation }) => operation)));
  }
  return {
    operations: history.length,
    open: history.filter(({ answered }) => answered === undefined).length,
    wrong,
  };
}

/** Where each operation stands in the log, and what it wrote or read there. */
function apply(
  learned: string,
): Map<string, { place: number; value: string | undefined }> {
  const registers = new Map<string, string>();
  const applied = new Map<
    string,
    { place: number; value: string | undefined }
  >();
  let place = 0;
  // What is wrong with the file is for `kpaxos check` to say.
  const silent = { onCutOff: () => {}, onViolation: () => {} };
  for (const { value, isVoid } of readFinal(learned, silent)) {
    place++;
    if (isVoid || !value.startsWith('{"op":')) continue;
    const { op, key, id, value: written } = JSON.parse(value);
    if (op === "w") registers.set(key, written);
    applied.set(id, { place, value: registers.get(key) });
  }
  return applied;
}

function explain(key: string, operations: readonly Operation[]): string[] {
  const verdict = checkRegister(operations);
  switch (verdict.kind) {
    case "linearizable":
      return [];
    case "undecided":
      return [`registers: the search for an order of ${key} took too long`];
    case "violated": {
      const { name, kind, value, invoked, answered } = verdict.stuck;
      return [
        `registers: ${key} is not linearizable: no order explains the ${kind} ` +
        `${name} of ${value ?? "nothing"}, from ${invoked} to ${answered} ms`,
      ];
    }
  }
}
