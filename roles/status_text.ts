/** What `kpaxos status` prints: a table and sentences for people, or everything for a program. */
import { Counter, Role, StorageCondition, Voting } from "../core/layout.ts";
import { ballotText } from "./events.ts";
import { lagOf, nodeName, type NodeStatus } from "./status_answers.ts";
import { type Look, named, type Verdict, whyNoVote } from "./status_verdict.ts";

/** Widest line for people. */
const COLUMNS = 100;

const STATES = ["follows", "prepares", "leads"];

/** Counters of what was dropped or turned away, in the order of `Counter`. */
export const DROPS: readonly Counter[] = [
  Counter.badLength,
  Counter.badVersion,
  Counter.badCluster,
  Counter.badType,
  Counter.badSender,
  Counter.badReceiver,
  Counter.badChecksum,
  Counter.badBody,
  Counter.ownEcho,
  Counter.lossInjected,
  Counter.forgottenVotes,
  Counter.outboxFull,
  Counter.heldFull,
  Counter.pendingFull,
  Counter.noLeader,
  Counter.tooLarge,
  Counter.logFull,
  Counter.refusedValues,
  Counter.beyondWindow,
  Counter.windowFull,
  Counter.unansweredQueries,
  Counter.damagedRecords,
  Counter.oversizedRecords,
];

/** The look for people: a line a node, what was dropped, who hears whom, and the verdict. */
export function statusText({ nodes }: Look, verdict: Verdict): string {
  const statuses = nodes.map(({ last }) => last);
  const { ok, problems, warnings } = verdict;
  const sentences = [...problems, ...warnings];
  if (ok) sentences.push(success(verdict, statuses));
  return [
    statuses.length === 0 ? [] : table(statuses),
    statuses.flatMap(details),
    sentences.flatMap((sentence) => wrap(sentence)),
  ].filter((paragraph) => paragraph.length > 0)
    .map((lines) => lines.join("\n") + "\n").join("\n");
}

/** What a node dropped, and whom it heard. */
function details(node: NodeStatus): string[] {
  const drops = Object.entries(dropsOf(node))
    .map(([name, count]) => `${name} ${count}`);
  return [
    ...drops.length === 0 ? [] : list(nodeName(node), "dropped", drops),
    ...node.peers.length === 0
      ? []
      : list(nodeName(node), "heard", peersText(node)),
  ];
}

/** The look for a program: one JSON object. */
export function statusJson(look: Look, verdict: Verdict): string {
  const { ok, leader, voting, quorum, problems, warnings } = verdict;
  return JSON.stringify({
    ok,
    leader: leader === undefined
      ? null
      : { id: leader.id, ballot: ballotText(leader.ballot) },
    quorum,
    voting,
    problems,
    warnings,
    nodes: look.nodes.map(({ last }) => nodeJson(last)),
  }) + "\n";
}

function nodeJson(node: NodeStatus): Record<string, unknown> {
  const { roles, id, incarnation, fields, counters, peers } = node;
  const { roles: _bits, promised, leaderBallot, ...numbers } = fields;
  return {
    roles,
    id,
    incarnation,
    ...numbers,
    promised: optional(promised, (it) => it === 0 ? null : ballotText(it)),
    leaderBallot: optional(leaderBallot, ballotText),
    proposerState: optional(fields.proposerState, (it) => STATES[it]),
    voting: optional(fields.voting, (it) => Voting[it]),
    storage: optional(fields.storage, (it) => StorageCondition[it]),
    lag: lagOf(node),
    counters,
    drops: dropsOf(node),
    peers: peers.map(({ role, id, ago_ms, delivered }) => ({
      role,
      id,
      ago_ms: ago_ms ?? null,
      delivered,
    })),
  };
}

function optional<T, U>(value: T | undefined, to: (value: T) => U) {
  return value === undefined ? undefined : to(value);
}

function dropsOf({ counters }: NodeStatus): Record<string, number> {
  return Object.fromEntries(
    DROPS.map((counter) => [Counter[counter], counters[Counter[counter]] ?? 0])
      .filter(([, count]) => count !== 0),
  );
}

