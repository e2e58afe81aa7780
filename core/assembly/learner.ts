/**
 * The learner: delivers every decided value once, in the order of instances.
 *
 * It learns an instance from a majority of 2B of one ballot and the value of that ballot
 * (`window.ts`), from the leader's word about its own values, or from an acceptor that knows. What
 * is missing it asks for in ranges, from one acceptor at a time, and asks for more only when that
 * came or no more of it comes: the receiver sets the pace.
 */
import {
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_DECIDED,
  ACCEPT_INSTANCE,
  ACCEPT_VALUES,
  BYE_BYTES,
  COMMAND_RESERVE,
  Counter,
  DELIVERIES_MAX,
  DELIVERY_BYTES,
  DELIVERY_CLIENT,
  DELIVERY_INDEX,
  DELIVERY_INSTANCE,
  DELIVERY_LENGTH,
  DELIVERY_POINTER,
  DELIVERY_SEQUENCE,
  DELIVERY_STEP_BYTES,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_DECIDED,
  ENTRY_FLAGS,
  ENTRY_INSTANCE,
  ENTRY_VALUES,
  Event,
  Gauge,
  HEADER_BALLOT,
  HEADER_SENDER_ID,
  HEARTBEAT_DECIDED,
  HI_BYTES,
  HI_DELIVERED,
  LEARNED_BYTES,
  LEARNED_DECIDED,
  LEARNED_ENTRIES,
  LEARNED_FLAGS,
  LEARNED_LAST,
  LEARNED_TRIMMED,
  Message,
  OK_DECIDED,
  OK_TRIMMED,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Record,
  RECORD_INSTANCE,
  RECORD_KIND,
  RecoveryFault,
  Role,
  RUN_BYTES,
  SESSION_BYTES,
  SESSION_COUNT,
  Setting,
  StatusField,
  StorageCondition,
  VALUE_HEADER_BYTES,
  VERDICT_BYTES,
  VERDICT_CLIENT,
  VERDICT_FLAGS,
  VERDICT_INSTANCE,
  VERDICT_VERDICT,
  WINDOW_INSTANCES,
} from "../layout";
import { arenaTake } from "./arena";
import { assemblyBuffer, assemblyPut, assemblyWhole, NO_ASSEMBLY } from "./assembly";
import { ballotId } from "./ballot";
import { Run } from "./batch";
import {
  checkpointBegin,
  checkpointBetween,
  checkpointCarries,
  checkpointClear,
  checkpointInit,
  checkpointLeave,
  checkpointRecover,
  checkpointTick,
  safeInstance,
} from "./checkpoint";
import { count, gauge, note } from "./meters";
import { begin, finish, groupAddress } from "./outbox";
import { acceptorAddress, isAcceptorHeard } from "./peers";
import { recordsFailed, recoveryAt } from "./records";
import { RoundTrip } from "./round_trip";
import {
  obeyedHasRoom,
  sessionAssembly,
  sessionObey,
  sessionOfRun,
  sessionTableInit,
  sessionTake,
  sessionTakeAll,
} from "./session_table";
import { NO_SESSION } from "./sessions";
import {
  acceptorCount,
  acceptorId,
  acceptorIndex,
  batchBytesMax,
  mtu,
  persistent,
  roles,
  selfId,
  settingU32,
  settingU64,
} from "./settings";
import { slackOf } from "./slack";
import { statusDecided, statusField } from "./status";
import { Window } from "./window";

/**
 * A learner that goes on tells so this often at least, and ten times in the length of a lease. One that
 * has told how far it is, and knows of nothing more, merely renews, half as often.
 */
const HI_PERIOD_US: u64 = 100_000;
/** Progress after which acceptors hear of it before the period is over, so that they can trim. */
const HI_INSTANCES: u64 = 1024;
/** How long a gap may be a mere reordering before the learner asks. */
const REPAIR_DELAY_US: u64 = 5_000;
/**
 * How long an asked acceptor may be silent before the next one is asked: as measured, within these
 * bounds; it doubles with each request that brings nothing.
 */
