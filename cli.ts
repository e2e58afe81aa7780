/** Where every thread of kpaxos begins: the command line on the main thread, the node's own part in a Worker. */

// Neither thread loads what only the other needs.
if ("WorkerGlobalScope" in globalThis) await import("./roles/worker.ts");
else Deno.exit(await runCommandLine());

async function runCommandLine(): Promise<number> {
  const { main } = await import("./roles/main.ts");
  return await main(Deno.args, {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => {
      try {
        writeAll(Deno.stderr, text);
      } catch {
        // Nobody reads it, and there is nobody else to tell.
      }
    },
  });
}

/** Writes all of `text`, however little the other end takes at a time. */
function writeAll(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    at += stream.writeSync(bytes.subarray(at));
  }
}
