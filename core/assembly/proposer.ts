/**
 * The proposer: phase 1 once for all instances, then phase 2 for one batch after another.
 *
 * A proposer campaigns when it has heard no leader for a while and a majority of acceptors has not
 * either (`election.ts`); without elections, only the one that the configuration names campaigns. Every
 * proposer that does not lead forwards what clients send it. One that is preempted steps down.
 *
 * An acceptor that lost its memory is let in again by a new phase 1, in which it does not count, and
 * which a leader begins when it hears of it. Promises count together only when those who gave them
 * know the same of each other's memories: else one of them may come from a memory that is lost.
 *
 * Phase 2 proposes, for every instance that phase 1 brought up, the value of the highest ballot, a
 * no-op in the holes between ("Paxos Made Simple", 2.2 P2c and 3), and then what clients submit.
 */
import {
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_CONGESTED,
  ACCEPT_DECIDED,
  ACCEPT_FLAGS,
  ACCEPT_INSTANCE,
  ACCEPT_VALUES,
  ACCEPTORS_MAX,
  ANSWER_BYTES,
  ANSWER_COUNT,
  ANSWER_DECIDED,
  Counter,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_INSTANCE,
  ENTRY_VALUES,
  Event,
  Gauge,
  HEADER_BALLOT,
  HEADER_INCARNATION,
  HEADER_LENGTH,
  HEADER_RECEIVER_ID,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEARTBEAT_BYTES,
  HEARTBEAT_DECIDED,
  HEARTBEAT_NEXT,
  HEARTBEAT_REJOINED,
  Message,
  OK_BYTES,
  OK_DECIDED,
  OK_NEXT,
  OK_PROMISED,
  OK_TRIMMED,
  PREPARE_BYTES,
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
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  REJECT_DECIDED,
  REJECT_REJECTED,
  REJOIN_BYTES,
  REJOIN_END,
  REJOIN_FROM,
  REJOIN_MEMORY,
  Role,
  RUN_BYTES,
  SESSIONS_MAX,
  Setting,
  StatusField,
  SUBMIT_BATCH_BYTES,
  SUBMIT_BYTES,
  WINDOW_INSTANCES,
} from "../layout";
import { arenaTake } from "./arena";
import { ballotId, ballotOf, ballotRound } from "./ballot";
import { Run } from "./batch";
import { count, gauge, gauged, note } from "./meters";
import { begin, finish, groupAddress, outboxRoom, sourceAddress } from "./outbox";
import {
  electedBy,
  electionAfter,
  electionDue,
  electionInit,
  electionTimeout_us,
  electionWait,
  hearsMajority,
} from "./election";
import {
  acceptorAddress,
  acceptorMemory,
  acceptorRejoinedIn,
  isAcceptorHeard,
  learnRejoined,
  proposerAddress,
  tellRejoined,
} from "./peers";
import {
  pendingClear,
  pendingEmpty,
  pendingInit,
  pendingIsLong,
  pendingPush,
  pendingRoom,
  pendingTake,
  QUEUE_BYTES,
  takenValues,
} from "./pending";
import { random, randomBelow } from "./random";
import { RoundTrip } from "./round_trip";
import { Sessions } from "./sessions";
import {
  acceptorCount,
  acceptorId,
  acceptorIndex,
  batchBytesMax,
  batchValuesMax,
  incarnation,
  leaderSetting,
  mtu,
  proposerIndex,
  quorum,
  selfId,
  settingU32,
} from "./settings";
import { statusDecided, statusField, statusLeader } from "./status";
import { Slot, Window } from "./window";

const FOLLOWER: i32 = 0;
const PREPARING: i32 = 1;
const LEADING: i32 = 2;

/** A leader that was silent for this long is not worth forwarding to, nor, without elections, waiting for. */
const LEADER_SILENT_US: u64 = 1_000_000;
/** At its start a proposer listens for this long, so as not to disturb a leader that is at work. */
const LISTEN_US: u64 = 120_000;
/** After preemption, the first wait before the next campaign; it doubles, and half of it is random. */
const BACKOFF_US: u64 = 100_000;
const BACKOFF_MAX_US: u64 = 3_200_000;
const RETRANSMIT_FIRST_US: u64 = 50_000;
const RETRANSMIT_MIN_US: u64 = 3_000;
/**
 * Acceptors whose logs are full do not answer. So that they go on soon after they have room, the
 * first unanswered instance is repeated this often at least; when it is chosen, the others follow.
 */
