/**
 * What a receiver checks, a second time: written by hand from `docs/wire.md` and from nothing else,
 * so that it and the core can only agree by following the document.
 */
import type { CoreOptions } from "../core/core.ts";
import { TYPES } from "../sim/decode.ts";
import { checksumOf } from "./encode.ts";
import {
  INSTANCE_LAST,
  ROUND_LAST,
  SENDERS,
  SEQUENCE_LAST,
} from "./messages.ts";

/** Bytes of the link header. */
const LINK = 14;

/** Names of the counters of `docs/wire.md`, "What a receiver checks". */
export type Fault =
  | "badLength"
  | "badVersion"
  | "badCluster"
  | "badChecksum"
  | "badType"
  | "badSender"
  | "ownEcho"
  | "badReceiver"
  | "badBody";

/**
 * Why this receiver drops the frame; undefined if it takes it.
 *
 * @param frame From the link header on, padding included.
 * @param checksum What the frame's checksum should be (default: calculated).
 */
export function faultOf(
  frame: Uint8Array,
  receiver: CoreOptions,
  checksum: (frame: Uint8Array) => bigint = checksumOf,
): Fault | undefined {
  if (frame.length < LINK + 32) return "badLength";
  const header = new DataView(frame.buffer, frame.byteOffset + LINK);
  const length = header.getUint16(10, true);
  if (header.getUint8(0) !== 1) return "badVersion";
  if (header.getUint16(2, true) !== receiver.cluster) return "badCluster";
  if (length < 32 || length > frame.length - LINK || length > receiver.mtu) {
    return "badLength";
  }
  if (header.getBigUint64(16, true) !== checksum(frame)) return "badChecksum";
  const name = TYPES[header.getUint8(1)] ?? "";
  if (name === "") return "badType";
  const role = ["proposer", "acceptor", "learner", "client"][
    Math.log2(header.getUint8(4))
  ] as "proposer" | "acceptor" | "learner" | "client" | undefined;
  if (role === undefined || !SENDERS[name].includes(role)) return "badSender";
  const sender = header.getUint16(6, true);
  const incarnation = header.getUint32(12, true);
  const members = role === "acceptor"
    ? receiver.acceptors
    : role === "proposer"
    ? receiver.proposers
    : [sender];
  if (sender === 0 || incarnation === 0) return "badSender";
  if (!members.includes(sender)) return "badSender";
  if (incarnation === receiver.incarnation) return "ownEcho";
  if ((header.getUint8(5) & receiver.roles) === 0) return "badReceiver";
  const meant = header.getUint16(8, true);
  if (meant !== 0 && meant !== receiver.id) return "badReceiver";
  const body = new DataView(frame.buffer, header.byteOffset, length);
  return new Body(body, receiver).sound(name, sender) ? undefined : "badBody";
}

/** Header and body of a frame whose header is right. */
class Body {
  readonly #view: DataView;
  readonly #proposers: readonly number[];
  readonly #acceptors: readonly number[];
  readonly #batchBytesMost: number;

  constructor(view: DataView, { mtu, proposers, acceptors }: CoreOptions) {
    this.#view = view;
    this.#proposers = proposers;
    this.#acceptors = acceptors;
    this.#batchBytesMost = (mtu - 96) - (mtu - 96) % 8;
  }

