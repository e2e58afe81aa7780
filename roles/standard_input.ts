/** Standard input as values, one a line, handed to the node's thread. */
import { LARGE_BYTES_MAX } from "../core/layout.ts";
import { UserError } from "./errors.ts";
import type { RingWriter } from "./ring.ts";

/** A ring that holds some thousand lines, or two of the longest, while the cluster is busy. */
export const LINE_RING_BYTES = 4 << 20;
const NEWLINE = 10;

/**
 * Feeds the lines of `input` to a ring until its end, at the pace of the reader. A last line without
 * a newline counts.
 *
 * @param wake Called when there is something new for the reader.
 * @throws {UserError} if a line is longer than a value may be.
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
    if (line.length > LARGE_BYTES_MAX) throw tooLong(number);
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
    if (rest.length > LARGE_BYTES_MAX) throw tooLong(number + 1);
    wake();
  }
  if (rest.length > 0) await put(rest);
  writer.close();
  wake();
}

function tooLong(line: number): UserError {
  return new UserError(
    `line ${line} of standard input has more than ${LARGE_BYTES_MAX} bytes, ` +
      "the most that a value may have; is this a text with one value a line?",
  );
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
