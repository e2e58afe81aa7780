/** A core's journal without a core, for tests of what storage does with it. */
import type { Journal } from "../core/core.ts";
import {
  type Record as RecordKind,
  RECORD_BYTES,
  RECORD_VALUES,
  RECORDS_IN_FLIGHT,
} from "../core/layout.ts";
import { makeRecord, type RecordHeader, sealRecord } from "./stored_record.ts";

const POINTERS_BYTES = 4 * RECORDS_IN_FLIGHT;

/** A record as the core would write it. */
export function recordOf(
  header: RecordHeader,
  payload = "",
): Uint8Array {
  const text = new TextEncoder().encode(payload);
  const view = makeRecord(header, text.length);
  view.setUint16(RECORD_VALUES, 1, true);
  new Uint8Array(view.buffer).set(text, RECORD_BYTES);
  return sealRecord(view);
}

/** Records that wait for storage, one after another; none is ever overwritten. */
export class TestJournal implements Journal {
  readonly memory: Uint8Array = new Uint8Array(
    new SharedArrayBuffer(POINTERS_BYTES + (1 << 22)),
  );
  readonly pointersAt = 0;
  /** Number of the newest record. */
  last = 0;
  #end = POINTERS_BYTES;

  append(kind: RecordKind, fields: Omit<RecordHeader, "kind">, payload = "") {
    this.appendBytes(recordOf({ kind, ...fields }, payload));
  }

  appendBytes(record: Uint8Array): void {
    const place = ++this.last % RECORDS_IN_FLIGHT;
    new DataView(this.memory.buffer).setUint32(place * 4, this.#end, true);
    this.memory.set(record, this.#end);
    this.#end += Math.ceil(record.length / 8) * 8;
  }
}
