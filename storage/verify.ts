/** Checks all that a store holds, as people ask for it: nothing of it goes to a core. */
import { readLog, readTables } from "./recovery.ts";
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

/** Values after which progress is told. */
const PROGRESS_VALUES = 4096;

/**
 * Reads every value, up to the first that is damaged.
 *
 * @param name What the storage is called in the text of an error.
 * @param onProgress Told now and then how many values were read, and their bytes.
 * @throws {StoreError} if the store cannot be read.
 */
export function verifyAll(
  store: Store,
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
  try {
    const { present } = readTables(store, name, take);
    const first = store.first(Table.log) ?? 1;
    readLog(store, first, present, name, (_, record) => take(record));
    return { values, bytes };
  } catch (damage) {
    if (damage instanceof StorageError) return { values, bytes, damage };
    throw damage;
  }
}
