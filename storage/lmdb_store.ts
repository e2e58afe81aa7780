/** The store on LMDB: one environment, a table of it for each of ours, shared by the threads of a process. */
import { statfsSync } from "node:fs";
import {
  copyMemory,
  CURSOR,
  embedLmdb,
  type Lmdb,
  lmdbError,
  mayBeShortWrite,
  MDB_APPEND,
  MDB_CREATE,
  MDB_FREE_TABLE,
  MDB_INTEGERKEY,
  MDB_KEYEXIST,
  MDB_NOSYNC,
  MDB_NOTFOUND,
  MDB_NOTLS,
  MDB_RDONLY,
  openLmdb,
  STAT_BRANCH,
  STAT_BYTES,
  STAT_ENTRIES,
  STAT_LEAF,
  STAT_OVERFLOW,
  STAT_PAGE_BYTES,
} from "../ffi/lmdb.ts";
import { cString } from "../ffi/c_string.ts";
import { Mapping, type Place, placeOf } from "./mapping.ts";
import { Sealer } from "./seal.ts";
import { type Store, StoreError, Table } from "./store.ts";

/** What an environment is opened with. */
export interface LmdbOptions {
  /** An existing directory: data.mdb and lock.mdb are in it, or will be. */
  readonly directory: string;
  /** Most bytes that it may grow to. */
  readonly bytesMax: number;
  /** A commit returns when it is on disk, sealed; else when the kernel has it. */
  readonly synchronous: boolean;
  /** Looks at what is there, and makes nothing. */
  readonly readOnly?: boolean;
}

/** An open environment: what another thread of this process needs to use it too. */
export interface LmdbHandle extends LmdbOptions {
  readonly library: string;
  readonly environment: bigint;
  /** LMDB's number of each table, in the order of `Table`. */
  readonly tables: readonly number[];
  /** Of its sealer; 0: it is only read. */
  readonly sealer: bigint;
  readonly place: Place | undefined;
}

const TABLES = [Table.state, Table.log, Table.sessions, Table.pieces];
const FILE_MODE = 0o600;
/** A value of this size or more is none of ours, nor LMDB's. */
const VALUE_BYTES_MAX = 1 << 26;
/** With less than this left on the disk, and less than a transaction holds, a failed write is one that was cut short. */
const SPACE_BYTES_LEAST = 1 << 20;

type Check = (result: number, doing: string) => void;

/**
 * Opens an environment and makes its tables, if they are not there. What was committed before is on disk,
 * and sealed, after the first `sync`, which has to come before the first synchronous commit.
 *
 * @throws {StoreError} "damaged" if what is there is no database of ours.
 */
export function openLmdbStore(options: LmdbOptions): LmdbStore {
  const { directory, bytesMax, readOnly = false } = options;
  const library = embedLmdb();
  const lmdb = openLmdb(library);
  const check: Check = (result, doing) => {
    if (result !== 0) throw lmdbError(result, `${doing} ${directory}/data.mdb`);
  };
  const out = new BigUint64Array(1);
  check(lmdb.mdb_env_create(out), "open");
  const environment = out[0];
  const pointer = Deno.UnsafePointer.create(environment);
  let sealer: Sealer | undefined;
  try {
    // Address space costs nothing: the file itself grows as it is written.
    check(lmdb.mdb_env_set_mapsize(pointer, BigInt(bytesMax)), "open");
    check(lmdb.mdb_env_set_maxdbs(pointer, TABLES.length), "open");
    // What is to be on disk gets there when it is sealed.
    const flags = MDB_NOTLS | (readOnly ? MDB_RDONLY : MDB_NOSYNC);
    const path = cString(directory);
    check(lmdb.mdb_env_open(pointer, path, flags, FILE_MODE), "open");
    // Whoever was killed while it read would keep pages from being used again.
    check(lmdb.mdb_reader_check(pointer, new Int32Array(1)), "open");
    const tables = openTables(lmdb, pointer, readOnly, check);
    if (!readOnly) sealer = Sealer.open(`${directory}/data.mdb`, true);
    const { address = 0n } = sealer ?? {};
    const handle = {
      ...options,
      library,
      environment,
      tables,
      sealer: address,
      place: placeOf(`${directory}/data.mdb`),
    };
    return new LmdbStore(handle);
  } catch (error) {
    sealer?.close();
    lmdb.mdb_env_close(pointer);
    throw error;
  }
}

