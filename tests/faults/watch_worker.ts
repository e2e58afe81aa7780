/** Stamps what a learner writes and passes it on to a file, in a thread of its own: nothing delays the stamps. */
/// <reference lib="deno.worker" />
import type { WatchStart } from "./watch.ts";

/** A pipe holds 64 KiB. */
const CHUNK_BYTES = 64 << 10;
const NEWLINE = 10;

/** Milliseconds since 1970, monotonic, with fractions: the same clock in every thread of this process. */
function now_ms(): number {
  return performance.timeOrigin + performance.now();
}

function watch({ pipe, file, shortest_ms, shared }: WatchStart): void {
  // Blocks until the learner has opened its end.
  const input = Deno.openSync(pipe);
  const output = Deno.openSync(file, { write: true, create: true });
  const state = new Float64Array(shared);
  const chunk = new Uint8Array(CHUNK_BYTES);
  let last_ms = 0;
  let readAgain_ms = now_ms();
  for (;;) {
    const bytes = input.readSync(chunk);
    const at_ms = now_ms();
    if (bytes === null) break;
    const text = chunk.subarray(0, bytes);
    let lines = 0;
    for (
      let at = text.indexOf(NEWLINE);
      at >= 0;
      at = text.indexOf(NEWLINE, at + 1)
    ) lines++;
    // Half of a long line is no delivery yet.
    if (lines > 0) {
      if (last_ms > 0 && at_ms - last_ms >= shortest_ms) {
        postMessage({ from_ms: last_ms, to_ms: at_ms });
      }
      last_ms = at_ms;
    }
    state[0] += lines;
    state[1] = last_ms;
    for (let at = 0; at < bytes;) {
      at += output.writeSync(text.subarray(at));
    }
    readAgain_ms = now_ms();
    state[2] = Math.max(state[2], readAgain_ms - at_ms);
  }
  input.close();
  output.close();
  close();
}

onmessage = ({ data }: MessageEvent<WatchStart>) => watch(data);
