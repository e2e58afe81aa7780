/** A network card without a network: a switch in virtual time, whose every fault comes from a seed. */
import {
  type FrameArea,
  LINK_HEADER_BYTES,
  type Nic,
  type NicStats,
  SLOT_OFFSET,
  WAIT,
} from "../ffi/nic.ts";
import type { Fate } from "./events.ts";
import { Random } from "./random.ts";

/** Whose card it is; frames pass by the same rules as on a real one. */
export interface MockNicOptions {
  /** Own MAC. Several cards may share one, as processes on one interface do. */
  readonly address: Uint8Array;
  /** Multicast MAC of the cluster. */
  readonly group: Uint8Array;
  /** Mask of roles. */
  readonly roles: number;
  /** Id of the node; 0: frames for any id pass. */
  readonly id: number;
  readonly incarnation: number;
  readonly cluster: number;
  /** Most bytes that may follow the link header. */
  readonly mtu: number;
  /** Most frames under way to this card or waiting in it (default 4096); more are dropped. */
  readonly queueFrames?: number;
}

/** What goes wrong between cards. It may be changed at any time; frames under way stay as they are. */
export interface MockFaults {
  /** Share of frames lost, 0 to 1, for each receiver apart. */
  loss: number;
  /** Share of frames that arrive twice. */
  duplication: number;
  /** Share of frames that arrive with some bits flipped, and with their end cut off. */
  corruption: number;
  truncation: number;
  /** Share of frames that bring an older one along, sent to anybody at any time before. */
  replay: number;
  /** How long a frame is under way. A range, not a point, lets frames overtake each other. */
  delay_us: { least: number; most: number };
  /** True if nothing gets from one card to the other. */
  partition: (from: MockNic, to: MockNic) => boolean;
}

interface FrameUnderWay {
  readonly due_us: number;
  readonly bytes: Uint8Array;
  readonly frame: number;
  readonly fate?: Fate;
}

/** Sees what becomes of frames, which are numbered from 1 as they are sent. */
export interface NetworkWatch {
  sent?(from: MockNic, bytes: Uint8Array, frame: number): void;
  received?(
    to: MockNic,
    frame: number,
    fate: Fate | undefined,
    bytes: Uint8Array,
  ): void;
  lost?(to: MockNic, frame: number, fate: Fate): void;
  /** Two copies are under way, or an old frame is again. */
  repeated?(to: MockNic, frame: number, how: "duplicated" | "replayed"): void;
}

/** Frames that may be sent again. */
const REMEMBERED_FRAMES = 256;

const QUEUE_FRAMES = 4096;

// The header's fields that a card looks at, counted from the link header's first
// byte; ffi/nic.h draws them.
const VERSION = LINK_HEADER_BYTES + 0;
const CLUSTER = LINK_HEADER_BYTES + 2;
const RECEIVER_ROLES = LINK_HEADER_BYTES + 5;
const RECEIVER_ID = LINK_HEADER_BYTES + 8;
const INCARNATION = LINK_HEADER_BYTES + 12;
const FILTERED_BYTES = INCARNATION + 4;
const WIRE_VERSION = 1;

/** The switch that joins mocked cards. */
export class MockNetwork {
  readonly faults: MockFaults = {
    loss: 0,
    duplication: 0,
    corruption: 0,
    truncation: 0,
    replay: 0,
    delay_us: { least: 0, most: 0 },
    partition: () => false,
  };
  /** Sees every frame as it was sent, before any fault. It may keep the bytes, but not change them. */
  tap?: (from: MockNic, bytes: Uint8Array) => void;
  watch?: NetworkWatch;
  readonly #now: () => number;
  readonly #random: Random;
  readonly #cards: MockNic[] = [];
  readonly #remembered: { bytes: Uint8Array; frame: number }[] = [];
  #frames = 0;

  /**
   * @param options.seed Decides every fault.
   * @param options.now Virtual time in µs; it never goes back.
   */
  constructor({ seed, now }: { seed: number; now: () => number }) {
    this.#random = new Random(seed);
    this.#now = now;
  }

  /** Plugs in a new card that reads and writes `area`. `close()` unplugs it. */
  attach(area: FrameArea, options: MockNicOptions): MockNic {
    const card = new MockNic(area, options, {
      now: this.#now,
      forward: (from, bytes) => this.#forward(from, bytes),
      detach: (gone) => this.#cards.splice(this.#cards.indexOf(gone), 1),
      watch: () => this.watch,
    });
    this.#cards.push(card);
    return card;
  }

