/**
 * The acceptor: promises (1A to 1B) and accepts (2A to 2B), and answers learners that repair.
 *
 * The two rules of "Paxos Made Simple" (2.2, P1a): it accepts a proposal unless it has promised a
 * higher ballot, and it promises nothing below what it has promised. One is added: no two
 * incarnations of a proposer share a ballot here, so a proposer that restarted without its memory
 * cannot take up the ballot it used before.
 *
 * The promise covers all instances at once. 1B comes in pages, and the acceptor keeps no state for
 * them: a proposer asks again from where the last page ended. That is sound because between two
 * pages nothing below the promised ballot can be accepted any more.
 *
 * An acceptor that lost its memory may have promised and accepted anything. It recovers so: it takes no
 * part until a leader, in a ballot that is newer than its restart, finished phase 1 with a majority of
 * the others, and names it (`rejoin`). What it may have helped to choose is among what that phase 1 brought
 * up, or decided; whatever it promised is refused from now on, as the promises of the others say that its
 * memory is another. So it may accept in that ballot. It must not promise before it has accepted all that
 * phase 1 brought up, or knows it decided: else its promise would hide what it forgot. (Compare the
 * recovery of Viewstamped Replication Revisited, Liskov and Cowling 2012, 4.3.)
 */
import {
  AcceptorState,
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_DECIDED,
  ACCEPT_INSTANCE,
  ACCEPT_VALUES,
  Counter,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_DECIDED,
  ENTRY_FLAGS,
  ENTRY_INSTANCE,
  ENTRY_VALUES,
  Event,
  Fetched,
  FORGOT_KNOWN,
  FORGOT_REFUSED,
  Gauge,
  HEADER_BALLOT,
  HEADER_INCARNATION,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEARTBEAT_DECIDED,
  HI_BYTES,
  HI_DELIVERED,
  HI_REJOINED,
  HI_STATE,
  HOLE_BYTES,
  LEARNED_BYTES,
  LEARNED_DECIDED,
  LEARNED_ENTRIES,
  LEARNED_FLAGS,
  LEARNED_LAST,
  LEARNED_TRIMMED,
  Message,
  OK_BYTES,
  OK_DECIDED,
  OK_NEXT,
  OK_PROMISED,
  OK_SILENCE,
  OK_TRIMMED,
  PREPARE_FROM,
  PREPARE_MEMORY,
  PREPARE_REJOINING,
  PROMISE_BYTES,
  PROMISE_DECIDED,
  PROMISE_END,
  PROMISE_ENTRIES,
  PROMISE_FLAGS,
  PROMISE_INCARNATION,
  PROMISE_LAST,
  PROMISE_MEMORIES,
  PROMISE_PAUSE,
  PROMISE_START,
  Record,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  RECORD_VALUES,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  REJECT_BYTES,
  REJECT_DECIDED,
  REJECT_REJECTED,
  REJOIN_END,
  REJOIN_FROM,
  REJOIN_MEMORY,
  Role,
  Setting,
  StatusField,
  StorageCondition,
  Voting,
  WINDOW_INSTANCES,
} from "../layout";
import { arenaTake } from "./arena";
import { ballotId } from "./ballot";
import {
  Accepted,
  logBegin,
  logFill,
  logFilled,
  logGet,
  logHigh,
  logInit,
  logLow,
  logPut,
  logStart,
  logStatus,
} from "./log";
import { Fetch, fetchAsk, fetchAt, fetchCheck, fetchFits, fetchInit, holeFirst } from "./fetch";
import { count, gauge, note } from "./meters";
import {
  begin,
  finish,
  finishHeld,
  groupAddress,
  heldFull,
  outboxRoom,
  sourceAddress,
} from "./outbox";
import {
  acceptorMemory,
  acceptorRejoinedIn,
  clearReplaced,
  isReplaced,
  learnRejoined,
  memories,
  sendForgot,
  sendForgotReturn,
  setMemory,
  setRejoined,
  tellRejoined,
} from "./peers";
import { appendRecord, durableRecords, journalRoom, records, recoveryAt } from "./records";
import {
  expirePeriod_us,
  registryBye,
  registryExpire,
  registryFull,
  registryHi,
  registryInit,
  registryLowest,
  registryStatus,
  slowestLearner,
} from "./registry";
import {
  refilling,
  refillBegin,
  refillInit,
  refillKnows,
  refillLowest,
  refillRecover,
  refillTick,
  storedFrom,
} from "./refill";
import {
  acceptorCount,
  acceptorIndex,
  memoryIncarnation,
  mtu,
  persistent,
  selfId,
  settingU32,
} from "./settings";
import { slackOf } from "./slack";
import { statusDecided, statusField } from "./status";

/** Frames of one answer to a prepare; the proposer paces itself by asking again. */
const PAGE_FRAMES: i32 = 16;
/** Frames of one answer to a repair; the learner paces itself by asking again. */
const REPAIR_FRAMES: i32 = 64;
/**
 * At its start an acceptor without stable storage says hi and listens before it votes, so that those
 * who knew it before can say so. It does not vote before every other acceptor has confirmed that it
 * knows no earlier incarnation. Before that one ever voted it was confirmed by all others in turn; so
 * as long as one of them has its memory, the forgetful acceptor hears of itself. (One who remembers
 * is enough, and all are asked: compare the crash vectors of Michael et al., DISC 2017.)
 */
