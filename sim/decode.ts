/**
 * Frames to fields, drawn by hand from `docs/wire.md` and from nothing else: it shares no offset
 * with the core, so both can only agree by following the document.
 */

/** The names of the message types, by number. */
export const TYPES = [
  "",
  "prepare",
  "promise",
  "accept",
  "accepted",
  "reject",
  "heartbeat",
  "submit",
  "answer",
  "hi",
  "ok",
  "bye",
  "repair",
  "learned",
  "forgot",
  "rejoin",
  "query",
  "status",
  "session",
] as const;

export type MessageName = Exclude<typeof TYPES[number], "">;

/** All of them, in the order of their numbers. */
export const MESSAGE_NAMES: readonly MessageName[] = TYPES.filter((name) =>
  name !== ""
);

/** The names of the roles, by bit. */
export const ROLES = ["proposer", "acceptor", "learner", "client"] as const;

export type RoleName = typeof ROLES[number];

/** One client's consecutive values. */
export interface RunFields {
  client: bigint;
  /** 0: the only value is a command. */
  first: bigint;
  values: Uint8Array[];
  /** Places of those that are chunks of large values; absent: none is. */
  chunks?: number[];
}

/** Instances from `first` up to, but without, `end`. */
export interface RangeFields {
  first: bigint;
  end: bigint;
}

/** An accepted instance. */
export interface EntryFields {
  instance: bigint;
  ballot: bigint;
  decided: boolean;
  batch: RunFields[];
}

/** An acceptor that rejoined; ballot 0n: none. */
export interface RejoinedFields {
  ballot: bigint;
  id: number;
  memory: number;
}

/** What a node tells of itself: 1 a field, 2 a counter, 3 a peer. */
export interface ItemFields {
  kind: number;
  /** Bit of a peer's role; else 0. */
  role: number;
  code: number;
  ago_ms: number;
  value: bigint;
}

/** What became of a command. */
export interface VerdictFields {
  client: bigint;
  instance: bigint;
  /** 1 open, 2 expired, 3 full. */
  verdict: number;
  hasRoom: boolean;
}

/** What a message says beyond its header. */
export type Body =
  | { type: "prepare"; from: bigint; rejoining: number; memory: number }
  | {
    type: "promise";
    start: bigint;
    end: bigint;
    decided: bigint;
    last: boolean;
    pause: boolean;
    /** Of the proposer to which the ballot is promised. */
    incarnation: number;
    memories: bigint;
    entries: EntryFields[];
  }
  | {
    type: "accept";
    decided: bigint;
    instance: bigint;
    /** The leader's queue is long. */
    congested?: boolean;
    batch: RunFields[];
  }
  | { type: "accepted"; ranges: RangeFields[] }
  | { type: "reject"; rejected: bigint; decided: bigint }
  | {
    type: "heartbeat";
    decided: bigint;
    next: bigint;
    rejoined: RejoinedFields;
  }
  | { type: "submit"; batch: RunFields[] }
  | {
    type: "answer";
    decided: bigint;
    answered: { client: bigint; first: bigint; count: number }[];
  }
  | {
    type: "hi";
    delivered: bigint;
    rejoined: RejoinedFields;
    state: "votes" | "asks" | "recovers";
  }
  | {
    type: "ok";
    decided: bigint;
    trimmed: bigint;
    next: bigint;
    promised: bigint;
    silence_us: number;
  }
  | { type: "bye" }
  | { type: "repair"; ranges: RangeFields[] }
  | {
    type: "learned";
    trimmed: bigint;
    decided: bigint;
    /** No further frame answers the same repair. */
    last: boolean;
    entries: EntryFields[];
  }
  | { type: "forgot"; known: number; refused: number }
  | { type: "rejoin"; memory: number; from: bigint; end: bigint }
  | { type: "query"; number: number }
  | {
    type: "status";
    number: number;
    total: number;
    first: number;
    items: ItemFields[];
  }
  | { type: "session"; verdicts: VerdictFields[] };

/** What stands before the body. */
export interface Header {
  destination: string;
  source: string;
  ethertype: number;
  version: number;
  cluster: number;
  senderRole: RoleName;
  receiverRoles: RoleName[];
  senderId: number;
  /** 0: all. */
  receiverId: number;
  incarnation: number;
  ballot: bigint;
}

export interface FrameFields extends Header {
  length: number;
  checksum: bigint;
  body: Body;
}

/** Bytes of the link header: destination, source, EtherType. */
const LINK = 14;

function linkAddress(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join(":");
}

function rolesOf(mask: number): RoleName[] {
  return ROLES.filter((_, bit) => mask >> bit & 1);
}

/** Runs of a batch of `bytes` bytes at `at`. */
function decodeBatch(view: DataView, at: number, bytes: number): RunFields[] {
  const runs: RunFields[] = [];
  const end = at + bytes;
  while (at < end) {
    const client = view.getBigUint64(at, true);
    const word = view.getBigUint64(at + 8, true);
    at += 16;
    const values: Uint8Array[] = [];
    const chunks: number[] = [];
    for (let n = word >> 48n; n > 0n; n--) {
      const length = view.getUint16(at, true) & 0x7fff;
      if ((view.getUint16(at, true) & 0x8000) !== 0) chunks.push(values.length);
      const from = view.byteOffset + at + 2;
      values.push(new Uint8Array(view.buffer, from, length).slice());
      at += 2 + length;
    }
    at = (at + 7) & ~7;
    const run = { client, first: word & 0xffff_ffff_ffffn, values };
    runs.push(chunks.length === 0 ? run : { ...run, chunks });
  }
  return runs;
}

