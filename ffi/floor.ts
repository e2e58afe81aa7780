/** The shim's own floor: what cards reach over the same hops with no protocol, to measure a protocol against. */
import type { ShimCard } from "./card.ts";
import { systemError } from "./errno.ts";
import { LINK_HEADER_BYTES } from "./nic.ts";
import { shim } from "./shim.ts";

/** What to measure against an echoing card, or the leader of a relay. */
export interface FloorOptions {
  /** Link address of the card that runs `relay`. */
  readonly peer: Uint8Array;
  /** How long each of the two measurements runs. */
  readonly seconds: number;
  /** Frames under way in the second measurement. */
  readonly window: number;
  /** Bytes behind the link header in the second measurement; at least 46, the least that Ethernet carries. */
  readonly payloadBytes: number;
  /** The same in the first. */
  readonly loneBytes: number;
  /** Ask for frames again and again in place of sleeping until they come. */
  readonly spins: boolean;
}

/** What cards reached. */
export interface Floor {
  /** Answers of one frame at a time, a second. */
  readonly roundTrips_per_s: number;
  /** From a frame to its answer. */
  readonly latency_us: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Frames a second that were answered with `window` frames under way. */
  readonly frames_per_s: number;
}

/** What a card does with frames: sends them back, spreads them as a leader, answers bursts as an acceptor. */
export const RELAY_ROLES = { echo: 0, leader: 1, acceptor: 2 } as const;

/** A word of `RELAY_ROLES`. */
export type RelayRole = keyof typeof RELAY_ROLES;

const SAMPLES_MAX = 1 << 20;

/**
 * Handles every frame that the card receives, for `seconds`. It blocks its thread.
 * Returns how many frames were sent.
 */
export function relay(
  card: ShimCard,
  role: RelayRole,
  seconds: number,
  spins = false,
): number {
  const sent = shim.kp_relay(card.handle, RELAY_ROLES[role], spins, seconds);
  if (sent < 0) throw systemError(sent, "relay frames");
  return sent;
}

/**
 * Measures how long frames take to an echo, or through a relay, and back: first one
 * at a time, then `window` at once. It blocks its thread for twice `seconds` and uses
 * the card's receive slots and descriptors, so no node may run on this card.
 *
 * @throws {RangeError} if the window or the payload does not fit the card.
 * @throws {Error} if nothing came back.
 */
export function measureFloor(card: ShimCard, options: FloorOptions): Floor {
  const { peer, seconds, window, payloadBytes, loneBytes, spins } = options;
  const windowMax = Math.min(card.area.rxCapacity, card.area.txCapacity);
  if (window < 1 || window > windowMax) {
    throw new RangeError(`The window must be from 1 to ${windowMax}`);
  }
  if (
    Math.min(payloadBytes, loneBytes) < 46 ||
    Math.max(payloadBytes, loneBytes) > card.mtu
  ) {
    throw new RangeError(`The payload must be from 46 to ${card.mtu} bytes`);
  }
  const samples = new Uint32Array(SAMPLES_MAX);
  const run = (frames: number, bytes: number) => {
    const answered = shim.kp_drive(
      card.handle,
      peer as Uint8Array<ArrayBuffer>,
      LINK_HEADER_BYTES + bytes,
      frames,
      spins,
      seconds,
      samples,
      samples.length,
    );
    if (answered < 0) throw systemError(answered, "measure the floor");
    if (answered === 0) {
      throw new Error("Cannot measure the floor: no frame came back");
    }
    return answered;
  };
  const roundTrips = run(1, loneBytes);
  // Frames that were lost leave no sample.
  const sorted = samples.filter((sample_ns) => sample_ns > 0).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] /
    1000;
  const latency_us = { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  return {
    roundTrips_per_s: roundTrips / seconds,
    latency_us,
    frames_per_s: run(window, payloadBytes) / seconds,
  };
}
