/** The shim's own echo floor: what the card reaches with no protocol, to measure a protocol against. */
import type { ShimCard } from "./card.ts";
import { systemError } from "./errno.ts";
import { LINK_HEADER_BYTES } from "./nic.ts";
import { shim } from "./shim.ts";

/** What to measure against an echoing card. */
export interface FloorOptions {
  /** Link address of the card that runs `echo`. */
  readonly peer: Uint8Array;
  /** How long each of the two measurements runs. */
  readonly seconds: number;
  /** Frames under way in the second measurement. */
  readonly window: number;
  /** Bytes behind the link header; at least 46, the least that Ethernet carries. */
  readonly payloadBytes: number;
}

/** What a card and its echo reached. */
export interface Floor {
  /** Round trips of one frame at a time, a second. */
  readonly roundTrips_per_s: number;
  /** Their latency. */
  readonly latency_us: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Frames a second that came back with `window` frames under way. */
  readonly frames_per_s: number;
}

const SAMPLES_MAX = 1 << 20;

/**
 * Sends every frame that the card receives back to its sender, for `seconds`.
 * It blocks its thread. Returns how many frames were sent back.
 */
export function echo(card: ShimCard, seconds: number): number {
  const echoed = shim.kp_echo(card.handle, seconds);
  if (echoed < 0) throw systemError(echoed, "echo frames");
  return echoed;
}

/**
 * Measures round trips to a card that runs `echo` meanwhile: first one at a time,
 * then `window` at once. It blocks its thread for twice `seconds` and uses the
 * card's receive slots and descriptors, so no node may run on this card.
 *
 * @throws {RangeError} if the window or the payload does not fit the card.
 * @throws {Error} if nothing came back.
 */
export function measureFloor(card: ShimCard, options: FloorOptions): Floor {
  const { peer, seconds, window, payloadBytes } = options;
  const windowMax = Math.min(card.area.rxCapacity, card.area.txCapacity);
  if (window < 1 || window > windowMax) {
    throw new RangeError(`The window must be from 1 to ${windowMax}`);
  }
  if (payloadBytes < 46 || payloadBytes > card.mtu) {
    throw new RangeError(`The payload must be from 46 to ${card.mtu} bytes`);
  }
  const samples = new Uint32Array(SAMPLES_MAX);
  const run = (frames: number) => {
    const returned = shim.kp_pingpong(
      card.handle,
      peer as Uint8Array<ArrayBuffer>,
      LINK_HEADER_BYTES + payloadBytes,
      frames,
      seconds,
      samples,
      samples.length,
    );
    if (returned < 0) throw systemError(returned, "measure the echo floor");
    if (returned === 0) {
      throw new Error("Cannot measure the echo floor: no echo came back");
    }
    return returned;
  };
  const roundTrips = run(1);
  // Frames that came late leave no sample, so there may be fewer than round trips.
  const sorted = samples.filter((sample_ns) => sample_ns > 0).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] /
    1000;
  const latency_us = { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  return {
    roundTrips_per_s: roundTrips / seconds,
    latency_us,
    frames_per_s: run(window) / seconds,
  };
}
