/** What an acceptor may not trim: what a learner that it heard of lately has not delivered. */
import { Violation } from "./violation.ts";

/**
 * A learner that was heard within this time is surely registered: leases last a second, and clocks
 * run at most a tenth too fast.
 */
const REGISTERED_US = 500_000;

interface Registration {
  /** The most that it ever said to have delivered. */
  delivered: number;
  /** What it said since it may last have been taken for gone: an old frame may have registered it anew. */
  least: number;
  heard_us: number;
  /** The acceptor still had what it needs when it was heard first; undefined: that is not known yet. */
  served?: boolean;
}

/** Of one acceptor's process. */
export class RegistryModel {
  /** It may have heard what nobody else saw. */
  blind = false;
  readonly #name: string;
  readonly #learners = new Map<number, Registration>();

  constructor(name: string) {
    this.#name = name;
  }

  /** A learner said hi; `delivered` 0: nothing need be kept for it. */
  hi(incarnation: number, delivered: number, now_us: number): void {
    this.relax(incarnation, delivered);
    if (delivered === 0) return;
    const known = this.#learners.get(incarnation);
    if (known === undefined) {
      const least = delivered;
      this.#learners.set(incarnation, { delivered, least, heard_us: now_us });
    } else {
      // Between the two it may have been taken for gone.
      if (now_us - known.heard_us > REGISTERED_US) {
        known.served = undefined;
        known.least = delivered;
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

  /** The acceptor lost its memory: what learners need of what it had, it cannot give up. */
  beginAnew(): void {
    for (const learner of this.#learners.values()) learner.served = undefined;
  }

  /** The acceptor tells that it has nothing below `trimmed`. */
  trim(trimmed: number, now_us: number): void {
    if (this.blind) return;
    for (const learner of this.#learners.values()) {
      if (now_us - learner.heard_us > REGISTERED_US) continue;
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
