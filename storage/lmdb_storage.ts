/** Storage on LMDB as the node's cycle sees it: records go to the storage thread, which tells what is durable. */
import type { Journal } from "../core/core.ts";
import { Fetched, StorageCondition } from "../core/layout.ts";
import { StorageControl } from "./control.ts";
import type { StorageDirectory } from "./directory.ts";
import type { LmdbHandle } from "./lmdb_store.ts";
import { damageText, type Records, type Storage } from "./storage.ts";
import { StoreError, Table } from "./store.ts";
import { flawOf, isOf } from "./stored_record.ts";

/** What the storage thread is started with. */
export interface StorageStart {
  readonly handle: LmdbHandle;
  readonly control: SharedArrayBuffer;
  readonly journal: Journal;
  /** The card's, to end the node's wait; -1: it has none. */
  readonly wakeFd: number;
  /** How often what was committed is brought to disk, if commits are not synchronous. */
  readonly syncPeriod_ms: number;
}

/** What else the node has to say when it hands over its storage. */
export interface LmdbStorageOptions {
  readonly directory: StorageDirectory;
  readonly journal: Journal;
  readonly syncPeriod_ms: number;
  /** The lowest instance that is kept. */
  readonly low: number;
  /** Told when reading fails, as a person should read it. */
  readonly onFailure: (message: string) => void;
}

/** How long the storage thread may take for what was still to be stored when the node leaves. */
const CLOSE_PATIENCE_MS = 10_000;

/** The node's end of it. Of the two threads this one alone opens and closes the directory. */
export class LmdbStorage implements Storage {
  readonly persistent = true;
  readonly #options: LmdbStorageOptions;
  readonly #control = new StorageControl();
  #appended = 0;
  #durable = 0;
  #trimLimit = 0;

  constructor(options: LmdbStorageOptions) {
    this.#options = options;
    this.#control.low = options.low;
  }

  /** What the storage thread needs; until it runs, records wait. */
  start(wakeFd: number): StorageStart {
    const { directory, journal, syncPeriod_ms } = this.#options;
    return {
      handle: directory.store.handle,
      control: this.#control.buffer,
      journal,
      wakeFd,
      syncPeriod_ms,
    };
  }

  get durable(): number {
    return this.#durable = this.#control.durable(this.#durable);
  }

  get condition(): StorageCondition {
    return this.#control.condition;
  }

  get low(): number {
    return this.#control.low;
  }

  persist(records: Records): void {
    // Whichever thread found that it failed: nothing more is to be stored.
    if (this.condition === StorageCondition.failed) return;
    const { lastRecord, trimLimit } = records;
    if (trimLimit !== this.#trimLimit) {
      this.#trimLimit = trimLimit;
      this.#control.trimLimit = trimLimit;
      // What may be removed now may be all that is missing.
      if (this.condition === StorageCondition.full) this.#control.ring();
    }
    if (lastRecord === this.#appended) return;
    this.#appended = lastRecord;
    this.#control.append(lastRecord);
  }

  read(
    from: number,
    end: number,
    visit: (record: Uint8Array) => Fetched,
  ): void {
    if (this.condition === StorageCondition.failed) return;
    try {
      this.#options.directory.store.walk(Table.log, from, (key, record) => {
        const fetched = isOf(key, record) ? visit(record) : Fetched.damaged;
        if (fetched === Fetched.damaged) {
          const flaw = flawOf(Table.log, key, record) ??
            "it holds what is no acceptance";
          throw new StoreError("damaged", `instance ${key}: ${flaw}`);
        }
        return fetched === Fetched.more && key < end;
      });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#control.condition = StorageCondition.failed;
      const { path } = this.#options.directory;
      this.#options.onFailure(damageText(path, error.message));
    }
  }

  /** @throws {Error} if the storage thread does not come to its end. */
  close(): void {
    const { directory } = this.#options;
    this.#control.stop();
    if (!this.#control.waitFinished(CLOSE_PATIENCE_MS)) {
      throw new Error(
        `The storage in ${directory.path} did not store what was left within ${
          CLOSE_PATIENCE_MS / 1000
        } s (records ${
          this.durable + 1
        } to ${this.#appended}). Nothing that depends on it has left this node.`,
      );
    }
    if (this.condition === StorageCondition.failed) directory.abandon();
    else directory.close();
  }
}
