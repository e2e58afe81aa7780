/** Threads that run seeds; each is this very program, started as a Worker (see cli.ts). */
import type { SeedRunner, Seeds } from "./sweep.ts";
import type { Totals } from "./totals.ts";

/** What a thread is sent. */
export interface SeedsMessage {
  readonly seeds: Seeds;
}

export interface SeedThread extends SeedRunner {
  end(): void;
}

/** Starts threads; they are ready when this returns. */
export function startThreads(count: number): Promise<SeedThread[]> {
  return Promise.all(Array.from({ length: count }, startThread));
}

function startThread(): Promise<SeedThread> {
  // Deno.mainModule is the program itself, from source, bundled or compiled.
  const worker = new Worker(Deno.mainModule, { type: "module" });
  let settle: (totals: Totals) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const thread: SeedThread = {
    run: (seeds) =>
      new Promise((resolve, reject) => {
        settle = resolve;
        fail = reject;
        worker.postMessage({ seeds } satisfies SeedsMessage);
      }),
    end: () => worker.terminate(),
  };
  return new Promise((resolve, reject) => {
    fail = reject;
    worker.onerror = (event) => {
      event.preventDefault();
      fail(new Error(`A thread of the simulator failed: ${event.message}`));
    };
    worker.onmessage = ({ data }) => {
      if (data.type === "loaded") resolve(thread);
      else settle(data as Totals);
    };
  });
}
