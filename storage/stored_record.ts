/** Records as they are stored: made by storage itself, and checked when they are read. */
import { readRecord } from "../core/core.ts";
import {
  type Record as RecordKind,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_CHECKSUM,
  RECORD_FORMAT,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  STORAGE_FORMAT,
} from "../core/layout.ts";
import type { Table } from "./store.ts";
import { keyOf, tableOf } from "./tables.ts";
import { xxh64 } from "./xxh64.ts";

const sum = new Uint32Array(2);

/** What the header of a record that storage makes says; what is left out is 0. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly instance?: number;
  readonly ballot?: number;
  readonly incarnation?: number;
}

/** A record with room for a payload of so many bytes; `sealRecord` completes it. */
export function makeRecord(
  header: RecordHeader,
  payloadBytes = 0,
): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(RECORD_BYTES + payloadBytes));
  const { kind, instance = 0, ballot = 0, incarnation = 0 } = header;
  setNumber(view, RECORD_INSTANCE, instance);
  setNumber(view, RECORD_BALLOT, ballot);
  view.setUint32(RECORD_INCARNATION, incarnation, true);
  view.setUint32(RECORD_BATCH_BYTES, payloadBytes, true);
  view.setUint16(RECORD_KIND, kind, true);
  view.setUint16(RECORD_FORMAT, STORAGE_FORMAT, true);
  return view;
}

/** Gives a record its checksum, and returns its bytes. */
export function sealRecord(view: DataView<ArrayBuffer>): Uint8Array {
  xxh64(view, RECORD_INSTANCE, view.byteLength - RECORD_INSTANCE, sum);
  view.setUint32(RECORD_CHECKSUM, sum[0], true);
  view.setUint32(RECORD_CHECKSUM + 4, sum[1], true);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Whether a record, of a header at least, has the checksum that it was sealed with. */
export function isSealed(record: Uint8Array): boolean {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  xxh64(view, RECORD_INSTANCE, record.length - RECORD_INSTANCE, sum);
  return view.getUint32(RECORD_CHECKSUM, true) === sum[0] &&
    view.getUint32(RECORD_CHECKSUM + 4, true) === sum[1];
}

/**
 * What is wrong with a value that should be the record of this key; undefined: nothing.
 *
 * @param isSound Whether its checksum is right.
 */
export function flawOf(
  table: Table,
  key: number,
  value: Uint8Array,
  isSound: (record: Uint8Array) => boolean = isSealed,
): string | undefined {
  if (value.length < RECORD_BYTES) {
    return `it has ${value.length} bytes, less than a record's header`;
  }
  if (!isSound(value)) return "its checksum does not match";
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const format = view.getUint16(RECORD_FORMAT, true);
  if (format !== STORAGE_FORMAT) {
    return `it has format ${format}, and this version reads ${STORAGE_FORMAT}`;
  }
  const { kind, instance, batch } = readRecord(value);
  if (view.getUint32(RECORD_BATCH_BYTES, true) !== batch.length) {
    return "it does not have as many bytes as it says";
  }
  if (tableOf(kind) !== table || keyOf(kind, instance) !== key) {
    return "it holds what belongs elsewhere";
  }
}

/** Whether a record of the log is that of this instance, by its own word. */
export function isOf(instance: number, record: Uint8Array): boolean {
  if (record.length < RECORD_BYTES) return false;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  return getNumber(view, RECORD_INSTANCE) === instance;
}

/** A u64 that is known to stay below 2^53. */
export function getNumber(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

export function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
