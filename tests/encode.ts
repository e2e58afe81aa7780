/** Fields to frames: the other half of `decode.ts`, with which tests forge what a core receives. */
import {
  type Body,
  type EntryFields,
  type Header,
  type RangeFields,
  type RejoinedFields,
  ROLES,
  type RunFields,
  TYPES,
} from "../sim/decode.ts";
import { xxh64 } from "./xxh64.ts";

const LINK = 14;
const HEADER = 32;

const text = new TextEncoder();

/** A ballot: the round above 16 bits of the proposer's id. */
export function ballotOf(round: number | bigint, id: number): bigint {
  return BigInt(round) << 16n | BigInt(id);
}

/** One client's consecutive values, from text. */
export function run(
  client: bigint,
  first: number | bigint,
  ...values: string[]
): RunFields {
  return {
    client,
    first: BigInt(first),
    values: values.map((value) => text.encode(value)),
  };
}

/** The command that opens or touches a client's session, or closes it. */
export function command(
  client: bigint,
  verb: "open" | "close" = "open",
  { born = 1n, reserves = false } = {},
): RunFields {
  const value = new Writer().u64(born).u32(verb === "open" ? 1 : 2)
    .u32(reserves ? 1 : 0);
  return { client, first: 0n, values: [Uint8Array.from(value.bytes)] };
}

/** A chunk of a large value: the piece of `whole` from `offset` on. */
export function chunk(
  client: bigint,
  sequence: number | bigint,
  whole: Uint8Array,
  { first, offset, bytes }: { first: number; offset: number; bytes: number },
): RunFields {
  const value = new Writer().u32(whole.length).u32(offset).u64(BigInt(first))
    .raw(whole.subarray(offset, offset + bytes));
  return {
    client,
    first: BigInt(sequence),
    values: [Uint8Array.from(value.bytes)],
    chunks: [0],
  };
}

/** Little-endian words, one after another. */
class Writer {
  readonly bytes: number[] = [];

  u16(value: number): this {
    this.bytes.push(value & 0xff, value >> 8 & 0xff);
    return this;
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16);
  }

  u64(value: bigint): this {
    return this.u32(Number(value & 0xffff_ffffn)).u32(Number(value >> 32n));
  }

  raw(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.bytes.push(bytes[i]);
    return this;
  }

  pad8(): this {
    while (this.bytes.length % 8 !== 0) this.bytes.push(0);
    return this;
  }
}

/** A batch as it stands on the wire. */
export function encodeBatch(batch: readonly RunFields[]): number[] {
  const to = new Writer();
  for (const { client, first, values, chunks = [] } of batch) {
    to.u64(client).u64(first | BigInt(values.length) << 48n);
    values.forEach((value, i) =>
      to.u16(value.length | (chunks.includes(i) ? 0x8000 : 0)).raw(value)
    );
    to.pad8();
  }
  return to.bytes;
}

function countValues(batch: readonly RunFields[]): number {
  return batch.reduce((sum, { values }) => sum + values.length, 0);
}

function entries(to: Writer, list: readonly EntryFields[]): void {
  for (const { instance, ballot, decided, batch } of list) {
    const bytes = encodeBatch(batch);
    to.u64(instance).u64(ballot).u32(bytes.length).u16(countValues(batch))
      .u16(decided ? 1 : 0).raw(bytes);
  }
}

function ranges(to: Writer, list: readonly RangeFields[]): void {
  to.u32(list.length).u32(0);
  for (const { first, end } of list) to.u64(first).u64(end);
}

function rejoined(to: Writer, { ballot, id, memory }: RejoinedFields): void {
  to.u64(ballot).u16(id).u16(0).u32(memory);
}

/** No acceptor rejoined. */
export const NOBODY: RejoinedFields = { ballot: 0n, id: 0, memory: 0 };

/** Fields that say nothing when they are 0, and may be left out. */
type Quiet =
  | "rejoining"
  | "memory"
  | "memories"
  | "rejoined"
  | "state"
  | "promised"
  | "silence_us";

type Loose<B> = B extends unknown
  ? Omit<B, Quiet> & Partial<Pick<B, Extract<keyof B, Quiet>>>
  : never;

/** A message's body, in which fields that say nothing may be left out. */
export type LooseBody = Loose<Body>;

