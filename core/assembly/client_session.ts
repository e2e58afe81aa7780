/**
 * The sessions of a process' virtual clients, as far as they know: opened before the first value,
 * touched when the log moves on without them, closed at the end.
 *
 * A session that was used in instance u is sure to be there before u + `span`; then learners deliver
 * what is decided. Beyond that only learners can tell, in a verdict. A command of a client whose
 * session was forgotten is always refused (`session_table.ts`); so the verdict that it is open means
 * that it was there all the time since it was opened.
 */
import {
  Command,
  COMMAND_BORN,
  COMMAND_BYTES,
  COMMAND_FLAGS,
  COMMAND_KIND,
  COMMAND_RESERVE,
  Event,
  Gauge,
  Message,
  Role,
  RUN_BYTES,
  SESSION_BYTES,
  SESSION_COUNT,
  Setting,
  SUBMIT_BATCH_BYTES,
  SUBMIT_BYTES,
  SUBMIT_VALUES,
  VALUE_HEADER_BYTES,
  Verdict,
  VERDICT_BYTES,
  VERDICT_CLIENT,
  VERDICT_FLAGS,
  VERDICT_INSTANCE,
  VERDICT_VERDICT,
} from "../layout";
import { arenaTake } from "./arena";
import { Run } from "./batch";
import { gauge, note } from "./meters";
import { begin, finish, outboxRoom } from "./outbox";
import { proposerAddress } from "./peers";
import { batchBytesMax, proposerIndex, settingU32 } from "./settings";

/** First wait for a verdict; it doubles. */
const VERDICT_FIRST_US: u64 = 50_000;
const ROOM_KEPT: i32 = 16;
const COMMAND_RUN_BYTES: u32 = <u32>((RUN_BYTES + VALUE_HEADER_BYTES + COMMAND_BYTES + 7) & ~7);
const NEVER: u64 = u64.MAX_VALUE;

@unmanaged
class ClientSession {
  /** First undecided instance that was known when its commands were made; 0: none was made yet. */
  born: u64;
  /** Instance of the last use that is known; 0: it was not opened yet. */
  used: u64;
  /** When its command is due, while it needs one. */
  askAt_us: u64;
  tries: u32;
  /** Room to put large values together is wanted, and is there. */
  wantsRoom: bool;
  hasRoom: bool;
  /** It expired, or was refused. */
  lost: bool;
}

let sessions: usize = 0;
let sessionCount: u32 = 0;
let clientBase: u64 = 0;
let span: u64 = 0;
/** Longest wait for a verdict. */
let waitMax_us: u64 = 0;
/** First undecided instance, as far as was heard; 0: not yet. */
let decided: u64 = 0;
/** When the sessions are looked at next, and at which undecided instance at the latest. */
let lookAt_us: u64 = 0;
let touchAt: u64 = 0;

export function clientSessionsInit(clients: u32, firstClient: u64, timeoutMax_us: u64): void {
  sessions = arenaTake(<usize>clients * offsetof<ClientSession>());
  sessionCount = clients;
  clientBase = firstClient;
  span = settingU32(Setting.sessionSpan);
  waitMax_us = timeoutMax_us;
  gauge(Gauge.sessionsPending, clients);
}

export function sessionIsOpen(client: u32): bool {
  const session = at(client);
  return session.used != 0 && !session.lost;
}

/** Whether the client's large values can be put together; if not, room for that is asked for. */
export function sessionHasRoom(client: u32): bool {
  const session = at(client);
  if (!session.wantsRoom) {
    session.wantsRoom = true;
    lookAt_us = 0;
  }
  return session.hasRoom;
}

/** Whether the session is sure to have been there in an instance. */
export function sessionIsSafe(client: u32, instance: u64): bool {
  const session = at(client);
  return session.used != 0 && instance < session.used + span;
}

/** A value of the client was decided in an instance in which the session was there. */
export function sessionUse(client: u32, instance: u64): void {
  const session = at(client);
  if (instance > session.used) session.used = instance;
}

/** All instances below are decided. */
export function sessionsHear(to: u64): void {
  if (decided == 0) lookAt_us = 0;
  if (to > decided) decided = to;
}

/** Another proposer leads: commands may be lost with the old one. */
export function sessionsRepeat(): void {
  for (let c: u32 = 0; c < sessionCount; c++) {
    at(c).askAt_us = 0;
    at(c).tries = 0;
  }
  lookAt_us = 0;
}

/** A learner tells what became of commands. */
export function sessionsVerdicts(p: usize): void {
  const verdicts = load<u32>(p, SESSION_COUNT);
  for (let n: u32 = 0; n < verdicts; n++) {
    const verdict = p + SESSION_BYTES + <usize>n * VERDICT_BYTES;
    const client = load<u64>(verdict, VERDICT_CLIENT) - clientBase;
    if (client < sessionCount) take(<u32>client, verdict);
  }
}

