import assert from "node:assert/strict";
import type { Delivery } from "../core/core.ts";
import {
  DELIVERY_RING_BYTES,
  type DeliveryFormat,
  DeliveryReader,
  RingSink,
} from "./delivery.ts";
import { makeRing } from "./ring.ts";

function through(
  format: DeliveryFormat,
  ...deliveries: Delivery[]
): string {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  const reader = new DeliveryReader(memory, format, () => {});
  for (const delivery of deliveries) sink.deliver(delivery);
  sink.close();
  let text = "";
  while (!reader.ended) text += new TextDecoder().decode(reader.take());
  return text;
}

function delivery(value: Uint8Array | string, more = {}): Delivery {
  const bytes = typeof value === "string"
    ? new TextEncoder().encode(value)
    : value;
  return {
    instance: 7,
    index: 3,
    client: 12n,
    sequence: 99,
    value: bytes,
    ...more,
  };
}

Deno.test("delivered text becomes one JSON object a line, whatever is in it", () => {
  const odd = 'quote " backslash \\ newline \n null \0 umlaut ü 💡';
  const lines = through("ndjson", delivery("plain"), delivery(odd)).split("\n");
  assert.equal(
    lines[0],
    '{"instance":7,"index":3,"client":12,"seq":99,"value":"plain"}',
  );
  assert.equal(JSON.parse(lines[1]).value, odd);
  assert.equal(lines.length, 3);
});

Deno.test("every byte of ASCII comes through JSON as it is, alone and within text", () => {
  for (let code = 0; code < 128; code++) {
    for (const text of ["", "ab"].map((it) => it + String.fromCharCode(code))) {
      const line =
        through("ndjson", delivery(text), delivery(text)).split("\n")[1];
      assert.equal(JSON.parse(line).value, text);
      assert.equal(line.includes('"base64"'), false);
    }
  }
});

Deno.test("a value that is not UTF-8 goes as base64, and a BOM stays", () => {
  const [binary, bom] = through(
    "ndjson",
    delivery(Uint8Array.of(0xff, 0, 0xfe)),
    delivery(Uint8Array.of(0xef, 0xbb, 0xbf, 65)),
  ).split("\n").map((line) => line === "" ? undefined : JSON.parse(line));
  assert.equal(binary.base64, "/wD+");
  assert.ok(!("value" in binary));
  assert.equal(bom.value, "\ufeffA");
});

Deno.test("a client number beyond 2^53 stays exact as a string", () => {
  const client = 2n ** 60n + 1n;
  const [line] = through("ndjson", delivery("x", { client })).split("\n");
  assert.equal(JSON.parse(line).client, String(client));
});

Deno.test("raw output is each value and a newline, empty ones too", () => {
  assert.equal(
    through("raw", delivery("a"), delivery(""), delivery("b")),
    "a\n\nb\n",
  );
});

Deno.test("a slow reader makes the sink full, and reading says so to the node", () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  let told = 0;
  const reader = new DeliveryReader(memory, "raw", () => told++);
  const value = new Uint8Array(1000);
  let delivered = 0;
  while (!sink.full) {
    sink.deliver(delivery(value));
    delivered++;
  }
  assert.equal(told, 0);
  let taken = 0;
  while (taken < delivered) taken += reader.take().length / 1001;
  assert.equal(taken, delivered);
  assert.equal(told, 1);
  assert.ok(!sink.full);
});

Deno.test("a learner that goes on says from where, and hands out nothing below; raw output has no such line", () => {
  for (const format of ["ndjson", "raw"] as const) {
    const memory = makeRing(DELIVERY_RING_BYTES);
    const sink = new RingSink(memory);
    sink.resume(8);
    sink.deliver(delivery("old"));
    sink.deliver(delivery("new", { instance: 8 }));
    const reader = new DeliveryReader(memory, format, () => {});
    assert.equal(
      new TextDecoder().decode(reader.take()),
      format === "raw"
        ? "new\n"
        : '{"from":8}\n{"instance":8,"index":3,"client":12,"seq":99,"value":"new"}\n',
    );
  }
});

Deno.test("a learner that goes on where the others are says so with its first value", () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  const reader = new DeliveryReader(memory, "ndjson", () => {});
  sink.resume(0);
  assert.equal(reader.take().length, 0);
  sink.deliver(delivery("a"));
  sink.deliver(delivery("b", { instance: 8 }));
  const lines = new TextDecoder().decode(reader.take()).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)).map((it) => it.from), [
    7,
    undefined,
    undefined,
  ]);
});

Deno.test("a sink tells how many values a crash cannot lose: those that left, and those that nobody wants", () => {
  const memory = makeRing(DELIVERY_RING_BYTES);
  const sink = new RingSink(memory);
  const reader = new DeliveryReader(memory, "ndjson", () => {});
  sink.resume(8);
  assert.equal(sink.taken, 0);
  for (const instance of [6, 7, 8, 9]) {
    sink.deliver(delivery("x", { instance }));
  }
  // The line that tells where it goes on is under way too.
  assert.equal(sink.taken, 1);
  reader.take();
  assert.equal(sink.taken, 1, "taken out of the ring, but not written yet");
  reader.done();
  assert.equal(sink.taken, 4);
  sink.deliver(delivery("y", { instance: 10 }));
  assert.equal(sink.taken, 4);
});