/** The columns of the table: a heading, and what stands there for a node. */
const TABLE: readonly [string, (node: NodeStatus) => string | undefined][] = [
  ["NODE", nodeName],
  ["STATE", ({ fields }) => optional(fields.proposerState, (it) => STATES[it])],
  [
    "VOTES",
    (node) =>
      node.fields.voting === undefined
        ? undefined
        : whyNoVote(node) === undefined
        ? "yes"
        : "no",
  ],
  ["BALLOT", ({ fields }) =>
    optional(
      Math.max(fields.promised ?? 0, fields.leaderBallot ?? 0) || undefined,
      ballotText,
    )],
  [
    "LEADER",
    ({ fields }) =>
      optional(fields.leaderBallot, (it) => ballotText(it).split(".")[1]),
  ],
  ["UNDECIDED", ({ fields }) => optional(fields.decided, short)],
  ["DELIVERED", ({ fields }) => optional(fields.delivered, short)],
  ["LAG", (node) => optional(lagOf(node), short)],
  ["TRIMMED", ({ fields }) => optional(fields.trimmed, short)],
  ["QUEUE", ({ fields }) => percent(fields.queueBytes, fields.queueBytesMax)],
  ["LOG", ({ fields }) => {
    const bytes = percent(fields.logBytes, fields.logBytesMax);
    const instances = percent(fields.logInstances, fields.logInstancesMax);
    // Whichever of the two is full first.
    return parseInt(instances ?? "0") > parseInt(bytes ?? "0")
      ? instances
      : bytes;
  }],
];

function table(nodes: readonly NodeStatus[]): string[] {
  const rows = [
    TABLE.map(([heading]) => heading),
    ...nodes.map((node) => TABLE.map(([, cell]) => cell(node) ?? "-")),
  ];
  const widths = TABLE.map((_, i) =>
    Math.max(...rows.map((row) => row[i].length))
  );
  const width = widths.reduce((sum, it) => sum + it + 2, -2);
  const gap = width > COLUMNS ? " " : "  ";
  // Words begin on the left, numbers end on the right.
  return rows.map((row) =>
    row.map((cell, i) =>
      i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    ).join(gap)
  );
}

/** A number with all its digits, or when it has more than eight in millions or thousands of them. */
function short(value: number): string {
  if (value < 1e8) return `${value}`;
  return value < 1e10
    ? `${(value / 1e6).toFixed(1)}M`
    : `${(value / 1e9).toFixed(1)}G`;
}

/** Rounded up, so that nothing but an empty queue is at 0%. */
function percent(used?: number, all?: number): string | undefined {
  if (used === undefined || all === undefined || all === 0) return undefined;
  return `${Math.ceil(used * 100 / all)}%`;
}

/** One text a peer; the first of each role names that. */
function peersText({ peers }: NodeStatus): string[] {
  const roles = ["acceptor", "proposer", "learner"] as const;
  return roles.flatMap((role) =>
    peers.filter((peer) => peer.role === role)
      .sort((a, b) => a.id - b.id)
      .map(({ id, ago_ms }, i) => {
        const when = ago_ms === undefined ? "never" : `${ago_ms} ms ago`;
        return `${i === 0 ? `${role} ` : ""}${id} (${when})`;
      })
  );
}

function success(
  { leader, voting, quorum }: Verdict,
  nodes: readonly NodeStatus[],
): string {
  const { id, ballot } = leader!;
  const { windowUsed, windowSize } =
    nodes.find((node) =>
      node.id === id && (node.fields.roles! & Role.proposer) !== 0
    )?.fields ?? {};
  const flight = windowUsed === undefined
    ? ""
    : ` with ${windowUsed} of ${windowSize} instances in flight`;
  return `proposer ${id} leads in ballot ${ballotText(ballot)}${flight}; ${
    named("acceptor", voting)
  } ${voting.length === 1 ? "votes" : "vote"}, ${quorum} ${
    quorum === 1 ? "is" : "are"
  } needed`;
}

/** "NODE dropped: a, b, c", broken between two of them where a line is full. */
function list(node: string, verb: string, things: readonly string[]): string[] {
  return wrap(
    `${node} ${verb}: ` +
      // What belongs together stays on one line.
      things.map((it) => it.replaceAll(" ", "\u00a0")).join(", "),
  ).map((line) => line.replaceAll("\u00a0", " "));
}

/** Breaks `text` between words so that no line is too wide; the lines behind the first are indented. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `  ${word}`;
    } else line += (line === "" ? "" : " ") + word;
  }
  return [...lines, line];
}