const REPAIR_TIMEOUT_US: u64 = 20_000;
const REPAIR_TIMEOUT_MIN_US: u64 = 4_000;
const REPAIR_TIMEOUT_MAX_US: u64 = 500_000;
/**
 * Ranges of one request, and instances of all its ranges. An answer ends after so many frames as a
 * card's buffer surely holds, whatever was asked for, so a request can ask for many small instances.
 */
const REPAIR_RANGES: u32 = 64;
const REPAIR_INSTANCES: u64 = 1024;
/** An acceptor that was silent for this long is not waited for. */
const ACCEPTOR_SILENT_US: u64 = 3_000_000;
/** Without progress for this long, and with no acceptor to help, a learner is behind. */
const BEHIND_US: u64 = 1_000_000;
/** And for this long where it must conclude that from what answers leave out: they may be late, or lose frames. */
const LEFT_OUT_US: u64 = 10_000_000;
const NEVER: u64 = u64.MAX_VALUE;

let window: Window = changetype<Window>(0);
/** All instances below are decided, as far as was heard. */
let decided: u64 = 0;
/** False until the first instance to deliver is known. */
let started: bool = false;
/** No acceptor that is heard still has the next instance. */
let behind: bool = false;
/** Bits of the acceptors that trimmed the next instance, and the lowest instance one of them has. */
let trimmedBy: u32 = 0;
let trimmedTo: u64 = 0;
/**
 * Bits of the acceptors whose answers left the next instance out: once, and again. Who cannot tell what it
 * accepted, since it lost that, does not call it nothing.
 */
let leftOutOnce: u32 = 0;
let leftOutBy: u32 = 0;
/** The answer under way tells of the instance that was next when it was asked for. */
let repairTells: bool = false;
/** The next instance that nobody who is heard could tell, as was noted. */
let unobtainable: u64 = 0;

let repairAt_us: u64 = NEVER;
let repairTimeout_us: u64 = REPAIR_TIMEOUT_US;
/** Index of the acceptor that is asked. */
let repairTurn: i32 = 0;
/** Where the base was when the last request left, and the end of what it asked for; 0: none left yet. */
let repairBase: u64 = 0;
let repairEnd: u64 = 0;
/** When the last request left, µs; 0: its answer has begun. */
let repairSentAt_us: u64 = 0;
/** Something came of the last request in this step. */
let repairHeard: bool = false;
/** All that comes of the last request has come. */
let repairAnswered: bool = false;
/** The last request brought an instance, if not the next; and the one before it did, of the same acceptor. */
let repairHelped: bool = false;
let repairTrusted: bool = false;
/** Requests in a row that did not bring the next instance; and those of them that were answered. */
let repairTries: i32 = 0;
let repairMisses: i32 = 0;
let repairTrip: RoundTrip = changetype<RoundTrip>(0);
/** Ballot of the leader heard last. */
let leaderBallot: u64 = 0;
/** When the base moved last, as far as repairs looked. */
let movedAt_us: u64 = 0;
/** When it renews, and when it may tell of progress. */
let renewAt_us: u64 = 0;
let tellAt_us: u64 = 0;
let hiPeriod_us: u64 = HI_PERIOD_US;
let hiDelivered: u64 = 0;
/** The host was told that storage failed. */
let isFailureTold: bool = false;

/** Values for the host, in order; valid until the next step. */
export let deliveries: usize = 0;
export let deliveryCount: i32 = 0;
/** The batches of delivered instances below are given back. */
let clearedTo: u64 = 0;
/** Bytes of the batches delivered in this step. */
let deliveredBytes: u32 = 0;
/** More could be delivered than fits a step. */
let more: bool = false;
/** The host cannot take values now. */
let paused: bool = false;
/** What changed is so much that storage must take a checkpoint first. */
let isCrowded: bool = false;
/** A large value was delivered, which lies where its client's next one will: no more in this step. */
let wholeDelivered: bool = false;
/** Values of the batch at the base that are done; not 0 when its delivering stopped behind a large one. */
let resumeIndex: u32 = 0;

/** The message of verdicts that is being written while values are delivered; 0: none yet. */
let verdictFrame: usize = 0;
let verdictCount: u32 = 0;

