/** One core on a bench: frames are put into it by hand, and what it sends is looked at. */
import { Core, type CoreEvent, type CoreOptions } from "../core/core.ts";
import { Counter } from "../core/layout.ts";
import { SLOT_OFFSET } from "../ffi/nic.ts";
import { GROUP, OPTIONS as CLUSTER_OPTIONS } from "../sim/cluster.ts";

export { GROUP };

/** Options of a core that votes at once, since whoever made it vouches that the cluster is new. */
export const OPTIONS: CoreOptions = { ...CLUSTER_OPTIONS, newCluster: true };

/** The counters of frames that are dropped; `docs/wire.md`, "What a receiver checks". */
export const REASONS = [
  Counter.badLength,
  Counter.badVersion,
  Counter.badCluster,
  Counter.badType,
  Counter.badSender,
  Counter.badReceiver,
  Counter.badChecksum,
  Counter.badBody,
  Counter.ownEcho,
] as const;

/** A core, its clock, and what came of its last step. */
export class Rig {
  readonly core: Core;
  readonly options: CoreOptions;
  now_us: number;
  /** Number of the last durable record. */
  durable = 0;
  due_us = 0;
  readonly #view: DataView;

  constructor(options: Partial<CoreOptions>, now_us = 1000) {
    this.options = { ...OPTIONS, ...options };
    this.now_us = now_us;
    this.core = new Core(this.options, now_us);
    this.core.setAddress(
      Uint8Array.of(2, 0, 0, 0, this.options.roles, this.options.id),
      GROUP,
    );
    this.#view = new DataView(this.core.area.memory.buffer);
  }

  /** Lays frames into the receive slots; they are received by the next `step`. */
  load(frames: readonly Uint8Array[]): void {
    const { memory, rxSlots, rxSlotBytes, rxLengths } = this.core.area;
    frames.forEach((frame, i) => {
      memory.set(frame, rxSlots + i * rxSlotBytes + SLOT_OFFSET);
      this.#view.setUint32(rxLengths + i * 4, frame.length, true);
    });
  }

  /** One step with these frames; returns copies of what it sends. */
  feed(...frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[] {
    this.load(frames);
    this.due_us = this.core.step(
      frames.length,
      this.now_us,
      this.durable,
      false,
    );
    return this.sent();
  }

  /** Lets time pass, then steps without frames. */
  wait(us: number): Uint8Array<ArrayBuffer>[] {
    this.now_us += us;
    return this.feed();
  }

  /** Copies of the frames that the last step sends. */
  sent(): Uint8Array<ArrayBuffer>[] {
    const { memory, txDescriptors } = this.core.area;
    return Array.from({ length: this.core.sendCount }, (_, i) => {
      const at = this.#view.getUint32(txDescriptors + i * 8, true);
      const length = this.#view.getUint32(txDescriptors + i * 8 + 4, true);
      return memory.slice(at, at + length) as Uint8Array<ArrayBuffer>;
    });
  }

  /** Codes of the events of the last step. */
  events(): CoreEvent[] {
    return this.core.events();
  }
}
