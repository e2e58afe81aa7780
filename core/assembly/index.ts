/**
 * One step of the node: frames in; frames, deliveries, completions and events out.
 *
 * The order of a step is part of the protocol and written down here once:
 *   1. what became durable is let go;
 *   2. received frames are checked and handled;
 *   3. messages of this node to its own roles are handled, until there are none;
 *   4. votes, proposals and values of this burst go into frames, decided values are delivered;
 *   5. timers; then 3 and 4 again.
 * Whatever leaves is for the host to send when `step` has returned; see `roles/node.ts`.
 */
import {
  AcceptorState,
  ACCEPT_DECIDED,
  Counter,
  Fetched,
  HEADER_RECEIVER_ROLES,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEADER_TYPE,
  HEARTBEAT_DECIDED,
  HEARTBEAT_REJOINED,
  HI_REJOINED,
  HI_STATE,
  LINK_BYTES,
  Message,
  RECEIVE_FRAMES,
  Record,
  RECORD_KIND,
  RecoveryFault,
  Role,
  Setting,
  StorageCondition,
} from "../layout";
import {
  acceptorAccept,
  acceptorBye,
  acceptorFetched,
  acceptorFetchEnd,
  acceptorFlush,
  acceptorForgot,
  acceptorHeartbeat,
  acceptorHi,
  acceptorInit,
  acceptorOk,
  acceptorPrepare,
  acceptorRecover,
  acceptorRejoin,
  acceptorRepair,
  acceptorStatus,
  acceptorStorage,
  acceptorTick,
} from "./acceptor";
import { arenaBytes as arenaUsed, arenaInit, arenaTake } from "./arena";
import { checkpointLeast, checkpointTaken } from "./checkpoint";
import {
  clientAccept,
  clientAccepted,
  clientAnswer,
  clientBye,
  clientClear,
  clientFlush,
  clientHeartbeat,
  clientInit,
  clientOk,
  clientRoom as room,
  clientStatus,
  clientSubmit as submit,
  clientSubmitChunk as submitChunk,
  clientTick,
  completionCount as completed,
  completions,
  staging,
} from "./client";
import { sessionHasRoom, sessionsVerdicts } from "./client_session";
import { fetchAt, fetchClear, fetchCount as fetchesAsked } from "./fetch";
import { frameFault } from "./frame";
import {
  deliveries,
  deliveryCount as delivered,
  learnerAccept,
  learnerAccepted,
  learnerBye,
  learnerClear,
  learnerDeliver,
  learnerHeartbeat,
  learnerInit,
  learnerLearned,
  learnerOk,
  learnerRecover,
  learnerStatus,
  learnerTick,
} from "./learner";
import { count, counters, eventCount as noted, events, eventsClear, gauges, metersReset } from "./meters";
import {
  descriptorCount as descriptorsUsed,
  descriptors,
  nextOwn,
  outboxClear,
  outboxAddress,
  outboxInit,
  ownWaiting,
  PAYLOAD_OFFSET,
  release,
  slotBytesFor,
  sourceAddress,
} from "./outbox";
import {
  hearAcceptor,
  hearProposer,
  hearRecovering,
  hearRejoined,
  peersInit,
  peersStatus,
  presetAddress,
} from "./peers";
import {
  proposerAccepted,
  proposerFlush,
  proposerHearLeader,
  proposerHi,
  proposerInit,
  proposerOk,
  proposerPromise,
  proposerRecovering,
  proposerReject,
  proposerStatus,
  proposerSubmit,
  proposerTick,
} from "./proposer";
import { random, randomSeed } from "./random";
import { refillLearned } from "./refill";
import {
  isRecordSound,
  recordPointers,
  recordsClear,
  recordsFail,
  recordsInit,
  recordsNew,
  recoveryAt as recovery,
} from "./records";
import {
  acceptorIndex,
  addMember,
  mtu,
  proposerIndex,
  roles,
  setSetting,
  setting,
  settingU64,
  settle,
} from "./settings";
import {
  statusAsk,
  statusBegin,
  statusClear,
  statusCount as statusesHeard,
  statusHear,
  statusInit,
  statusSend,
  statuses,
} from "./status";