export function learnerInit(): void {
  const from = settingU64(Setting.fromLow);
  window = Window.make(batchBytesMax, max(from, 1));
  started = from != 0;
  sessionTableInit(
    settingU32(Setting.sessions),
    settingU32(Setting.sessionSpan),
    settingU32(Setting.assemblies),
    from == 1,
  );
  if (persistent) {
    checkpointInit();
    checkpointBegin(window.base);
  }
  repairTrip = RoundTrip.make();
  hiPeriod_us = min(HI_PERIOD_US, <u64>settingU32(Setting.learnerLease_us) / 10);
  // The acceptor in this process is asked first, as that costs nobody anything; else learners spread.
  const own = (roles & Role.acceptor) != 0 ? acceptorIndex(selfId) : -1;
  repairTurn = own >= 0 ? own : <i32>(selfId % <u32>acceptorCount);
  deliveries = arenaTake(DELIVERIES_MAX * DELIVERY_BYTES);
}

/** Starts a step: the host has taken what was delivered. */
export function learnerClear(pause: bool): void {
  // Where the base made a leap, slots that it left behind keep their places for later instances.
  if (window.base - clearedTo > WINDOW_INSTANCES) clearedTo = window.base - WINDOW_INSTANCES;
  for (; clearedTo < window.base; clearedTo++) window.drop(clearedTo);
  deliveryCount = 0;
  deliveredBytes = 0;
  wholeDelivered = false;
  paused = pause;
  if (persistent) checkpointClear();
}

/** Takes back the record at `recoveryAt`, of a checkpoint. Returns what is wrong with it, one of `RecoveryFault`. */
export function learnerRecover(): i32 {
  const fault = checkpointRecover();
  if (fault != RecoveryFault.none || load<u16>(recoveryAt, RECORD_KIND) != <u16>Record.checkpoint) return fault;
  window.base = load<u64>(recoveryAt, RECORD_INSTANCE);
  started = true;
  gauge(Gauge.delivered, window.base);
  return RecoveryFault.none;
}

/** 2A. */
export function learnerAccept(p: usize): void {
  hearDecided(load<u64>(p, ACCEPT_DECIDED));
  const ballot = load<u64>(p, HEADER_BALLOT);
  leaderBallot = max(leaderBallot, ballot);
  window.announce(ballot, load<u64>(p, ACCEPT_DECIDED));
  const instance = load<u64>(p, ACCEPT_INSTANCE);
  const bytes = load<u32>(p, ACCEPT_BATCH_BYTES);
  if (!fits(instance)) return;
  window.offer(instance, ballot, p + ACCEPT_BYTES, bytes, load<u16>(p, ACCEPT_VALUES));
}

/** 2B. */
export function learnerAccepted(p: usize): void {
  if (!started) return;
  const ballot = load<u64>(p, HEADER_BALLOT);
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const ranges = load<u32>(p, RANGES_COUNT);
  for (let r: u32 = 0; r < ranges; r++) {
    const range = p + RANGES_BYTES + <usize>r * RANGE_BYTES;
    const end = min(load<u64>(range, 8), window.end());
    for (let i = max(load<u64>(range), window.base); i < end; i++) {
      window.vote(i, ballot, index);
    }
  }
}

export function learnerHeartbeat(p: usize): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  const to = load<u64>(p, HEARTBEAT_DECIDED);
  hearDecided(to);
  leaderBallot = max(leaderBallot, ballot);
  window.announce(ballot, to);
}

/** An acceptor's answer to hi. */
export function learnerOk(p: usize): void {
  hearDecided(load<u64>(p, OK_DECIDED));
  hearTrimmed(p, load<u64>(p, OK_TRIMMED));
}

