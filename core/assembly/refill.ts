/**
 * What an acceptor that lost its memory fetches from the others: decided instances that it may have held.
 *
 * Until it has them, fewer acceptors than a majority may be left that do, and learners that still need one
 * would depend on them. It asks one acceptor after another, newest instances first, for as much as its log
 * has room for beside what is accepted meanwhile. Where the one that is asked does not know what is
 * decided, the word of so many is enough that the rest is no majority, as it is for learners (`window.ts`): at
 * least one of them was in the majority that chose. What it does not have yet it calls trimmed, never nothing.
 */
import {
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
  Role,
} from "../layout";
import { arenaTake } from "./arena";
import { logBegin, logFill, logGet, logLow, logPut, logSlots } from "./log";
import { note } from "./meters";
import { begin, finish } from "./outbox";
import { acceptorAddress, isAcceptorHeard } from "./peers";
import { acceptorCount, acceptorId, acceptorIndex, quorum, selfId } from "./settings";

/** Instances of one request: as many as one answer holds, whatever their size. */
const ASKED: u64 = 64;
const TIMEOUT_US: u64 = 20_000;
const TIMEOUT_MAX_US: u64 = 200_000;
/** Requests in a row that bring nothing new: those that answer cannot help. */
const MISSES_MAX: i32 = 12;
/** Whoever was silent for this long is not waited for. */
const SILENT_US: u64 = 1_000_000;
/** How much of the log it fills. */
const FILL_MAX: f64 = 0.75;
const NEVER: u64 = u64.MAX_VALUE;

/** It is under way. */
export let refilling: bool = false;
/** All instances from here on are known; those from `askedFrom` on are asked for. */
let low: u64 = 0;
let askedFrom: u64 = 0;
/** For each instance from `askedFrom` on: bits of the acceptors that told all they accepted, and whether it is known now. */
let told: usize = 0;
let known: u64 = 0;
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

export function refillInit(): void {
  told = arenaTake(<usize>ASKED * 4);
}

/** All instances below `end` may have been forgotten. */
export function refillBegin(end: u64): void {
  refilling = true;
  misses = 0;
  low = max(low, end);
  // Its index holds no more, with room for what comes.
  const most = logSlots() >> 1;
  if (low > most) logBegin(low - most);
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
  if (!refilling) return;
  const bit = 1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const trimmed = load<u64>(p, LEARNED_TRIMMED);
  if (trimmed > askedFrom) {
    trimmedTo = trimmedBy == 0 ? trimmed : min(trimmedTo, trimmed);
    trimmedBy |= bit;
  }
  let entry = p + LEARNED_BYTES;
  for (let n = load<u32>(p, LEARNED_ENTRIES); n > 0; n--) {
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    if (instance >= max(askedFrom, logLow) && instance < low && !take(entry, instance, bit)) return finishRefill();
    entry += ENTRY_BYTES + load<u32>(entry, ENTRY_BATCH_BYTES);
  }
  if (isComplete(now_us)) {
    low = max(askedFrom, allTrimmed(now_us) ? min(trimmedTo, low) : 0);
    if (low > askedFrom || low <= 1) return finishRefill();
    startRange();
  }
  // Nothing more will come of this request.
  if ((load<u32>(p, LEARNED_FLAGS) & LEARNED_LAST) != 0) askAt_us = now_us;
}

/** Asks when it is time to. Returns when to look again. */
export function refillTick(now_us: u64): u64 {
  if (!refilling) return NEVER;
  if (logLow >= low || misses > MISSES_MAX) {
    finishRefill();
    return NEVER;
  }
  if (now_us >= askAt_us) {
    const newest = logLow >= low ? 0 : clz(~(known << (64 - (low - askedFrom))));
    if (newest > 0) {
      // What is known is not asked for again: a card that never holds a whole answer would lose the rest each time.
      low -= newest;
      startRange();
    }
    // What this one did not bring another one may.
    if (isAsked) turn++;
    if (isAsked && known == knownBefore) {
      misses++;
      timeout_us = min(timeout_us * 2, TIMEOUT_MAX_US);
    } else {
      misses = 0;
      timeout_us = TIMEOUT_US;
    }
    ask();
    isAsked = true;
    knownBefore = known;
    askAt_us = now_us + timeout_us;
  }
  return askAt_us;
}

function startRange(): void {
  askedFrom = low > ASKED + 1 ? low - ASKED : 1;
  memory.fill(told, 0, <usize>ASKED * 4);
  known = 0;
  knownBefore = 0;
  trimmedBy = 0;
  isAsked = false;
  askAt_us = 0;
}

/** Whether every instance of the range is known, or to be had from nobody. */
function isComplete(now_us: u64): bool {
  const from = max(allTrimmed(now_us) ? trimmedTo : 0, max(askedFrom, logLow));
  for (let i = from; i < low; i++) if ((known >> (i - askedFrom) & 1) == 0) return false;
  return true;
}

/** Everybody else that is heard has trimmed the beginning of the range. */
function allTrimmed(now_us: u64): bool {
  if (trimmedBy == 0) return false;
  for (let i = 0; i < acceptorCount; i++) {
    const isOther = acceptorId(i) != selfId;
    if (isOther && isAcceptorHeard(i, now_us, SILENT_US) && (trimmedBy >> i & 1) == 0) return false;
  }
  return true;
}

/** Takes what an acceptor tells of an instance. False when there is no room for it. */
function take(entry: usize, instance: u64, bit: u32): bool {
  const ballot = load<u64>(entry, ENTRY_BALLOT);
  const had = logGet(instance);
  if (ballot != 0 && (had == null || had.ballot < ballot)) {
    const bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    const values = load<u16>(entry, ENTRY_VALUES);
    // Nothing that is held makes room for it, and some is left for what comes.
    if (logFill() > FILL_MAX || !logPut(instance, ballot, entry + ENTRY_BYTES, bytes, values, 0, 0)) return false;
  }
  const at = told + (<usize>(instance - askedFrom) << 2);
  store<u32>(at, load<u32>(at) | bit);
  const isDecided = (load<u16>(entry, ENTRY_FLAGS) & ENTRY_DECIDED) != 0;
  const accepted = logGet(instance);
  if (accepted == null || (!isDecided && <i32>popcnt(load<u32>(at)) <= acceptorCount - quorum)) return true;
  accepted.decided = true;
  known |= <u64>1 << (instance - askedFrom);
  return true;
}

/** It has what is to be had, or what there is room for. */
function finishRefill(): void {
  refilling = false;
  logBegin(low);
  note(Event.refilled, 0, logLow);
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
