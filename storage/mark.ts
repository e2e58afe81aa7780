/**
 * The mark beside a database that was opened with lmdb-sync no: what is in it may not be on disk yet.
 *
 * After a power cut the disk holds any mixture of old and new pages, and no more can be read from them than
 * that they are damaged. So what says that they are not to be trusted stands outside of them, and is on
 * disk before the first page that may be torn. It goes when all of them are.
 */
import { removeAll, syncDirectory } from "./files.ts";
import type { Stamp } from "./stamp.ts";
import { StoreError } from "./store.ts";

/** The file's name. */
export const MARK = "mark";
/** In place of the machine's start: none of them has all that was stored. */
const NO_BOOT = "none";

/** Whose database it stands beside, as the stamp cannot be read, and which start of the machine has all of it. */
export interface Mark
  extends Pick<Stamp, "format" | "cluster" | "kind" | "id"> {
  /** As the kernel names it. */
  readonly boot: string;
}

/**
 * The mark in a directory; undefined: there is none.
 *
 * @throws {StoreError} "damaged" if it cannot be understood.
 */
export function readMark(directory: string): Mark | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${directory}/${MARK}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StoreError("damaged", `${MARK} cannot be understood`, {
      cause: error,
    });
  }
}

/** Puts a mark into a directory, durably and as a whole. */
export function writeMark(directory: string, mark: Mark): void {
  const { format, cluster, kind, id, boot } = mark;
  const text = JSON.stringify({ format, cluster, kind, id, boot }) + "\n";
  const aside = `${directory}/${MARK}.new`;
  const file = Deno.openSync(aside, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  try {
    file.writeSync(new TextEncoder().encode(text));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(aside, `${directory}/${MARK}`);
  syncDirectory(directory);
}

/** All is on disk: takes the mark away, durably. */
export function removeMark(directory: string): void {
  removeAll(`${directory}/${MARK}`);
  syncDirectory(directory);
}

/**
 * A sync failed, and the kernel forgets what it could not write: a later sync, or another process, would
 * not notice. From now on nobody trusts what stands beside the mark.
 */
export function distrust(directory: string): void {
  try {
    const mark = readMark(directory);
    if (mark !== undefined) writeMark(directory, { ...mark, boot: NO_BOOT });
  } catch {
    // On a disk that takes nothing any more the mark stays as it is, and tells of a power cut at least.
  }
}

/** Which start of the machine this is. */
export function bootId(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}
