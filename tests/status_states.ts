/** Made-up states of nodes, as tests of `kpaxos status` need them. */
import { Voting } from "../core/layout.ts";
import type { NodeStatus, RoleName, Seen } from "../roles/status_answers.ts";
import type { Look } from "../roles/status_verdict.ts";
import { ballotOf } from "./encode.ts";

/** Ballot 1.1, of proposer 1. */
export const BALLOT = Number(ballotOf(1, 1));

/** A node that stands still unless `before` says how its fields were at the first answer. */
export function seen(
  roles: readonly RoleName[],
  id: number,
  fields: NodeStatus["fields"],
  rest: Partial<Pick<NodeStatus, "counters" | "peers">> & {
    readonly before?: NodeStatus["fields"];
  } = {},
): Seen {
  const { before = {}, ...more } = rest;
  const last: NodeStatus = {
    roles,
    id,
    incarnation: 1000 + id,
    fields,
    counters: {},
    peers: [],
    ...more,
  };
  const first = { ...last, fields: { ...fields, ...before } };
  return { first, last, elapsed_us: 750_000 };
}

/** A replica that votes; the first one leads. */
export function replica(
  id: number,
  fields: NodeStatus["fields"] = {},
  rest: Parameters<typeof seen>[3] = {},
): Seen {
  return seen(["proposer", "acceptor", "learner"], id, {
    roles: 7,
    promised: BALLOT,
    leaderBallot: BALLOT,
    leaderSilence_ms: id === 1 ? 0 : 20,
    proposerState: id === 1 ? 2 : 0,
    decided: 100,
    delivered: 100,
    trimmed: 1,
    voting: Voting.votes,
    logFull: 0,
    logHolder: 0,
    paused: 0,
    behind: 0,
    ...fields,
  }, rest);
}

/** What `kpaxos status` saw of a cluster of three replicas. */
export function look(nodes: readonly Seen[], rest: Partial<Look> = {}): Look {
  return {
    nodes,
    acceptors: [1, 2, 3],
    proposers: [1, 2, 3],
    cluster: 1,
    interfaceName: "eth0",
    interfaceDown: false,
    ...rest,
  };
}
