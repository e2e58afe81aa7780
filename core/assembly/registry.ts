/**
 * Learners that an acceptor knows of: they said hi and keep renewing.
 *
 * The acceptor's log keeps what a registered learner has not delivered. A learner that neither
 * renews nor says bye for the length of a lease is gone, and holds nothing back any more. One that
 * lives and does not go on holds a full log until patience with it ends; then it is left behind.
 *
 * Both are judged by the acceptor's own clock. What that shows after a pause of the process, or a
 * jump, the learners had no chance to answer; so longer steps of it do not count (`catchUp`).
 */
import { Event, REGISTRATIONS_MAX, Role, Setting } from "../layout";
import { arenaTake } from "./arena";
import { note } from "./meters";
import { settingU32 } from "./settings";
import { statusPeer } from "./status";

/** Leases are looked at so often at least, and four times in the length of one. */
const EXPIRE_PERIOD_US: u64 = 100_000;

@unmanaged
class Registration {
  /** 0: free. */
  incarnation: u32;
  id: u32;
  /** Next instance it delivers; 0: it holds nothing back. */
  delivered: u64;
  heardAt_us: u64;
  /** Since when it holds a full log without having gone on; 0: it does not. */
  stuckAt_us: u64;
  /** Nothing is kept for it until it goes on: it was stuck for too long. */
  leftBehind: bool;
}

let table: usize = 0;
/** Registrations in use lie below this index. */
let used: i32 = 0;
let lease_us: u64 = 0;
let patience_us: u64 = 0;
export let expirePeriod_us: u64 = EXPIRE_PERIOD_US;
/** What the clock showed when it was last looked at. */
let seen_us: u64 = 0;

export function registryInit(): void {
  table = arenaTake(offsetof<Registration>() * REGISTRATIONS_MAX);
  lease_us = settingU32(Setting.learnerLease_us);
  patience_us = settingU32(Setting.learnerPatience_us);
  expirePeriod_us = min(EXPIRE_PERIOD_US, lease_us >> 2);
}

@inline
function at(index: i32): Registration {
  return changetype<Registration>(table + <usize>index * offsetof<Registration>());
}

/** Registers or renews. A learner that restarted is another one: the old one runs out by itself. */
export function registryHi(id: u32, incarnation: u32, delivered: u64, now_us: u64): void {
  catchUp(now_us);
  let free = -1;
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == incarnation && entry.id == id) {
      entry.heardAt_us = now_us;
      if (delivered != 0 && delivered <= entry.delivered) return;
      entry.delivered = delivered;
      entry.stuckAt_us = 0;
      entry.leftBehind = false;
      return;
    }
    if (entry.incarnation == 0) free = i;
  }
  if (free < 0) {
    // A full table registers nobody more: such a learner repairs as others do, but holds nothing back.
    if (used == REGISTRATIONS_MAX) return;
    free = used++;
  }
  const entry = at(free);
  entry.incarnation = incarnation;
  entry.id = id;
  entry.delivered = delivered;
  entry.heardAt_us = now_us;
  entry.stuckAt_us = 0;
  entry.leftBehind = false;
  note(Event.learnerHi, id, delivered);
}

export function registryBye(id: u32, incarnation: u32): void {
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation != incarnation || entry.id != id) continue;
    entry.incarnation = 0;
    note(Event.learnerBye, id, entry.delivered);
  }
}

export function registryExpire(now_us: u64): void {
  catchUp(now_us);
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == 0 || now_us - entry.heardAt_us < lease_us) continue;
    entry.incarnation = 0;
    note(Event.learnerGone, entry.id, entry.delivered);
  }
}

/** Id of the learner that the last `registryLowest` speaks of; 0: none. */
export let slowestLearner: u32 = 0;

/**
 * The lowest instance that a registered learner still has to deliver, `limit` at most. A learner that
 * needs what lies below `kept` cannot be helped here any more, and holds nothing back.
 */
export function registryLowest(kept: u64, limit: u64): u64 {
  let lowest = limit;
  slowestLearner = 0;
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (!holds(entry, kept) || entry.delivered >= lowest) continue;
    lowest = entry.delivered;
    slowestLearner = entry.id;
  }
  return lowest;
}

/**
 * The log is full: whoever holds back instances from `kept` to `limit` must go on, or is left behind
 * when patience ends. True if somebody was, so that there may be room now.
 */
export function registryFull(kept: u64, limit: u64, now_us: u64): bool {
  catchUp(now_us);
  let any = false;
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (!holds(entry, kept) || entry.delivered >= limit) continue;
    if (entry.stuckAt_us == 0) entry.stuckAt_us = now_us;
    if (now_us - entry.stuckAt_us < patience_us) continue;
    entry.leftBehind = true;
    any = true;
    note(Event.leftBehind, entry.id, entry.delivered);
  }
  return any;
}

function holds(entry: Registration, kept: u64): bool {
  return entry.incarnation != 0 && entry.delivered >= kept && !entry.leftBehind;
}

/** Takes out of all measured times what the clock went on at a stretch, beyond a step of its usual length. */
function catchUp(now_us: u64): void {
  const usual_us = expirePeriod_us * 2;
  const missed_us = now_us - seen_us > usual_us ? now_us - seen_us - usual_us : 0;
  seen_us = now_us;
  if (missed_us == 0) return;
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    entry.heardAt_us += missed_us;
    if (entry.stuckAt_us != 0) entry.stuckAt_us += missed_us;
  }
}

/** Tells of every registered learner when it was heard, and how far it is. */
export function registryStatus(now_us: u64): void {
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == 0) continue;
    statusPeer(Role.learner, entry.id, entry.heardAt_us, now_us, entry.delivered);
  }
}
