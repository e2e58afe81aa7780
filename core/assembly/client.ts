/**
 * The client: keeps values in flight, finds the leader, and sees for itself that they are decided.
 *
 * It hears 2A and 2B as a learner does, so a value is answered after three hops: to the leader, to
 * the acceptors, back. An unanswered value is sent again, sooner when round trips are short, and the
 * leader answers at once what is decided already.
 *
 * One process may hold many virtual clients. Each opens a session (`client_session.ts`), numbers its
 * values from 1, and keeps them within SESSION_SEQUENCES of its oldest unanswered one, as
 * `sessions.ts` demands. A decided value counts as answered only when the session is sure to have been
 * there; otherwise it is sent again, until a learner has told.
 */
import {
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_CONGESTED,
  ACCEPT_DECIDED,
  ACCEPT_FLAGS,
  ACCEPT_INSTANCE,
  ACCEPT_VALUES,
  ANSWER_BYTES,
  ANSWER_COUNT,
  ANSWER_DECIDED,
  BYE_BYTES,
  CHUNK_BYTES,
  CHUNK_FIRST,
  CHUNK_OFFSET,
  CHUNK_TOTAL,
  COMPLETION_BYTES,
  COMPLETION_CLIENT,
  COMPLETION_LATENCY,
  COMPLETION_SEQUENCE,
  Counter,
  Event,
  Gauge,
  HEADER_BALLOT,
  HEADER_SENDER_ID,
  HEARTBEAT_DECIDED,
  HI_BYTES,
  HI_DELIVERED,
  Message,
  OK_DECIDED,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Role,
  RUN_BYTES,
  SESSION_SEQUENCES,
  Setting,
  StatusField,
  SUBMIT_BATCH_BYTES,
  SUBMIT_BYTES,
  SUBMIT_VALUES,
  VALUE_CHUNK,
  VALUE_HEADER_BYTES,
  WINDOW_INSTANCES,
} from "../layout";
import { arenaTake } from "./arena";
import { ballotId } from "./ballot";
import { Run, RUN_VALUES_MAX } from "./batch";
import {
  clientSessionsInit,
  sessionIsOpen,
  sessionIsSafe,
  sessionsClose,
  sessionsDue,
  sessionsFlush,
  sessionsHear,
  sessionsRepeat,
  sessionUse,
} from "./client_session";
import { count, gauge, note } from "./meters";
import { begin, finish, groupAddress, outboxRoom } from "./outbox";
import { paceAllows, paceAnswered, paceInit, paceLost, paceMarked } from "./pace";
import { proposerAddress } from "./peers";
import {
  acceptorIndex,
  batchBytesMax,
  batchValuesMax,
  mtu,
  proposerIndex,
  settingU32,
  settingU64,
} from "./settings";
import { RoundTrip } from "./round_trip";
import { statusField, statusLeader } from "./status";
import { Window } from "./window";

const HI_PERIOD_US: u64 = 1_000_000;
/** While no leader is known. */
const SEARCH_PERIOD_US: u64 = 100_000;
/** A leader that was silent for this long is searched anew. */
const LEADER_SILENT_US: u64 = 1_000_000;
const PROBE_FIRST_US: u64 = 250_000;
const PROBE_DOUBLINGS_MAX: u32 = 8;
/** So many probes without any answer: what is in the network is gone, or the leader is. */
const SILENT_PROBES: u32 = 3;
const ROOM_KEPT: i32 = 8;
const NONE: u32 = 0xffffffff;
const NEVER: u64 = u64.MAX_VALUE;

/** A value in flight. */
@unmanaged
class Flight {
  sequence: u64;
  submittedAt_us: u64;
  sentAt_us: u64;
  client: u32;
  bytes: u32;
  /** Its state, and its neighbours there. */
  list: FlightList;
  previous: u32;
  next: u32;
  tries: u32;
  /** It is a chunk of a large value. */
  chunk: bool;
}

@unmanaged
class VirtualClient {
  /** Next sequence number, and the oldest unanswered one. */
  next: u64;
  floor: u64;
  inFlight: u32;
  /** Sequence number of the first chunk of its newest large value. */
  large: u64;
}

