/**
 * What an acceptor that lost its memory fetches from the others: decided instances that it may have held.
 *
 * Until it has them, fewer acceptors than a majority may be left that do, and learners that still need one
 * would depend on them. It asks one acceptor after another, newest instances first. Where the one that is
 * asked does not know what is decided, the word of so many is enough that the rest is no majority, as it is
 * for learners (`window.ts`): at least one of them was in the majority that chose. What it does not have yet
 * it calls trimmed, never nothing.
 *
 * Without storage it fetches as much as its log has room for beside what is accepted meanwhile. With storage
 * what it fetches goes there, past the log, and is told when it is durable; a few ranges wait for that at a
 * time. With each goes a record that says from where on all is there, so that a crash costs no more than those.
 */
import {
  ACCEPTORS_MAX,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_DECIDED,
  ENTRY_FLAGS,
  ENTRY_INSTANCE,
  ENTRY_VALUES,
  Event,
  HEADER_SENDER_ID,
  LEARNED_BYTES,
  LEARNED_ENTRIES,
  LEARNED_FLAGS,
  LEARNED_LAST,
  LEARNED_TRIMMED,
  Message,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Record,
  Role,
} from "../layout";
import { arenaTake } from "./arena";
import { logBegin, logFill, logGet, logLow, logPut, logSlots } from "./log";
import { note } from "./meters";
import { begin, finish } from "./outbox";
import { acceptorAddress, isAcceptorHeard } from "./peers";
import { appendRecord, durableRecords, journalCapacity, journalRoom, records } from "./records";
import { acceptorCount, acceptorId, acceptorIndex, mtu, persistent, quorum, selfId } from "./settings";

/** Instances of one request: as many as one answer holds, whatever their size. */
const ASKED: u64 = 64;
const TIMEOUT_US: u64 = 20_000;
const TIMEOUT_MAX_US: u64 = 200_000;
/** Requests in a row that bring nothing new: without storage, those that answer cannot help. */
const MISSES_MAX: i32 = 12;
/** Ranges that may wait for storage at a time: votes wait behind them. A power of 2. */
const STORING_MAX: u32 = 8;
/** Answers that each other acceptor must give in vain, with storage: of one frames may be lost. */
const IN_VAIN: u8 = 8;
/** Whoever was silent for this long is not waited for, without storage. */
const SILENT_US: u64 = 1_000_000;
/** How much of the log it fills. */
const FILL_MAX: f64 = 0.75;
const NEVER: u64 = u64.MAX_VALUE;

/** What was told of an instance. Its batch lies apart. */
@unmanaged
class Told {
  /** The highest ballot of which was told; 0: nothing was accepted. */
  ballot: u64;
  bytes: u32;
  values: u32;
  /** Bits of the acceptors that told all they accepted. */
  by: u32;
}

/** It is under way. */
export let refilling: bool = false;
/** All instances from here on are known; those from `askedFrom` on are asked for. */
let low: u64 = 0;
let askedFrom: u64 = 0;
/** For each instance from `askedFrom` on: what was told, the batches of that, and whether it is known now. */
let told: usize = 0;
let batches: usize = 0;
let known: u64 = 0;
/** From here on storage has all that this memory accepted or fetched; below it may hold what an older one accepted. */
export let storedFrom: u64 = 1;
/** Ranges that wait to be durable: of each the last record u64, and where `storedFrom` is after it u64. A ring. */
const storing = memory.data(STORING_MAX * 16, 8);
/** How many ranges were given to storage, and how many of those it has. */
let givenRanges: u32 = 0;
let storedRanges: u32 = 0;
/** Nothing below `low` is to be had. */
let isAll: bool = false;
/** Bits of the acceptors that trimmed `askedFrom`, and the lowest instance one of them has. */
let trimmedBy: u32 = 0;
let trimmedTo: u64 = 0;
let turn: i32 = 0;
let askAt_us: u64 = 0;
let timeout_us: u64 = TIMEOUT_US;
/** This range was asked for at least once, and what was known then. */
let isAsked: bool = false;
let knownBefore: u64 = 0;
let misses: i32 = 0;
/** Instances that all others answered for, and could not say what was decided. */
let leftOut: u32 = 0;
/** For each acceptor, how many of its answers that came to their end in a row brought nothing new of this range. */
const inVain = memory.data(ACCEPTORS_MAX);

export function refillInit(): void {
  told = arenaTake(<usize>ASKED * offsetof<Told>());
  batches = arenaTake(<usize>ASKED * mtu);
}

