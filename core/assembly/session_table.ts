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
  CHECKPOINT_ASSEMBLIES,
  CHECKPOINT_BYTES,
  CHECKPOINT_CAPACITY,
  CHECKPOINT_COMPLETE,
  CHECKPOINT_FORGOTTEN,
  CHECKPOINT_SESSIONS,
  CHECKPOINT_SPAN,
  CHECKPOINT_USES,
  Command,
  COMMAND_BORN,
  COMMAND_FLAGS,
  COMMAND_KIND,
  COMMAND_RESERVE,
  KEPT_SESSION_ASSEMBLY,
  KEPT_SESSION_BASE,
  KEPT_SESSION_BITS,
  KEPT_SESSION_CLIENT,
  KEPT_SESSION_CLOSED,
  KEPT_SESSION_FLAGS,
  KEPT_SESSION_SEEN,
  KEPT_SESSION_USED,
  RecoveryFault,
  SESSION_SEQUENCES,
  SESSIONS_MAX,
  Verdict,
} from "../layout";
import { arenaTake } from "./arena";
import {
  assembliesInit,
  assembliesMost,
  assembliesRestored,
  assemblyIsReserved,
  assemblyRelease,
  assemblyReserve,
  NO_ASSEMBLY,
} from "./assembly";
import { NO_SESSION, Sessions } from "./sessions";
import { persistent } from "./settings";

/** Most bytes of what `sessionKeep` writes. */
export const KEPT_SESSION_MOST: u32 = KEPT_SESSION_SEEN + SESSION_SEQUENCES / 8;

/** What the log says of the session at the same index of `sessions`. */
@unmanaged
class Standing {
  /** Instance of the last use. */
  used: u64;
  /** Number of its last use, counting all uses of sessions; 0: there is no session here. With storage only. */
  order: u64;
  assembly: u32;
  closed: bool;
  /** It changed since the last checkpoint. */
  isDirty: bool;
}

let sessions: Sessions = changetype<Sessions>(0);
let standings: usize = 0;
let places: u32 = 0;
let span: u64 = 0;
/** False: this learner began in the middle. */
let complete: bool = true;
/** The highest last use of any session that was forgotten. */
let forgotten: u64 = 0;
/** Uses of sessions so far. With storage only. */
let uses: u64 = 0;
/** The places that changed since the last checkpoint. */
let dirty: usize = 0;
export let dirtySessions: u32 = 0;
/** Whether the client of the last command has an assembly. */
export let obeyedHasRoom: bool = false;

