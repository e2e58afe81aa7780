/** The mocked card and its switch: what passes, in what order, and what a seed decides. */
import assert from "node:assert/strict";
import { WAIT } from "../ffi/nic.ts";
import {
  layOut,
  makeArea,
  makeFrame,
  received,
  textOf,
} from "../tests/frames.ts";
import type { FrameFields, TestArea } from "../tests/frames.ts";
import { MockNetwork, type MockNic, type MockNicOptions } from "./mock_nic.ts";

const GROUP = [0x03, 0x6b, 0x70, 0x78, 0, 7];

interface Station {
  readonly area: TestArea;
  readonly card: MockNic;
  send(...frames: Omit<FrameFields, "incarnation">[]): void;
  take(): string[];
}

function makeNetwork(seed = 1) {
  const clock = { now_us: 0 };
  const network = new MockNetwork({ seed, now: () => clock.now_us });
  const station = (
    id: number,
    options: Partial<MockNicOptions> = {},
  ): Station => {
    const area = makeArea();
    const card = network.attach(area, {
      address: Uint8Array.of(2, 0, 0, 0, 0, id),
      group: Uint8Array.from(GROUP),
      roles: 0xff,
      id,
      incarnation: 100 + id,
      cluster: 7,
      mtu: 1500,
      ...options,
    });
    return {
      area,
      card,
      send(...frames) {
        const { incarnation } = card.options;
        layOut(
          area,
          frames.map((frame) => makeFrame({ ...frame, incarnation })),
        );
        card.send(0, frames.length);
      },
      take: () => received(area, card.receive()).map(textOf),
    };
  };
  return { clock, network, station };
}

Deno.test("a group frame reaches every card but its sender's", () => {
  const { station } = makeNetwork();
  const [a, b, c] = [station(1), station(2), station(3)];
  a.send({ destination: GROUP, text: "hello" });
  assert.deepEqual([a.take(), b.take(), c.take()], [[], ["hello"], ["hello"]]);
});

Deno.test("a unicast frame reaches only the owners of its address", () => {
  const { station } = makeNetwork();
  const [a, b, c] = [station(1), station(2), station(3)];
  const twin = station(2, { incarnation: 200 });
  a.send({ destination: [...b.card.address], text: "to b" });
  assert.deepEqual([b.take(), twin.take(), c.take()], [["to b"], ["to b"], []]);
});

Deno.test("cards that share an address hear each other", () => {
  const { station } = makeNetwork();
  const a = station(1);
  const twin = station(2, { address: a.card.address });
  a.send({ destination: [...a.card.address], text: "to my own address" });
  assert.deepEqual([a.take(), twin.take()], [[], ["to my own address"]]);
});

Deno.test("the filter keeps out what is not meant for a card", () => {
  const { station } = makeNetwork();
  const a = station(1);
  const b = station(2, { roles: 0b0010 });
  const foreign: Omit<FrameFields, "destination">[] = [
    { version: 2 },
    { cluster: 8 },
    { receiverRoles: 0b0101 },
    { receiverId: 1 },
  ];
  for (const fields of foreign) {
    a.send({ destination: GROUP, ...fields });
    assert.deepEqual(b.take(), [], `passed: ${JSON.stringify(fields)}`);
  }
  a.send(
    { destination: GROUP, receiverRoles: 0b0011, text: "role" },
    { destination: GROUP, receiverId: 2, text: "id" },
  );
  assert.deepEqual(b.take(), ["role", "id"]);
});

Deno.test("a frame with a card's own incarnation is not heard", () => {
  const { station } = makeNetwork();
  const a = station(1, { incarnation: 5 });
  const b = station(2, { incarnation: 5 });
  a.send({ destination: GROUP });
  assert.deepEqual(b.take(), []);
});