/** A doubly linked list of flights by index. */
@unmanaged
class FlightList {
  head: u32;
  tail: u32;
  bytes: u64;

  static make(): FlightList {
    const list = changetype<FlightList>(arenaTake(offsetof<FlightList>()));
    list.head = list.tail = NONE;
    return list;
  }
}

let window: Window = changetype<Window>(0);
let flights: usize = 0;
let valueSlots: usize = 0;
/** Most bytes of one value. */
export let valueBytesMax: u32 = 0;
let freeFlights: usize = 0;
let freeCount: u32 = 0;
let flightCount: u32 = 0;
let clients: usize = 0;
let clientCount: u32 = 0;
let clientBase: u64 = 0;
let outstanding: u32 = 0;
/** For each virtual client, a ring that finds a flight by its sequence number. */
let rings: usize = 0;
let ringMask: u64 = 0;
/** To be sent: those that were lost, and those that were not sent yet. */
let lost: FlightList = changetype<FlightList>(0);
let waiting: FlightList = changetype<FlightList>(0);
/** Sent, by time of sending. */
let flying: FlightList = changetype<FlightList>(0);
/** Of sessions that were lost: never sent again. */
let refused: FlightList = changetype<FlightList>(0);

let leaderBallot: u64 = 0;
let leaderHeardAt_us: u64 = 0;
let insisted: u32 = 0;
let hiAt_us: u64 = 0;
/** When the oldest was sent again before its time, and how often in a row without any answer. */
let probedAt_us: u64 = 0;
let probes: u32 = 0;
/** A frame of the oldest is to leave, though the window is full. */
let probing: bool = false;
let roundTrip: RoundTrip = changetype<RoundTrip>(0);
let timeoutMax_us: u64 = 0;

/** Where the host writes the next value. */
export let staging: usize = 0;
/** Values answered in this step, for the host. */
export let completions: usize = 0;
export let completionCount: i32 = 0;

export function clientInit(): void {
  window = Window.make(batchBytesMax, 1);
  clientCount = settingU32(Setting.clients);
  outstanding = settingU32(Setting.outstanding);
  clientBase = settingU64(Setting.clientLow);
  insisted = settingU32(Setting.proposer);
  timeoutMax_us = settingU32(Setting.clientTimeout_us);
  assert(clientCount >= 1 && outstanding >= 1 && outstanding <= SESSION_SEQUENCES / 2, "clients out of range");
  flightCount = clientCount * outstanding;
  flights = arenaTake(<usize>flightCount * offsetof<Flight>());
  const wanted = settingU32(Setting.valueBytes);
  assert(wanted <= batchBytesMax - RUN_BYTES - VALUE_HEADER_BYTES, "value size out of range");
  valueBytesMax = wanted != 0 ? wanted : batchBytesMax - RUN_BYTES - VALUE_HEADER_BYTES;
  valueSlots = arenaTake(<usize>flightCount * valueBytesMax);
  freeFlights = arenaTake(<usize>flightCount * 4);
  for (let i: u32 = 0; i < flightCount; i++) store<u32>(freeFlights + (<usize>i << 2), flightCount - 1 - i);
  freeCount = flightCount;
  clients = arenaTake(<usize>clientCount * offsetof<VirtualClient>());
  // Twice the values in flight: later ones go on while an early one is repeated.
  let ring: u32 = 64;
  while (ring < outstanding * 2) ring <<= 1;
  ringMask = ring - 1;
  rings = arenaTake(<usize>clientCount * ring * 4);
  memory.fill(rings, 0xff, <usize>clientCount * ring * 4);
  for (let c: u32 = 0; c < clientCount; c++) {
    virtual(c).next = 1;
    virtual(c).floor = 1;
  }
  clientSessionsInit(clientCount, clientBase, timeoutMax_us);
  roundTrip = RoundTrip.make();
  lost = FlightList.make();
  waiting = FlightList.make();
  flying = FlightList.make();
  refused = FlightList.make();
  paceInit();
  completions = arenaTake(<usize>flightCount * COMPLETION_BYTES);
  staging = arenaTake(batchBytesMax);
}

