/** What a Worker of this program does: it waits for its start and becomes the node's thread. */
import { type NodeStart, runThread } from "./thread.ts";

/** The Worker's own scope, as far as it is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<NodeStart>) => void) | null;
  postMessage(message: unknown): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = ({ data }) =>
  runThread(data, (message) => scope.postMessage(message));
scope.postMessage({ type: "loaded" });
