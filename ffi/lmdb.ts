/** The typed table of LMDB's functions and constants, and what its error numbers mean (lmdb.h of 0.9.24). */
import bytes from "../build/liblmdb.so.0" with { type: "bytes" };
import { StoreError } from "../storage/store.ts";
import { embedLibrary } from "./embedded.ts";

/** Flags of an environment. */
export const MDB_NOSYNC = 0x10000;
export const MDB_RDONLY = 0x20000;
/** Readers are bound to their transaction and not to their thread. */
export const MDB_NOTLS = 0x200000;
/** Flags of a table: keys are native u64; make it if it is not there. */
export const MDB_INTEGERKEY = 0x08;
export const MDB_CREATE = 0x40000;
/** The table of pages that may be used again: by transaction that freed them, a u64 count and as many page numbers. */
export const MDB_FREE_TABLE = 0;
/** Flag of a put: the key follows all others. */
export const MDB_APPEND = 0x20000;
/** What a cursor moves to. */
export const CURSOR = {
  first: 0,
  last: 6,
  next: 8,
  /** The first key that is not below the one given. */
  from: 17,
} as const;

/** What functions return besides 0 and the system's error numbers. */
export const MDB_KEYEXIST = -30799;
export const MDB_NOTFOUND = -30798;
const MDB_PAGE_NOTFOUND = -30797;
const MDB_CORRUPTED = -30796;
const MDB_VERSION_MISMATCH = -30794;
const MDB_INVALID = -30793;
const MDB_MAP_FULL = -30792;
const MDB_TXN_FULL = -30788;
const EIO = 5;
const ENOSPC = 28;
const EDQUOT = 122;

const FULL = [MDB_MAP_FULL, MDB_TXN_FULL, ENOSPC, EDQUOT];
const DAMAGED = [
  MDB_PAGE_NOTFOUND,
  MDB_CORRUPTED,
  MDB_VERSION_MISMATCH,
  MDB_INVALID,
];

/** What the user reads in place of LMDB's own words, which speak to programmers. */
const MEANING: Readonly<Record<number, string>> = {
  [MDB_MAP_FULL]: "it may not grow further (lmdb-mapsize)",
  [MDB_TXN_FULL]: "one commit has too many pages",
  [MDB_PAGE_NOTFOUND]: "a page that it refers to is not there",
  [MDB_CORRUPTED]: "a page of it has another type than it should have",
  [MDB_VERSION_MISMATCH]: "its format is that of another version of LMDB",
  [MDB_INVALID]: "it does not begin as a database of LMDB does",
  [ENOSPC]: "there is no space left on the disk",
  [EDQUOT]: "the disk quota is used up",
  [EIO]: "the disk reports an input or output error",
};

// struct MDB_stat:    | psize u32 | depth u32 | branch | leaf | overflow | entries |
// (What has no type is u64.)
/** Bytes of it. */
export const STAT_BYTES = 40;
export const STAT_PAGE_BYTES = 0;
export const STAT_BRANCH = 8;
export const STAT_LEAF = 16;
export const STAT_OVERFLOW = 24;
export const STAT_ENTRIES = 32;