export function clientClear(): void {
  completionCount = 0;
}

/** How many more values this virtual client may submit now; none before its session is open. */
export function clientRoom(client: u32): u32 {
  if (!sessionIsOpen(client)) return 0;
  const v = virtual(client);
  const span = v.floor + ringMask + 1 - v.next;
  return min(outstanding - v.inFlight, <u32>span);
}

/**
 * Submits the `bytes` at `staging`, behind room for a chunk's header, as the piece at `offset` of a
 * large value; returns the chunk's sequence number. Pieces come in order, one large value at a time.
 */
export function clientSubmitChunk(client: u32, bytes: u32, total: u32, offset: u32, now_us: u64): u64 {
  const v = virtual(client);
  if (offset == 0) v.large = v.next;
  store<u32>(staging, total, CHUNK_TOTAL);
  store<u32>(staging, offset, CHUNK_OFFSET);
  store<u64>(staging, v.large, CHUNK_FIRST);
  const sequence = clientSubmit(client, bytes + CHUNK_BYTES, now_us);
  at(load<u32>(ringAt(client, sequence))).chunk = true;
  return sequence;
}

/** Submits the `bytes` at `staging`; returns the value's sequence number. There must be room. */
export function clientSubmit(client: u32, bytes: u32, now_us: u64): u64 {
  assert(client < clientCount && clientRoom(client) > 0, "no room for a value");
  assert(bytes <= valueBytesMax, "value too large");
  const index = load<u32>(freeFlights + (<usize>(--freeCount) << 2));
  const flight = at(index);
  const v = virtual(client);
  flight.sequence = v.next++;
  flight.client = client;
  flight.bytes = bytes;
  flight.submittedAt_us = now_us;
  flight.sentAt_us = 0;
  flight.tries = 0;
  flight.chunk = false;
  v.inFlight++;
  memory.copy(value(index), staging, bytes);
  store<u32>(ringAt(client, flight.sequence), index);
  append(waiting, index);
  count(Counter.submitted);
  return flight.sequence;
}

/** 2A: note where this process' own values are. */
export function clientAccept(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  hearLeader(ballot, now_us);
  if ((load<u16>(p, ACCEPT_FLAGS) & ACCEPT_CONGESTED) != 0) paceMarked(now_us);
  const instance = load<u64>(p, ACCEPT_INSTANCE);
  const bytes = load<u32>(p, ACCEPT_BATCH_BYTES);
  const decided = load<u64>(p, ACCEPT_DECIDED);
  cover(instance);
  announce(ballot, decided, now_us);
  if (!window.inside(instance)) return;
  // What holds nothing of this process need not be kept, only that it was seen.
  const mine = holdsOwn(p + ACCEPT_BYTES, bytes);
  window.offer(
    instance,
    ballot,
    p + ACCEPT_BYTES,
    mine ? bytes : 0,
    mine ? load<u16>(p, ACCEPT_VALUES) : 0,
  );
  if (window.slot(instance).decided) complete(instance, now_us);
}

/** 2B. */
export function clientAccepted(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  const index = acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  const ranges = load<u32>(p, RANGES_COUNT);
  for (let r: u32 = 0; r < ranges; r++) {
    const range = p + RANGES_BYTES + <usize>r * RANGE_BYTES;
    const end = load<u64>(range, 8);
    cover(end - 1);
    for (let i = max(load<u64>(range), window.base); i < end; i++) {
      if (window.vote(i, ballot, index)) complete(i, now_us);
    }
  }
}

export function clientHeartbeat(p: usize, now_us: u64): void {
  const ballot = load<u64>(p, HEADER_BALLOT);
  hearLeader(ballot, now_us);
  announce(ballot, load<u64>(p, HEARTBEAT_DECIDED), now_us);
}