  /** Virtual time in µs when the next frame arrives anywhere; Infinity if none is under way. */
  nextDue(): number {
    return Math.min(Infinity, ...this.#cards.map((card) => card.nextDue()));
  }

  #forward(from: MockNic, bytes: Uint8Array): void {
    this.tap?.(from, bytes);
    const frame = ++this.#frames;
    this.watch?.sent?.(from, bytes, frame);
    const { loss, duplication, partition } = this.faults;
    for (const to of this.#receivers(from, bytes)) {
      // Who it is not meant for does not see it, whatever becomes of it.
      if (!to.passes(bytes)) continue;
      const cut = partition(from, to);
      if (cut || this.#happens(loss)) {
        this.watch?.lost?.(to, frame, cut ? "partitioned" : "lost");
        continue;
      }
      this.#convey(to, bytes, frame);
      if (this.#happens(duplication)) {
        this.watch?.repeated?.(to, frame, "duplicated");
        this.#convey(to, bytes, frame);
      }
    }
    this.#remember(bytes, frame);
    if (this.#happens(this.faults.replay)) this.#replay(from);
  }

  /** Puts a copy on its way; something may happen to it there. */
  #convey(to: MockNic, bytes: Uint8Array, frame: number): void {
    const { delay_us, corruption, truncation } = this.faults;
    const delay = this.#random.between(delay_us.least, delay_us.most);
    const due_us = this.#now() + delay;
    if (this.#happens(corruption)) {
      const copy = this.#corrupt(bytes);
      to.enqueue({ due_us, bytes: copy, frame, fate: "corrupted" });
    } else if (this.#happens(truncation)) {
      const cut = bytes.slice(0, this.#random.between(0, bytes.length - 1));
      to.enqueue({ due_us, bytes: cut, frame, fate: "truncated" });
    } else {
      to.enqueue({ due_us, bytes, frame });
    }
  }

  /** What never happens takes no random number, so that one fault's absence leaves the others alone. */
  #happens(share: number): boolean {
    return share > 0 && this.#random.chance(share);
  }

  /** One to three flipped bits anywhere. */
  #corrupt(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice();
    for (let flips = this.#random.between(1, 3); flips > 0; flips--) {
      const at = this.#random.between(0, copy.length - 1);
      copy[at] ^= 1 << this.#random.between(0, 7);
    }
    return copy;
  }

  /** Keeps some of the frames, older and newer ones: later ones take random places. */
  #remember(bytes: Uint8Array, frame: number): void {
    if (this.faults.replay === 0) return;
    if (this.#remembered.length < REMEMBERED_FRAMES) {
      this.#remembered.push({ bytes, frame });
    } else if (this.#happens(0.25)) {
      const place = this.#random.between(0, REMEMBERED_FRAMES - 1);
      this.#remembered[place] = { bytes, frame };
    }
  }

  #replay(from: MockNic): void {
    const place = this.#random.between(0, this.#remembered.length - 1);
    const { bytes, frame } = this.#remembered[place];
    for (const to of this.#receivers(from, bytes)) {
      if (!to.passes(bytes) || this.faults.partition(from, to)) continue;
      this.watch?.repeated?.(to, frame, "replayed");
      this.#convey(to, bytes, frame);
    }
  }

  /** As a switch does it: a group frame, or one for an unknown address, goes to every port. */
  #receivers(from: MockNic, bytes: Uint8Array): MockNic[] {
    const others = this.#cards.filter((card) => card !== from);
    if ((bytes[0] & 1) === 1) return others;
    const owners = others.filter((card) =>
      card.address.every((byte, i) => byte === bytes[i])
    );
    return owners.length > 0 ? owners : others;
  }
}

/** What a card needs of its switch. */
interface Port {
  now(): number;
  forward(from: MockNic, bytes: Uint8Array): void;
  detach(card: MockNic): void;
  watch(): NetworkWatch | undefined;
}

