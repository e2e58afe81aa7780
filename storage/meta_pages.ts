/**
 * Whether a database's two meta pages agree, and how long its file should be: LMDB believes them.
 *
 * A commit overwrites the older of the two, so they hold numbers that follow one another, each in the page
 * that its lowest bit says. If a flipped bit made the newer one look older, LMDB would take the other, and
 * with it the state before the last commit, for the last word.
 *
 *   page: header 16 | magic u32 | version u32 | address u64 | map bytes u64 | two tables, 48 each | last page u64 | transaction u64
 */
import { StoreError } from "./store.ts";

const MAGIC = 16;
const MAGIC_NUMBER = 0xbeefc0de;
/** The first table's first word is the size of pages. */
const PAGE_BYTES = 40;
const LAST_PAGE = 136;
const TRANSACTION = 144;
const META_BYTES = 152;

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/**
 * Looks at a database before LMDB opens it.
 *
 * @returns Bytes of the file, of all pages that the database ever used, and of a page; the last page's
 *   number, and that of the meta page that counts.
 * @throws {StoreError} "damaged" if it cannot be whole.
 */
export function checkFile(
  path: string,
): {
  bytes: number;
  bytesLeast: number;
  pageBytes: number;
  lastPage: number;
  meta: number;
} {
  const file = Deno.openSync(path);
  try {
    let first: Meta, second: Meta;
    // Another process may commit meanwhile.
    do {
      first = readMeta(file, 0);
      second = readMeta(file, first.pageBytes);
    } while (readMeta(file, 0).transaction !== first.transaction);
    const [a, b] = [first.transaction, second.transaction];
    const [older, newer] = a > b ? [second, first] : [first, second];
    // A database uses ever more pages, and never fewer.
    const follow = older.lastPage <= newer.lastPage &&
      ((a === 0n && b === 0n) || (a - b) ** 2n === 1n);
    if (
      first.pageBytes !== second.pageBytes || !follow || a % 2n !== 0n ||
      (b !== 0n && b % 2n !== 1n)
    ) {
      throw new StoreError(
        "damaged",
        `its first two pages contradict each other (transactions ${a} and ${b}, pages of ${first.pageBytes} and ${second.pageBytes} bytes)`,
      );
    }
    const { pageBytes } = first;
    return {
      // Measured last, as it may have grown.
      bytes: file.statSync().size,
      bytesLeast: (Number(newer.lastPage) + 1) * pageBytes,
      pageBytes,
      lastPage: Number(newer.lastPage),
      meta: newer === first ? 0 : 1,
    };
  } finally {
    file.close();
  }
}

function readMeta(file: Deno.FsFile, at: number): Meta {
  const { size } = file.statSync();
  if (size < at + META_BYTES) {
    throw new StoreError(
      "damaged",
      `data.mdb has ${size} bytes, and its first two pages alone have more`,
    );
  }
  const view = new DataView(new ArrayBuffer(META_BYTES));
  file.seekSync(at, Deno.SeekMode.Start);
  file.readSync(new Uint8Array(view.buffer));
  const pageBytes = view.getUint32(PAGE_BYTES, true);
  if (
    view.getUint32(MAGIC, true) !== MAGIC_NUMBER || pageBytes < 512 ||
    pageBytes > 65536
  ) {
    throw new StoreError(
      "damaged",
      "data.mdb does not begin as a database of LMDB does",
    );
  }
  return {
    pageBytes,
    lastPage: view.getBigUint64(LAST_PAGE, true),
    transaction: view.getBigUint64(TRANSACTION, true),
  };
}