/** The leader says that these are decided, though not where but for an upper bound. */
export function clientAnswer(p: usize, now_us: u64): void {
  const entries = load<u32>(p, ANSWER_COUNT);
  const last = load<u64>(p, ANSWER_DECIDED) - 1;
  for (let n: u32 = 0; n < entries; n++) {
    const entry = p + ANSWER_BYTES + <usize>n * RUN_BYTES;
    const client = Run.client(entry) - clientBase;
    if (client < clientCount && sessionIsSafe(<u32>client, last)) completeRun(entry, <u32>client, now_us);
  }
}

/** What an acceptor or proposer answers to hi. */
export function clientOk(p: usize): void {
  sessionsHear(load<u64>(p, OK_DECIDED));
}

/** Packs what was lost and what waits into frames for the leader. */
export function clientFlush(now_us: u64): void {
  const to = target(now_us);
  if (to == 0) return;
  sessionsFlush(to, now_us);
  while ((paceAllows(flying.bytes) || probing) && upNext() != NONE && outboxRoom() > ROOM_KEPT) {
    probing = false;
    const p = begin(Message.submit, Role.client, Role.proposer, to, 0);
    if (p == 0) return;
    const batch = p + SUBMIT_BYTES;
    let at_ = batch;
    let run: usize = 0;
    let runClient: u32 = 0;
    let runNext: u64 = 0;
    let runCount: u32 = 0;
    let values: u32 = 0;
    for (let index = upNext(); index != NONE && values < batchValuesMax; index = upNext()) {
      const flight = at(index);
      const follows = run != 0 && flight.client == runClient && flight.sequence == runNext &&
        runCount < RUN_VALUES_MAX;
      const start = follows ? at_ : Run.pad(at_) + RUN_BYTES;
      const end = start + VALUE_HEADER_BYTES + flight.bytes;
      if (<u32>(Run.pad(end) - batch) > batchBytesMax) break;
      if (!follows) {
        if (run != 0) closeRun(run, runCount, at_);
        run = Run.pad(at_);
        Run.set(run, clientBase + flight.client, flight.sequence, 0);
        runClient = flight.client;
        runNext = flight.sequence;
        runCount = 0;
      }
      store<u16>(start, <u16>(flight.chunk ? flight.bytes | VALUE_CHUNK : flight.bytes));
      memory.copy(start + VALUE_HEADER_BYTES, value(index), flight.bytes);
      at_ = end;
      runNext++;
      runCount++;
      values++;
      flight.sentAt_us = now_us;
      if (flight.tries++ > 0) count(Counter.retries);
      move(flying, index);
    }
    closeRun(run, runCount, at_);
    const bytes = <u32>(Run.pad(at_) - batch);
    store<u32>(p, bytes, SUBMIT_BATCH_BYTES);
    store<u32>(p, values, SUBMIT_VALUES);
    finish(p, SUBMIT_BYTES + bytes, proposerAddress(proposerIndex(to)));
  }
}

/** The value to be sent next, or NONE. Those of lost sessions, which learners refuse, are laid aside. */
function upNext(): u32 {
  while (true) {
    const index = lost.head != NONE ? lost.head : waiting.head;
    if (index == NONE || sessionIsOpen(at(index).client)) return index;
    move(refused, index);
  }
}

export function clientTick(now_us: u64): u64 {
  const known = leaderKnown(now_us);
  if (now_us >= hiAt_us) {
    sendHi();
    hiAt_us = now_us + (known ? HI_PERIOD_US : SEARCH_PERIOD_US);
  }
  const to = target(now_us);
  let due = to != 0 ? min(hiAt_us, sessionsDue()) : hiAt_us;
  due = min(due, loseOvertaken(now_us));
  due = min(due, probe(now_us));
  gauge(Gauge.leaderBallot, leaderBallot);
  gauge(Gauge.leaderHeard_us, leaderHeardAt_us);
  gauge(Gauge.inFlightValues, flightCount - freeCount);
  return to != 0 && upNext() != NONE && paceAllows(flying.bytes) ? now_us : due;
}

/**
 * Takes for lost what was overtaken by later answers, and, in case that nothing tells, what is old. Returns
 * when to look again, unless something is answered before.
 */
