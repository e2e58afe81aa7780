/**
 * The acceptor's log: what it accepted, by instance, in a fixed amount of memory.
 *
 * Values lie in a ring of bytes in the order of acceptance; an index of slots, one for each
 * instance of a moving range, points into it. Another value that is accepted in a higher ballot is
 * written anew, and the old copy is dead. Space is taken back from the ring's tail, and only from
 * copies that are dead or whose instance is below the limit that the acceptor allows.
 *
 *   ring:   tail ->| instance, bytes, record, batch | instance, bytes, record, batch | ... |<- head
 *   index:  low  ->| ballot, pointer, bytes | ballot, pointer, bytes | ... |<- high
 */
import { StatusField } from "../layout";
import { arenaTake } from "./arena";
import { durableRecords } from "./records";
import { statusField } from "./status";

const COPY_HEADER: usize = 24;

@unmanaged
export class Accepted {
  instance: u64;
  /** Ballot in which it was accepted; 0: nothing accepted. */
  ballot: u64;
  /** The batch. */
  batch: usize;
  bytes: u32;
  values: u16;
  /** The acceptor knows that this value is the chosen one. */
  decided: bool;
}

let index: usize = 0;
let indexMask: u64 = 0;
let ring: usize = 0;
let ringBytes: usize = 0;
let head: usize = 0;
let tail: usize = 0;
/** Bytes of the ring that copies take, dead ones too. */
export let logFilled: usize = 0;
/** Lowest instance that is kept. */
export let logLow: u64 = 1;
/** One past the highest instance accepted. */
export let logHigh: u64 = 1;

export function logInit(bytes: u32): void {
  // One slot for each 256 bytes: a log of small batches is bounded by its index, one of large by its ring.
  let slots: u32 = 4096;
  while (slots < bytes >>> 8) slots <<= 1;
  indexMask = slots - 1;
  index = arenaTake(<usize>slots * offsetof<Accepted>());
  ringBytes = bytes & ~7;
  ring = arenaTake(ringBytes);
}

/** Most instances that the index can hold. */
export function logSlots(): u64 {
  return indexMask + 1;
}

/** What was accepted for an instance; null if nothing, or no longer kept. */
export function logGet(instance: u64): Accepted | null {
  if (instance < logLow || instance >= logHigh) return null;
  const slot = slotOf(instance);
  return slot.instance == instance && slot.ballot != 0 ? slot : null;
}

/**
 * Stores an accepted batch. Takes space from instances below `limit` when it must. False when that
 * is not enough: then nothing was stored, though some space may have been taken back. Before the record of
 * number `record` is durable, it cannot be taken from the log; 0: there is none.
 */
export function logPut(
  instance: u64,
  ballot: u64,
  batch: usize,
  bytes: u32,
  values: u32,
  limit: u64,
  record: u64,
): bool {
  assert(instance >= logLow, "instance was trimmed");
  if (instance - logLow > indexMask) {
    const low = instance - indexMask;
    if (low > limit || !isDurableBelow(low)) return false;
    logBegin(low);
  }
  const kept = slotOf(instance);
  if (
    kept.instance == instance && kept.ballot != 0 && kept.bytes == bytes &&
    memory.compare(kept.batch, batch, bytes) == 0
  ) {
    // The same value in another ballot needs no room: a log full of undecided instances can still decide them.
    kept.ballot = ballot;
    kept.decided = false;
    store<u64>(kept.batch - COPY_HEADER, record, 16);
    return true;
  }
  const need = COPY_HEADER + Pad.to8(bytes);
  // What makes room for an instance is older than it.
  const at = take(need, min(limit, instance));
  if (at == 0) return false;
  store<u64>(at, instance);
  store<u32>(at, <u32>need, 8);
  store<u64>(at, record, 16);
  memory.copy(at + COPY_HEADER, batch, bytes);
  const slot = slotOf(instance);
  slot.instance = instance;
  slot.ballot = ballot;
  slot.batch = at + COPY_HEADER;
  slot.bytes = bytes;
  slot.values = <u16>values;
  slot.decided = false;
  if (instance >= logHigh) logHigh = instance + 1;
  return true;
}

/** How much of the log's memory is in use: 0 to 1. */
export function logFill(): f64 {
  return <f64>logFilled / <f64>ringBytes;
}

/** Forgets all instances below `low`: its log begins there. */
export function logBegin(low: u64): void {
  if (low > logLow) logLow = low;
  if (logHigh < logLow) logHigh = logLow;
}

/** A log that is empty begins at `low`, wherever it began before. */
export function logStart(low: u64): void {
  if (logLow != logHigh) return;
  logLow = low;
  logHigh = low;
}

/** Whether the records of all instances below `low` are durable. */
function isDurableBelow(low: u64): bool {
  const end = min(low, logHigh);
  for (let i = logLow; i < end; i++) {
    const accepted = logGet(i);
    if (accepted != null && load<u64>(accepted.batch - COPY_HEADER, 16) > durableRecords) return false;
  }
  return true;
}

class Pad {
  @inline static to8(bytes: u32): usize {
    return (<usize>bytes + 7) & ~7;
  }
}

@inline
function slotOf(instance: u64): Accepted {
  return changetype<Accepted>(index + <usize>(instance & indexMask) * offsetof<Accepted>());
}

/** Contiguous space for `need` bytes at the ring's head, or 0. */
function take(need: usize, limit: u64): usize {
  // A copy never wraps: what is left at the ring's end is filled with a dead one.
  const rest = ringBytes - head;
  const gap = rest < need ? rest : 0;
  while (ringBytes - logFilled < need + gap) {
    if (!reclaim(limit)) return 0;
  }
  if (gap > 0) {
    if (gap >= COPY_HEADER) {
      store<u64>(ring + head, 0);
      store<u32>(ring + head, <u32>gap, 8);
    }
    logFilled += gap;
    head = 0;
  }
  const at = ring + head;
  head += need;
  if (head == ringBytes) head = 0;
  logFilled += need;
  return at;
}

/** Frees the oldest copy. False when it must be kept. */
function reclaim(limit: u64): bool {
  if (logFilled == 0) return false;
  const rest = ringBytes - tail;
  if (rest < COPY_HEADER) {
    logFilled -= rest;
    tail = 0;
    return true;
  }
  const at = ring + tail;
  const instance = load<u64>(at);
  const bytes = <usize>load<u32>(at, 8);
  if (instance >= logLow) {
    const slot = slotOf(instance);
    const live = slot.instance == instance && slot.batch == at + COPY_HEADER;
    if (live) {
      if (instance >= limit || load<u64>(at, 16) > durableRecords) return false;
      logBegin(instance + 1);
    }
  }
  logFilled -= bytes;
  tail += bytes;
  if (tail == ringBytes) tail = 0;
  return true;
}

/**
 * Tells how much of the log is taken by instances from `limit` on, which may not be discarded yet. A
 * log whose space was never needed again is full of what may be, and that says nothing.
 */
export function logStatus(limit: u64): void {
  let first = max(limit, logLow);
  while (first < logHigh && logGet(first) == null) first++;
  let bytes: usize = 0;
  if (first < logHigh) {
    const from = logGet(first)!.batch - COPY_HEADER - ring;
    bytes = head > from ? head - from : head + ringBytes - from;
  }
  statusField(StatusField.logBytes, bytes);
  statusField(StatusField.logBytesMax, ringBytes);
  statusField(StatusField.logInstances, logHigh - first);
  statusField(StatusField.logInstancesMax, indexMask + 1);
}
