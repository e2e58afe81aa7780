/**
 * Which of each client's sequence numbers were seen: the table behind exactly once.
 *
 * A client keeps its sequence numbers in flight within SESSION_SEQUENCES of the oldest unanswered
 * one, so a sliding bitmap of that width suffices. Clients are forgotten least recently used first,
 * by the order of calls and by no clock; a learner calls in log order, so its table is a function
 * of the log alone.
 */
import { SESSION_SEQUENCES, SESSIONS_MAX } from "../layout";
import { arenaTake } from "./arena";

const BUCKETS = SESSIONS_MAX * 2;
const NONE: u32 = 0xffffffff;
const BITMAP_BYTES: usize = SESSION_SEQUENCES / 8;

@unmanaged
class Session {
  client: u64;
  /** All sequence numbers below are taken as seen. Invariant: those seen lie below base + SESSION_SEQUENCES. */
  base: u64;
  /** Next in the hash chain, and the neighbours by last use. */
  chain: u32;
  older: u32;
  newer: u32;
}

@unmanaged
export class Sessions {
  private table: usize;
  private bitmaps: usize;
  private buckets: usize;
  private used: u32;
  private oldest: u32;
  private newest: u32;

  static make(): Sessions {
    const self = changetype<Sessions>(arenaTake(offsetof<Sessions>()));
    self.table = arenaTake(offsetof<Session>() * SESSIONS_MAX);
    self.bitmaps = arenaTake(BITMAP_BYTES * SESSIONS_MAX);
    self.buckets = arenaTake(BUCKETS * 4);
    self.clear();
    return self;
  }

  /** Forgets every client. */
  clear(): void {
    memory.fill(this.buckets, 0xff, BUCKETS * 4);
    this.used = 0;
    this.oldest = NONE;
    this.newest = NONE;
  }

  /** Whether the value was added before; does not count as a use. */
  has(client: u64, sequence: u64): bool {
    const index = this.find(client);
    if (index == NONE) return false;
    const session = this.at(index);
    if (sequence < session.base) return true;
    if (sequence >= session.base + SESSION_SEQUENCES) return false;
    return (load<u8>(this.bitmapByte(index, sequence)) & Sessions.bit(sequence)) != 0;
  }

  /** Adds the value; false if it was there. */
  add(client: u64, sequence: u64): bool {
    let index = this.find(client);
    if (index == NONE) index = this.insert(client, sequence);
    else this.touch(index);
    const session = this.at(index);
    if (sequence < session.base) return false;
    if (sequence >= session.base + SESSION_SEQUENCES) this.slide(index, sequence);
    const at = this.bitmapByte(index, sequence);
    const bits = load<u8>(at);
    const bit = Sessions.bit(sequence);
    if ((bits & bit) != 0) return false;
    store<u8>(at, bits | bit);
    return true;
  }

  @inline private at(index: u32): Session {
    return changetype<Session>(this.table + <usize>index * offsetof<Session>());
  }

  @inline private bitmapByte(index: u32, sequence: u64): usize {
    return this.bitmaps + <usize>index * BITMAP_BYTES +
      <usize>((sequence & (SESSION_SEQUENCES - 1)) >> 3);
  }

  @inline private static bit(sequence: u64): u8 {
    return <u8>1 << (<u8>sequence & 7);
  }

  @inline private bucket(client: u64): usize {
    // Fibonacci hashing: client numbers may be consecutive.
    return this.buckets + (<usize>((client * 0x9e3779b97f4a7c15) >> 40) % BUCKETS << 2);
  }

  private find(client: u64): u32 {
    let index = load<u32>(this.bucket(client));
    while (index != NONE && this.at(index).client != client) index = this.at(index).chain;
    return index;
  }

  private insert(client: u64, sequence: u64): u32 {
    let index: u32;
    if (this.used < SESSIONS_MAX) {
      index = this.used++;
    } else {
      index = this.oldest;
      this.unchain(index);
      this.unlink(index);
    }
    const session = this.at(index);
    const bucket = this.bucket(client);
    session.client = client;
    // A client starts at 1; values may overtake one another by less than the width.
    session.base = sequence < SESSION_SEQUENCES ? 0 : sequence - SESSION_SEQUENCES + 1;
    session.chain = load<u32>(bucket);
    store<u32>(bucket, index);
    memory.fill(this.bitmaps + <usize>index * BITMAP_BYTES, 0, BITMAP_BYTES);
    this.link(index);
    return index;
  }

  /** Moves the window up so that it ends with `sequence`. */
  private slide(index: u32, sequence: u64): void {
    const session = this.at(index);
    const base = sequence - SESSION_SEQUENCES + 1;
    if (base - session.base >= SESSION_SEQUENCES) {
      memory.fill(this.bitmaps + <usize>index * BITMAP_BYTES, 0, BITMAP_BYTES);
    } else {
      for (let s = session.base; s < base; s++) {
        const at = this.bitmapByte(index, s);
        store<u8>(at, load<u8>(at) & ~Sessions.bit(s));
      }
    }
    session.base = base;
  }

  private touch(index: u32): void {
    if (index == this.newest) return;
    this.unlink(index);
    this.link(index);
  }

  private link(index: u32): void {
    const session = this.at(index);
    session.older = this.newest;
    session.newer = NONE;
    if (this.newest != NONE) this.at(this.newest).newer = index;
    else this.oldest = index;
    this.newest = index;
  }

  private unlink(index: u32): void {
    const session = this.at(index);
    if (session.older != NONE) this.at(session.older).newer = session.newer;
    else this.oldest = session.newer;
    if (session.newer != NONE) this.at(session.newer).older = session.older;
    else this.newest = session.older;
  }

  private unchain(index: u32): void {
    let at = this.bucket(this.at(index).client);
    while (load<u32>(at) != index) {
      at = changetype<usize>(this.at(load<u32>(at))) + offsetof<Session>("chain");
    }
    store<u32>(at, this.at(index).chain);
  }
}