/** LMDB's numbers of the tables, which stay open when the transaction that opened them has ended. */
function openTables(
  lmdb: Lmdb,
  environment: Deno.PointerValue,
  readOnly: boolean,
  check: Check,
): number[] {
  const out = new BigUint64Array(1);
  const reading = readOnly ? MDB_RDONLY : 0;
  check(lmdb.mdb_txn_begin(environment, null, reading, out), "open");
  const transaction = Deno.UnsafePointer.create(out[0]);
  const table = new Uint32Array(1);
  const flags = MDB_INTEGERKEY | (readOnly ? 0 : MDB_CREATE);
  const tables = TABLES.map((number) => {
    const name = Table[number];
    const result = lmdb.mdb_dbi_open(transaction, cString(name), flags, table);
    if (result !== 0) lmdb.mdb_txn_abort(transaction);
    check(result, `open table ${name} of`);
    return table[0];
  });
  check(lmdb.mdb_txn_commit(transaction), "make");
  return tables;
}

/** A thread's use of an environment. */
export class LmdbStore implements Store {
  readonly handle: LmdbHandle;
  readonly #lmdb: Lmdb;
  #environment: Deno.PointerValue;
  /** Undefined: the environment is only read. */
  readonly #sealer?: Sealer;
  readonly #mapping: Mapping;
  /** The transaction that writes, if one has begun. */
  #writing: Deno.PointerValue = null;
  /** The transaction that reads: made once, and between two reads it holds no page. */
  #reading: Deno.PointerValue = null;
  /** It is in use. */
  #isReading = false;
  /** Bytes put by the transaction that writes. */
  #putBytes = 0;
  /** Highest instance that it put: only what is above it may be appended. */
  #highest = -1;
  // MDB_val is a size and an address, u64 each; the address is written as two halves.
  readonly #key = new Uint32Array(new ArrayBuffer(8));
  readonly #keyAt: number;
  readonly #keyRef = new Uint32Array(new ArrayBuffer(16));
  readonly #dataRef = new Uint32Array(new ArrayBuffer(16));
  readonly #stats = new DataView(new ArrayBuffer(STAT_BYTES));
  readonly #out = new BigUint64Array(1);
  /** The value read last, copied: LMDB's memory may change under it. */
  #value = new Uint8Array(16384);
  /** The buffer that was put from last, and where it is. */
  #source: ArrayBufferLike | undefined;
  #sourceAt = 0;
  /** Uses an environment that `openLmdbStore` opened, in this thread or another. */
  constructor(handle: LmdbHandle) {
    this.handle = handle;
    this.#lmdb = openLmdb(handle.library);
    this.#environment = Deno.UnsafePointer.create(handle.environment);
    this.#mapping = new Mapping(handle.place);
    if (handle.sealer !== 0n) {
      this.#sealer = Sealer.at(handle.sealer, this.#path);
    }
    this.#keyAt = addressOf(this.#key.buffer);
  }

