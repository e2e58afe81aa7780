/** A card of the C shim as the node cycle sees it, whatever socket lies behind. */
import { systemError } from "./errno.ts";
import {
  type BusyPoll,
  type FrameArea,
  type Nic,
  type NicStats,
  WAIT,
} from "./nic.ts";
import { shim } from "./shim.ts";

/** Who this node is: what its card lets through follows from it. */
export interface CardIdentity {
  /** Number of the cluster, u16. */
  readonly cluster: number;
  /** Mask of this node's roles, u8: a frame passes that is meant for one of them. */
  readonly roles: number;
  /** This node's id, u16; 0: frames for any id pass. */
  readonly id: number;
  /** Distinguishes this start of this process from every other, u32: its own frames do not pass. */
  readonly incarnation: number;
  /** EtherType of the cluster's frames. */
  readonly ethertype: number;
}

/** What every card is opened with. */
export interface CardOptions extends CardIdentity {
  /** How it waits (default: no). */
  readonly busyPoll?: BusyPoll;
}

/** `enum patience` of the shim. */
const PATIENCE: Record<BusyPoll, number> = { no: 0, auto: 1, yes: 2 };

/** Opens the sockets of a new card: 0, or -errno, of which the caller makes an error. */
export type OpenSockets = (handle: Deno.PointerObject) => number;

const COUNTERS = 6;

/**
 * A card on a socket. The hot calls are one synchronous call into the shim each
 * and allocate nothing.
 */
export class ShimCard implements Nic {
  readonly address: Uint8Array<ArrayBuffer> = new Uint8Array(6);
  readonly group: Uint8Array;
  readonly mtu: number;
  readonly wakeFd: number;
  /** Held so that the memory lives as long as the card that writes to it. */
  readonly area: FrameArea;
  #handle: Deno.PointerObject | null;
  #counters = new BigUint64Array(COUNTERS);
  #wasDown = false;

  /**
   * @param open Opens the sockets; what it returns below 0 goes to `explain`.
   * @param explain Makes the error to throw of -errno.
   */
  constructor(
    area: FrameArea,
    options: CardOptions,
    group: Uint8Array,
    mtu: number,
    open: OpenSockets,
    explain: (result: number) => Error,
  ) {
    this.area = area;
    this.group = group;
    this.mtu = mtu;
    const handle = shim.kp_new(
      Deno.UnsafePointer.of(area.memory as Uint8Array<ArrayBuffer>),
      area.memory.byteLength,
      area.rxSlots,
      area.rxSlotBytes,
      area.rxCapacity,
      area.rxLengths,
      area.txDescriptors,
      area.txCapacity,
    );
    if (handle === null) {
      throw new Error("Cannot open a card: out of memory or file descriptors");
    }
    shim.kp_identify(
      handle,
      options.cluster,
      options.ethertype,
      options.roles,
      options.id,
      options.incarnation,
    );
    shim.kp_set_patience(handle, PATIENCE[options.busyPoll ?? "no"]);
    const result = open(handle);
    if (result < 0) {
      shim.kp_close(handle);
      throw explain(result);
    }
    this.#handle = handle;
    this.wakeFd = shim.kp_event_fd(handle);
    shim.kp_address(handle, this.address);
  }

  /** The shim's handle, for the measurements of `floor.ts`. */
  get handle(): Deno.PointerObject {
    if (this.#handle === null) throw new Error("The card is closed");
    return this.#handle;
  }

  receive(): number {
    const frames = shim.kp_receive(this.handle);
    if (frames < 0) throw systemError(frames, "receive frames");
    return frames;
  }

  send(first: number, count: number): void {
    const result = shim.kp_send(this.handle, first, count);
    if (result < 0) {
      throw systemError(
        result,
        `send descriptors ${first} to ${first + count}`,
      );
    }
  }

  wait(timeout_us: number): number {
    const bits = shim.kp_wait(this.handle, timeout_us);
    if (bits < 0) throw systemError(bits, "wait for frames");
    const isDown = (bits & WAIT.down) !== 0;
    if (this.#wasDown && !isDown) shim.kp_address(this.handle, this.address);
    this.#wasDown = isDown;
    return bits;
  }

  stats(): NicStats {
    shim.kp_stats(this.handle, this.#counters);
    const [received, sent, dropped, truncated, failures, flaps] =
      this.#counters;
    return {
      receivedFrames: Number(received),
      sentFrames: Number(sent),
      droppedByKernel: Number(dropped),
      truncated: Number(truncated),
      sendFailures: Number(failures),
      flaps: Number(flaps),
    };
  }

  close(): void {
    shim.kp_close(this.handle);
    this.#handle = null;
  }
}