const LISTEN_US: u64 = 100_000;
const LISTEN_HI_PERIOD_US: u64 = 25_000;
/** Leaders take a majority that is silent for some of these periods for gone. */
const HI_PERIOD_US: u64 = 100_000;
/** An acceptor that still waits for confirmation after this long says for whom, and again each time. */
const UNCONFIRMED_NOTE_US: u64 = 2_000_000;
const LOG_FULL_NOTE_PERIOD_US: u64 = 1_000_000;
/** Progress of the decided watermark that storage may miss at most; less, where so much would not fit the log. */
const DECIDED_RECORD_INSTANCES: u64 = 64;
/** Holes that are recorded with one watermark: with more, it goes no further. */
const HOLES_MAX: i32 = 64;
/** Ballots before the last whose leaders' word is remembered; a power of 2. */
const LED_BALLOTS: i32 = 256;
/** How much of the log may be in use for an acceptor to accept anything while it refills. */
const REFILLING_FILL_MAX: f64 = 0.125;
/** Highest ballot promised, and the incarnation of its proposer. Invariant: never falls. */
let promised: u64 = 0;
let promisedIncarnation: u32 = 0;
/** All instances below are decided: a leader said so. */
let decided: u64 = 1;
/** Where, in the log, the leader's own values were last marked as decided. */
let markedBallot: u64 = 0;
let marked: u64 = 1;
/** All below, the leader of `markedBallot` called decided. */
let announced: u64 = 0;
/** Leaders before that one: ballot u64, and below where it called all decided u64. A ring. */
const led = memory.data(LED_BALLOTS * 16, 8);
let ledCount: i32 = 0;

/** Ranges accepted in `voteBallot` and not yet told. */
let voteRanges: usize = 0;
let voteCount: u32 = 0;
let voteRangesMax: u32 = 0;
let voteBallot: u64 = 0;
let expireAt_us: u64 = 0;
let logFullNotedAt_us: u64 = 0;
/** It lost its memory and was not let in again. */
let recovering: bool = false;
/** An event that the next tick notes: what storage brought about between two steps; 0: none. */
let untold: i32 = 0;
/** It was: whoever calls it forgetful has not heard of that yet. */
let readmitted: bool = false;
/** The ballot in which it rejoins, the first instance that it does not have yet, and the end of those it needs; 0: it does not. */
let rejoinBallot: u64 = 0;
let rejoinNext: u64 = 0;
let rejoinEnd: u64 = 0;
/** The ballot of its last return; 0: it never lost its memory. */
let returnBallot: u64 = 0;
/** Highest ballot of a leader's heartbeat. */
let ledBallot: u64 = 0;
/** When a leader was heard last, or promised to; or when this acceptor began to vote. */
let leaderAt_us: u64 = 0;
/** The last batch that was new did not fit the log. */
let logIsFull: bool = false;
let votesFrom_us: u64 = 0;
/** Bits of the acceptors that have not confirmed yet. */
let unconfirmed: u32 = 0;
let unconfirmedNoteAt_us: u64 = 0;
/** Stable storage says that the others confirmed, or that the operator vouched for it. */
let confirmedRecorded: bool = false;
/** The decided watermark in stable storage. */
let decidedRecorded: u64 = 1;
/** The watermark that is durable for sure; the next one that will be, and the number of its record; 0: none. */
let decidedDurable: u64 = 1;
let decidedAwaited: u64 = 1;
let awaitedRecord: u64 = 0;
/** The number of the last record of a watermark. */
let decidedRecord: u64 = 0;
/** Progress after which it is stored again: instances of an eighth of the log, whatever their size. */
let decidedRecordInstances: u64 = 0;
/** What storage can do. */
let condition: i32 = StorageCondition.sound;
/** The lowest accepted instance that storage has not deleted. */
let storageLow: u64 = 1;
/** Below this recovered watermark the log says nothing of holes, and storage does. */
let knownFrom: u64 = 0;
/** The first instance of a hole that is being recorded. */
const holePayload = memory.data(HOLE_BYTES, 8);
/** The frame that is being filled with what storage reads, and how many were before; 0: none. */
let fetchFrame: usize = 0;
let fetchFrameAt: u32 = 0;
let fetchEntries: u32 = 0;
let fetchFrames: i32 = 0;
let hiAt_us: u64 = 0;

export function acceptorInit(now_us: u64): void {
  votesFrom_us = now_us + LISTEN_US;
  leaderAt_us = now_us;
  unconfirmedNoteAt_us = now_us + UNCONFIRMED_NOTE_US;
  const own = acceptorIndex(selfId);
  assert(own >= 0, "this acceptor is not configured");
  const others = ((1 << acceptorCount) - 1) & ~(1 << own);
  unconfirmed = settingU32(Setting.newCluster) != 0 ? 0 : others;
  recovering = settingU32(Setting.forgot) != 0;
  if (recovering) untold = Event.recovering;
  const logBytes = settingU32(Setting.logBytes);
  logInit(logBytes);
  decidedRecordInstances = max(1, min(DECIDED_RECORD_INSTANCES, <u64>(logBytes / mtu / 8)));
  registryInit();
  refillInit();
  fetchInit();
  gauge(Gauge.logTotalBytes, logBytes);
  voteRangesMax = (mtu - RANGES_BYTES) / RANGE_BYTES;
  voteRanges = arenaTake(<usize>voteRangesMax * RANGE_BYTES);
}

/** 1A. */
export function acceptorPrepare(p: usize, now_us: u64): void {
  if (!mayVote(now_us)) return;
  const ballot = load<u64>(p, HEADER_BALLOT);
  const proposer = load<u32>(p, HEADER_INCARNATION);
  if (isStorageBehind()) return count(Counter.heldFull);
  if (!mayTake(ballot, proposer)) return reject(p, ballot);
  const rejoining = load<u16>(p, PREPARE_REJOINING);
  if (rejoining != 0) learnRejoined(acceptorIndex(rejoining), ballot, load<u32>(p, PREPARE_MEMORY));
  if (isReplaced) return;
  // A phase 1 of many pages goes on: others must not begin theirs.
  leaderAt_us = now_us;
  if (promise(ballot, proposer)) appendRecord(Record.promise, ballot, proposer, 0, 0, 0, 0);
  sendPages(p, ballot, load<u64>(p, PREPARE_FROM));
}