/** An acceptor's answer to a repair. */
export function learnerLearned(p: usize): void {
  hearDecided(load<u64>(p, LEARNED_DECIDED));
  hearTrimmed(p, load<u64>(p, LEARNED_TRIMMED));
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  if (index == repairTurn) {
    repairHeard = true;
    // Nothing more comes of the last request: no need to wait until its time is up.
    if ((load<u32>(p, LEARNED_FLAGS) & LEARNED_LAST) != 0) repairAnswered = true;
  }
  let entry = p + LEARNED_BYTES;
  for (let n = load<u32>(p, LEARNED_ENTRIES); n > 0; n--) {
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    if (instance == repairBase) repairTells = true;
    const ballot = load<u64>(entry, ENTRY_BALLOT);
    const bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    const values = load<u16>(entry, ENTRY_VALUES);
    if (fits(instance)) {
      const had = window.slot(instance).decided;
      if ((load<u16>(entry, ENTRY_FLAGS) & ENTRY_DECIDED) != 0) {
        window.learn(instance, ballot, entry + ENTRY_BYTES, bytes, values);
      } else {
        if (ballot != 0) {
          window.offer(instance, ballot, entry + ENTRY_BYTES, bytes, values);
          window.vote(instance, ballot, index);
        }
        // Learners ask for nothing but decided instances, so that is what this tells of.
        window.report(instance, index);
      }
      if (!had && window.slot(instance).decided) repairHelped = true;
    }
    entry += ENTRY_BYTES + bytes;
  }
  if (index == repairTurn && repairAnswered && !repairTells) {
    leftOutBy |= leftOutOnce & (1 << index);
    leftOutOnce |= 1 << index;
  }
}

/** Delivers what is decided and next; stops when the host or its buffer is full. */
export function learnerDeliver(): void {
  if (!started) return;
  more = false;
  isCrowded = false;
  for (;;) {
    const slot = window.slot(window.base);
    const isBetween = makesCheckpoints() && resumeIndex == 0;
    if (isBetween) checkpointBetween(window.base);
    if (paused || !slot.decided) break;
    if (isBetween && !checkpointCarries(window.batch(window.base), slot.bytes)) {
      isCrowded = true;
      break;
    }
    if (
      wholeDelivered || <u32>deliveryCount + slot.values > DELIVERIES_MAX ||
      deliveredBytes >= DELIVERY_STEP_BYTES
    ) {
      more = true;
      break;
    }
    if (!deliver(window.base, window.batch(window.base), slot.bytes)) continue;
    deliveredBytes += slot.bytes;
    window.advance(window.base + 1);
    count(Counter.decidedInstances);
  }
  sendVerdicts();
  gauge(Gauge.delivered, window.base);
}

export function learnerTick(now_us: u64): u64 {
  let due = u64.MAX_VALUE;
  if (makesCheckpoints() && started) due = checkpointTick(window.base, resumeIndex == 0, now_us);
  if (recordsFailed && !isFailureTold) {
    isFailureTold = true;
    note(Event.checkpointsFailed, 0, safeInstance);
  }
  const isQuiet = started && !behind && safe() == hiDelivered && window.base >= decided;
  let hiAt_us = isQuiet ? renewAt_us : tellAt_us;
  if (now_us + slackOf(hiPeriod_us) >= hiAt_us || safe() - hiDelivered >= HI_INSTANCES) {
    sendHi();
    hiAt_us = tellAt_us = now_us + hiPeriod_us;
    renewAt_us = tellAt_us + hiPeriod_us;
    hiDelivered = safe();
  }
  due = min(due, min(hiAt_us, repairTick(now_us)));
  return more ? now_us : due;
}

/** Says goodbye. */
export function learnerBye(): void {
  if (makesCheckpoints() && started) checkpointLeave(window.base, resumeIndex == 0);
  const p = begin(Message.bye, Role.learner, Role.acceptor, 0, 0);
  if (p != 0) finish(p, BYE_BYTES, groupAddress);
}

/** Nothing that a learner tells depends on its storage, so when that failed it goes on as one without. */
@inline
function makesCheckpoints(): bool {
  return persistent && !recordsFailed;
}

/**
 * Acceptors need not keep what is below: a crash does not take the learner back behind it. One whose
 * storage failed may be behind after a restart: what the others may delete must not wait for its disk.
 */
@inline
function safe(): u64 {
  return makesCheckpoints() ? safeInstance : window.base;
}

function fits(instance: u64): bool {
  if (!started || instance < window.base) return false;
  if (window.inside(instance)) return true;
  count(Counter.windowFull);
  return false;
}

function hearDecided(to: u64): void {
  if (!started && to != 0) {
    window.advance(to);
    started = true;
    if (persistent) checkpointBegin(to);
  }
  if (to > decided) {
    decided = to;
    gauge(Gauge.learnerDecided, decided);
  }
}

