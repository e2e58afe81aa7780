/**
 * Status: what a node tells of itself when a client asks, in items of one form.
 *
 * An answer is written item by item into a buffer, by the roles themselves, and then cut into as
 * many frames as the MTU asks for; the one who asks puts them together again. It is for people: no
 * part of the protocol may hang on it, so it waits for no record, and a query changes nothing but
 * the account of how many were answered lately.
 */
import {
  AGO_NEVER,
  Counter,
  Gauge,
  HEADER_INCARNATION,
  HEADER_SENDER_ID,
  HELD_FRAMES,
  Item,
  ITEM_AGO,
  ITEM_BYTES,
  ITEM_CODE,
  ITEM_KIND,
  ITEM_ROLE,
  ITEM_VALUE,
  Message,
  QUERY_BYTES,
  QUERY_NUMBER,
  RECEIVE_FRAMES,
  Role,
  SEND_FRAMES,
  STATUS_ANSWERS_MAX,
  STATUS_BYTES,
  STATUS_FIRST,
  STATUS_ITEMS,
  STATUS_ITEMS_MAX,
  STATUS_NUMBER,
  STATUS_TOTAL,
  StatusField,
} from "../layout";
import { arenaTake } from "./arena";
import { count, counted, gauged } from "./meters";
import { begin, finish, groupAddress, heldFrames, outboxRoom, sourceAddress } from "./outbox";
import { incarnation, mtu, persistent, roles, selfId } from "./settings";

/** Queries come from outside: so many answers in each of these periods, and no more, cost the protocol little. */
const PERIOD_US: u64 = 100_000;
/** Frames of a step that answers leave to everything else. */
const ROOM_KEPT: u32 = 256;

/** The answer that is being written. */
let items: usize = 0;
let itemCount: u32 = 0;
let decided: u64 = 0;
let periodEnd_us: u64 = 0;
let answers: u32 = 0;

/** The number of the query that is to be sent; 0: none. */
let asked: u32 = 0;
/** Headers of the answers that a client received in this step, u32 each; valid until the next step. */
export let statuses: usize = 0;
export let statusCount: i32 = 0;

export function statusInit(): void {
  items = arenaTake(STATUS_ITEMS_MAX * ITEM_BYTES);
  if ((roles & Role.client) != 0) statuses = arenaTake(RECEIVE_FRAMES * 4);
}

/** Starts a step: the host has read the answers, and may have asked again. */
export function statusClear(): void {
  statusCount = 0;
  if (asked != 0) sendQuery();
}

export function statusAsk(number: u32): void {
  asked = number;
}

function sendQuery(): void {
  const p = begin(
    Message.query,
    Role.client,
    Role.proposer | Role.acceptor | Role.learner | Role.client,
    0,
    0,
  );
  if (p == 0) return;
  store<u32>(p, asked, QUERY_NUMBER);
  store<u32>(p, 0, QUERY_NUMBER + 4);
  asked = 0;
  finish(p, QUERY_BYTES, groupAddress);
}

/** A part of an answer, for the host. */
export function statusHear(p: usize): void {
  if (<u32>statusCount == RECEIVE_FRAMES) return;
  store<u32>(statuses + (<usize>(statusCount++) << 2), <u32>p);
}

/** Begins an answer to the query at `p`. False when there is to be none. */
export function statusBegin(p: usize, now_us: u64): bool {
  // Its own query comes back to a client.
  if (load<u32>(p, HEADER_INCARNATION) == incarnation) return false;
  if (now_us >= periodEnd_us) {
    periodEnd_us = now_us + PERIOD_US;
    answers = 0;
  }
  if (answers == STATUS_ANSWERS_MAX || <u32>outboxRoom() < ROOM_KEPT) {
    count(Counter.unansweredQueries);
    return false;
  }
  answers++;
  itemCount = 0;
  decided = 0;
  statusField(StatusField.roles, roles);
  return true;
}

/** Adds what a role knows. */
export function statusField(field: i32, value: u64): void {
  put(Item.field, 0, field, 0, value);
}

/** How far a role of this node knows instances to be decided; the answer has the highest word of them. */
export function statusDecided(instance: u64): void {
  decided = max(decided, instance);
}

/** Adds the ballot of the leader heard last, if there was one. */
export function statusLeader(ballot: u64, heardAt_us: u64, now_us: u64): void {
  if (ballot == 0) return;
  statusField(StatusField.leaderBallot, ballot);
  statusField(StatusField.leaderSilence_ms, (now_us - heardAt_us) / 1000);
}

/** Adds a node that was heard at `heardAt_us`, 0 for never; of a learner, the next instance that it delivers. */
export function statusPeer(role: u32, id: u32, heardAt_us: u64, now_us: u64, delivered: u64): void {
  if (id == selfId && (roles & role) != 0) return;
  const ago_ms = heardAt_us == 0 ? AGO_NEVER : <u32>min<u64>((now_us - heardAt_us) / 1000, AGO_NEVER - 1);
  put(Item.peer, role, id, ago_ms, delivered);
}

/** Ends the answer to the query at `p` and sends it. */
export function statusSend(p: usize): void {
  if (decided != 0) statusField(StatusField.decided, decided);
  if (persistent) {
    statusField(StatusField.heldFrames, heldFrames());
    statusField(StatusField.heldFramesMax, HELD_FRAMES);
  }
  statusField(StatusField.outboxPeak, gauged(Gauge.outboxPeak));
  statusField(StatusField.outboxFramesMax, SEND_FRAMES);
  for (let counter = 0; counter < Counter.end; counter++) {
    const value = counted(counter);
    if (value != 0) put(Item.counter, 0, counter, 0, value);
  }
  const itemsMax = (mtu - STATUS_BYTES) / ITEM_BYTES;
  for (let first: u32 = 0; first < itemCount; first += itemsMax) {
    const q = begin(
      Message.status,
      // The lowest of its roles speaks for all of them.
      roles & (0 - roles),
      Role.client,
      load<u16>(p, HEADER_SENDER_ID),
      0,
    );
    if (q == 0) return;
    const count = min(itemCount - first, itemsMax);
    const bytes = count * ITEM_BYTES;
    store<u32>(q, load<u32>(p, QUERY_NUMBER), STATUS_NUMBER);
    store<u16>(q, <u16>itemCount, STATUS_TOTAL);
    store<u16>(q, <u16>first, STATUS_FIRST);
    store<u32>(q, count, STATUS_ITEMS);
    store<u32>(q, 0, STATUS_ITEMS + 4);
    memory.copy(q + STATUS_BYTES, items + <usize>(first * ITEM_BYTES), bytes);
    finish(q, STATUS_BYTES + bytes, sourceAddress(p));
  }
}

function put(kind: i32, role: u32, code: u32, ago_ms: u32, value: u64): void {
  assert(itemCount < STATUS_ITEMS_MAX, "too many items in a status");
  const item = items + <usize>(itemCount++ * ITEM_BYTES);
  store<u8>(item, <u8>kind, ITEM_KIND);
  store<u8>(item, <u8>role, ITEM_ROLE);
  store<u16>(item, <u16>code, ITEM_CODE);
  store<u32>(item, ago_ms, ITEM_AGO);
  store<u64>(item, value, ITEM_VALUE);
}