/** 2A. */
export function acceptorAccept(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  const proposer = load<u32>(p, HEADER_INCARNATION);
  const instance = load<u64>(p, ACCEPT_INSTANCE);
  const bytes = load<u32>(p, ACCEPT_BATCH_BYTES);
  const leaderDecided = load<u64>(p, ACCEPT_DECIDED);
  if (!mayVote(now_us) && (!isSound() || ballot != rejoinBallot || rejoinBallot == 0)) return;
  if (isStorageBehind()) return count(Counter.heldFull);
  if (!mayTake(ballot, proposer)) return reject(p, ballot);
  if (instance < logLow) return sendOk(p, now_us, logLow);
  leaderAt_us = now_us;

  // What it forgot and others may need goes before: a majority of the others can accept without it.
  if (!persistent && refilling && rejoinBallot == 0 && logFill() > REFILLING_FILL_MAX) return count(Counter.logFull);

  const before = logGet(instance);
  // It is decided, and storage has been told that this acceptor has nothing: that stays so.
  if (persistent && before == null && instance < decidedRecorded) return sendOk(p, now_us, instance + 1);
  // Fetched after a loss, in a ballot that was not promised here: it is decided, and nobody needs this vote.
  if (before != null && before.ballot > ballot) return;
  if (before == null && condition == StorageCondition.full) return refuse(Event.storageFull, instance, now_us);
  if (before == null || before.ballot != ballot) {
    // Below: an acceptor that accepted in a ballot has promised it, so an older copy is of a lower one.
    assert(before == null || before.ballot < ballot, "accepted above the promise");
    const values = load<u16>(p, ACCEPT_VALUES);
    const from = p + ACCEPT_BYTES;
    const record = persistent ? records + 1 : 0;
    let kept = logPut(instance, ballot, from, bytes, values, evictLimit(), record);
    if (!kept && !persistent && registryFull(logLow, decided, now_us)) {
      kept = logPut(instance, ballot, from, bytes, values, evictLimit(), record);
    }
    if (!kept) return refuse(Event.logFull, instance, now_us);
    logIsFull = false;
    promise(ballot, proposer);
    const batch = logGet(instance)!.batch;
    appendRecord(Record.accept, ballot, proposer, instance, batch, bytes, values);
    count(Counter.accepted);
  }
  learnDecided(ballot, leaderDecided);
  recordDecided(instance);
  goOnRejoining();
  // A repeated 2A is answered again, always with the ballot of the acceptance itself.
  vote(ballot, instance);
}

/** There is no room for a new instance: as long as there is none, those that hold it back lose patience. */
function refuse(event: i32, instance: u64, now_us: u64): void {
  count(Counter.logFull);
  logIsFull = true;
  if (event == Event.storageFull) {
    registryFull(lowestKept(), decided, now_us);
    trimLimit();
  } else if (persistent && decided > decidedRecorded) {
    // What is decided and not stored as decided cannot leave the log.
    appendDecided();
  }
  if (now_us - logFullNotedAt_us < LOG_FULL_NOTE_PERIOD_US) return;
  logFullNotedAt_us = now_us;
  note(event, event == Event.logFull && persistent ? 0 : slowestLearner, instance);
}

/** A leader speaks; a stale one is told so. */
export function acceptorHeartbeat(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  ledBallot = max(ledBallot, ballot);
  if (recovering) return;
  learnDecided(ballot, load<u64>(p, HEARTBEAT_DECIDED));
  if (!isSound()) return;
  if (ballot < promised) return reject(p, ballot);
  leaderAt_us = now_us;
  goOnRejoining();
}

/** A leader lets this acceptor take part again, from its ballot on. */
export function acceptorRejoin(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  const proposer = load<u32>(p, HEADER_INCARNATION);
  if (state(now_us) != AcceptorState.recovers || load<u32>(p, REJOIN_MEMORY) != memoryIncarnation) return;
  if (ballot <= rejoinBallot || !mayTake(ballot, proposer) || !isSound() || isStorageBehind()) return;
  // Others go by a later return, of another memory.
  if (ballot < acceptorRejoinedIn(acceptorIndex(selfId))) return;
  const from = load<u64>(p, REJOIN_FROM);
  recovering = false;
  clearReplaced();
  readmitted = true;
  rejoinBallot = ballot;
  returnBallot = ballot;
  rejoinNext = from;
  rejoinEnd = load<u64>(p, REJOIN_END);
  promise(ballot, proposer);
  decided = max(decided, from);
  leaderAt_us = now_us;
  appendRecord(Record.rejoin, ballot, proposer, from, 0, 0, 0);
  refillBegin(from);
  learnRejoined(acceptorIndex(selfId), ballot, memoryIncarnation);
  note(Event.rejoining, ballotId(ballot), ballot);
  goOnRejoining();
}

/** Votes as any other when it has all that phase 1 of the ballot of its return brought up. */
function goOnRejoining(): void {
  if (rejoinBallot == 0) return;
  for (; rejoinNext < rejoinEnd; rejoinNext++) {
    const accepted = logGet(rejoinNext);
    if (accepted != null && accepted.ballot == rejoinBallot) continue;
    if (rejoinNext >= decided) return;
    // It must not tell learners that it accepted nothing where it has merely forgotten.
    refillBegin(rejoinNext + 1);
  }
  rejoinBallot = 0;
  unconfirmed = 0;
  votesFrom_us = 0;
  confirmedRecorded = true;
  // It may have all it needs only because this is decided, and must not find after a crash that it is not.
  appendDecided();
  appendRecord(Record.confirmed, 0, 0, 0, 0, 0, 0);
  note(Event.rejoined, 0, 0);
}