  begin(): void {
    const result = this.#lmdb.mdb_txn_begin(
      this.#environment,
      null,
      0,
      this.#out,
    );
    this.#check(result, "write");
    this.#writing = Deno.UnsafePointer.create(this.#out[0]);
    this.#putBytes = 0;
    this.#highest = -1;
  }

  put(
    table: Table,
    key: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (offset < 0 || length < 0 || offset + length > bytes.length) {
      throw new RangeError("What is to be put does not lie within its bytes");
    }
    if (bytes.buffer !== this.#source) {
      this.#source = bytes.buffer;
      this.#sourceAt = addressOf(bytes.buffer);
    }
    this.#setKey(key);
    pointAt(this.#dataRef, length, this.#sourceAt + bytes.byteOffset + offset);
    // What follows all others is appended, which fills pages and does not leave them half empty.
    let result = MDB_KEYEXIST;
    if (table === Table.log && key > this.#highest) {
      this.#highest = key;
      result = this.#put(table, MDB_APPEND);
    }
    if (result === MDB_KEYEXIST) result = this.#put(table, 0);
    this.#check(result, "write");
    this.#putBytes += length;
    this.#mapping.touch(length);
  }

  remove(table: Table, key: number): void {
    this.#setKey(key);
    const result = this.#lmdb.mdb_del(
      this.#writing,
      this.handle.tables[table],
      this.#keyRef,
      null,
    );
    if (result !== MDB_NOTFOUND) this.#check(result, "remove from");
  }

  removeBelow(table: Table, end: number, most: number): number {
    let removed = 0;
    this.#withCursor(table, (cursor) => {
      let found = this.#move(cursor, CURSOR.first);
      while (removed < most && found && this.#readKey() < end) {
        this.#check(this.#lmdb.mdb_cursor_del(cursor, 0), "remove from");
        removed++;
        found = this.#move(cursor, CURSOR.next);
      }
    });
    return removed;
  }

  commit(): void {
    const transaction = this.#writing;
    // Whatever comes of it, the transaction is gone.
    this.#writing = null;
    const result = this.#lmdb.mdb_txn_commit(transaction);
    if (mayBeShortWrite(result) && this.#isDiskFull()) {
      throw new StoreError(
        "full",
        `cannot commit to ${this.#path}: there is no space left on the disk`,
      );
    }
    this.#check(result, "commit to");
    if (this.handle.synchronous) this.sync();
  }

  abort(): void {
    if (this.#writing === null) return;
    this.#lmdb.mdb_txn_abort(this.#writing);
    this.#writing = null;
  }

  sync(): void {
    this.#sealer?.seal();
  }

  /** All that was committed goes to disk, without a seal, while this thread goes on. */
  async syncAside(): Promise<void> {
    const result = await this.#lmdb.mdb_env_sync_aside(this.#environment, 1);
    this.#check(result, "sync");
  }

  get(table: Table, key: number): Uint8Array | undefined {
    return this.#read((transaction) => {
      this.#setKey(key);
      const result = this.#lmdb.mdb_get(
        transaction,
        this.handle.tables[table],
        this.#keyRef,
        this.#dataRef,
      );
      if (result === MDB_NOTFOUND) return undefined;
      this.#check(result, "read");
      return this.#readValue();
    });
  }

  walk(
    table: Table,
    from: number,
    visit: (key: number, value: Uint8Array) => boolean,
  ): void {
    this.#withCursor(table, (cursor) => {
      this.#setKey(from);
      let found = this.#move(cursor, CURSOR.from);
      while (found && visit(this.#readKey(), this.#readValue())) {
        found = this.#move(cursor, CURSOR.next);
      }
    });
  }

  first(table: Table): number | undefined {
    return this.#end(table, CURSOR.first);
  }

  last(table: Table): number | undefined {
    return this.#end(table, CURSOR.last);
  }

  count(table: Table): number {
    return this.#read((transaction) => {
      this.#stat(transaction, table);
      return this.#number(STAT_ENTRIES);
    });
  }

  get bytes(): number {
    return this.#read((transaction) => {
      let pages = 0;
      for (const table of TABLES) {
        this.#stat(transaction, table);
        pages += this.#number(STAT_BRANCH) + this.#number(STAT_LEAF) +
          this.#number(STAT_OVERFLOW);
      }
      return pages * this.#stats.getUint32(STAT_PAGE_BYTES, true);
    });
  }

  get bytesMax(): number {
    return this.handle.bytesMax;
  }

  /**
   * Calls back; all that is read until it returns is of one moment, whatever is committed meanwhile. Until
   * then no page that was in use at that moment is used again.
   */
  snapshot<T>(use: () => T): T {
    return this.#read(() => use());
  }

  /** Pages from this one on that hold nothing, and may never have been written. */
  freePagesFrom(page: number): number {
    let free = 0;
    this.#withCursorOf(MDB_FREE_TABLE, (cursor) => {
      let found = this.#move(cursor, CURSOR.first);
      while (found) {
        // A count, and so many numbers of pages.
        const pages = this.#readValue();
        const view = new DataView(pages.buffer, 0, pages.length);
        const count = pages.length < 8
          ? -1
          : Number(view.getBigUint64(0, true));
        if (count < 0 || count > pages.length / 8 - 1) {
          throw this.#damaged("a list of its free pages is malformed");
        }
        for (let at = 8; at <= 8 * count; at += 8) {
          if (Number(view.getBigUint64(at, true)) >= page) free++;
        }
        found = this.#move(cursor, CURSOR.next);
      }
    });
    return free;
  }

  /** Releases the pages that processes which are gone were reading. */
  checkReaders(): void {
    const dead = new Int32Array(1);
    this.#check(
      this.#lmdb.mdb_reader_check(this.#environment, dead),
      "look at",
    );
  }

  /** Ends this thread's use of the environment, which stays open. */
  detach(): void {
    this.abort();
    if (this.#reading !== null) this.#lmdb.mdb_txn_abort(this.#reading);
    this.#reading = null;
  }

  /** Closes the environment; no other thread may use it any more. */
  close(): void {
    if (this.#environment === null) return;
    this.detach();
    this.#lmdb.mdb_env_close(this.#environment);
    this.#sealer?.close();
    this.#environment = null;
  }

  get #path(): string {
    return `${this.handle.directory}/data.mdb`;
  }

  #check(result: number, doing: string): void {
    if (result !== 0) throw lmdbError(result, `${doing} ${this.#path}`);
  }

  /** Calls back with the transaction that writes, where there is one, or one that reads what was committed last. */
  #read<T>(use: (transaction: Deno.PointerValue) => T): T {
    if (this.#writing !== null) return use(this.#writing);
    if (this.#isReading) return use(this.#reading);
    if (this.#reading === null) {
      const result = this.#lmdb.mdb_txn_begin(
        this.#environment,
        null,
        MDB_RDONLY,
        this.#out,
      );
      this.#check(result, "read");
      this.#reading = Deno.UnsafePointer.create(this.#out[0]);
    } else this.#check(this.#lmdb.mdb_txn_renew(this.#reading), "read");
    this.#isReading = true;
    try {
      return use(this.#reading);
    } finally {
      this.#isReading = false;
      this.#lmdb.mdb_txn_reset(this.#reading);
    }
  }

  #withCursor(table: Table, use: (cursor: Deno.PointerValue) => void): void {
    this.#withCursorOf(this.handle.tables[table], use);
  }

  #withCursorOf(
    table: number,
    use: (cursor: Deno.PointerValue) => void,
  ): void {
    this.#read((transaction) => {
      const result = this.#lmdb.mdb_cursor_open(transaction, table, this.#out);
      this.#check(result, "read");
      const cursor = Deno.UnsafePointer.create(this.#out[0]);
      try {
        use(cursor);
      } finally {
        this.#lmdb.mdb_cursor_close(cursor);
      }
    });
  }

  /** Moves a cursor; false: there is nothing. The references are then the key's and the value's in LMDB's memory. */
  #move(cursor: Deno.PointerValue, to: number): boolean {
    const result = this.#lmdb.mdb_cursor_get(
      cursor,
      this.#keyRef,
      this.#dataRef,
      to,
    );
    if (result === MDB_NOTFOUND) return false;
    this.#check(result, "read");
    return true;
  }

  #end(table: Table, to: number): number | undefined {
    let key: number | undefined;
    this.#withCursor(table, (cursor) => {
      if (this.#move(cursor, to)) key = this.#readKey();
    });
    return key;
  }

  #put(table: Table, flags: number): number {
    return this.#lmdb.mdb_put(
      this.#writing,
      this.handle.tables[table],
      this.#keyRef,
      this.#dataRef,
      flags,
    );
  }

  #stat(transaction: Deno.PointerValue, table: Table): void {
    const result = this.#lmdb.mdb_stat(
      transaction,
      this.handle.tables[table],
      this.#stats,
    );
    this.#check(result, "look at");
  }

  #number(at: number): number {
    return Number(this.#stats.getBigUint64(at, true));
  }

  #setKey(key: number): void {
    this.#key[0] = key;
    this.#key[1] = key / 2 ** 32;
    pointAt(this.#keyRef, 8, this.#keyAt);
  }

  #readKey(): number {
    if (this.#keyRef[0] !== 8) throw this.#damaged("a key is none of ours");
    copyMemory(this.#key, addressIn(this.#keyRef), 8);
    const key = this.#key[0] + this.#key[1] * 2 ** 32;
    if (key > Number.MAX_SAFE_INTEGER) {
      throw this.#damaged("a key is none of ours");
    }
    return key;
  }

  #readValue(): Uint8Array {
    const length = this.#dataRef[0];
    if (length >= VALUE_BYTES_MAX) {
      throw this.#damaged(`a value of it has ${length} bytes`);
    }
    if (length > this.#value.length) this.#value = new Uint8Array(length);
    copyMemory(this.#value, addressIn(this.#dataRef), length);
    this.#mapping.touch(length);
    return this.#value.subarray(0, length);
  }

  #damaged(what: string): StoreError {
    return new StoreError("damaged", `cannot read ${this.#path}: ${what}`);
  }

  #isDiskFull(): boolean {
    const { bavail, bsize } = statfsSync(this.handle.directory);
    return bavail * bsize < Math.max(this.#putBytes, SPACE_BYTES_LEAST);
  }
}

/** Writes a reference to `length` bytes at an address. */
function pointAt(
  reference: Uint32Array,
  length: number,
  address: number,
): void {
  reference[0] = length;
  reference[1] = 0;
  reference[2] = address;
  reference[3] = address / 2 ** 32;
}

/** What such a reference points at. */
function addressIn(reference: Uint32Array): number {
  return reference[2] + reference[3] * 2 ** 32;
}

/** Where a buffer's bytes are. Addresses have 47 bits. */
function addressOf(buffer: ArrayBufferLike): number {
  const pointer = Deno.UnsafePointer.of(
    new Uint8Array(buffer) as Uint8Array<ArrayBuffer>,
  );
  return Number(Deno.UnsafePointer.value(pointer));
}
