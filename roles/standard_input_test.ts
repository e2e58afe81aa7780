import assert from "node:assert/strict";
import { makeRing, RingReader, RingWriter } from "./ring.ts";
import { feedLines } from "./standard_input.ts";

/** Feeds chunks of text and returns the lines that came out. */
async function fed(...chunks: string[]): Promise<string[]> {
  const memory = makeRing(4096);
  const reader = new RingReader(memory);
  const lines: string[] = [];
  const drain = () =>
    reader.read((bytes, _view, at, length) =>
      lines.push(new TextDecoder().decode(bytes.slice(at, at + length)))
    );
  await feedLines(
    ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk))),
    new RingWriter(memory),
    drain,
  );
  drain();
  assert.ok(reader.closed);
  return lines;
}

Deno.test("feedLines() joins lines that were cut between chunks", async () => {
  assert.deepEqual(await fed("on", "e\ntw", "", "o\nthree\n"), [
    "one",
    "two",
    "three",
  ]);
});

Deno.test("feedLines() keeps empty lines and a last line without newline", async () => {
  assert.deepEqual(await fed("a\n\nb"), ["a", "", "b"]);
  assert.deepEqual(await fed(""), []);
});

Deno.test("feedLines() waits for its reader when the ring is full", async () => {
  const text = Array.from({ length: 500 }, (_, i) => `line ${i}`.repeat(9));
  assert.deepEqual(await fed(text.join("\n")), text);
});

Deno.test("feedLines() refuses what is no text of lines", async () => {
  await assert.rejects(
    fed("ok\n", "x".repeat(600_000), "x".repeat(600_000)),
    /line 2 of standard input has more than 1048576 bytes/,
  );
  await assert.rejects(
    fed("x".repeat((1 << 20) + 1) + "\n"),
    /line 1 of standard input has more than 1048576 bytes/,
  );
});