const PROBE_US: u64 = 25_000;
/** An instance that was sent this often was not merely lost. */
const STALLED_TRIES: u32 = 4;
/** Repeated 2A of one look at the window: a burst of losses is repaired, not answered by a flood. */
const RETRANSMITS_MAX: i32 = 64;
/** Frames of a step that proposals leave to everybody else. */
const ROOM_KEPT: i32 = 64;
/** With elections: longest a phase 1 without progress goes on, and longest backoff; in election timeouts. */
const CAMPAIGN_TIMEOUTS: u64 = 4;
const BACKOFF_TIMEOUTS: u64 = 8;
/** A phase 1 that finds no majority says so this often. */
const UNPROMISED_NOTE_US: u64 = 2_000_000;
/** An acceptor that was heard within this time, some periods of its hi, runs. */
const ALIVE_US: u64 = 350_000;
/** At least this long between two phases 1 that let acceptors rejoin; twice that if they follow at once. */
const REJOIN_PERIOD_US: u64 = 200_000;
const REJOIN_PERIOD_MAX_US: u64 = 3_200_000;
const NEVER: u64 = u64.MAX_VALUE;

let state: i32 = FOLLOWER;
let ballot: u64 = 0;
/** Highest ballot seen anywhere. */
let highestBallot: u64 = 0;
/** Ballot of the leader heard last; may be this proposer's own. */
let leaderBallot: u64 = 0;
let leaderHeardAt_us: u64 = 0;
let campaignAt_us: u64 = 0;
let backoff_us: u64 = BACKOFF_US;

/** Instances from the first undecided one on: values of phase 1, then proposals and their votes. */
let window: Window = changetype<Window>(0);
/** Next instance to propose a new batch for. Invariant: window.base <= next. */
let next: u64 = 1;
/** Proposals below were sent at least once. */
let sent: u64 = 1;
let inFlightMax: u64 = 0;
/** What batches are filled to where values are short, so that they suit the acceptors' storage. */
let batchBytesSnug: u32 = 0;

/** For each acceptor, from where its next page is wanted; NEVER: its promise is complete. */
let cursors: usize = 0;
/** For each acceptor, what it knew of the others' memories by its newest page. */
let known: usize = 0;
/** The acceptor that this ballot lets rejoin, and its memory; -1: none. */
let rejoinIndex: i32 = -1;
let rejoinMemory: u32 = 0;
/** Where this ballot's first proposals lie: what phase 1 brought up. */
let inheritedFrom: u64 = 0;
let inheritedEnd: u64 = 0;
let rejoinAt_us: u64 = 0;
let rejoinPeriod_us: u64 = REJOIN_PERIOD_US;
/** Bits of the acceptors that say that they recover. */
let recovering: u32 = 0;
let unpromisedNoteAt_us: u64 = 0;
let prepareAt_us: u64 = 0;
let campaignEnd_us: u64 = 0;
let prepareTimeout_us: u64 = 0;

let heartbeatAt_us: u64 = 0;
let heartbeatPeriod_us: u64 = 0;
let lookAt_us: u64 = 0;
/** When an instance was chosen that acceptors had not answered for long: what was sent before may be repeated at once. */
let resumedAt_us: u64 = 0;
let roundTrip: RoundTrip = changetype<RoundTrip>(0);
let timeoutMax_us: u64 = 0;

/** The answer that is being written while a submit is read; 0: none yet. */
let answerFrame: usize = 0;
let answerCount: u32 = 0;

/** Values that this leader proposed or has queued, and those it saw decided. */
let admitted: Sessions = changetype<Sessions>(0);
let answered: Sessions = changetype<Sessions>(0);

export function proposerInit(now_us: u64): void {
  window = Window.make(batchBytesMax, 1);
  cursors = arenaTake(ACCEPTORS_MAX * 8);
  known = arenaTake(ACCEPTORS_MAX * 8);
  roundTrip = RoundTrip.make();
  pendingInit();
  admitted = Sessions.make(SESSIONS_MAX);
  answered = Sessions.make(SESSIONS_MAX);
  inFlightMax = settingU32(Setting.inFlight);
  batchBytesSnug = min(settingU32(Setting.batchBytes) || batchBytesMax, batchBytesMax);
  timeoutMax_us = settingU32(Setting.proposerTimeout_us);
  assert(inFlightMax >= 1 && inFlightMax <= WINDOW_INSTANCES, "window out of range");
  heartbeatPeriod_us = settingU32(Setting.heartbeat_us);
  campaignAt_us = now_us + LISTEN_US + randomBelow(LISTEN_US);
  electionInit(now_us);
}

