/** The control thread of a node: starts the node's thread, prints what it tells, stops it on a signal. */
import { interfaceNames, probeInterface } from "../ffi/interfaces.ts";
import { trimHeap } from "../ffi/memory.ts";
import { type ReservedSocket, reservePacketSocket } from "../ffi/packet.ts";
import { wake } from "../ffi/shim.ts";
import { StorageCondition } from "../core/layout.ts";
import { StorageControl } from "../storage/control.ts";
import type { StorageStart } from "../storage/lmdb_storage.ts";
import { DELIVERY_RING_BYTES, DeliveryReader } from "./delivery.ts";
import { EXIT, UserError } from "./errors.ts";
import type { Entry } from "./events.ts";
import { createLogger, type Logger } from "./log.ts";
import {
  type NodeWorker,
  startNodeWorker,
  threadFailure,
} from "./node_worker.ts";
import type { NodeOptions } from "./options.ts";
import {
  type Outlet,
  publish,
  SocketOutlet,
  StandardOutput,
} from "./publisher.ts";
import { ClientReport } from "./report.ts";
import { makeRing, type RingMemory, RingWriter } from "./ring.ts";
import { feedLines, LINE_RING_BYTES } from "./standard_input.ts";
import type { NodeMessage, NodeStart } from "./thread.ts";

/** A client's numbers stay below this, so that they are exact in JSON; its virtual clients follow one another. */
const CLIENT_NUMBER_MAX = 2n ** 48n;
/** When what the start of all threads left is freed. */
const TRIM_AFTER_MS = 1000;

const encoder = new TextEncoder();

/**
 * Runs one node until it is stopped by a signal, has nothing more to do, or cannot go on.
 *
 * @param worker In which the node is to run (default: a new one).
 * @returns The exit code.
 * @throws {UserError} if it cannot start, or cannot go on, for a reason the user can mend.
 */
export async function runNode(
  options: NodeOptions,
  worker: NodeWorker = startNodeWorker(),
): Promise<number> {
  const logger = createLogger({
    node: options.id === 0 ? options.kind : `${options.kind} ${options.id}`,
    verbosity: options.verbosity,
    format: options.logFormat,
    clock: Date.now,
    write: (line) => Deno.stderr.writeSync(encoder.encode(line)),
  });
  try {
    for (const warning of options.configuration.warnings) logger.warn(warning);
    const interfaceName = options.interfaceName ??
      onlyInterface(options, logger);
    // Ids of clients need not differ: their values carry a number of 48 bits.
    const id = options.id !== 0 ? options.id : randomBelow(0xffff) + 1;
    const node = new NodeProcess({ ...options, id, interfaceName }, logger);
    return await node.run(worker);
  } finally {
    worker.worker.terminate();
  }
}

/** The one interface there is besides loopback. */
export function onlyInterface(options: NodeOptions, logger: Logger): string {
  // Not from /sys, which shows the network namespace that it was mounted in.
  const names = interfaceNames().split(", ");
  const candidates = names.sort().filter((name) => {
    try {
      return !probeInterface(name, { nic: options.nic, maxMtu: options.mtu })
        .loopback;
    } catch {
      // Down, or otherwise of no use.
      return false;
    }
  });
  if (candidates.length === 1) {
    logger.info(`using interface ${candidates[0]}, the only one`);
    return candidates[0];
  }
  throw new UserError(
    candidates.length === 0
      ? "no network interface is up besides loopback; name one with --if (lo works for nodes on one host)"
      : `several network interfaces are up (${
        candidates.join(", ")
      }); name one with --if`,
    EXIT.usage,
  );
}

class NodeProcess {
  readonly #options: NodeStart["options"];
  readonly #logger: Logger;
  readonly #stop = new SharedArrayBuffer(4);
  readonly #report?: ClientReport;
  readonly #deliveries?: RingMemory;
  readonly #lines?: RingMemory;
  #socket: ReservedSocket | undefined;
  #storage: Worker | undefined;
  #wakeFd = -1;
  #signal: "SIGINT" | "SIGTERM" | undefined;

  constructor(options: NodeStart["options"], logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    const { learner, client } = options;
    if (learner !== undefined && hasOutlet(learner)) {
      this.#deliveries = makeRing(DELIVERY_RING_BYTES);
    }
    if (client?.stdin === true) this.#lines = makeRing(LINE_RING_BYTES);
    if (client !== undefined) this.#report = new ClientReport(client.json);
  }

