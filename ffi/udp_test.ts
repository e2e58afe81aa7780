/** The UDP card on real sockets: multicast and unicast mode, with no privilege. */
import assert from "node:assert/strict";
import { CardProcess, sendUntilHeard } from "../tests/card_process.ts";
import { makeArea } from "../tests/frames.ts";
import { canMakeNamespaces, createNet, type Net } from "../tests/netns.ts";
import { WAIT } from "./nic.ts";
import { linkAddress, openUdpNic, type UdpNicOptions } from "./udp.ts";

const EVERY_NODE = [255, 255, 255, 255, 255, 255];

/** Root without a single capability: what an ordinary user may do. */
const UNPRIVILEGED = [
  "setpriv",
  "--bounding-set",
  "-all",
  "--inh-caps",
  "-all",
];

let incarnations = 0;

function identity() {
  return {
    cluster: 7,
    roles: 0xff,
    id: 0,
    incarnation: ++incarnations,
    ethertype: 0x88b5,
  };
}

function open(
  net: Net,
  node: string,
  options: Partial<UdpNicOptions> = {},
): Promise<CardProcess> {
  return CardProcess.open(net, node, {
    nic: "udp",
    options: { interfaceName: "eth0", ...identity(), ...options },
  }, UNPRIVILEGED);
}

/** A test that needs namespaces, so root. */
function netTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !canMakeNamespaces, fn });
}

netTest(
  "on lo three processes hear each other by multicast, each frame once",
  async () => {
    await using net = await createNet({ nodes: ["a"] });
    const lo = { interfaceName: "lo" };
    await using first = await open(net, "a", lo);
    await using second = await open(net, "a", lo);
    await using third = await open(net, "a", lo);
    const { address, group, mtu } = await first.describe();
    assert.deepEqual(address.slice(0, 4), [127, 0, 0, 1]);
    assert.deepEqual(group, EVERY_NODE);
    assert.equal(mtu, 1472);

    await first.send(
      { destination: EVERY_NODE, text: "1" },
      { destination: EVERY_NODE, text: "2" },
    );
    const heard = await second.receive(2);
    const expected = { destination: (await second.describe()).address };
    assert.deepEqual(
      heard,
      ["1", "2"].map((text) => ({
        ...expected,
        source: address,
        ethertype: 0x88b5,
        text,
      })),
    );
    assert.deepEqual(await third.texts(2), ["1", "2"]);
    await third.send({ destination: EVERY_NODE, text: "back" });
    // Had the first card heard itself, that would have come first.
    assert.deepEqual(await first.texts(1), ["back"]);
  },
);

netTest("a datagram's source is an address to answer to", async () => {
  await using net = await createNet({ nodes: ["a", "b", "c"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  await using c = await open(net, "c");
  await a.send({ destination: EVERY_NODE, text: "question" });
  const [{ source }] = await b.receive(1);
  assert.deepEqual(source.slice(0, 4), net.ipv4("a").split(".").map(Number));
  await b.send({ destination: source, text: "answer" });
  assert.deepEqual(await a.texts(1), ["answer"]);
  await b.send({ destination: EVERY_NODE, text: "to all" });
  assert.deepEqual(await c.texts(2), ["question", "to all"]);
});

netTest("a UDP card keeps out what is not meant for this node", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b", {
    roles: 0b0010,
    id: 0x0102,
    incarnation: 0xa1b2c3d4,
  });
  const fields = [
    { version: 2, text: "another version" },
    { cluster: 0x0700, text: "another cluster" },
    { receiverRoles: 0b0101, text: "another role" },
    { receiverRoles: 0b0110, text: "role" },
    { receiverId: 0x0201, text: "another id" },
    { incarnation: 0xa1b2c3d4, text: "its own" },
    { receiverId: 0x0102, text: "id" },
  ];
  await a.send(...fields.map((f) => ({ destination: EVERY_NODE, ...f })));
  assert.deepEqual(await b.texts(2), ["role", "id"]);
  assert.equal((await b.describe()).stats.receivedFrames, 2);
});