function encodeBody(body: LooseBody): number[] {
  const to = new Writer();
  switch (body.type) {
    case "prepare":
      to.u64(body.from).u16(body.rejoining ?? 0).u16(0).u32(body.memory ?? 0);
      break;
    case "promise":
      to.u64(body.start).u64(body.end).u64(body.decided)
        .u16(body.entries.length)
        .u16((body.last ? 1 : 0) | (body.pause ? 2 : 0))
        .u32(body.incarnation).u64(body.memories ?? 0n);
      entries(to, body.entries);
      break;
    case "accept": {
      const batch = encodeBatch(body.batch);
      to.u64(body.decided).u64(body.instance).u32(batch.length)
        .u16(countValues(body.batch)).u16(body.congested ? 1 : 0).raw(batch);
      break;
    }
    case "accepted":
    case "repair":
      ranges(to, body.ranges);
      break;
    case "reject":
      to.u64(body.rejected).u64(body.decided);
      break;
    case "heartbeat":
      to.u64(body.decided).u64(body.next);
      rejoined(to, body.rejoined ?? NOBODY);
      break;
    case "submit": {
      const batch = encodeBatch(body.batch);
      to.u32(batch.length).u32(countValues(body.batch)).raw(batch);
      break;
    }
    case "answer":
      to.u32(body.answered.length).u32(0).u64(body.decided);
      for (const { client, first, count } of body.answered) {
        to.u64(client).u64(first | BigInt(count) << 48n);
      }
      break;
    case "hi":
      to.u64(body.delivered);
      rejoined(to, body.rejoined ?? NOBODY);
      to.u16(["votes", "asks", "recovers"].indexOf(body.state ?? "votes"))
        .raw([0, 0, 0, 0, 0, 0]);
      break;
    case "ok":
      to.u64(body.decided).u64(body.trimmed).u64(body.next)
        .u64(body.promised ?? 0n).u32(body.silence_us ?? 0).u32(0);
      break;
    case "bye":
      break;
    case "learned":
      to.u64(body.trimmed).u64(body.decided).u32(body.entries.length)
        .u32(body.last ? 1 : 0);
      entries(to, body.entries);
      break;
    case "forgot":
      to.u32(body.known).u32(body.refused);
      break;
    case "rejoin":
      to.u32(body.memory ?? 0).u32(0).u64(body.from).u64(body.end);
      break;
    case "query":
      to.u32(body.number).u32(0);
      break;
    case "status":
      to.u32(body.number).u16(body.total).u16(body.first)
        .u32(body.items.length).u32(0);
      for (const { kind, role, code, ago_ms, value } of body.items) {
        to.raw([kind, role]).u16(code).u32(ago_ms).u64(value);
      }
      break;
    case "session":
      to.u32(body.verdicts.length).u32(0);
      for (const { client, instance, verdict, hasRoom } of body.verdicts) {
        to.u64(client).u64(instance).u32(verdict).u32(hasRoom ? 1 : 0);
      }
      break;
  }
  return to.bytes;
}

function addressBytes(address: string): number[] {
  return address.split(":").map((byte) => parseInt(byte, 16));
}

function maskOf(roles: readonly string[]): number {
  return ROLES.reduce(
    (mask, role, bit) => mask | (roles.includes(role) ? 1 << bit : 0),
    0,
  );
}

/** What a header says unless a test says otherwise. */
const DEFAULTS: Omit<Header, "senderRole" | "senderId" | "incarnation"> = {
  destination: "03:6b:70:78:00:01",
  source: "02:00:00:00:00:77",
  ethertype: 0x88b5,
  version: 1,
  cluster: 1,
  receiverRoles: [...ROLES],
  receiverId: 0,
  ballot: 0n,
};

/** Header fields that have no default, and those that a test wants otherwise. */
export type Sender =
  & Pick<Header, "senderRole" | "senderId" | "incarnation">
  & Partial<Header>;

/** A sound frame, from the link header on. */
export function encode(
  sender: Sender,
  body: LooseBody,
): Uint8Array<ArrayBuffer> {
  const header = { ...DEFAULTS, ...sender };
  const payload = encodeBody(body);
  const to = new Writer()
    .raw(addressBytes(header.destination))
    .raw(addressBytes(header.source))
    .raw([header.ethertype >> 8, header.ethertype & 0xff])
    .raw([header.version, TYPES.indexOf(body.type)])
    .u16(header.cluster)
    .raw([maskOf([header.senderRole]), maskOf(header.receiverRoles)])
    .u16(header.senderId)
    .u16(header.receiverId)
    .u16(HEADER + payload.length)
    .u32(header.incarnation)
    .u64(0n)
    .u64(header.ballot)
    .raw(payload);
  return seal(Uint8Array.from(to.bytes));
}

/** Gives a frame the checksum that fits the rest of it, and returns it. */
export function seal<T extends Uint8Array>(frame: T): T {
  const view = new DataView(frame.buffer, frame.byteOffset + LINK);
  view.setBigUint64(16, checksumOf(frame), true);
  return frame;
}

/** The checksum that a frame should have, by its header's length. */
export function checksumOf(frame: Uint8Array): bigint {
  const view = new DataView(frame.buffer, frame.byteOffset + LINK);
  const start = xxh64(frame.subarray(LINK, LINK + 16), 0n);
  const end = LINK + view.getUint16(10, true);
  return xxh64(frame.subarray(LINK + 24, end), start);
}
