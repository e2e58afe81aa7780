/** A storage thread for tests: as in the program, but for what it says, which goes to the test. */
import type { StorageStart } from "../lmdb_storage.ts";
import { runStorage } from "../storage_thread.ts";

/** What this file needs of a worker's global scope, which the checker does not know here. */
const scope = globalThis as unknown as Pick<
  Worker,
  "onmessage" | "postMessage"
>;

scope.onmessage = async ({ data }: MessageEvent<StorageStart>) => {
  await runStorage(data, (level, message) => {
    scope.postMessage(`${level}: ${message}`);
  });
};