netTest(
  "a datagram too long for a slot is counted and thrown away",
  async () => {
    await using net = await createNet({ nodes: ["a"] });
    const lo = { interfaceName: "lo" };
    await using first = await open(net, "a", { ...lo, maxMtu: 9000 });
    await using second = await open(net, "a", lo);
    await first.send(
      { destination: EVERY_NODE, text: "before" },
      { destination: EVERY_NODE, text: "x".repeat(3000) },
      { destination: EVERY_NODE, text: "after" },
    );
    assert.deepEqual(await second.texts(2), ["before", "after"]);
    assert.equal((await second.describe()).stats.truncated, 1);
  },
);

netTest(
  "a flood of one kind of datagrams does not starve the other",
  async () => {
    await using net = await createNet({ nodes: ["a"] });
    const lo = { interfaceName: "lo" };
    await using first = await open(net, "a", lo);
    await using second = await open(net, "a", lo);
    const { address } = await second.describe();
    const flood = async (destination: number[], other: number[]) => {
      // Three times what one receive takes.
      const burst = Array.from(
        { length: 64 },
        () => ({ destination, text: "" }),
      );
      for (let i = 0; i < 3; i++) await first.send(...burst);
      await first.send({ destination: other, text: "other" });
      const texts = await second.texts(193);
      assert.notEqual(texts.indexOf("other"), -1);
      assert.notEqual(texts.at(-1), "other");
    };
    await flood(address, EVERY_NODE);
    await flood(EVERY_NODE, address);
  },
);

netTest(
  "unicast mode reaches the configured peers and whoever was heard from",
  async () => {
    await using net = await createNet({ nodes: ["a", "b", "c"] });
    const peers = [
      { host: net.ipv4("a"), port: 7401 },
      { host: net.ipv4("b"), port: 7401 },
    ];
    await using a = await open(net, "a", { bind: 7401, peers, roles: 0b01 });
    await using b = await open(net, "b", { bind: 7401, peers });
    await using c = await open(net, "c", { peers });
    assert.deepEqual((await a.describe()).address, [
      ...linkAddress({ host: net.ipv4("a"), port: 7401 }),
    ]);

    await a.send({ destination: EVERY_NODE, text: "to peers" });
    assert.deepEqual(await b.texts(1), ["to peers"]);
    // Not for the role of a, which must note the sender all the same.
    await c.send({
      destination: EVERY_NODE,
      receiverRoles: 0b10,
      text: "from c",
    });
    assert.deepEqual(await b.texts(1), ["from c"]);
    const { address } = await a.describe();
    await b.send({ destination: address, text: "sent after c's" });
    assert.deepEqual(await a.texts(1), ["sent after c's"]);
    await a.send({ destination: EVERY_NODE, text: "to all" });
    assert.deepEqual(await b.texts(1), ["to all"]);
    assert.deepEqual(await c.texts(1), ["to all"]);
    assert.equal((await a.describe()).stats.sentFrames, 3);
  },
);

netTest(
  "only datagrams of the own cluster make their sender known",
  async () => {
    await using net = await createNet({ nodes: ["a", "b", "c"] });
    await using a = await open(net, "a", { bind: 7401, peers: [] });
    const peers = [{ host: net.ipv4("a"), port: 7401 }];
    await using b = await open(net, "b", { peers });
    await using c = await open(net, "c", { peers });
    await b.send(
      { destination: EVERY_NODE, cluster: 8 },
      { destination: EVERY_NODE, version: 2 },
    );
    await c.send({ destination: EVERY_NODE, text: "known" });
    assert.deepEqual(await a.texts(1), ["known"]);
    await a.send({ destination: EVERY_NODE, text: "to c" });
    assert.deepEqual(await c.texts(1), ["to c"]);
    assert.equal((await a.describe()).stats.sentFrames, 1);
  },
);