function hearTrimmed(p: usize, to: u64): void {
  const bit = 1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  if (!started || to <= window.base) {
    trimmedBy &= ~bit;
    return;
  }
  trimmedTo = trimmedBy == 0 ? to : min(trimmedTo, to);
  trimmedBy |= bit;
}

/** Delivers a decided batch, from where it stopped before. False when it stopped, behind a large value. */
function deliver(instance: u64, batch: usize, bytes: u32): bool {
  let index: u32 = 0;
  const end = batch + bytes;
  for (let run = batch; run < end;) {
    const values = Run.count(run);
    if (index + values <= resumeIndex) {
      index += values;
      run = Run.end(run);
      continue;
    }
    const client = Run.client(run);
    let sequence = Run.first(run);
    let value = run + RUN_BYTES;
    const session = sequence == 0 ? NO_SESSION : sessionOfRun(client, sequence, instance);
    // Nearly always: all are new, and none ends a step.
    const areNew = session != NO_SESSION && index >= resumeIndex && !Run.hasChunk(run) &&
      sessionTakeAll(session, sequence, values);
    for (let n = areNew ? values : 0; n > 0; n--) {
      append(instance, client, sequence++, value + VALUE_HEADER_BYTES, Run.bytes(value), index++);
      value = Run.next(value);
    }
    for (let n = areNew ? 0 : values; n > 0; n--) {
      if (index >= resumeIndex) {
        if (sequence == 0) obey(instance, client, value + VALUE_HEADER_BYTES);
        else if (session == NO_SESSION) count(Counter.refusedValues);
        else if (!sessionTake(session, sequence)) count(Counter.duplicateValues);
        else if (Run.isChunk(value)) deliverChunk(instance, client, sequence, session, value, index);
        else append(instance, client, sequence, value + VALUE_HEADER_BYTES, Run.bytes(value), index);
      }
      index++;
      sequence++;
      value = Run.next(value);
      if (wholeDelivered) {
        resumeIndex = index;
        return false;
      }
    }
    run = Run.pad(value);
  }
  resumeIndex = 0;
  return true;
}

/** Puts a chunk to the others of its large value, and delivers that when this was the last one missing. */
function deliverChunk(
  instance: u64,
  client: u64,
  sequence: u64,
  session: u32,
  value: usize,
  index: u32,
): void {
  const assembly = sessionAssembly(session, instance);
  if (assembly == NO_ASSEMBLY || !assemblyPut(assembly, value + VALUE_HEADER_BYTES, Run.bytes(value))) {
    return count(Counter.refusedValues);
  }
  const bytes = assemblyWhole(assembly);
  if (bytes == 0) return;
  append(instance, client, sequence, assemblyBuffer(assembly), bytes, index);
  wholeDelivered = true;
}

/** Hands a value to the host. */
@inline
function append(instance: u64, client: u64, sequence: u64, from: usize, bytes: u32, index: u32): void {
  const at = deliveries + <usize>(deliveryCount++ * DELIVERY_BYTES);
  store<u64>(at, instance, DELIVERY_INSTANCE);
  store<u64>(at, client, DELIVERY_CLIENT);
  store<u64>(at, sequence, DELIVERY_SEQUENCE);
  store<u32>(at, <u32>from, DELIVERY_POINTER);
  store<u32>(at, bytes, DELIVERY_LENGTH);
  store<u32>(at, index, DELIVERY_INDEX);
  count(Counter.deliveredValues);
}

/** Obeys a command about a session, and writes down what its client is to be told. */
function obey(instance: u64, client: u64, command: usize): void {
  const verdict = sessionObey(client, command, instance);
  if (verdict == 0) return;
  if (verdictFrame != 0 && SESSION_BYTES + (verdictCount + 1) * VERDICT_BYTES > mtu) sendVerdicts();
  if (verdictFrame == 0) {
    verdictFrame = begin(Message.session, Role.learner, Role.client, 0, 0);
    // The client asks again.
    if (verdictFrame == 0) return;
  }
  const at = verdictFrame + SESSION_BYTES + <usize>(verdictCount++ * VERDICT_BYTES);
  store<u64>(at, client, VERDICT_CLIENT);
  store<u64>(at, instance, VERDICT_INSTANCE);
  store<u32>(at, verdict, VERDICT_VERDICT);
  store<u32>(at, obeyedHasRoom ? COMMAND_RESERVE : 0, VERDICT_FLAGS);
}