function decodeEntries(
  view: DataView,
  at: number,
  count: number,
): EntryFields[] {
  return Array.from({ length: count }, () => {
    const bytes = view.getUint32(at + 16, true);
    const batch = decodeBatch(view, at + 24, bytes);
    const values = batch.reduce((sum, run) => sum + run.values.length, 0);
    if (values !== view.getUint16(at + 20, true)) {
      throw new Error(`An entry at ${at} counts its values wrongly`);
    }
    const entry = {
      instance: view.getBigUint64(at, true),
      ballot: view.getBigUint64(at + 8, true),
      decided: (view.getUint16(at + 22, true) & 1) === 1,
      batch,
    };
    at += 24 + bytes;
    return entry;
  });
}

function decodeRanges(view: DataView): RangeFields[] {
  return Array.from({ length: view.getUint32(32, true) }, (_, i) => ({
    first: view.getBigUint64(40 + i * 16, true),
    end: view.getBigUint64(48 + i * 16, true),
  }));
}

function decodeRejoined(view: DataView, at: number): RejoinedFields {
  return {
    ballot: view.getBigUint64(at, true),
    id: view.getUint16(at + 8, true),
    memory: view.getUint32(at + 12, true),
  };
}

function decodeItems(view: DataView): ItemFields[] {
  return Array.from({ length: view.getUint32(40, true) }, (_, i) => ({
    kind: view.getUint8(48 + i * 16),
    role: view.getUint8(49 + i * 16),
    code: view.getUint16(50 + i * 16, true),
    ago_ms: view.getUint32(52 + i * 16, true),
    value: view.getBigUint64(56 + i * 16, true),
  }));
}

function decodeBody(view: DataView, type: MessageName): Body {
  const u64 = (at: number) => view.getBigUint64(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  switch (type) {
    case "prepare":
      return {
        type,
        from: u64(32),
        rejoining: view.getUint16(40, true),
        memory: u32(44),
      };
    case "promise":
      return {
        type,
        start: u64(32),
        end: u64(40),
        decided: u64(48),
        last: (view.getUint16(58, true) & 1) !== 0,
        pause: (view.getUint16(58, true) & 2) !== 0,
        incarnation: u32(60),
        memories: u64(64),
        entries: decodeEntries(view, 72, view.getUint16(56, true)),
      };
    case "accept":
      return {
        type,
        decided: u64(32),
        instance: u64(40),
        ...(view.getUint16(54, true) === 1 ? { congested: true } : {}),
        batch: decodeBatch(view, 56, u32(48)),
      };
    case "accepted":
    case "repair":
      return { type, ranges: decodeRanges(view) };
    case "reject":
      return { type, rejected: u64(32), decided: u64(40) };
    case "heartbeat":
      return {
        type,
        decided: u64(32),
        next: u64(40),
        rejoined: decodeRejoined(view, 48),
      };
    case "submit":
      return { type, batch: decodeBatch(view, 40, u32(32)) };
    case "answer":
      return {
        type,
        decided: u64(40),
        answered: Array.from({ length: u32(32) }, (_, i) => ({
          client: u64(48 + i * 16),
          first: u64(56 + i * 16) & 0xffff_ffff_ffffn,
          count: Number(u64(56 + i * 16) >> 48n),
        })),
      };
    case "hi":
      return {
        type,
        delivered: u64(32),
        rejoined: decodeRejoined(view, 40),
        state: (["votes", "asks", "recovers"] as const)[
          view.getUint16(56, true)
        ],
      };
    case "ok":
      return {
        type,
        decided: u64(32),
        trimmed: u64(40),
        next: u64(48),
        promised: u64(56),
        silence_us: u32(64),
      };
    case "bye":
      return { type };
    case "learned":
      return {
        type,
        trimmed: u64(32),
        decided: u64(40),
        last: (u32(52) & 1) !== 0,
        entries: decodeEntries(view, 56, u32(48)),
      };
    case "forgot":
      return { type, known: u32(32), refused: u32(36) };
    case "rejoin":
      return { type, memory: u32(32), from: u64(40), end: u64(48) };
    case "query":
      return { type, number: u32(32) };
    case "status":
      return {
        type,
        number: u32(32),
        total: view.getUint16(36, true),
        first: view.getUint16(38, true),
        items: decodeItems(view),
      };
    case "session":
      return {
        type,
        verdicts: Array.from({ length: u32(32) }, (_, i) => ({
          client: u64(40 + i * 24),
          instance: u64(48 + i * 24),
          verdict: u32(56 + i * 24),
          hasRoom: u32(60 + i * 24) === 1,
        })),
      };
  }
}

/** The message type of a frame, without a look at the rest. */
export function typeOf(frame: Uint8Array): MessageName {
  return TYPES[frame[LINK + 1]] as MessageName;
}

/**
 * All fields of a sound frame.
 *
 * @param frame From the link header on.
 * @throws {RangeError} if a field lies outside of the frame.
 */
export function decode(frame: Uint8Array): FrameFields {
  const link = new DataView(frame.buffer, frame.byteOffset, LINK);
  const from = frame.byteOffset + LINK;
  const length = new DataView(frame.buffer, from).getUint16(10, true);
  const view = new DataView(frame.buffer, from, length);
  return {
    destination: linkAddress(frame.subarray(0, 6)),
    source: linkAddress(frame.subarray(6, 12)),
    ethertype: link.getUint16(12, false),
    version: view.getUint8(0),
    cluster: view.getUint16(2, true),
    senderRole: rolesOf(view.getUint8(4))[0],
    receiverRoles: rolesOf(view.getUint8(5)),
    senderId: view.getUint16(6, true),
    receiverId: view.getUint16(8, true),
    length,
    incarnation: view.getUint32(12, true),
    checksum: view.getBigUint64(16, true),
    ballot: view.getBigUint64(24, true),
    body: decodeBody(view, typeOf(frame)),
  };
}
