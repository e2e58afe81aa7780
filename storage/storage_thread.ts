/** The storage thread: commits what gathered in the journal while the last commit was under way. */
import { setImmediate } from "node:timers/promises";
import { StorageCondition } from "../core/layout.ts";
import { wake } from "../ffi/shim.ts";
import { Committer } from "./committer.ts";
import { StorageControl } from "./control.ts";
import { Gathering } from "./gathering.ts";
import type { StorageStart } from "./lmdb_storage.ts";
import { LmdbStore } from "./lmdb_store.ts";
import { distrust } from "./mark.ts";

/** Tells the user something. */
export type Tell = (
  level: "error" | "warn" | "info",
  message: string,
) => void;

/** How often a store without room is tried again. */
const RETRY_MS = 500;
/** How often it is made sure that the file is still the one that was opened. */
const LOOK_MS = 1000;
/** Longest wait while a sync is under way, so that its end is seen. */
const SYNCING_WAIT_MS = 5;
/** Of the most that it may hold: when the user is warned. */
const WARN_FROM = 0.8;
/** A store that is full again and again is not told of more often. */
const TELL_MS = 10_000;

/** Runs until the node has stopped and all that it appended is stored, or storage failed. */
export async function runStorage(
  start: StorageStart,
  tell: Tell,
): Promise<void> {
  const control = new StorageControl(start.control);
  let thread: StorageThread | undefined;
  try {
    thread = new StorageThread(start, control, tell);
    await thread.run();
  } catch (error) {
    control.condition = StorageCondition.failed;
    const { directory } = start.handle;
    tell("error", failureText(directory, (error as Error).message));
    wakeNode(start);
  } finally {
    // Once this is told the node closes what this thread uses.
    await thread?.leave();
    control.finish();
  }
}

class StorageThread {
  readonly #start: StorageStart;
  readonly #control: StorageControl;
  readonly #tell: Tell;
  readonly #store: LmdbStore;
  readonly #committer: Committer;
  readonly #gathering = new Gathering();
  readonly #file: Deno.FileInfo;
  #retryAt_ms = 0;
  /** How far the log might be trimmed when that was tried last. */
  #triedLimit = 0;
  #lookAt_ms = 0;
  /** When the next sync begins; Infinity: there is nothing to bring to disk. */
  #syncAt_ms = Infinity;
  #syncing: Promise<void> | undefined;
  #syncError: Error | undefined;
  /** Before these times the user is not told again what was just said. */
  #warnAt_ms = 0;
  #tellFullAt_ms = 0;
  #isFullTold = false;

  constructor(start: StorageStart, control: StorageControl, tell: Tell) {
    this.#start = start;
    this.#control = control;
    this.#tell = tell;
    this.#store = new LmdbStore(start.handle);
    this.#committer = new Committer(this.#store, start.journal);
    this.#file = Deno.statSync(this.#path);
  }

  async run(): Promise<void> {
    for (;;) {
      const heard = this.#control.bell;
      const { isStopping, condition } = this.#control;
      if (condition === StorageCondition.failed) break;
      this.#turn(performance.now());
      if (isStopping && !this.#isDue(performance.now())) break;
      // A sync that has ended can say so now.
      if (this.#syncing !== undefined) await setImmediate();
      this.#control.waitForBell(heard, this.#patience_ms(performance.now()));
    }
    await this.#syncing;
    if (this.#syncError !== undefined) throw this.#syncError;
  }

  /** Ends this thread's use of the store, once a sync that is under way has ended. */
  async leave(): Promise<void> {
    await this.#syncing;
    this.#store.detach();
  }

  get #path(): string {
    return `${this.#start.handle.directory}/data.mdb`;
  }

  get #isFull(): boolean {
    return this.#control.condition === StorageCondition.full;
  }

  /** When there is something to commit, or to remove, if nobody rings before. */
  #dueAt_ms(now_ms: number): number {
    if (this.#isFull && this.#control.trimLimit > this.#triedLimit) {
      return now_ms;
    }
    const waiting = this.#waiting;
    if (this.#isFull || (waiting > 0 && this.#control.isStopping)) {
      return this.#retryAt_ms;
    }
    if (waiting === 0) return Infinity;
    return Math.max(this.#retryAt_ms, this.#gathering.due_ms(now_ms, waiting));
  }

  #isDue(now_ms: number): boolean {
    return this.#dueAt_ms(now_ms) <= now_ms;
  }

