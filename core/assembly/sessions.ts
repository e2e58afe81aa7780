/**
 * Which of each client's sequence numbers were seen.
 *
 * A client keeps its sequence numbers in flight within SESSION_SEQUENCES of the oldest unanswered
 * one, so a sliding bitmap of that width suffices. Clients stand in the order of their last use, by
 * the order of calls and by no clock. To a leader this is a cache, out of which the least recently
 * used client goes first (`add`); learners decide by the log who goes (`session_table.ts`).
 */
import { SESSION_SEQUENCES } from "../layout";
import { arenaTake } from "./arena";

/** No session. */
export const NO_SESSION: u32 = 0xffffffff;
const NONE = NO_SESSION;
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
  private bucketCount: u32;
  private capacity: u32;
  /** Places that were ever used, and the chain of those that are free again. */
  private used: u32;
  private free: u32;
  /** The ends of the order of last use. */
  oldest: u32;
  newest: u32;

  static make(capacity: u32): Sessions {
    const self = changetype<Sessions>(arenaTake(offsetof<Sessions>()));
    self.capacity = capacity;
    self.bucketCount = capacity * 2;
    self.table = arenaTake(offsetof<Session>() * <usize>capacity);
    self.bitmaps = arenaTake(BITMAP_BYTES * <usize>capacity);
    self.buckets = arenaTake(<usize>self.bucketCount * 4);
    self.clear();
    return self;
  }

  /** Forgets every client. */
  clear(): void {
    memory.fill(this.buckets, 0xff, <usize>this.bucketCount * 4);
    this.used = 0;
    this.free = NONE;
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

  /** Adds `count` values from `first` on, and forgets the least recently used client when there is no room; false if one was there. */
  add(client: u64, first: u64, count: u32): bool {
    let index = this.find(client);
    if (index == NONE) {
      if (this.full) this.remove(this.oldest);
      index = this.insert(client, first);
    } else {
      this.use(index);
    }
    if (this.takeAll(index, first, count)) return true;
    this.fill(index, first, count);
    return false;
  }

  /** Adds the values to the session at `index`; false, and nothing was added, if one of them was there. */
  takeAll(index: u32, first: u64, count: u32): bool {
    const session = this.at(index);
    if (first < session.base || count > SESSION_SEQUENCES) return false;
    // Beyond the window none was seen.
    const end = min(first + count, session.base + SESSION_SEQUENCES);
    for (let s = first; s < end;) {
      const span = min(64 - (s & 63), end - s);
      if ((load<u64>(this.bitmapWord(index, s)) & Sessions.bits(s, span)) != 0) return false;
      s += span;
    }
    this.fill(index, first, count);
    return true;
  }

  private fill(index: u32, first: u64, count: u32): void {
    const session = this.at(index);
    const end = first + count;
    if (end > session.base + SESSION_SEQUENCES) this.slide(index, end - 1);
    for (let s = max(first, session.base); s < end;) {
      const span = min(64 - (s & 63), end - s);
      const at = this.bitmapWord(index, s);
      store<u64>(at, load<u64>(at) | Sessions.bits(s, span));
      s += span;
    }
  }

  /** Adds the value to the session at `index`; false if it was there. */
  take(index: u32, sequence: u64): bool {
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

  /** There is no room for another client. */
  get full(): bool {
    return this.used == this.capacity && this.free == NONE;
  }

  /** The next more recently used session; NO_SESSION: none is. */
  newer(index: u32): u32 {
    return this.at(index).newer;
  }

  /** Clients that there are. */
  count(): u32 {
    let clients = this.used;
    for (let index = this.free; index != NONE; index = this.at(index).chain) clients--;
    return clients;
  }

  /** Where the client's session is; NO_SESSION: it has none. */
  find(client: u64): u32 {
    let index = load<u32>(this.bucket(client));
    while (index != NONE && this.at(index).client != client) index = this.at(index).chain;
    return index;
  }

  /** Adds a client that is not there; its first value to come is `sequence`, or one near it. There must be room. */
  insert(client: u64, sequence: u64): u32 {
    assert(!this.full, "no room for a session");
    let index = this.free;
    if (index != NONE) this.free = this.at(index).chain;
    else index = this.used++;
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

  /** Forgets the client at `index`. */
  remove(index: u32): void {
    this.unchain(index);
    this.unlink(index);
    this.at(index).chain = this.free;
    this.free = index;
  }

  /** Puts a client with what `keepSeen` or `keepBits` wrote at its place; false: place or client is taken, or `seen` is unsound. */
  restore(index: u32, client: u64, base: u64, seen: usize, bytes: u32, isBits: bool): bool {
    if (this.at(index).client != 0 || this.find(client) != NONE) return false;
    const session = this.at(index);
    const bucket = this.bucket(client);
    session.client = client;
    session.base = base;
    session.chain = load<u32>(bucket);
    store<u32>(bucket, index);
    this.used = max(this.used, index + 1);
    const bitmap = this.bitmaps + <usize>index * BITMAP_BYTES;
    if (isBits) memory.copy(bitmap, seen, BITMAP_BYTES);
    else memory.fill(bitmap, 0xff, BITMAP_BYTES);
    return isBits || this.missSeen(index, seen, bytes);
  }

  /** Gives a restored session its place in the order of last use, next to one that is older; NO_SESSION: none is. */
  restoreUse(index: u32, older: u32): void {
    const session = this.at(index);
    session.older = older;
    session.newer = older == NONE ? this.oldest : this.at(older).newer;
    if (older == NONE) this.oldest = index;
    else this.at(older).newer = index;
    if (session.newer == NONE) this.newest = index;
    else this.at(session.newer).older = index;
  }

  /** All that there is was restored: the places between are free. */
  restoreEnd(): void {
    for (let index: u32 = 0; index < this.used; index++) {
      if (this.at(index).client != 0) continue;
      this.at(index).chain = this.free;
      this.free = index;
    }
  }

  /** The next less recently used session; NO_SESSION: none is. */
  older(index: u32): u32 {
    return this.at(index).older;
  }

  client(index: u32): u64 {
    return this.at(index).client;
  }

  base(index: u32): u64 {
    return this.at(index).base;
  }

  /** Writes the ranges that were not seen, as `KEPT_SESSION_SEEN` says; returns their bytes, -1: more than all bits take. */
  keepSeen(index: u32, to: usize): i32 {
    const base = this.at(index).base;
    let bytes: i32 = 0;
    let from: u32 = 0;
    while (from < SESSION_SEQUENCES) {
      const first = this.skip(index, base, from, true);
      if (first >= SESSION_SEQUENCES) break;
      from = min(this.skip(index, base, first, false), SESSION_SEQUENCES);
      if (bytes + 4 > <i32>BITMAP_BYTES) return -1;
      store<u16>(to + bytes, <u16>first);
      store<u16>(to + bytes, <u16>(from - first), 2);
      bytes += 4;
    }
    return bytes;
  }

  /** Writes a bit for each sequence number; returns how many bytes that are. */
  keepBits(index: u32, to: usize): i32 {
    memory.copy(to, this.bitmaps + <usize>index * BITMAP_BYTES, BITMAP_BYTES);
    return <i32>BITMAP_BYTES;
  }

  /** How far from the base the next number is, from `from` on, that was not seen (or, if not `seen`, was). */
  private skip(index: u32, base: u64, from: u32, seen: bool): u32 {
    const bitmap = this.bitmaps + <usize>index * BITMAP_BYTES;
    while (from < SESSION_SEQUENCES) {
      const at = <u32>(base + from) & (SESSION_SEQUENCES - 1);
      let bits = load<u64>(bitmap + (<usize>(at >> 6) << 3));
      bits = (seen ? ~bits : bits) >> <u64>(at & 63);
      if (bits != 0) return from + <u32>ctz(bits);
      from += 64 - (at & 63);
    }
    return from;
  }

  /** Takes back the ranges that were not seen; false if they overlap or reach too far. */
  private missSeen(index: u32, seen: usize, bytes: u32): bool {
    const base = this.at(index).base;
    let from: u32 = 0;
    for (let at: u32 = 0; at < bytes; at += 4) {
      const first = <u32>load<u16>(seen + at);
      const end = first + <u32>load<u16>(seen + at, 2);
      if (first < from || end <= first || end > SESSION_SEQUENCES) return false;
      for (let n = first; n < end; n++) {
        const byte = this.bitmapByte(index, base + n);
        store<u8>(byte, load<u8>(byte) & ~Sessions.bit(base + n));
      }
      from = end;
    }
    return true;
  }

  /** Makes the session the most recently used one. */
  use(index: u32): void {
    if (index == this.newest) return;
    this.unlink(index);
    this.link(index);
  }

  @inline private at(index: u32): Session {
    return changetype<Session>(this.table + <usize>index * offsetof<Session>());
  }

  @inline private bitmapByte(index: u32, sequence: u64): usize {
    return this.bitmaps + <usize>index * BITMAP_BYTES +
      <usize>((sequence & (SESSION_SEQUENCES - 1)) >> 3);
  }

  /** The word, little-endian as the bytes are, that holds the bit of this and up to 63 of its neighbours. */
  @inline private bitmapWord(index: u32, sequence: u64): usize {
    return this.bitmaps + <usize>index * BITMAP_BYTES +
      (<usize>((sequence & (SESSION_SEQUENCES - 1)) >> 6) << 3);
  }

  /** The bits of `span` values, 1 to 64, that lie in one word. */
  @inline private static bits(sequence: u64, span: u64): u64 {
    return (u64.MAX_VALUE >> (64 - span)) << (sequence & 63);
  }

  @inline private static bit(sequence: u64): u8 {
    return <u8>1 << (<u8>sequence & 7);
  }

  @inline private bucket(client: u64): usize {
    // Fibonacci hashing: client numbers may be consecutive.
    return this.buckets + (<usize>((client * 0x9e3779b97f4a7c15) >> 40) % <usize>this.bucketCount << 2);
  }

  /** Moves the window up so that it ends with `sequence`. */
  private slide(index: u32, sequence: u64): void {
    const session = this.at(index);
    const base = sequence - SESSION_SEQUENCES + 1;
    if (base - session.base >= SESSION_SEQUENCES) {
      memory.fill(this.bitmaps + <usize>index * BITMAP_BYTES, 0, BITMAP_BYTES);
    } else {
      for (let s = session.base; s < base;) {
        const span = min(64 - (s & 63), base - s);
        const at = this.bitmapWord(index, s);
        store<u64>(at, load<u64>(at) & ~Sessions.bits(s, span));
        s += span;
      }
    }
    session.base = base;
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