/** A frame of a leader, 2A or heartbeat: who leads, and how far it is. */
export function proposerHearLeader(p: usize, decided: u64, now_us: u64): void {
  const heard = load<u64>(p, HEADER_BALLOT);
  if (load<u16>(p, HEADER_SENDER_ID) == selfId) return;
  if (heard < leaderBallot) return;
  if (heard != leaderBallot) note(Event.leaderHeard, ballotId(heard), heard);
  leaderBallot = heard;
  leaderHeardAt_us = now_us;
  unpromisedNoteAt_us = 0;
  electionWait(now_us);
  observe(heard, now_us);
  // A leader goes by its own count alone: it announces in its own ballot, and only there is that true.
  if (state == FOLLOWER) window.advance(decided);
}

/** 1B. */
export function proposerPromise(p: usize, now_us: u64): void {
  if (state != PREPARING || load<u64>(p, HEADER_BALLOT) != ballot) return;
  // Promised to an earlier incarnation, which had this ballot too and may have proposed in it.
  if (load<u32>(p, PROMISE_INCARNATION) != incarnation) return;
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const decided = load<u64>(p, PROMISE_DECIDED);
  // Nothing was proposed in this ballot yet, so what an acceptor knows as decided needs no proposal.
  window.advance(decided);
  const cursor = cursors + (<usize>index << 3);
  if (load<u64>(cursor) == NEVER || index == rejoinIndex) return;
  const knownAt = known + (<usize>index << 3);
  const memories = load<u64>(p, PROMISE_MEMORIES);
  if (load<u64>(knownAt) != memories) {
    // Pages before this one may be those of a memory that is lost: they say nothing beside it.
    store<u64>(knownAt, memories);
    store<u64>(cursor, window.base);
  }
  const wanted = load<u64>(cursor);
  const start = load<u64>(p, PROMISE_START);
  const flags = <u32>load<u16>(p, PROMISE_FLAGS);
  if (start > wanted && start > decided) {
    // A page with a gap before it says nothing: its predecessor was lost. When no more pages are
    // under way, they are asked for again from there.
    if ((flags & PROMISE_PAUSE) != 0) sendPrepare(index);
    return;
  }
  let entry = p + PROMISE_BYTES;
  for (let n = <u32>load<u16>(p, PROMISE_ENTRIES); n > 0; n--) {
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    const bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    if (instance >= window.base) {
      // The acceptor's own decided instance is at most window.base, and it accepts nothing this far above it.
      if (!window.inside(instance)) return count(Counter.beyondWindow);
      window.offer(
        instance,
        load<u64>(entry, ENTRY_BALLOT),
        entry + ENTRY_BYTES,
        bytes,
        load<u16>(entry, ENTRY_VALUES),
      );
      if (instance >= next) next = instance + 1;
    }
    entry += ENTRY_BYTES + bytes;
  }
  if ((flags & PROMISE_LAST) != 0) {
    store<u64>(cursor, NEVER);
    if (promisesLike(memories) >= quorum) lead(now_us);
    return;
  }
  store<u64>(cursor, max(wanted, load<u64>(p, PROMISE_END)));
  extendCampaign(now_us);
  // While pages come, the wait for one that was lost need not grow.
  prepareTimeout_us = min(RETRANSMIT_FIRST_US, timeoutMax_us);
  prepareAt_us = now_us + prepareTimeout_us;
  if ((flags & PROMISE_PAUSE) != 0) sendPrepare(index);
}

/** 2B. */
export function proposerAccepted(p: usize, now_us: u64): void {
  const voted = load<u64>(p, HEADER_BALLOT);
  if (state != LEADING || voted != ballot) return;
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const ranges = load<u32>(p, RANGES_COUNT);
  for (let r: u32 = 0; r < ranges; r++) {
    const range = p + RANGES_BYTES + <usize>r * RANGE_BYTES;
    const end = min(load<u64>(range, 8), sent);
    for (let i = max(load<u64>(range), window.base); i < end; i++) {
      if (window.vote(i, ballot, index)) chosen(i, now_us);
    }
  }
  while (window.base < sent && window.slot(window.base).decided) {
    window.drop(window.base);
    window.advance(window.base + 1);
  }
  if (window.base == sent) return;
  // What everybody waits for need not wait for a timer.
  const first = window.slot(window.base);
  if (roundTrip.overtaken(first.sentAt_us, first.tries, now_us)) lookAt_us = now_us;
}

