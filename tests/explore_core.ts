/**
 * A core whose whole state can be taken, told from other states, and put back.
 *
 * The state of a core is its memory and its mutable globals. The memory is tens of megabytes of which
 * a small world touches a few pages; so a state is kept as the words that differ from the memory
 * after `init`, and only pages that are known to change are looked at. That no other page changes is
 * verified over the whole memory, in every step at first and from time to time later.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Core, type CoreBuild, type CoreOptions } from "../core/core.ts";
import {
  DELIVERIES_MAX,
  DELIVERY_BYTES,
  Gauge,
  HELD_FRAMES,
  RANGE_BYTES,
  RECEIVE_FRAMES,
  Role,
  SEND_FRAMES,
} from "../core/layout.ts";
import { SLOT_OFFSET } from "../ffi/nic.ts";

/** Upper half of every timestamp; no other number in a core's memory has it, so it gives them away. */
const STAMP_HIGH = 0x0015a5a5;
/** When every core of a world starts, µs. */
export const START_US = STAMP_HIGH * 2 ** 32;

/** What stands in a key for a timestamp: only its order against the node's clock can matter. */
const PAST = 1;
const PRESENT = 2;
const FUTURE = 3;

const PAGE_WORDS = 1024;
/** Most steps between two verifications of the whole memory; a step to a new state has its own. */
const VERIFY_PERIOD = 256;

/**
 * Globals on which nothing that a core does can depend.
 *
 * The first group is set anew before it is read, in every step that reads it. The second counts
 * records, which nothing waits for without storage. The third draws how long a preempted proposer
 * waits at most, and every time that a world lets pass is longer (`JUMP_US`).
 */
const INVISIBLE = [
  "meters/eventCount",
  "outbox/used",
  "outbox/descriptorCount",
  "outbox/ownHead",
  "outbox/ownTail",
  "learner/deliveryCount",
  "learner/deliveredBytes",
  "pending/takenValues",
  "proposer/answerFrame",
  "proposer/answerCount",
  "acceptor/voteBallot",
  "registry/slowestLearner",

  "records/records",

  "random/state",
  "proposer/backoff_us",
];

/** One state of a core. Two states with equal keys behave alike. */
export interface CoreState {
  /** Words of memory that differ from those after `init`: index, value, index, value... */
  readonly words: Int32Array;
  readonly globals: readonly (number | bigint)[];
  readonly key: Int32Array;
  /** What the core's gauge says: 0 follower, 1 preparing, 2 leading. */
  readonly proposerState: number;
  /** The core wants to turn again at once. */
  readonly due: boolean;
}

/** A value that a learner delivered. */
export interface DeliveredValue {
  readonly instance: number;
  readonly client: bigint;
  readonly sequence: number;
}

/** What a step brought. */
export interface StepOutcome {
  readonly state: CoreState;
  readonly sent: readonly Uint8Array<ArrayBuffer>[];
  readonly delivered: readonly DeliveredValue[];
}

/** A page changed that was not looked at: what was explored since the last verification is void. */
export class UnknownPage extends Error {}

/** The pages that cores of one shape change. It outlives a core, so that what was learnt is kept. */
export class Footprint {
  readonly pages = new Set<number>();
}

/** Index ranges of words, from and to, that no state consists of. */
type Ranges = readonly (readonly [number, number])[];

/** A core that goes from any of its states to the next. */
export class FrozenCore {
  readonly options: CoreOptions;
  /** The state after `init`. */
  readonly initial: CoreState;
  readonly #core: Core;
  readonly #footprint: Footprint;
  readonly #memory: Int32Array;
  /** The memory after `init`. */
  readonly #initial: Int32Array;
  readonly #view: DataView;
  readonly #globals: WebAssembly.Global[];
  readonly #visible: boolean[];
  readonly #excluded: Ranges;
  readonly #stampsMatter: boolean;
  /** Words on the pages that are known to change, and all others; neither holds what is excluded. */
  #watched: [number, number][] = [];
  #unwatched: [number, number][] = [];
  #watchedPages = -1;
  #loaded: CoreState;
  /** Hashes of the keys of states that were verified. */
  readonly #verified = new Set<number>();
  /** Steps since the last verification. */
  #unverified = 0;

