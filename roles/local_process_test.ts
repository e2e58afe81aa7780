import assert from "node:assert/strict";
import { LineReader, LocalProcess } from "./local_process.ts";

function shell(script: string, outputFile?: string): LocalProcess {
  return new LocalProcess({
    name: "a shell",
    argv: ["sh", "-c", script],
    outputFile,
  });
}

Deno.test("LineReader joins lines that come in pieces, and keeps a last one without a newline", async () => {
  const pieces = ["on", "e\ntwo\n\nth", "ree"];
  const seen: string[] = [];
  const stream = ReadableStream.from(pieces)
    .pipeThrough(new TextEncoderStream());
  const reader = new LineReader(stream, (line) => seen.push(line));
  assert.equal(await reader.find(/^t/), "two");
  assert.equal(await reader.find(/three/), "three");
  assert.equal(await reader.find(/four/), undefined);
  await reader.ended;
  assert.deepEqual(reader.lines, ["one", "two", "", "three"]);
  assert.deepEqual(seen, reader.lines);
});

Deno.test("LocalProcess tells what a process prints, and how it ends", async () => {
  const process = shell("echo out; echo error >&2; exit 7");
  const { code, signal } = await process.ended;
  assert.equal(code, 7);
  assert.equal(signal, null);
  assert(process.hasEnded);
  assert.deepEqual(process.output.lines, ["out"]);
  assert.deepEqual(process.errors.lines, ["error"]);
  process.signal("SIGTERM");
});

Deno.test("LocalProcess writes standard output to a file", async () => {
  const path = Deno.makeTempFileSync();
  const process = shell("echo out; echo error >&2", path);
  await process.ended;
  assert.equal(Deno.readTextFileSync(path), "out\n");
  assert.deepEqual(process.output.lines, []);
  assert.deepEqual(process.errors.lines, ["error"]);
  Deno.removeSync(path);
});

Deno.test("LocalProcess.leave() asks first and then kills", async () => {
  const polite = shell(
    "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done",
  );
  await polite.output.find(/ready/);
  assert.equal((await polite.leave(60_000)).code, 3);
  const stubborn = shell(
    "trap '' TERM; echo ready; while :; do sleep 0.01; done",
  );
  await stubborn.output.find(/ready/);
  assert.equal((await stubborn.leave(10)).signal, "SIGKILL");
});