/** Preempted: an acceptor promised a higher ballot, or this one to another incarnation. */
export function proposerReject(p: usize, now_us: u64): void {
  const promised = load<u64>(p, HEADER_BALLOT);
  if (promised > highestBallot) highestBallot = promised;
  if (state == FOLLOWER || promised < ballot) return;
  // The answer to an older ballot of this proposer, from an acceptor that promised the present one.
  if (promised == ballot && load<u64>(p, REJECT_REJECTED) != ballot) return;
  stepDown(promised, now_us);
  window.advance(load<u64>(p, REJECT_DECIDED));
}

/** Complete promises whose acceptors know this of each other's memories. */
function promisesLike(memories: u64): i32 {
  let promises = 0;
  for (let i = 0; i < acceptorCount; i++) {
    const at = <usize>i << 3;
    if (load<u64>(cursors + at) == NEVER && load<u64>(known + at) == memories) promises++;
  }
  return promises;
}

/**
 * What an acceptor answers when it has trimmed what is proposed, or when it was asked whether it hears a
 * leader.
 */
export function proposerOk(p: usize, now_us: u64): void {
  if (load<u8>(p, HEADER_SENDER_ROLE) != Role.acceptor) return;
  const decided = load<u64>(p, OK_DECIDED);
  if (state == FOLLOWER && electedBy(p, now_us)) return campaign(now_us);
  if (state == LEADING && decided > window.base && load<u64>(p, OK_TRIMMED) > window.base) {
    // Another leader decided what this one still proposes, and that acceptor will not vote for it any
    // more. A new phase 1 finds out where to go on.
    stepDown(ballot, now_us);
    window.advance(decided);
    return campaign(now_us);
  }
  if (state == FOLLOWER) window.advance(decided);
}

/** An acceptor says that it lost its memory: only a new phase 1, without it, lets it in again. */
export function proposerRecovering(p: usize, now_us: u64): void {
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const memory = load<u32>(p, HEADER_INCARNATION);
  recovering |= 1 << index;
  if (state != LEADING) return;
  if (index == rejoinIndex && memory == rejoinMemory) return sendRejoin();
  // An old frame, of an acceptor that is back or of a memory that is dead, since every return makes a new
  // ballot; or it hears no heartbeat, and could not take part.
  if (load<u64>(p, HEADER_BALLOT) != ballot) return;
  // Who still speaks under its name did not restart: two nodes have that id, and one must not replace the
  // other.
  const known = acceptorMemory(index);
  if (known != 0 && known != memory && isAcceptorHeard(index, now_us, ALIVE_US)) return;
  if (now_us < rejoinAt_us) return;
  const atOnce = now_us < rejoinAt_us + rejoinPeriod_us;
  rejoinPeriod_us = atOnce ? min(rejoinPeriod_us * 2, REJOIN_PERIOD_MAX_US) : REJOIN_PERIOD_US;
  rejoinAt_us = now_us + rejoinPeriod_us;
  campaign(now_us, index, memory);
}

/** A client looks for the leader. */
export function proposerHi(p: usize): void {
  if (load<u8>(p, HEADER_SENDER_ROLE) != Role.client) return;
  if (state == LEADING) return sendHeartbeat(sourceAddress(p));
  const q = begin(
    Message.ok,
    Role.proposer,
    Role.client,
    load<u16>(p, HEADER_SENDER_ID),
    load<u32>(p, HEADER_INCARNATION),
  );
  if (q == 0) return;
  store<u64>(q, window.base, OK_DECIDED);
  store<u64>(q, 0, OK_TRIMMED);
  store<u64>(q, next, OK_NEXT);
  memory.fill(q + OK_PROMISED, 0, OK_BYTES - OK_PROMISED);
  finish(q, OK_BYTES, sourceAddress(p));
}

