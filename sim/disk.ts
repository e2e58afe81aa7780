/**
 * A disk in virtual time, and the storage of one process on it.
 *
 * The disk outlives processes. It keeps records as bytes with a checksum, so that a flipped bit is
 * what it would be on a real one. Commits take time, one after another, and may fail; a crash leaves
 * of those under way the first few, or none, as they had reached the disk or not.
 */
import type { CoreRecord } from "../core/core.ts";
import { StorageCondition } from "../core/layout.ts";
import {
  type Records,
  type Storage,
  StorageError,
} from "../storage/storage.ts";
import type { Random } from "./random.ts";

/** What a record takes besides its batch: kind, values, incarnation, checksum, ballot, instance. */
const HEADER_BYTES = 32;

/** What survives. */
export class Disk {
  /** The incarnation in which it was made. */
  readonly memory: number;
  /** How long a commit takes, µs. */
  commit_us: { least: number; most: number };
  /** The next commit fails, and with it all that come after in this process. */
  failing = false;
  /** Bytes that fit; a commit that does not fit fails. */
  capacityBytes = Infinity;
  readonly records: Uint8Array[] = [];
  #bytes = 0;

  constructor(memory: number, commit_us: { least: number; most: number }) {
    this.memory = memory;
    this.commit_us = commit_us;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(records: readonly Uint8Array[]): void {
    for (const record of records) {
      this.records.push(record);
      this.#bytes += record.length;
    }
  }

  /** Flips one bit of what is kept. False when nothing is. */
  flipBit(random: Random): boolean {
    if (this.records.length === 0) return false;
    const record = this.records[random.between(0, this.records.length - 1)];
    record[random.between(0, record.length - 1)] ^= 1 << random.between(0, 7);
    return true;
  }
}

/** Sees a disk's records come and become durable. */
export interface DiskWatch {
  appended(number: number, record: CoreRecord): void;
  durable(number: number): void;
}

interface Commit {
  readonly last: number;
  readonly due_us: number;
  readonly records: readonly Uint8Array[];
}

/** One process' storage on a disk. */
export class DiskStorage implements Storage {
  readonly persistent = true;
  readonly low = 1;
  durable = 0;
  /** A commit failed; `durable` stands still from now on. */
  failed = false;
  readonly #disk: Disk;
  readonly #random: Random;
  readonly #now: () => number;
  readonly #watch?: DiskWatch;
  readonly #commits: Commit[] = [];

  constructor(
    disk: Disk,
    random: Random,
    now: () => number,
    watch?: DiskWatch,
  ) {
    this.#disk = disk;
    this.#random = random;
    this.#now = now;
    this.#watch = watch;
  }

  /** When the commit under way ends, µs of the clock given. */
  get due_us(): number {
    return this.failed ? Infinity : this.#commits[0]?.due_us ?? Infinity;
  }

  get condition(): StorageCondition {
    return this.failed ? StorageCondition.failed : StorageCondition.sound;
  }

  persist(records: Records): void {
    const { recordCount, lastRecord } = records;
    if (recordCount === 0) return;
    const taken: Uint8Array[] = [];
    for (let i = 0; i < recordCount; i++) {
      const record = records.record(i);
      this.#watch?.appended(lastRecord - recordCount + 1 + i, record);
      taken.push(encode(record));
    }
    const { least, most } = this.#disk.commit_us;
    const begin_us = Math.max(this.#now(), this.#commits.at(-1)?.due_us ?? 0);
    this.#commits.push({
      last: lastRecord,
      due_us: begin_us + this.#random.between(least, most),
      records: taken,
    });
    this.advance();
  }

  /** Commits whose time is up become durable, unless the disk fails. */
  advance(): void {
    while (this.due_us <= this.#now()) {
      const { last, records } = this.#commits[0];
      const bytes = records.reduce((sum, { length }) => sum + length, 0);
      if (
        this.#disk.failing ||
        this.#disk.bytes + bytes > this.#disk.capacityBytes
      ) {
        this.failed = true;
        return;
      }
      this.#disk.append(records);
      this.#commits.shift();
      this.durable = last;
      this.#watch?.durable(last);
    }
  }

  /** Reads nothing: what the core evicts is to be had from other acceptors. */
  read(): void {}

  /**
   * Hands over every record that is durable, of all earlier processes, in the order in which they were
   * appended; before the first `persist`.
   *
   * @throws {StorageError} if a record is damaged: what cannot be read must not be taken for absent.
   */
  recover(visit: (record: CoreRecord) => void): void {
    this.#disk.records.forEach((bytes, i) => visit(decode(bytes, i + 1)));
  }

  /** The process is gone: of the commits under way, the first few may have reached the disk. */
  crash(): void {
    let survivors = this.failed
      ? 0
      : this.#random.between(0, this.#commits.length);
    for (; survivors > 0; survivors--) {
      this.#disk.append(this.#commits.shift()!.records);
    }
    this.#commits.length = 0;
  }

  close(): void {
    while (!this.failed && this.#commits.length > 0) {
      this.#disk.append(this.#commits.shift()!.records);
    }
  }
}

function encode(record: CoreRecord): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + record.batch.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, record.kind, true);
  view.setUint16(2, record.values, true);
  view.setUint32(4, record.incarnation, true);
  view.setBigUint64(16, record.ballot, true);
  view.setBigUint64(24, BigInt(record.instance), true);
  bytes.set(record.batch, HEADER_BYTES);
  view.setUint32(8, checksum(bytes), true);
  return bytes;
}

function decode(bytes: Uint8Array, place: number): CoreRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(8, true) !== checksum(bytes)) {
    throw new StorageError(
      `record ${place} is damaged: its checksum does not match`,
    );
  }
  return {
    kind: view.getUint16(0, true),
    values: view.getUint16(2, true),
    incarnation: view.getUint32(4, true),
    ballot: view.getBigUint64(16, true),
    instance: Number(view.getBigUint64(24, true)),
    batch: bytes.subarray(HEADER_BYTES),
  };
}

/** FNV-1a over all but the checksum's own four bytes: any one flipped bit changes it. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) {
    if (i < 8 || i >= 12) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  }
  return hash >>> 0;
}
