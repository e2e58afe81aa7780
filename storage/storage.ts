/** What the node cycle asks of storage: take the core's records, say how many are durable, read accepted instances back. */
import type { CoreRecord } from "../core/core.ts";
import type { Fetched, StorageCondition } from "../core/layout.ts";

/** The records of a step, as the core shows them. */
export interface Records {
  /** Number of the newest record ever appended; they are numbered from 1, by each process anew. */
  readonly lastRecord: number;
  /** How many of the newest ones this step appended. */
  readonly recordCount: number;
  /** The `i`th of them, valid until it is durable. */
  record(i: number): CoreRecord;
  /** Accepted instances below may be deleted: nobody needs them, and storage has it that they are decided. */
  readonly trimLimit: number;
}

/** Where a node's records go. What it finds again at its start is handed over before the first `persist`. */
export interface Storage {
  /** True when records become durable only some time after `persist`. Votes are then held back. */
  readonly persistent: boolean;
  /**
   * Number of the last record of this process that is durable; never falls, never exceeds what was
   * handed over. It stands still for ever once a write has failed.
   */
  readonly durable: number;
  /** Whether it takes more. Once it has failed it stays so. */
  readonly condition: StorageCondition;
  /** The lowest instance that was not deleted; 1 when nothing was. Never falls, nor exceeds the trim limit. */
  readonly low: number;
  /** Takes the records of a step. Must not block. */
  persist(records: Records): void;
  /**
   * Visits the record of each instance that it keeps from `from` to before `end`, ascending, as it was stored,
   * and one behind them, since a hole stands at its last instance; while `visit` asks for more. Bytes are
   * valid during the visit alone. An instance may be missing, or not be durable yet. What cannot be read, or
   * is damaged, as `visit` may say, makes `condition`
   * failed; nothing is thrown.
   */
  read(
    from: number,
    end: number,
    visit: (record: Uint8Array) => Fetched,
  ): void;
  /** Finishes what was taken and releases the files. */
  close(): void;
}

/** What was written cannot be read back, or cannot be written: the acceptor must not vote. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

/** What the user reads of damage, wherever it is found: what is damaged, why that is known, the remedy. */
export function damageText(name: string, reason: string): string {
  return `the storage in ${name} is damaged: ${reason}. With a part of what was stored an acceptor could break a promise, ` +
    "and a learner deliver a value twice, so this node does not go on with it. " +
    `Move ${name} away and start again: an acceptor gets its memory back from the others, of which a majority must be sound, and a learner begins anew`;
}
