/**
 * Arbitrary frames with one wrong field each, or several, and the reason that `docs/wire.md` names
 * first for it under "What a receiver checks".
 */
import fc from "fast-check";
import type { CoreOptions } from "../core/core.ts";
import * as layout from "../core/layout.ts";
import {
  type Body,
  type EntryFields,
  type ItemFields,
  type MessageName,
  type RangeFields,
  ROLES,
  type RunFields,
  TYPES,
} from "../sim/decode.ts";
import { ballotOf, chunk, command, encode, run, seal } from "./encode.ts";
import {
  instance,
  INSTANCE_LAST,
  type Message,
  message,
  ROUND_LAST,
  SENDERS,
  SEQUENCE_LAST,
} from "./messages.ts";
import type { Fault } from "./soundness.ts";

const LINK = layout.LINK_BYTES;

type Bytes = Uint8Array<ArrayBuffer>;

/** A frame that must be dropped, and why. */
export interface Flawed {
  readonly reason: Fault;
  readonly frame: Bytes;
}

/** A copy of the frame with a field of `size` bytes behind the link header set. */
function poke(
  frame: Uint8Array,
  offset: number,
  size: 1 | 2 | 4 | 8,
  value: number | bigint,
): Bytes {
  const copy = Uint8Array.from(frame);
  const view = new DataView(copy.buffer, LINK + offset);
  if (size === 8) view.setBigUint64(0, BigInt(value), true);
  else if (size === 4) view.setUint32(0, Number(value), true);
  else if (size === 2) view.setUint16(0, Number(value), true);
  else view.setUint8(0, Number(value));
  return copy;
}

/** The frame with `bytes` behind its link header: cut, or zeros added. */
function resize(frame: Uint8Array, bytes: number): Bytes {
  const copy = new Uint8Array(LINK + bytes);
  copy.set(frame.subarray(0, copy.length));
  return poke(copy, layout.HEADER_LENGTH, 2, bytes);
}

/** A number of `size` bytes other than this one. */
function other(than: number, size: 1 | 2 | 4): fc.Arbitrary<number> {
  const most = 2 ** (size * 8) - 1;
  return fc.oneof(
    fc.integer({ min: 0, max: most }),
    fc.constantFrom(
      0,
      1,
      most,
      Math.max(0, than - 1),
      Math.min(most, than + 1),
    ),
  ).filter((value) => value !== than);
}

/** What no instance is. */
const beyond = fc.constantFrom(
  INSTANCE_LAST + 1n,
  INSTANCE_LAST + 2n,
  1n << 63n,
  (1n << 64n) - 1n,
);
const outside = fc.oneof(fc.constant(0n), beyond);

function wrongBallot({ proposers }: CoreOptions): fc.Arbitrary<bigint> {
  const stranger = Math.max(...proposers) + 1;
  return fc.constantFrom(
    0n,
    BigInt(proposers[0]),
    ballotOf(1, 0),
    ballotOf(1, stranger),
    ballotOf(ROUND_LAST + 1n, proposers[0]),
    ballotOf((1n << 48n) - 1n, proposers[0]),
  );
}

/** How to make a sound message of one type unsound: what to say in its place, as a frame. */
type Break = (message: Message) => fc.Arbitrary<Bytes>;

const saying =
  <B extends Body>(fields: (body: B) => fc.Arbitrary<Partial<B>>) =>
  ({ sender, body }: Message) =>
    fields(body as B).map((changed) =>
      encode(sender, { ...body, ...changed } as Body)
    );

/** The count, or number of bytes, at `offset` is another. */
const miscounting =
  (offset: number, size: 2 | 4 = 4): Break => ({ sender, body }) => {
    const frame = encode(sender, body);
    const view = new DataView(frame.buffer, LINK + offset);
    const now = size === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
    return other(now, size).map((value) => poke(frame, offset, size, value));
  };

/** A ballot that no proposer has or, if it must be the sender's `own`, another proposer's. */
function withWrongBallot(receiver: CoreOptions, own: boolean): Break {
  return ({ sender, body }) => {
    const others = receiver.proposers.filter((id) => id !== sender.senderId);
    const wrong = own
      ? fc.oneof(
        wrongBallot(receiver),
        fc.constantFrom(...others.map((id) => ballotOf(7, id))),
      )
      : wrongBallot(receiver);
    return wrong.map((ballot) => encode({ ...sender, ballot }, body));
  };
}

