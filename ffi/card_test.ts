/** What holds for a card of the shim on any socket; shown on UDP, which needs no rights. */
import assert from "node:assert/strict";
import { makeArea } from "../tests/frames.ts";
import { WAIT } from "./nic.ts";
import { wake } from "./shim.ts";
import { openUdpNic } from "./udp.ts";

function openCard(area = makeArea()) {
  return openUdpNic({
    interfaceName: "lo",
    cluster: 7,
    roles: 0xff,
    id: 0,
    incarnation: 1,
    ethertype: 0x88b5,
    peers: [],
  }, area);
}

Deno.test("a wait ends with 0 when its time is up", () => {
  const card = openCard();
  assert.equal(card.wait(0), 0);
  assert.equal(card.wait(1000), 0);
  card.close();
});

Deno.test("a wake before the wait ends it at once, and only once", () => {
  const card = openCard();
  wake(card.wakeFd);
  wake(card.wakeFd);
  assert.equal(card.wait(-1), WAIT.woken);
  assert.equal(card.wait(0), 0);
  card.close();
});

Deno.test("another thread ends a wait without limit", async () => {
  const card = openCard();
  const waker = new Worker(new URL("./testdata/waker.ts", import.meta.url), {
    type: "module",
  });
  waker.postMessage(card.wakeFd);
  assert.equal(card.wait(-1), WAIT.woken);
  card.close();
  await new Promise((resolve) => waker.onmessage = resolve);
  waker.terminate();
});

Deno.test("waking what is no card's descriptor throws", () => {
  assert.throws(() => wake(-1), /Cannot wake the node: errno 9/);
});

Deno.test("a descriptor outside of the memory is refused", () => {
  const area = makeArea();
  const card = openCard(area);
  const view = new DataView(area.memory.buffer);
  const describe = (offset: number, length: number) => {
    view.setUint32(area.txDescriptors, offset, true);
    view.setUint32(area.txDescriptors + 4, length, true);
  };
  const refused = /Cannot send descriptors 0 to 1: EINVAL/;
  describe(area.memory.length - 59, 60);
  assert.throws(() => card.send(0, 1), refused);
  describe(0xffffffff, 60);
  assert.throws(() => card.send(0, 1), refused);
  describe(0, 13);
  assert.throws(() => card.send(0, 1), refused);
  assert.throws(() => card.send(area.txCapacity, 1), /EINVAL/);
  assert.throws(() => card.send(0xffffffff, 2), /EINVAL/);
  card.close();
});

Deno.test("a closed card refuses every call", () => {
  const card = openCard();
  card.close();
  assert.throws(() => card.receive(), /The card is closed/);
  assert.throws(() => card.send(0, 0), /The card is closed/);
  assert.throws(() => card.wait(0), /The card is closed/);
  assert.throws(() => card.stats(), /The card is closed/);
  assert.throws(() => card.close(), /The card is closed/);
});

Deno.test("cards are opened and closed without losing descriptors", () => {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  openCard().close();
  const before = count();
  for (let i = 0; i < 50; i++) openCard().close();
  // The runtime opens and closes some of its own meanwhile.
  assert(count() < before + 50);
});
