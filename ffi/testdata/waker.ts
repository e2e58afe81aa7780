/** A thread that wakes the card whose descriptor it is sent, then says so. */
import { wake } from "../shim.ts";

/** What this file needs of a worker's global scope, which the checker does not know here. */
const scope = globalThis as unknown as Pick<
  Worker,
  "onmessage" | "postMessage"
>;

scope.onmessage = ({ data }: MessageEvent<number>) => {
  wake(data);
  scope.postMessage("done");
};