let receiveSlots: usize = 0;
let receiveSlotBytes: usize = 0;
let receiveLengths: usize = 0;
/** When the last step was. */
let stepped_us: u64 = 0;
/** A frame is dropped when a random u32 is below; 2^32 drops all. */
let lossBelow: u64 = 0;

/** Sets one setting; before `init`. */
export function set(key: i32, value: f64): void {
  setSetting(key, value);
}

/** Adds an acceptor or proposer; before `init`. */
export function member(role: u32, id: u32): void {
  addMember(role, id);
}

/** Takes all memory and makes the roles that were set. Returns the bytes of memory in use. */
export function init(now_us: f64): f64 {
  settle();
  arenaInit();
  metersReset();
  randomSeed(settingU64(Setting.seedLow));
  lossBelow = <u64>setting(Setting.loss);
  receiveSlotBytes = slotBytesFor(mtu);
  receiveSlots = arenaTake(receiveSlotBytes * RECEIVE_FRAMES);
  receiveLengths = arenaTake(RECEIVE_FRAMES * 4);
  recordsInit(is(Role.learner) ? checkpointLeast() : 0);
  outboxInit();
  peersInit();
  statusInit();
  const now = <u64>now_us;
  if (is(Role.proposer)) proposerInit(now);
  if (is(Role.acceptor)) acceptorInit(now);
  if (is(Role.learner)) learnerInit();
  if (is(Role.client)) clientInit();
  return <f64>arenaUsed();
}

/**
 * Sets this node's link address and the group's: the first four bytes of each, little-endian, and
 * the last two. After `init`, before the first step, and when the card's address changes.
 */
export function address(low: u32, high: u32, groupLow: u32, groupHigh: u32): void {
  outboxAddress(<u64>low | (<u64>high << 32), <u64>groupLow | (<u64>groupHigh << 32));
}

/** Gives a member's link address from the configuration; after `init`. */
export function preset(role: u32, id: u32, low: u32, high: u32): void {
  const index = role == Role.acceptor ? acceptorIndex(id) : proposerIndex(id);
  assert(index >= 0, "unknown member");
  presetAddress(role, index, <u64>low | (<u64>high << 32));
}

/** Whether the record at `recoveryAt`, of so many bytes, is as it was written. */
export function isSound(bytes: u32): bool {
  return isRecordSound(bytes);
}

/** Storage is in this condition (`StorageCondition`), and keeps accepted instances from `low` on; after `init`. */
export function setStorage(condition: i32, low: f64): void {
  if (condition == StorageCondition.failed) recordsFail();
  if (is(Role.acceptor)) acceptorStorage(condition, <u64>low);
}

/**
 * Takes back the record at `recoveryAt`; after `init`, before the first step. Returns what is wrong with a
 * record of a learner's checkpoint, one of `RecoveryFault`.
 */
export function recover(): i32 {
  const kind = <i32>load<u16>(recovery, RECORD_KIND);
  if (kind >= Record.session && kind <= Record.checkpoint) {
    assert(is(Role.learner), "a checkpoint without a learner");
    return learnerRecover();
  }
  acceptorRecover();
  return RecoveryFault.none;
}

/** The host cannot lose the first so many delivered values any more; before a step, and then before each. */
export function taken(values: f64): void {
  checkpointTaken(<u64>values);
}

/**
 * One turn: `frames` frames lie in the receive slots, it is `now_us`, records up to `durable` are
 * durable, and `pause` says that the host cannot take deliveries. Returns when the next turn is due
 * at the latest, in µs.
 */
export function step(frames: i32, now_us: f64, durable: f64, pause: bool): f64 {
  const now = <u64>now_us;
  stepped_us = now;
  outboxClear();
  recordsClear(<u64>durable);
  eventsClear();
  statusClear();
  fetchClear();
  if (is(Role.learner)) learnerClear(pause);
  if (is(Role.client)) clientClear();
  release();
  for (let i = 0; i < frames; i++) receive(i, now);
  drain(now);
  let due: u64 = now + 1_000_000;
  if (is(Role.proposer)) due = min(due, proposerTick(now));
  if (is(Role.acceptor)) due = min(due, acceptorTick(now));
  if (is(Role.learner)) due = min(due, learnerTick(now));
  if (is(Role.client)) due = min(due, clientTick(now));
  drain(now);
  return <f64>due;
}

