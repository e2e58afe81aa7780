/**
 * Group commit: takes the records that gathered in the core's journal into one transaction.
 *
 * It is all or nothing: what is stored is always what the core meant it to be after some record, and
 * `done` says after which. It also keeps `present` up to date, and removes the log's oldest instances
 * when room gets scarce.
 */
import type { Journal } from "../core/core.ts";
import {
  Record as RecordKind,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  RECORDS_IN_FLIGHT,
  StorageCondition,
} from "../core/layout.ts";
import { counts, Present, sumAt } from "./present.ts";
import { type Store, StoreError, Table } from "./store.ts";
import { getNumber, makeRecord, sealRecord } from "./stored_record.ts";
import { keyOf, StateKey, tableOf } from "./tables.ts";

/** How much of a store may be in use before old instances are removed, and before it counts as full. */
const TRIM_FROM = 0.7;
const FULL_FROM = 0.9;
/** Instances that a commit may remove at least; else twice as many as it adds, so that it catches up. */
const REMOVALS_LEAST = 64;

/** The checksum of a value that counts, and what it was when this transaction began. */
interface Counted {
  low: number;
  high: number;
}

export class Committer {
  /** Number of the last record that is stored. */
  done = 0;
  condition: StorageCondition = StorageCondition.sound;
  /** Why it is not sound. */
  error?: StoreError;
  /** The lowest instance that the log keeps: all below were removed. */
  low = 1;
  /** Bytes that live data took of the store after the last transaction; asked once for each. */
  bytes: number;
  readonly #store: Store;
  readonly #journal: Journal;
  readonly #view: DataView;
  readonly #present = new Present();
  /** As it was when the transaction began. */
  readonly #before = new Present();
  /** Checksums of the values that count, by table and key; and those that the transaction changed, as they were. */
  readonly #sums = new Map<number, Counted>();
  readonly #changed = new Map<number, Counted | undefined>();
  /** The highest ballot that is stored as promised. */
  #promised = 0;
  #promisedBefore = 0;

  /** @throws {StoreError} if the store cannot be read. What it holds was checked by `recover`. */
  constructor(store: Store, journal: Journal) {
    this.#store = store;
    this.#journal = journal;
    this.bytes = store.bytes;
    const { buffer, byteOffset, byteLength } = journal.memory;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    for (const table of [Table.state, Table.sessions, Table.pieces]) {
      store.walk(table, 0, (key, value) => {
        this.#find(table, key, value);
        return true;
      });
    }
  }

  /**
   * Stores records `done` + 1 to `upTo` in one transaction, and makes room if it is scarce. After a
   * failure nothing of it is stored; if that was for want of room, the next call tries again.
   *
   * @param trimLimit Instances below may be removed from the log.
   * @returns Whether records became durable.
   */
  commit(upTo: number, trimLimit: number): boolean {
    if (this.condition === StorageCondition.failed) return false;
    if (this.condition === StorageCondition.full) {
      // It may have no room even for what takes the place of what is removed.
      const isSound = this.#attempt(this.done, trimLimit);
      if (!isSound) return false;
    }
    return upTo > this.done && this.#attempt(upTo, trimLimit);
  }

