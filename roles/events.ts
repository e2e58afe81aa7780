/** The core's events as log lines. */
import type { CoreEvent } from "../core/core.ts";
import { BALLOT_ID_BITS, Event } from "../core/layout.ts";
import type { Configuration } from "./config.ts";
import { formatDuration } from "./duration.ts";

/** A log line before it is formatted. */
export interface Entry {
  level: "error" | "warn" | "info" | "debug";
  message: string;
  fields: Record<string, string | number>;
}

/** A ballot as ROUND.PROPOSER. */
export function ballotText(ballot: bigint | number): string {
  const value = BigInt(ballot);
  const id = value & ((1n << BigInt(BALLOT_ID_BITS)) - 1n);
  return `${value >> BigInt(BALLOT_ID_BITS)}.${id}`;
}

/**
 * What an event says to a person. Ballots are written round.proposer.
 *
 * @param configuration The core names acceptors by their position in it.
 */
export function describe(
  { code, small, large }: CoreEvent,
  { acceptors, learnerPatience_ms }: Configuration,
): Entry {
  switch (code) {
    case Event.leading:
      return {
        level: "info",
        message: "leading",
        fields: { ballot: ballotText(large) },
      };
    case Event.preparing:
      return {
        level: "debug",
        message: "preparing",
        fields: { ballot: ballotText(large) },
      };
    case Event.preempted:
      return {
        level: "info",
        message: "preempted by a higher ballot; stepping down",
        fields: { ballot: ballotText(large) },
      };
    case Event.acceptorForgot:
      return {
        level: "warn",
        message:
          `acceptor ${small} restarted without its memory, so its votes no longer count (or two nodes have this id)`,
        fields: { acceptor: small },
      };
    case Event.behindTrim:
      return {
        level: "error",
        message:
          `behind: every acceptor that is heard has discarded the next instance; the lowest to be had is ${large}`,
        fields: { instance: Number(large) },
      };
    case Event.unobtainable:
      return {
        level: "warn",
        message:
          `waiting: no acceptor that is heard can tell what was decided for instance ${large}; ` +
          "start those that are missing with what they have stored",
        fields: { instance: Number(large) },
      };
    case Event.logFull:
      return {
        level: "warn",
        message: small === 0
          ? "the log is full of undecided instances: no vote"
          : `the log is full of what learner ${small} has not delivered: no vote until it does, or leaves`,
        fields: { instance: Number(large), learner: small },
      };
    case Event.storageFull:
      return {
        level: "warn",
        message: small === 0
          ? "storage is full: no vote for new instances before there is room (a larger lmdb-mapsize, or space on its disk)"
          : `storage is full of what learner ${small} has not delivered: no vote for new instances until it does, or leaves`,
        fields: { instance: Number(large), learner: small },
      };
    case Event.storageFailed:
      return {
        level: "error",
        message:
          "storage failed, so this acceptor does not vote any more and says nothing that depends on it; " +
          "the others go on while they are a majority. Repair its disk, or give it an empty directory, and start this node again",
        fields: {},
      };
    case Event.checkpointsFailed:
      return {
        level: "error",
        message:
          "storage failed, so this learner makes no more checkpoints; it goes on delivering. " +
          `When it is started again it goes on at instance ${large} or a little later, and delivers again what follows, ` +
          "if acceptors still have it: they no longer keep it for this learner. Repair its disk, or give it an empty directory, and start this node again soon",
        fields: { checkpoint: Number(large) },
      };
    case Event.learnerHi:
      return {
        level: "debug",
        message: "learner registered",
        fields: { learner: small, next: Number(large) },
      };
    case Event.learnerBye:
      return {
        level: "debug",
        message: "learner left",
        fields: { learner: small, next: Number(large) },
      };
    case Event.learnerGone:
      return {
        level: "info",
        message: "learner is gone: it no longer renews",
        fields: { learner: small, next: Number(large) },
      };
    case Event.leftBehind:
      return {
        level: "warn",
        message:
          `learner ${small} is left behind at instance ${large}: it did not go on for ${
            formatDuration(learnerPatience_ms)
          } while the log was full`,
        fields: { learner: small, next: Number(large) },
      };
    case Event.leaderHeard:
      return {
        level: "info",
        message: `proposer ${small} leads`,
        fields: { ballot: ballotText(large) },
      };
    case Event.recovering:
      return {
        level: "warn",
        message:
          "this acceptor restarted without its memory and has forgotten its promises, so it does not vote; " +
          "it may again when a leader that a majority of the others elected lets it rejoin. If it did not restart, another node has its id",
        fields: { known_by: small },
      };
    case Event.rejoining:
      return {
        level: "info",
        message: `proposer ${small} lets this acceptor rejoin`,
        fields: { ballot: ballotText(large) },
      };
    case Event.rejoined:
      return {
        level: "info",
        message: "this acceptor votes again",
        fields: {},
      };
    case Event.refilled:
      if (small > 0) {
        return {
          level: "warn",
          message:
            `this acceptor has fetched what it may have held before its restart, but for ${small} instances, ` +
            "of which no other could say alone what was decided: replace no other acceptor's disk before every learner has them",
          fields: { lowest: Number(large), missing: small },
        };
      }
      return {
        level: "info",
        message:
          "this acceptor has fetched what it may have held before its restart, as far as others have it",
        fields: { lowest: Number(large) },
      };
    case Event.unpromised:
      return {
        level: "warn",
        message:
          `no majority promises: no answer from ${idsOf(large, acceptors)}` +
          (small === 0
            ? ""
            : `; ${
              idsOf(BigInt(small), acceptors)
            } restarted without their memory and cannot be let in before a majority of acceptors remembers. ` +
              "If their memory is lost for good, so is what only they knew: stop all nodes and clients and start anew"),
        fields: {},
      };
    case Event.isolated:
      return {
        level: "warn",
        message:
          "this leader hears no majority of acceptors any more, and steps down",
        fields: {},
      };
    case Event.unconfirmed: {
      return {
        level: "warn",
        message:
          `waiting for ${
            idsOf(large, acceptors)
          }: this one remembers nothing, and votes only when all others confirm that it is new. ` +
          "Start them; or, if no acceptor of this cluster ever ran before, start this one with --new-cluster",
        fields: {},
      };
    }
    case Event.confirmed:
      return {
        level: "debug",
        message: "all other acceptors confirm that this one is new",
        fields: {},
      };
    case Event.sessionExpired:
      return {
        level: "error",
        message: `the session of client ${large} expired`,
        fields: {},
      };
    case Event.sessionFull:
      return {
        level: "error",
        message: `the learners have no room for client ${large}`,
        fields: {},
      };
  }
}

/** The acceptors whose bits are set: "acceptor 2", "acceptors 1, 3". */
function idsOf(
  bits: bigint,
  acceptors: readonly { readonly id: number }[],
): string {
  const ids = acceptors.filter((_, i) => (bits >> BigInt(i) & 1n) === 1n)
    .map(({ id }) => id);
  return `acceptor${ids.length === 1 ? "" : "s"} ${ids.join(", ")}`;
}
