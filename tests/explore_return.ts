/**
 * A world in which an acceptor loses its memory and comes back, while two proposers disagree.
 *
 * Proposer 1, which is acceptor 1 too, leads in ballot 1.1 and proposes x; proposer 2 has heard of it
 * and may campaign in 2.2 with a value of its own. Acceptor 3 may restart at any moment, and forget. When
 * proposer 1 hears so it begins phase 1 of 2.1, without acceptor 3, and lets it rejoin. So what the old
 * memory promised to 2.2 may meet what the new one accepts in 2.1, which is lower: all that the return
 * must get right is here, in any order.
 */
import { Role } from "../core/layout.ts";
import type { FrameFields } from "../sim/decode.ts";
import type { NodePlan, World } from "./explorer.ts";

/** The highest ballot there is in this world, 2.2. */
const HIGHEST = 2n << 16n | 2n;

/** Proposer 1 leads, with the promise of acceptor 2, and has a value to propose. */
const LED = [
  "proposer+acceptor 1 waits",
  "proposer+acceptor 1 goes on",
  "acceptor 2 receives 1A 1.1 of proposer 1",
  "proposer+acceptor 1 receives 1B 1.1 of acceptor 2, decided 1, []",
  "proposer+acceptor 1 receives submit of client 101: x (1/1)",
  "proposer 2 receives 2A 1.1 of proposer 1, decided 1, instance 1: x (1/1)",
];

/** What else nodes hear; it makes the world larger, by factors. */
export interface ReturnChoices {
  /** Acceptors hear the 2A of the highest ballot. */
  readonly highest?: boolean;
  /** Proposers hear 2B, and acceptors heartbeats: nodes learn what is decided. */
  readonly decided?: boolean;
}

/** The world of these choices. */
export function returnWorld(choices: ReturnChoices = {}): World {
  return {
    nodes: [
      { roles: Role.proposer | Role.acceptor, id: 1, campaigns: 2 },
      { roles: Role.proposer, id: 2, campaigns: 1 },
      { roles: Role.acceptor, id: 2 },
      { roles: Role.acceptor, id: 3, restarts: 1 },
    ],
    instances: 1,
    rounds: 2,
    submits: [{ to: 1, value: "x" }, { to: 2, value: "y" }],
    confirmed: true,
    // That one that forgot does not vote before it learns so is shown in worlds of its own.
    informed: true,
    prelude: LED,
    lost: ["reject", "submit", "repair", "learned", "ok", "forgot"],
    unheard: (frame, node) => isUnheard(frame, node, choices),
  };
}

function isUnheard(
  { body, ballot }: FrameFields,
  { roles, id }: NodePlan,
  { highest = false, decided = false }: ReturnChoices,
): boolean {
  switch (body.type) {
    case "prepare":
    case "promise":
      // The first phase 1 is over.
      return ballot >> 16n === 1n;
    case "accept":
      // Nothing is above it, so who accepts it only takes no part below any more: that can be waited for.
      return ballot === HIGHEST && !highest;
    case "accepted":
      // What is chosen is seen from outside; no node need know.
      return !decided;
    case "heartbeat":
      // It tells who rejoined. Acceptors have that from 1A.
      return body.rejoined.ballot === 0n ||
        (roles & Role.acceptor) !== 0 && !decided;
    case "hi":
      return body.state !== "recovers" ||
        (roles & Role.proposer) === 0 || id !== 1;
    default:
      return false;
  }
}