/** Sends the message of verdicts; only the group reaches clients, whose addresses no learner knows. */
function sendVerdicts(): void {
  if (verdictFrame == 0) return;
  store<u32>(verdictFrame, verdictCount, SESSION_COUNT);
  store<u32>(verdictFrame, 0, SESSION_COUNT + 4);
  finish(verdictFrame, SESSION_BYTES + verdictCount * VERDICT_BYTES, groupAddress);
  verdictFrame = 0;
  verdictCount = 0;
}

function sendHi(): void {
  const p = begin(Message.hi, Role.learner, Role.acceptor, 0, 0);
  if (p == 0) return;
  memory.fill(p + HI_DELIVERED, 0, HI_BYTES - HI_DELIVERED);
  // Who cannot be helped any more must not keep the others' logs from being trimmed.
  store<u64>(p, started && !behind ? safe() : 0, HI_DELIVERED);
  finish(p, HI_BYTES, groupAddress);
}

/** Asks for what is missing, when it is time. Returns when it is next. */
function repairTick(now_us: u64): u64 {
  if (repairHeard) hearRepair(now_us);
  if (!started || paused || isCrowded || more || window.base >= decided) {
    repairAt_us = NEVER;
    return NEVER;
  }
  if (repairAt_us == NEVER) {
    repairAt_us = now_us + REPAIR_DELAY_US;
    repairBase = window.base;
    repairEnd = 0;
    repairTries = 0;
    repairMisses = 0;
    repairHelped = false;
    repairTrusted = false;
    movedAt_us = now_us;
    return repairAt_us;
  }
  const moved = window.base > repairBase;
  if (moved && repairEnd == 0) {
    // The gap closed by itself and another opened.
    repairBase = window.base;
    repairAt_us = now_us + REPAIR_DELAY_US;
    return repairAt_us;
  }
  if (moved) {
    repairTries = 0;
    repairMisses = 0;
    movedAt_us = now_us;
    trimmedBy = 0;
    leftOutOnce = 0;
    leftOutBy = 0;
    behind = false;
  }
  // All that will come of the last request has come. If it did not help, the next acceptor may, but
  // when none could or can, only time helps.
  const answered = repairEnd != 0 && (window.base >= repairEnd || repairAnswered);
  const inVain = repairMisses >= acceptorCount || everyoneTold(trimmedBy, now_us);
  if (now_us < repairAt_us && (!answered || inVain)) {
    checkBehind(now_us);
    return repairAt_us;
  }
  if (moved || repairHelped || repairEnd == 0) {
    repairTimeout_us = repairPatience_us();
  } else {
    // From an acceptor that brought something before, silence is a lost frame rather than its end.
    if (answered || !repairTrusted) repairTurn++;
    repairTries++;
    if (answered) repairMisses++;
    if (now_us >= repairAt_us) {
      repairTimeout_us = min(repairTimeout_us * 2, REPAIR_TIMEOUT_MAX_US);
      repairMisses = 0;
    }
  }
  repairBase = window.base;
  repairAt_us = now_us + repairTimeout_us;
  repairAnswered = false;
  repairTells = false;
  repairTrusted = repairHelped;
  repairHelped = false;
  sendRepair(now_us);
  return repairAt_us;
}

/** An answer is coming: it is given up only when no more of it comes. */
function hearRepair(now_us: u64): void {
  repairHeard = false;
  if (repairSentAt_us != 0 && repairTries == 0) repairTrip.answered(repairSentAt_us, 1, now_us);
  repairSentAt_us = 0;
  if (repairEnd != 0) repairAt_us = max(repairAt_us, now_us + repairPatience_us());
}

function repairPatience_us(): u64 {
  return repairTrip.timeout_us(REPAIR_TIMEOUT_US, REPAIR_TIMEOUT_MIN_US, REPAIR_TIMEOUT_MAX_US);
}

