/** The key-value store behind a node's storage: ordered tables, one transaction at a time. */

/** Tables of a node's storage; keys are whole numbers below 2^53. */
export enum Table {
  state = 0,
  log = 1,
  sessions = 2,
  pieces = 3,
}

/** Every call may throw a StoreError. */
export interface Store {
  /** Begins a transaction that writes. One at a time. */
  begin(): void;
  /** Puts `length` bytes of `bytes` from `offset` on. The bytes are copied before this returns. */
  put(
    table: Table,
    key: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /** Removes the key, if it is there. */
  remove(table: Table, key: number): void;
  /**
   * Removes all keys of the table below `end`, at most `most` of them; returns how many. The room is to
   * be had two commits later.
   */
  removeBelow(table: Table, end: number, most: number): number;
  /** Ends the transaction; when it returns, all of it is durable (or handed to the kernel, if the store is asynchronous). */
  commit(): void;
  /** Ends the transaction as if it had not begun. */
  abort(): void;
  /** Makes what was committed durable, for an asynchronous store. */
  sync(): void;
  /** The value, valid until the next call; undefined: none. */
  get(table: Table, key: number): Uint8Array | undefined;
  /** Visits keys from `from` on, ascending, until `visit` returns false. Values valid during the call only. */
  walk(
    table: Table,
    from: number,
    visit: (key: number, value: Uint8Array) => boolean,
  ): void;
  /** The lowest key of the table; undefined: it is empty. */
  first(table: Table): number | undefined;
  /** The highest key of the table; undefined: it is empty. */
  last(table: Table): number | undefined;
  /** How many keys the table holds. */
  count(table: Table): number;
  /** Bytes that live data takes (pages of all tables). */
  readonly bytes: number;
  /** The most that `bytes` may become. */
  readonly bytesMax: number;
  /** Releases the files. Further calls throw. */
  close(): void;
}

/** What went wrong, and whether trying again can help. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** "full": try again when there is room. "damaged": what was stored cannot be trusted. "failed": all else, for good. */
  readonly code: "full" | "damaged" | "failed";

  constructor(
    code: "full" | "damaged" | "failed",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
  }
}