  async run(worker: NodeWorker): Promise<number> {
    const outlets = await this.#openOutlets();
    const signals = this.#listen();
    try {
      const ended = this.#converse(worker);
      this.#socket = this.#reserveSocket();
      const published = this.#deliveries === undefined
        ? Promise.resolve()
        : this.#publish(outlets);
      const end = await Promise.race([
        ended,
        onlyFailure(published),
        onlyFailure(this.#feed()),
      ]).catch(async (error) => {
        // What was delivered before is still to be written, if that is not what failed.
        if (this.#deliveries !== undefined) {
          new RingWriter(this.#deliveries).close();
          await published;
        }
        throw error;
      });
      await published;
      return this.#finish(end);
    } finally {
      signals();
      this.#storage?.terminate();
    }
  }

  /** Makes the card's socket while the node's thread loads its program. */
  #reserveSocket(): ReservedSocket | undefined {
    const { interfaceName, nic, mtu: maxMtu } = this.#options;
    if (nic !== "af_packet") return undefined;
    const { mtu } = probeInterface(interfaceName, { nic, maxMtu });
    return reservePacketSocket(mtu);
  }

  /** Starts the node and handles what it tells, until it ends. */
  #converse(
    { worker, loaded }: NodeWorker,
  ): Promise<Extract<NodeMessage, { type: "ended" }>> {
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => {
        event.preventDefault();
        reject(threadFailure(event));
      };
      loaded.then(() => worker.postMessage(this.#start())).catch(reject);
      worker.onmessage = (
        { data }: MessageEvent<NodeMessage | { type: "loaded" }>,
      ) => {
        switch (data.type) {
          case "running":
            this.#wakeFd = data.wakeFd;
            this.#logger.info("running", {
              if: this.#options.interfaceName,
              nic: this.#options.nic,
              mtu: data.mtu,
              leader: this.#options.configuration.leader,
              memory_mb: Math.ceil(data.memoryBytes / 1e6),
            });
            Deno.unrefTimer(setTimeout(trimHeap, TRIM_AFTER_MS));
            // The signal may have come before there was anything to wake.
            if (this.#signal !== undefined) this.#requestStop();
            break;
          case "storage":
            this.#startStorage(data.start);
            break;
          case "log":
            this.#log(data.entry);
            break;
          case "second":
            this.#report?.second(data.figures, data.unanswered, data.reason);
            break;
          case "ended":
            resolve(data);
            break;
          case "failed":
            reject(failure(data));
            break;
        }
      };
    });
  }

  #log({ level, message, fields }: Entry): void {
    this.#logger[level](message, fields);
  }

  /** Starts the thread that stores what the node appends, and which ends by itself when the node does. */
  #startStorage(start: StorageStart): void {
    const worker = new Worker(Deno.mainModule, { type: "module" });
    this.#storage = worker;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#logger.error(`the storage's thread failed: ${event.message}`);
      const control = new StorageControl(start.control);
      control.condition = StorageCondition.failed;
      control.finish();
      this.#wake();
    };
    worker.onmessage = (
      { data }: MessageEvent<
        { type: "loaded" } | { type: "log"; entry: Entry }
      >,
    ) => {
      if (data.type === "loaded") worker.postMessage(start);
      else this.#log(data.entry);
    };
  }

  #start(): NodeStart {
    const random = crypto.getRandomValues(new BigUint64Array(3));
    return {
      options: this.#options,
      // Never drawn from --seed: two starts that share an incarnation could share a ballot.
      incarnation: Number(random[0] % 0xffff_ffffn) + 1,
      firstClient: random[1] % CLIENT_NUMBER_MAX + 1n,
      seed: this.#options.seed ?? random[2],
      stop: this.#stop,
      socket: this.#socket,
      deliveries: this.#deliveries,
      lines: this.#lines,
    };
  }

  async #openOutlets(): Promise<Outlet[]> {
    const { learner } = this.#options;
    const outlets: Outlet[] = [];
    if (learner === undefined) return outlets;
    if (learner.socket !== undefined) {
      outlets.push(
        await SocketOutlet.open(learner.socket, () =>
          this.#logger.warn(
            "a program on the socket took nothing for 10 s and was cut off",
          )),
      );
    }
    if (learner.output !== "none") outlets.push(new StandardOutput());
    return outlets;
  }

  async #publish(outlets: Outlet[]): Promise<void> {
    const { output } = this.#options.learner!;
    const reader = new DeliveryReader(
      this.#deliveries!,
      output === "raw" ? "raw" : "ndjson",
      () => this.#wake(),
    );
    await publish(reader, outlets);
    // Ended by the outlet's reader, not by the node.
    if (!reader.ended) this.#requestStop();
  }

  /** Hands standard input to the node, if it is to submit that; rejects when that can never be values. */
  async #feed(): Promise<void> {
    if (this.#lines === undefined) return;
    await feedLines(
      Deno.stdin.readable,
      new RingWriter(this.#lines),
      () => this.#wake(),
    );
  }

  #wake(): void {
    if (this.#wakeFd >= 0) wake(this.#wakeFd);
  }

  #requestStop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    this.#wake();
  }

  /** Stops cleanly on the first signal and at once on the second; returns what undoes it. */
  #listen(): () => void {
    const handlers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
      const handler = () => {
        if (this.#signal !== undefined) Deno.exit(EXIT.interrupted);
        this.#signal = signal;
        this.#requestStop();
      };
      Deno.addSignalListener(signal, handler);
      return () => Deno.removeSignalListener(signal, handler);
    });
    return () => handlers.forEach((remove) => remove());
  }

  #finish(end: Extract<NodeMessage, { type: "ended" }>): number {
    if (end.summary !== undefined) {
      this.#report?.summary(end.summary, end.unanswered, end.reason);
    }
    if (this.#options.client !== undefined) {
      if (this.#signal !== undefined) return EXIT.interrupted;
      return end.unanswered > 0 ? EXIT.failed : EXIT.done;
    }
    // A service manager stops a node with SIGTERM, and that is no failure.
    return this.#signal === "SIGINT" ? EXIT.interrupted : EXIT.done;
  }
}

/** Rejects as `work` does, and never resolves. */
async function onlyFailure(work: Promise<void>): Promise<never> {
  await work;
  return await new Promise<never>(() => {});
}

function randomBelow(bound: number): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] % bound;
}

function hasOutlet(learner: NonNullable<NodeOptions["learner"]>): boolean {
  return learner.output !== "none" || learner.socket !== undefined;
}

function failure(
  { message, exitCode, stack }: Extract<NodeMessage, { type: "failed" }>,
): Error {
  if (exitCode !== undefined) return new UserError(message, exitCode);
  const error = new Error(message);
  error.stack = stack;
  return error;
}
