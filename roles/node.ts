/**
 * The node cycle: receive, step, persist, send, deliver, wait. Every role turns this wheel.
 *
 * The order is a promise (`docs/architecture.md`): what a step appended goes to storage before
 * anything leaves, frames that depend on a record stay inside the core until storage calls it
 * durable, and values reach the sink only after the frames of the same step are on their way. What
 * others ask for and only storage has is read last, so that nothing waits for it.
 */
import type { Core, CoreEvent, Delivery } from "../core/core.ts";
import { RECEIVE_FRAMES, StorageCondition } from "../core/layout.ts";
import { type Nic, WAIT } from "../ffi/nic.ts";
import type { Storage } from "../storage/storage.ts";

/** Where decided values go, in order. */
export interface Sink {
  /** No value fits now: the core keeps what is decided until there is room. */
  readonly full: boolean;
  /**
   * Values, of all that were delivered, that the end of this process cannot lose any more. A learner's
   * checkpoint waits for that. Absent: all that it was given.
   */
  readonly taken?: number;
  /** Takes one value; must not keep the object, nor its bytes. */
  deliver(delivery: Delivery): void;
  /** All values of a step were delivered. */
  flush(): void;
}

/** Where a client's values come from. */
export interface Workload {
  /** Submits what it has and what fits; returns the number of values. */
  fill(core: Core, now_us: number): number;
  /** A value of virtual client `client` was decided. */
  complete(client: number, sequence: number, latency_us: number): void;
}

/** The parts of a node; tests put in their own. */
export interface NodeParts {
  readonly core: Core;
  readonly nic: Nic;
  readonly storage: Storage;
  /** Monotonic clock, µs. */
  readonly now: () => number;
  readonly sink?: Sink;
  readonly workload?: Workload;
  /** Called with the events of a step, if there are any. */
  readonly onEvents?: (events: CoreEvent[]) => void;
}

/** Longest sleep, so that a stop that came without a wake is seen. */
const WAIT_US_MAX = 200_000;

/** One node, in whichever roles its core has. */
export class Node {
  readonly #parts: NodeParts;
  readonly #complete: (
    client: number,
    sequence: number,
    latency_us: number,
  ) => void;
  #due_us = 0;
  #down = false;
  /** What the core was told of its storage. */
  #condition = StorageCondition.sound;
  #low = 1;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { workload } = parts;
    this.#complete = (client, sequence, latency_us) =>
      workload?.complete(client, sequence, latency_us);
  }

  /** When the next turn is due at the latest, µs. */
  get due_us(): number {
    return this.#due_us;
  }

  /** The card said that its interface is down. */
  get down(): boolean {
    return this.#down;
  }

  /** One revolution but for the wait. Returns true when there is more to do at once. */
  turn(): boolean {
    const { nic, workload, core, now } = this.#parts;
    const frames = nic.receive();
    this.#step(frames);
    // Values that were just decided make room for new ones, which need not wait for the next frame.
    if (workload !== undefined && workload.fill(core, now()) > 0) this.#step(0);
    return frames === RECEIVE_FRAMES;
  }

  /** Turns until `stopped` says so, then says goodbye. `each` runs after every turn. */
  run(
    stopped: (now_us: number) => boolean,
    each: (now_us: number) => void,
  ): void {
    const { nic, now } = this.#parts;
    for (let now_us = now(); !stopped(now_us);) {
      const more = this.turn();
      now_us = now();
      each(now_us);
      const wait_us = Math.min(this.#due_us - now_us, WAIT_US_MAX);
      // A card finds out in a wait that its interface came back, so even a busy node waits, for no time.
      if (!more) {
        this.#down = (nic.wait(Math.max(wait_us, 0)) & WAIT.down) !== 0;
      }
    }
    this.leave();
  }

  /** Says goodbye and closes the storage; the card is its opener's to close. */
  leave(): void {
    const { core, nic, storage } = this.#parts;
    this.#tellTaken();
    core.leave();
    storage.persist(core);
    if (core.sendCount > 0) nic.send(0, core.sendCount);
    storage.close();
  }

  #tellTaken(): void {
    const { core, storage, sink } = this.#parts;
    if (storage.persistent && sink?.taken !== undefined) core.taken(sink.taken);
  }

  #step(frames: number): void {
    const { core, nic, storage, sink, now, onEvents } = this.#parts;
    this.#tellStorage();
    this.#tellTaken();
    this.#due_us = core.step(
      frames,
      now(),
      storage.durable,
      sink !== undefined && sink.full,
    );
    storage.persist(core);
    const sends = core.sendCount;
    if (sends > 0) nic.send(0, sends);
    if (sink !== undefined) {
      const deliveries = core.deliveryCount;
      for (let i = 0; i < deliveries; i++) sink.deliver(core.delivery(i));
      if (deliveries > 0) sink.flush();
    }
    core.eachCompletion(this.#complete);
    if (core.eventCount > 0) onEvents?.(core.events());
    if (core.fetchCount > 0) this.#fetch(sends);
  }

  /** Tells the core how its storage is, if that changed. */
  #tellStorage(): void {
    const { core, storage: { condition, low } } = this.#parts;
    if (condition === this.#condition && low === this.#low) return;
    this.#condition = condition;
    this.#low = low;
    core.setStorage(condition, low);
  }

  /** Reads what the step asked for, and sends the answers, which stand behind the frames that were sent. */
  #fetch(sent: number): void {
    const { core, nic, storage } = this.#parts;
    for (let i = 0; i < core.fetchCount; i++) {
      const { from, end } = core.fetch(i);
      storage.read(
        from,
        end,
        (record) => core.fetched(i, record),
      );
      core.fetchDone(i);
    }
    if (core.sendCount > sent) nic.send(sent, core.sendCount - sent);
    // What this node's own learner asked for is there.
    this.#due_us = 0;
  }
}
