/** Structure-aware mutation: frames that are wrong in few places, and right everywhere else. */
import {
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ANSWER_BYTES,
  ANSWER_COUNT,
  HEADER_BALLOT,
  HEADER_BYTES,
  HEADER_INCARNATION,
  HEADER_LENGTH,
  HEADER_RECEIVER_ID,
  HEADER_RECEIVER_ROLES,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEADER_TYPE,
  LINK_BYTES,
  MESSAGE_END,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  SESSION_BYTES,
  SESSION_COUNT,
  SUBMIT_BATCH_BYTES,
  SUBMIT_BYTES,
  VERDICT_BYTES,
} from "../core/layout.ts";
import type { Random } from "../sim/random.ts";
import type { MessageName } from "../sim/decode.ts";
import { typeOf } from "../sim/decode.ts";
import { ballotOf } from "./encode.ts";
import { INSTANCE_LAST, ROUND_LAST, SEQUENCE_LAST } from "./messages.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Numbers at the edges of what fields hold. */
const EDGES = [
  0n,
  1n,
  2n,
  13n,
  0xffn,
  2047n,
  2048n,
  2049n,
  0xffffn,
  0x10000n,
  0x7fff_ffffn,
  0xffff_ffffn,
  SEQUENCE_LAST,
  SEQUENCE_LAST + 1n,
  INSTANCE_LAST - 1n,
  INSTANCE_LAST,
  INSTANCE_LAST + 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  ballotOf(1, 1),
  ballotOf(2, 3),
  ballotOf(ROUND_LAST, 2),
  ballotOf(ROUND_LAST + 1n, 2),
];

/** Where a type counts what follows, from where on, and how many bytes it counts as one. */
const COUNTS: Partial<Record<MessageName, [number, number, number]>> = {
  accept: [ACCEPT_BATCH_BYTES, ACCEPT_BYTES, 1],
  submit: [SUBMIT_BATCH_BYTES, SUBMIT_BYTES, 1],
  accepted: [RANGES_COUNT, RANGES_BYTES, RANGE_BYTES],
  repair: [RANGES_COUNT, RANGES_BYTES, RANGE_BYTES],
  answer: [ANSWER_COUNT, ANSWER_BYTES, RANGE_BYTES],
  session: [SESSION_COUNT, SESSION_BYTES, VERDICT_BYTES],
};

/** Makes frames out of frames. What it makes depends on nothing but the generator and the frames given. */
export class Mutator {
  readonly #random: Random;
  /** Most bytes of a frame, link header included. */
  readonly #bytesMost: number;
  #corpus: readonly Uint8Array[] = [];

  constructor(random: Random, bytesMost: number) {
    this.#random = random;
    this.#bytesMost = bytesMost;
  }