export function acceptorHi(p: usize, now_us: u64): void {
  const role = <u32>load<u8>(p, HEADER_SENDER_ROLE);
  if (role == Role.acceptor) return answerAcceptor(p, now_us);
  if (role == Role.learner) {
    registryHi(
      load<u16>(p, HEADER_SENDER_ID),
      load<u32>(p, HEADER_INCARNATION),
      load<u64>(p, HI_DELIVERED),
      now_us,
    );
  }
  // A learner that is as far as this acceptor hears nothing new from it.
  if (role == Role.learner && load<u64>(p, HI_DELIVERED) >= decided) return;
  // To be counted on, an acceptor must vote.
  if (mayVote(now_us)) sendOk(p, now_us, logLow);
}

/** A new acceptor asks whether it has an earlier incarnation. One that forgot cannot vouch. */
function answerAcceptor(p: usize, now_us: u64): void {
  if (load<u16>(p, HI_STATE) != AcceptorState.asks || state(now_us) == AcceptorState.recovers) return;
  if (!isSound() || load<u16>(p, HEADER_SENDER_ID) == selfId) return;
  // It asks though a return of it is known: it restarted before it had come back, and forgot that it had to.
  if (sendForgotReturn(p)) return;
  if (readmitted) {
    // It may have lost what it knew of this one. Who is taken for forgetful, and is not, rejoins: that is always safe.
    const asking = load<u32>(p, HEADER_INCARNATION);
    return sendForgot(load<u16>(p, HEADER_SENDER_ID), 0, asking, sourceAddress(p));
  }
  // Those that ask one another do not vote yet.
  sendOk(p, now_us, logLow);
}

export function acceptorBye(p: usize): void {
  registryBye(load<u16>(p, HEADER_SENDER_ID), load<u32>(p, HEADER_INCARNATION));
}

/**
 * A learner asks for ranges of decided instances. It gets what was accepted, and where that is
 * nothing the word that it is nothing, in as many frames as one answer may have.
 */
export function acceptorRepair(p: usize, now_us: u64): void {
  // One that forgot would call nothing what it does not remember.
  if (!mayVote(now_us)) return;
  if (persistent && fetchAsk(p, max(storageLow, storedFrom), lowestInLog())) return;
  tellAccepted(p, 0);
}

/** Tells what the log holds of what the repair at `p` asks for, behind so many frames of the same answer. */
function tellAccepted(p: usize, framesBefore: i32): void {
  const ranges = load<u32>(p, RANGES_COUNT);
  let frames = framesBefore;
  let frame: usize = 0;
  let at: u32 = 0;
  let entries: u32 = 0;
  for (let r: u32 = 0; r < ranges; r++) {
    const range = p + RANGES_BYTES + <usize>r * RANGE_BYTES;
    let instance = max(load<u64>(range), lowestInLog());
    const end = load<u64>(range, 8);
    for (; instance < end; instance++) {
      if (!refillKnows(instance)) continue;
      const accepted = logGet(instance);
      const bytes = accepted == null ? 0 : accepted.bytes;
      if (frame != 0 && at + ENTRY_BYTES + bytes > mtu) {
        const last = ++frames == REPAIR_FRAMES;
        endLearned(frame, p, entries, at, last);
        if (last) return;
        frame = 0;
      }
      if (frame == 0) {
        frame = beginLearned(p);
        if (frame == 0) return;
        at = LEARNED_BYTES;
        entries = 0;
      }
      at = accepted == null ? putNothing(frame, at, instance) : putEntry(frame, at, accepted);
      entries++;
    }
  }
  // Even an empty answer tells how far the log was trimmed.
  if (frame == 0) {
    frame = beginLearned(p);
    if (frame == 0) return;
    at = LEARNED_BYTES;
    entries = 0;
  }
  endLearned(frame, p, entries, at, true);
}

/** Takes the record at `recoveryAt`, of `bytes` bytes in all, into the answer for which storage read it. */
export function acceptorFetched(index: i32, bytes: u32): Fetched {
  if (!isSound() || fetchFrames == REPAIR_FRAMES) return Fetched.enough;
  if (!fetchFits(bytes)) return Fetched.more;
  const fetch = fetchAt(index);
  const found = fetchCheck(fetch, bytes);
  if (found != Fetched.more) return found;
  if (load<u16>(recoveryAt, RECORD_KIND) == Record.hole) return fetchedHole(fetch);
  const batchBytes = load<u32>(recoveryAt, RECORD_BATCH_BYTES);
  if (!hasFetchRoom(fetch, batchBytes)) return Fetched.enough;
  const instance = load<u64>(recoveryAt, RECORD_INSTANCE);
  const ballot = load<u64>(recoveryAt, RECORD_BALLOT);
  const values = load<u16>(recoveryAt, RECORD_VALUES);
  const isDecided = load<u16>(recoveryAt, RECORD_KIND) == Record.fetched || isChosen(ballot, instance);
  const batch = recoveryAt + RECORD_BYTES;
  fetchFrameAt = writeEntry(fetchFrame, fetchFrameAt, instance, ballot, batch, batchBytes, values, isDecided);
  fetchEntries++;
  count(Counter.fetched);
  return Fetched.more;
}

/** Tells of the part of the hole at `recoveryAt` that was asked for. */
function fetchedHole(fetch: Fetch): Fetched {
  // Before it returned it had lost something: what it fetched since counts, and what it accepted.
  if (load<u64>(recoveryAt, RECORD_BALLOT) != returnBallot) return Fetched.more;
  const last = load<u64>(recoveryAt, RECORD_INSTANCE);
  for (let i = max(fetch.from, holeFirst()); i <= last && i < fetch.end; i++) {
    if (!hasFetchRoom(fetch, 0)) return Fetched.enough;
    fetchFrameAt = putNothing(fetchFrame, fetchFrameAt, i);
    fetchEntries++;
    fetch.from = i + 1;
  }
  return Fetched.more;
}