/** A card of a `MockNetwork`. `wait` never sleeps: tests turn the wheel by hand. */
export class MockNic implements Nic {
  readonly address: Uint8Array;
  readonly group: Uint8Array;
  readonly mtu: number;
  readonly wakeFd = -1;
  readonly options: MockNicOptions;
  readonly #area: FrameArea;
  readonly #view: DataView;
  readonly #port: Port;
  /** Invariant: ordered by due time, and by sending where that is equal. */
  readonly #queue: FrameUnderWay[] = [];
  #open = true;
  readonly #stats: NicStats = {
    receivedFrames: 0,
    sentFrames: 0,
    droppedByKernel: 0,
    truncated: 0,
    sendFailures: 0,
    flaps: 0,
  };

  constructor(area: FrameArea, options: MockNicOptions, port: Port) {
    this.address = options.address;
    this.group = options.group;
    this.mtu = options.mtu;
    this.options = options;
    this.#area = area;
    this.#port = port;
    const { memory } = area;
    this.#view = new DataView(
      memory.buffer,
      memory.byteOffset,
      memory.byteLength,
    );
  }

  receive(): number {
    this.#mustBeOpen();
    const { memory, rxSlots, rxSlotBytes, rxCapacity, rxLengths } = this.#area;
    const now = this.#port.now();
    let taken = 0;
    let frames = 0;
    while (
      taken < this.#queue.length && frames < rxCapacity &&
      this.#queue[taken].due_us <= now
    ) {
      const { bytes, frame, fate } = this.#queue[taken++];
      this.#port.watch()?.received?.(this, frame, fate, bytes);
      if (bytes.length > rxSlotBytes - SLOT_OFFSET) {
        this.#stats.truncated++;
        continue;
      }
      memory.set(bytes, rxSlots + frames * rxSlotBytes + SLOT_OFFSET);
      this.#view.setUint32(rxLengths + frames * 4, bytes.length, true);
      frames++;
    }
    this.#queue.splice(0, taken);
    this.#stats.receivedFrames += frames;
    return frames;
  }

  send(first: number, count: number): void {
    this.#mustBeOpen();
    const { memory, txDescriptors, txCapacity } = this.#area;
    if (first + count > txCapacity) {
      throw new RangeError(
        `Descriptors ${first} to ${first + count} are more than ${txCapacity}`,
      );
    }
    for (let i = first; i < first + count; i++) {
      const offset = this.#view.getUint32(txDescriptors + i * 8, true);
      const length = this.#view.getUint32(txDescriptors + i * 8 + 4, true);
      if (length < LINK_HEADER_BYTES || offset + length > memory.length) {
        throw new RangeError(
          `Descriptor ${i} (offset ${offset}, length ${length}) lies outside of the memory`,
        );
      }
      if (length > LINK_HEADER_BYTES + this.mtu) {
        this.#stats.sendFailures++;
        continue;
      }
      this.#stats.sentFrames++;
      this.#port.forward(this, memory.slice(offset, offset + length));
    }
  }

  /** Returns at once: `WAIT.frames` if a frame is due. */
  wait(_timeout_us: number): number {
    this.#mustBeOpen();
    return this.nextDue() <= this.#port.now() ? WAIT.frames : 0;
  }

  stats(): NicStats {
    return { ...this.#stats };
  }

  close(): void {
    this.#mustBeOpen();
    this.#open = false;
    this.#port.detach(this);
  }

  /** Virtual time in µs when the next frame arrives here; Infinity if none is under way. */
  nextDue(): number {
    return this.#queue.length > 0 ? this.#queue[0].due_us : Infinity;
  }

  /** The switch's side: takes a frame, if there is room. */
  enqueue(frame: FrameUnderWay): void {
    if (this.#queue.length >= (this.options.queueFrames ?? QUEUE_FRAMES)) {
      this.#stats.droppedByKernel++;
      this.#port.watch()?.lost?.(this, frame.frame, "buffer full");
      return;
    }
    let place = this.#queue.length;
    while (place > 0 && this.#queue[place - 1].due_us > frame.due_us) place--;
    this.#queue.splice(place, 0, frame);
  }

  /** The filter in front of the card's queue. */
  passes(bytes: Uint8Array): boolean {
    if (bytes.length < FILTERED_BYTES) return false;
    const frame = new DataView(bytes.buffer, bytes.byteOffset);
    const { cluster, roles, id, incarnation } = this.options;
    const receiver = frame.getUint16(RECEIVER_ID, true);
    return bytes[VERSION] === WIRE_VERSION &&
      frame.getUint16(CLUSTER, true) === cluster &&
      (bytes[RECEIVER_ROLES] & roles) !== 0 &&
      (id === 0 || receiver === 0 || receiver === id) &&
      frame.getUint32(INCARNATION, true) !== incarnation;
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new Error("The card is closed");
  }
}
