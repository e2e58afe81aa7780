/** What a network card is to the node cycle: three implementations, one contract. */

import { FRAME_OFFSET, LINK_BYTES } from "../core/layout.ts";

/** Bytes of the link header that starts every frame: destination (6), source (6), EtherType (2). */
export const LINK_HEADER_BYTES: number = LINK_BYTES;

/**
 * Where a frame starts within its receive slot: the link header then ends at 16,
 * so that the kpaxos header behind it is aligned to 8 bytes.
 */
export const SLOT_OFFSET: number = FRAME_OFFSET;

/** The least MTU that kpaxos works with: every IPv4 host must take in 576 bytes (RFC 791). */
export const MTU_MIN = 576;
/** What is used of a larger MTU, if nothing else is asked for: what every switch passes. */
export const MTU_DEFAULT = 1500;
/** The most that may be asked for: jumbo frames. */
export const MTU_MAX = 9000;

/**
 * The part of the core's memory that a card reads and writes. All offsets are in
 * bytes from the start of `memory`, the buffer of the core's (shared) WebAssembly memory.
 */
export interface FrameArea {
  /** The whole memory of the core. It never grows once a card holds it. */
  readonly memory: Uint8Array;
  /** First receive slot. Frame `i` starts at `rxSlots + i * rxSlotBytes + SLOT_OFFSET`. */
  readonly rxSlots: number;
  /** Bytes of one receive slot, a multiple of 8, at least SLOT_OFFSET + 14 + MTU. */
  readonly rxSlotBytes: number;
  /** Number of receive slots: the most frames one `receive` can deliver. */
  readonly rxCapacity: number;
  /** `rxCapacity` lengths, u32 each: bytes of frame `i` from its link header on. */
  readonly rxLengths: number;
  /** Frames to send: pairs of u32, offset of the frame's first byte and its length. */
  readonly txDescriptors: number;
  /** Number of descriptors that fit. */
  readonly txCapacity: number;
}

/**
 * What a wait ended with; any combination, 0 when only the time was up (or a lost
 * interface came back). `down`: the interface is lost; waits still sleep, and look for it.
 */
export const WAIT = { frames: 1, woken: 2, down: 4 } as const;

/**
 * How a card waits: `no`: asleep; `auto`: when frames come close upon each other it gives its core to
 * whoever has work before it sleeps; `yes`: it never sleeps, which takes a core of its own.
 */
export type BusyPoll = "auto" | "yes" | "no";

/** Counters since the card was opened. */
export interface NicStats {
  /** Messages: a frame may have two. */
  receivedFrames: number;
  sentFrames: number;
  /** Frames the kernel dropped because the socket's receive buffer was full. */
  droppedByKernel: number;
  /** Frames longer than a slot, cut by the kernel and thrown away here. */
  truncated: number;
  /** Frames that could not be sent (no buffer, interface down, unreachable). */
  sendFailures: number;
  /** How many times the interface was lost and came back. */
  flaps: number;
}

/** A network card as the node cycle sees it. No call blocks but `wait`. */
export interface Nic {
  /**
   * This node's own 6-byte link address: a MAC, or IPv4 address and port in network
   * order. Its bytes change if a lost interface came back with another address; the
   * card puts the address that is right into each frame's source itself.
   */
  readonly address: Uint8Array;
  /** The 6-byte link address that reaches every node of the cluster. */
  readonly group: Uint8Array;
  /** Most bytes that may follow the link header. */
  readonly mtu: number;
  /** Fills receive slots from 0 on with whole frames meant for this node; returns how many. */
  receive(): number;
  /**
   * Sends the frames of descriptors `first` to `first + count - 1`, in order. A frame
   * that cannot be sent is counted and dropped, as a switch would; the protocol repeats it.
   * With a full card it may take 10 ms. Throws if a descriptor points outside of the memory.
   */
  send(first: number, count: number): void;
  /** Sleeps until a frame arrived, `wake` was called, or `timeout_us` is over (negative: no limit). */
  wait(timeout_us: number): number;
  /** A file descriptor for `wake()` in `ffi/shim.ts`, with which another thread ends a wait; -1: none. */
  readonly wakeFd: number;
  /** A copy of the counters. */
  stats(): NicStats;
  /** Releases the card. Further calls throw. */
  close(): void;
}