function sendRepair(now_us: u64): void {
  const index = nextAcceptor(now_us);
  const q = begin(Message.repair, Role.learner, Role.acceptor, acceptorId(index), 0);
  if (q == 0) return;
  const most = min(REPAIR_RANGES, (mtu - RANGES_BYTES) / RANGE_BYTES);
  let ranges: u32 = 0;
  let instances: u64 = 0;
  let i = window.base;
  const end = min(decided, window.end());
  while (i < end && ranges < most && instances < REPAIR_INSTANCES) {
    while (i < end && window.slot(i).decided) i++;
    if (i == end) break;
    const first = i;
    while (i < end && !window.slot(i).decided && instances < REPAIR_INSTANCES) {
      i++;
      instances++;
    }
    const range = q + RANGES_BYTES + <usize>ranges * RANGE_BYTES;
    store<u64>(range, first);
    store<u64>(range, i, 8);
    ranges++;
  }
  repairEnd = i;
  repairSentAt_us = now_us;
  repairHeard = false;
  store<u32>(q, ranges, RANGES_COUNT);
  store<u32>(q, 0, RANGES_COUNT + 4);
  finish(q, RANGES_BYTES + ranges * RANGE_BYTES, acceptorAddress(index));
  count(Counter.repairs);
}

/**
 * The acceptor whose turn it is. Silent ones, and those that trimmed what is missing, are asked only
 * when there is no other; so is the leader's own, which has more to do, unless the others were asked
 * in vain, and then as long as it helps.
 */
function nextAcceptor(now_us: u64): i32 {
  const spare = !repairTrusted && repairTries < acceptorCount - 1;
  const leader = spare ? acceptorIndex(ballotId(leaderBallot)) : -1;
  const first = repairTurn % acceptorCount;
  for (let strict = 2; strict >= 0; strict--) {
    for (let tries = 0; tries < acceptorCount; tries++) {
      const index = (first + tries) % acceptorCount;
      if (!isHeard(index, now_us)) continue;
      if (strict >= 1 && (trimmedBy & (1 << index)) != 0) continue;
      if (strict == 2 && index == leader && !isInside(index)) continue;
      repairTurn = index;
      return index;
    }
  }
  repairTurn = first;
  return first;
}

/** Whether the acceptor runs in this process. */
function isInside(index: i32): bool {
  return (roles & Role.acceptor) != 0 && acceptorId(index) == selfId;
}

function isHeard(index: i32, now_us: u64): bool {
  return isAcceptorHeard(index, now_us, ACCEPTOR_SILENT_US);
}

/**
 * When every acceptor that is heard has trimmed the next instance, or told all it knows of it in vain,
 * nobody can bring it any more. If none has trimmed it, one that is not heard may.
 */
function checkBehind(now_us: u64): void {
  if (behind || now_us - movedAt_us < BEHIND_US) return;
  const leftOut = now_us - movedAt_us < LEFT_OUT_US ? 0 : leftOutBy;
  if (!everyoneTold(trimmedBy | leftOut | window.slot(window.base).reports, now_us)) return;
  if (trimmedBy != 0) {
    behind = true;
    note(Event.behindTrim, 0, trimmedTo);
  } else if (unobtainable != window.base) {
    unobtainable = window.base;
    note(Event.unobtainable, 0, window.base);
  }
}

/** Whether the bits hold every acceptor that is heard, and there is one. */
function everyoneTold(told: u32, now_us: u64): bool {
  for (let i = 0; i < acceptorCount; i++) {
    // The acceptor in this process has nothing that this learner did not hear, or get from it at once.
    if (!isInside(i) && isHeard(i, now_us) && (told & (1 << i)) == 0) return false;
  }
  return told != 0;
}

/** What a status says of the learner. */
export function learnerStatus(): void {
  statusDecided(max(decided, window.base));
  if (!started) return;
  statusField(StatusField.delivered, window.base);
  statusField(StatusField.paused, paused ? 1 : 0);
  statusField(StatusField.behind, behind ? 1 : 0);
  // Of a replica its acceptor tells.
  if (persistent && (roles & Role.acceptor) == 0) {
    statusField(StatusField.storage, recordsFailed ? StorageCondition.failed : StorageCondition.sound);
  }
}
