import assert from "node:assert/strict";
import { DELIVERY_RING_BYTES, DeliveryReader, RingSink } from "./delivery.ts";
import { type Outlet, publish, SocketOutlet } from "./publisher.ts";
import { makeRing } from "./ring.ts";

function deliver(sink: RingSink, texts: string[]): void {
  texts.forEach((text, i) =>
    sink.deliver({
      instance: 1,
      index: i,
      client: 1n,
      sequence: i + 1,
      value: new TextEncoder().encode(text),
    })
  );
  sink.flush();
}

Deno.test("publish() writes everything to every outlet and closes them", async () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  const written = ["", ""];
  let closed = 0;
  const outlets = written.map((_, i): Outlet => ({
    write(bytes) {
      written[i] += new TextDecoder().decode(bytes);
      return Promise.resolve(true);
    },
    close: () => closed++,
  }));
  const texts = Array.from({ length: 2000 }, (_, i) => `value ${i}`);
  deliver(sink, texts);
  sink.close();
  await publish(new DeliveryReader(memory, "raw", () => {}), outlets);
  assert.equal(written[0], texts.join("\n") + "\n");
  assert.equal(written[1], written[0]);
  assert.equal(closed, 2);
});

Deno.test("what an outlet has not taken yet counts as lost if the process ends", async () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  deliver(sink, ["a", "b"]);
  const reader = new DeliveryReader(memory, "raw", () => {});
  let written = () => {};
  const begun = new Promise<void>((begin) => {
    const outlet: Outlet = {
      write: () => {
        begin();
        return new Promise((resolve) => written = () => resolve(true));
      },
      close: () => {},
    };
    sink.close();
    publish(reader, [outlet]).then(() => ended());
  });
  let ended = () => {};
  const end = new Promise<void>((resolve) => ended = resolve);
  await begun;
  assert.equal(sink.taken, 0);
  written();
  await end;
  assert.equal(sink.taken, 2);
});

Deno.test("publish() ends when an outlet's reader has gone", async () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  deliver(sink, ["a"]);
  const reader = new DeliveryReader(memory, "raw", () => {});
  await publish(reader, [{
    write: () => Promise.resolve(false),
    close: () => {},
  }]);
  assert.ok(!reader.ended);
});

Deno.test("a socket serves two readers, replaces a stale one and refuses a busy one", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/values.sock`;
  // A process that dies leaves its socket behind.
  Deno.listen({ transport: "unix", path }).close();
  try {
    const outlet = await SocketOutlet.open(path, () => {});
    await assert.rejects(
      SocketOutlet.open(path, () => {}),
      /another process serves the socket/,
    );
    const readers = [
      await Deno.connect({ transport: "unix", path }),
      await Deno.connect({ transport: "unix", path }),
    ];
    const bytes = new TextEncoder().encode("one\n");
    const heard = readers.map(async (reader) => {
      const buffer = new Uint8Array(16);
      const length = await reader.read(buffer);
      reader.close();
      return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
    });
    // The second open() looked in for a moment, so three were accepted in all.
    while (outlet.readers < 3) await new Promise((done) => setTimeout(done));
    await outlet.write(bytes);
    assert.deepEqual(await Promise.all(heard), ["one\n", "one\n"]);
    outlet.close();
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a path that is no socket is not overwritten", async () => {
  const path = await Deno.makeTempFile();
  try {
    await assert.rejects(
      SocketOutlet.open(path, () => {}),
      /is there and is no socket/,
    );
    assert.ok((await Deno.lstat(path)).isFile);
  } finally {
    await Deno.remove(path);
  }
});