function take(client: u32, verdict: usize): void {
  const session = at(client);
  const instance = load<u64>(verdict, VERDICT_INSTANCE);
  // A verdict on a command from before the present one, or on an older use.
  if (session.born == 0 || instance < session.born || instance < session.used || session.lost) return;
  lookAt_us = 0;
  session.tries = 0;
  session.askAt_us = 0;
  const kind = load<u32>(verdict, VERDICT_VERDICT);
  if (kind == Verdict.open) {
    session.used = instance;
    if ((load<u32>(verdict, VERDICT_FLAGS) & COMMAND_RESERVE) != 0) session.hasRoom = true;
  } else if (kind == Verdict.expired && session.used == 0) {
    // It had no values yet, so it may come as a new one.
    session.born = instance + 1;
  } else {
    session.lost = true;
    const expired = kind == Verdict.expired;
    note(expired ? Event.sessionExpired : Event.sessionFull, client, clientBase + client);
  }
}

/** Sends the commands that are due to the proposer `to`. */
export function sessionsFlush(to: u32, now_us: u64): void {
  if ((now_us < lookAt_us && decided < touchAt) || decided == 0) return;
  lookAt_us = NEVER;
  touchAt = NEVER;
  let pending: u64 = 0;
  let p: usize = 0;
  let bytes: u32 = 0;
  for (let c: u32 = 0; c < sessionCount; c++) {
    const session = at(c);
    if (session.lost) continue;
    if (!isNeedy(session)) {
      touchAt = min(touchAt, session.used + (span >> 2));
      continue;
    }
    pending++;
    if (now_us >= session.askAt_us) {
      if (p != 0 && bytes + COMMAND_RUN_BYTES > batchBytesMax) p = send(p, bytes, to);
      if (p == 0 && outboxRoom() > ROOM_KEPT) {
        p = begin(Message.submit, Role.client, Role.proposer, to, 0);
        bytes = 0;
      }
      if (p != 0) {
        if (session.born == 0) session.born = decided;
        put(p + SUBMIT_BYTES + bytes, c, Command.open, session.wantsRoom ? COMMAND_RESERVE : 0);
        bytes += COMMAND_RUN_BYTES;
        session.askAt_us = now_us + min(VERDICT_FIRST_US << min(<u64>session.tries, 8), waitMax_us);
        session.tries++;
      }
    }
    lookAt_us = min(lookAt_us, max(session.askAt_us, now_us + 1000));
  }
  if (p != 0) send(p, bytes, to);
  gauge(Gauge.sessionsPending, pending);
}

/** When commands are due next, µs, if a proposer is known to take them. */
export function sessionsDue(): u64 {
  return decided == 0 ? NEVER : lookAt_us;
}

/** Says of every session that its client leaves. */
export function sessionsClose(to: u32): void {
  let p: usize = 0;
  let bytes: u32 = 0;
  for (let c: u32 = 0; c < sessionCount && to != 0; c++) {
    if (!sessionIsOpen(c)) continue;
    if (p != 0 && bytes + COMMAND_RUN_BYTES > batchBytesMax) p = send(p, bytes, to);
    if (p == 0) {
      p = begin(Message.submit, Role.client, Role.proposer, to, 0);
      bytes = 0;
    }
    if (p == 0) return;
    put(p + SUBMIT_BYTES + bytes, c, Command.close, 0);
    bytes += COMMAND_RUN_BYTES;
  }
  if (p != 0) send(p, bytes, to);
}

/** It is not open, lacks room that is wanted, or was not used for so long that it is time to. */
function isNeedy(session: ClientSession): bool {
  if (session.used == 0 || (session.wantsRoom && !session.hasRoom)) return true;
  return decided >= session.used + (span >> 2);
}

function put(run: usize, client: u32, kind: u32, flags: u32): void {
  Run.set(run, clientBase + client, 0, 1);
  store<u16>(run + RUN_BYTES, <u16>COMMAND_BYTES);
  const command = run + RUN_BYTES + VALUE_HEADER_BYTES;
  store<u64>(command, at(client).born, COMMAND_BORN);
  store<u32>(command, kind, COMMAND_KIND);
  store<u32>(command, flags, COMMAND_FLAGS);
  const end = command + COMMAND_BYTES;
  memory.fill(end, 0, run + COMMAND_RUN_BYTES - end);
}

/** Ends a frame of commands. */
function send(p: usize, bytes: u32, to: u32): usize {
  store<u32>(p, bytes, SUBMIT_BATCH_BYTES);
  store<u32>(p, bytes / COMMAND_RUN_BYTES, SUBMIT_VALUES);
  finish(p, SUBMIT_BYTES + bytes, proposerAddress(proposerIndex(to)));
  return 0;
}

@inline
function at(client: u32): ClientSession {
  return changetype<ClientSession>(sessions + <usize>client * offsetof<ClientSession>());
}
