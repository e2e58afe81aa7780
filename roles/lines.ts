/** A file as lines of bytes, read piece by piece. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { EXIT, UserError } from "./errors.ts";

const NEWLINE = 10;
const PIECE_BYTES = 1 << 18;
/** More than the largest value takes as JSON; a file without newlines must not fill the memory. */
const LINE_BYTES_MAX = 16 << 20;

/** One line. */
export interface Line {
  /** Without its newline; used again once the next line is asked for. */
  readonly bytes: Uint8Array;
  /** From 1 on. */
  readonly number: number;
  /** False for a last line without a newline. */
  readonly complete: boolean;
}

/**
 * Reads the lines of a file, or of a pipe.
 *
 * @throws {UserError} if it cannot be opened or read, or a line is longer than 16 MiB.
 */
export function* readLines(path: string): Generator<Line, void, undefined> {
  const fd = openFile(path);
  try {
    let buffer = new Uint8Array(PIECE_BYTES);
    let from = 0;
    let used = 0;
    let number = 0;
    for (;;) {
      // What is left of the last line moves to the front, where the rest of it joins.
      buffer.copyWithin(0, from, used);
      used -= from;
      from = 0;
      if (used === buffer.length) buffer = enlarge(buffer, path, number + 1);
      const searched = used;
      const count = readPiece(fd, path, buffer, used);
      if (count === 0) break;
      used += count;
      let end = buffer.indexOf(NEWLINE, searched);
      while (end >= 0 && end < used) {
        const bytes = buffer.subarray(from, end);
        yield { bytes, number: ++number, complete: true };
        from = end + 1;
        end = buffer.indexOf(NEWLINE, from);
      }
    }
    if (used > 0) {
      const bytes = buffer.subarray(0, used);
      yield { bytes, number: number + 1, complete: false };
    }
  } finally {
    closeSync(fd);
  }
}

function openFile(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw unreadable(path, (error as Error).message, error);
  }
  if (!fstatSync(fd).isDirectory()) return fd;
  closeSync(fd);
  throw unreadable(path, "this is a directory");
}

function readPiece(
  fd: number,
  path: string,
  buffer: Uint8Array,
  at: number,
): number {
  try {
    return readSync(fd, buffer, at, buffer.length - at, null);
  } catch (error) {
    throw unreadable(path, (error as Error).message, error);
  }
}

function enlarge(buffer: Uint8Array, path: string, line: number) {
  if (buffer.length >= LINE_BYTES_MAX) {
    throw new UserError(
      `${path}:${line}: a line of more than ${LINE_BYTES_MAX} bytes, expected a text with one value a line`,
    );
  }
  const larger = new Uint8Array(buffer.length * 2);
  larger.set(buffer);
  return larger;
}

function unreadable(path: string, reason: string, cause?: unknown): UserError {
  return new UserError(
    `cannot read ${path}: ${reason}; give the path of a file that you may read`,
    EXIT.usage,
    { cause },
  );
}
