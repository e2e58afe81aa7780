/** Arbitrary sound messages: what `docs/wire.md` allows, every type and every field up to its limits. */
import fc from "fast-check";
import type { CoreOptions } from "../core/core.ts";
import {
  type Body,
  type EntryFields,
  type ItemFields,
  type MessageName,
  type RangeFields,
  type RoleName,
  ROLES,
  type RunFields,
} from "../sim/decode.ts";
import { ballotOf, chunk, command, NOBODY, type Sender } from "./encode.ts";

/** Highest instance, round and sequence number of which the wire format knows. */
export const INSTANCE_LAST = (1n << 62n) - 1n;
export const ROUND_LAST = (1n << 46n) - 1n;
export const SEQUENCE_LAST = (1n << 48n) - 1n;

/** Who sends each message. */
export const SENDERS: Record<MessageName, readonly RoleName[]> = {
  prepare: ["proposer"],
  promise: ["acceptor"],
  accept: ["proposer"],
  accepted: ["acceptor"],
  reject: ["acceptor"],
  heartbeat: ["proposer"],
  submit: ["client", "proposer"],
  answer: ["proposer"],
  hi: ["learner", "client", "acceptor", "proposer"],
  ok: ["acceptor", "proposer"],
  bye: ["learner", "client"],
  repair: ["learner", "acceptor"],
  learned: ["acceptor"],
  forgot: ROLES,
  rejoin: ["proposer"],
  session: ["learner"],
  query: ["client"],
  status: ROLES,
};

/** A message, as `encode` takes it. */
export interface Message {
  readonly sender: Sender;
  readonly body: Body;
}

/** A record with an object's prototype, so that it can be compared with what is decoded. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(fields, { noNullPrototype: true });

const u32 = fc.nat({ max: 0xffff_ffff });
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
/** Mostly low, where nodes are, and up to the last one. */
export const instance = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt(1n, 3000n) },
  { weight: 1, arbitrary: fc.bigInt(1n, INSTANCE_LAST) },
  { weight: 1, arbitrary: fc.constantFrom(1n, INSTANCE_LAST) },
);
const instanceOrNone = fc.oneof(fc.constant(0n), instance);
const round = fc.oneof(
  fc.bigInt(1n, 5n),
  fc.bigInt(1n, ROUND_LAST),
  fc.constant(ROUND_LAST),
);

/** A ballot of one of these proposers. */
export function ballot(proposers: readonly number[]): fc.Arbitrary<bigint> {
  return fc.tuple(round, fc.constantFrom(...proposers))
    .map(([of, id]) => ballotOf(of, id));
}

function runBytes({ values }: RunFields): number {
  const bytes = values.reduce((sum, { length }) => sum + 2 + length, 16);
  return (bytes + 7) & ~7;
}

function batchBytes(batch: readonly RunFields[]): number {
  return batch.reduce((sum, run) => sum + runBytes(run), 0);
}

/** The longest beginning of `items` that takes no more than `limit` bytes. */
function fitting<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limit: number,
): T[] {
  let used = 0;
  const end = items.findIndex((item) => (used += bytesOf(item)) > limit);
  return items.slice(0, end < 0 ? items.length : end);
}

/** One client's values, 1 to 8 of them of up to 60 bytes, with sequence numbers up to the last but one. */
const plainRun: fc.Arbitrary<RunFields> = record({
  client: fc.bigInt(1n, (1n << 64n) - 1n),
  first: fc.oneof(
    fc.bigInt(1n, 100n),
    fc.bigInt(1n, SEQUENCE_LAST - 8n),
    fc.constant(SEQUENCE_LAST - 8n),
  ),
  values: fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constant(new Uint8Array(0)),
    ),
    { minLength: 1, maxLength: 8 },
  ),
});

const client = fc.bigInt(1n, (1n << 64n) - 1n);

const commandRun: fc.Arbitrary<RunFields> = fc.tuple(
  client,
  fc.constantFrom("open" as const, "close" as const),
  fc.bigInt(1n, (1n << 64n) - 1n),
  fc.boolean(),
).map(([of, verb, born, reserves]) =>
  command(of, verb, { born, reserves: reserves && verb === "open" })
);

/** A chunk of up to 60 bytes of a value of up to 1 MiB. */
const chunkRun: fc.Arbitrary<RunFields> = fc.tuple(
  client,
  fc.integer({ min: 1, max: 60 }),
  fc.nat({ max: (1 << 20) - 60 }),
  fc.nat({ max: 60 }),
  fc.integer({ min: 1, max: 1000 }),
).map(([of, bytes, offset, rest, first]) => {
  const total = Math.min(1 << 20, offset + bytes + rest);
  return chunk(of, first, new Uint8Array(total), { first, offset, bytes });
});

