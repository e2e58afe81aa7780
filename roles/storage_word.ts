/** Where the nodes of a bench or an experiment keep what must survive them, as one word, and the options of a node for it. */

/** In memory; in LMDB, which waits for the disk; in LMDB, which does not. */
export const STORAGES = ["memory", "lmdb-sync", "lmdb-async"] as const;
export type StorageWord = (typeof STORAGES)[number];

/** Kinds of node that keep anything. */
const KEEPERS = ["acceptor", "replica", "learner"];

/**
 * Options of a node.
 *
 * @param kind "replica" and so on: of one that keeps nothing there are none.
 * @param folder Where each node makes a folder of its own.
 */
export function storageOptions(
  storage: StorageWord,
  kind: string,
  folder: string,
): string[] {
  if (storage === "memory" || !KEEPERS.includes(kind)) return [];
  return [
    ...["--storage-backend", "lmdb", "--lmdb-env-path", folder],
    ...["--lmdb-sync", storage === "lmdb-sync" ? "yes" : "no"],
  ];
}
