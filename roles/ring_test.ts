import assert from "node:assert/strict";
import { makeRing, RingReader, RingWriter } from "./ring.ts";
import fc from "fast-check";

function put(writer: RingWriter, value: Uint8Array): boolean {
  return writer.write(value.length, (bytes, _view, at) => bytes.set(value, at));
}

Deno.test("a ring hands over records in order, whole, and refuses what does not fit", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 700 }),
          fc.constant("read" as const),
        ),
        { maxLength: 200 },
      ),
      (operations) => {
        const memory = makeRing(4096);
        const writer = new RingWriter(memory);
        const reader = new RingReader(memory);
        const expected: Uint8Array[] = [];
        const drain = () =>
          reader.read((bytes, _view, at, length) => {
            assert.deepEqual(
              bytes.slice(at, at + length),
              new Uint8Array(expected.shift()!),
            );
          });
        for (const operation of operations) {
          if (operation === "read") drain();
          else {
            const certain = operation.length <= writer.room;
            const written = put(writer, operation);
            assert.ok(written || !certain, "room was promised");
            if (written) expected.push(operation);
          }
        }
        drain();
        assert.equal(expected.length, 0);
        assert.ok(reader.empty);
      },
    ),
  );
});

/** A wait on shared memory alone does not keep the event loop alive; in production a Worker does. */
async function alive(wait: Promise<void>): Promise<void> {
  const timer = setInterval(() => {}, 1000);
  try {
    await wait;
  } finally {
    clearInterval(timer);
  }
}

Deno.test("a ring wakes its reader on a record and on the end", async () => {
  const memory = makeRing(4096);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  const first = reader.readable();
  put(writer, Uint8Array.of(7));
  writer.notify();
  await alive(first);
  assert.equal(reader.read(() => {}), 1);
  const end = reader.readable();
  writer.close();
  await alive(end);
  assert.ok(reader.closed);
});

Deno.test("a ring tells its writer when the reader made room", async () => {
  const memory = makeRing(4096);
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  while (put(writer, new Uint8Array(500)));
  const drained = writer.drained();
  reader.read(() => {}, 1);
  await alive(drained);
  assert.ok(put(writer, new Uint8Array(400)));
});

Deno.test("makeRing() refuses a size that is no power of two", () => {
  assert.throws(() => makeRing(5000), /power of two/);
});