/** A batch of one run whose only value has `bytes` bytes less header. */
function longBatch(bytes: number): RunFields[] {
  return [run(7n, 1, "x".repeat(bytes - 18))];
}

/**
 * Runs that are none, in the first run at `batch`; also where the number of values, at `values`, is
 * one that a counter of them might return for a mistake.
 */
function runsBroken(batch: number, values: number): Break {
  return ({ sender, body }) => {
    const plain = "batch" in body && body.batch.length > 0 &&
        body.batch[0].first !== 0n
      ? body
      : { ...body, batch: [run(7n, 5, "one", "two")] } as Body;
    const frame = encode(sender, plain);
    const view = new DataView(frame.buffer, LINK + batch);
    const word = view.getBigUint64(layout.RUN_SEQUENCE, true);
    const [first, count] = [word & SEQUENCE_LAST, word >> 48n];
    const sequence = (of: bigint, n: bigint) =>
      poke(frame, batch + layout.RUN_SEQUENCE, 8, of | n << 48n);
    return fc.constantFrom(
      poke(frame, batch + layout.RUN_CLIENT, 8, 0),
      sequence(0n, count),
      sequence(first, 0n),
      sequence(first, count + 1n),
      sequence(SEQUENCE_LAST - count + 2n, count),
      poke(frame, batch + layout.RUN_BYTES, 2, 0xffff),
    ).chain((broken) =>
      fc.constantFrom(broken, poke(broken, values, 4, 0xffff_ffff))
    );
  };
}

/** Commands that are none, and chunks that do not lie within their large value, or within the limit. */
const partsBroken = saying<Extract<Body, { type: "submit" | "accept" }>>(() => {
  const opening = command(7n);
  const part = chunk(7n, 5, new Uint8Array(100), {
    first: 5,
    offset: 90,
    bytes: 10,
  });
  const changed = (whole: RunFields, at: number, to: number): RunFields => {
    const value = Uint8Array.from(whole.values[0]);
    new DataView(value.buffer).setUint32(at, to, true);
    return { ...whole, values: [value] };
  };
  const [empty] = part.values;
  return fc.constantFrom<RunFields>(
    changed(opening, layout.COMMAND_BORN, 0),
    changed(opening, layout.COMMAND_KIND, 0),
    changed(opening, layout.COMMAND_KIND, 3),
    changed(opening, layout.COMMAND_FLAGS, 2),
    changed(command(7n, "close"), layout.COMMAND_FLAGS, 1),
    { ...opening, values: [...opening.values, ...opening.values] },
    { ...opening, values: [opening.values[0].subarray(1)] },
    { ...opening, chunks: [0] },
    changed(part, layout.CHUNK_TOTAL, 99),
    changed(part, layout.CHUNK_TOTAL, (1 << 20) + 1),
    changed(part, layout.CHUNK_OFFSET, 91),
    changed(part, layout.CHUNK_OFFSET, 0xffff_fff8),
    changed(part, layout.CHUNK_FIRST, 0),
    { ...part, values: [empty.subarray(0, layout.CHUNK_BYTES)] },
    { ...part, values: [empty.subarray(0, 3)] },
  ).map((broken) => ({ batch: [broken] }));
});

/** Ranges of which one is empty, lies before another, or holds what no instance is. */
const rangesBroken = saying<Extract<Body, { type: "accepted" | "repair" }>>(
  ({ ranges }) =>
    fc.tuple(fc.nat({ max: ranges.length - 1 }), beyond).chain(([i, far]) => {
      const { first, end } = ranges[i];
      const replaced = (...by: RangeFields[]) => ({
        ranges: [...ranges.slice(0, i), ...by, ...ranges.slice(i + 1)],
      });
      return fc.constantFrom(
        replaced({ first, end: first }),
        replaced({ first: end, end: first }),
        replaced({ first: 0n, end }),
        replaced({ first, end: far }),
        ...ranges.length > 1
          ? [{ ranges: [...ranges.slice(1), ranges[0]] }]
          : [],
      );
    }),
);