function loseOvertaken(now_us: u64): u64 {
  let next = flying.head;
  while (next != NONE) {
    const index = next;
    const flight = at(index);
    next = flight.next;
    const isOld = now_us - flight.sentAt_us >= timeoutMax_us;
    // Oldest first: those behind it were sent later, and a repeated one among them is less sure to be lost.
    if (!isOld && !roundTrip.overtaken(flight.sentAt_us, 1, now_us)) break;
    if (!isOld && !roundTrip.overtaken(flight.sentAt_us, flight.tries, now_us)) continue;
    move(lost, index);
    paceLost(now_us);
  }
  if (flying.head == NONE) return NEVER;
  return min(at(flying.head).sentAt_us + timeoutMax_us, roundTrip.certainAt_us());
}

/**
 * Sends the oldest again, a frame of it, well before its time: if that is answered, all that was sent
 * between is known to be lost. Returns when to do so next.
 */
function probe(now_us: u64): u64 {
  if (flying.head == NONE) return NEVER;
  const probe_us = min(roundTrip.probe_us(PROBE_FIRST_US) << min(probes, PROBE_DOUBLINGS_MAX), timeoutMax_us);
  const due_us = max(probedAt_us, at(flying.head).sentAt_us) + probe_us;
  if (now_us < due_us) return due_us;
  let room = batchBytesMax;
  while (flying.head != NONE) {
    const index = flying.head;
    const flight = at(index);
    const bytes = RUN_BYTES + VALUE_HEADER_BYTES + flight.bytes;
    if (bytes > room || flight.sentAt_us + probe_us > now_us) break;
    room -= bytes;
    move(lost, index);
  }
  probedAt_us = now_us;
  probing = true;
  probes++;
  if (probes == SILENT_PROBES) paceInit();
  return now_us;
}

export function clientBye(): void {
  sessionsClose(insisted != 0 ? insisted : ballotId(leaderBallot));
  const p = begin(Message.bye, Role.client, Role.proposer | Role.acceptor, 0, 0);
  if (p != 0) finish(p, BYE_BYTES, groupAddress);
}

/** The proposer to send to; 0 while no leader is known. */
function target(now_us: u64): u32 {
  if (insisted != 0) return insisted;
  return leaderKnown(now_us) ? ballotId(leaderBallot) : 0;
}

function leaderKnown(now_us: u64): bool {
  return leaderHeardAt_us != 0 && now_us - leaderHeardAt_us < LEADER_SILENT_US;
}

function hearLeader(ballot: u64, now_us: u64): void {
  if (ballot < leaderBallot) return;
  if (ballot > leaderBallot) {
    leaderBallot = ballot;
    note(Event.leaderHeard, ballotId(ballot), ballot);
    // What the old leader had in hand may be lost with it; the new one drops what it knows.
    while (flying.head != NONE) move(lost, flying.head);
    sessionsRepeat();
    paceInit();
    probes = 0;
  }
  leaderHeardAt_us = now_us;
}

/** Slides the window up to hold an instance: the client follows what is new, the retry covers the rest. */
function cover(instance: u64): void {
  if (instance >= window.end()) window.advance(instance - WINDOW_INSTANCES / 2);
}

/** Takes the leader's word, and answers what it decides. */
function announce(ballot: u64, decided: u64, now_us: u64): void {
  sessionsHear(decided);
  if (ballot < window.watermarkBallot) return;
  const known = ballot == window.watermarkBallot ? window.watermark : 0;
  const from = max(window.base, known);
  window.announce(ballot, decided);
  const end = min(decided, window.end());
  for (let i = from; i < end; i++) {
    if (window.slot(i).decided) complete(i, now_us);
  }
}

function holdsOwn(batch: usize, bytes: u32): bool {
  const end = batch + bytes;
  for (let run = batch; run < end; run = Run.end(run)) {
    if (Run.client(run) - clientBase < clientCount) return true;
  }
  return false;
}

