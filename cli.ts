/** Where every thread of kpaxos begins: the command line on the main thread, the node's own part in a Worker. */

import { main } from "./roles/main.ts";

const encoder = new TextEncoder();

/** Writes all of `text`, however little the other end takes at a time. */
function writeAll(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) {
    at += stream.writeSync(bytes.subarray(at));
  }
}

if ("WorkerGlobalScope" in globalThis) {
  await import("./roles/worker.ts");
} else {
  Deno.exit(
    await main(Deno.args, {
      out: (text) => writeAll(Deno.stdout, text),
      err: (text) => writeAll(Deno.stderr, text),
    }),
  );
}
