/** Checks all that a store holds, as people ask for it: nothing of it goes to a core. */
import { readLog, readTables, walkChecked } from "./recovery.ts";
import { StorageError } from "./storage.ts";
import { type Store, Table } from "./store.ts";

/** What was checked, and what was found. */
export interface Verified {
  /** Values that were read, and their bytes. */
  readonly values: number;
  readonly bytes: number;
  /** What is damaged or missing; undefined: nothing. */
  readonly damage?: StorageError;
}

/** A store that somebody else may be writing to has snapshots. */
export interface VerifiedStore extends Store {
  /** As `LmdbStore` does. */
  snapshot?<T>(use: () => T): T;
}

/** Values after which progress is told. */
const PROGRESS_VALUES = 4096;
/** Instances that are read in one go: until that ends the writer uses no page again that it frees. */
const PORTION = 4096;

/**
 * Reads every value, up to the first that is damaged.
 *
 * What must be there is read as it was at one moment. The history, of which a node that runs may remove
 * some meanwhile, is read in portions.
 *
 * @param name What the storage is called in the text of an error.
 * @param onProgress Told now and then how many values were read, and their bytes.
 * @throws {StoreError} if the store cannot be read.
 */
export function verifyAll(
  store: VerifiedStore,
  name: string,
  onProgress?: (values: number, bytes: number) => void,
): Verified {
  let bytes = 0;
  let values = 0;
  const take = ({ length }: Uint8Array) => {
    bytes += length;
    values++;
    if (values % PROGRESS_VALUES === 0) onProgress?.(values, bytes);
  };
  const readPresent = (): number => {
    const { present } = readTables(store, name, take);
    const { decided } = present;
    readLog(store, decided, present, name, (_, record) => take(record));
    return decided;
  };
  try {
    const decided = store.snapshot?.(readPresent) ?? readPresent();
    let next: number | undefined = 0;
    while (next !== undefined) {
      next = readPortion(store, next, decided, name, take);
    }
    return { values, bytes };
  } catch (damage) {
    if (damage instanceof StorageError) return { values, bytes, damage };
    throw damage;
  }
}

/** Reads instances below `end`, from `from` on; returns where the next portion begins, if there is one. */
function readPortion(
  store: Store,
  from: number,
  end: number,
  name: string,
  take: (value: Uint8Array) => void,
): number | undefined {
  let left = PORTION;
  let next: number | undefined;
  walkChecked(store, Table.log, from, name, (instance, record) => {
    if (instance >= end) return false;
    take(record);
    if (--left === 0) next = instance + 1;
    return left > 0;
  });
  return next;
}