  /** Records that gathered since the last commit began. */
  get #waiting(): number {
    const { done } = this.#committer;
    return this.#control.appended(done) - done;
  }

  #turn(now_ms: number): void {
    if (now_ms >= this.#lookAt_ms) this.#look(now_ms);
    if (this.#isDue(now_ms)) this.#commit(now_ms);
    if (now_ms >= this.#syncAt_ms && this.#syncing === undefined) this.#sync();
    if (this.#syncError !== undefined) throw this.#syncError;
  }

  #commit(now_ms: number): void {
    const committer = this.#committer;
    const { done, low } = committer;
    this.#triedLimit = this.#control.trimLimit;
    committer.commit(this.#control.appended(done), this.#triedLimit);
    const ended_ms = performance.now();
    const stored = committer.done - done;
    this.#gathering.ended(ended_ms, ended_ms - now_ms, stored, this.#waiting);
    const hasStored = committer.done > done || committer.low > low;
    this.#retryAt_ms = hasStored ? 0 : now_ms + RETRY_MS;
    const { synchronous } = this.#start.handle;
    if (hasStored && !synchronous && this.#syncAt_ms === Infinity) {
      this.#syncAt_ms = now_ms + this.#start.syncPeriod_ms;
    }
    // The journal has room again with what is durable, and must not be filled again if the store is full.
    this.#tellCondition(now_ms);
    this.#control.low = committer.low;
    this.#control.setDurable(committer.done);
    this.#warn(now_ms);
    wakeNode(this.#start);
  }

  #tellCondition(now_ms: number): void {
    const { error } = this.#committer;
    const condition: number = this.#committer.condition;
    if (condition === this.#control.condition) return;
    if (condition === StorageCondition.failed) throw error;
    this.#control.condition = condition;
    const { directory } = this.#start.handle;
    if (condition === StorageCondition.sound) {
      if (this.#isFullTold) {
        this.#tell("info", `the storage in ${directory} has room again`);
      }
      this.#isFullTold = false;
      return;
    }
    if (now_ms < this.#tellFullAt_ms) return;
    this.#tellFullAt_ms = now_ms + TELL_MS;
    this.#isFullTold = true;
    this.#tell(
      "error",
      `the storage in ${directory} is full: ${error?.message}. This node accepts nothing new until there is room: ` +
        "free space on the disk, raise lmdb-mapsize, or let the learners go on that hold it back",
    );
  }

  #warn(now_ms: number): void {
    if (now_ms < this.#warnAt_ms) return;
    const part = this.#committer.bytes / this.#store.bytesMax;
    if (part < WARN_FROM) return;
    this.#warnAt_ms = now_ms + TELL_MS;
    this.#tell(
      "warn",
      `the storage in ${this.#start.handle.directory} holds ${
        Math.floor(part * 100)
      }% of lmdb-mapsize, and learners need what is in it: raise lmdb-mapsize, or let them go on`,
    );
  }

  /** Makes sure that what is written can be found again. */
  #look(now_ms: number): void {
    this.#lookAt_ms = now_ms + LOOK_MS;
    this.#store.checkReaders();
    let found: Deno.FileInfo | undefined;
    try {
      found = Deno.statSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (found?.ino === this.#file.ino && found.dev === this.#file.dev) return;
    throw new Error(
      `${this.#path} was removed or replaced while this process had it open`,
    );
  }

  #sync(): void {
    this.#syncAt_ms = Infinity;
    this.#syncing = this.#store.syncAside().catch((error) => {
      this.#syncError = error;
      distrust(this.#start.handle.directory);
    }).finally(() => {
      this.#syncing = undefined;
    });
  }

  /** How long nothing has to be done if nobody rings. */
  #patience_ms(now_ms: number): number {
    const dueIn_ms = Math.max(this.#dueAt_ms(now_ms) - now_ms, 0);
    if (this.#syncing !== undefined) return Math.min(dueIn_ms, SYNCING_WAIT_MS);
    const next_ms = Math.min(this.#lookAt_ms, this.#syncAt_ms);
    return Math.min(dueIn_ms, Math.max(next_ms - now_ms, 0));
  }
}

/** Ends the node's wait, if its card has a way to. */
function wakeNode({ wakeFd }: StorageStart): void {
  if (wakeFd >= 0) wake(wakeFd);
}

function failureText(directory: string, reason: string): string {
  return `the storage in ${directory} failed: ${reason}. This node stores nothing any more. Mend what is wrong, and start it again; ` +
    `if the directory is lost or the disk is not to be trusted, move ${directory} away first: the node then begins without its memory and gets it back from the others`;
}
