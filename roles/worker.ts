/** What a Worker of this program does: it becomes a node's thread, or its storage's, or runs the seeds that it is given. */
import type { SeedsMessage } from "../sim/threads.ts";
import type { StorageStart } from "../storage/lmdb_storage.ts";
import { NODE_WORKER } from "./node_worker.ts";
import type { NodeStart } from "./thread.ts";

/** The Worker's own scope, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  onmessage:
    | ((event: MessageEvent<NodeStart | StorageStart | SeedsMessage>) => void)
    | null;
  postMessage(message: unknown): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = async ({ data }) => {
  // Each part is loaded where it is needed: simulating takes no network card's library.
  if ("seeds" in data) {
    const { runSeeds } = await import("../sim/sweep.ts");
    scope.postMessage(runSeeds(data.seeds));
  } else if ("journal" in data) {
    const { runStorage } = await import("../storage/storage_thread.ts");
    await runStorage(data, (level, message) => {
      scope.postMessage({ type: "log", entry: { level, message, fields: {} } });
    });
  } else {
    const { runThread } = await import("./thread.ts");
    await runThread(data, (message) => scope.postMessage(message));
  }
};
scope.postMessage({ type: "loaded" });
// What fails here fails again, and is told, where it is waited for.
if (scope.name === NODE_WORKER) import("./thread.ts").catch(() => {});