/** Whether the answer has room for an entry with so many bytes; it goes on in another frame, up to the last. */
function hasFetchRoom(fetch: Fetch, batchBytes: u32): bool {
  if (fetchFrame != 0 && fetchFrameAt + ENTRY_BYTES + batchBytes > mtu) {
    endFetched(fetch, fetchFrames + 1 == REPAIR_FRAMES);
    if (fetchFrames == REPAIR_FRAMES) return false;
  }
  if (fetchFrame != 0) return true;
  fetchFrame = beginLearned(fetch.request);
  fetchFrameAt = LEARNED_BYTES;
  fetchEntries = 0;
  return fetchFrame != 0;
}

/** Storage has no more for the fetch, or enough was taken: the answer ends with what the log holds. */
export function acceptorFetchEnd(index: i32): void {
  const fetch = fetchAt(index);
  if (!fetch.isLast) return;
  if (isSound() && fetchFrames < REPAIR_FRAMES) {
    const p = fetch.request;
    const lastRange = p + RANGES_BYTES + <usize>(load<u32>(p, RANGES_COUNT) - 1) * RANGE_BYTES;
    const isAll = load<u64>(lastRange, 8) <= lowestInLog() || fetchFrames + 1 == REPAIR_FRAMES;
    const isTold = isAll && fetchFrame != 0;
    if (fetchFrame != 0) endFetched(fetch, isAll);
    if (!isTold) tellAccepted(p, fetchFrames);
  }
  fetchFrame = 0;
  fetchFrames = 0;
}

/** Sends a frame of what storage read. All of it is durable, so it waits for no record. */
function endFetched(fetch: Fetch, last: bool): void {
  fillLearned(fetchFrame, fetchEntries, last);
  finish(fetchFrame, fetchFrameAt, sourceAddress(fetch.request));
  fetchFrame = 0;
  fetchFrames++;
}

/** Sends the votes of this burst. */
export function acceptorFlush(): void {
  if (voteCount == 0) return;
  const p = begin(
    Message.accepted,
    Role.acceptor,
    Role.proposer | Role.learner | Role.client,
    0,
    voteBallot,
  );
  if (p != 0) {
    store<u32>(p, voteCount, RANGES_COUNT);
    store<u32>(p, 0, RANGES_COUNT + 4);
    memory.copy(p + RANGES_BYTES, voteRanges, <usize>voteCount * RANGE_BYTES);
    finishHeld(p, RANGES_BYTES + voteCount * RANGE_BYTES, groupAddress);
  }
  voteCount = 0;
}

export function acceptorTick(now_us: u64): u64 {
  if (now_us + slackOf(expirePeriod_us) >= expireAt_us) {
    registryExpire(now_us);
    expireAt_us = now_us + expirePeriod_us;
  }
  if (unconfirmed == 0 && !confirmedRecorded && !recovering) {
    confirmedRecorded = true;
    appendRecord(Record.confirmed, 0, 0, 0, 0, 0, 0);
  }
  if (untold != 0) note(untold, selfId, 0);
  untold = 0;
  if (now_us + (mayVote(now_us) ? slackOf(HI_PERIOD_US) : 0) >= hiAt_us) {
    // Whoever hears it counts on it.
    if (isSound()) sendHi(now_us);
    // Soon after a burst storage knows as much of it as this process does.
    if (persistent && decided > decidedRecorded && mayVote(now_us) && !isStorageBehind()) appendDecided();
    hiAt_us = now_us + (mayVote(now_us) ? HI_PERIOD_US : LISTEN_HI_PERIOD_US);
  }
  if (unconfirmed != 0 && state(now_us) == AcceptorState.asks && now_us >= unconfirmedNoteAt_us) {
    note(Event.unconfirmed, 0, unconfirmed);
    unconfirmedNoteAt_us = now_us + UNCONFIRMED_NOTE_US;
  }
  if (awaitedRecord != 0 && awaitedRecord <= durableRecords) decidedStored();
  gauge(Gauge.promised, promised);
  gauge(Gauge.trimmed, lowestKept());
  gauge(Gauge.logFilledBytes, logFilled);
  if (persistent) gauge(Gauge.trimLimit, min(trimLimit(), decidedDurable));
  const due_us = min(expireAt_us, hiAt_us);
  if (!persistent) return min(due_us, refillTick(now_us, logLow));
  // While storage is full it takes nothing more; and a return makes void what was fetched before.
  const mayRefill = !recovering && condition == StorageCondition.sound;
  return mayRefill ? min(due_us, refillTick(now_us, storageLow)) : due_us;
}

/**
 * Somebody knows another incarnation of this acceptor: it restarted and has forgotten what it
 * promised. It must not vote as if it had not.
 */
export function acceptorForgot(p: usize, now_us: u64): void {
  if (load<u32>(p, FORGOT_REFUSED) != memoryIncarnation || recovering) return;
  // Who knows of no other memory cannot vouch for this one; but all others did, maybe before that one forgot.
  if (load<u32>(p, FORGOT_KNOWN) == 0 && unconfirmed == 0) return;
  // Not everybody has heard of its return yet. But an old frame can have let an older memory rejoin after it.
  if (readmitted && acceptorMemory(acceptorIndex(selfId)) == memoryIncarnation) return;
  recovering = true;
  note(Event.recovering, load<u16>(p, HEADER_SENDER_ID), 0);
}

/** Another acceptor answers hi: it knows no incarnation of this one but the present. */
export function acceptorOk(p: usize): void {
  if (load<u64>(p, HEADER_BALLOT) != memoryIncarnation || unconfirmed == 0) return;
  if (load<u8>(p, HEADER_SENDER_ROLE) != Role.acceptor) return;
  unconfirmed &= ~(1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID)));
  if (unconfirmed == 0) note(Event.confirmed, 0, 0);
}

/** Storage is in this condition, and keeps what was accepted from `low` on. */
export function acceptorStorage(to: i32, low: u64): void {
  assert(low <= decided, "storage deleted what is not decided");
  storageLow = max(storageLow, low);
  if (condition == StorageCondition.failed || to == condition) return;
  condition = to;
  logIsFull = false;
  if (to == StorageCondition.failed) untold = Event.storageFailed;
}

