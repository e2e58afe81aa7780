/**
 * Checkpoints: a learner's state between two instances, from which it goes on after a crash.
 *
 * What a learner delivers is a function of the log, so its state is the next instance, the table of
 * sessions and what is put together of large values. What changed since the last checkpoint is copied at
 * a boundary between instances, while delivery goes on. The copy becomes records, all in one step and so
 * in one commit, as soon as the host can no longer lose a value that was delivered before: otherwise a
 * crash would leave a checkpoint behind that is ahead of what the consumer got.
 */
import {
  ASSEMBLIES_MAX,
  CHECKPOINT_BYTES,
  CHUNK_BYTES,
  Counter,
  Gauge,
  KEPT_ASSEMBLY_BYTES,
  PIECE_BYTES,
  Record,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INSTANCE,
  RECORD_KIND,
  RecoveryFault,
  RUN_BYTES,
  VALUE_HEADER_BYTES,
} from "../layout";
import { arenaTake } from "./arena";
import {
  assembliesMost,
  assemblyBuffer,
  assemblyKeep,
  assemblyRestore,
  assemblyRestorePiece,
  assemblyTakeDirty,
  dirtyAssemblies,
  dirtyPieces,
  PIECES,
} from "./assembly";
import { Run } from "./batch";
import { counted, gauge } from "./meters";
import {
  appendRecord,
  durableRecords,
  journalCapacity,
  journalFits,
  records,
  recoveryAt,
  sizeOf,
} from "./records";
import {
  dirtySessions,
  KEPT_SESSION_MOST,
  sessionKeep,
  sessionNextDirty,
  sessionOrder,
  sessionRestore,
  sessionTableKeep,
  sessionTableRestore,
} from "./session_table";
import { batchBytesMax } from "./settings";

/** A checkpoint is made so often while a learner goes on. */
const PERIOD_US: u64 = 100_000;
/** How soon it is asked again whether the host still holds values. */
const HOST_US: u64 = 5_000;
const NEVER: u64 = u64.MAX_VALUE;

/** Bytes that a place, or a piece, takes at most as a record. */
const SESSION_MOST: usize = RECORD_BYTES + KEPT_SESSION_MOST;
const PIECE_MOST: usize = RECORD_BYTES + PIECE_BYTES;
const ASSEMBLY_MOST: usize = RECORD_BYTES + KEPT_ASSEMBLY_BYTES;
/** The shortest value is an empty one, and the shortest chunk that touches two pieces brings two bytes. */
const RUN_LEAST: usize = RUN_BYTES + 8;
const CHUNK_LEAST: usize = VALUE_HEADER_BYTES + CHUNK_BYTES + 2;

/** Assemblies and the record that ends a checkpoint. */
const REST_MOST: usize = <usize>ASSEMBLIES_MAX * ASSEMBLY_MOST + RECORD_BYTES + CHECKPOINT_BYTES;

/** Where a crash would take the learner back to: the newest durable checkpoint, or where it began. */
export let safeInstance: u64 = 0;
/** Where the newest checkpoint was made, durable or not. */
let latest: u64 = 0;
/** One is to be made at the next boundary; or when it is time for one. */
let isWanted: bool = false;
let wantedAt_us: u64 = 0;
let clock_us: u64 = 0;
/** Values delivered that the host cannot lose any more; if it does not tell, those of earlier steps. */
let taken: u64 = 0;
let hostTells: bool = false;

/** The copy: records but for their checksums, one after another. 0 bytes: there is none. */
let copy: usize = 0;
let copyBytes: usize = 0;
let copyRecords: u64 = 0;
/** Values that were delivered when it was made. */
let copyDelivered: u64 = 0;
/** Number of the record that ends the checkpoint that storage writes; 0: it writes none. */
let endRecord: u64 = 0;
let endInstance: u64 = 0;

/** Bytes of the journal with which any instance can be delivered. */
export function checkpointLeast(): usize {
  return REST_MOST + mostOf(<usize>batchBytesMax / RUN_LEAST, <usize>batchBytesMax / CHUNK_LEAST);
}

export function checkpointInit(): void {
  copy = arenaTake(journalCapacity());
}

/** The learner begins here, and has no checkpoint. */
export function checkpointBegin(next: u64): void {
  safeInstance = next;
  latest = next;
}

/** Starts a step. */
export function checkpointClear(): void {
  if (!hostTells) taken = counted(Counter.deliveredValues);
}

/** The host cannot lose so many delivered values any more; from now on it tells. */
export function checkpointTaken(values: u64): void {
  hostTells = true;
  taken = values;
}

/** The learner stands between two instances, of which `next` is the next: makes a checkpoint if it is time. */
export function checkpointBetween(next: u64): void {
  if (copyBytes != 0 || next == latest) return;
  if (isWanted || dirtyBytes() >= journalCapacity() / 4) make(next);
}

/** Whether the next checkpoint has room for what the next instance may change; if not, it must be made first. */
export function checkpointCarries(batch: usize, bytes: u32): bool {
  const room = journalCapacity() - dirtyBytes();
  if (room >= mostOf(<usize>bytes / RUN_LEAST, <usize>bytes / CHUNK_LEAST)) return true;
  let runs: usize = 0;
  let chunks: usize = 0;
  for (let run = batch; run < batch + bytes; run = Run.end(run)) {
    runs++;
    let value = run + RUN_BYTES;
    for (let n = Run.count(run); n > 0; n--) {
      if (Run.isChunk(value)) chunks++;
      value = Run.next(value);
    }
  }
  return room >= mostOf(runs, chunks);
}

