/** Standard input as values, one a line, handed to the node's thread. */
import { UserError } from "./errors.ts";
import type { RingWriter } from "./ring.ts";

/** A ring that holds some thousand lines while the cluster is busy. */
export const LINE_RING_BYTES = 4 << 20;
/** Longer lines cannot be values on any network. */
const LINE_BYTES_MAX = 64 << 10;
const NEWLINE = 10;

/**
 * Feeds the lines of `input` to a ring until its end, at the pace of the reader. A last line without
 * a newline counts.
 *
 * @param wake Called when there is something new for the reader.
 * @throws {UserError} if a line is too long for any frame.
 */
export async function feedLines(
  input: ReadableStream<Uint8Array>,
  writer: RingWriter,
  wake: () => void,
): Promise<void> {
  let rest: Uint8Array = new Uint8Array();
  let number = 0;
  const put = async (line: Uint8Array) => {
    number++;
    while (
      !writer.write(line.length, (bytes, _view, at) => bytes.set(line, at))
    ) {
      wake();
      await writer.drained();
    }
  };
  for await (const chunk of input) {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end < 0) break;
      const piece = chunk.subarray(from, end);
      await put(rest.length === 0 ? piece : join(rest, piece));
      rest = rest.subarray(0, 0);
      from = end + 1;
    }
    rest = join(rest, chunk.subarray(from));
    if (rest.length > LINE_BYTES_MAX) {
      throw new UserError(
        `line ${
          number + 1
        } of standard input has more than ${LINE_BYTES_MAX} bytes, ` +
          "which no frame can carry; is this a text with one value a line?",
      );
    }
    wake();
  }
  if (rest.length > 0) await put(rest);
  writer.close();
  wake();
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