/** Functions return 0, an errno, or one of the numbers above, if nothing else is said. */
const SYMBOLS = {
  // int mdb_env_create(MDB_env **env)
  mdb_env_create: { parameters: ["buffer"], result: "i32" },
  // int mdb_env_set_mapsize(MDB_env *env, size_t size)
  mdb_env_set_mapsize: { parameters: ["pointer", "usize"], result: "i32" },
  // int mdb_env_set_maxdbs(MDB_env *env, MDB_dbi dbs)
  mdb_env_set_maxdbs: { parameters: ["pointer", "u32"], result: "i32" },
  // int mdb_env_set_flags(MDB_env *env, unsigned int flags, int onoff)
  mdb_env_set_flags: { parameters: ["pointer", "u32", "i32"], result: "i32" },
  // int mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode)
  mdb_env_open: {
    parameters: ["pointer", "buffer", "u32", "u32"],
    result: "i32",
  },
  // int mdb_env_sync(MDB_env *env, int force)
  mdb_env_sync: { parameters: ["pointer", "i32"], result: "i32" },
  // The same, on a thread of the runtime's.
  mdb_env_sync_aside: {
    name: "mdb_env_sync",
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  // void mdb_env_close(MDB_env *env)
  mdb_env_close: { parameters: ["pointer"], result: "void" },
  // int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned int flags, MDB_txn **txn)
  mdb_txn_begin: {
    parameters: ["pointer", "pointer", "u32", "buffer"],
    result: "i32",
  },
  // int mdb_txn_commit(MDB_txn *txn)
  mdb_txn_commit: { parameters: ["pointer"], result: "i32" },
  // void mdb_txn_abort(MDB_txn *txn)
  mdb_txn_abort: { parameters: ["pointer"], result: "void" },
  // void mdb_txn_reset(MDB_txn *txn)
  mdb_txn_reset: { parameters: ["pointer"], result: "void" },
  // int mdb_txn_renew(MDB_txn *txn)
  mdb_txn_renew: { parameters: ["pointer"], result: "i32" },
  // int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags, MDB_dbi *dbi)
  mdb_dbi_open: {
    parameters: ["pointer", "buffer", "u32", "buffer"],
    result: "i32",
  },
  // int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat)
  mdb_stat: { parameters: ["pointer", "u32", "buffer"], result: "i32" },
  // int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
  mdb_get: {
    parameters: ["pointer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  // int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
  mdb_put: {
    parameters: ["pointer", "u32", "buffer", "buffer", "u32"],
    result: "i32",
  },
  // int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
  mdb_del: {
    parameters: ["pointer", "u32", "buffer", "pointer"],
    result: "i32",
  },
  // int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor)
  mdb_cursor_open: {
    parameters: ["pointer", "u32", "buffer"],
    result: "i32",
  },
  // void mdb_cursor_close(MDB_cursor *cursor)
  mdb_cursor_close: { parameters: ["pointer"], result: "void" },
  // int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
  mdb_cursor_get: {
    parameters: ["pointer", "buffer", "buffer", "u32"],
    result: "i32",
  },
  // int mdb_cursor_del(MDB_cursor *cursor, unsigned int flags)
  mdb_cursor_del: { parameters: ["pointer", "u32"], result: "i32" },
  // int mdb_reader_check(MDB_env *env, int *dead)
  mdb_reader_check: { parameters: ["pointer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** LMDB's functions. */
export type Lmdb = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/**
 * Puts LMDB where every thread of this process can open it.
 *
 * @returns The path for `openLmdb`. One environment must be used through one library.
 */
export function embedLmdb(): string {
  return embedLibrary("liblmdb.so.0", bytes);
}

/** LMDB's functions, of the library at `path`. */
export function openLmdb(path: string): Lmdb {
  return Deno.dlopen(path, SYMBOLS).symbols;
}

const libc = Deno.dlopen("libc.so.6", {
  // void *memcpy(void *to, const void *from, size_t bytes)
  memcpy: { parameters: ["buffer", "usize", "usize"], result: "void" },
}).symbols;

/**
 * Copies `bytes` from an address, as LMDB gives it, which is a number below 2^47.
 * (Deno takes numbers for what its types call bigints, and those would be allocated each time.)
 */
export const copyMemory = libc.memcpy as unknown as (
  to: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  from: number,
  bytes: number,
) => void;

/**
 * What a result other than 0 is to whoever uses a store.
 *
 * @param doing What was tried, and where: "commit to /var/lib/kpaxos/replica-1".
 */
export function lmdbError(result: number, doing: string): StoreError {
  const code = FULL.includes(result)
    ? "full"
    : DAMAGED.includes(result)
    ? "damaged"
    : "failed";
  const number = result > 0 ? `errno ${result}` : `LMDB ${result}`;
  const meaning = result in MEANING ? `${MEANING[result]} (${number})` : number;
  return new StoreError(code, `cannot ${doing}: ${meaning}`);
}

/** Whether a result may stand for a disk without space: LMDB takes a write that was cut short for EIO. */
export function mayBeShortWrite(result: number): boolean {
  return result === EIO;
}
