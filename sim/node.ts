/**
 * One incarnation of one node in virtual time, turned by the real node cycle.
 *
 * It has a clock of its own that may run fast, slow, or jump ahead; it can be paused, killed between
 * two steps, and killed in the middle of one, when only some of its frames have left.
 */
import {
  chunkBytesFit,
  Core,
  type CoreBuild,
  type CoreEvent,
  type CoreOptions,
  type CoreRecord,
  type Delivery,
  readRecord,
} from "../core/core.ts";
import { type Counter, Event, type Gauge, Role } from "../core/layout.ts";
import type { Nic } from "../ffi/nic.ts";
import { LargeValues } from "../roles/large_values.ts";
import { Node, type Sink, type Workload } from "../roles/node.ts";
import { MemoryStorage } from "../storage/memory.ts";
import type { Recovered } from "../storage/recovery.ts";
import { type Disk, DiskStorage } from "./disk.ts";
import type { MockNetwork, MockNic } from "./mock_nic.ts";
import type { Random } from "./random.ts";
import { Violation } from "./violation.ts";

/** A delivered value, as a learner's host saw it. */
export interface Delivered {
  readonly instance: number;
  readonly index: number;
  readonly client: bigint;
  readonly sequence: number;
  readonly text: string;
}

/** What a node is made of; options that are not given are those of the cluster. */
export interface NodeSpec extends Partial<CoreOptions> {
  readonly roles: number;
  readonly id: number;
  /** Values that each virtual client submits. */
  readonly values?: number;
  /** Time between two values of a virtual client, µs (default 0: as soon as there is room). */
  readonly pace_us?: number;
  /** Bytes that each value is padded to (default: just enough to tell values apart). */
  readonly padBytes?: number;
  /** Each virtual client's values of which the number is a multiple of `every` are large, of `bytes` bytes. */
  readonly large?: { readonly every: number; readonly bytes: number };
  /** Most frames that wait in its card. */
  readonly queueFrames?: number;
  /** Its clock's speed, 1 by default. */
  readonly clockRate?: number;
  /** How long its consumer takes for a value, µs; a crash loses what it has not taken (default: nothing). */
  readonly lag_us?: number;
  /** A learner whose delivered values nobody looks at keeps none. */
  readonly keepsNothing?: boolean;
}

/** Sees what a node does, besides its frames. */
export interface NodeWatch {
  /** `value` has this sequence number, and is a piece of `whole` if that is given. */
  submitted?(
    node: SimNode,
    client: number,
    sequence: number,
    value: string,
    whole?: string,
  ): void;
  answered?(node: SimNode, client: number, sequence: number): void;
  /** `delivery` is used again by the next call. */
  delivered?(node: SimNode, delivery: Delivery): void;
  noted?(node: SimNode, event: CoreEvent): void;
  appended?(node: SimNode, number: number, record: CoreRecord): void;
  /** A new process gets this record back from its disk; the batch is valid during the call. */
  recovered?(node: SimNode, record: CoreRecord): void;
  /** It got back all that it does. */
  resumed?(node: SimNode, recovered: Recovered): void;
  /** Records up to this one are on its disk, whether it lives to hear of it or not. */
  stored?(node: SimNode, number: number): void;
  durable?(node: SimNode, number: number): void;
  /** It was killed before this frame left. */
  unsent?(node: SimNode, frame: Uint8Array): void;
  /** All that a turn sends has left. */
  turned?(node: SimNode): void;
}

/** What a node is put into. */
export interface NodeParts {
  readonly options: CoreOptions;
  readonly network: MockNetwork;
  readonly group: Uint8Array;
  /** Index of the line in a picture; restarts of a node share it. */
  readonly place: number;
  /** Virtual time, µs. */
  readonly now: () => number;
  readonly random: Random;
  /** Absent: memory is all it has. */
  readonly disk?: Disk;
  readonly build?: CoreBuild;
  readonly watch?: NodeWatch;
}

/** Chunks of a large value in flight: few, so that other values come between them. */
const CHUNKS_IN_FLIGHT = 2;

/** Ends a turn in its middle. */
class Killed extends Error {}