  /**
   * @param prepare Called once after `init`; sets addresses.
   * @param stampsMatter Whether it acts upon how old a timestamp in its memory is; see `#keyOf`.
   * @param build The shipping one unless given.
   */
  constructor(
    options: CoreOptions,
    prepare: (core: Core) => void,
    footprint: Footprint,
    stampsMatter: boolean,
    build?: CoreBuild,
  ) {
    assert(!options.persistent, "states of a core with storage are not known");
    assert((options.roles & Role.client) === 0, "clients are not known");
    this.options = options;
    this.#core = new Core(options, START_US, build);
    prepare(this.#core);
    this.#footprint = footprint;
    const { memory } = this.#core.area;
    this.#memory = new Int32Array(memory.buffer);
    this.#initial = this.#memory.slice(0, this.#core.memoryBytes / 4);
    this.#view = new DataView(memory.buffer);
    const globals = [...this.#core.globals];
    this.#globals = globals.map(([, global]) => global);
    this.#visible = globals.map(([name]) =>
      !INVISIBLE.some((suffix) => name.endsWith(`/${suffix}`))
    );
    this.#excluded = this.#buffers(globals);
    this.#stampsMatter = stampsMatter;
    this.initial = this.#take(START_US, START_US);
    this.#loaded = this.initial;
  }

  /**
   * One step from `state` with one frame or none.
   *
   * @throws {UnknownPage} if exploring must begin anew, with the same footprint.
   * @throws {Error} if an invariant of the core does not hold.
   */
  step(
    state: CoreState,
    frame: Uint8Array | undefined,
    now_us: number,
  ): StepOutcome {
    // Another core made pages known: what this one left on them would else count as part of a state.
    if (this.#watchedPages !== this.#footprint.pages.size) this.verify();
    this.#put(state);
    if (frame !== undefined) this.#load(frame);
    const core = this.#core;
    const due_us = core.step(frame === undefined ? 0 : 1, now_us, 0, false);
    this.#loaded = this.#take(now_us, due_us);
    const hash = hashOf(this.#loaded.key);
    this.#unverified++;
    if (!this.#verified.has(hash) || this.#unverified === VERIFY_PERIOD) {
      this.#verified.add(hash);
      // Pages that this step alone can have changed are looked at from now on, and nothing is lost.
      if (this.#unverified > 1) this.verify();
      else if (this.#findPages()) this.#loaded = this.#take(now_us, due_us);
      this.#unverified = 0;
    }
    return {
      state: this.#loaded,
      sent: this.#sent(),
      delivered: Array.from({ length: core.deliveryCount }, (_, i) => {
        const { instance, client, sequence } = core.delivery(i);
        return { instance, client, sequence };
      }),
    };
  }

  /** The state of `other`, a core of the same shape after its `init`, as a state of this one. */
  adopt(other: FrozenCore): CoreState {
    assert.equal(other.#initial.length, this.#initial.length);
    const words: number[] = [];
    const from = this.#excluded[0][1];
    for (let i = from; i < this.#initial.length; i++) {
      if (other.#initial[i] !== this.#initial[i]) {
        words.push(i, other.#initial[i]);
      }
    }
    for (let at = 0; at < words.length; at += 2) {
      this.#footprint.pages.add(Math.floor(words[at] / PAGE_WORDS));
    }
    this.#put({ ...other.initial, words: Int32Array.from(words) });
    this.#loaded = { ...this.#take(START_US, START_US), proposerState: 0 };
    return this.#loaded;
  }

  /**
   * Words that hold what is written before it is read, in every step: buffers, and the acceptor's
   * votes, which leave before a step ends. Below the first receive slot lie the settings, which
   * nothing writes after `init`, and the meters, which nothing but the host reads.
   */
  #buffers(
    globals: readonly (readonly [string, WebAssembly.Global])[],
  ): Ranges {
    const pointer = (name: string) => {
      const [, global] =
        globals.find(([path]) => path.endsWith(`/assembly/${name}`)) ?? [];
      assert(global !== undefined, `the core has no global ${name}`);
      return Number(global.value);
    };
    const { rxSlots, rxSlotBytes, rxLengths, txDescriptors } = this.#core.area;
    const slotBytes = pointer("outbox/slotBytes");
    const ranges = [
      [0, rxSlots],
      [rxSlots, RECEIVE_FRAMES * rxSlotBytes],
      [rxLengths, RECEIVE_FRAMES * 4],
      [pointer("outbox/slots"), SEND_FRAMES * slotBytes],
      [txDescriptors, (SEND_FRAMES + HELD_FRAMES) * 8],
      [pointer("outbox/own"), (SEND_FRAMES + HELD_FRAMES) * 4],
    ];
    if ((this.options.roles & Role.acceptor) !== 0) {
      const votesMax = pointer("acceptor/voteRangesMax");
      ranges.push([pointer("acceptor/voteRanges"), votesMax * RANGE_BYTES]);
    }
    if ((this.options.roles & Role.learner) !== 0) {
      ranges.push([
        pointer("learner/deliveries"),
        DELIVERIES_MAX * DELIVERY_BYTES,
      ]);
    }
    return ranges.map(([at, bytes]) => [at / 4, (at + bytes) / 4] as const)
      .sort(([a], [b]) => a - b);
  }

  #put(state: CoreState): void {
    const memory = this.#memory;
    const { words: before, globals: current } = this.#loaded;
    for (let at = 0; at < before.length; at += 2) {
      memory[before[at]] = this.#initial[before[at]];
    }
    const { words, globals } = state;
    for (let at = 0; at < words.length; at += 2) {
      memory[words[at]] = words[at + 1];
    }
    for (let i = 0; i < globals.length; i++) {
      if (globals[i] !== current[i]) this.#globals[i].value = globals[i];
    }
  }

  #load(frame: Uint8Array): void {
    const { memory, rxSlots, rxLengths } = this.#core.area;
    memory.set(frame, rxSlots + SLOT_OFFSET);
    this.#view.setUint32(rxLengths, frame.length, true);
  }

  #sent(): Uint8Array<ArrayBuffer>[] {
    const { memory, txDescriptors } = this.#core.area;
    return Array.from({ length: this.#core.sendCount }, (_, i) => {
      const at = this.#view.getUint32(txDescriptors + i * 8, true);
      const length = this.#view.getUint32(txDescriptors + i * 8 + 4, true);
      return memory.slice(at, at + length) as Uint8Array<ArrayBuffer>;
    });
  }

  /**
   * Verifies that nothing changed on pages that are not looked at.
   *
   * @throws {UnknownPage} otherwise: states that were taken since the last time may lack them.
   */
  verify(): void {
    if (this.#unverified > 0 && this.#findPages()) throw new UnknownPage();
    this.#unverified = 0;
  }

  /** Makes pages known that changed and are not looked at. Returns whether there are any. */
  #findPages(): boolean {
    const { pages } = this.#footprint;
    const known = pages.size;
    for (const [from, to] of this.#unwatched) {
      if (this.#same(from, to)) continue;
      for (let i = from; i < to; i++) {
        if (this.#memory[i] !== this.#initial[i]) {
          pages.add(Math.floor(i / PAGE_WORDS));
        }
      }
    }
    return pages.size > known;
  }

  #same(from: number, to: number): boolean {
    const now = Buffer.from(this.#memory.buffer, from * 4, (to - from) * 4);
    const { buffer } = this.#initial;
    return now.equals(Buffer.from(buffer, from * 4, (to - from) * 4));
  }

  /** Splits the memory into what is watched and what is not, if pages were added. */
  #refresh(): void {
    const { pages } = this.#footprint;
    if (this.#watchedPages === pages.size) return;
    this.#watchedPages = pages.size;
    this.#watched = [];
    this.#unwatched = [];
    let at = 0;
    const end = this.#initial.length;
    for (const [from, to] of [...this.#excluded, [end, end] as const]) {
      while (at < from) {
        const page = Math.floor(at / PAGE_WORDS);
        const until = Math.min(from, (page + 1) * PAGE_WORDS);
        append(pages.has(page) ? this.#watched : this.#unwatched, at, until);
        at = until;
      }
      at = to;
    }
  }

  /** The state that the core is in. */
  #take(now_us: number, due_us: number): CoreState {
    this.#refresh();
    const memory = this.#memory;
    const initial = this.#initial;
    const words: number[] = [];
    for (const [from, to] of this.#watched) {
      for (let i = from; i < to; i++) {
        if (memory[i] !== initial[i]) words.push(i, memory[i]);
      }
    }
    const globals = this.#globals.map((global) => global.value);
    return {
      words: Int32Array.from(words),
      globals,
      key: this.#keyOf(words, globals, now_us),
      proposerState: this.#core.gauge(Gauge.proposerState),
      due: due_us <= now_us,
    };
  }

  /**
   * What tells states apart. Of a timestamp it holds whether it is past, present or future, since
   * nodes either stand still or let more time pass than any wait lasts. Those in the memory say when
   * a peer was heard, which a learner asks for, and a leader of an acceptor that says that it lost its
   * memory; or when an instance was sent last; of the latter all are from the present, or nothing reads
   * them.
   */
  #keyOf(
    words: readonly number[],
    globals: readonly (number | bigint)[],
    now_us: number,
  ): Int32Array {
    const key: number[] = [];
    for (let at = 0; at < words.length; at += 2) {
      this.#pushWord(key, words[at], words[at + 1], now_us);
    }
    for (let i = 0; i < globals.length; i++) {
      const value = globals[i];
      if (!this.#visible[i]) continue;
      if (typeof value === "number") key.push(value);
      else if (Number(value >> 32n) === STAMP_HIGH) {
        key.push(STAMP_HIGH, orderOf(Number(value), now_us));
      } else key.push(Number(value >> 32n), Number(value & 0xffffffffn));
    }
    return Int32Array.from(key);
  }

  /** Adds a word; where a timestamp ends in it, its order in place of it. Timestamps lie at even addresses. */
  #pushWord(key: number[], index: number, word: number, now_us: number): void {
    const memory = this.#memory;
    const below = memory[index - 1];
    const order = (low: number) =>
      this.#stampsMatter ? orderOf(START_US + (low >>> 0), now_us) : PAST;
    const follows = key.at(-2) === index - 1;
    if (word === STAMP_HIGH) {
      if (follows) key.length -= 2;
      key.push(index, order(below));
    } else if (
      word >>> 16 === (STAMP_HIGH & 0xffff) &&
      (memory[index + 1] & 0xffff) === STAMP_HIGH >>> 16
    ) {
      if (follows) key[key.length - 1] &= 0xffff;
      key.push(index, order(word << 16 | below >>> 16));
    } else key.push(index, word);
  }
}

/** Adds a range behind others, as part of the last one if it goes on there. */
function append(ranges: [number, number][], from: number, to: number): void {
  const last = ranges.at(-1);
  if (last?.[1] === from) last[1] = to;
  else ranges.push([from, to]);
}

function orderOf(stamp_us: number, now_us: number): number {
  return stamp_us < now_us ? PAST : stamp_us > now_us ? FUTURE : PRESENT;
}

/** Where to look for an equal key. Keys are compared word by word, so that no state rests on a hash. */
export function hashOf(key: Int32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key[i], 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}
