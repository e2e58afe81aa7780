/** The node's thread: opens the card, turns the cycle, and tells the control thread what happens. */
import {
  batchBytesFit,
  Core,
  type CoreEvent,
  type CoreOptions,
  valueBytesFit,
} from "../core/core.ts";
import {
  ASSEMBLIES_MAX,
  Counter,
  Event,
  Role,
  SESSION_SEQUENCES,
} from "../core/layout.ts";
import { probeInterface } from "../ffi/interfaces.ts";
import type { FrameArea, Nic } from "../ffi/nic.ts";
import { openPacketNic, type ReservedSocket } from "../ffi/packet.ts";
import { shim } from "../ffi/shim.ts";
import { openUdpNic } from "../ffi/udp.ts";
import type { LmdbStorage, StorageStart } from "../storage/lmdb_storage.ts";
import { MemoryStorage } from "../storage/memory.ts";
import { snugBatchBytes } from "../storage/page_fit.ts";
import { ClientSide } from "./client_side.ts";
import type { Configuration } from "./config.ts";
import { RingSink } from "./delivery.ts";
import { EXIT, UserError } from "./errors.ts";
import { CHUNKS_IN_FLIGHT } from "./large_values.ts";
import { LostSessions } from "./lost_sessions.ts";
import { describe, type Entry } from "./events.ts";
import type { Figures, Summary } from "./meter.ts";
import { Node } from "./node.ts";
import type { NodeStorage } from "./node_storage.ts";
import type { NodeOptions } from "./options.ts";
import { resumeFrom, wayOn } from "./resume.ts";
import type { RingMemory } from "./ring.ts";

/** What the control thread starts the node with. */
export interface NodeStart {
  readonly options: NodeOptions & { readonly interfaceName: string };
  /** Distinguishes this start from every other; 1 to 2^32 - 1. */
  readonly incarnation: number;
  /** Number of the first virtual client. */
  readonly firstClient: bigint;
  readonly seed: bigint;
  /** Word 0 is set to 1 when the node is to stop. */
  readonly stop: SharedArrayBuffer;
  /** For its card. */
  readonly socket?: ReservedSocket;
  /** Delivered values go here; absent: nobody wants them. */
  readonly deliveries?: RingMemory;
  /** Values to submit come from here; absent: they are generated. */
  readonly lines?: RingMemory;
}

/** What the node tells. */
export type NodeMessage =
  | {
    readonly type: "running";
    readonly wakeFd: number;
    readonly mtu: number;
    readonly memoryBytes: number;
  }
  | { readonly type: "storage"; readonly start: StorageStart }
  | { readonly type: "log"; readonly entry: Entry }
  | {
    readonly type: "second";
    readonly figures: Figures;
    readonly unanswered: number;
    readonly reason?: string;
  }
  | {
    readonly type: "ended";
    readonly summary?: Summary;
    readonly unanswered: number;
    readonly reason?: string;
  }
  | {
    readonly type: "failed";
    readonly message: string;
    readonly exitCode?: number;
    readonly stack?: string;
  };

type Post = (message: NodeMessage) => void;

/** Roles of a kind of node. */
const ROLES: Record<NodeOptions["kind"], number> = {
  replica: Role.proposer | Role.acceptor | Role.learner,
  proposer: Role.proposer,
  acceptor: Role.acceptor,
  learner: Role.learner,
  client: Role.client,
};

/**
 * Instances in flight that suit the storage: what waits for a commit shares it with all that comes
 * meanwhile, and in memory more in flight costs values of a kilobyte a tenth.
 */
const WINDOW_AUTO = { memory: 64, lmdb: 256 } as const;
const SECOND_US = 1_000_000;
/** Values in flight of all virtual clients of a process: some 200 MB at the largest. */
const IN_FLIGHT_MAX = 131_072;

/** Monotonic time in µs: the shim's, as a cycle reads it several times. */
const now: () => number = shim.kp_now_us;