/** Values of clients: queued by the leader, forwarded to it by others when they were named. */
export function proposerSubmit(p: usize, now_us: u64): void {
  if (state != LEADING) return forward(p, now_us);
  const end = p + SUBMIT_BYTES + <usize>load<u32>(p, SUBMIT_BATCH_BYTES);
  answerFrame = 0;
  for (let run = p + SUBMIT_BYTES; run < end;) {
    const client = Run.client(run);
    const first = Run.first(run);
    const values = Run.count(run);
    let value = run + RUN_BYTES;
    // New values from here on are queued together, up to the first that is not.
    let fresh = value;
    let freshCount: u32 = 0;
    for (let n: u32 = 0; n < values; n++) {
      const following = Run.next(value);
      if (admissible(client, first + n, following - value)) {
        freshCount++;
      } else {
        if (freshCount > 0) queue(client, first + n - freshCount, freshCount, fresh, value);
        fresh = following;
        freshCount = 0;
      }
      value = following;
    }
    if (freshCount > 0) queue(client, first + values - freshCount, freshCount, fresh, value);
    run = Run.pad(value);
  }
  if (answerFrame != 0) sendAnswer(p);
}

/** Whether a value, `bytes` long with its header, is new and can be proposed. One that is decided is answered. */
function admissible(client: u64, sequence: u64, bytes: usize): bool {
  if (<u32>Run.pad(<usize>RUN_BYTES + bytes) > batchBytesMax) {
    // It came from where the MTU is larger. Left in, it would block the queue for ever.
    count(Counter.tooLarge);
    return false;
  }
  // What a command brings about hangs on its place in the log: a repeated one is another one.
  if (sequence == 0 || !admitted.has(client, sequence)) return true;
  count(Counter.duplicateSubmits);
  // The client repeats it because it lost the votes.
  if (answered.has(client, sequence)) answer(client, sequence);
  return false;
}

/** Adds a value to the answer that is being written, as far as one frame holds. */
function answer(client: u64, sequence: u64): void {
  if (answerFrame == 0) {
    answerFrame = begin(Message.answer, Role.proposer, Role.client, 0, ballot);
    answerCount = 0;
    if (answerFrame == 0) return;
  }
  if (ANSWER_BYTES + (answerCount + 1) * RUN_BYTES > mtu) return;
  Run.set(answerFrame + ANSWER_BYTES + <usize>answerCount * RUN_BYTES, client, sequence, 1);
  answerCount++;
}

/** Sends the answer to the submit at `p`. */
function sendAnswer(p: usize): void {
  store<u32>(answerFrame, answerCount, ANSWER_COUNT);
  store<u32>(answerFrame, 0, ANSWER_COUNT + 4);
  // What was chosen out of order lies above the first undecided instance, but below the next one.
  store<u64>(answerFrame, max(next, window.base), ANSWER_DECIDED);
  // What another proposer forwarded came from a client whose address only the group reaches.
  const forwarded = load<u8>(p, HEADER_SENDER_ROLE) == Role.proposer;
  finish(
    answerFrame,
    ANSWER_BYTES + answerCount * RUN_BYTES,
    forwarded ? groupAddress : sourceAddress(p),
  );
}

/** Sends what phase 1 left to propose, then batches of what is queued, as far as the window allows. */
export function proposerFlush(now_us: u64): void {
  if (state != LEADING) return;
  while (sent < next && outboxRoom() > ROOM_KEPT) {
    transmit(window.slot(sent), now_us);
    sent++;
  }
  while (
    sent == next && !pendingEmpty() && next - window.base < inFlightMax && outboxRoom() > ROOM_KEPT
  ) {
    const bytes = pendingTake(window.place(next), batchBytesSnug, batchBytesMax, batchValuesMax);
    const slot = window.propose(next, ballot, bytes, takenValues);
    count(Counter.proposed, takenValues);
    next++;
    transmit(slot, now_us);
    sent++;
  }
}

export function proposerTick(now_us: u64): u64 {
  let due = NEVER;
  if (state == FOLLOWER) {
    due = followerTick(now_us);
  } else if (state == PREPARING) {
    due = prepareTick(now_us);
  } else {
    due = leaderTick(now_us);
  }
  gauge(Gauge.proposerState, state);
  gauge(Gauge.decided, window.base);
  gauge(Gauge.leaderBallot, leaderBallot);
  gauge(Gauge.leaderHeard_us, state == LEADING ? now_us : leaderHeardAt_us);
  return due;
}

function followerTick(now_us: u64): u64 {
  if (electionTimeout_us != 0) return electionDue(now_us);
  if (leaderSetting != selfId) return NEVER;
  const quietAt_us = leaderHeardAt_us == 0 ? 0 : leaderHeardAt_us + LEADER_SILENT_US;
  const due = max(campaignAt_us, quietAt_us);
  if (now_us < due) return due;
  campaign(now_us);
  return now_us;
}

