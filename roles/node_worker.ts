/** The worker in which a node runs, started before anything else is ready: loading the program takes it 50 ms. */

/** By this name a worker knows what it will be asked for, and loads it while it waits. */
export const NODE_WORKER = "node";

/** A worker that loads the program, or has. */
export interface NodeWorker {
  readonly worker: Worker;
  /** It can take its start now; rejects when loading failed. */
  readonly loaded: Promise<void>;
}

/** Starts it. What it says is to be listened for once it has loaded. */
export function startNodeWorker(): NodeWorker {
  // Deno.mainModule is the program itself, from source, bundled or compiled: see cli.ts.
  const worker = new Worker(Deno.mainModule, {
    type: "module",
    name: NODE_WORKER,
  });
  const loaded = new Promise<void>((resolve, reject) => {
    // The first that it says. (Whoever listens next may begin before that.)
    worker.addEventListener("message", () => resolve(), { once: true });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      reject(threadFailure(event));
    });
  });
  // Whoever waits for it may not do so yet.
  loaded.catch(() => {});
  return { worker, loaded };
}

/** What is to be said when a node's thread ends by an error that it did not catch. */
export function threadFailure({ message }: ErrorEvent): Error {
  return new Error(`The node's thread failed: ${message}`);
}