/** Entries of which one is wrong; `at`: where they begin. */
function entriesBroken(at: number, receiver: CoreOptions): Break {
  type Entries = Extract<Body, { type: "promise" | "learned" }>;
  const nothing = { ballot: 0n, decided: false, batch: [] };
  return (told) => {
    const sound = { instance: 5n, decided: false, batch: [] as RunFields[] };
    const ballot = ballotOf(1, receiver.proposers[0]);
    const body = told.body as Entries;
    const entries = body.entries.length > 0
      ? body.entries
      : [{ ...sound, ballot }];
    const [head, ...rest] = entries;
    const last = entries[entries.length - 1];
    const fields = fc.oneof<fc.Arbitrary<EntryFields>[]>(
      outside.map((instance) => ({ ...head, instance })),
      wrongBallot(receiver).map((wrong) => ({
        ...head,
        ballot: wrong,
        batch: [run(7n, 1, "value")],
      })),
      fc.constantFrom(
        body.type === "promise"
          ? { ...head, ...nothing }
          : { ...head, ...nothing, decided: true },
      ),
    );
    const frame = encode(told.sender, { ...body, entries });
    return fc.oneof(
      fields.map((first) =>
        encode(told.sender, { ...body, entries: [first, ...rest] })
      ),
      fc.constant(
        encode(told.sender, {
          ...body,
          entries: [...entries, { ...last, batch: [] }],
        }),
      ),
      miscounting(at + layout.ENTRY_BATCH_BYTES)({
        ...told,
        body: { ...body, entries },
      }),
      fc.constant(
        poke(
          frame,
          at + layout.ENTRY_VALUES,
          2,
          new DataView(frame.buffer).getUint16(
            LINK + at + layout.ENTRY_VALUES,
            true,
          ) + 1,
        ),
      ),
    );
  };
}

const wrongDecided = saying<Extract<Body, { decided: bigint }>>(() =>
  outside.map((decided) => ({ decided }))
);
const wrongTrimmed = saying<Extract<Body, { trimmed: bigint }>>(() =>
  beyond.map((trimmed) => ({ trimmed }))
);

type Accept = Extract<Body, { type: "accept" }>;
type Status = Extract<Body, { type: "status" }>;

/** An instance below the leader's decided one, or too far above it, or none. */
const acceptMisplaced = saying<Accept>(() =>
  fc.tuple(
    instance,
    fc.oneof(fc.constant(1n), fc.bigInt(1n, 1n << 61n)),
    fc.boolean(),
  ).map(([decided, off, below]) => ({
    decided,
    instance: below && decided > off ? decided - off : decided + 2047n + off,
  }))
);

/** Ids that no acceptor has. */
const stranger = ({ acceptors }: CoreOptions) =>
  fc.integer({ min: 1, max: 0xffff }).filter((id) => !acceptors.includes(id));

/** Says that nobody's acceptor rejoined, or in a ballot that there is not. */
const wrongRejoined = (receiver: CoreOptions) =>
  saying<Extract<Body, { rejoined: unknown }>>(() =>
    fc.oneof(
      stranger(receiver).map((id) => ({
        rejoined: { ballot: ballotOf(1, receiver.proposers[0]), id, memory: 1 },
      })),
      fc.constant({
        rejoined: {
          ballot: ballotOf(ROUND_LAST + 1n, receiver.proposers[0]),
          id: receiver.acceptors[0],
          memory: 1,
        },
      }),
    )
  );