const run: fc.Arbitrary<RunFields> = fc.oneof(
  { weight: 6, arbitrary: plainRun },
  { weight: 1, arbitrary: commandRun },
  { weight: 1, arbitrary: chunkRun },
);

/** A batch of at most `limit` bytes. */
export function batch(limit: number): fc.Arbitrary<RunFields[]> {
  return fc.array(run, { maxLength: 4 }).map((runs) =>
    fitting(runs, runBytes, limit)
  );
}

/** Ranges that ascend, some of which touch; at most `most`. */
function ranges(most: number): fc.Arbitrary<RangeFields[]> {
  const step = record({
    gap: fc.oneof(fc.constant(0n), fc.bigInt(0n, 70n)),
    size: fc.oneof(fc.constant(1n), fc.bigInt(1n, 5000n)),
  });
  return fc.tuple(
    instance,
    fc.array(step, { minLength: 1, maxLength: most }),
  ).map(([start, steps]) => {
    const length = steps.reduce((sum, { gap, size }) => sum + gap + size, 0n);
    let end = start + length > INSTANCE_LAST ? INSTANCE_LAST - length : start;
    return steps.map(({ gap, size }) => {
      const first = end + gap;
      end = first + size;
      return { first, end };
    });
  });
}

/** Entries in ascending order, `room` bytes at most, no batch longer than `longest`. */
function entries(
  room: number,
  longest: number,
  accepted: fc.Arbitrary<bigint>,
  nothing: boolean,
): fc.Arbitrary<EntryFields[]> {
  const something = record({
    ballot: accepted,
    decided: fc.boolean(),
    batch: batch(longest),
  });
  const told = nothing
    ? fc.oneof(
      { weight: 3, arbitrary: something },
      fc.constant({ ballot: 0n, decided: false, batch: [] }),
    )
    : something;
  const numbers = fc.uniqueArray(instance, { maxLength: 6 });
  return fc.tuple(numbers, fc.infiniteStream(told)).map(([unsorted, stream]) =>
    fitting(
      unsorted.sort((a, b) => a < b ? -1 : 1)
        .map((of) => ({ instance: of, ...stream.next().value })),
      (entry) => 24 + batchBytes(entry.batch),
      room,
    )
  );
}

/** A part of an answer with at most `most` items. */
function statusBody(
  most: number,
): fc.Arbitrary<Extract<Body, { type: "status" }>> {
  const known = record<ItemFields>({
    kind: fc.constantFrom(1, 2),
    role: fc.constant(0),
    code: fc.nat({ max: 0xffff }),
    ago_ms: fc.nat({ max: 0xffff_ffff }),
    value: u64,
  });
  const peer = record<ItemFields>({
    kind: fc.constant(3),
    role: fc.constantFrom(1, 2, 4, 8),
    code: fc.integer({ min: 1, max: 0xffff }),
    ago_ms: fc.nat({ max: 0xffff_ffff }),
    value: u64,
  });
  const items = fc.array(fc.oneof(known, peer), {
    minLength: 1,
    maxLength: most,
  });
  const around = fc.record({
    number: fc.nat({ max: 0xffff_ffff }),
    before: fc.nat({ max: 100 }),
    behind: fc.nat({ max: 50 }),
  });
  return fc.tuple(items, around).map(([items, { number, before, behind }]) => ({
    type: "status",
    number,
    total: before + items.length + behind,
    first: before,
    items,
  }));
}