/** Hands the copy to storage when it may, and sees what became durable. Returns when it is to be called next, µs. */
export function checkpointTick(next: u64, isBetween: bool, now_us: u64): u64 {
  clock_us = now_us;
  if (endRecord != 0 && durableRecords >= endRecord) settle();
  if (copyBytes != 0) {
    if (taken < copyDelivered) return hostTells ? now_us + HOST_US : now_us;
    // The host wakes the node when something has become durable.
    return append() ? now_us : NEVER;
  }
  if (next == latest) return NEVER;
  if (now_us < wantedAt_us) return wantedAt_us;
  isWanted = true;
  return isBetween ? now_us : NEVER;
}

/** The last turn: what can be kept is. */
export function checkpointLeave(next: u64, isBetween: bool): void {
  if (copyBytes != 0 && (taken < copyDelivered || !append())) return;
  if (endRecord != 0 || !isBetween || next == latest || taken < counted(Counter.deliveredValues)) return;
  make(next);
  append();
}

/** Takes back the record at `recoveryAt`. Returns what is wrong with it, one of `RecoveryFault`. */
export function checkpointRecover(): i32 {
  const key = load<u64>(recoveryAt, RECORD_INSTANCE);
  const bytes = load<u32>(recoveryAt, RECORD_BATCH_BYTES);
  const kept = recoveryAt + RECORD_BYTES;
  switch (<i32>load<u16>(recoveryAt, RECORD_KIND)) {
    case Record.session:
      return sessionRestore(key, load<u64>(recoveryAt, RECORD_BALLOT), kept, bytes);
    case Record.assembly:
      return assemblyRestore(key, kept, bytes);
    case Record.piece:
      return assemblyRestorePiece(key, kept, bytes);
  }
  const fault = sessionTableRestore(key, kept, bytes);
  if (fault != RecoveryFault.none) return fault;
  checkpointBegin(key);
  gauge(Gauge.checkpoint, key);
  return RecoveryFault.none;
}

/** Most bytes that what changed may take. */
function dirtyBytes(): usize {
  return REST_MOST + <usize>dirtySessions * SESSION_MOST + <usize>dirtyPieces * PIECE_MOST;
}

/** Most bytes that so many runs and chunks may add: a run changes its client's session, and one in whose place that comes. */
@inline
function mostOf(runs: usize, chunks: usize): usize {
  return runs * 2 * SESSION_MOST + chunks * 2 * PIECE_MOST;
}

/** Copies what changed. */
function make(next: u64): void {
  assert(dirtyBytes() <= journalCapacity(), "more changed than a checkpoint can carry");
  for (let index: u32 = 0; index < assembliesMost; index++) {
    if ((dirtyAssemblies & (1 << index)) == 0) continue;
    assemblyKeep(index, payload());
    add(Record.assembly, index, KEPT_ASSEMBLY_BYTES);
    for (let pieces = assemblyTakeDirty(index); pieces != 0; pieces &= pieces - 1) {
      const piece = <usize>ctz(pieces);
      memory.copy(payload(), assemblyBuffer(index) + piece * PIECE_BYTES, PIECE_BYTES);
      add(Record.piece, <u64>index * PIECES + <u64>piece, PIECE_BYTES);
    }
  }
  while (dirtySessions > 0) {
    const index = sessionNextDirty();
    add(Record.session, index, sessionKeep(index, payload()), sessionOrder(index));
  }
  sessionTableKeep(payload());
  add(Record.checkpoint, next, CHECKPOINT_BYTES);
  copyDelivered = counted(Counter.deliveredValues);
  latest = next;
  isWanted = false;
  wantedAt_us = clock_us + PERIOD_US;
}

@inline
function payload(): usize {
  return copy + copyBytes + RECORD_BYTES;
}

/** Ends the record whose payload was written. */
function add(kind: i32, key: u64, bytes: u32, order: u64 = 0): void {
  const at = copy + copyBytes;
  store<u64>(at, order, RECORD_BALLOT);
  store<u16>(at, <u16>kind, RECORD_KIND);
  store<u64>(at, key, RECORD_INSTANCE);
  store<u32>(at, bytes, RECORD_BATCH_BYTES);
  copyBytes += sizeOf(bytes);
  copyRecords++;
}

/** Appends the copy to the journal, if there is room, and storage has written the last one. */
function append(): bool {
  if (endRecord != 0 || !journalFits(copyBytes, copyRecords)) return false;
  for (let at = copy; at < copy + copyBytes;) {
    const bytes = load<u32>(at, RECORD_BATCH_BYTES);
    const kind = <i32>load<u16>(at, RECORD_KIND);
    const order = load<u64>(at, RECORD_BALLOT);
    appendRecord(kind, order, 0, load<u64>(at, RECORD_INSTANCE), at + RECORD_BYTES, bytes, 0);
    at += sizeOf(bytes);
  }
  endRecord = records;
  endInstance = latest;
  copyBytes = 0;
  copyRecords = 0;
  return true;
}

/** The checkpoint in the journal is durable. */
function settle(): void {
  endRecord = 0;
  safeInstance = endInstance;
  gauge(Gauge.checkpoint, safeInstance);
}