/** Runs the node until it is stopped or done. The last message is "ended" or "failed". */
export async function runThread(start: NodeStart, post: Post): Promise<void> {
  try {
    new NodeThread(start, post, await openStorage(start, post)).run();
  } catch (error) {
    const { message, stack } = error as Error;
    const exitCode = error instanceof UserError ? error.exitCode : undefined;
    post({ type: "failed", message, exitCode, stack });
  }
}

/** Opens the node's storage; without one, nothing of it is loaded. */
async function openStorage(
  { options, incarnation }: NodeStart,
  post: Post,
): Promise<NodeStorage | undefined> {
  const { storage } = options;
  if (storage === undefined) return undefined;
  const { NodeStorage } = await import("./node_storage.ts");
  return new NodeStorage(
    { ...options, storage },
    incarnation,
    (entry) => post({ type: "log", entry }),
  );
}

class NodeThread {
  readonly #start: NodeStart;
  readonly #post: Post;
  readonly #core: Core;
  readonly #nic: Nic;
  readonly #node: Node;
  readonly #storage?: LmdbStorage;
  readonly #directory?: string;
  readonly #stop: Int32Array;
  readonly #sink?: RingSink;
  readonly #client?: ClientSide;
  readonly #endAt_us: number;
  #secondAt_us: number;
  #wasDown = false;
  /** Set when the node cannot go on. */
  #fatal: Entry | undefined;
  readonly #lost = new LostSessions();

