/**
 * The directory of one node's storage: whose it is, that it is whole, and that nobody else has it open.
 *
 *   PATH/KIND-ID/data.mdb   the database
 *               /lock.mdb   who reads it: LMDB's own
 *               /lock       who has it open: that process' lock and number
 *               /new/       a database that is being made
 *               /set-aside/ a database that is not trusted any more, since the machine lost power
 */
import { EXIT, UserError } from "../roles/errors.ts";
import { type LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import { checkFile } from "./meta_pages.ts";
import { checkPages } from "./pages.ts";
import { FORMAT_VERSION, readStamp, type Stamp, writeStamp } from "./stamp.ts";
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

/** A node's storage, open, locked and known to be its own. */
export class StorageDirectory {
  readonly path: string;
  readonly store: LmdbStore;
  readonly stamp: Stamp;
  /** What the user should know of how it was found; undefined: nothing. */
  readonly warning?: string;
  readonly #lock: Deno.FsFile;

  private constructor(
    path: string,
    lock: Deno.FsFile,
    store: LmdbStore,
    stamp: Stamp,
    warning?: string,
  ) {
    this.path = path;
    this.#lock = lock;
    this.store = store;
    this.stamp = stamp;
    this.warning = warning;
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
    if (!this.stamp.synchronous) {
      try {
        this.store.sync();
        writeStamp(this.store, { ...this.stamp, clean: true });
      } catch (error) {
        // The next start takes it for what a crash left, which is safe.
        if (!(error instanceof StoreError)) throw error;
      }
    }
    this.abandon();
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
) => StorageDirectory;

function openLocked(
  path: string,
  options: DirectoryOptions,
  make: Make,
): StorageDirectory {
  const { synchronous, boot = bootId() } = options;
  if (options.trash) trash(path);
  if (!exists(`${path}/${DATA}`)) create(path, options, boot, false);
  let { store, stamp } = openChecked(path, options);
  let warning: string | undefined;
  if (!stamp.synchronous && !stamp.clean && stamp.boot !== boot) {
    store.close();
    setAside(path);
    create(path, options, boot, true);
    ({ store, stamp } = openChecked(path, options));
    warning =
      `the machine stopped before what was stored (lmdb-sync no) was surely on disk: it is now in ${path}/set-aside, ` +
      "and this node goes on without its memory, which it gets back from the others";
  }
  // With synchronous commits nothing depends on how the process or the machine ends.
  if (synchronous && stamp.synchronous) return make(store, stamp, warning);
  const now = { ...stamp, synchronous, boot, clean: synchronous };
  writeStamp(store, now);
  return make(store, now, warning);
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
export function checkOwner(
  path: string,
  stamp: Stamp,
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
  boot: string,
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
      boot,
      clean: true,
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

/** Makes a directory and those above it, each durably in the one above. */
function makeDirectory(path: string): void {
  if (exists(path)) return;
  const parent = path.slice(0, path.lastIndexOf("/")) ||
    (path.startsWith("/") ? "/" : ".");
  if (parent !== path) makeDirectory(parent);
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another node's process may have made the folder for both.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  syncDirectory(parent);
}

function setAside(path: string): void {
  const aside = `${path}/set-aside`;
  removeAll(aside);
  Deno.mkdirSync(aside, { mode: 0o700 });
  for (const name of [DATA, READERS]) {
    if (exists(`${path}/${name}`)) {
      Deno.renameSync(`${path}/${name}`, `${aside}/${name}`);
    }
  }
  syncDirectory(path);
}

function trash(path: string): void {
  for (const name of [DATA, READERS, "new", "set-aside"]) {
    removeAll(`${path}/${name}`);
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

/** What to do about damage: said wherever it is found. */
export function damageText(path: string, reason: string): string {
  return `the storage in ${path} is damaged: ${reason}. A node must not vote upon a guess. ` +
    `Move ${path} away and start again: the node then begins without its memory and gets it back from the others, ` +
    "of which a majority must be sound";
}

function bootId(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}

/** Makes names in a directory durable: a file that is on disk and in no directory is lost (fsync(2)). */
function syncDirectory(path: string): void {
  const directory = Deno.openSync(path);
  directory.syncSync();
  directory.close();
}

function removeAll(path: string): void {
  if (exists(path)) Deno.removeSync(path, { recursive: true });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