/** All instances below `end` may have been forgotten. */
export function refillBegin(end: u64): void {
  if (persistent) {
    logBegin(end);
    refillRecover(end);
    return appendRecord(Record.refilled, 0, 0, end, 0, 0, 0);
  }
  refilling = true;
  misses = 0;
  low = max(low, end);
  isAll = false;
  // Its index holds no more, with room for what comes.
  const most = logSlots() >> 1;
  if (low > most) logBegin(low - most);
  startRange();
}

/** Storage has all from `from` on, after a loss; what is below it was not given yet, or nobody has. */
export function refillRecover(from: u64): void {
  refilling = true;
  storedFrom = from;
  low = from;
  storedRanges = givenRanges;
  isAll = low <= 1;
  startRange();
}

/** Whether this acceptor can tell what it accepted for the instance. */
export function refillKnows(instance: u64): bool {
  return !refilling || instance >= low;
}

/** The lowest instance from which on this acceptor can tell all. */
export function refillLowest(): u64 {
  return refilling ? max(low, logLow) : logLow;
}

/** An acceptor answers. */
export function refillLearned(p: usize, now_us: u64): void {
  if (!refilling || isAll || isStorageBehind()) return;
  const bit = 1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const trimmed = load<u64>(p, LEARNED_TRIMMED);
  if (trimmed > askedFrom) {
    trimmedTo = trimmedBy == 0 ? trimmed : min(trimmedTo, trimmed);
    trimmedBy |= bit;
  }
  let entry = p + LEARNED_BYTES;
  for (let n = load<u32>(p, LEARNED_ENTRIES); n > 0; n--) {
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    if (instance >= lowestAsked() && instance < low && !take(entry, instance, bit)) return finishRefill();
    entry += ENTRY_BYTES + load<u32>(entry, ENTRY_BATCH_BYTES);
  }
  if (isComplete(now_us)) {
    const to = max(askedFrom, allTrimmed(now_us) ? min(trimmedTo, low) : 0);
    reach(to, to > askedFrom);
    if (isAll && !persistent) return finishRefill();
  }
  if ((load<u32>(p, LEARNED_FLAGS) & LEARNED_LAST) == 0) return;
  // Nothing more will come of this request.
  askAt_us = now_us;
  if (isAsked && known == knownBefore && hasRoom()) {
    const answers = inVain + acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
    store<u8>(answers, min(load<u8>(answers) + 1, IN_VAIN));
  }
}

/** Asks when it is time to; what is below `kept` has no place any more. Returns when to look again. */
export function refillTick(now_us: u64, kept: u64): u64 {
  if (!refilling) return NEVER;
  takeStored();
  if (isStorageBehind()) return NEVER;
  if (isAll || kept >= low || (misses > MISSES_MAX && !persistent)) {
    if (storedRanges != givenRanges) return NEVER;
    low = max(low, kept);
    finishRefill();
    return NEVER;
  }
  if (persistent && isInVain()) {
    // What nobody can tell this one does not tell either; what is below may be had.
    reach(askedFrom, false, unknown());
    return now_us;
  }
  if (now_us >= askAt_us) {
    const newest = clz(~(known << (64 - (low - askedFrom))));
    if (newest > 0) {
      // What is known is not asked for again: a card that never holds a whole answer would lose the rest each time.
      reach(low - newest, false);
      if (persistent) return now_us;
    }
    // What this one did not bring another one may.
    if (isAsked) turn++;
    if (isAsked && known == knownBefore) {
      misses++;
      timeout_us = min(timeout_us * 2, TIMEOUT_MAX_US);
    } else {
      misses = 0;
      timeout_us = TIMEOUT_US;
      memory.fill(inVain, 0, ACCEPTORS_MAX);
    }
    ask();
    isAsked = true;
    knownBefore = known;
    askAt_us = now_us + timeout_us;
  }
  return askAt_us;
}

/** All from `to` on is known but for so many instances; `isLast`: and nobody has what is below. */
function reach(to: u64, isLast: bool, missing: u32 = 0): void {
  low = to;
  leftOut += missing;
  isAll = isLast || low <= 1;
  if (persistent) {
    appendRecord(Record.refilled, 0, 0, low, 0, 0, missing);
    const at = storing + <usize>((givenRanges++ & (STORING_MAX - 1)) << 4);
    store<u64>(at, records);
    store<u64>(at, low, 8);
  }
  startRange();
}

/** As many ranges as may wait for storage do. */
function isStorageBehind(): bool {
  return givenRanges - storedRanges == STORING_MAX;
}

