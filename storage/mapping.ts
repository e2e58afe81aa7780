/**
 * The pages of LMDB's file that a process has mapped, of which it lets go.
 *
 * LMDB reads its file through a map of memory, and what was touched there stays resident as long as the
 * kernel has memory to spare: after a while, the whole file. It is in the page cache all the same, so
 * to let go of the mapped pages costs nothing but the faults of those that are touched again.
 */
import { letGo } from "../ffi/memory.ts";

/**
 * Once as many bytes were read or put, by a thread, it lets go. What is resident is that, for each of the two
 * threads; and after each time that it is let go of, commits wait for the pages that they touch again.
 */
const TOUCHED_BYTES_MAX = 16 << 20;

/** Where LMDB's file is mapped. */
export interface Place {
  readonly address: bigint;
  readonly bytes: bigint;
}

/** Where this process has the file at `path` mapped; undefined: that cannot be found out. */
export function placeOf(path: string): Place | undefined {
  const { ino } = Deno.statSync(path);
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    // proc(5): address range, rights, offset, device, inode, path.
    const [range, , , , inode] = line.split(/\s+/, 5);
    if (ino === null || inode !== String(ino) || !line.endsWith("/data.mdb")) {
      continue;
    }
    const [from, end] = range.split("-").map((hex) => BigInt(`0x${hex}`));
    return { address: from, bytes: end - from };
  }
}

/** A thread's share of what is touched. */
export class Mapping {
  readonly #place: Place | undefined;
  #touched = 0;

  constructor(place: Place | undefined) {
    this.#place = place;
  }

  /** So many bytes were read, or put. */
  touch(bytes: number): void {
    this.#touched += bytes;
    if (this.#touched < TOUCHED_BYTES_MAX) return;
    this.#touched = 0;
    // It is advice: where the kernel does not take it, more is resident.
    if (this.#place) letGo(this.#place.address, this.#place.bytes);
  }
}
