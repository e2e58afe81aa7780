/** What the core notes in a step, in a few words. `roles/events.ts` has the sentences of a node's log. */
import type { CoreEvent } from "../core/core.ts";
import { Event } from "../core/layout.ts";
import { ballotText } from "../roles/events.ts";

/** An event's words, and how much it matters. */
export function eventText(
  { code, small, large }: CoreEvent,
): { text: string; level: "info" | "warn" | "error" } {
  const info = (text: string) => ({ text, level: "info" as const });
  const warn = (text: string) => ({ text, level: "warn" as const });
  switch (code) {
    case Event.leading:
      return info(`leads in ballot ${ballotText(large)}`);
    case Event.preparing:
      return info(`prepares ballot ${ballotText(large)}`);
    case Event.preempted:
      return warn(`preempted by ballot ${ballotText(large)}`);
    case Event.leaderHeard:
      return info(`hears a leader in ballot ${ballotText(large)}`);
    case Event.acceptorForgot:
      return warn(`acceptor ${small} has forgotten; its votes do not count`);
    case Event.behindTrim:
      return warn(`is behind: nobody has instances below ${large}`);
    case Event.unobtainable:
      return warn(`waits: nobody it hears can tell instance ${large}`);
    case Event.logFull:
      return warn(`its log is full, instance ${large} did not fit`);
    case Event.learnerHi:
      return info(`learner ${small} registers`);
    case Event.learnerBye:
      return info(`learner ${small} says goodbye`);
    case Event.learnerGone:
      return warn(`learner ${small} is gone`);
    case Event.recovering:
      return warn("was told that it has forgotten: it recovers");
    case Event.rejoining:
      return info(`rejoins in ballot ${ballotText(large)}`);
    case Event.rejoined:
      return info("votes again");
    case Event.refilled:
      return info(`has fetched what it had forgotten, from ${large} on`);
    case Event.unpromised:
      return warn("finds no majority that promises");
    case Event.isolated:
      return warn("hears no majority any more, and steps down");
    case Event.checkpointsFailed:
      return warn(`its storage failed; its last checkpoint is of ${large}`);
    case Event.leftBehind:
      return warn(`leaves learner ${small} behind at instance ${large}`);
    case Event.unconfirmed:
      return warn("waits for others to confirm that it is new");
    case Event.confirmed:
      return info("all others confirmed that it is new");
    case Event.sessionExpired:
      return warn(`is told that the session of client ${large} expired`);
    case Event.sessionFull:
      return warn(`is told that there is no room for client ${large}`);
    default:
      return info(`event ${code} ${small} ${large}`);
  }
}
