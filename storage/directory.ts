/**
 * The directory of one node's storage: whose it is, that it is whole, and that nobody else has it open.
 *
 *   PATH/KIND-ID/data.mdb   the database
 *               /lock.mdb   who reads it: LMDB's own
 *               /lock       who has it open: that process' lock and number
 *               /mark       what is in the database may not be on disk yet: mark.ts
 *               /new/       a database that is being made
 *               /set-aside-1/ and so on: databases that are not trusted any more, since the machine lost power
 */
import { EXIT, UserError } from "../roles/errors.ts";
import { exists, makeDirectory, removeAll, syncDirectory } from "./files.ts";
import { type LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import {
  bootId,
  distrust,
  MARK,
  readMark,
  removeMark,
  writeMark,
} from "./mark.ts";
import { checkFile } from "./meta_pages.ts";
import { checkPages } from "./pages.ts";
import { Sealer } from "./seal.ts";
import { FORMAT_VERSION, readStamp, type Stamp, writeStamp } from "./stamp.ts";
import { damageText } from "./storage.ts";
import { StoreError } from "./store.ts";

/** Whose storage is opened, and how. */
export interface DirectoryOptions {
  /** The folder that holds a directory for each node: lmdb-env-path. */
  readonly path: string;
  readonly kind: string;
  readonly id: number;
  readonly cluster: number;
  /** Most bytes that it may grow to: lmdb-mapsize. */
  readonly bytesMax: number;
  /** lmdb-sync. */
  readonly synchronous: boolean;
  /** Throw away what is there: acceptor-trash-files. */
  readonly trash: boolean;
  /** Bytes at the end of each table that will be read at the start, and are looked at first (default: all). */
  readonly tailBytes?: number;
  /** Of this process: the memory's name, if it begins now. */
  readonly incarnation: number;
  /** Which start of the machine this is (default: the kernel's word). */
  readonly boot?: string;
}

const DATA = "data.mdb";
const READERS = "lock.mdb";
const SET_ASIDE = /^set-aside-(\d+)$/;

/** A node's storage, open, locked and known to be its own. */
export class StorageDirectory {
  readonly path: string;
  readonly store: LmdbStore;
  readonly stamp: Stamp;
  /** What the user should know of how it was found; undefined: nothing. */
  readonly warning?: string;
  /** What else happened to it, in its due course. */
  readonly note?: string;
  readonly #lock: Deno.FsFile;

  private constructor(
    path: string,
    lock: Deno.FsFile,
    store: LmdbStore,
    stamp: Stamp,
    warning?: string,
    note?: string,
  ) {
    this.path = path;
    this.#lock = lock;
    this.store = store;
    this.stamp = stamp;
    this.warning = warning;
    this.note = note;
  }

  /**
   * Opens a node's storage, or makes it.
   *
   * @throws {UserError} with exit code 3 if it cannot be made or written, is another node's, in use,
   * of a newer format, or damaged.
   */
  static open(options: DirectoryOptions): StorageDirectory {
    const path = `${options.path}/${options.kind}-${options.id}`;
    const lock = makeAndLock(path);
    try {
      return openLocked(
        path,
        options,
        (...rest) => new StorageDirectory(path, lock, ...rest),
      );
    } catch (error) {
      lock.close();
      throw explained(error, path);
    }
  }

  /** Closes it, with all of it on disk. No other thread may use it any more. */
  close(): void {
    let isOnDisk = true;
    try {
      // With synchronous commits they are there, and now also the note that says so.
      this.store.sync();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      isOnDisk = false;
      distrust(this.path);
    }
    this.store.close();
    if (isOnDisk && !this.stamp.synchronous) removeMark(this.path);
    this.#lock.close();
  }

  /** Leaves it as a process that dies does, and with it what is not on disk yet. */
  abandon(): void {
    this.store.close();
    this.#lock.close();
  }
}

type Make = (
  store: LmdbStore,
  stamp: Stamp,
  warning?: string,
  note?: string,
) => StorageDirectory;

function openLocked(
  path: string,
  options: DirectoryOptions,
  make: Make,
): StorageDirectory {
  const { synchronous, boot = bootId() } = options;
  if (options.trash) trash(path);
  const mark = readMark(path);
  if (mark !== undefined) checkOwner(path, mark, options);
  let warning: string | undefined;
  if (mark !== undefined && mark.boot !== boot) {
    if (exists(`${path}/${DATA}`)) setAside(path);
    warning =
      "the machine stopped, or its disk failed, before what was stored (lmdb-sync no) was surely on disk: " +
      `it is now in the last set-aside folder of ${path}, ` +
      "and this node goes on without its memory, which it gets back from the others";
  }
  // The mark goes last, so a start that was ended between these steps is known to have begun them.
  if (!exists(`${path}/${DATA}`)) create(path, options, mark !== undefined);
  // With a mark all is as the kernel has it, in this start of the machine, or begins anew.
  const note = mark === undefined ? goBackIfTorn(path) : undefined;
  const { store, stamp } = openChecked(path, options);
  try {
    bringToDisk(path, store);
    if (!synchronous && mark?.boot !== boot) {
      writeMark(path, { ...stamp, boot });
    }
    const now = { ...stamp, format: FORMAT_VERSION, synchronous };
    const isOfNow = stamp.format === FORMAT_VERSION && !stamp.synchronous;
    if (synchronous || !isOfNow) settle(store, now);
    if (synchronous) removeMark(path);
    return make(store, now, warning, note);
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * A commit that was under way when the process or the machine ended is taken back, if it did not reach the
 * disk. LMDB reads the newer of the first pages alone, so it must not have opened the database yet.
 *
 * @returns What to tell the user of it.
 */
function goBackIfTorn(path: string): string | undefined {
  const sealer = Sealer.open(`${path}/${DATA}`, true);
  try {
    const verdict = sealer.judge();
    if (verdict.kind === "whole") return undefined;
    sealer.goBack(verdict.slot);
  } finally {
    sealer.close();
  }
  // Whoever reads the database now has told LMDB there of the commit that is gone.
  removeAll(`${path}/${READERS}`);
  return `a commit was under way in ${path} when this node or its machine stopped: it counts for nothing, ` +
    "and nothing that hung on it had left this node";
}

/**
 * Brings what was found to disk, before anybody hears of it or builds upon it: a process that was killed may
 * have left it with the kernel alone.
 */
function bringToDisk(path: string, store: LmdbStore): void {
  try {
    store.sync();
  } catch (error) {
    distrust(path);
    throw error;
  }
}

/**
 * Writes the stamp anew, if there is room. A commit of its own is surer than a sync, as the kernel forgets what it
 * could not write.
 */
function settle(store: LmdbStore, stamp: Stamp): void {
  try {
    writeStamp(store, stamp);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "full") throw error;
    store.abort();
  }
}

/** Opens what is there, and compares it with what it should be. */
function openChecked(
  path: string,
  options: DirectoryOptions,
): { store: LmdbStore; stamp: Stamp } {
  const { bytesMax, synchronous } = options;
  const data = `${path}/${DATA}`;
  const pages = checkFile(data);
  const { bytes, bytesLeast, pageBytes } = pages;
  // Pages at the end that were never used need not be written; LMDB would end the process with SIGBUS
  // if it met the end of the file, so they are made up for before it opens it, and judged then.
  if (bytes < bytesLeast) Deno.truncateSync(data, bytesLeast);
  let store: LmdbStore | undefined;
  try {
    checkPages(data, { ...pages, tailBytes: options.tailBytes ?? Infinity });
    store = openLmdbStore({ directory: path, bytesMax, synchronous });
    const end = Math.floor(bytes / pageBytes);
    const missing = bytesLeast / pageBytes - end;
    if (missing > 0 && store.freePagesFrom(end) < missing) {
      throw new StoreError("damaged", "pages at its end are missing");
    }
    const stamp = readStamp(store);
    checkOwner(path, stamp, options);
    return { store, stamp };
  } catch (error) {
    store?.close();
    if (bytes >= bytesLeast) throw error;
    // What is damaged stays as it was found.
    Deno.truncateSync(data, bytes);
    throw new StoreError(
      "damaged",
      `${DATA} has ${bytes} bytes, and by its own word it should have ${bytesLeast}`,
      { cause: error },
    );
  }
}

/** @throws {UserError} if the storage is not this node's. */
function checkOwner(
  path: string,
  stamp: Pick<Stamp, "format" | "cluster" | "kind" | "id">,
  { cluster, kind, id }: Pick<DirectoryOptions, "cluster" | "kind" | "id">,
): void {
  if (stamp.format > FORMAT_VERSION) {
    throw new UserError(
      `${path} has storage format ${stamp.format}, and this version of kpaxos reads ${FORMAT_VERSION}: use the version that wrote it, or a newer one`,
      EXIT.environment,
    );
  }
  if (
    stamp.cluster === cluster && stamp.kind === kind && stamp.id === id
  ) return;
  throw new UserError(
    `${path} holds what ${stamp.kind} ${stamp.id} of cluster ${stamp.cluster} stored, and this is ${kind} ${id} of cluster ${cluster}: ` +
      "give each node a folder of its own (--lmdb-env-path), or start the node that it belongs to",
    EXIT.environment,
  );
}

/** Makes a database aside and moves it into its place, so that what is there is always whole. */
function create(
  path: string,
  options: DirectoryOptions,
  forgot: boolean,
): void {
  const { cluster, kind, id, incarnation, bytesMax, synchronous } = options;
  const aside = `${path}/new`;
  removeAll(aside);
  Deno.mkdirSync(aside, { mode: 0o700 });
  const store = openLmdbStore({
    directory: aside,
    bytesMax,
    synchronous: true,
  });
  try {
    writeStamp(store, {
      format: FORMAT_VERSION,
      cluster,
      kind,
      id,
      memory: incarnation,
      forgot,
      synchronous,
    });
  } finally {
    store.close();
  }
  Deno.renameSync(`${aside}/${DATA}`, `${path}/${DATA}`);
  removeAll(aside);
  syncDirectory(path);
}

/** Makes the directory, if need be, and locks it for as long as this process lives. */
function makeAndLock(path: string): Deno.FsFile {
  try {
    makeDirectory(path);
    const lock = Deno.openSync(`${path}/lock`, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
    if (!lock.tryLockSync(true)) {
      const pid = Deno.readTextFileSync(`${path}/lock`).trim();
      lock.close();
      throw new UserError(
        `${path} is in use by process ${pid}: end that first; two processes must not have one node's storage`,
        EXIT.environment,
      );
    }
    lock.truncateSync();
    lock.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
    return lock;
  } catch (error) {
    throw explained(error, path);
  }
}

/** Moves the database away, beside those that were moved before: it may be all that is left of a cluster. */
function setAside(path: string): void {
  let last = 0;
  for (const { name } of Deno.readDirSync(path)) {
    last = Math.max(last, Number(SET_ASIDE.exec(name)?.[1] ?? 0));
  }
  const aside = `${path}/set-aside-${last + 1}`;
  Deno.mkdirSync(aside, { mode: 0o700 });
  // With it whoever looks at the database knows what it is.
  Deno.copyFileSync(`${path}/${MARK}`, `${aside}/${MARK}`);
  for (const name of [DATA, READERS]) {
    if (exists(`${path}/${name}`)) {
      Deno.renameSync(`${path}/${name}`, `${aside}/${name}`);
    }
  }
  syncDirectory(aside);
  syncDirectory(path);
}

function trash(path: string): void {
  for (const { name } of [...Deno.readDirSync(path)]) {
    const isOurs = [DATA, READERS, MARK, "new"].includes(name);
    if (isOurs || SET_ASIDE.test(name)) removeAll(`${path}/${name}`);
  }
  syncDirectory(path);
}

/** What the user reads of an error: the directory, the reason, the remedy. */
function explained(error: unknown, path: string): unknown {
  if (error instanceof StoreError && error.code === "damaged") {
    return new UserError(damageText(path, error.message), EXIT.environment, {
      cause: error,
    });
  }
  if (error instanceof StoreError) {
    return new UserError(
      `storage in ${path}: ${error.message}`,
      EXIT.environment,
      { cause: error },
    );
  }
  const reason = error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable
    ? "permission denied"
    : error instanceof Error && "code" in error
    ? error.message
    : undefined;
  if (reason === undefined) return error;
  return new UserError(
    `cannot make or write ${path}: ${reason}; make the folder for this user, or choose another with --lmdb-env-path`,
    EXIT.environment,
    { cause: error },
  );
}
