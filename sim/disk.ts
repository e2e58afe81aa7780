/**
 * A disk in virtual time, and the storage of one process on it.
 *
 * The rules are those that ship: the committer takes what gathered into one transaction, and recovery
 * reads it back. What is simulated is the store below them, and time: a commit takes a while, and what
 * comes meanwhile waits for the next one. It may fail at any call, and be full; bits flip and keys get
 * lost; a crash leaves the commit under way whole, or none of it.
 */
import { type CoreRecord, type Journal, readRecord } from "../core/core.ts";
import { Fetched, StorageCondition } from "../core/layout.ts";
import { Committer } from "../storage/committer.ts";
import { MapStore } from "../storage/map_store.ts";
import {
  recover,
  type Recovered,
  type RecoveryOptions,
  type RecoveryTarget,
} from "../storage/recovery.ts";
import type { Records, Storage } from "../storage/storage.ts";
import { StoreError, Table } from "../storage/store.ts";
import { flawOf, isOf } from "../storage/stored_record.ts";
import { StateKey } from "../storage/tables.ts";
import type { Random } from "./random.ts";
import { Violation } from "./violation.ts";

/** How soon a commit that did not fit is tried again. */
const RETRY_US = 50_000;
/** A failing disk fails within so many calls of a transaction, or when it is committed. */
const CALLS_MOST = 8;
/** What the commit of one transaction may take, of a store that is full to its last byte. */
const SLACK_BYTES = 1 << 13;

const TABLES = [Table.state, Table.log, Table.sessions, Table.pieces];

/** What survives a process. */
export class Disk extends MapStore {
  /** The incarnation in which it was made. */
  readonly memory: number;
  /** It was made where another one lost what it kept. */
  readonly forgot: boolean;
  /** How long a commit takes, µs. */
  commit_us: { least: number; most: number };
  /** Calls fail, and with them the storage of this process for good. */
  failing = false;
  /** Nothing more fits than is there. */
  full = false;
  /** Something happened to what it holds. */
  isHarmed = false;
  /** What was put is not what the core wrote. */
  violation?: Violation;
  /** Calls of this transaction that still succeed. */
  #callsLeft = Infinity;
  /** Bytes that fit while it is full. */
  #fits = 0;

  constructor(
    memory: number,
    commit_us: { least: number; most: number },
    forgot = false,
  ) {
    super();
    this.memory = memory;
    this.commit_us = commit_us;
    this.forgot = forgot;
  }

  /** The next transaction fails after so many calls, if the disk is failing then. */
  failAfter(random: Random): void {
    this.#callsLeft = this.failing ? random.between(0, CALLS_MOST) : Infinity;
  }

  override begin(): void {
    super.begin();
    this.#fits = this.full ? this.bytes : Infinity;
  }

  override put(
    table: Table,
    key: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#call();
    super.put(table, key, bytes, offset, length);
    const flaw = flawOf(table, key, this.get(table, key)!);
    if (flaw === undefined) return;
    this.violation ??= new Violation(
      "durability",
      `what is stored under ${key} of table ${
        Table[table]
      } is no sound record: ${flaw}`,
    );
  }

  override remove(table: Table, key: number): void {
    this.#call();
    super.remove(table, key);
  }

  override removeBelow(table: Table, end: number, most: number): number {
    this.#call();
    return super.removeBelow(table, end, most);
  }

  override commit(): void {
    if (this.failing) throw new StoreError("failed", "the disk fails: EIO");
    if (this.bytes > Math.min(this.bytesMax + SLACK_BYTES, this.#fits)) {
      throw new StoreError("full", "no space is left on the disk");
    }
    super.commit();
  }

  /** Flips one bit of what is kept. False when nothing is. */
  flipBit(random: Random): boolean {
    const places = this.#places();
    if (places.length === 0) return false;
    this.isHarmed = true;
    const value = this.get(...random.pick(places))!;
    value[random.between(0, value.length - 1)] ^= 1 << random.between(0, 7);
    return true;
  }

  /** Loses one key, where its loss must be seen. */
  loseKey(random: Random): void {
    // What is decided is to be had from others, and may be missing; and of what lost all nothing tells.
    const decided = this.#decided();
    const places = this.#places().filter(([table, key]) =>
      table !== Table.log || key >= decided
    );
    if (places.length < 2) return;
    this.isHarmed = true;
    this.damage(...random.pick(places), undefined);
  }

  #decided(): number {
    const record = this.get(Table.state, StateKey.decided);
    return record === undefined ? 1 : readRecord(record).instance;
  }

  #places(): [Table, number][] {
    const places: [Table, number][] = [];
    for (const table of TABLES) {
      this.walk(table, 0, (key) => {
        places.push([table, key]);
        return true;
      });
    }
    return places;
  }

  #call(): void {
    if (this.#callsLeft-- > 0) return;
    throw new StoreError("failed", "the disk fails: EIO");
  }
}

