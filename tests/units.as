/** Doors to the insides of the core, for tests that measure one piece against a model of it. */
import { arenaInit, arenaTake } from "../core/assembly/arena";
import { xxh64 } from "../core/assembly/checksum";
import { logGet, logHigh, logInit, logLow, logPut } from "../core/assembly/log";
import { paceAllows, paceAnswered, paceInit, paceLost, paceMarked } from "../core/assembly/pace";
import {
  pendingEmpty,
  pendingInit,
  pendingPush,
  pendingRoom,
  pendingTake,
  takenValues,
} from "../core/assembly/pending";
import { Sessions } from "../core/assembly/sessions";
import { addMember, settle, setSetting } from "../core/assembly/settings";
import { Window } from "../core/assembly/window";
import { Role, SESSIONS_MAX, Setting } from "../core/layout";

/** Readies the arena, as `init` does, and one page of bytes for the host to write to. Returns where. */
export function begin(acceptors: i32): usize {
  setSetting(Setting.roles, Role.acceptor);
  setSetting(Setting.mtu, 512);
  setSetting(Setting.incarnation, 1);
  setSetting(Setting.memory, 1);
  for (let id = 1; id <= acceptors; id++) addMember(Role.acceptor, id);
  settle();
  arenaInit();
  return arenaTake(0x10000);
}

/** Takes memory behind all that was taken before, for a test to see whether it is left alone. */
export function take(bytes: usize): usize {
  return arenaTake(bytes);
}

export function hash(at: usize, bytes: u32, seed: u64): u64 {
  return xxh64(at, bytes, seed);
}

let sessions: Sessions = changetype<Sessions>(0);
export function sessionsMake(): void {
  sessions = Sessions.make(SESSIONS_MAX);
}
export function sessionsHas(client: u64, sequence: u64): bool {
  return sessions.has(client, sequence);
}
export function sessionsAdd(client: u64, sequence: u64, count: u32): bool {
  return sessions.add(client, sequence, count);
}
export function sessionsClear(): void {
  sessions.clear();
}

export function logMake(bytes: u32): void {
  logInit(bytes);
}
export function put(instance: u64, ballot: u64, batch: usize, bytes: u32, values: u32, limit: u64): bool {
  return logPut(instance, ballot, batch, bytes, values, limit, 0);
}
export function low(): u64 {
  return logLow;
}
export function high(): u64 {
  return logHigh;
}
export function getBallot(instance: u64): u64 {
  const accepted = logGet(instance);
  return accepted == null ? 0 : accepted.ballot;
}
export function getBatch(instance: u64): usize {
  const accepted = logGet(instance);
  return accepted == null ? 0 : accepted.batch;
}
export function getBytes(instance: u64): u32 {
  const accepted = logGet(instance);
  return accepted == null ? 0 : accepted.bytes;
}
export function getValues(instance: u64): u32 {
  const accepted = logGet(instance);
  return accepted == null ? 0 : accepted.values;
}

export function queueMake(): void {
  pendingInit();
}
export function queueEmpty(): bool {
  return pendingEmpty();
}
/** Queues the run of `bytes` bytes at `run`; false when there is no room. */
export function queuePush(run: usize, bytes: u32): bool {
  const room = pendingRoom(bytes);
  if (room == 0) return false;
  memory.copy(room, run, bytes);
  pendingPush(room + bytes);
  return true;
}
export function queueTake(batch: usize, snug: u32, limit: u32, valuesMax: u32): u32 {
  return pendingTake(batch, snug, limit, valuesMax);
}
export function queueTaken(): u32 {
  return takenValues;
}

export function paceMake(): void {
  paceInit();
}
export function paceOpen(bytes: u64): bool {
  return paceAllows(bytes);
}
export function paceAnswer(bytes: u64, sentAt_us: u64): void {
  paceAnswered(bytes, sentAt_us);
}
export function paceMark(now_us: u64): void {
  paceMarked(now_us);
}
export function paceLose(now_us: u64): void {
  paceLost(now_us);
}

let window: Window = changetype<Window>(0);
export function windowMake(batchBytes: u32): void {
  window = Window.make(batchBytes, 1);
}
export function windowOffer(instance: u64, ballot: u64, batch: usize, bytes: u32): bool {
  return window.offer(instance, ballot, batch, bytes, 0);
}
export function windowVote(instance: u64, ballot: u64, acceptor: i32): bool {
  return window.vote(instance, ballot, acceptor);
}
export function windowReport(instance: u64, acceptor: i32): bool {
  return window.report(instance, acceptor);
}
export function windowLearn(instance: u64, ballot: u64, batch: usize, bytes: u32): bool {
  return window.learn(instance, ballot, batch, bytes, 0);
}
export function windowAdvance(base: u64): void {
  window.advance(base);
}
export function windowPlace(instance: u64): usize {
  return window.place(instance);
}
export function windowDrop(instance: u64): void {
  window.drop(instance);
}
export function windowClear(): void {
  window.clear();
}
export function windowInside(instance: u64): bool {
  return window.inside(instance);
}
export function windowAnnounce(ballot: u64, decided: u64): void {
  window.announce(ballot, decided);
}
export function windowDecided(instance: u64): bool {
  return window.slot(instance).decided;
}
export function windowBatch(instance: u64): usize {
  return window.batch(instance);
}
export function windowBytes(instance: u64): u32 {
  return window.slot(instance).bytes;
}
