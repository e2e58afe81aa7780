/** What a message says, in the words of the literature. */
import { ballotText } from "../roles/events.ts";
import type {
  Body,
  FrameFields,
  MessageName,
  RangeFields,
  RunFields,
  VerdictFields,
} from "./decode.ts";

/** How the literature calls some messages. */
const LABELS: Partial<Record<MessageName, string>> = {
  prepare: "1A",
  promise: "1B",
  accept: "2A",
  accepted: "2B",
};

/** The message that a word of a command means; undefined: none. */
export function messageOf(
  word: string,
  names: readonly MessageName[],
): MessageName | undefined {
  return names.find((name) => word === name || word === LABELS[name]);
}

/** The values of an instance. */
export function batchText(batch: readonly RunFields[]): string {
  if (batch.length === 0) return "no-op";
  return batch.flatMap(({ client, first, values, chunks = [] }) =>
    first === 0n
      ? [commandText(client, values[0])]
      : values.map((value, i) =>
        chunks.includes(i) ? chunkText(value) : `"${decoder.decode(value)}"`
      )
  ).join(" ");
}

const decoder = new TextDecoder();

/** A command about a session. */
function commandText(client: bigint, command: Uint8Array): string {
  const view = new DataView(command.buffer, command.byteOffset);
  const verb = view.getUint32(8, true) === 1 ? "open" : "close";
  const reserving = view.getUint32(12, true) === 1 ? " with room" : "";
  return `<${verb} ${client}${reserving}>`;
}

/** A piece of a large value. */
function chunkText(chunk: Uint8Array): string {
  const view = new DataView(chunk.buffer, chunk.byteOffset);
  const offset = view.getUint32(4, true);
  const end = offset + chunk.length - 16;
  return `<bytes ${offset} to ${end} of ${view.getUint32(0, true)}>`;
}

/** What became of a command. */
function verdictText({ client, instance, verdict }: VerdictFields): string {
  const became = ["", "open", "expired", "refused"][verdict];
  return `client ${client} ${became} in ${instance}`;
}

/** What was accepted of an instance, and in which ballot. */
export interface Accepted {
  readonly instance: bigint;
  /** 0: nothing was accepted. */
  readonly ballot: bigint;
  readonly batch: readonly RunFields[];
}

export function acceptedText({ instance, ballot, batch }: Accepted): string {
  if (ballot === 0n) return `${instance} nothing`;
  return `${instance} ${batchText(batch)} in ${ballotText(ballot)}`;
}

/** Instances from `first` up to, but without, `end`. */
function rangeText({ first, end }: RangeFields): string {
  return end === first + 1n ? `${first}` : `${first}-${end - 1n}`;
}

function rangesText(ranges: readonly RangeFields[]): string {
  return ranges.map(rangeText).join(", ");
}

/** What `decided` and its like say: all instances below `end`. */
function below(end: bigint, what: string): string {
  return end > 1n ? `(${rangeText({ first: 1n, end })} ${what})` : "";
}

/** Puts spaces between what there is to say. */
function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

type BodyOf<T extends MessageName> = Extract<Body, { type: T }>;

function promiseText(body: BodyOf<"promise">): string {
  const { start, end, entries, last, pause } = body;
  const range = last ? `${start} on` : rangeText({ first: start, end });
  const told = entries.map(acceptedText).join(", ") || "nothing accepted";
  const more = last ? "" : pause ? "; ask for more" : "; more follows";
  return `from ${range}: ${told}${more}`;
}

function learnedText({ entries, last }: BodyOf<"learned">): string {
  const told = entries.map((entry) =>
    acceptedText(entry) + (entry.decided ? ", chosen" : "")
  );
  return (told.join("; ") || "nothing") + (last ? "" : "; more follows");
}

/** What follows the name of each message. */
const WORDS: {
  readonly [T in MessageName]: (body: BodyOf<T>, header: FrameFields) => string;
} = {
  prepare: ({ from, rejoining }, { ballot }) =>
    joined(
      `${ballotText(ballot)} from ${from} on`,
      rejoining === 0 ? "" : `(lets acceptor ${rejoining} rejoin)`,
    ),
  promise: (body, { ballot }) =>
    joined(
      ballotText(ballot),
      promiseText(body),
      below(body.decided, "decided"),
    ),
  accept: ({ instance, batch, decided }, { ballot }) =>
    joined(
      `${ballotText(ballot)} instance ${instance}: ${batchText(batch)}`,
      below(decided, "decided"),
    ),
  accepted({ ranges }, { ballot }) {
    const text = rangesText(ranges);
    const isOne = /^\d+$/.test(text);
    return `${ballotText(ballot)} ${isOne ? "instance" : "instances"} ${text}`;
  },
  reject: ({ rejected, decided }, { ballot }) =>
    joined(
      `${ballotText(rejected)}: promised ${ballotText(ballot)}`,
      below(decided, "decided"),
    ),
  heartbeat: ({ decided }, { ballot }) =>
    joined(ballotText(ballot), below(decided, "decided")),
  submit: ({ batch }) => batchText(batch),
  answer: ({ answered }) =>
    answered.map(({ client, first, count }) =>
      `client ${client} value ${
        rangeText({ first, end: first + BigInt(count) })
      }`
    ).join(", ") + ": decided",
  hi: ({ delivered, state }, { senderRole }) =>
    joined(
      senderRole === "proposer" ? "(do you hear a leader?)" : "",
      below(delivered, senderRole === "learner" ? "delivered" : "decided"),
      state === "votes" ? "" : `(${state})`,
    ),
  ok: ({ decided, trimmed, silence_us }, { receiverRoles }) =>
    joined(
      below(decided, "decided"),
      below(trimmed, "trimmed"),
      receiverRoles[0] === "proposer"
        ? `(no leader heard for ${Math.floor(silence_us / 1000)} ms)`
        : "",
    ),
  bye: () => "",
  repair: ({ ranges }) => rangesText(ranges),
  learned: (body) =>
    joined(
      learnedText(body),
      below(body.decided, "decided"),
      below(body.trimmed, "trimmed"),
    ),
  session: ({ verdicts }) => verdicts.map(verdictText).join(", "),
  forgot: () => "(I knew you before you restarted)",
  rejoin: ({ from, end }, { ballot }) =>
    joined(
      ballotText(ballot),
      from === end ? "" : `after ${rangeText({ first: from, end })}`,
    ),
  query: () => "",
  status: ({ first, total, items }) =>
    `(items ${first + 1} to ${first + items.length} of ${total})`,
};

/** A message as a transcript has it: its name, and what it says. */
export function messageText(fields: FrameFields): string {
  const { body } = fields;
  const words = WORDS[body.type] as (body: Body, header: FrameFields) => string;
  return joined(LABELS[body.type] ?? "", body.type, words(body, fields));
}