function prepareTick(now_us: u64): u64 {
  if (now_us >= unpromisedNoteAt_us) {
    unpromisedNoteAt_us = now_us + UNPROMISED_NOTE_US;
    const missing = unpromised();
    note(Event.unpromised, recovering & missing, missing);
  }
  if (now_us >= campaignEnd_us) {
    // Others may reach a majority.
    state = FOLLOWER;
    electionWait(now_us);
    return now_us;
  }
  if (now_us >= prepareAt_us) {
    preparePending();
    prepareAt_us = now_us + prepareTimeout_us;
    prepareTimeout_us = min(prepareTimeout_us * 2, timeoutMax_us);
  }
  return min(prepareAt_us, min(unpromisedNoteAt_us, campaignEnd_us));
}

/** Asks every acceptor whose promise is not complete; all of them, if a majority promised and does not agree about memories. */
function preparePending(): void {
  const complete = acceptorCount - <i32>popcnt(unpromised());
  for (let i = 0; i < acceptorCount; i++) {
    const cursor = cursors + (<usize>i << 3);
    if (complete >= quorum) store<u64>(cursor, window.base);
    if (load<u64>(cursor) != NEVER && i != rejoinIndex) sendPrepare(i);
  }
}

/** Bits of the acceptors whose promise is not complete. */
function unpromised(): u32 {
  let bits: u32 = 0;
  for (let i = 0; i < acceptorCount; i++) {
    if (load<u64>(cursors + (<usize>i << 3)) != NEVER) bits |= 1 << i;
  }
  return bits;
}

function leaderTick(now_us: u64): u64 {
  if (electionTimeout_us != 0 && !hearsMajority(now_us)) {
    // Acceptors may hear this leader, and so keep others from taking over, though it hears none of them.
    note(Event.isolated, 0, 0);
    state = FOLLOWER;
    pendingClear();
    electionAfter(now_us + electionTimeout_us * 2 + randomBelow(electionTimeout_us * 2));
    return now_us;
  }
  if (now_us >= heartbeatAt_us) {
    sendHeartbeat(groupAddress);
    heartbeatAt_us = now_us + heartbeatPeriod_us;
  }
  return min(heartbeatAt_us, retransmit(now_us));
}

/** Begins phase 1 with a ballot above every one seen; with `rejoining`, it lets this acceptor in again, with this memory. */
function campaign(now_us: u64, rejoining: i32 = -1, memory: u32 = 0): void {
  // Else this return would count as older than one that others were told of.
  if (rejoining >= 0) highestBallot = max(highestBallot, acceptorRejoinedIn(rejoining));
  ballot = ballotOf(ballotRound(highestBallot) + 1, selfId);
  highestBallot = ballot;
  state = PREPARING;
  rejoinIndex = rejoining;
  rejoinMemory = memory;
  if (rejoining >= 0) learnRejoined(rejoining, ballot, memory);
  recovering = 0;
  window.clear();
  next = window.base;
  for (let i = 0; i < acceptorCount; i++) store<u64>(cursors + (<usize>i << 3), window.base);
  prepareTimeout_us = min(RETRANSMIT_FIRST_US, timeoutMax_us);
  prepareAt_us = now_us;
  // Across campaigns, but never before this one could have been answered.
  unpromisedNoteAt_us = unpromisedNoteAt_us == 0
    ? now_us + UNPROMISED_NOTE_US
    : max(unpromisedNoteAt_us, now_us + RETRANSMIT_FIRST_US * 2);
  extendCampaign(now_us);
  note(Event.preparing, selfId, ballot);
}

/** Phase 1 begins, or makes progress: so long it may go on. */
function extendCampaign(now_us: u64): void {
  campaignEnd_us = electionTimeout_us == 0 ? NEVER : now_us + CAMPAIGN_TIMEOUTS * electionTimeout_us;
}

/** A majority promised: begins phase 2. */
function lead(now_us: u64): void {
  state = LEADING;
  leaderBallot = ballot;
  admitted.clear();
  pendingClear();
  if (next < window.base) next = window.base;
  sent = window.base;
  for (let i = window.base; i < next; i++) {
    const slot = window.slot(i);
    const held = slot.valueBallot != 0;
    window.propose(i, ballot, held ? slot.bytes : 0, held ? slot.values : 0);
    admitBatch(admitted, i);
  }
  heartbeatAt_us = now_us;
  lookAt_us = now_us;
  unpromisedNoteAt_us = 0;
  inheritedFrom = window.base;
  inheritedEnd = next;
  if (rejoinIndex >= 0) sendRejoin();
  note(Event.leading, selfId, ballot);
}

