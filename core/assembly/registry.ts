/**
 * Learners that an acceptor knows of: they said hi and keep renewing.
 *
 * The acceptor's log keeps what a registered learner has not delivered. A learner that neither
 * renews nor says bye for the length of a lease is gone, and holds nothing back any more.
 */
import { Event, REGISTRATIONS_MAX, Role } from "../layout";
import { arenaTake } from "./arena";
import { note } from "./meters";
import { statusPeer } from "./status";

/**
 * A learner renews ten times a second. Until it is taken for gone the log may fill up and votes
 * stop, so the lease is not longer than ten lost renewals.
 */
const LEASE_US: u64 = 1_000_000;

@unmanaged
class Registration {
  /** 0: free. */
  incarnation: u32;
  id: u32;
  /** Next instance it delivers; 0: it holds nothing back. */
  delivered: u64;
  heardAt_us: u64;
}

let table: usize = 0;
/** Registrations in use lie below this index. */
let used: i32 = 0;

export function registryInit(): void {
  table = arenaTake(offsetof<Registration>() * REGISTRATIONS_MAX);
}

@inline
function at(index: i32): Registration {
  return changetype<Registration>(table + <usize>index * offsetof<Registration>());
}

/** Registers or renews. A learner that restarted is another one: the old one runs out by itself. */
export function registryHi(id: u32, incarnation: u32, delivered: u64, now_us: u64): void {
  let free = -1;
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == incarnation && entry.id == id) {
      if (delivered == 0 || delivered > entry.delivered) entry.delivered = delivered;
      entry.heardAt_us = now_us;
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
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == 0 || now_us - entry.heardAt_us < LEASE_US) continue;
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
    if (entry.incarnation == 0 || entry.delivered < kept || entry.delivered >= lowest) continue;
    lowest = entry.delivered;
    slowestLearner = entry.id;
  }
  return lowest;
}

/** Tells of every registered learner when it was heard, and how far it is. */
export function registryStatus(now_us: u64): void {
  for (let i = 0; i < used; i++) {
    const entry = at(i);
    if (entry.incarnation == 0) continue;
    statusPeer(Role.learner, entry.id, entry.heardAt_us, now_us, entry.delivered);
  }
}