/**
 * Takes back the record at `recoveryAt`, as storage kept it; before the first step: what is known of other
 * acceptors, then the promise, a return and from where on storage has all since, the decided watermark, what
 * was accepted or fetched, ascending, and that it was confirmed. In the order in which they were appended
 * will do as well. All from the decided watermark on fits the log, if that is not smaller than it was.
 */
export function acceptorRecover(): void {
  const at = recoveryAt;
  const kind = <i32>load<u16>(at, RECORD_KIND);
  const instance = load<u64>(at, RECORD_INSTANCE);
  const ballot = load<u64>(at, RECORD_BALLOT);
  if (kind == Record.confirmed) {
    recovering = false;
    unconfirmed = 0;
    confirmedRecorded = true;
    votesFrom_us = 0;
    return;
  }
  if (kind == Record.decided) {
    decidedRecorded = instance;
    decidedDurable = instance;
    decided = max(decided, instance);
    knownFrom = decided;
    logStart(decided);
    if (ballot > markedBallot) {
      markedBallot = ballot;
      announced = instance;
    }
    return;
  }
  // Storage tells of it when somebody asks.
  if (kind == Record.hole) return;
  if (kind == Record.refilled) return recoverFrom(instance);
  if (kind == Record.fetched) return recoverAccepted(ballot, instance, true);
  const proposer = load<u32>(at, RECORD_INCARNATION);
  if (kind == Record.led) return recoverLed(ballot, <i32>instance);
  if (kind == Record.known) return setMemory(acceptorIndex(<u32>instance), proposer);
  if (kind == Record.rejoined) {
    setRejoined(acceptorIndex(<u32>instance), ballot, proposer);
    return;
  }
  if (ballot > promised) promise(ballot, proposer);
  if (kind == Record.promise) return;
  if (kind == Record.rejoin) {
    recovering = true;
    readmitted = true;
    returnBallot = ballot;
    if (acceptorRejoinedIn(acceptorIndex(selfId)) <= ballot) clearReplaced();
    recoverFrom(instance);
    return;
  }
  assert(kind == Record.accept, "unknown kind of record");
  recoverAccepted(ballot, instance, isChosen(ballot, instance));
}

function recoverLed(ballot: u64, place: i32): void {
  const at = led + <usize>((place & (LED_BALLOTS - 1)) * 16);
  assert(load<u32>(recoveryAt, RECORD_BATCH_BYTES) == 8, "a leader's record without its watermark");
  store<u64>(at, ballot);
  store<u64>(at, load<u64>(recoveryAt + RECORD_BYTES), 8);
  // The ring goes on behind the newest.
  const newest = led + <usize>(((ledCount - 1) & (LED_BALLOTS - 1)) * 16);
  if (ledCount == 0 || ballot > load<u64>(newest)) ledCount = place + 1;
}

/** Below `from` storage may hold what an older memory accepted, or nothing. All of that is decided. */
function recoverFrom(from: u64): void {
  refillRecover(from);
  logBegin(from);
  logStart(from);
  decided = max(decided, from);
  knownFrom = max(knownFrom, from);
}

/** Takes back what was accepted, or fetched. */
function recoverAccepted(ballot: u64, instance: u64, isDecided: bool): void {
  // All that is undecided must have room in the log, which ends no further than a window beyond.
  logStart(max(min(instance, decided), storedFrom));
  if (instance < logLow) return;
  const before = logGet(instance);
  assert(before == null || before.ballot < ballot, "an older acceptance is recovered after a newer one");
  const bytes = load<u32>(recoveryAt, RECORD_BATCH_BYTES);
  const values = load<u16>(recoveryAt, RECORD_VALUES);
  const kept = logPut(instance, ballot, recoveryAt + RECORD_BYTES, bytes, values, decided, 0);
  assert(kept, "the log is smaller than when this was accepted");
  logGet(instance)!.decided = isDecided;
}

/** Whether the acceptor may promise and accept: it listened first, and nobody knew it from before. */
function mayVote(now_us: u64): bool {
  return isSound() && state(now_us) == AcceptorState.votes;
}

/** Its storage did not fail. If it did, it is as good as gone: nothing it says can be relied on after a crash. */
function isSound(): bool {
  return condition != StorageCondition.failed;
}

function state(now_us: u64): i32 {
  // Replaced: an old frame of a memory that is dead, or another node with this id, was taken for a restart.
  if (recovering || isReplaced || rejoinBallot != 0) return AcceptorState.recovers;
  return unconfirmed == 0 && now_us >= votesFrom_us ? AcceptorState.votes : AcceptorState.asks;
}

/** Storage is so far behind that no further promise and no further vote may be given. */
function isStorageBehind(): bool {
  return persistent && (heldFull() || journalRoom() < mtu);
}

function mayTake(ballot: u64, proposer: u32): bool {
  return ballot > promised || (ballot == promised && proposer == promisedIncarnation);
}

/** True if the promise is a new one. */
function promise(ballot: u64, proposer: u32): bool {
  if (ballot == promised) return false;
  assert(ballot > promised, "promise falls");
  promised = ballot;
  promisedIncarnation = proposer;
  return true;
}

/** Instances below are needed by nobody: decided, and delivered by every registered learner. */
function trimLimit(): u64 {
  return registryLowest(lowestKept(), decided);
}

/** Instances below may be taken from the log. What storage has learners can get from there. */
function evictLimit(): u64 {
  return persistent ? decidedDurable : trimLimit();
}

/**
 * The lowest instance that is kept, in the log or in storage, where that is asked. What storage deleted the log
 * may have still, and soon has not: it waits for no learner.
 */