  /** One of the frames with one to three changes; length and counts mostly made to fit, the checksum not. */
  mutate(corpus: readonly Uint8Array[]): Bytes {
    this.#corpus = corpus;
    let frame = Uint8Array.from(this.#pick());
    for (let n = this.#random.between(1, 3); n > 0; n--) {
      frame = this.#change(frame);
      if (frame.length < LINK_BYTES + HEADER_BYTES) {
        frame = Uint8Array.from(this.#pick());
      }
      frame = frame.slice(0, this.#bytesMost);
    }
    const view = new DataView(frame.buffer, LINK_BYTES);
    const counted = COUNTS[typeOf(frame)];
    if (
      counted !== undefined && view.byteLength > counted[1] &&
      this.#random.chance(0.5)
    ) {
      const [offset, from, unit] = counted;
      view.setUint32(offset, Math.floor((view.byteLength - from) / unit), true);
    }
    const off = this.#random.chance(0.95) ? 0 : this.#random.between(-9, 9);
    view.setUint16(HEADER_LENGTH, view.byteLength + off, true);
    return frame;
  }

  #pick(): Uint8Array {
    return this.#corpus[this.#random.between(0, this.#corpus.length - 1)];
  }

  /** A multiple of `unit` in the payload, header included or not, that leaves `unit` bytes behind it. */
  #place(frame: Bytes, unit: number, from = HEADER_BALLOT): number {
    const least = from / unit;
    const most = Math.floor((frame.length - LINK_BYTES) / unit) - 1;
    return LINK_BYTES +
      this.#random.between(least, Math.max(least, most)) * unit;
  }

  #change(frame: Bytes): Bytes {
    switch (this.#random.between(0, 9)) {
      case 0:
      case 1:
        return this.#setNumber(frame, 8);
      case 2:
        return this.#setNumber(frame, this.#random.chance(0.5) ? 4 : 2);
      case 3:
        frame[this.#random.between(LINK_BYTES, frame.length - 1)] ^= 1 <<
          this.#random.between(0, 7);
        return frame;
      case 4:
        return this.#insert(frame);
      case 5:
        return this.#remove(frame);
      case 6:
        return this.#splice(frame);
      case 7:
        return this.#swap(frame);
      case 8:
        return this.#retype(frame);
      default:
        return this.#readdress(frame);
    }
  }

  /** A field gets an edge, its neighbour, a small number, or what stands in another place. */
  #setNumber(frame: Bytes, size: 2 | 4 | 8): Bytes {
    const at = this.#place(frame, size);
    if (at + size > frame.length) return frame;
    const now = read(frame, at, size);
    const other = this.#pick();
    const choices = [
      EDGES[this.#random.between(0, EDGES.length - 1)],
      now + BigInt(this.#random.between(-9, 9)),
      BigInt(this.#random.between(0, 20)),
      read(other, this.#place(Uint8Array.from(other), size), size),
    ];
    write(
      frame,
      at,
      size,
      choices[this.#random.between(0, choices.length - 1)],
    );
    return frame;
  }

  /** Bytes go in between: zeros, or a copy of others. */
  #insert(frame: Bytes): Bytes {
    const at = this.#place(frame, 8, HEADER_BYTES);
    const length = this.#random.between(1, 6) * 8;
    const from = this.#pick();
    const start = this.#random.between(LINK_BYTES, from.length);
    const added = new Uint8Array(length);
    if (this.#random.chance(0.7)) {
      added.set(from.subarray(start, start + length));
    }
    return join(frame.subarray(0, at), added, frame.subarray(at));
  }

  #remove(frame: Bytes): Bytes {
    const at = this.#place(frame, 8, HEADER_BYTES);
    const length = this.#random.chance(0.8)
      ? this.#random.between(1, 6) * 8
      : this.#random.between(1, 40);
    return join(frame.subarray(0, at), frame.subarray(at + length));
  }

  /** The end of one frame behind the start of another. */
  #splice(frame: Bytes): Bytes {
    const other = Uint8Array.from(this.#pick());
    const at = this.#place(frame, 8, HEADER_BYTES);
    const from = this.#random.chance(0.5)
      ? at
      : this.#place(other, 8, HEADER_BYTES);
    return join(frame.subarray(0, at), other.subarray(from));
  }

  /** Two parts of 8 to 24 bytes change places. */
  #swap(frame: Bytes): Bytes {
    const length = this.#random.between(1, 3) * 8;
    const [a, b] = [this.#place(frame, 8), this.#place(frame, 8)];
    if (Math.max(a, b) + length > frame.length) return frame;
    const part = frame.slice(a, a + length);
    frame.copyWithin(a, b, b + length);
    frame.set(part, b);
    return frame;
  }

  /** The same body under another type, perhaps from a role that sends it. */
  #retype(frame: Bytes): Bytes {
    frame[LINK_BYTES + HEADER_TYPE] = this.#random.between(1, MESSAGE_END - 1);
    if (this.#random.chance(0.7)) {
      frame[LINK_BYTES + HEADER_SENDER_ROLE] = 1 << this.#random.between(0, 3);
    }
    return frame;
  }

  /** Other roles, ids or incarnations in the header. */
  #readdress(frame: Bytes): Bytes {
    const id = () => BigInt(this.#random.between(0, 4));
    const at = (offset: number) => LINK_BYTES + offset;
    switch (this.#random.between(0, 4)) {
      case 0:
        frame[at(HEADER_SENDER_ROLE)] = this.#random.between(0, 17);
        break;
      case 1:
        frame[at(HEADER_RECEIVER_ROLES)] = this.#random.between(0, 17);
        break;
      case 2:
        write(frame, at(HEADER_SENDER_ID), 2, id());
        break;
      case 3:
        write(frame, at(HEADER_RECEIVER_ID), 2, id());
        break;
      case 4:
        write(frame, at(HEADER_INCARNATION), 4, id() * 101n);
        break;
    }
    return frame;
  }
}

function read(frame: Uint8Array, at: number, size: 2 | 4 | 8): bigint {
  if (at + size > frame.length) return 0n;
  const view = new DataView(frame.buffer, frame.byteOffset + at, size);
  if (size === 8) return view.getBigUint64(0, true);
  return BigInt(size === 4 ? view.getUint32(0, true) : view.getUint16(0, true));
}

function write(frame: Bytes, at: number, size: 2 | 4 | 8, value: bigint): void {
  const view = new DataView(frame.buffer, at, size);
  if (size === 8) view.setBigUint64(0, value, true);
  else if (size === 4) view.setUint32(0, Number(value & 0xffff_ffffn), true);
  else view.setUint16(0, Number(value & 0xffffn), true);
}

function join(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
