/**
 * What must be in a store, so that damage is never read as absence.
 *
 * A lost key looks like one that was never there, and no checksum of a value tells. So every
 * transaction also writes a record of what is there once it is done: which instances from the stored
 * decided watermark on were accepted, as ranges; and of all other tables how many values there are, and
 * their checksums, put together by exclusive or.
 *
 *   payload: sum u64 | values u32 | ranges u32 | ranges times: first u64, end u64
 */
import {
  Record as RecordKind,
  RECORD_BYTES,
  RECORD_CHECKSUM,
  RECORD_INSTANCE,
} from "../core/layout.ts";
import { Ranges } from "./ranges.ts";
import {
  getNumber,
  makeRecord,
  sealRecord,
  setNumber,
} from "./stored_record.ts";
import { Table } from "./store.ts";
import { StateKey } from "./tables.ts";

const SUM = RECORD_BYTES;
const VALUES = RECORD_BYTES + 8;
const RANGES = RECORD_BYTES + 12;
const HEAD_BYTES = 16;
const RANGE_BYTES = 16;

/** The halves of a value's checksum. */
interface Sum {
  low: number;
  high: number;
}

/** What is there: counted, or as a record says. */
export class Present {
  /** The stored decided watermark: `ranges` begin there. */
  decided = 1;
  readonly ranges: Ranges = new Ranges();
  /** Of all values but those of the log, the stamp and this record. */
  values = 0;
  low = 0;
  high = 0;

  /** What a record of it says, of which the checksum was compared. */
  static read(record: Uint8Array): Present {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const present = new Present();
    present.decided = getNumber(view, RECORD_INSTANCE);
    present.low = view.getInt32(SUM, true);
    present.high = view.getInt32(SUM + 4, true);
    present.values = view.getUint32(VALUES, true);
    for (let n = view.getUint32(RANGES, true); n > 0; n--) {
      const at = SUM + HEAD_BYTES + (n - 1) * RANGE_BYTES;
      present.ranges.addRange(getNumber(view, at), getNumber(view, at + 8));
    }
    return present;
  }

  /** The record that says so. */
  write(): Uint8Array {
    const { ranges } = this;
    const view = makeRecord(
      { kind: RecordKind.present, instance: this.decided },
      HEAD_BYTES + ranges.count * RANGE_BYTES,
    );
    view.setInt32(SUM, this.low, true);
    view.setInt32(SUM + 4, this.high, true);
    view.setUint32(VALUES, this.values, true);
    view.setUint32(RANGES, ranges.count, true);
    for (let i = 0; i < ranges.count; i++) {
      const at = SUM + HEAD_BYTES + i * RANGE_BYTES;
      setNumber(view, at, ranges.first(i));
      setNumber(view, at + 8, ranges.end(i));
    }
    return sealRecord(view);
  }

  /** Counts a value in, or out. */
  count(sum: Sum, by: 1 | -1): void {
    this.values += by;
    this.low ^= sum.low;
    this.high ^= sum.high;
  }

  copy(other: Present): void {
    this.decided = other.decided;
    this.ranges.copy(other.ranges);
    this.values = other.values;
    this.low = other.low;
    this.high = other.high;
  }
}

/** Whether a value counts: those of the log do by their instance, and these two not at all. */
export function counts(table: Table, key: number): boolean {
  return table !== Table.log &&
    !(table === Table.state &&
      (key === StateKey.stamp || key === StateKey.present));
}

/** The checksum of the record at `at`, as signed halves. */
export function sumAt(view: DataView, at: number): Sum {
  return {
    low: view.getInt32(at + RECORD_CHECKSUM, true),
    high: view.getInt32(at + RECORD_CHECKSUM + 4, true),
  };
}