const text = new TextDecoder();
const bytes = new TextEncoder();

/** What the virtual client `client` submits as its value number `sequence`: nobody else's value is the same. */
export function valueOf(
  client: bigint | number,
  sequence: number,
  padBytes = 0,
): string {
  return `${client}/${sequence}`.padEnd(padBytes, ".");
}

/** The names of roles, as `proposer+acceptor`. */
export function roleNames(roles: number): string {
  if (roles === (Role.proposer | Role.acceptor | Role.learner)) {
    return "replica";
  }
  return [Role.proposer, Role.acceptor, Role.learner, Role.client]
    .filter((role) => (roles & role) !== 0).map((role) => Role[role]).join("+");
}

export class SimNode {
  readonly spec: NodeSpec;
  readonly options: CoreOptions;
  readonly place: number;
  readonly core: Core;
  readonly nic: MockNic;
  readonly storage: MemoryStorage | DiskStorage;
  readonly disk?: Disk;
  readonly delivered: Delivered[] = [];
  /** Answered values: client and sequence as `client/sequence`. */
  readonly acknowledged: Set<string> = new Set();
  readonly events: CoreEvent[] = [];
  /** Bytes of memory after `init`; they never change. */
  readonly memoryBytes: number;
  /** The sink takes nothing. */
  paused = false;
  /** The process does not run; frames pile up in its card. */
  frozen = false;
  alive = true;
  /** Values that each virtual client may submit in all. */
  values: number;
  /** Frames that still leave before it is killed in the middle of sending; undefined: it is not. */
  killAfterFrames?: number;
  /** Virtual clients whose session expired, or was refused. */
  readonly lostClients: Set<number> = new Set();
  readonly #node: Node;
  /** Values of each virtual client that were made and that were answered; large ones are one. */
  readonly #made: number[];
  readonly #answered: number[];
  readonly #large: LargeValues;
  #submitted = 0;
  readonly #now: () => number;
  readonly #started_us: number;
  readonly #rate: number;
  readonly #watch?: NodeWatch;
  #jumped_us = 0;
  /** When each value was delivered, how many of them the consumer has, and when the process ended. */
  readonly #delivered_us: number[] = [];
  #taken = 0;
  #ended_us = Infinity;