/** Bodies of every type for frames with `mtu` bytes behind the link header. */
function bodies(
  { mtu, proposers, acceptors }: CoreOptions,
): { [T in MessageName]: fc.Arbitrary<Extract<Body, { type: T }>> } {
  const longest = (mtu - 96) & ~7;
  const rangesMost = Math.floor((mtu - 40) / 16);
  const accepted = ballot(proposers);
  const rejoined = fc.oneof(
    fc.constant(NOBODY),
    record({
      ballot: accepted,
      id: fc.constantFrom(...acceptors),
      memory: u32,
    }),
  );
  const type = <T extends MessageName>(name: T) => fc.constant(name);
  return {
    prepare: record({
      type: type("prepare"),
      from: u64,
      rejoining: fc.constantFrom(0, ...acceptors),
      memory: u32,
    }),
    promise: record({
      type: type("promise"),
      start: instanceOrNone,
      end: instanceOrNone,
      decided: instance,
      last: fc.boolean(),
      pause: fc.boolean(),
      incarnation: u32,
      memories: u64,
      entries: entries(mtu - 72, longest, accepted, false),
    }),
    accept: fc.tuple(
      instance,
      fc.bigInt(0n, 2047n),
      fc.boolean(),
      batch(longest),
    ).map(
      ([decided, ahead, congested, batch]) => ({
        type: "accept",
        decided,
        instance: decided + ahead > INSTANCE_LAST ? decided : decided + ahead,
        ...(congested ? { congested } : {}),
        batch,
      }),
    ),
    accepted: record({ type: type("accepted"), ranges: ranges(rangesMost) }),
    reject: record({ type: type("reject"), rejected: u64, decided: instance }),
    heartbeat: record({
      type: type("heartbeat"),
      decided: instance,
      next: u64,
      rejoined,
    }),
    submit: record({
      type: type("submit"),
      batch: batch((mtu - 40) & ~7).filter((runs) => runs.length > 0),
    }),
    answer: record({
      type: type("answer"),
      decided: instance,
      answered: fc.array(
        record({
          client: fc.bigInt(1n, (1n << 64n) - 1n),
          first: fc.bigInt(1n, SEQUENCE_LAST - 0x10000n),
          count: fc.integer({ min: 1, max: 0xffff }),
        }),
        { minLength: 1, maxLength: Math.floor((mtu - 48) / 16) },
      ),
    }),
    hi: record({
      type: type("hi"),
      delivered: instanceOrNone,
      rejoined,
      state: fc.constantFrom("votes", "asks", "recovers"),
    }),
    ok: record({
      type: type("ok"),
      decided: instance,
      trimmed: instanceOrNone,
      next: u64,
      promised: u64,
      silence_us: u32,
    }),
    bye: record({ type: type("bye") }),
    repair: record({ type: type("repair"), ranges: ranges(rangesMost) }),
    learned: record({
      type: type("learned"),
      trimmed: instanceOrNone,
      decided: instance,
      last: fc.boolean(),
      entries: entries(mtu - 56, longest, accepted, true),
    }),
    forgot: record({
      type: type("forgot"),
      known: fc.integer({ min: 0, max: 0xffff_ffff }),
      refused: fc.integer({ min: 0, max: 0xffff_ffff }),
    }),
    rejoin: fc.tuple(u32, instance, fc.bigInt(0n, 2048n)).map(
      ([memory, from, length]) => ({
        type: "rejoin",
        memory,
        from,
        end: from + length,
      }),
    ),
    session: record({
      type: type("session"),
      verdicts: fc.array(
        record({
          client,
          instance,
          verdict: fc.integer({ min: 1, max: 3 }),
          hasRoom: fc.boolean(),
        }),
        { minLength: 1, maxLength: Math.floor((mtu - 40) / 24) },
      ),
    }),
    query: record({
      type: type("query"),
      number: fc.nat({ max: 0xffff_ffff }),
    }),
    status: statusBody(Math.floor((mtu - 48) / 16)),
  };
}

const linkAddress = fc.array(fc.integer({ min: 0, max: 255 }), {
  minLength: 6,
  maxLength: 6,
}).map((bytes) =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":")
);

/** Roles as a receiver's bits have them. */
export function rolesOf(bits: number): RoleName[] {
  return ROLES.filter((_, bit) => bits >> bit & 1);
}

/** The header of a message of this type that the receiver takes. */
function sender(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Sender> {
  const { acceptors, proposers } = receiver;
  const ids: Partial<Record<RoleName, readonly number[]>> = {
    acceptor: acceptors,
    proposer: proposers,
  };
  const from = fc.constantFrom(...SENDERS[name]).chain((senderRole) => {
    const members = ids[senderRole];
    const senderId = members === undefined
      ? fc.integer({ min: 1, max: 0xffff })
      : fc.constantFrom(...members);
    return record({ senderRole: fc.constant(senderRole), senderId });
  });
  const rest = record({
    source: linkAddress,
    incarnation: fc.integer({ min: 1, max: 0xffff_ffff })
      .filter((drawn) => drawn !== receiver.incarnation),
    receiverRoles: fc.subarray([...ROLES]).filter((named) =>
      named.some((role) => rolesOf(receiver.roles).includes(role))
    ),
    receiverId: fc.constantFrom(0, receiver.id),
    cluster: fc.constant(receiver.cluster),
    ballot: ballot(proposers),
  });
  const own = ["prepare", "accept", "heartbeat", "rejoin"].includes(name);
  return fc.tuple(from, rest).map(([whom, header]) => ({
    ...header,
    ...whom,
    ballot: own
      ? header.ballot & ~0xffffn | BigInt(whom.senderId)
      : header.ballot,
  }));
}

/** Sound messages of one type, to be taken by a core of these options. */
export function message(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Message> {
  return record({
    sender: sender(name, receiver),
    body: bodies(receiver)[name] as fc.Arbitrary<Body>,
  });
}