  constructor(start: NodeStart, post: Post, storage?: NodeStorage) {
    const { options } = start;
    this.#start = start;
    this.#post = post;
    this.#stop = new Int32Array(start.stop);
    const { mtu } = probeInterface(options.interfaceName, {
      nic: options.nic,
      maxMtu: options.mtu,
    });
    checkValues(options, mtu);
    const now_us = now();
    const common = coreOptions(start, mtu);
    this.#core = new Core({
      ...common,
      persistent: storage !== undefined,
      memory: storage?.memory,
      forgot: storage?.forgot,
    }, now_us);
    this.#storage = storage?.recover(this.#core);
    this.#directory = storage?.path;
    this.#nic = openNic(start, this.#core.area);
    this.#core.setAddress(this.#nic.address, this.#nic.group);
    if (options.nic === "af_packet") {
      presetAddresses(this.#core, options.configuration);
    }
    if (start.deliveries !== undefined) {
      this.#sink = new RingSink(start.deliveries);
    }
    if (storage !== undefined && options.learner !== undefined) {
      this.#resume(storage.beginsAt(common.from), options.learner.from);
    }
    if (options.client !== undefined) {
      this.#client = new ClientSide(start, this.#core, mtu, now_us);
    }
    this.#endAt_us = options.lifetime_s === undefined
      ? Infinity
      : now_us + options.lifetime_s * SECOND_US;
    this.#secondAt_us = now_us + SECOND_US;
    this.#node = new Node({
      core: this.#core,
      nic: this.#nic,
      storage: this.#storage ?? new MemoryStorage(),
      now,
      sink: this.#sink,
      workload: this.#client,
      onEvents: (events) => events.forEach((event) => this.#tell(event)),
    });
  }

  run(): void {
    this.#post({
      type: "running",
      wakeFd: this.#nic.wakeFd,
      mtu: this.#nic.mtu,
      memoryBytes: this.#core.memoryBytes,
    });
    if (this.#storage !== undefined) {
      this.#post({
        type: "storage",
        start: this.#storage.start(this.#nic.wakeFd),
      });
    }
    try {
      this.#node.run(
        (now_us) => this.#isOver(now_us),
        (now_us) => this.#each(now_us),
      );
    } catch (error) {
      // What was submitted before must stand in its file.
      this.#client?.close();
      throw error;
    }
    this.#sink?.close();
    const now_us = now();
    const reason = this.#client?.reason(this.#nic, this.#wasDown, now_us);
    this.#log(
      "debug",
      "counters",
      counters(this.#core, this.#nic),
    );
    // The card stays open until the process ends: the control thread may be about to write to its
    // wake descriptor, which must not have become another file by then.
    this.#client?.close();
    if (this.#fatal !== undefined) {
      throw new UserError(
        `${this.#fatal.message}. ${
          wayOn(this.#fatal.fields.instance, this.#directory)
        }`,
      );
    }
    if (this.#lost.some) {
      throw this.#lost.error(this.#client?.unanswered ?? 0);
    }
    this.#post({
      type: "ended",
      summary: this.#client?.meter.summary(
        now_us,
        this.#core.counter(Counter.retries),
      ),
      unanswered: this.#client?.unanswered ?? 0,
      reason,
    });
  }

  /** The learner begins at `instance`; 0: where the others are. Its consumer may have got what follows already. */
  #resume(instance: number, asked?: bigint): void {
    const from = resumeFrom(instance, asked);
    if (from > 1) this.#log("info", `resuming at instance ${from}`);
    this.#sink?.resume(from);
  }

  #isOver(now_us: number): boolean {
    return Atomics.load(this.#stop, 0) === 1 || this.#fatal !== undefined ||
      this.#lost.some || this.#client?.done === true ||
      now_us >= this.#endAt_us;
  }

  #each(now_us: number): void {
    this.#client?.each(now_us);
    if (this.#node.down !== this.#wasDown) this.#tellCard();
    if (now_us < this.#secondAt_us) return;
    // After a pause the seconds that were missed are one.
    const late_us = (now_us - this.#secondAt_us) % SECOND_US;
    this.#secondAt_us = now_us + SECOND_US - late_us;
    if (this.#client === undefined) return;
    this.#post({
      type: "second",
      figures: this.#client.meter.second(
        now_us,
        this.#core.counter(Counter.retries),
      ),
      unanswered: this.#client.unanswered,
      reason: this.#client.reason(this.#nic, this.#wasDown, now_us),
    });
  }

  #tell(event: CoreEvent): void {
    const entry = describe(event, this.#start.options.configuration);
    this.#post({ type: "log", entry });
    if (event.code !== Event.behindTrim) return;
    // A learner that is behind can only mislead its reader; a replica that is behind still votes.
    if (this.#start.options.kind === "learner") this.#fatal = entry;
    else {
      this.#log(
        "error",
        "this replica delivers nothing any more; it goes on voting, so leave it running. " +
          `To have the values that can be had, start a learner beside it, with a new id: kpaxos learner --id N --from ${event.large}`,
      );
    }
    this.#lost.note(event);
  }

  /** The interface went down or came back, maybe as another device with another address. */
  #tellCard(): void {
    this.#wasDown = this.#node.down;
    const { interfaceName } = this.#start.options;
    if (this.#wasDown) {
      this.#log("warn", `interface ${interfaceName} is down; waiting for it`);
      return;
    }
    this.#core.setAddress(this.#nic.address, this.#nic.group);
    this.#log("info", `interface ${interfaceName} is up again`);
  }

  #log(
    level: Entry["level"],
    message: string,
    fields: Entry["fields"] = {},
  ): void {
    this.#post({ type: "log", entry: { level, message, fields } });
  }
}

/** Whether a client may have values that take more than one frame. */
function hasLargeValues({ client }: NodeOptions, mtu: number): boolean {
  return client !== undefined &&
    (client.stdin || client.valueBytes > valueBytesFit(mtu));
}

/** Values and chunks that each virtual client may have in flight. */
function flightsOf(options: NodeOptions, mtu: number): number {
  const outstanding = options.client?.outstanding ?? 1;
  if (!hasLargeValues(options, mtu)) return outstanding;
  return Math.min(outstanding + CHUNKS_IN_FLIGHT, SESSION_SEQUENCES / 2);
}

/**
 * Large values take 2 MiB for each virtual client besides what is in flight, so that is bounded too.
 *
 * @throws {UserError} if the values that a client is to make would need too much memory.
 */
