/**
 * What an acceptor may not trim: what a learner that it heard of lately has not delivered, unless that
 * did not go on for as long as patience with it lasts.
 */
import { Violation } from "./violation.ts";

/**
 * A learner that was heard within this time is surely registered: leases last a second, and clocks
 * run at most a tenth too fast.
 */
const REGISTERED_US = 500_000;
/** A clock that runs at most a tenth too fast shows a patience when this part of it has passed. */
const PATIENCE_PART = 0.9;

interface Registration {
  readonly id: number;
  /** The most that it ever said to have delivered. */
  delivered: number;
  /** The most that the acceptor had certainly heard of it when it was last heard. */
  told: number;
  /** What it said since it may last have been taken for gone: an old frame may have registered it anew. */
  least: number;
  heard_us: number;
  /** When it was heard first, or last said more than before. */
  moved_us: number;
  /** It was left behind and has not gone on since. */
  left: boolean;
  /** The acceptor still had what it needs when it was heard first; undefined: that is not known yet. */
  served?: boolean;
}

/** Of one acceptor's process. */
export class RegistryModel {
  /** It may have heard what nobody else saw. */
  blind = false;
  readonly #name: string;
  readonly #patience_us: number;
  readonly #learners = new Map<number, Registration>();

  /** @param patience_us How long a full log waits for a learner that does not go on. */
  constructor(name: string, patience_us: number) {
    this.#name = name;
    this.#patience_us = patience_us;
  }

  /** A learner said hi; `delivered` 0: nothing need be kept for it. */
  hi(id: number, incarnation: number, delivered: number, now_us: number): void {
    this.relax(incarnation, delivered);
    if (delivered === 0) return;
    const known = this.#learners.get(incarnation);
    if (known === undefined) {
      const least = delivered;
      this.#learners.set(incarnation, {
        id,
        delivered,
        told: delivered,
        least,
        heard_us: now_us,
        moved_us: now_us,
        left: false,
      });
    } else {
      // Between the two it may have been taken for gone.
      if (now_us - known.heard_us > REGISTERED_US) {
        known.served = undefined;
        known.least = delivered;
      }
      // Relaxing took note of how far it is; when it got there counts from now.
      if (known.delivered > known.told) {
        known.told = known.delivered;
        known.moved_us = now_us;
        // What was not kept for it while it was left behind may be gone.
        if (known.left) {
          known.left = false;
          known.served = undefined;
          known.least = delivered;
        }
      }
      known.least = Math.max(known.least, delivered);
      known.heard_us = now_us;
    }
  }

  /** It needs nothing below `delivered`; 0: it needs nothing at all, since it left or cannot be helped. */
  relax(incarnation: number, delivered: number): void {
    const known = this.#learners.get(incarnation);
    if (delivered === 0) this.#learners.delete(incarnation);
    else if (known !== undefined) {
      known.delivered = Math.max(known.delivered, delivered);
    }
  }

  /** The acceptor leaves a learner of this id behind. */
  leave(id: number, now_us: number): void {
    if (this.blind) return;
    const stuck = [...this.#learners.values()].filter((learner) =>
      learner.id === id &&
      now_us - learner.moved_us >= this.#patience_us * PATIENCE_PART
    );
    // Which incarnation is meant the event does not say.
    for (const learner of stuck) learner.left = true;
    if (stuck.length > 0) return;
    throw new Violation(
      "trim",
      `${this.#name} leaves learner ${id} behind, which went on less than ${
        this.#patience_us / 1000
      } ms before`,
    );
  }

  /** The acceptor lost its memory: what learners need of what it had, it cannot give up. */
  beginAnew(): void {
    for (const learner of this.#learners.values()) learner.served = undefined;
  }

  /** The acceptor tells that it has nothing below `trimmed`. */
  trim(trimmed: number, now_us: number): void {
    if (this.blind) return;
    for (const learner of this.#learners.values()) {
      if (learner.left || now_us - learner.heard_us > REGISTERED_US) continue;
      learner.served ??= trimmed <= learner.least;
      if (!learner.served || trimmed <= learner.delivered) continue;
      throw new Violation(
        "trim",
        `${this.#name} trimmed all below ${trimmed}, and a learner that it heard ${
          (now_us - learner.heard_us) / 1000
        } ms before had delivered only up to ${learner.delivered}`,
      );
    }
  }
}