/** Sees a disk's records come, reach it, and become durable. */
export interface DiskWatch {
  appended(number: number, record: CoreRecord): void;
  /** Records up to this one are on the disk, whether the process lives to hear of it or not. */
  stored(number: number): void;
  durable(number: number): void;
}

/** A commit under way. */
interface Commit {
  readonly upTo: number;
  readonly due_us: number;
}

/** One process' storage on a disk. */
export class DiskStorage implements Storage {
  readonly persistent = true;
  durable = 0;
  /** What was read was damaged. */
  #isDamaged = false;
  /** What the core appended so far, and what may be removed. */
  #last = 0;
  #trimLimit = 1;
  #commit?: Commit;
  readonly #disk: Disk;
  readonly #journal: Journal;
  /** Made when what the disk holds was found to be sound. */
  #committer!: Committer;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #watch?: DiskWatch;

  /** `recover` comes before all else. */
  constructor(
    disk: Disk,
    journal: Journal,
    random: Random,
    now: () => number,
    watch?: DiskWatch,
  ) {
    this.#disk = disk;
    this.#journal = journal;
    this.#random = random;
    this.#now = now;
    this.#watch = watch;
  }

  /**
   * Hands the core what the disk holds; before its first step.
   *
   * @throws {StorageError} if that is damaged. The node must not run then.
   */
  recover(core: RecoveryTarget, options: RecoveryOptions): Recovered {
    const recovered = recover(this.#disk, core, options);
    this.#committer = new Committer(this.#disk, this.#journal);
    return recovered;
  }

  /** Why it is not sound. */
  get error(): string | undefined {
    return this.#isDamaged
      ? "what was read is damaged"
      : this.#committer.error?.message;
  }

  get condition(): StorageCondition {
    return this.#isDamaged
      ? StorageCondition.failed
      : this.#committer.condition;
  }

  get low(): number {
    return this.#committer.low;
  }

  /** A call failed: nothing becomes durable any more. */
  get failed(): boolean {
    return this.condition === StorageCondition.failed;
  }

  /** When the commit under way ends, µs of the clock given. */
  get due_us(): number {
    return this.failed ? Infinity : this.#commit?.due_us ?? Infinity;
  }

  persist(records: Records): void {
    const { recordCount, lastRecord } = records;
    for (let i = 0; i < recordCount; i++) {
      const number = lastRecord - recordCount + 1 + i;
      this.#watch?.appended(number, records.record(i));
    }
    this.#last = lastRecord;
    this.#trimLimit = records.trimLimit;
    if (this.#commit === undefined) this.#begin(this.#now());
    this.advance();
  }

  /** Commits whose time is up become durable, unless the disk fails. */
  advance(): void {
    while (this.due_us <= this.#now()) {
      const { upTo, due_us } = this.#commit!;
      this.#commit = undefined;
      const { durable } = this;
      if (this.#finish(upTo)) this.durable = upTo;
      if (this.durable > durable) this.#watch?.durable(upTo);
      this.#begin(due_us);
    }
  }

  read(
    from: number,
    end: number,
    visit: (record: Uint8Array) => Fetched,
  ): void {
    if (this.failed) return;
    this.#disk.walk(Table.log, from, (instance, record) => {
      const fetched = isOf(instance, record) ? visit(record) : Fetched.damaged;
      if (fetched === Fetched.damaged) this.#isDamaged = true;
      return fetched === Fetched.more && instance < end;
    });
  }

  /** The process is gone: the commit under way may have reached the disk, or not. */
  crash(): void {
    const commit = this.#commit;
    this.#commit = undefined;
    if (commit === undefined || this.failed) return;
    if (this.#random.chance(0.5)) this.#finish(commit.upTo);
  }

  close(): void {
    this.#commit = undefined;
    if (!this.failed) this.#finish(this.#last);
  }

  /** Begins the next commit, if there is something to do. */
  #begin(now_us: number): void {
    const isFull = this.condition === StorageCondition.full;
    if (this.#last === this.#committer.done && !isFull) return;
    const { least, most } = this.#disk.commit_us;
    const wait_us = isFull ? RETRY_US : 0;
    const due_us = now_us + wait_us + this.#random.between(least, most);
    this.#commit = { upTo: this.#last, due_us };
  }

  /** Ends a commit. Whether records of it are on the disk now. */
  #finish(upTo: number): boolean {
    this.#disk.failAfter(this.#random);
    const isStored = this.#committer.commit(upTo, this.#trimLimit);
    if (this.#disk.violation !== undefined) throw this.#disk.violation;
    if (isStored) this.#watch?.stored(upTo);
    return isStored;
  }
}