function checkValues(options: NodeOptions, mtu: number): void {
  const { client } = options;
  if (client === undefined) return;
  const { clients, outstanding, stdin, valueBytes } = client;
  const flights = flightsOf(options, mtu);
  if (clients * flights > IN_FLIGHT_MAX) {
    const chunks = flights > outstanding
      ? ` and ${flights - outstanding} chunks of large values`
      : "";
    throw new UserError(
      `--clients ${clients} times --outstanding ${outstanding}${chunks} is ${
        clients * flights
      } values in flight, ` +
        `and a process may have ${IN_FLIGHT_MAX}; lower one of them, or start several clients`,
      EXIT.usage,
    );
  }
  if (stdin || valueBytes <= valueBytesFit(mtu)) return;
  if (clients <= ASSEMBLIES_MAX) return;
  throw new UserError(
    `--clients ${clients} with --value-size ${valueBytes}: learners put together ${ASSEMBLIES_MAX} values at a time ` +
      `that are larger than a frame (${
        valueBytesFit(mtu)
      } bytes with an MTU of ${mtu}); lower one of them`,
    EXIT.usage,
  );
}

export function coreOptions(start: NodeStart, mtu: number): CoreOptions {
  const { options } = start;
  const { configuration, client, learner } = options;
  const catchUp = configuration.learnerCatchUp ? 1n : 0n;
  const isStored = configuration.storageBackend === "lmdb";
  return {
    roles: ROLES[options.kind],
    id: options.id,
    cluster: configuration.cluster,
    incarnation: start.incarnation,
    seed: start.seed,
    mtu,
    ethertype: configuration.ethertype,
    acceptors: configuration.acceptors.map(({ id }) => id),
    proposers: configuration.proposers.map(({ id }) => id),
    leader: configuration.leader,
    electionTimeout_us: configuration.electionTimeout_ms * 1000,
    heartbeat_us: configuration.heartbeat_ms * 1000,
    inFlight: configuration.preexecWindow ||
      WINDOW_AUTO[configuration.storageBackend],
    proposerTimeout_us: configuration.proposerTimeout_ms * 1000,
    clientTimeout_us: configuration.clientTimeout_ms * 1000,
    loss: options.loss,
    logBytes: configuration.acceptorLogBytes,
    learnerLease_us: configuration.learnerLease_ms * 1000,
    learnerPatience_us: configuration.learnerPatience_ms * 1000,
    from: learner?.from ?? catchUp,
    persistent: false,
    clients: client?.clients ?? 1,
    outstanding: flightsOf(options, mtu),
    firstClient: start.firstClient,
    proposer: client?.proposerId ?? 0,
    // Lines and chunks may be as long as fits; other generated values all have one size.
    valueBytes: client === undefined || hasLargeValues(options, mtu)
      ? 0
      : client.valueBytes,
    batching: configuration.batching,
    newCluster: options.newCluster,
    batchBytes: isStored ? snugBatchBytes(batchBytesFit(mtu)) : 0,
  };
}

export function openNic(start: NodeStart, area: FrameArea): Nic {
  const { options } = start;
  const { configuration, udp } = options;
  const common = {
    interfaceName: options.interfaceName,
    cluster: configuration.cluster,
    roles: ROLES[options.kind],
    // Two clients may have drawn the same id, so theirs is checked in the core alone.
    id: options.id,
    incarnation: start.incarnation,
    ethertype: configuration.ethertype,
    maxMtu: options.mtu,
    busyPoll: configuration.busyPoll,
  };
  if (options.nic === "af_packet") {
    return openPacketNic({ ...common, reserved: start.socket }, area);
  }
  return openUdpNic({ ...common, ...udp }, area);
}

export function presetAddresses(
  core: Core,
  configuration: Configuration,
): void {
  for (const { id, address } of configuration.acceptors) {
    if (address !== undefined) core.preset(Role.acceptor, id, address);
  }
  for (const { id, address } of configuration.proposers) {
    if (address !== undefined) core.preset(Role.proposer, id, address);
  }
}

/** Every counter that is not 0, of the core and of the card. */
function counters(core: Core, nic: Nic): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let counter = 0; counter < Counter.end; counter++) {
    const value = core.counter(counter);
    if (value > 0) counts[Counter[counter]] = value;
  }
  for (const [name, value] of Object.entries(nic.stats())) {
    if (value > 0) counts[`nic_${name}`] = value;
  }
  return counts;
}