netTest("a peer that is not there disturbs nothing", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  const peers = [
    { host: net.ipv4("b"), port: 9 },
    { host: "192.0.2.1", port: 7401 },
    { host: net.ipv4("b"), port: 7401 },
  ];
  await using a = await open(net, "a", { bind: 7401, peers });
  await using b = await open(net, "b", { bind: 7401, peers: [] });
  for (let i = 0; i < 5; i++) {
    await a.send({ destination: EVERY_NODE, text: `${i}` });
  }
  assert.deepEqual(await b.texts(5), ["0", "1", "2", "3", "4"]);
  await b.send({ destination: EVERY_NODE, text: "back" });
  assert.deepEqual(await a.texts(1), ["back"]);
  const { stats } = await a.describe();
  assert.equal(stats.sendFailures, 5);
  assert.equal(stats.flaps, 0);
});

netTest("a UDP card outlives that its interface goes down and up", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  const { address } = await b.describe();
  net.exec("b", ..."ip link set eth0 down".split(" "));
  await b.send({ destination: EVERY_NODE, text: "lost" });
  const { bits, elapsed_us } = await b.wait(500_000);
  assert.equal(bits, WAIT.down);
  assert(elapsed_us >= 500_000, `it slept ${elapsed_us} of 500000 µs`);

  net.exec("b", ..."ip link set eth0 up".split(" "));
  await sendUntilHeard(b, a, EVERY_NODE);
  await sendUntilHeard(a, b, EVERY_NODE);
  const after = await b.describe();
  assert.equal(after.stats.flaps, 1);
  assert.deepEqual(after.address, address);
});

netTest(
  "a UDP card outlives that its interface is removed and made anew",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    const remove = () => net.exec("b", ..."ip link delete eth0".split(" "));
    remove();
    await b.send({ destination: EVERY_NODE, text: "lost" });
    await net.plugIn("b");
    await sendUntilHeard(b, a, EVERY_NODE);
    await sendUntilHeard(a, b, EVERY_NODE);
    assert.equal((await b.describe()).stats.flaps, 1);

    // Now it notices only when there is another interface of that name.
    remove();
    await net.plugIn("b");
    await sendUntilHeard(b, a, EVERY_NODE);
    await sendUntilHeard(a, b, EVERY_NODE);
    assert.equal((await b.describe()).stats.flaps, 2);
  },
);

netTest(
  "an interface without an IPv4 address is refused with a remedy",
  async () => {
    await using net = await createNet({ nodes: ["a"] });
    net.exec("a", ..."ip address flush dev eth0".split(" "));
    await assert.rejects(open(net, "a"), {
      name: "UserError",
      message: 'Interface "eth0" has no IPv4 address, which --nic udp needs: ' +
        "run `sudo ip address add ADDRESS/LENGTH dev eth0`",
    });
  },
);

/** Opens a card on this machine's own lo, which needs no namespace. */
function openLocal(options: Partial<UdpNicOptions>) {
  const all = { interfaceName: "lo", ...identity(), ...options };
  return openUdpNic(all, makeArea());
}

Deno.test("a port in use is refused with a remedy", () => {
  const first = openLocal({ peers: [] });
  const port = first.address[4] << 8 | first.address[5];
  assert.throws(() => openLocal({ peers: [], bind: port }), {
    name: "UserError",
    message: `UDP port ${port} on "lo" is in use by another program: ` +
      "end that, or configure another port",
  });
  first.close();
});

Deno.test("wrong hosts, ports and groups are refused with what was expected", () => {
  const peers = (host: string, port: number) => ({ peers: [{ host, port }] });
  assert.throws(() => openLocal(peers("localhost", 1)), /is no IPv4 address/);
  assert.throws(() => openLocal(peers("1.2.3.256", 1)), /is no IPv4 address/);
  assert.throws(() => openLocal(peers("1.2.3.4", 0)), /is no UDP port/);
  assert.throws(() => openLocal(peers("1.2.3.4", 65536)), /is no UDP port/);
  const group = { address: "192.168.0.1", port: 7400 };
  assert.throws(() => openLocal({ group }), /is no IP multicast group/);
  const many = Array.from(
    { length: 257 },
    () => ({ host: "1.2.3.4", port: 1 }),
  );
  assert.throws(() => openLocal({ peers: many }), /257 peers are too many/);
});