/** What the step asks storage for: ranges of instances, which the host hands over before it sends. */
export function fetchCount(): i32 {
  return fetchesAsked;
}
export function fetchFrom(index: i32): f64 {
  return <f64>fetchAt(index).from;
}
export function fetchEnd(index: i32): f64 {
  return <f64>fetchAt(index).end;
}

/** Takes the record at `recoveryAt`, of so many bytes in all, for that range; ascending. */
export function fetched(index: i32, bytes: u32): Fetched {
  return acceptorFetched(index, bytes);
}

/** No more comes for that range. The answers are in the outbox, or heard by this node's own roles. */
export function fetchDone(index: i32): void {
  acceptorFetchEnd(index);
  // No later step would find them.
  for (let p = nextOwn(); p != 0; p = nextOwn()) dispatch(p, stepped_us);
}

/** Starts the last turn: says goodbye. The host sends what this leaves in the outbox. */
export function leave(): void {
  outboxClear();
  recordsClear(0);
  eventsClear();
  if (is(Role.learner)) {
    learnerClear(true);
    learnerBye();
  }
  if (is(Role.client)) {
    clientClear();
    clientBye();
  }
}

@inline
function is(role: u32): bool {
  return (roles & role) != 0;
}

function receive(index: i32, now: u64): void {
  const p = receiveSlots + <usize>index * receiveSlotBytes + PAYLOAD_OFFSET;
  const bytes = load<u32>(receiveLengths + (<usize>index << 2));
  // The card reports a frame it had to cut as empty.
  if (bytes < LINK_BYTES) return;
  count(Counter.received);
  count(Counter.receivedBytes, bytes);
  if (lossBelow != 0 && <u64>random() < lossBelow) return count(Counter.lossInjected);
  const fault = frameFault(p, bytes - LINK_BYTES);
  if (fault != 0) return count(fault);
  dispatch(p, now);
}

/** Handles this node's messages to itself, and lets out what this step brought about. */
function drain(now: u64): void {
  for (;;) {
    let any = false;
    for (let p = nextOwn(); p != 0; p = nextOwn()) {
      dispatch(p, now);
      any = true;
    }
    if (is(Role.acceptor)) acceptorFlush();
    if (is(Role.proposer)) proposerFlush(now);
    if (is(Role.client)) clientFlush(now);
    if (is(Role.learner)) learnerDeliver();
    if (!any && !ownWaiting()) return;
  }
}

/** Hands a sound frame to every role of this node that it is meant for. */
function dispatch(p: usize, now: u64): void {
  const to = <u32>load<u8>(p, HEADER_RECEIVER_ROLES) & roles;
  const senderRole = <u32>load<u8>(p, HEADER_SENDER_ROLE);
  const senderId = <u32>load<u16>(p, HEADER_SENDER_ID);
  const address = sourceAddress(p);
  if (senderRole == Role.acceptor) {
    if (load<u8>(p, HEADER_TYPE) == Message.hi && load<u16>(p, HI_STATE) == AcceptorState.recovers) {
      hearRecovering(acceptorIndex(senderId), address);
      if ((to & Role.proposer) != 0) proposerRecovering(p, now);
      return;
    }
    // Before it is asked whose frame this is: it may tell of its own return.
    if (load<u8>(p, HEADER_TYPE) == Message.hi) hearRejoined(p + HI_REJOINED);
    if (!hearAcceptor(acceptorIndex(senderId), p, address, now)) return;
  } else if (senderRole == Role.proposer) {
    hearProposer(proposerIndex(senderId), address, now);
  }
  const proposer = (to & Role.proposer) != 0;
  const acceptor = (to & Role.acceptor) != 0;
  const learner = (to & Role.learner) != 0;
  const client = (to & Role.client) != 0;
  switch (<i32>load<u8>(p, HEADER_TYPE)) {
    case Message.prepare:
      if (acceptor) acceptorPrepare(p, now);
      break;
    case Message.promise:
      if (proposer) proposerPromise(p, now);
      break;
    case Message.accept:
      if (proposer) proposerHearLeader(p, load<u64>(p, ACCEPT_DECIDED), now);
      if (acceptor) acceptorAccept(p, now);
      if (learner) learnerAccept(p);
      if (client) clientAccept(p, now);
      break;
    case Message.accepted:
      if (proposer) proposerAccepted(p, now);
      if (learner) learnerAccepted(p);
      if (client) clientAccepted(p, now);
      break;
    case Message.reject:
      if (proposer) proposerReject(p, now);
      break;
    case Message.heartbeat:
      if (proposer) proposerHearLeader(p, load<u64>(p, HEARTBEAT_DECIDED), now);
      hearRejoined(p + HEARTBEAT_REJOINED);
      if (acceptor) acceptorHeartbeat(p, now);
      if (learner) learnerHeartbeat(p);
      if (client) clientHeartbeat(p, now);
      break;
    case Message.submit:
      if (proposer) proposerSubmit(p, now);
      break;
    case Message.answer:
      if (client) clientAnswer(p, now);
      break;
    case Message.hi:
      if (acceptor) acceptorHi(p, now);
      if (proposer) proposerHi(p);
      break;
    case Message.ok:
      if (acceptor) acceptorOk(p);
      if (proposer) proposerOk(p, now);
      if (learner) learnerOk(p);
      if (client) clientOk(p);
      break;
    case Message.bye:
      if (acceptor) acceptorBye(p);
      break;
    case Message.repair:
      if (acceptor) acceptorRepair(p, now);
      break;
    case Message.learned:
      if (learner) learnerLearned(p);
      if (acceptor) refillLearned(p, now);
      break;
    case Message.rejoin:
      if (acceptor) acceptorRejoin(p, now);
      break;
    case Message.forgot:
      if (acceptor) acceptorForgot(p, now);
      break;
    case Message.session:
      if (client) sessionsVerdicts(p);
      break;
    case Message.query:
      answerQuery(p, now);
      break;
    case Message.status:
      if (client) statusHear(p);
      break;
  }
}