export function sessionTableInit(capacity: u32, safeSpan: u64, assemblies: u32, isComplete: bool): void {
  assert(capacity >= 1 && capacity <= SESSIONS_MAX && safeSpan >= 1, "sessions out of range");
  sessions = Sessions.make(capacity);
  standings = arenaTake(offsetof<Standing>() * <usize>capacity);
  if (persistent) dirty = arenaTake(<usize>capacity * 4);
  assembliesInit(assemblies);
  places = capacity;
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

/** Adds sequence numbers that follow one another; false, and none was added, if one of them was there. */
export function sessionTakeAll(index: u32, first: u64, values: u32): bool {
  return sessions.takeAll(index, first, values);
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
    if (isNew) remove(index);
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
  if (persistent) mark(index);
}

/** Notes a change of the session: whatever changes one uses it, or takes it away. */
function mark(index: u32): void {
  const standing = at(index);
  standing.order = ++uses;
  if (standing.isDirty) return;
  standing.isDirty = true;
  store<u32>(dirty + (<usize>(dirtySessions++) << 2), index);
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
  if (persistent) mark(index);
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
  remove(index);
}

function remove(index: u32): void {
  sessions.remove(index);
  if (!persistent) return;
  mark(index);
  at(index).order = 0;
}

/** Takes the place that is first of those that changed from the list of them. */
export function sessionNextDirty(): u32 {
  const index = load<u32>(dirty + (<usize>(--dirtySessions) << 2));
  at(index).isDirty = false;
  return index;
}

/** Writes what a checkpoint keeps of the place; returns how many bytes that are. */
export function sessionKeep(index: u32, to: usize): u32 {
  const standing = at(index);
  if (standing.order == 0) return 0;
  let flags = standing.closed ? KEPT_SESSION_CLOSED : 0;
  let bytes = sessions.keepSeen(index, to + KEPT_SESSION_SEEN);
  if (bytes < 0) {
    bytes = sessions.keepBits(index, to + KEPT_SESSION_SEEN);
    flags |= KEPT_SESSION_BITS;
  }
  store<u64>(to, sessions.client(index), KEPT_SESSION_CLIENT);
  store<u64>(to, sessions.base(index), KEPT_SESSION_BASE);
  store<u64>(to, standing.used, KEPT_SESSION_USED);
  store<u32>(to, standing.assembly, KEPT_SESSION_ASSEMBLY);
  store<u32>(to, flags, KEPT_SESSION_FLAGS);
  return KEPT_SESSION_SEEN + bytes;
}

/** Writes what a checkpoint keeps of the table besides its sessions: `CHECKPOINT_BYTES`. */
export function sessionTableKeep(to: usize): void {
  store<u64>(to, uses, CHECKPOINT_USES);
  store<u64>(to, forgotten, CHECKPOINT_FORGOTTEN);
  store<u64>(to, span, CHECKPOINT_SPAN);
  store<u32>(to, places, CHECKPOINT_CAPACITY);
  store<u32>(to, assembliesMost, CHECKPOINT_ASSEMBLIES);
  store<u32>(to, sessions.count(), CHECKPOINT_SESSIONS);
  store<u32>(to, complete ? 1 : 0, CHECKPOINT_COMPLETE);
}

/** Number of the place's last use. */
export function sessionOrder(index: u32): u64 {
  return at(index).order;
}

/** Takes back what `sessionKeep` wrote of a session with the `order`th use as its last; in any order of places. */
export function sessionRestore(place: u64, order: u64, kept: usize, bytes: u32): i32 {
  if (bytes == 0) return RecoveryFault.none;
  // The other limits are told by the checkpoint, which comes last.
  if (place >= places) return RecoveryFault.limits;
  if (bytes < KEPT_SESSION_SEEN || bytes > KEPT_SESSION_MOST) return RecoveryFault.session;
  const index = <u32>place;
  const standing = at(index);
  const flags = load<u32>(kept, KEPT_SESSION_FLAGS);
  const isBits = (flags & KEPT_SESSION_BITS) != 0;
  if (isBits ? bytes != KEPT_SESSION_MOST : (bytes & 3) != 0) return RecoveryFault.session;
  const client = load<u64>(kept, KEPT_SESSION_CLIENT);
  const base = load<u64>(kept, KEPT_SESSION_BASE);
  standing.order = order;
  standing.used = load<u64>(kept, KEPT_SESSION_USED);
  standing.assembly = load<u32>(kept, KEPT_SESSION_ASSEMBLY);
  standing.closed = (flags & KEPT_SESSION_CLOSED) != 0;
  if (client == 0 || order == 0) return RecoveryFault.session;
  const seen = kept + KEPT_SESSION_SEEN;
  if (!sessions.restore(index, client, base, seen, bytes - KEPT_SESSION_SEEN, isBits)) return RecoveryFault.session;
  let older = sessions.newest;
  while (older != NO_SESSION && at(older).order > order) older = sessions.older(older);
  if (older != NO_SESSION && at(older).order == order) return RecoveryFault.session;
  sessions.restoreUse(index, older);
  return RecoveryFault.none;
}

/** Takes back what `sessionTableKeep` wrote, of a checkpoint of `next`; all sessions and assemblies were taken back before. */
export function sessionTableRestore(next: u64, kept: usize, bytes: u32): i32 {
  if (bytes != CHECKPOINT_BYTES) return RecoveryFault.checkpoint;
  uses = load<u64>(kept, CHECKPOINT_USES);
  forgotten = load<u64>(kept, CHECKPOINT_FORGOTTEN);
  complete = load<u32>(kept, CHECKPOINT_COMPLETE) != 0;
  if (
    load<u64>(kept, CHECKPOINT_SPAN) != span || load<u32>(kept, CHECKPOINT_CAPACITY) != places ||
    load<u32>(kept, CHECKPOINT_ASSEMBLIES) != assembliesMost
  ) return RecoveryFault.limits;
  sessions.restoreEnd();
  if (sessions.count() != load<u32>(kept, CHECKPOINT_SESSIONS)) return RecoveryFault.incomplete;
  if (forgotten >= next) return RecoveryFault.checkpoint;
  let owned: u32 = 0;
  for (let index = sessions.oldest; index != NO_SESSION; index = sessions.newer(index)) {
    const standing = at(index);
    if (standing.used >= next || standing.order > uses) return RecoveryFault.session;
    if (standing.assembly == NO_ASSEMBLY) continue;
    if (!assemblyIsReserved(standing.assembly) || (owned & (1 << standing.assembly)) != 0) return RecoveryFault.assembly;
    owned |= 1 << standing.assembly;
  }
  return assembliesRestored(owned) ? RecoveryFault.none : RecoveryFault.incomplete;
}