/** How each type can be unsound, besides its length. */
function breaks(receiver: CoreOptions): Record<MessageName, Break[]> {
  const longest = (receiver.mtu - 96) & ~7;
  const own = withWrongBallot(receiver, true);
  const any = withWrongBallot(receiver, false);
  return {
    prepare: [
      own,
      saying<Extract<Body, { type: "prepare" }>>(() =>
        stranger(receiver).map((rejoining) => ({ rejoining }))
      ),
    ],
    promise: [
      any,
      wrongDecided,
      miscounting(layout.PROMISE_ENTRIES, 2),
      entriesBroken(layout.PROMISE_BYTES, receiver),
    ],
    accept: [
      own,
      wrongDecided,
      acceptMisplaced,
      saying<Accept>(() =>
        fc.constant({ decided: INSTANCE_LAST, instance: INSTANCE_LAST + 1n })
      ),
      saying<Accept>(() =>
        fc.constantFrom(8, 16, 24, 32).map((more) => ({
          batch: longBatch(longest + more),
        }))
      ),
      miscounting(layout.ACCEPT_BATCH_BYTES),
      miscounting(layout.ACCEPT_VALUES, 2),
      ({ sender, body }) =>
        fc.integer({ min: 2, max: 0xffff }).map((flags) =>
          poke(encode(sender, body), layout.ACCEPT_FLAGS, 2, flags)
        ),
      runsBroken(layout.ACCEPT_BYTES, layout.ACCEPT_VALUES),
      partsBroken,
    ],
    accepted: [any, miscounting(layout.RANGES_COUNT), rangesBroken],
    reject: [any, wrongDecided],
    heartbeat: [own, wrongDecided, wrongRejoined(receiver)],
    submit: [
      saying<Extract<Body, { type: "submit" }>>(() =>
        fc.constant({ batch: [] })
      ),
      miscounting(layout.SUBMIT_BATCH_BYTES),
      miscounting(layout.SUBMIT_VALUES),
      runsBroken(layout.SUBMIT_BYTES, layout.SUBMIT_VALUES),
      partsBroken,
    ],
    answer: [
      wrongDecided,
      miscounting(layout.ANSWER_COUNT),
      saying<Extract<Body, { type: "answer" }>>((
        { answered: [head, ...rest] },
      ) =>
        fc.constantFrom(
          { client: 0n },
          { first: 0n },
          { count: 0 },
        ).map((wrong) => ({ answered: [...rest, { ...head, ...wrong }] }))
      ),
    ],
    hi: [
      saying<Extract<Body, { type: "hi" }>>(() =>
        beyond.map((delivered) => ({ delivered }))
      ),
      wrongRejoined(receiver),
      ({ sender, body }) =>
        fc.integer({ min: 3, max: 0xffff }).map((state) =>
          poke(encode(sender, body), layout.HI_STATE, 2, state)
        ),
    ],
    ok: [wrongDecided, wrongTrimmed],
    bye: [],
    repair: [miscounting(layout.RANGES_COUNT), rangesBroken],
    learned: [
      wrongDecided,
      wrongTrimmed,
      miscounting(layout.LEARNED_ENTRIES),
      entriesBroken(layout.LEARNED_BYTES, receiver),
      saying<Extract<Body, { type: "learned" }>>(() =>
        fc.constant({
          entries: [{
            instance: 5n,
            ballot: ballotOf(1, receiver.proposers[0]),
            decided: true,
            batch: longBatch(longest + 8),
          }],
        })
      ),
    ],
    forgot: [],
    rejoin: [
      own,
      saying<Extract<Body, { type: "rejoin" }>>(({ from }) =>
        fc.constantFrom(
          { from: 0n, end: 0n },
          { end: from - 1n },
          { end: from + 2049n },
        )
      ),
    ],
    query: [],
    status: [
      miscounting(layout.STATUS_ITEMS),
      saying<Status>(({ first, items }) =>
        fc.integer({ min: 0, max: first + items.length - 1 })
          .map((total) => ({ total }))
      ),
      saying<Status>(() =>
        fc.integer({ min: 257, max: 0xffff }).map((total) => ({ total }))
      ),
      saying<Status>(({ items: [head, ...rest] }) =>
        fc.constantFrom<Partial<ItemFields>>(
          { kind: 0 },
          { kind: 4 },
          { kind: 1, role: 1 },
          { kind: 2, role: 8 },
          { kind: 3, role: 0 },
          { kind: 3, role: 3 },
          { kind: 3, role: 16 },
          { kind: 3, role: 4, code: 0 },
        ).map((wrong) => ({ items: [...rest, { ...head, ...wrong }] }))
      ),
    ],
    session: [
      miscounting(layout.SESSION_COUNT),
      saying<Extract<Body, { type: "session" }>>(
        ({ verdicts: [head, ...rest] }) =>
          fc.constantFrom(
            { client: 0n },
            { instance: 0n },
            { instance: INSTANCE_LAST + 1n },
            { verdict: 0 },
            { verdict: 4 },
          ).map((wrong) => ({ verdicts: [...rest, { ...head, ...wrong }] })),
      ),
    ],
  };
}