/** Lets the acceptor in again for which this ballot was made. */
function sendRejoin(): void {
  const p = begin(Message.rejoin, Role.proposer, Role.acceptor, acceptorId(rejoinIndex), ballot);
  if (p == 0) return;
  store<u32>(p, rejoinMemory, REJOIN_MEMORY);
  store<u32>(p, 0, REJOIN_MEMORY + 4);
  store<u64>(p, inheritedFrom, REJOIN_FROM);
  store<u64>(p, inheritedEnd, REJOIN_END);
  finish(p, REJOIN_BYTES, acceptorAddress(rejoinIndex));
}

/** A ballot above this proposer's own was seen. */
function observe(seen: u64, now_us: u64): void {
  if (seen > highestBallot) highestBallot = seen;
  if (state != FOLLOWER && seen > ballot) stepDown(seen, now_us);
}

function stepDown(seen: u64, now_us: u64): void {
  note(Event.preempted, ballotId(seen), seen);
  state = FOLLOWER;
  pendingClear();
  campaignAt_us = now_us + (backoff_us >> 1) + randomBelow(backoff_us >> 1);
  const most_us = electionTimeout_us == 0 ? BACKOFF_MAX_US : electionTimeout_us * BACKOFF_TIMEOUTS;
  backoff_us = min(backoff_us * 2, most_us);
  electionAfter(campaignAt_us);
}

function sendPrepare(index: i32): void {
  const p = begin(Message.prepare, Role.proposer, Role.acceptor, acceptorId(index), ballot);
  if (p == 0) return;
  store<u64>(p, load<u64>(cursors + (<usize>index << 3)), PREPARE_FROM);
  store<u16>(p, <u16>(rejoinIndex < 0 ? 0 : acceptorId(rejoinIndex)), PREPARE_REJOINING);
  store<u16>(p, 0, PREPARE_REJOINING + 2);
  store<u32>(p, rejoinMemory, PREPARE_MEMORY);
  finish(p, PREPARE_BYTES, acceptorAddress(index));
}

function sendHeartbeat(address: u64): void {
  const p = begin(
    Message.heartbeat,
    Role.proposer,
    Role.proposer | Role.acceptor | Role.learner | Role.client,
    0,
    ballot,
  );
  if (p == 0) return;
  store<u64>(p, window.base, HEARTBEAT_DECIDED);
  store<u64>(p, next, HEARTBEAT_NEXT);
  tellRejoined(p + HEARTBEAT_REJOINED);
  finish(p, HEARTBEAT_BYTES, address);
}

/** Sends the 2A of a slot. */
function transmit(slot: Slot, now_us: u64): void {
  const p = begin(
    Message.accept,
    Role.proposer,
    Role.proposer | Role.acceptor | Role.learner | Role.client,
    0,
    ballot,
  );
  if (p == 0) return;
  slot.sentAt_us = now_us;
  slot.tries++;
  store<u64>(p, window.base, ACCEPT_DECIDED);
  store<u64>(p, slot.instance, ACCEPT_INSTANCE);
  store<u32>(p, slot.bytes, ACCEPT_BATCH_BYTES);
  store<u16>(p, <u16>slot.values, ACCEPT_VALUES);
  const congested = pendingIsLong();
  store<u16>(p, congested ? <u16>ACCEPT_CONGESTED : 0, ACCEPT_FLAGS);
  if (congested) count(Counter.congested);
  memory.copy(p + ACCEPT_BYTES, window.batch(slot.instance), slot.bytes);
  finish(p, ACCEPT_BYTES + slot.bytes, groupAddress);
}

/** An instance of this leader was chosen. */
function chosen(instance: u64, now_us: u64): void {
  // Only now: leaders that preempt each other before anything is chosen must wait longer each time.
  backoff_us = BACKOFF_US;
  const slot = window.slot(instance);
  roundTrip.answered(slot.sentAt_us, slot.tries, now_us);
  if (slot.tries >= STALLED_TRIES) {
    resumedAt_us = now_us;
    lookAt_us = now_us;
  }
  admitBatch(answered, instance);
}

