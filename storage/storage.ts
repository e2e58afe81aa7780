/** What the node cycle asks of storage: take the core's records, and say how many are durable. */

/** Records are numbered from 1 in the order in which the core appends them. */
export interface Storage {
  /** True when records become durable only some time after `persist`. Votes are then held back. */
  readonly persistent: boolean;
  /** Number of the last record that is durable; never falls, never exceeds what was handed over. */
  readonly durable: number;
  /** Takes all records up to number `last`. Must not block. */
  persist(last: number): void;
  /** Finishes what was taken and releases the files. */
  close(): void;
}