Deno.test("a frame arrives when its delay is over, not before", () => {
  const { clock, network, station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  network.faults.delay_us = { least: 50, most: 50 };
  clock.now_us = 1000;
  a.send({ destination: GROUP, text: "late" });
  assert.equal(network.nextDue(), 1050);
  clock.now_us = 1049;
  assert.equal(b.card.wait(-1), 0);
  assert.deepEqual(b.take(), []);
  clock.now_us = 1050;
  assert.equal(b.card.wait(-1), WAIT.frames);
  assert.deepEqual(b.take(), ["late"]);
  assert.equal(network.nextDue(), Infinity);
});

Deno.test("with one delay for all, frames keep their order", () => {
  const { clock, network, station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  network.faults.delay_us = { least: 9, most: 9 };
  const texts = Array.from({ length: 30 }, (_, i) => `${i}`);
  a.send(...texts.map((text) => ({ destination: GROUP, text })));
  clock.now_us = 9;
  assert.deepEqual(b.take(), texts);
});

Deno.test("a range of delays reorders frames and loses none", () => {
  const { clock, network, station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  network.faults.delay_us = { least: 0, most: 1000 };
  const texts = Array.from({ length: 30 }, (_, i) => `${i}`);
  a.send(...texts.map((text) => ({ destination: GROUP, text })));
  clock.now_us = 1000;
  const taken = b.take();
  assert.notDeepEqual(taken, texts);
  assert.deepEqual(taken.sort(), texts.sort());
});

/** How many of 10,000 frames arrive with the given faults. */
function arrivals(seed: number, loss: number, duplication: number): number {
  const { network, station } = makeNetwork(seed);
  const [a, b] = [station(1), station(2)];
  network.faults.loss = loss;
  network.faults.duplication = duplication;
  let count = 0;
  for (let i = 0; i < 10_000; i++) {
    a.send({ destination: GROUP });
    count += b.card.receive();
  }
  return count;
}

Deno.test("a seed decides exactly which frames are lost and doubled", () => {
  assert.equal(arrivals(1, 0, 0), 10_000);
  assert.equal(arrivals(1, 1, 0), 0);
  assert.equal(arrivals(1, 0, 1), 20_000);
  assert.equal(arrivals(1, 0.1, 0), 9018);
  assert.equal(arrivals(2, 0.1, 0), 9013);
  assert.equal(arrivals(1, 0, 0.1), 10994);
});

Deno.test("a partition cuts one direction and heals", () => {
  const { network, station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  network.faults.partition = (from, to) => from === a.card && to === b.card;
  a.send({ destination: GROUP, text: "cut" });
  b.send({ destination: GROUP, text: "through" });
  assert.deepEqual([a.take(), b.take()], [["through"], []]);
  network.faults.partition = () => false;
  a.send({ destination: GROUP, text: "healed" });
  assert.deepEqual(b.take(), ["healed"]);
});

Deno.test("a full queue drops the newest frames and counts them", () => {
  const { station } = makeNetwork();
  const a = station(1);
  const b = station(2, { queueFrames: 3 });
  a.send(
    ...["1", "2", "3", "4", "5"].map((text) => ({ destination: GROUP, text })),
  );
  assert.deepEqual(b.take(), ["1", "2", "3"]);
  assert.equal(b.card.stats().droppedByKernel, 2);
});

Deno.test("more frames than slots wait for the next receive", () => {
  const { station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  for (let i = 0; i < 3; i++) {
    a.send(...Array.from({ length: 30 }, () => ({ destination: GROUP })));
  }
  assert.deepEqual([b.card.receive(), b.card.receive()], [64, 26]);
});

Deno.test("a frame above the MTU is not sent, one above a slot not received", () => {
  const { station } = makeNetwork();
  const a = station(1, { mtu: 4000 });
  const b = station(2);
  a.send(
    { destination: GROUP, text: "x".repeat(4000) },
    { destination: GROUP, text: "x".repeat(3000) },
    { destination: GROUP, text: "fits" },
  );
  assert.deepEqual(b.take(), ["fits"]);
  assert.equal(a.card.stats().sendFailures, 1);
  assert.equal(b.card.stats().truncated, 1);
});

Deno.test("a descriptor outside of the memory is refused", () => {
  const { station } = makeNetwork();
  const a = station(1);
  const view = new DataView(a.area.memory.buffer);
  view.setUint32(a.area.txDescriptors, a.area.memory.length - 10, true);
  view.setUint32(a.area.txDescriptors + 4, 60, true);
  assert.throws(() => a.card.send(0, 1), RangeError);
  assert.throws(() => a.card.send(a.area.txCapacity, 1), RangeError);
});

Deno.test("the tap sees each frame once, lost ones too", () => {
  const { network, station } = makeNetwork();
  const a = station(1);
  station(2);
  station(3);
  network.faults.loss = 1;
  const seen: [MockNic, string][] = [];
  network.tap = (from, bytes) => seen.push([from, textOf(bytes)]);
  a.send({ destination: GROUP, text: "once" });
  assert.deepEqual(seen, [[a.card, "once"]]);
});

Deno.test("a closed card is unplugged and refuses to be used", () => {
  const { network, station } = makeNetwork();
  const [a, b] = [station(1), station(2)];
  a.send({ destination: GROUP });
  b.card.close();
  assert.equal(network.nextDue(), Infinity);
  assert.throws(() => b.card.receive(), /closed/);
  assert.throws(() => b.card.send(0, 0), /closed/);
  assert.throws(() => b.card.close(), /closed/);
});
