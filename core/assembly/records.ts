/**
 * Records: what a node must find again after a crash, and the journal in which they wait for storage.
 *
 * A step appends records; each has a number, and what reveals it waits in the outbox until storage calls
 * that number durable. A record is written down whole, as it will be stored, in a ring of bytes that
 * storage reads while the node goes on; it stays there, untouched, until it is durable. After a restart
 * the host hands what is stored back, before the first step.
 */
import {
  Gauge,
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_MIN,
  PIECE_BYTES,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_CHECKSUM,
  RECORD_FORMAT,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  RECORD_VALUES,
  RECORDS_IN_FLIGHT,
  Setting,
  STORAGE_FORMAT,
} from "../layout";
import { arenaTake } from "./arena";
import { xxh64 } from "./checksum";
import { gauge } from "./meters";
import { batchBytesMax, persistent, settingU32 } from "./settings";

/** Kept free for records that cannot be refused, which are few and small. */
const RESERVE_BYTES: usize = 1 << 16;
const RESERVE_RECORDS: u64 = 512;

/** What a record that does not fit before the journal's end leaves empty there, at most. */
const WASTE_BYTES: usize = RECORD_BYTES + PIECE_BYTES;

/** Number of the newest record; they count from 1. */
export let records: u64 = 0;
/** Number of the newest record when this step began. */
let recordsBefore: u64 = 0;
/** All records up to this one are durable: what they took of the journal is free. */
export let durableRecords: u64 = 0;
/** Storage failed: whatever is appended will never be durable, and is not kept. */
export let recordsFailed: bool = false;

let journal: usize = 0;
let journalBytes: usize = 0;
/** Where the next record goes, and where the oldest that is not durable begins; equal: there is none. */
let head: usize = 0;
let tail: usize = 0;
/** Kept free now, for those and for a checkpoint that waits. */
let keptBytes: usize = RESERVE_BYTES;
/** Where record `n` lies: u32 at index `n` modulo `RECORDS_IN_FLIGHT`. */
export let recordPointers: usize = 0;
/** Where the host lays a record that it hands back, as it was stored. */
export let recoveryAt: usize = 0;

/** `checkpointBytes`: what a checkpoint must be able to take. */
export function recordsInit(checkpointBytes: usize): void {
  if (!persistent) return;
  journalBytes = min(max(settingU32(Setting.logBytes) >> 3, JOURNAL_BYTES_MIN), JOURNAL_BYTES_MAX);
  journalBytes = max(journalBytes, sizeOf(<u32>checkpointBytes) + RESERVE_BYTES + WASTE_BYTES);
  journal = arenaTake(journalBytes);
  recordPointers = arenaTake(RECORDS_IN_FLIGHT * 4);
  recoveryAt = arenaTake(RECORD_BYTES + max(batchBytesMax, PIECE_BYTES));
}

/** Starts a step: all records up to `durable` are durable. */
export function recordsClear(durable: u64): void {
  assert(durable <= records, "storage claims a record that was never appended");
  recordsBefore = records;
  if (!persistent || durable <= durableRecords) return;
  durableRecords = durable;
  const last = pointer(durable);
  tail = last - journal + sizeOf(load<u32>(last, RECORD_BATCH_BYTES));
  if (durable == records) tail = head;
}

/** How many records this step appended. */
export function recordsNew(): i32 {
  return persistent && !recordsFailed ? <i32>(records - recordsBefore) : 0;
}

/** Storage takes no further record, ever. */
export function recordsFail(): void {
  recordsFailed = true;
}

/** How many bytes of records may be appended; a record takes `RECORD_BYTES`, its payload, and less than 8 more. */
export function journalRoom(): usize {
  const free = head >= tail ? max(journalBytes - head, tail) : tail - head;
  const isScarce = records - durableRecords >= RECORDS_IN_FLIGHT - RESERVE_RECORDS;
  return isScarce || free < keptBytes ? 0 : free - keptBytes;
}

/** Bytes that all records of one checkpoint may take. */
export function journalCapacity(): usize {
  return journalBytes - RESERVE_BYTES - WASTE_BYTES;
}

/**
 * Whether the records of a checkpoint can be appended, `bytes` in all. If not, room is kept for them: what
 * can be refused is, until storage has made room.
 */
export function journalFits(bytes: usize, count: u64): bool {
  let free = tail > head ? tail - head : journalBytes - head + tail;
  if (tail == head) free = journalBytes;
  const isScarce = records - durableRecords + count >= RECORDS_IN_FLIGHT - RESERVE_RECORDS;
  const fits = !isScarce && free >= bytes + RESERVE_BYTES + WASTE_BYTES;
  keptBytes = fits ? RESERVE_BYTES : journalBytes;
  return fits;
}

/** Appends a record, with a copy of its payload; `instance` is the key of what it is about, else 0. */
export function appendRecord(
  kind: i32,
  ballot: u64,
  incarnation: u32,
  instance: u64,
  payload: usize,
  bytes: u32,
  values: u32,
): void {
  records++;
  gauge(Gauge.records, records);
  if (!persistent || recordsFailed) return;
  const at = take(sizeOf(bytes));
  assert(at != 0 && records - durableRecords < RECORDS_IN_FLIGHT, "the journal is full");
  store<u64>(at, instance, RECORD_INSTANCE);
  store<u64>(at, ballot, RECORD_BALLOT);
  store<u32>(at, incarnation, RECORD_INCARNATION);
  store<u32>(at, bytes, RECORD_BATCH_BYTES);
  store<u16>(at, <u16>kind, RECORD_KIND);
  store<u16>(at, <u16>values, RECORD_VALUES);
  store<u32>(at, STORAGE_FORMAT, RECORD_FORMAT);
  memory.copy(at + RECORD_BYTES, payload, bytes);
  store<u64>(at, checksumOf(at, bytes), RECORD_CHECKSUM);
  store<u32>(recordPointers + ((<usize>records & (RECORDS_IN_FLIGHT - 1)) << 2), <u32>at);
}

/** Whether the record at `recoveryAt`, of `bytes` bytes in all, is as it was written. */
export function isRecordSound(bytes: u32): bool {
  if (bytes < RECORD_BYTES || load<u32>(recoveryAt, RECORD_BATCH_BYTES) != bytes - RECORD_BYTES) return false;
  return load<u64>(recoveryAt, RECORD_CHECKSUM) == checksumOf(recoveryAt, bytes - RECORD_BYTES);
}

function checksumOf(at: usize, payloadBytes: u32): u64 {
  return xxh64(at + RECORD_INSTANCE, RECORD_BYTES - RECORD_INSTANCE + payloadBytes, 0);
}

@inline
function pointer(record: u64): usize {
  return <usize>load<u32>(recordPointers + ((<usize>record & (RECORDS_IN_FLIGHT - 1)) << 2));
}

/** What a record takes of the journal. */
@inline
export function sizeOf(payloadBytes: u32): usize {
  return (<usize>(RECORD_BYTES + payloadBytes) + 7) & ~7;
}

/** Contiguous space at the journal's head, or 0. One that is full up to its tail would look empty. */
function take(bytes: usize): usize {
  if (head >= tail) {
    if (tail == head) {
      head = 0;
      tail = 0;
    }
    const isAtEnd = head + bytes == journalBytes;
    if (head + bytes <= journalBytes && !(isAtEnd && tail == 0)) {
      const at = journal + head;
      head = isAtEnd ? 0 : head + bytes;
      return at;
    }
    head = 0;
  }
  if (tail <= head + bytes) return 0;
  const at = journal + head;
  head += bytes;
  return at;
}
