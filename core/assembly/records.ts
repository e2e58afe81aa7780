/**
 * Records: what an acceptor must find again after a crash, in the order in which it came about.
 *
 * A step appends them for storage to take. Each has a number, and what reveals it waits in the outbox
 * until storage calls that number durable. After a restart the host hands the durable ones back, in
 * the same order, before the first step.
 */
import {
  Gauge,
  Record,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  RECORD_POINTER,
  RECORD_VALUES,
  RECORDS_MAX,
} from "../layout";
import { arenaTake } from "./arena";
import { gauge } from "./meters";
import { batchBytesMax, persistent } from "./settings";

/** Number of the newest record; they count from 1. */
export let records: u64 = 0;
/** The records of this step. */
export let recordsAt: usize = 0;
export let recordCount: i32 = 0;
/** Lowest instance accepted among them. The log keeps their batches until storage has taken them. */
export let recordsLowest: u64 = u64.MAX_VALUE;
/** Where the host lays a record that it hands back, its batch behind it. */
export let recoveryAt: usize = 0;

export function recordsInit(): void {
  if (!persistent) return;
  recordsAt = arenaTake(RECORDS_MAX * RECORD_BYTES);
  recoveryAt = arenaTake(RECORD_BYTES + batchBytesMax);
}

/** Starts a step: storage has taken the records of the last one. */
export function recordsClear(): void {
  recordCount = 0;
  recordsLowest = u64.MAX_VALUE;
}

/** Appends a record; a batch stays where it is, in the acceptor's log. Without an instance, it is 0. */
export function appendRecord(
  kind: i32,
  ballot: u64,
  incarnation: u32,
  instance: u64,
  batch: usize,
  bytes: u32,
  values: u32,
): void {
  records++;
  gauge(Gauge.records, records);
  if (!persistent) return;
  assert(<u32>recordCount < RECORDS_MAX, "more records than a step can have");
  if (kind == Record.accept) recordsLowest = min(recordsLowest, instance);
  const at = recordsAt + <usize>(recordCount++ * RECORD_BYTES);
  store<u32>(at, kind, RECORD_KIND);
  store<u32>(at, bytes, RECORD_BATCH_BYTES);
  store<u64>(at, ballot, RECORD_BALLOT);
  store<u64>(at, instance, RECORD_INSTANCE);
  store<u32>(at, incarnation, RECORD_INCARNATION);
  store<u32>(at, values, RECORD_VALUES);
  store<u32>(at, <u32>batch, RECORD_POINTER);
}
