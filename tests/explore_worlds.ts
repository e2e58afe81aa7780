/**
 * Small worlds to explore: two proposers, three acceptors, a value for each proposer.
 *
 * The more may happen the more states there are, by factors; so each world is rich in one respect.
 */
import { Role } from "../core/layout.ts";
import type { MessageName } from "../sim/decode.ts";
import type { NodePlan, World } from "./explorer.ts";

/**
 * Frames that only hasten what happens without them too: who is preempted, who leads, who is alive;
 * and values on their way from one proposer to another.
 */
export const NOISE: readonly MessageName[] = [
  "heartbeat",
  "reject",
  "submit",
  "hi",
  "ok",
];

/** In which respects a world is rich. */
export interface WorldChoices {
  /** Five processes, one role each; otherwise three, and proposers 1 and 2 are acceptors too. */
  readonly apart?: boolean;
  /** Highest instance (default 1). */
  readonly instances?: number;
  /** How often proposer 1 and proposer 2 campaign (default once each). */
  readonly campaigns?: readonly [number, number];
  /** How often each leader repeats heartbeat and unanswered 2A (default never). */
  readonly beats?: number;
  /** Highest round of a ballot (default: as high as it gets). */
  readonly rounds?: number;
  /** How often acceptor 3 is killed and started anew (default never). */
  readonly restarts?: number;
  /** Proposer 1 is a learner too. */
  readonly learner?: boolean;
  /** Proposer 2 has no value of its own. */
  readonly oneValue?: boolean;
  /** Types of frames that always get lost (default: `NOISE`, but for what a restart needs). */
  readonly lost?: readonly MessageName[];
}

/** The world of these choices. */
export function smallWorld(choices: WorldChoices): World {
  const { instances = 1, restarts = 0, rounds, oneValue = false } = choices;
  const needed = restarts > 0 ? ["hi", "ok"] : [];
  return {
    nodes: nodesOf(choices),
    instances,
    rounds,
    submits: [{ to: 1, value: "x" }, { to: 2, value: "y" }].slice(
      0,
      oneValue ? 1 : 2,
    ),
    confirmed: restarts > 0,
    lost: choices.lost ?? NOISE.filter((type) => !needed.includes(type)),
  };
}

function nodesOf(choices: WorldChoices): NodePlan[] {
  const { apart = false, learner = false, campaigns = [1, 1] } = choices;
  const { beats = 0, restarts = 0 } = choices;
  const proposer = (id: number): NodePlan => ({
    roles: Role.proposer | (apart ? 0 : Role.acceptor) |
      (learner && id === 1 ? Role.learner : 0),
    id,
    campaigns: campaigns[id - 1],
    beats,
  });
  const acceptor = (id: number): NodePlan => ({
    roles: Role.acceptor,
    id,
    restarts: id === 3 ? restarts : 0,
  });
  return apart
    ? [proposer(1), proposer(2), acceptor(1), acceptor(2), acceptor(3)]
    : [proposer(1), proposer(2), acceptor(3)];
}
