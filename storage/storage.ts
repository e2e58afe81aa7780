/** What the node cycle asks of storage: take the core's records, say how many are durable, give them back. */
import type { CoreRecord } from "../core/core.ts";

/** The records of a step, as the core shows them. */
export interface Records {
  /** Number of the newest record ever appended; they are numbered from 1, by each process anew. */
  readonly lastRecord: number;
  /** How many of the newest ones this step appended. */
  readonly recordCount: number;
  /** The `i`th of them, valid until the next step. */
  record(i: number): CoreRecord;
}

/** Where an acceptor's records go. */
export interface Storage {
  /** True when records become durable only some time after `persist`. Votes are then held back. */
  readonly persistent: boolean;
  /**
   * Number of the last record of this process that is durable; never falls, never exceeds what was
   * handed over. It stands still for ever once a write has failed.
   */
  readonly durable: number;
  /** Takes the records of a step. Must not block. */
  persist(records: Records): void;
  /**
   * Hands over every record that is durable, of all earlier processes, in the order in which they were
   * appended; before the first `persist`.
   *
   * @throws {StorageError} if a record is damaged: what cannot be read must not be taken for absent.
   */
  recover(visit: (record: CoreRecord) => void): void;
  /** Finishes what was taken and releases the files. */
  close(): void;
}

/** What was written cannot be read back, or cannot be written: the acceptor must not vote. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}
