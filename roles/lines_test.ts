import assert from "node:assert/strict";
import { UserError } from "./errors.ts";
import { readLines } from "./lines.ts";

/** The lines of a file with this content, as text. */
function lines(content: string) {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, content);
    return Array.from(readLines(path), ({ bytes, number, complete }) => ({
      text: new TextDecoder().decode(bytes),
      number,
      complete,
    }));
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("lines are numbered from 1 and come without their newlines", () => {
  assert.deepEqual(lines("a\n\nb\r\n"), [
    { text: "a", number: 1, complete: true },
    { text: "", number: 2, complete: true },
    { text: "b\r", number: 3, complete: true },
  ]);
});

Deno.test("a last line without a newline is told apart", () => {
  assert.deepEqual(lines("a\nb").at(-1), {
    text: "b",
    number: 2,
    complete: false,
  });
  assert.deepEqual(lines(""), []);
});

Deno.test("lines across the pieces of a file, and longer than a piece, are whole", () => {
  const lengths = [0, 1, 262_143, 262_144, 262_145, 5, 3_000_000, 7];
  const content = lengths.map((length, i) => `${i}`.repeat(length) + "\n");
  assert.deepEqual(
    lines(content.join("")).map(({ text }) => text + "\n"),
    content,
  );
});

Deno.test("a line without end is an error, not a full memory", () => {
  assert.throws(
    () => [...readLines("/dev/zero")],
    (error) =>
      error instanceof UserError &&
      /^\/dev\/zero:1: a line of more than 16777216 bytes/.test(error.message),
  );
});