  /** One transaction. False: nothing of it is stored. */
  #attempt(upTo: number, trimLimit: number): boolean {
    const low = this.#lowAfter(upTo - this.done, trimLimit);
    if (upTo === this.done && low === this.low) {
      this.#measure();
      return true;
    }
    this.#begin();
    try {
      this.#store.begin();
      for (let n = this.done + 1; n <= upTo; n++) this.#take(n);
      if (low > this.low) this.#trim(low);
      this.#put(this.#present.write());
      this.#store.commit();
    } catch (error) {
      this.#undo(error);
      return false;
    }
    this.done = upTo;
    this.low = Math.max(this.low, low);
    this.#measure();
    return true;
  }

  /** Takes note of what the store holds already. */
  #find(table: Table, key: number, value: Uint8Array): void {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    if (counts(table, key)) this.#sums.set(placeOf(table, key), sumAt(view, 0));
    if (table !== Table.state) return;
    if (key === StateKey.present) this.#present.copy(Present.read(value));
    if (key === StateKey.trim) this.low = getNumber(view, RECORD_INSTANCE);
    if (key === StateKey.promise) {
      this.#promised = getNumber(view, RECORD_BALLOT);
    }
  }

  #begin(): void {
    this.#before.copy(this.#present);
    this.#promisedBefore = this.#promised;
    this.#changed.clear();
  }

  /** The transaction failed: the store holds what it held before it. */
  #undo(error: unknown): void {
    this.error = asStoreError(error);
    this.condition = this.error.code === "full"
      ? StorageCondition.full
      : StorageCondition.failed;
    try {
      this.#store.abort();
    } catch {
      // A store that failed in the middle of its commit has nothing left to abort.
    }
    this.#present.copy(this.#before);
    this.#promised = this.#promisedBefore;
    for (const [place, sum] of this.#changed) {
      if (sum === undefined) this.#sums.delete(place);
      else this.#sums.set(place, sum);
    }
  }

  /** Puts record `number` of the journal where it belongs. */
  #take(number: number): void {
    const view = this.#view;
    const { memory, pointersAt } = this.#journal;
    const pointer = pointersAt + number % RECORDS_IN_FLIGHT * 4;
    const at = view.getUint32(pointer, true);
    const kind: RecordKind = view.getUint16(at + RECORD_KIND, true);
    const bytes = RECORD_BYTES + view.getUint32(at + RECORD_BATCH_BYTES, true);
    const instance = getNumber(view, at + RECORD_INSTANCE);
    if (tableOf(kind) === Table.log) {
      const isAccepted = kind === RecordKind.accept;
      // What was fetched is no vote, and a hole none at all.
      if (isAccepted) this.#promise(view, at);
      // It was removed, since it is decided and all learners have it; it need not come back.
      if (instance < this.low) return;
      this.#store.put(Table.log, instance, memory, at, bytes);
      // Of holes the watermark above them tells, which comes in the same transaction.
      const isPresent = kind !== RecordKind.hole &&
        instance >= this.#present.decided;
      if (isPresent) this.#present.ranges.add(instance);
      return;
    }
    const table = tableOf(kind);
    if (table === undefined) {
      throw new StoreError(
        "failed",
        `Record ${number} of the journal is of kind ${kind}, which there is not. This is a bug.`,
      );
    }
    if (kind === RecordKind.decided) this.#decide(instance);
    if (kind === RecordKind.rejoin) {
      this.#promise(view, at);
      // It has to be confirmed anew.
      this.#remove(Table.state, StateKey.confirmed);
    }
    if (kind === RecordKind.promise) {
      this.#promised = getNumber(view, at + RECORD_BALLOT);
    }
    this.#store.put(table, keyOf(kind, instance), memory, at, bytes);
    this.#count(table, keyOf(kind, instance), view, at);
  }

  /** What was accepted is promised too; and stays so when the instance is removed one day. */
  #promise(view: DataView, at: number): void {
    const ballot = getNumber(view, at + RECORD_BALLOT);
    if (ballot <= this.#promised) return;
    this.#promised = ballot;
    const incarnation = view.getUint32(at + RECORD_INCARNATION, true);
    const kind = RecordKind.promise;
    this.#put(sealRecord(makeRecord({ kind, ballot, incarnation })));
  }

  #decide(watermark: number): void {
    if (watermark <= this.#present.decided) return;
    this.#present.decided = watermark;
    this.#present.ranges.removeBelow(watermark);
  }

  /** One past the last instance that this transaction removes; `low`: it removes none. */
  #lowAfter(records: number, trimLimit: number): number {
    const isScarce = this.condition === StorageCondition.full ||
      this.bytes > TRIM_FROM * this.#store.bytesMax;
    const limit = Math.min(trimLimit, this.#present.decided);
    if (!isScarce || limit <= this.low) return this.low;
    const first = this.#store.first(Table.log) ?? limit;
    return Math.max(
      this.low,
      Math.min(limit, first + REMOVALS_LEAST + 2 * records),
    );
  }

  #trim(low: number): void {
    // As many as there are: no more than `low`.
    this.#store.removeBelow(Table.log, low, low);
    this.#put(sealRecord(makeRecord({ kind: RecordKind.trim, instance: low })));
  }

  /** Puts a record that storage made. */
  #put(record: Uint8Array): void {
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const kind: RecordKind = view.getUint16(RECORD_KIND, true);
    const key = keyOf(kind, 0);
    this.#store.put(Table.state, key, record, 0, record.length);
    this.#count(Table.state, key, view, 0);
  }

  #remove(table: Table, key: number): void {
    const sum = this.#sums.get(placeOf(table, key));
    if (sum === undefined) return;
    this.#store.remove(table, key);
    this.#change(placeOf(table, key), undefined);
  }

  #count(table: Table, key: number, view: DataView, at: number): void {
    if (!counts(table, key)) return;
    this.#change(placeOf(table, key), sumAt(view, at));
  }

  #change(place: number, sum: Counted | undefined): void {
    const before = this.#sums.get(place);
    if (!this.#changed.has(place)) this.#changed.set(place, before);
    if (before !== undefined) this.#present.count(before, -1);
    if (sum === undefined) this.#sums.delete(place);
    else {
      this.#present.count(sum, 1);
      this.#sums.set(place, sum);
    }
  }

  /** Whether there is room, after a transaction that did not fail. */
  #measure(): void {
    const { bytes, bytesMax } = this.#store;
    this.bytes = bytes;
    const isFull = bytes > FULL_FROM * bytesMax;
    this.condition = isFull ? StorageCondition.full : StorageCondition.sound;
    this.error = isFull
      ? new StoreError(
        "full",
        `${bytes} of ${bytesMax} bytes are in use, and nothing more may be removed`,
      )
      : undefined;
  }
}

/** Table and key in one number. */
function placeOf(table: Table, key: number): number {
  return key * 4 + table;
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(
    "failed",
    error instanceof Error ? error.message : String(error),
    { cause: error },
  );
}
