/** An acceptor with storage on the bench: what it appends is committed to a store in memory when a test says so. */
import type { CoreOptions } from "../core/core.ts";
import { Fetched, Role, StorageCondition } from "../core/layout.ts";
import { decode, type FrameFields } from "../sim/decode.ts";
import { Committer } from "../storage/committer.ts";
import { MapStore } from "../storage/map_store.ts";
import { recover } from "../storage/recovery.ts";
import { Table } from "../storage/store.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

/** A log so small that a few hundred instances of 300 bytes push one another out. */
export const SMALL = { logBytes: 1 << 16 };

export class Stored {
  readonly rig: Rig;
  readonly store: MapStore;
  /** What the core is told; tests change it at will. */
  condition: StorageCondition = StorageCondition.sound;
  low: number;
  /** Its learner's host takes nothing. */
  paused = false;
  /** What the core said of each record that was read for it. */
  readonly found: Fetched[] = [];
  readonly #committer: Committer;

  constructor(options: Partial<CoreOptions> = {}, store = new MapStore()) {
    this.rig = new Rig({
      roles: Role.acceptor,
      id: 2,
      persistent: true,
      ...options,
    });
    this.store = store;
    const { core, options: { logBytes } } = this.rig;
    this.low = recover(store, core, { name: "the store", logBytes }).low;
    this.#committer = new Committer(store, core.journal);
  }

  /** It listens for as long as it must, and its first records are durable. */
  static voting(options: Partial<CoreOptions> = {}): Stored {
    const acceptor = new Stored(options);
    acceptor.step();
    acceptor.rig.now_us += 100_000;
    acceptor.settle();
    return acceptor;
  }

  /** One past the highest instance that storage has. */
  get next(): number {
    return (this.store.last(Table.log) ?? 0) + 1;
  }

  /** One step with these frames, and what it asks of storage; nothing becomes durable. */
  step(...frames: readonly Uint8Array[]): FrameFields[] {
    const { rig, rig: { core } } = this;
    core.setStorage(this.condition, this.low);
    rig.load(frames);
    core.step(frames.length, rig.now_us, rig.durable, this.paused);
    for (let i = 0; i < core.fetchCount; i++) {
      const { from, end } = core.fetch(i);
      this.store.walk(Table.log, from, (instance, record) => {
        const found = core.fetched(i, record);
        this.found.push(found);
        return found === Fetched.more && instance < end;
      });
      core.fetchDone(i);
    }
    return rig.sent().map(decode).filter(({ body }) => body.type !== "hi");
  }

  /** Commits what was appended; the core hears of it in its next step. */
  commit(): void {
    const { rig } = this;
    const { lastRecord, trimLimit } = rig.core;
    this.#committer.commit(lastRecord, trimLimit);
    rig.durable = this.#committer.done;
  }

  /** A step with these frames, then one with all that it appended durable. */
  settle(...frames: readonly Uint8Array[]): FrameFields[] {
    const sent = this.step(...frames);
    this.commit();
    return [...sent, ...this.step()];
  }

  /** Another process with the same storage; nobody vouches for it. */
  restart(options: Partial<CoreOptions> = {}): Stored {
    const { incarnation, memory } = this.rig.options;
    return new Stored({
      ...this.rig.options,
      incarnation: incarnation + 1,
      memory: memory ?? incarnation,
      newCluster: false,
      ...options,
    }, this.store);
  }
}

export const FIRST = ballotOf(1, 1);
export const SECOND = ballotOf(2, 1);

const leader = (ballot: bigint) =>
  ({ senderRole: "proposer", senderId: 1, incarnation: 101, ballot }) as const;

/** 2A of an instance, whose value has 300 bytes, by a leader that calls all below `decided` so. */
export function accept(
  instance: number,
  decided = 1,
  ballot = FIRST,
  value = `${ballot}/${instance}`,
) {
  return encode(leader(ballot), {
    type: "accept",
    decided: BigInt(decided),
    instance: BigInt(instance),
    batch: [run(5n, instance, value.padEnd(300, "."))],
  });
}

export function prepare(ballot: bigint) {
  return encode(leader(ballot), { type: "prepare", from: 1n });
}

export function heartbeat(decided: number, ballot = FIRST) {
  const next = BigInt(decided);
  return encode(leader(ballot), { type: "heartbeat", decided: next, next });
}

const LEARNER = {
  senderRole: "learner",
  senderId: 9,
  incarnation: 909,
} as const;

/** A learner asks for these ranges, first and one past the last. */
export function repair(...ranges: [first: number, end: number][]) {
  return encode(LEARNER, {
    type: "repair",
    ranges: ranges.map(([first, end]) => ({
      first: BigInt(first),
      end: BigInt(end),
    })),
  });
}

/** A learner has delivered all below. */
export function delivered(instance: number) {
  return encode(LEARNER, { type: "hi", delivered: BigInt(instance) });
}

/** Another acceptor that has just started. */
export function asks(id: number, incarnation: number) {
  return encode(
    { senderRole: "acceptor", senderId: id, incarnation },
    { type: "hi", delivered: 1n, state: "asks" },
  );
}

/** The bodies of frames of this type. */
export function bodies<T extends FrameFields["body"]["type"]>(
  frames: readonly FrameFields[],
  type: T,
) {
  return frames.map(({ body }) => body).filter((
    body,
  ): body is Extract<FrameFields["body"], { type: T }> => body.type === type);
}