/** Answers this process' values of a decided instance. */
function complete(instance: u64, now_us: u64): void {
  const slot = window.slot(instance);
  const batch = window.batch(instance);
  const end = batch + slot.bytes;
  for (let run = batch; run < end; run = Run.end(run)) {
    const client = Run.client(run) - clientBase;
    if (client >= clientCount || Run.first(run) == 0 || !sessionIsSafe(<u32>client, instance)) continue;
    sessionUse(<u32>client, instance);
    completeRun(run, <u32>client, now_us);
  }
  // Once is enough.
  slot.bytes = 0;
  window.drop(instance);
}

/** Answers the values of a run of this process' virtual client. */
function completeRun(run: usize, client: u32, now_us: u64): void {
  const first = Run.first(run);
  const end = first + Run.count(run);
  const v = virtual(client);
  for (let s = max(first, v.floor); s < min(end, v.next); s++) {
    const cell = ringAt(client, s);
    const index = load<u32>(cell);
    if (index == NONE || at(index).sequence != s) continue;
    store<u32>(cell, NONE);
    const flight = at(index);
    if (flight.list == flying) paceAnswered(weight(flight), flight.sentAt_us);
    remove(index);
    v.inFlight--;
    const to = completions + <usize>(completionCount++ * COMPLETION_BYTES);
    const latency_us = now_us - flight.submittedAt_us;
    store<u64>(to, s, COMPLETION_SEQUENCE);
    store<u32>(to, client, COMPLETION_CLIENT);
    store<u32>(to, <u32>min(latency_us, 0xffffffff), COMPLETION_LATENCY);
    if (flight.tries > 0) roundTrip.answered(flight.sentAt_us, flight.tries, now_us);
    probes = 0;
    store<u32>(freeFlights + (<usize>(freeCount++) << 2), index);
    count(Counter.completed);
  }
  while (v.floor < v.next && load<u32>(ringAt(client, v.floor)) == NONE) v.floor++;
}

function closeRun(run: usize, values: u32, end: usize): void {
  Run.set(run, Run.client(run), Run.first(run), values);
  memory.fill(end, 0, Run.pad(end) - end);
}

function sendHi(): void {
  const p = begin(Message.hi, Role.client, Role.proposer | Role.acceptor, 0, 0);
  if (p == 0) return;
  memory.fill(p + HI_DELIVERED, 0, HI_BYTES - HI_DELIVERED);
  finish(p, HI_BYTES, groupAddress);
}

@inline
function at(index: u32): Flight {
  return changetype<Flight>(flights + <usize>index * offsetof<Flight>());
}

@inline
function value(index: u32): usize {
  return valueSlots + <usize>index * valueBytesMax;
}

@inline
function virtual(client: u32): VirtualClient {
  return changetype<VirtualClient>(clients + <usize>client * offsetof<VirtualClient>());
}

@inline
function ringAt(client: u32, sequence: u64): usize {
  return rings + ((<usize>client * <usize>(ringMask + 1) + <usize>(sequence & ringMask)) << 2);
}

function append(list: FlightList, index: u32): void {
  const flight = at(index);
  flight.list = list;
  flight.previous = list.tail;
  flight.next = NONE;
  if (list.tail != NONE) at(list.tail).next = index;
  else list.head = index;
  list.tail = index;
  list.bytes += weight(flight);
}

function remove(index: u32): void {
  const flight = at(index);
  const list = flight.list;
  if (flight.previous != NONE) at(flight.previous).next = flight.next;
  else list.head = flight.next;
  if (flight.next != NONE) at(flight.next).previous = flight.previous;
  else list.tail = flight.previous;
  list.bytes -= weight(flight);
}

/** Bytes that a value counts for in the network: where it has a frame to itself, all of that. */
@inline
function weight(flight: Flight): u64 {
  return batchValuesMax == 1 ? mtu : flight.bytes + VALUE_HEADER_BYTES;
}

function move(list: FlightList, index: u32): void {
  remove(index);
  append(list, index);
}

/** What a status says of the client. */
export function clientStatus(now_us: u64): void {
  if (leaderHeardAt_us != 0) statusLeader(leaderBallot, leaderHeardAt_us, now_us);
  statusField(StatusField.inFlightValues, flightCount - freeCount);
}
