/** Whether a cluster can decide, and if not why, from what its nodes told of themselves. */
import { BALLOT_ID_BITS, StorageCondition, Voting } from "../core/layout.ts";
import { interfaceIsDown, noAnswer } from "./diagnosis.ts";
import { ballotText } from "./events.ts";
import {
  lagOf,
  nodeName,
  type NodeStatus,
  type RoleName,
  type Seen,
} from "./status_answers.ts";

/** All that was seen of a cluster. */
export interface Look {
  readonly nodes: readonly Seen[];
  /** Ids, as configured. */
  readonly acceptors: readonly number[];
  readonly proposers: readonly number[];
  readonly cluster: number;
  readonly interfaceName: string;
  readonly interfaceDown: boolean;
}

/** The leader, as it says itself or as others heard. */
export interface Leader {
  readonly id: number;
  readonly ballot: number;
}

/** What a look says of the cluster. */
export interface Verdict {
  /** There is a leader, and a majority of acceptors votes. */
  readonly ok: boolean;
  readonly leader?: Leader;
  /** Ids of the acceptors that vote. */
  readonly voting: readonly number[];
  /** Acceptors that make a majority. */
  readonly quorum: number;
  /** Why it is not ok. */
  readonly problems: readonly string[];
  /** What else is not as it should be. */
  readonly warnings: readonly string[];
}

/** States of a proposer; see `StatusField`. */
const PREPARING = 1;
const LEADING = 2;
/** A leader that does not answer leads still, if somebody heard it this lately: ten of its heartbeats. */
const HEARD_MS = 500;
/** A learner that lags less than this is on its way: a burst is no news. */
const LAG_WORTH_A_WORD = 2048;

/** Judges a cluster by what its nodes said. */
export function judge(look: Look): Verdict {
  const { acceptors, interfaceName, cluster, nodes } = look;
  const quorum = Math.floor(acceptors.length / 2) + 1;
  const voting = acceptors.filter((id) => {
    const node = find(look, "acceptor", id);
    return node !== undefined && whyNoVote(node.last) === undefined;
  });
  const leader = leaderOf(look);
  const members = nodes.filter(({ last }) => !isClient(last));
  const base = { leader, voting, quorum };
  if (look.interfaceDown || members.length === 0) {
    const problem = look.interfaceDown
      ? interfaceIsDown(interfaceName)
      : noAnswer(interfaceName, cluster);
    return { ...base, ok: false, problems: [problem], warnings: [] };
  }
  const problems: string[] = [];
  const notVoting = whoDoesNotVote(look);
  const warnings = voting.length < quorum ? [] : notVoting;
  if (voting.length < quorum) {
    problems.push(
      `no quorum: ${voting.length} of ${acceptors.length} acceptors ${
        voting.length === 1 ? "votes" : "vote"
      }, ${quorum} are needed; ` +
        notVoting.join("; "),
    );
  }
  if (leader === undefined) problems.push(whyNoLeader(look));
  warnings.push(...whoRejoins(look));
  const ok = problems.length === 0;
  if (ok) warnings.push(...whyNothingIsDecided(look, leader!));
  warnings.push(
    ...silentProposers(look),
    ...rivals(look, leader),
    ...withoutCheckpoints(look),
    ...learners(look),
    ...strangers(look),
  );
  return { ...base, ok, problems, warnings };
}

