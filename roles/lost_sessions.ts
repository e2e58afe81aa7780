/** Sessions that a client lost: what that means, and what to do. */
import type { CoreEvent } from "../core/core.ts";
import {
  ASSEMBLIES_MAX,
  Event,
  SESSION_SPAN,
  SESSIONS_MAX,
} from "../core/layout.ts";
import { UserError } from "./errors.ts";

/** Client numbers that are named; of more only how many. */
const NAMED_MOST = 8;

/** The virtual clients of a process that learners refuse. */
export class LostSessions {
  readonly #expired: bigint[] = [];
  readonly #refused: bigint[] = [];

  /** Takes note of an event if it tells of a lost session. */
  note({ code, large }: CoreEvent): void {
    if (code === Event.sessionExpired) this.#expired.push(large);
    if (code === Event.sessionFull) this.#refused.push(large);
  }

  /** There are any. */
  get some(): boolean {
    return this.#expired.length + this.#refused.length > 0;
  }

  /** What the client ends with. */
  error(unanswered: number): UserError {
    const reasons: string[] = [];
    if (this.#expired.length > 0) {
      reasons.push(
        `the session of ${
          named(this.#expired)
        } expired: others needed its place, and it was not used for ${
          SESSION_SPAN.toLocaleString("en-US")
        } instances, because this process was out of reach or did not run`,
      );
    }
    if (this.#refused.length > 0) {
      reasons.push(
        `the learners have no room for ${
          named(this.#refused)
        }: they keep ${SESSIONS_MAX} sessions, and put together the large values of ${ASSEMBLIES_MAX} clients; stop other clients first`,
      );
    }
    const outcome = unanswered === 0
      ? "No value was unanswered; start the client again to go on"
      : `${unanswered} values were submitted and not answered, and it is unknown which of them were delivered: ` +
        "see what a learner delivered under these client numbers before you submit them again";
    return new UserError(`${reasons.join("; ")}. ${outcome}`);
  }
}

function named(clients: readonly bigint[]): string {
  const more = clients.length - NAMED_MOST;
  return `client ${clients.slice(0, NAMED_MOST).join(", ")}` +
    (more > 0 ? ` and ${more} more` : "");
}
