/**
 * How long batches should be, so that their records leave little of LMDB's pages empty.
 *
 * Two records of full frames leave a third of a page empty, and three would need only some bytes more than it
 * has. So batches take a value less, for a third fewer bytes on the disk.
 *
 *     a page of a table     | header 16 | place u16 … | free | header 8, key 8, record | …
 *     a longer record       | header 16 | record, on as many pages as it needs |
 */
import { RECORD_BYTES } from "../core/layout.ts";

/** LMDB takes it from the system. */
const PAGE_BYTES = 4096;
const HEADER_BYTES = 16;
/** What a record takes of a page besides its bytes: its place, its header and its key. */
const NODE_BYTES = 2 + 8 + 8;

/**
 * How long a batch is best, in bytes: a multiple of 8.
 *
 * @param most Bytes that a frame has for a batch.
 * @returns The longest batch whose records fill pages; `most`, if it is shorter than that by more than an eighth.
 */
export function snugBatchBytes(most: number): number {
  const records: number[] = [];
  // A page holds two at least; what is longer has pages of its own.
  for (let n = 2; n <= 16; n++) {
    records.push((PAGE_BYTES - HEADER_BYTES) / n - NODE_BYTES);
  }
  for (let pages = 1; pages <= 2 + most / PAGE_BYTES; pages++) {
    records.push(pages * PAGE_BYTES - HEADER_BYTES);
  }
  const batches = records
    .map((bytes) => Math.floor((bytes - RECORD_BYTES) / 8) * 8)
    .filter((bytes) => bytes <= most);
  const snug = Math.max(0, ...batches);
  return snug < most - most / 8 ? most : snug;
}
