/** The lines of a transcript: one for all that is said alike at once. */
import type { CoreEvent } from "../core/core.ts";
import { Event } from "../core/layout.ts";
import type { FrameFields } from "../sim/decode.ts";
import { ballotText } from "../roles/events.ts";
import { batchText, messageText } from "../sim/message_text.ts";
import {
  type Copy,
  type Happening,
  nameOf,
  type Station,
} from "./scenario_world.ts";

type Name = Pick<Station, "kind" | "id">;

/** What a node notes in its log. */
function noteText({ code, small, large }: CoreEvent): string {
  switch (code) {
    case Event.leading:
      return `leading in ${ballotText(large)}`;
    case Event.preparing:
      return `campaign in ${ballotText(large)}`;
    case Event.preempted:
      return `preempted by ${ballotText(large)}, steps down`;
    case Event.acceptorForgot:
      return `acceptor ${small} restarted, its votes do not count`;
    case Event.behindTrim:
      return `behind: the acceptors trimmed what comes next; lowest to be had: ${large}`;
    case Event.unobtainable:
      return `waiting: no acceptor that is heard can tell instance ${large}`;
    case Event.logFull:
      return small === 0
        ? `no room to accept ${large}: the log is full of what is undecided`
        : `no room to accept ${large}: the log is full of what learner ${small} misses`;
    case Event.storageFull:
      return small === 0
        ? `no room to accept ${large}: storage is full`
        : `no room to accept ${large}: storage is full of what learner ${small} misses`;
    case Event.storageFailed:
      return "storage failed: it does not vote any more";
    case Event.checkpointsFailed:
      return `storage failed: it makes no more checkpoints, the last one is of ${large}`;
    case Event.learnerHi:
      return `learner ${small} registered, next to deliver: ${large}`;
    case Event.learnerBye:
      return `learner ${small} left`;
    case Event.learnerGone:
      return `learner ${small} fell silent, registration expired`;
    case Event.leftBehind:
      return `learner ${small} is left behind, next to deliver: ${large}`;
    case Event.leaderHeard:
      return `leader heard: proposer ${small} in ${ballotText(large)}`;
    case Event.recovering:
      return "restarted without its memory: it recovers";
    case Event.rejoining:
      return `rejoins in ${ballotText(large)}`;
    case Event.rejoined:
      return "votes again";
    case Event.refilled:
      return `fetched what it had forgotten, from ${large} on`;
    case Event.unpromised:
      return "no majority promises";
    case Event.isolated:
      return "hears no majority of acceptors, steps down";
    case Event.unconfirmed:
      return "not confirmed as new yet, does not vote";
    case Event.confirmed:
      return "confirmed as new, may vote";
    case Event.sessionExpired:
      return `session of client ${large} expired`;
    case Event.sessionFull:
      return `no room for client ${large}`;
  }
}

/** Nodes by kind: "acceptors 1, 2, learner 1". */
function namesOf(names: readonly Name[]): string {
  const kinds = [...new Set(names.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const ids = names.filter((name) => name.kind === kind)
      .map(({ id }) => id).sort((a, b) => a - b);
    return ids.length === 1
      ? nameOf({ kind, id: ids[0] })
      : `${kind}s ${ids.join(", ")}`;
  }).join(", ");
}

/** A line before it is written: who, to whom if to anybody, and what. */
interface Line {
  readonly who: Name[];
  /** `->`, or `-x` when it is lost; empty for what is no message. */
  readonly arrow: string;
  /** The nodes, or a word for them. */
  readonly whom: Name[] | string;
  readonly text: string;
}

/** A frame for a group by the roles that are meant; any other by its receiver. */
function whomOf(
  fields: FrameFields,
  receivers: readonly Station[],
): Name[] | string {
  const isGroup = (parseInt(fields.destination.slice(0, 2), 16) & 1) === 1;
  const [role] = fields.receiverRoles;
  if (isGroup && fields.receiverId === 0) {
    return fields.receiverRoles.length > 1 ? "all" : `${role}s`;
  }
  return receivers.length > 0
    ? [...receivers]
    : [{ kind: role, id: fields.receiverId }];
}

function sendLine(
  { from, fields, receivers, unreached }: Extract<Happening, { type: "send" }>,
): Line {
  const whom = whomOf(fields, receivers);
  const isLost = unreached.length > 0 && unreached.length === receivers.length;
  const isPart = unreached.length > 0 && !isLost;
  return {
    who: [from],
    arrow: isLost ? "-x" : "->",
    whom: isPart ? `${whom} but ${namesOf(unreached)}` : whom,
    text: messageText(fields),
  };
}

/** A line of what is no message. */
function plain(who: Name[], text: string): Line {
  return { who, arrow: "", whom: "", text };
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(" ");
}

function copyLine({ from, to, fields }: Copy, arrow: "->" | "-x"): Line {
  return { who: [from], arrow, whom: [to], text: messageText(fields) };
}

function lineOf(happening: Happening): Line {
  switch (happening.type) {
    case "send":
      return sendLine(happening);
    case "lose":
      return copyLine(happening.copy, "-x");
    case "note":
      return plain([happening.at], noteText(happening.event));
    case "deliver": {
      const { at, instance, values } = happening;
      return plain([at], `delivered ${instance}: ${quoted(values)}`);
    }
    case "complete":
      return plain([happening.at], `${quoted(happening.values)} decided`);
    case "choose": {
      const { instance, ballot, batch, acceptors } = happening.choice;
      const by = namesOf(acceptors.map((id) => ({ kind: "acceptor", id })));
      const what = `** chosen in instance ${instance}: ${batchText(batch)}`;
      return plain([], `${what}, by ${by} in ${ballotText(ballot)}`);
    }
  }
}

/** Joins what one sender says alike to several nodes. */
function joinWhom(lines: readonly Line[]): Line[] {
  const result: Line[] = [];
  for (const line of lines) {
    const { who: [sender], whom } = line;
    const same = result.find((one) =>
      one.who[0] === sender && one.arrow === line.arrow &&
      one.text === line.text &&
      Array.isArray(one.whom) && Array.isArray(whom) &&
      !one.whom.includes(whom[0])
    );
    if (same === undefined) result.push(line);
    else (same.whom as Name[]).push(...whom as Name[]);
  }
  return result;
}

/** Joins what several nodes of a kind say alike to the same ones. */
function joinWho(lines: readonly Line[]): Line[] {
  const result: Line[] = [];
  for (const line of lines) {
    const { who: [sender], whom } = line;
    const same = result.find((one) =>
      one.who[0]?.kind === sender?.kind && one.arrow === line.arrow &&
      one.text === line.text && whomText(one.whom) === whomText(whom) &&
      !one.who.includes(sender)
    );
    if (same === undefined) result.push(line);
    else same.who.push(sender);
  }
  return result;
}

function whomText(whom: Name[] | string): string {
  return typeof whom === "string" ? whom : namesOf(whom);
}

function written({ who, arrow, whom, text }: Line): string {
  if (who.length === 0) return text;
  const from = namesOf(who);
  return arrow === ""
    ? `${from}: ${text}`
    : `${from} ${arrow} ${whomText(whom)}: ${text}`;
}

function textsOf(lines: readonly Line[]): string[] {
  return joinWho(joinWhom(lines)).map(written);
}

/** The lines for what happened at once. */
export function linesOf(wave: readonly Happening[]): string[] {
  return textsOf(wave.map(lineOf));
}

/** The lines for messages that are under way. */
export function copyLines(copies: readonly Copy[]): string[] {
  return textsOf(copies.map((copy) => copyLine(copy, "->")));
}