/** Frames of one type whose body is unsound and whose header is right. */
function bodyFlawed(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Bytes> {
  const resized: Break = ({ sender, body }) => {
    const frame = encode(sender, body);
    const bytes = frame.length - LINK;
    const most = Math.min(bytes + 40, receiver.mtu);
    return fc.integer({ min: 32, max: most })
      .filter((it) => it !== bytes)
      .map((it) => resize(frame, it));
  };
  const ways = [resized, ...breaks(receiver)[name]];
  return fc.tuple(message(name, receiver), fc.nat({ max: ways.length - 1 }))
    .chain(([sound, way]) => ways[way](sound))
    // What is too long for the MTU is another flaw.
    .filter((frame) => frame.length - LINK <= receiver.mtu)
    .map(seal);
}

/** A change to a header that is wrong for the reason named. */
interface HeaderFlaw {
  readonly reason: Fault;
  readonly change: (frame: Bytes) => Bytes;
}

const changing = (
  reason: Fault,
  values: fc.Arbitrary<number>,
  offset: number,
  size: 1 | 2 | 4,
): fc.Arbitrary<HeaderFlaw> =>
  values.map((value) => ({
    reason,
    change: (frame) => poke(frame, offset, size, value),
  }));

function popCount(bits: number): number {
  return ROLES.filter((_, bit) => bits >> bit & 1).length;
}

/** Wrong values of the fields that are under the checksum, no two of the same field. */
function headerFlaws(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<HeaderFlaw>[] {
  const senders = SENDERS[name].map((role) => 1 << ROLES.indexOf(role));
  const wrongRoles = fc.nat({ max: 255 }).filter((bits) =>
    bits > 15 || popCount(bits) !== 1 || !senders.includes(bits)
  );
  const notMeant = fc.nat({ max: 255 })
    .filter((bits) => (bits & receiver.roles) === 0);
  const otherId = fc.integer({ min: 1, max: 0xffff })
    .filter((id) => id !== receiver.id);
  return [
    changing("badVersion", other(1, 1), layout.HEADER_VERSION, 1),
    changing(
      "badCluster",
      other(receiver.cluster, 2),
      layout.HEADER_CLUSTER,
      2,
    ),
    changing(
      "badType",
      fc.oneof(
        fc.integer({ min: layout.MESSAGE_END, max: 255 }),
        fc.constantFrom(
          ...TYPES.flatMap((type, number) => type === "" ? [number] : []),
        ),
      ),
      layout.HEADER_TYPE,
      1,
    ),
    fc.oneof(
      changing("badSender", wrongRoles, layout.HEADER_SENDER_ROLE, 1),
      changing("badSender", fc.constant(0), layout.HEADER_SENDER_ID, 2),
    ),
    fc.oneof(
      changing("badSender", fc.constant(0), layout.HEADER_INCARNATION, 4),
      changing(
        "ownEcho",
        fc.constant(receiver.incarnation),
        layout.HEADER_INCARNATION,
        4,
      ),
    ),
    fc.oneof(
      changing("badReceiver", notMeant, layout.HEADER_RECEIVER_ROLES, 1),
      changing("badReceiver", otherId, layout.HEADER_RECEIVER_ID, 2),
    ),
  ];
}

/** Flaws that the checksum does not cover, or that make it impossible to look at. */
function lengthFlaws(receiver: CoreOptions): fc.Arbitrary<HeaderFlaw> {
  // A slot holds a little more than the MTU, which is how the core sees what is too long.
  const slack = ((receiver.mtu + 79) & ~63) - 16 - receiver.mtu;
  const field = fc.oneof(
    fc.nat({ max: 31 }),
    fc.integer({ min: receiver.mtu + 1, max: 0xffff }),
  );
  return fc.oneof(
    changing("badLength", field, layout.HEADER_LENGTH, 2),
    fc.integer({ min: 1, max: slack }).map((more): HeaderFlaw => ({
      reason: "badLength",
      change: (frame) => seal(resize(frame, receiver.mtu + more)),
    })),
    fc.integer({ min: 1, max: 200 }).map((missing): HeaderFlaw => ({
      reason: "badLength",
      // Cut off behind the header, the length still says what was there.
      change: (frame) =>
        frame.slice(
          0,
          Math.max(LINK + layout.HEADER_BYTES - 1, frame.length - missing),
        ),
    })),
  );
}

/** One bit is another, anywhere but in the fields that are checked before the checksum. */
function flipped(frame: Bytes): fc.Arbitrary<Bytes> {
  const earlier = [
    layout.HEADER_VERSION,
    layout.HEADER_CLUSTER,
    layout.HEADER_CLUSTER + 1,
    layout.HEADER_LENGTH,
    layout.HEADER_LENGTH + 1,
  ];
  return fc.nat({ max: (frame.length - LINK) * 8 - 1 })
    .filter((bit) => !earlier.includes(bit >> 3))
    .map((bit) =>
      poke(frame, bit >> 3, 1, frame[LINK + (bit >> 3)] ^ 1 << (bit & 7))
    );
}

/** The order of the checks in the document. */
const ORDER: readonly Fault[] = [
  "badVersion",
  "badCluster",
  "badLength",
  "badChecksum",
  "badType",
  "badSender",
  "ownEcho",
  "badReceiver",
  "badBody",
];

/** Frames of one type in which one thing is wrong. */
export function flawed(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Flawed> {
  const sound = message(name, receiver)
    .map(({ sender, body }) => encode(sender, body));
  const header = sound.chain((frame) =>
    fc.oneof(...headerFlaws(name, receiver)).map(({ reason, change }) => ({
      reason,
      frame: seal(change(frame)),
    }))
  );
  const length = sound.chain((frame) =>
    lengthFlaws(receiver).map(({ reason, change }) => ({
      reason,
      frame: change(frame),
    }))
  );
  const checksum = sound.chain(flipped)
    .map((frame): Flawed => ({ reason: "badChecksum", frame }));
  const short = fc.tuple(sound, fc.nat({ max: 31 }))
    .map(([frame, bytes]): Flawed => ({
      reason: "badLength",
      frame: frame.slice(0, LINK + bytes),
    }));
  const stranger = strangers(name, receiver);
  return fc.oneof(
    bodyFlawed(name, receiver)
      .map((frame): Flawed => ({ reason: "badBody", frame })),
    header,
    length,
    checksum,
    short,
    ...stranger === undefined ? [] : [stranger],
  );
}

/** Messages of acceptors and proposers that are not configured; undefined where neither sends this type. */
function strangers(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Flawed> | undefined {
  const members = {
    acceptor: receiver.acceptors,
    proposer: receiver.proposers,
  };
  const roles = SENDERS[name]
    .filter((role): role is "acceptor" | "proposer" => role in members);
  if (roles.length === 0) return undefined;
  return fc.tuple(
    message(name, receiver),
    fc.constantFrom(...roles),
    fc.integer({ min: 1, max: 0xffff }),
  ).filter(([, role, id]) => !members[role].includes(id))
    .map(([{ sender, body }, senderRole, senderId]) => ({
      reason: "badSender",
      frame: encode({ ...sender, senderRole, senderId }, body),
    }));
}

/** Frames of one type in which several things are wrong: the check that comes first names the reason. */
export function manyFlawed(
  name: MessageName,
  receiver: CoreOptions,
): fc.Arbitrary<Flawed> {
  const sound = message(name, receiver)
    .map(({ sender, body }) => encode(sender, body));
  const body = fc.oneof(
    sound.map((frame) => ({ frame, wrong: false })),
    bodyFlawed(name, receiver).map((frame) => ({ frame, wrong: true })),
  );
  const headers = fc.tuple(
    ...headerFlaws(name, receiver).map((flaw) => fc.option(flaw, { freq: 2 })),
  );
  // Often none of the first checks fails, so that the later ones are reached.
  const seldom = fc.constantFrom(true, false, false, false);
  const outer = fc.record({
    length: seldom,
    checksum: seldom,
  });
  return fc.tuple(body, headers, outer).map(
    ([inner, flaws, { length, checksum }]) => {
      const reasons = new Set<Fault>(inner.wrong ? ["badBody"] : []);
      let { frame } = inner;
      for (const flaw of flaws) {
        if (flaw === null) continue;
        reasons.add(flaw.reason);
        frame = flaw.change(frame);
      }
      frame = seal(frame);
      if (checksum) {
        reasons.add("badChecksum");
        frame[LINK + layout.HEADER_CHECKSUM] ^= 1;
      }
      if (length) {
        reasons.add("badLength");
        frame = poke(frame, layout.HEADER_LENGTH, 2, 31);
      }
      return { reason: ORDER.find((it) => reasons.has(it)), frame };
    },
  ).filter((it): it is Flawed => it.reason !== undefined);
}
