/**
 * The sessions of clients, as learners keep them: a function of the log alone.
 *
 * Everything here happens by the log's order, and in terms of its instances. A session is used by
 * every run of its client and by commands that touch it. When the table is full, the least recently
 * used session that is closed, or was not used for `span` instances, makes room; so one that is not
 * closed is safe for `span` instances after each use.
 *
 * A command names the first undecided instance that its client knew when it was made, `born`; so it
 * is decided there or later. An old copy of it must not bring a forgotten client back, which could
 * then have its old values delivered again. The copy opened the session or used it, so the session's
 * last use was not before `born`: a command opens one only if `born` lies above the last use of every
 * session that was forgotten.
 *
 * A learner that began in the middle does not know who has a session. It takes every client for one
 * that has, and tells nobody what became of a command.
 */
import {
  Command,
  COMMAND_BORN,
  COMMAND_FLAGS,
  COMMAND_KIND,
  COMMAND_RESERVE,
  SESSIONS_MAX,
  Verdict,
} from "../layout";
import { arenaTake } from "./arena";
import { assembliesInit, assemblyRelease, assemblyReserve, NO_ASSEMBLY } from "./assembly";
import { NO_SESSION, Sessions } from "./sessions";

/** What the log says of the session at the same index of `sessions`. */
@unmanaged
class Standing {
  /** Instance of the last use. */
  used: u64;
  assembly: u32;
  closed: bool;
}

let sessions: Sessions = changetype<Sessions>(0);
let standings: usize = 0;
let span: u64 = 0;
/** False: this learner began in the middle. */
let complete: bool = true;
/** The highest last use of any session that was forgotten. */
let forgotten: u64 = 0;
/** Whether the client of the last command has an assembly. */
export let obeyedHasRoom: bool = false;

export function sessionTableInit(capacity: u32, safeSpan: u64, assemblies: u32, isComplete: bool): void {
  assert(capacity >= 1 && capacity <= SESSIONS_MAX && safeSpan >= 1, "sessions out of range");
  sessions = Sessions.make(capacity);
  standings = arenaTake(offsetof<Standing>() * <usize>capacity);
  assembliesInit(assemblies);
  span = safeSpan;
  complete = isComplete;
  forgotten = 0;
}

/** The session of a run decided in `instance`, which this uses; NO_SESSION: its values are refused. */
export function sessionOfRun(client: u64, first: u64, instance: u64): u32 {
  const index = sessions.find(client);
  if (index == NO_SESSION) return complete ? NO_SESSION : insert(client, first, instance);
  use(index, instance);
  return index;
}

/** Adds a sequence number to a session; false if it was there. */
export function sessionTake(index: u32, sequence: u64): bool {
  return sessions.take(index, sequence);
}

/** Where large values of the session are put together; NO_ASSEMBLY: no room was reserved. */
export function sessionAssembly(index: u32, instance: u64): u32 {
  const standing = at(index);
  // Who began in the middle may have missed the command that reserved the room.
  if (standing.assembly == NO_ASSEMBLY && !complete) reserve(index, instance);
  return standing.assembly;
}

/** Obeys the command at `command`, decided in `instance`. Returns the verdict to tell; 0: none. */
export function sessionObey(client: u64, command: usize, instance: u64): i32 {
  let index = sessions.find(client);
  obeyedHasRoom = false;
  if (load<u32>(command, COMMAND_KIND) == Command.close) {
    if (index != NO_SESSION) close(index, instance);
    return 0;
  }
  const isNew = index == NO_SESSION;
  if (isNew) {
    if (complete && load<u64>(command, COMMAND_BORN) <= forgotten) return Verdict.expired;
    index = insert(client, 1, instance);
    if (index == NO_SESSION) return Verdict.full;
  } else {
    use(index, instance);
  }
  const reserves = (load<u32>(command, COMMAND_FLAGS) & COMMAND_RESERVE) != 0;
  if (reserves && !at(index).closed && !reserve(index, instance)) {
    // It had no values yet, so it may come back.
    if (isNew) sessions.remove(index);
    return complete ? Verdict.full : 0;
  }
  obeyedHasRoom = at(index).assembly != NO_ASSEMBLY;
  return complete ? Verdict.open : 0;
}

@inline
function at(index: u32): Standing {
  return changetype<Standing>(standings + <usize>index * offsetof<Standing>());
}

function use(index: u32, instance: u64): void {
  sessions.use(index);
  at(index).used = instance;
}

/** Makes a session, if need be in the place of another; NO_SESSION: none may be forgotten. */
function insert(client: u64, sequence: u64, instance: u64): u32 {
  if (sessions.full) {
    let index = sessions.oldest;
    while (index != NO_SESSION && !at(index).closed && !isIdle(index, instance)) index = sessions.newer(index);
    if (index == NO_SESSION) {
      if (complete) return NO_SESSION;
      index = sessions.oldest;
    }
    forget(index);
  }
  const index = sessions.insert(client, sequence);
  const standing = at(index);
  standing.used = instance;
  standing.assembly = NO_ASSEMBLY;
  standing.closed = false;
  return index;
}

/** Reserves an assembly, if need be that of the least recently used session that may be forgotten with it. */
function reserve(index: u32, instance: u64): bool {
  const standing = at(index);
  if (standing.assembly != NO_ASSEMBLY) return true;
  standing.assembly = assemblyReserve();
  if (standing.assembly != NO_ASSEMBLY) return true;
  let other = sessions.oldest;
  while (other != NO_SESSION && isIdle(other, instance)) {
    if (at(other).assembly != NO_ASSEMBLY) {
      forget(other);
      standing.assembly = assemblyReserve();
      return true;
    }
    other = sessions.newer(other);
  }
  return false;
}

/** A closed session stays for copies of its values that are still under way, until its place is needed. */
function close(index: u32, instance: u64): void {
  use(index, instance);
  const standing = at(index);
  standing.closed = true;
  assemblyRelease(standing.assembly);
  standing.assembly = NO_ASSEMBLY;
}

@inline
function isIdle(index: u32, instance: u64): bool {
  return instance - at(index).used >= span;
}

function forget(index: u32): void {
  const standing = at(index);
  forgotten = max(forgotten, standing.used);
  assemblyRelease(standing.assembly);
  sessions.remove(index);
}
