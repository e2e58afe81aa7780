/**
 * What an acceptor that lost its memory fetches from the others: decided instances that it may have held.
 *
 * Until it has them, fewer acceptors than a majority may be left that do, and learners that still need one
 * would depend on them. It asks one acceptor after another for the next range. Where that one does not know
 * what is decided, the word of a majority of the others is enough, as it is for learners (`window.ts`): at
 * least one of them was in the majority that chose. What it does not have yet it never calls nothing.
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
  LEARNED_TRIMMED,
  Message,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Role,
} from "../layout";
import { arenaTake } from "./arena";
import { logBegin, logGet, logLow, logPut } from "./log";
import { note } from "./meters";
import { begin, finish } from "./outbox";
import { acceptorAddress } from "./peers";
import { acceptorCount, acceptorId, acceptorIndex, quorum, selfId } from "./settings";

/** Instances of one request: as many as one answer holds, whatever their size. */
const ASKED: u64 = 64;
const TIMEOUT_US: u64 = 20_000;
const TIMEOUT_MAX_US: u64 = 500_000;
const NEVER: u64 = u64.MAX_VALUE;

/** Instances from `next` up to `end` are unknown; those below `askedEnd` were asked for. */
let next: u64 = 0;
let end: u64 = 0;
let askedEnd: u64 = 0;
/** For each instance from `next` on: bits of the acceptors that told all they accepted, and whether it is known now. */
let told: usize = 0;
let known: u64 = 0;
/** Bits of the acceptors that trimmed `next`, and the lowest instance one of them has. */
let trimmedBy: u32 = 0;
let trimmedTo: u64 = 0;
let turn: i32 = 0;
let askAt_us: u64 = NEVER;
let timeout_us: u64 = TIMEOUT_US;
/** What was known when it asked last, and answers in a row that brought nothing new. */
let knownBefore: u64 = 0;
/** This range was asked for at least once. */
let isAsked: bool = false;
let misses: i32 = 0;

export function refillInit(): void {
  told = arenaTake(<usize>ASKED * 4);
}

/** All instances below `to` may have been forgotten. */
export function refillBegin(to: u64): void {
  if (end == 0) next = logLow;
  end = max(end, to);
  askAt_us = 0;
  startRange();
}

/** Whether this acceptor can tell what it accepted for the instance. */
export function refillKnows(instance: u64): bool {
  return instance < next || instance >= end;
}

/** The lowest instance from which on this acceptor can tell all. */
export function refillLowest(): u64 {
  return next < end ? end : logLow;
}

/** An acceptor answers. */
export function refillLearned(p: usize, now_us: u64): void {
  if (next >= end) return;
  const bit = 1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const trimmed = load<u64>(p, LEARNED_TRIMMED);
  if (trimmed > next) {
    trimmedTo = trimmedBy == 0 ? trimmed : min(trimmedTo, trimmed);
    trimmedBy |= bit;
  }
  let entry = p + LEARNED_BYTES;
  let isEnd = trimmed >= askedEnd;
  for (let n = load<u32>(p, LEARNED_ENTRIES); n > 0; n--) {
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    if (instance + 1 == askedEnd) isEnd = true;
    if (instance >= next && instance < askedEnd && !take(entry, instance, bit)) return giveUp();
    entry += ENTRY_BYTES + load<u32>(entry, ENTRY_BATCH_BYTES);
  }
  if (<i32>popcnt(trimmedBy) == acceptorCount - 1) {
    // Nobody has it any more.
    next = min(trimmedTo, end);
    logBegin(next);
  } else if (known == ~(<u64>0) >> (ASKED - (askedEnd - next))) {
    next = askedEnd;
  } else {
    // Nothing more will come: another one may know the rest, but if none does, only time can help.
    if (isEnd && misses < acceptorCount) askAt_us = now_us;
    return;
  }
  askAt_us = now_us;
  startRange();
  if (next >= end) note(Event.refilled, 0, logLow);
}

/** Asks when it is time to. Returns when to look again. */
export function refillTick(now_us: u64): u64 {
  if (next >= end) return NEVER;
  if (logLow > next) {
    next = min(logLow, end);
    startRange();
    if (next == end) return NEVER;
  }
  if (now_us >= askAt_us) {
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
  askedEnd = min(next + ASKED, end);
  memory.fill(told, 0, <usize>ASKED * 4);
  known = 0;
  knownBefore = 0;
  trimmedBy = 0;
  isAsked = false;
}

/** Takes what an acceptor tells of an instance. False when there is no room for it. */
function take(entry: usize, instance: u64, bit: u32): bool {
  const ballot = load<u64>(entry, ENTRY_BALLOT);
  const had = logGet(instance);
  if (ballot != 0 && (had == null || had.ballot < ballot)) {
    const bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    const values = load<u16>(entry, ENTRY_VALUES);
    // Nothing that is held makes room for it.
    if (!logPut(instance, ballot, entry + ENTRY_BYTES, bytes, values, 0)) return false;
  }
  const at = told + (<usize>(instance - next) << 2);
  store<u32>(at, load<u32>(at) | bit);
  const isDecided = (load<u16>(entry, ENTRY_FLAGS) & ENTRY_DECIDED) != 0;
  const accepted = logGet(instance);
  if (accepted == null || (!isDecided && <i32>popcnt(load<u32>(at)) < quorum)) return true;
  accepted.decided = true;
  known |= <u64>1 << (instance - next);
  return true;
}

/** The log has no room for what is old. */
function giveUp(): void {
  next = end;
  logBegin(end);
  note(Event.refilled, 0, logLow);
}

function ask(): void {
  if (acceptorId(turn % acceptorCount) == selfId) turn++;
  const index = turn % acceptorCount;
  const p = begin(Message.repair, Role.acceptor, Role.acceptor, acceptorId(index), 0);
  if (p == 0) return;
  store<u32>(p, 1, RANGES_COUNT);
  store<u32>(p, 0, RANGES_COUNT + 4);
  store<u64>(p, next, RANGES_BYTES);
  store<u64>(p, askedEnd, RANGES_BYTES + 8);
  finish(p, RANGES_BYTES + RANGE_BYTES, acceptorAddress(index));
}