  sound(name: Exclude<typeof TYPES[number], "">, sender: number): boolean {
    const length = this.#view.byteLength;
    switch (name) {
      case "prepare":
        return length === 48 && this.#ballot(24, sender) &&
          (this.#u16(40) === 0 || this.#acceptors.includes(this.#u16(40)));
      case "promise":
        return length >= 72 && this.#ballot(24) && this.#instance(48) &&
          this.#entries(72, this.#u16(56), false);
      case "accept":
        return length >= 56 && this.#ballot(24, sender) &&
          this.#instance(32) && this.#instance(40) &&
          this.#u64(40) >= this.#u64(32) &&
          this.#u64(40) - this.#u64(32) < 2048n &&
          this.#u32(48) <= this.#batchBytesMost &&
          this.#u32(48) === length - 56 &&
          this.#values(56, length) === this.#u16(52) && this.#u16(54) <= 1;
      case "accepted":
        return this.#ballot(24) && this.#ranges();
      case "repair":
        return this.#ranges();
      case "reject":
        return length === 48 && this.#ballot(24) && this.#instance(40);
      case "heartbeat":
        return length === 64 && this.#ballot(24, sender) &&
          this.#instance(32) && this.#rejoined(48);
      case "submit":
        return length > 40 && this.#u32(32) === length - 40 &&
          this.#values(40, length) === this.#u32(36);
      case "answer":
        return this.#answers();
      case "hi":
        return length === 64 && this.#u64(32) <= INSTANCE_LAST &&
          this.#rejoined(40) && this.#u16(56) <= 2;
      case "ok":
        return length === 72 && this.#instance(32) &&
          this.#u64(40) <= INSTANCE_LAST;
      case "bye":
        return length === 32;
      case "learned":
        return length >= 56 && this.#u64(32) <= INSTANCE_LAST &&
          this.#instance(40) && this.#entries(56, this.#u32(48), true);
      case "forgot":
      case "query":
        return length === 40;
      case "rejoin":
        return length === 56 && this.#ballot(24, sender) &&
          this.#instance(40) && this.#u64(48) >= this.#u64(40) &&
          this.#u64(48) - this.#u64(40) <= 2048n;
      case "status":
        return this.#items();
      case "session":
        return this.#verdicts();
    }
  }

  #u16 = (at: number) => this.#view.getUint16(at, true);
  #u32 = (at: number) => this.#view.getUint32(at, true);
  #u64 = (at: number) => this.#view.getBigUint64(at, true);

  #instance(at: number): boolean {
    const instance = this.#u64(at);
    return instance >= 1n && instance <= INSTANCE_LAST;
  }