/** Whatever is durable by now may be told. */
function takeStored(): void {
  for (; storedRanges != givenRanges; storedRanges++) {
    const at = storing + <usize>((storedRanges & (STORING_MAX - 1)) << 4);
    if (load<u64>(at) > durableRecords) return;
    storedFrom = load<u64>(at, 8);
  }
}

function startRange(): void {
  askedFrom = low > ASKED + 1 ? low - ASKED : 1;
  memory.fill(told, 0, <usize>ASKED * offsetof<Told>());
  known = 0;
  knownBefore = 0;
  trimmedBy = 0;
  memory.fill(inVain, 0, ACCEPTORS_MAX);
  isAsked = false;
  askAt_us = 0;
}

/** Every other acceptor answered often, and that brought nothing. */
function isInVain(): bool {
  for (let i = 0; i < acceptorCount; i++) {
    if (acceptorId(i) != selfId && load<u8>(inVain + i) < IN_VAIN) return false;
  }
  return true;
}

/** Instances of the range that nobody told. */
function unknown(): u32 {
  const span = <u32>(low - lowestAsked());
  return span - <u32>popcnt(known);
}

/** What is voted for goes before what is fetched. */
function hasRoom(): bool {
  return !persistent || journalRoom() >= journalCapacity() >> 2;
}

/** The lowest instance of the range for which there is a place. */
function lowestAsked(): u64 {
  return persistent ? askedFrom : max(askedFrom, logLow);
}

/** Whether every instance of the range is known, or to be had from nobody. */
function isComplete(now_us: u64): bool {
  const from = max(allTrimmed(now_us) ? trimmedTo : 0, lowestAsked());
  for (let i = from; i < low; i++) if ((known >> (i - askedFrom) & 1) == 0) return false;
  return true;
}

/**
 * Everybody else that is heard has trimmed the beginning of the range. Storage is to last: with it nobody is
 * left out for being silent, since that one may have what all others lost.
 */
function allTrimmed(now_us: u64): bool {
  if (trimmedBy == 0) return false;
  for (let i = 0; i < acceptorCount; i++) {
    const isOther = acceptorId(i) != selfId;
    const counts = isOther && (persistent || isAcceptorHeard(i, now_us, SILENT_US));
    if (counts && (trimmedBy >> i & 1) == 0) return false;
  }
  return true;
}

/** Takes what an acceptor tells of an instance. False when there is no room for it. */
function take(entry: usize, instance: u64, bit: u32): bool {
  const n = <usize>(instance - askedFrom);
  if ((known >> n & 1) != 0) return true;
  const it = changetype<Told>(told + n * offsetof<Told>());
  const batch = batches + n * mtu;
  const ballot = load<u64>(entry, ENTRY_BALLOT);
  if (ballot > it.ballot) {
    it.ballot = ballot;
    it.bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    it.values = load<u16>(entry, ENTRY_VALUES);
    memory.copy(batch, entry + ENTRY_BYTES, it.bytes);
  }
  it.by |= bit;
  const isDecided = (load<u16>(entry, ENTRY_FLAGS) & ENTRY_DECIDED) != 0;
  if (!isDecided && <i32>popcnt(it.by) <= acceptorCount - quorum) return true;
  const had = logGet(instance);
  if (it.ballot == 0 && had == null) return true;
  if (persistent) {
    // This is told again.
    if (!hasRoom()) return true;
    appendRecord(Record.fetched, it.ballot, 0, instance, batch, it.bytes, it.values);
  } else {
    if (had == null || had.ballot < it.ballot) {
      // Nothing that is held makes room for it, and some is left for what comes.
      if (logFill() > FILL_MAX || !logPut(instance, it.ballot, batch, it.bytes, it.values, 0, 0)) return false;
    }
    logGet(instance)!.decided = true;
  }
  known |= <u64>1 << n;
  return true;
}

/** It has what is to be had, or what there is room for. */
function finishRefill(): void {
  refilling = false;
  if (!persistent) logBegin(low);
  note(Event.refilled, leftOut, persistent ? low : logLow);
}

function ask(): void {
  if (acceptorId(turn % acceptorCount) == selfId) turn++;
  const index = turn % acceptorCount;
  const p = begin(Message.repair, Role.acceptor, Role.acceptor, acceptorId(index), 0);
  if (p == 0) return;
  store<u32>(p, 1, RANGES_COUNT);
  store<u32>(p, 0, RANGES_COUNT + 4);
  store<u64>(p, askedFrom, RANGES_BYTES);
  store<u64>(p, low, RANGES_BYTES + 8);
  finish(p, RANGES_BYTES + RANGE_BYTES, acceptorAddress(index));
}