/** Tells who asks how this node is: every role what it knows. */
function answerQuery(p: usize, now: u64): void {
  if (!statusBegin(p, now)) return;
  if (is(Role.proposer)) proposerStatus(now);
  if (is(Role.acceptor)) acceptorStatus(now);
  if (is(Role.learner)) learnerStatus();
  if (is(Role.client)) clientStatus(now);
  peersStatus(now);
  statusSend(p);
}

// Where the host finds things.
export function rxSlots(): usize {
  return receiveSlots;
}
export function rxSlotBytes(): usize {
  return receiveSlotBytes;
}
export function rxLengths(): usize {
  return receiveLengths;
}
export function txDescriptors(): usize {
  return descriptors;
}
export function txCount(): i32 {
  return descriptorsUsed;
}
export function recordPointersAt(): usize {
  return recordPointers;
}
export function recordCount(): i32 {
  return recordsNew();
}
export function recoveryAt(): usize {
  return recovery;
}
export function deliveryAt(): usize {
  return deliveries;
}
export function deliveryCount(): i32 {
  return delivered;
}
export function completionAt(): usize {
  return completions;
}
export function completionCount(): i32 {
  return completed;
}
export function eventAt(): usize {
  return events;
}
export function eventCount(): i32 {
  return noted;
}
export function counterAt(): usize {
  return counters;
}
export function gaugeAt(): usize {
  return gauges;
}
export function stagingAt(): usize {
  return staging;
}

export function statusAt(): usize {
  return statuses;
}
export function statusCount(): i32 {
  return statusesHeard;
}

/** Asks every node for its status, in the next step; the answers carry `number`, which is not 0. */
export function query(number: u32): void {
  statusAsk(number);
}

/** How many more values a virtual client may submit now. */
export function clientRoom(client: u32): u32 {
  return room(client);
}
/** Submits the value of `bytes` bytes at `stagingAt`; returns its sequence number. */
export function clientSubmit(client: u32, bytes: u32, now_us: f64): f64 {
  return <f64>submit(client, bytes, <u64>now_us);
}
/** Submits the piece of a large value, `bytes` bytes behind room for a chunk's header at `stagingAt`. */
export function clientSubmitChunk(client: u32, bytes: u32, total: u32, offset: u32, now_us: f64): f64 {
  return <f64>submitChunk(client, bytes, total, offset, <u64>now_us);
}
/** Whether the virtual client's large values can be put together; if not, room for that is asked for. */
export function clientHasRoom(client: u32): bool {
  return sessionHasRoom(client);
}