  /** @param id Whose the ballot must be (default: any proposer's). */
  #ballot(at: number, id?: number): boolean {
    const ballot = this.#u64(at);
    const owner = Number(ballot & 0xffffn);
    const round = ballot >> 16n;
    return round >= 1n && round <= ROUND_LAST &&
      this.#proposers.includes(owner) && (id === undefined || owner === id);
  }

  /** An acceptor that rejoined, or nobody. */
  #rejoined(at: number): boolean {
    return this.#u64(at) === 0n ||
      this.#ballot(at) && this.#acceptors.includes(this.#u16(at + 8));
  }

  /** How many values the batch from `at` up to `end` holds; undefined if it is no batch. */
  #values(at: number, end: number): number | undefined {
    if ((end - at) % 8 !== 0) return undefined;
    let values = 0;
    while (at < end) {
      if (end - at < 16 || this.#u64(at) === 0n) return undefined;
      const first = this.#u64(at + 8) & 0xffff_ffff_ffffn;
      const count = Number(this.#u64(at + 8) >> 48n);
      const start = at;
      at += 16;
      if (first === 0n ? count !== 1 : !isRun(first, count)) return undefined;
      for (let n = 0; n < count; n++) {
        if (at + 2 > end) return undefined;
        const isChunk = (this.#u16(at) & 0x8000) !== 0;
        const bytes = this.#u16(at) & 0x7fff;
        at += 2;
        if (bytes > end - at) return undefined;
        if (isChunk && !this.#chunk(at, bytes)) return undefined;
        if (first === 0n && (isChunk || bytes !== 16 || !this.#command(at))) {
          return undefined;
        }
        at += bytes;
      }
      at += (8 - (at - start) % 8) % 8;
      values += count;
    }
    return at === end ? values : undefined;
  }

  /** Values are not aligned. */
  #command(at: number): boolean {
    const kind = this.#u32(at + 8);
    const flags = this.#u32(at + 12);
    return this.#u64(at) !== 0n &&
      (kind === 1 && flags <= 1 || kind === 2 && flags === 0);
  }

  #chunk(at: number, bytes: number): boolean {
    if (bytes < 17) return false;
    const total = this.#u32(at);
    return total <= 1 << 20 && this.#u32(at + 4) + bytes - 16 <= total &&
      this.#u64(at + 8) !== 0n;
  }

  #verdicts(): boolean {
    const { byteLength } = this.#view;
    if (byteLength < 40) return false;
    const count = this.#u32(32);
    if (count === 0 || byteLength !== 40 + count * 24) return false;
    for (let at = 40; at < byteLength; at += 24) {
      const verdict = this.#u32(at + 16);
      if (verdict < 1 || verdict > 3 || this.#u32(at + 20) > 1) return false;
      if (this.#u64(at) === 0n || !this.#instance(at + 8)) return false;
    }
    return true;
  }

  #ranges(): boolean {
    const { byteLength } = this.#view;
    if (byteLength < 40) return false;
    const count = this.#u32(32);
    if (count === 0 || byteLength !== 40 + count * 16) return false;
    for (let at = 40, before = 0n; at < byteLength; at += 16) {
      const first = this.#u64(at);
      if (!this.#instance(at) || !this.#instance(at + 8)) return false;
      if (first < before || this.#u64(at + 8) <= first) return false;
      before = this.#u64(at + 8);
    }
    return true;
  }

  #answers(): boolean {
    const { byteLength } = this.#view;
    if (byteLength < 48 || !this.#instance(40)) return false;
    const count = this.#u32(32);
    if (count === 0 || byteLength !== 48 + count * 16) return false;
    for (let at = 48; at < byteLength; at += 16) {
      const word = this.#u64(at + 8);
      const first = word & 0xffff_ffff_ffffn;
      const count = Number(word >> 48n);
      if (this.#u64(at) === 0n || !isRun(first, count)) return false;
    }
    return true;
  }

  #items(): boolean {
    const { byteLength } = this.#view;
    if (byteLength < 48) return false;
    const count = this.#u32(40);
    if (count === 0 || byteLength !== 48 + count * 16) return false;
    if (this.#u16(36) > 256) return false;
    if (this.#u16(38) + count > this.#u16(36)) return false;
    for (let at = 48; at < byteLength; at += 16) {
      const [kind, role] = [
        this.#view.getUint8(at),
        this.#view.getUint8(at + 1),
      ];
      if (![1, 2, 3].includes(kind)) return false;
      if (kind !== 3 && role !== 0) return false;
      if (kind === 3 && ![1, 2, 4, 8].includes(role)) return false;
      if (kind === 3 && this.#u16(at + 2) === 0) return false;
    }
    return true;
  }

  #entries(at: number, count: number, nothing: boolean): boolean {
    const end = this.#view.byteLength;
    let before = 0n;
    for (let n = 0; n < count; n++) {
      if (end - at < 24) return false;
      const bytes = this.#u32(at + 16);
      const next = at + 24 + bytes;
      if (next > end || bytes > this.#batchBytesMost) return false;
      if (!this.#instance(at) || this.#u64(at) <= before) return false;
      const empty = this.#u64(at + 8) === 0n && bytes === 0 &&
        this.#u16(at + 22) === 0;
      if (!this.#ballot(at + 8) && !(nothing && empty)) return false;
      if (this.#values(at + 24, next) !== this.#u16(at + 20)) return false;
      before = this.#u64(at);
      at = next;
    }
    return at === end;
  }
}

/** No run is without sequence number or values, and none counts beyond the last sequence number. */
function isRun(first: bigint, count: number): boolean {
  return first > 0n && count > 0 && first + BigInt(count) - 1n <= SEQUENCE_LAST;
}