function lowestKept(): u64 {
  return persistent ? max(storageLow, min(lowestInLog(), storedFrom)) : logLow;
}

/** The lowest instance of which the log tells, and of holes from there on; storage tells of those below. */
function lowestInLog(): u64 {
  return max(logLow, knownFrom);
}

/** The lowest instance from which on all that was accepted can be told. */
function lowestTold(): u64 {
  return persistent ? lowestKept() : refillLowest();
}

/** The leader of `ballot` says that all instances below `to` are decided: with its own values, where it proposed any. */
function learnDecided(ballot: u64, to: u64): void {
  if (to > decided) decided = to;
  if (ballot < markedBallot) return;
  let from = marked;
  if (ballot > markedBallot) {
    if (persistent) rememberLed();
    markedBallot = ballot;
    announced = 0;
    from = logLow;
  }
  announced = max(announced, to);
  from = max(from, logLow);
  const end = min(to, logHigh);
  for (let i = from; i < end; i++) {
    const accepted = logGet(i);
    if (accepted != null && accepted.ballot == ballot) accepted.decided = true;
  }
  marked = max(from, end);
}

/** Another leader speaks: what the last one said is known on, for what storage holds of its ballot. */
function rememberLed(): void {
  const place = ledCount++ & (LED_BALLOTS - 1);
  const at = led + <usize>(place * 16);
  store<u64>(at, markedBallot);
  store<u64>(at, announced, 8);
  // It costs others time and nothing else if this is not known after a crash.
  if (markedBallot != 0 && journalRoom() != 0) appendRecord(Record.led, markedBallot, 0, place, at + 8, 8, 0);
}

/** Whether what was accepted in `ballot` is known to be chosen: the ballot's leader called the instance decided. */
function isChosen(ballot: u64, instance: u64): bool {
  if (ballot == markedBallot) return instance < announced;
  const end = led + <usize>(LED_BALLOTS * 16);
  for (let at = led; at < end; at += 16) {
    if (load<u64>(at) == ballot) return instance < load<u64>(at, 8);
  }
  return false;
}

/**
 * Has storage keep the watermark, now and then, so that phase 1 after a restart neither begins at the
 * first instance again nor brings up more than a proposer's window holds.
 */
function recordDecided(accepted: u64): void {
  const behind = decided - decidedRecorded;
  const reach = accepted - decidedRecorded;
  if (behind < decidedRecordInstances && (behind == 0 || reach < WINDOW_INSTANCES - 1)) return;
  appendDecided();
}

function appendDecided(): void {
  decidedRecorded = persistent ? recordHoles() : decided;
  // And in which ballot all below is chosen, if the last leader said so.
  appendRecord(Record.decided, announced >= decidedRecorded ? markedBallot : 0, 0, decidedRecorded, 0, 0, 0);
  decidedRecord = records;
  if (awaitedRecord == 0) awaitDecided();
}

/**
 * Has storage keep which instances above the recorded watermark and below the new one have nothing, so that it
 * can be told from what a disk lost. Returns the new watermark.
 */
function recordHoles(): u64 {
  // Of what phase 1 of a return brought up, and of all below, it may merely have forgotten what it accepted.
  let i = max(decidedRecorded, max(logLow, rejoinEnd));
  for (let holes = 0; i < decided; holes++) {
    while (i < decided && logGet(i) != null) i++;
    if (i >= decided) break;
    if (holes == HOLES_MAX) return i;
    store<u64>(holePayload, i);
    const end = min(decided, logHigh);
    while (i < end && logGet(i) == null) i++;
    if (i >= end) i = decided;
    appendRecord(Record.hole, returnBallot, 0, i - 1, holePayload, HOLE_BYTES, 0);
  }
  return decided;
}

function awaitDecided(): void {
  decidedAwaited = decidedRecorded;
  awaitedRecord = decidedRecord;
}

/** The watermark that was awaited is durable; newer ones that were recorded meanwhile may not be. */
function decidedStored(): void {
  decidedDurable = decidedAwaited;
  if (decidedRecord > awaitedRecord) awaitDecided();
  else awaitedRecord = 0;
}

function vote(ballot: u64, instance: u64): void {
  if (voteCount > 0 && voteBallot != ballot) acceptorFlush();
  voteBallot = ballot;
  if (voteCount > 0) {
    const last = voteRanges + <usize>(voteCount - 1) * RANGE_BYTES;
    const end = load<u64>(last, 8);
    if (instance == end) {
      store<u64>(last, instance + 1, 8);
      return;
    }
    // Ranges of one frame ascend: what comes out of order goes into another.
    if (instance < end || voteCount == voteRangesMax) acceptorFlush();
  }
  const range = voteRanges + <usize>(voteCount++) * RANGE_BYTES;
  store<u64>(range, instance);
  store<u64>(range, instance + 1, 8);
}

/** To the proposer of a ballot below the promised one. */
function reject(p: usize, ballot: u64): void {
  count(Counter.rejected);
  const q = begin(Message.reject, Role.acceptor, Role.proposer, load<u16>(p, HEADER_SENDER_ID), promised);
  if (q == 0) return;
  store<u64>(q, ballot, REJECT_REJECTED);
  store<u64>(q, decided, REJECT_DECIDED);
  finishHeld(q, REJECT_BYTES, sourceAddress(p));
}

function sendHi(now_us: u64): void {
  const recovers = state(now_us) == AcceptorState.recovers;
  const p = begin(
    Message.hi,
    Role.acceptor,
    Role.proposer | Role.acceptor | Role.learner,
    0,
    recovers ? ledBallot : 0,
  );
  if (p == 0) return;
  store<u64>(p, decided, HI_DELIVERED);
  tellRejoined(p + HI_REJOINED);
  store<u64>(p, state(now_us), HI_STATE);
  finish(p, HI_BYTES, groupAddress);
}