/** "acceptor 1", "acceptors 1 and 2", "acceptors 1, 2 and 3". */
export function named(what: string, ids: readonly number[]): string {
  if (ids.length === 1) return `${what} ${ids[0]}`;
  return `${what}s ${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
}

/** Why an acceptor does not vote, as a key; undefined: it does. */
export function whyNoVote(
  { fields }: NodeStatus,
):
  | "listening"
  | "unconfirmed"
  | "recovering"
  | "failed"
  | "storage"
  | "full"
  | undefined {
  switch (fields.voting) {
    case Voting.listening:
      return "listening";
    case Voting.unconfirmed:
      return "unconfirmed";
    case Voting.recovering:
      return "recovering";
    case Voting.failed:
      return "failed";
  }
  if (fields.storage === StorageCondition.full) return "storage";
  return fields.logFull === 1 ? "full" : undefined;
}

function find(look: Look, role: RoleName, id: number): Seen | undefined {
  return look.nodes.find(({ last }) =>
    last.id === id && last.roles.includes(role)
  );
}

function isClient({ roles }: NodeStatus): boolean {
  return roles.length === 1 && roles[0] === "client";
}

/** Why an acceptor does not vote, in words for all of which the same holds. */
interface Reason {
  /** The same for the same reason. */
  readonly key: string;
  readonly clause: (ids: readonly number[]) => string;
}

/** One clause for each reason that keeps acceptors from voting. */
function whoDoesNotVote(look: Look): string[] {
  const byKey = new Map<string, { reason: Reason; ids: number[] }>();
  for (const id of look.acceptors) {
    const node = find(look, "acceptor", id)?.last;
    const reason = node === undefined ? SILENT : reasonOf(node, look);
    if (reason === undefined) continue;
    const known = byKey.get(reason.key);
    if (known === undefined) byKey.set(reason.key, { reason, ids: [id] });
    else known.ids.push(id);
  }
  return [...byKey.values()].map(({ reason, ids }) => reason.clause(ids));
}

const SILENT: Reason = {
  key: "silent",
  clause: (ids) => doNotAnswer("acceptor", ids),
};

function doNotAnswer(what: string, ids: readonly number[]): string {
  return `${named(what, ids)} ${ids.length === 1 ? "does" : "do"} not answer`;
}

function reasonOf(node: NodeStatus, look: Look): Reason | undefined {
  const key = whyNoVote(node);
  const say = (one: string, several: string) => (ids: readonly number[]) =>
    `${named("acceptor", ids)} ${ids.length === 1 ? one : several}`;
  switch (key) {
    case undefined:
      return undefined;
    case "recovering":
      return { key, clause: say("lost its memory", "lost their memory") };
    case "failed":
      return {
        key,
        clause: (ids) =>
          `the storage of ${named("acceptor", ids)} failed: ${
            ids.length === 1 ? "its log says" : "their logs say"
          } why`,
      };
    case "storage": {
      const holder = node.fields.logHolder ?? 0;
      const remedy = holder === 0
        ? "give it a larger lmdb-mapsize, or its disk more room"
        : `it holds what learner ${holder} has not delivered: let that go on, or stop it`;
      return {
        key: `${key} ${holder}`,
        clause: (ids) =>
          `the storage of ${named("acceptor", ids)} is full: ${remedy}`,
      };
    }
    case "listening":
      return {
        key,
        clause: say(
          "started just now and listens first",
          "started just now and listen first",
        ),
      };
    case "unconfirmed": {
      const bits = node.fields.unconfirmed ?? 0;
      const missing = look.acceptors.filter((_, i) => (bits >> i & 1) === 1);
      const others = missing.length === 0
        ? "the others vouch"
        : `${named("acceptor", missing)} ${
          missing.length === 1 ? "vouches" : "vouch"
        }`;
      return {
        key: `${key} ${bits}`,
        clause: say(
          `waits until ${others} for it`,
          `wait until ${others} for them`,
        ),
      };
    }
    case "full": {
      const holder = node.fields.logHolder ?? 0;
      const contents = holder === 0
        ? "instances that are not decided"
        : `what learner ${holder} has not delivered: let it go on, or stop it`;
      return {
        key: `${key} ${holder}`,
        clause: (ids) =>
          ids.length === 1
            ? `the log of acceptor ${ids[0]} is full of ${contents}`
            : `the logs of ${named("acceptor", ids)} are full of ${contents}`,
      };
    }
  }
}

/** Acceptors that vote again after they lost their memory, but in one ballot alone. */
function whoRejoins({ nodes }: Look): string[] {
  return nodes.map(({ last }) => last)
    .filter(({ fields }) => fields.voting === Voting.rejoining)
    .map(({ id }) =>
      `acceptor ${id} lost its memory and rejoins: it votes for the leader, and promises nothing yet`
    );
}

/** The proposer that leads in the highest ballot; or, should its answers be lost, that others hear. */
function leaderOf({ nodes }: Look): Leader | undefined {
  let ballot = 0;
  for (const { last: { fields } } of nodes) {
    const { leaderBallot = 0, leaderSilence_ms = Infinity } = fields;
    if (fields.proposerState !== LEADING && leaderSilence_ms > HEARD_MS) {
      continue;
    }
    ballot = Math.max(ballot, leaderBallot);
  }
  if (ballot === 0) return undefined;
  return { id: ballot % 2 ** BALLOT_ID_BITS, ballot };
}

function whyNoLeader(look: Look): string {
  const clauses: string[] = [];
  for (const { last } of look.nodes) {
    if (last.fields.proposerState !== PREPARING) continue;
    clauses.push(
      `proposer ${last.id} campaigns, and waits for the promises of a majority of acceptors`,
    );
  }
  const silent = look.proposers.filter((id) =>
    find(look, "proposer", id) === undefined
  );
  if (silent.length > 0) {
    clauses.push(doNotAnswer("proposer", silent));
  }
  const heard = look.nodes.map(({ last }) => last.fields)
    .filter(({ leaderBallot }) => leaderBallot !== undefined)
    .sort((a, b) => a.leaderSilence_ms! - b.leaderSilence_ms!)[0];
  if (heard !== undefined) {
    clauses.push(
      `proposer ${
        heard.leaderBallot! % 2 ** BALLOT_ID_BITS
      } led last and was heard ${
        (heard.leaderSilence_ms! / 1000).toFixed(1)
      } s ago`,
    );
  }
  return clauses.length === 0
    ? "no leader"
    : `no leader: ${clauses.join("; ")}`;
}

/** With a leader and a quorum: what keeps values waiting, if some did during the whole look. */
function whyNothingIsDecided(look: Look, leader: Leader): string[] {
  const seen = find(look, "proposer", leader.id);
  if (seen === undefined) {
    return [`proposer ${leader.id} leads, as others hear, but does not answer`];
  }
  const { first, last, elapsed_us } = seen;
  const { windowUsed = 0, windowSize = 0, queueBytes = 0, next } = last.fields;
  const waits = windowUsed > 0 || queueBytes > 0;
  const moved = first.fields.decided !== last.fields.decided;
  if (!waits || moved || elapsed_us === 0) return [];
  const proposed = windowUsed >= windowSize
    ? `its window of ${windowSize} instances is full`
    : `${windowUsed} instances below ${next} are under way`;
  return [
    `proposer ${leader.id} leads, but decided nothing for ${
      (elapsed_us / 1e6).toFixed(1)
    } s: ${proposed}; do the acceptors hear it, and it them?`,
  ];
}

function silentProposers(look: Look): string[] {
  const silent = look.proposers.filter((id) =>
    find(look, "proposer", id) === undefined &&
    // Replicas that are silent as acceptors were named already.
    !(look.acceptors.includes(id) && find(look, "acceptor", id) === undefined)
  );
  return silent.length === 0 ? [] : [doNotAnswer("proposer", silent)];
}

/** Two may believe to lead: the one of the lower ballot is about to learn better. */
function rivals({ nodes }: Look, leader: Leader | undefined): string[] {
  return nodes.map(({ last }) => last).filter(({ fields }) =>
    fields.proposerState === LEADING && fields.leaderBallot !== leader?.ballot
  ).map(({ id, fields }) =>
    `proposer ${id} believes to lead too, in the lower ballot ${
      ballotText(fields.leaderBallot ?? 0)
    }`
  );
}

/** Learners without an acceptor whose storage failed: nothing else of them shows it. */
function withoutCheckpoints({ nodes }: Look): string[] {
  return nodes.map(({ last }) => last).filter(({ fields }) =>
    fields.voting === undefined && fields.storage === StorageCondition.failed
  ).map((node) =>
    `the storage of ${
      nodeName(node)
    } failed: it delivers, and makes no more checkpoints; its log says why`
  );
}

function learners({ nodes }: Look): string[] {
  return nodes.flatMap(({ first, last }) => {
    const name = nodeName(last);
    const { delivered, paused, behind } = last.fields;
    const lag = lagOf(last) ?? 0;
    if (behind === 1) {
      return [
        `${name} needs instance ${delivered}, which no acceptor has any more: ${
          wayOnOf(last)
        }`,
      ];
    }
    if (lag === 0) return [];
    const stands = first.fields.delivered === delivered;
    if (paused === 1 && stands) {
      return [
        `nobody reads what ${name} delivers: it stands at instance ${delivered}, ${lag} behind`,
      ];
    }
    if (lag < LAG_WORTH_A_WORD) return [];
    return [
      `${name} is ${lag} instances behind${
        stands && last !== first ? " and does not go on" : ""
      }`,
    ];
  });
}

/** What to do about a learner that is behind. */
function wayOnOf({ fields: { voting, storage } }: NodeStatus): string {
  // A replica votes though it delivers nothing, and may forget what it promised when it is started anew.
  if (voting !== undefined) return "start a learner beside it, with --from";
  return storage === undefined
    ? "start it anew with --from"
    : "move its storage away, and start it anew with --from";
}

/** Counters that tell of something that does not belong here, and what they tell. */
const STRANGERS = {
  badVersion: "hears frames of another version of kpaxos",
  badCluster: "hears frames of another cluster number",
  badSender:
    "hears acceptors or proposers that its configuration does not name",
  badLength: "hears frames that are cut off, or longer than its MTU",
  badChecksum: "hears damaged frames",
  forgottenVotes: "hears an acceptor that restarted without its memory",
};

/** Who counted such things just now; what was counted long ago is among the drops. */
function strangers({ nodes }: Look): string[] {
  return Object.entries(STRANGERS).flatMap(([counter, words]) =>
    nodes.flatMap(({ first, last }) => {
      const now = last.counters[counter] ?? 0;
      return now === (first.counters[counter] ?? 0)
        ? []
        : [`${nodeName(last)} ${words} (${now} so far)`];
    })
  );
}