  constructor(spec: NodeSpec, parts: NodeParts) {
    const { options, network, now, disk, build, watch } = parts;
    this.spec = spec;
    this.options = options;
    this.place = parts.place;
    this.disk = disk;
    this.values = spec.values ?? 0;
    this.#now = now;
    this.#started_us = now();
    this.#rate = spec.clockRate ?? 1;
    this.#watch = watch;
    const { roles, id, incarnation, cluster, mtu } = options;
    this.core = new Core(options, this.#clock(), build);
    this.memoryBytes = this.core.area.memory.buffer.byteLength;
    const address = Uint8Array.of(2, 0, 0, roles, id >> 8, id & 0xff);
    this.core.setAddress(address, parts.group);
    this.nic = network.attach(this.core.area, {
      address,
      group: parts.group,
      roles,
      id,
      incarnation,
      cluster,
      mtu,
      queueFrames: spec.queueFrames,
    });
    this.storage = disk === undefined
      ? new MemoryStorage()
      : new DiskStorage(disk, this.core.journal, parts.random, now, {
        appended: (number, record) => watch?.appended?.(this, number, record),
        stored: (number) => watch?.stored?.(this, number),
        durable: (number) => watch?.durable?.(this, number),
      });
    this.#made = new Array(options.clients).fill(0);
    this.#answered = new Array(options.clients).fill(0);
    this.#large = new LargeValues(chunkBytesFit(mtu), CHUNKS_IN_FLIGHT);
    this.#node = new Node({
      core: this.core,
      nic: this.#killable(),
      storage: this.storage,
      now: () => this.#clock(),
      sink: this.#sink(),
      workload: (roles & Role.client) !== 0 ? this.#workload() : undefined,
      onEvents: (events) => this.#note(events),
    });
  }

  /** Values that its consumer has, of those delivered. */
  get taken(): number {
    const until_us = Math.min(this.#now(), this.#ended_us) -
      (this.spec.lag_us ?? 0);
    while (this.#delivered_us[this.#taken] <= until_us) this.#taken++;
    return this.#taken;
  }

  get name(): string {
    return `${roleNames(this.options.roles)} ${this.options.id}`;
  }

  /** When this node wants to turn next, virtual µs. */
  get due_us(): number {
    if (!this.alive || this.frozen) return Infinity;
    return Math.min(
      this.#virtual(this.#node.due_us),
      this.nic.nextDue(),
      this.storage instanceof DiskStorage ? this.storage.due_us : Infinity,
      this.#nextValue_us(),
    );
  }

  /**
   * Takes back what its disk holds; before the first turn.
   *
   * @throws {StorageError} if that is damaged. The node must not run then.
   */
  recover(): void {
    if (!(this.storage instanceof DiskStorage)) return;
    const { logBytes } = this.options;
    const recoverBytes = (bytes: Uint8Array) => {
      this.#watch?.recovered?.(this, readRecord(bytes));
      return this.core.recoverBytes(bytes);
    };
    const isSound = (bytes: Uint8Array) => this.core.isSound(bytes);
    const name = `the disk of ${this.name}`;
    const found = this.storage.recover({ recoverBytes, isSound }, {
      name,
      logBytes,
    });
    this.#watch?.resumed?.(this, found);
  }

  turn(): void {
    if (this.storage instanceof DiskStorage) this.storage.advance();
    try {
      this.#node.turn();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      // Its core did all of the step, though its host told nobody.
      for (const event of this.core.events()) this.#watch?.noted?.(this, event);
      this.kill();
    }
    this.#watch?.turned?.(this);
  }

  /** Leaves as a node does that was asked to stop. */
  leave(): void {
    this.alive = false;
    // Whoever leaves waits for its consumer.
    this.killAfterFrames = undefined;
    this.#node.leave();
    this.nic.close();
  }

  /** The process is killed. */
  kill(): void {
    this.alive = false;
    this.#ended_us = this.#now();
    this.nic.close();
    if (this.storage instanceof DiskStorage) this.storage.crash();
  }

  /** Its clock jumps ahead, as after a suspension of the machine. */
  jump(by_us: number): void {
    this.#jumped_us += by_us;
  }

  counter(counter: Counter): number {
    return this.core.counter(counter);
  }

  gauge(gauge: Gauge): number {
    return this.core.gauge(gauge);
  }

  /** Events of one kind. */
  noted(code: Event): CoreEvent[] {
    return this.events.filter((event) => event.code === code);
  }

  /** Sequence numbers used so far, of all virtual clients. */
  get submitted(): number {
    return this.#submitted;
  }

  /** Values that are still to be answered, of all virtual clients that have not lost their session. */
  get unanswered(): number {
    return this.#answered.reduce(
      (sum, answered, client) =>
        this.lostClients.has(client) ? sum : sum + this.values - answered,
      0,
    );
  }

  /** Its own clock, µs. It never goes back. */
  #clock(): number {
    const ran_us = this.#now() - this.#started_us;
    return this.#started_us + ran_us * this.#rate + this.#jumped_us;
  }

  /** The virtual time at which its own clock shows `own_us`. */
  #virtual(own_us: number): number {
    const ran_us = own_us - this.#jumped_us - this.#started_us;
    return this.#started_us + Math.ceil(ran_us / this.#rate);
  }

  #note(events: readonly CoreEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      const { code, small } = event;
      if (code === Event.sessionExpired || code === Event.sessionFull) {
        this.lostClients.add(small);
      }
      this.#watch?.noted?.(this, event);
    }
  }

  /** The card, but that the process may die while it sends. */
  #killable(): Nic {
    const { nic } = this;
    return {
      ...nic,
      receive: () => nic.receive(),
      wait: (timeout_us) => nic.wait(timeout_us),
      stats: () => nic.stats(),
      close: () => nic.close(),
      send: (first, count) => {
        const left = this.killAfterFrames;
        if (left === undefined) return nic.send(first, count);
        nic.send(first, Math.min(left, count));
        if (left < count) {
          this.#loseFrames(first + left, first + count);
          throw new Killed();
        }
        this.killAfterFrames = left - count;
      },
    };
  }

  /** Tells of frames that will not leave any more. */
  #loseFrames(from: number, to: number): void {
    const { memory, txDescriptors } = this.core.area;
    const view = new DataView(memory.buffer);
    for (let i = from; i < to; i++) {
      const at = view.getUint32(txDescriptors + i * 8, true);
      const length = view.getUint32(txDescriptors + i * 8 + 4, true);
      this.#watch?.unsent?.(this, memory.slice(at, at + length));
    }
  }

  #sink(): Sink {
    const isPaused = () => this.paused;
    const taken = () => this.spec.lag_us === undefined ? undefined : this.taken;
    return {
      get full() {
        return isPaused();
      },
      get taken() {
        return taken();
      },
      deliver: (delivery: Delivery) => {
        this.#delivered_us.push(this.#now());
        this.#watch?.delivered?.(this, delivery);
        if (this.spec.keepsNothing) return;
        this.delivered.push({
          instance: delivery.instance,
          index: delivery.index,
          client: delivery.client,
          sequence: delivery.sequence,
          text: text.decode(delivery.value.slice()),
        });
      },
      flush() {},
    };
  }

  /** How many values each virtual client may have submitted by now. */
  #allowed(): number {
    const { pace_us = 0 } = this.spec;
    if (pace_us === 0) return this.values;
    const due = Math.floor((this.#now() - this.#started_us) / pace_us) + 1;
    return Math.min(this.values, due);
  }

  /** When the pace allows the next value, virtual µs. */
  #nextValue_us(): number {
    const { pace_us = 0 } = this.spec;
    const allowed = this.#allowed();
    if (pace_us === 0 || allowed >= this.values) return Infinity;
    return this.#started_us + allowed * pace_us;
  }

  #workload(): Workload {
    const { clients, firstClient } = this.options;
    return {
      fill: (core, now_us) => {
        let filled = 0;
        for (let client = 0; client < clients; client++) {
          // Small values go between the chunks of a large one.
          for (let n = -1; n !== filled;) {
            n = filled;
            filled += this.#submitChunk(core, client, now_us);
            filled += this.#submitNext(core, client, now_us);
          }
        }
        return filled;
      },
      complete: (client, sequence) => {
        const number = Number(firstClient) + client;
        const key = `${number}/${sequence}`;
        if (this.acknowledged.has(key)) {
          throw new Violation("answers", `${key} was answered twice`);
        }
        this.acknowledged.add(key);
        if (this.#large.complete(client, sequence, 0) !== undefined) {
          this.#answered[client]++;
        }
        this.#watch?.answered?.(this, number, sequence);
      },
    };
  }

  /** Submits a virtual client's next value, if it may. Returns how many that were. */
  #submitNext(core: Core, client: number, now_us: number): number {
    const made = this.#made[client];
    if (made >= this.#allowed() || core.clientRoom(client) === 0) return 0;
    const { large, padBytes } = this.spec;
    const number = Number(this.options.firstClient) + client;
    if (large !== undefined && (made + 1) % large.every === 0) {
      if (this.#large.isBusy(client) || !core.hasLargeRoom(client)) return 0;
      this.#made[client]++;
      const whole = valueOf(number, made + 1, large.bytes);
      this.#large.begin(client, bytes.encode(whole), now_us);
      return this.#submitChunk(core, client, now_us);
    }
    this.#made[client]++;
    const value = valueOf(number, made + 1, padBytes);
    const sequence = core.submit(client, bytes.encode(value), now_us);
    this.#submitted++;
    this.#watch?.submitted?.(this, number, sequence, value);
    return 1;
  }

  #submitChunk(core: Core, client: number, now_us: number): number {
    const number = Number(this.options.firstClient) + client;
    return this.#large.submit(
      core,
      client,
      now_us,
      (sequence, piece, whole) => {
        this.#submitted++;
        const value = text.decode(piece);
        this.#watch?.submitted?.(
          this,
          number,
          sequence,
          value,
          text.decode(whole),
        );
      },
    );
  }
}