/** How far this acceptor knows, and from where on it can tell; a proposer, that it votes from `votesFrom` on. */
function sendOk(p: usize, now_us: u64, votesFrom: u64): void {
  const role = <u32>load<u8>(p, HEADER_SENDER_ROLE);
  const q = begin(
    Message.ok,
    Role.acceptor,
    role,
    load<u16>(p, HEADER_SENDER_ID),
    load<u32>(p, HEADER_INCARNATION),
  );
  if (q == 0) return;
  store<u64>(q, decided, OK_DECIDED);
  store<u64>(q, role == Role.proposer ? votesFrom : lowestTold(), OK_TRIMMED);
  store<u64>(q, logHigh, OK_NEXT);
  store<u64>(q, promised, OK_PROMISED);
  store<u64>(q, min(now_us - leaderAt_us, u32.MAX_VALUE), OK_SILENCE);
  // It vouches for another acceptor, so it must know that one's memory after a crash too.
  if (role == Role.acceptor) finishHeld(q, OK_BYTES, sourceAddress(p));
  else finish(q, OK_BYTES, sourceAddress(p));
}

/** 1B: all that was accepted from `from` on, in pages. Instances known to be decided need not be told. */
function sendPages(p: usize, ballot: u64, from: u64): void {
  let instance = max(max(from, decided), logLow);
  for (let page = 1; page <= PAGE_FRAMES; page++) {
    const q = begin(
      Message.promise,
      Role.acceptor,
      Role.proposer,
      load<u16>(p, HEADER_SENDER_ID),
      ballot,
    );
    if (q == 0) return;
    store<u64>(q, instance, PROMISE_START);
    store<u64>(q, decided, PROMISE_DECIDED);
    let at: u32 = PROMISE_BYTES;
    let entries: u32 = 0;
    for (; instance < logHigh; instance++) {
      const accepted = logGet(instance);
      if (accepted == null) continue;
      if (at + ENTRY_BYTES + accepted.bytes > mtu) break;
      at = putEntry(q, at, accepted);
      entries++;
    }
    const last = instance >= logHigh;
    const pause = last || page == PAGE_FRAMES || outboxRoom() < 2;
    store<u64>(q, instance, PROMISE_END);
    store<u16>(q, <u16>entries, PROMISE_ENTRIES);
    store<u16>(q, <u16>((last ? PROMISE_LAST : 0) | (pause ? PROMISE_PAUSE : 0)), PROMISE_FLAGS);
    store<u32>(q, promisedIncarnation, PROMISE_INCARNATION);
    store<u64>(q, memories, PROMISE_MEMORIES);
    finishHeld(q, at, sourceAddress(p));
    if (pause) return;
  }
}

function putEntry(frame: usize, at: u32, accepted: Accepted): u32 {
  return writeEntry(
    frame,
    at,
    accepted.instance,
    accepted.ballot,
    accepted.batch,
    accepted.bytes,
    accepted.values,
    accepted.decided,
  );
}

/** Writes an accepted instance into a frame at `at`; returns where the next one goes. */
function writeEntry(
  frame: usize,
  at: u32,
  instance: u64,
  ballot: u64,
  batch: usize,
  bytes: u32,
  values: u16,
  isDecided: bool,
): u32 {
  const entry = frame + at;
  store<u64>(entry, instance, ENTRY_INSTANCE);
  store<u64>(entry, ballot, ENTRY_BALLOT);
  store<u32>(entry, bytes, ENTRY_BATCH_BYTES);
  store<u16>(entry, values, ENTRY_VALUES);
  store<u16>(entry, isDecided ? ENTRY_DECIDED : 0, ENTRY_FLAGS);
  memory.copy(entry + ENTRY_BYTES, batch, bytes);
  return at + ENTRY_BYTES + bytes;
}

/** Nothing was accepted for this instance. */
function putNothing(frame: usize, at: u32, instance: u64): u32 {
  memory.fill(frame + at, 0, ENTRY_BYTES);
  store<u64>(frame + at, instance, ENTRY_INSTANCE);
  return at + ENTRY_BYTES;
}

function beginLearned(p: usize): usize {
  return begin(
    Message.learned,
    Role.acceptor,
    load<u8>(p, HEADER_SENDER_ROLE),
    load<u16>(p, HEADER_SENDER_ID),
    0,
  );
}

function endLearned(frame: usize, p: usize, entries: u32, length: u32, last: bool): void {
  fillLearned(frame, entries, last);
  finishHeld(frame, length, sourceAddress(p));
}

function fillLearned(frame: usize, entries: u32, last: bool): void {
  store<u64>(frame, lowestTold(), LEARNED_TRIMMED);
  store<u64>(frame, decided, LEARNED_DECIDED);
  store<u32>(frame, entries, LEARNED_ENTRIES);
  store<u32>(frame, last ? LEARNED_LAST : 0, LEARNED_FLAGS);
}

/** What a status says of the acceptor, and of the learners that it knows. */
export function acceptorStatus(now_us: u64): void {
  statusField(StatusField.voting, voting(now_us));
  if (unconfirmed != 0) statusField(StatusField.unconfirmed, unconfirmed);
  statusField(StatusField.promised, promised);
  statusField(StatusField.trimmed, lowestKept());
  if (persistent) statusField(StatusField.storage, condition);
  statusDecided(decided);
  logStatus(evictLimit());
  statusField(StatusField.logFull, logIsFull ? 1 : 0);
  statusField(StatusField.logHolder, persistent && condition == StorageCondition.sound ? 0 : slowestLearner);
  registryStatus(now_us);
}

function voting(now_us: u64): Voting {
  if (!isSound()) return Voting.failed;
  const stands = state(now_us);
  if (stands == AcceptorState.votes) return Voting.votes;
  if (stands == AcceptorState.asks) return now_us < votesFrom_us ? Voting.listening : Voting.unconfirmed;
  return recovering || isReplaced ? Voting.recovering : Voting.rejoining;
}