/** Adds the values of an instance to a table. */
function admitBatch(table: Sessions, instance: u64): void {
  const batch = window.batch(instance);
  const end = batch + window.slot(instance).bytes;
  for (let run = batch; run < end; run = Run.end(run)) {
    const first = Run.first(run);
    if (first != 0) table.add(Run.client(run), first, Run.count(run));
  }
}

/** Repeats what was not answered in time. Returns when to look again. */
function retransmit(now_us: u64): u64 {
  if (window.base == sent) return NEVER;
  if (now_us < lookAt_us) return lookAt_us;
  const timeout_us = roundTrip.timeout_us(RETRANSMIT_FIRST_US, RETRANSMIT_MIN_US, timeoutMax_us);
  let repeated = 0;
  for (let i = window.base; i < sent && repeated < RETRANSMITS_MAX; i++) {
    const slot = window.slot(i);
    if (slot.decided) continue;
    let wait_us = min(timeout_us << min(<u64>slot.tries - 1, 6), timeoutMax_us);
    if (i == window.base) {
      // Everybody waits for the first.
      const probe_us = min(roundTrip.probe_us(RETRANSMIT_FIRST_US), timeout_us) << min(<u64>slot.tries - 1, 6);
      wait_us = min(wait_us, min(probe_us, max(timeout_us, PROBE_US)));
    }
    const resumed = slot.tries >= STALLED_TRIES && slot.sentAt_us < resumedAt_us;
    const overtaken = roundTrip.overtaken(slot.sentAt_us, slot.tries, now_us);
    if (!resumed && !overtaken && now_us - slot.sentAt_us < wait_us) continue;
    if (outboxRoom() <= ROOM_KEPT) break;
    transmit(slot, now_us);
    repeated++;
    count(Counter.retransmitted);
  }
  lookAt_us = now_us + min(roundTrip.probe_us(RETRANSMIT_FIRST_US) >> 1, PROBE_US);
  return lookAt_us;
}

/** Queues values `from` to `to` of one client, which are consecutive and new. */
function queue(client: u64, first: u64, values: u32, from: usize, to: usize): void {
  const bytes = to - from;
  const padded = Run.pad(<usize>RUN_BYTES + bytes);
  const run = pendingRoom(padded);
  if (run == 0) return count(Counter.pendingFull, values);
  Run.set(run, client, first, values);
  memory.copy(run + RUN_BYTES, from, bytes);
  memory.fill(run + RUN_BYTES + bytes, 0, padded - RUN_BYTES - bytes);
  pendingPush(run + padded);
  if (first == 0) return;
  admitted.add(client, first, values);
}

/** A client named this proposer, which does not lead: the leader gets its values, once. */
function forward(p: usize, now_us: u64): void {
  const named = load<u16>(p, HEADER_RECEIVER_ID) == selfId;
  if (!named || load<u8>(p, HEADER_SENDER_ROLE) != Role.client) return;
  const leader = ballotId(leaderBallot);
  const quiet = leaderHeardAt_us == 0 || now_us - leaderHeardAt_us > LEADER_SILENT_US;
  if (leaderBallot == 0 || leader == selfId || quiet) return count(Counter.noLeader);
  const q = begin(Message.submit, Role.proposer, Role.proposer, leader, 0);
  if (q == 0) return;
  const length = <u32>load<u16>(p, HEADER_LENGTH);
  memory.copy(q + SUBMIT_BATCH_BYTES, p + SUBMIT_BATCH_BYTES, length - SUBMIT_BATCH_BYTES);
  finish(q, length, proposerAddress(proposerIndex(leader)));
  count(Counter.forwarded);
}

/** What a status says of the proposer. */
export function proposerStatus(now_us: u64): void {
  statusField(StatusField.proposerState, state);
  if (state == LEADING) {
    statusLeader(ballot, now_us, now_us);
  } else if (leaderHeardAt_us != 0) {
    statusLeader(leaderBallot, leaderHeardAt_us, now_us);
  }
  statusDecided(window.base);
  if (state == FOLLOWER) return;
  statusField(StatusField.next, next);
  statusField(StatusField.windowUsed, next - window.base);
  statusField(StatusField.windowSize, inFlightMax);
  statusField(StatusField.queueBytes, gauged(Gauge.pendingBytes));
  statusField(StatusField.queueBytesMax, QUEUE_BYTES);
}
