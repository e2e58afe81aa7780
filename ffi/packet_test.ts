/** The AF_PACKET card on real sockets, in network namespaces. */
import assert from "node:assert/strict";
import { CardProcess, sendUntilHeard } from "../tests/card_process.ts";
import type { FrameFields } from "../tests/frames.ts";
import { canMakeNamespaces, createNet, type Net } from "../tests/netns.ts";
import { WAIT } from "./nic.ts";
import { clusterGroup, type PacketNicOptions } from "./packet.ts";

const GROUP = [0x03, 0x6b, 0x70, 0x78, 0x00, 0x07];

let incarnations = 0;

function open(
  net: Net,
  node: string,
  options: Partial<PacketNicOptions> = {},
  prefix: string[] = [],
  reservedMtu?: number,
): Promise<CardProcess> {
  return CardProcess.open(net, node, {
    nic: "af_packet",
    options: {
      interfaceName: "eth0",
      cluster: 7,
      roles: 0xff,
      id: 0,
      incarnation: ++incarnations,
      ethertype: 0x88b5,
      ...options,
    },
    reservedMtu,
  }, prefix);
}

/** A test that needs namespaces, so root. */
function netTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !canMakeNamespaces, fn });
}

Deno.test("clusterGroup() is a locally administered multicast MAC with the cluster in it", () => {
  assert.deepEqual([...clusterGroup(0x1234)], [
    3,
    0x6b,
    0x70,
    0x78,
    0x12,
    0x34,
  ]);
});

netTest("frames cross a bridge, to the group and to one address", async () => {
  await using net = await createNet({ nodes: ["a", "b", "c"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  await using c = await open(net, "c");
  const [ofA, ofB] = [await a.describe(), await b.describe()];
  assert.equal(ofA.mtu, 1500);
  assert.deepEqual(ofA.group, GROUP);

  await a.send({ destination: GROUP, text: "to all" });
  const [heard] = await b.receive(1);
  assert.deepEqual(heard, {
    destination: GROUP,
    source: ofA.address,
    ethertype: 0x88b5,
    text: "to all",
  });
  assert.deepEqual(await c.texts(1), ["to all"]);

  await b.send({ destination: ofA.address, text: "to a" });
  assert.deepEqual(await a.texts(1), ["to a"]);
  await b.send({ destination: GROUP, text: "last" });
  await c.texts(1);
  const { stats } = await b.describe();
  assert.equal(stats.receivedFrames, 1);
  assert.equal(stats.sentFrames, 2);
  assert.equal(ofB.stats.flaps, 0);
});

/** What a card sends first and second, told apart by their senders' roles. */
function pair(
  first: Partial<FrameFields> = {},
  second: Partial<FrameFields> = {},
): FrameFields[] {
  return [
    { destination: GROUP, senderRole: 1, text: "proposer", ...first },
    { destination: GROUP, senderRole: 2, text: "acceptor's", ...second },
  ];
}

netTest(
  "what two roles say at once to the same address is one frame, and two to who hears it",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    const { address } = await a.describe();
    await a.send(...pair());
    const heard = await b.receive(2);
    assert.deepEqual(
      heard.map(({ text }) => text),
      ["proposer", "acceptor's"],
    );
    assert.deepEqual(heard.map(({ source }) => source), [address, address]);
    assert.equal((await a.describe()).stats.sentFrames, 1);
    // Where they surely fit the MTU together, and where they may not.
    await a.send(...pair({ text: "x".repeat(1376) }));
    await b.texts(2);
    assert.equal((await a.describe()).stats.sentFrames, 2);
    await a.send(...pair({ text: "x".repeat(1377) }));
    await b.texts(2);
    assert.equal((await a.describe()).stats.sentFrames, 4);
  },
);

netTest("what may not share a frame has one of its own", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  const { address } = await b.describe();
  const pairs = [
    pair({}, { senderRole: 1 }),
    pair({}, { destination: address }),
    pair({ receiverId: 7 }),
    pair({}, { receiverId: 7 }),
    pair({ receiverRoles: 0b0011 }, { receiverRoles: 0b0110 }),
  ];
  for (const [i, frames] of pairs.entries()) {
    await a.send(...frames);
    assert.deepEqual(await b.texts(2), ["proposer", "acceptor's"]);
    assert.equal((await a.describe()).stats.sentFrames, 2 * (i + 1), `${i}`);
  }
});

netTest("of a shared frame a node gets what is meant for it", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b", { roles: 0b0010 });
  await a.send(...pair({}, { receiverRoles: 0b0101 }));
  await a.send({ destination: GROUP, text: "last" });
  const heard = await b.texts(2);
  assert.deepEqual(heard, ["proposer", "last"]);
  assert.equal((await a.describe()).stats.sentFrames, 2);
});

netTest(
  "shared frames arrive in order, more than there are slots",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    const burst = Array.from({ length: 21 }, (_, i) => [
      { destination: GROUP, senderRole: 1, text: `${i} alone` },
      ...pair({ text: `${i} first` }, { text: `${i} second` }),
    ]).flat();
    for (let n = 0; n < 3; n++) await a.send(...burst);
    const wanted = burst.map(({ text }) => text);
    const heard = await b.texts(3 * burst.length);
    assert.deepEqual(heard, [...wanted, ...wanted, ...wanted]);
  },
);

/** Sockets of AF_PACKET in a node's namespace (proc(5)), below a line of titles. */
function packetSockets(net: Net, node: string): number {
  return net.exec(node, "cat", "/proc/net/packet").trim().split("\n").length -
    1;
}

netTest("a card takes over a socket that was made ahead", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b", {}, [], 1500);
  assert.equal(packetSockets(net, "b"), 1);
  for (const text of ["first", "second"]) {
    await a.send({ destination: GROUP, text });
    assert.deepEqual(await b.texts(1), [text]);
  }
});

netTest("a socket made ahead for another MTU is not used", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b", {}, [], 9000);
  assert.equal(packetSockets(net, "b"), 2);
  await a.send({ destination: GROUP, text: "heard" });
  assert.deepEqual(await b.texts(1), ["heard"]);
});

netTest("the card is a member of the cluster's multicast group", async () => {
  await using net = await createNet({ nodes: ["a"] });
  await using _a = await open(net, "a");
  assert.match(
    net.exec("a", "ip", "maddress", "show", "dev", "eth0"),
    /03:6b:70:78:00:07/,
  );
});

netTest("many frames arrive in the order in which they were sent", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  const texts = Array.from({ length: 320 }, (_, i) => `${i}`);
  for (let first = 0; first < texts.length; first += 64) {
    const burst = texts.slice(first, first + 64);
    await a.send(...burst.map((text) => ({ destination: GROUP, text })));
  }
  assert.deepEqual(await b.texts(texts.length), texts);
});

netTest(
  "frames go round the ring in order, as often as it is filled",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    // More than the ring has places for, and of all sizes.
    for (let first = 0; first < 6400; first += 64) {
      const texts = Array.from(
        { length: 64 },
        (_, i) => `${first + i}`.padEnd((first * 7 + i * 31) % 1400, "."),
      );
      await a.send(...texts.map((text) => ({ destination: GROUP, text })));
      assert.deepEqual(await b.texts(64), texts);
    }
    assert.equal((await b.describe()).stats.droppedByKernel, 0);
  },
);

for (const busyPoll of ["auto", "yes"] as const) {
  netTest(
    `a card with busyPoll ${busyPoll} hears frames, ends its wait in time, and finds a lost interface again`,
    async () => {
      await using net = await createNet({ nodes: ["a", "b"] });
      await using a = await open(net, "a");
      await using b = await open(net, "b", { busyPoll });
      for (let i = 0; i < 50; i++) {
        await a.send({ destination: GROUP, text: `${i}` });
        assert.deepEqual(await b.texts(1), [`${i}`]);
      }
      const { bits, elapsed_us } = await b.wait(50_000);
      assert.equal(bits, 0);
      assert(elapsed_us >= 50_000, `it waited ${elapsed_us} of 50000 µs`);
      net.exec("b", ..."ip link set eth0 down".split(" "));
      assert.equal(await b.waitFor(WAIT.down), WAIT.down);
      net.exec("b", ..."ip link set eth0 up".split(" "));
      await sendUntilHeard(a, b, GROUP);
    },
  );
}

netTest("the filter keeps out what is not meant for this node", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b", {
    roles: 0b0010,
    id: 0x0102,
    incarnation: 0xa1b2c3d4,
  });
  await a.send(
    { destination: GROUP, ethertype: 0x88b6, text: "another EtherType" },
    { destination: GROUP, version: 2, text: "another version" },
    { destination: GROUP, cluster: 0x0700, text: "another cluster" },
    { destination: GROUP, receiverRoles: 0b0101, text: "another role" },
    { destination: GROUP, receiverId: 0x0201, text: "another id" },
    { destination: GROUP, incarnation: 0xa1b2c3d4, text: "its own" },
    { destination: GROUP, receiverRoles: 0b0110, text: "role" },
    { destination: GROUP, receiverId: 0x0102, text: "id" },
  );
  assert.deepEqual(await b.texts(2), ["role", "id"]);
});

netTest("frames of a VLAN do not pass", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  await a.send(
    { destination: GROUP, vlan: 5, text: "tagged" },
    { destination: GROUP, text: "plain" },
  );
  assert.deepEqual(await b.texts(1), ["plain"]);
});

netTest(
  "processes on one interface hear each other, by group and by their own MAC",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using first = await open(net, "a");
    await using second = await open(net, "a");
    await using b = await open(net, "b");
    const { address } = await first.describe();
    await first.send(
      { destination: GROUP, text: "group" },
      { destination: address, text: "own MAC" },
    );
    assert.deepEqual(await second.texts(2), ["group", "own MAC"]);
    await second.send({ destination: GROUP, text: "back" });
    // Had the first card heard itself, that would have come first.
    assert.deepEqual(await first.texts(1), ["back"]);
    await b.texts(1);
  },
);

netTest("on lo every process hears each frame of the others once", async () => {
  await using net = await createNet({ nodes: ["a"] });
  const lo = { interfaceName: "lo" };
  await using first = await open(net, "a", lo);
  await using second = await open(net, "a", lo);
  const { address, mtu } = await first.describe();
  assert.deepEqual(address, [0, 0, 0, 0, 0, 0]);
  assert.equal(mtu, 1500);
  await first.send(
    { destination: GROUP, text: "1" },
    { destination: address, text: "2" },
    { destination: GROUP, text: "3" },
  );
  assert.deepEqual(await second.texts(3), ["1", "2", "3"]);
  await second.send({ destination: GROUP, text: "back" });
  assert.deepEqual(await first.texts(1), ["back"]);
});

netTest("a frame longer than a slot is counted and thrown away", async () => {
  await using net = await createNet({ nodes: ["a", "b"], mtu: 4000 });
  await using a = await open(net, "a", { maxMtu: 4000 });
  await using b = await open(net, "b");
  assert.equal((await a.describe()).mtu, 4000);
  await a.send(
    { destination: GROUP, text: "before" },
    { destination: GROUP, text: "x".repeat(3000) },
    { destination: GROUP, text: "after" },
  );
  assert.deepEqual(await b.texts(2), ["before", "after"]);
  assert.equal((await b.describe()).stats.truncated, 1);
});

netTest(
  "a frame longer than the MTU is counted and the next one sent",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    await a.send(
      { destination: GROUP, text: "x".repeat(2000) },
      { destination: GROUP, text: "short" },
    );
    assert.deepEqual(await b.texts(1), ["short"]);
    assert.equal((await a.describe()).stats.sendFailures, 1);
  },
);

netTest(
  "frames that the kernel dropped are counted over several readings",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    const burst = Array.from({ length: 64 }, () => ({ destination: GROUP }));
    let dropped = 0;
    // More than any receive buffer holds, as nobody receives.
    for (let sent = 0; dropped === 0 && sent < 1_000_000; sent += 20 * 64) {
      for (let i = 0; i < 20; i++) await a.send(...burst);
      dropped = (await b.describe()).stats.droppedByKernel;
    }
    assert(dropped > 0);
    assert.equal((await b.describe()).stats.droppedByKernel, dropped);
  },
);

netTest("a card outlives that its interface goes down and up", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  net.exec("b", ..."ip link set eth0 down".split(" "));
  assert.equal(await b.waitFor(WAIT.down), WAIT.down);
  const { bits, elapsed_us } = await b.wait(500_000);
  assert.equal(bits, WAIT.down);
  assert(elapsed_us >= 500_000, `it slept ${elapsed_us} of 500000 µs`);
  await b.send({ destination: GROUP, text: "lost" });

  net.exec("b", ..."ip link set eth0 up".split(" "));
  await sendUntilHeard(a, b, GROUP);
  await sendUntilHeard(b, a, GROUP);
  const { stats } = await b.describe();
  assert.equal(stats.flaps, 1);
  assert(stats.sendFailures >= 1);
});

netTest(
  "a card outlives that its interface is removed and made anew",
  async () => {
    await using net = await createNet({ nodes: ["a", "b"] });
    await using a = await open(net, "a");
    await using b = await open(net, "b");
    const before = (await b.describe()).address;
    net.exec("b", ..."ip link delete eth0".split(" "));
    assert.equal(await b.waitFor(WAIT.down), WAIT.down);
    await net.plugIn("b");
    await sendUntilHeard(a, b, GROUP);
    await sendUntilHeard(b, a, GROUP);

    const { address, stats } = await b.describe();
    assert.equal(stats.flaps, 1);
    assert.notDeepEqual(address, before);
    const macs = net.exec("b", "ip", "link", "show", "dev", "eth0");
    const mac = address.map((byte) => byte.toString(16).padStart(2, "0"));
    assert(macs.includes(mac.join(":")), `${mac} is not in ${macs}`);
    assert.match(
      net.exec("b", "ip", "maddress", "show", "dev", "eth0"),
      /03:6b:70:78:00:07/,
    );
    await b.send({ destination: GROUP, text: "source" });
    // What was repeated above may still be under way.
    let heard = await a.receive(1);
    while (heard.at(-1)?.text !== "source") heard = await a.receive(1);
    assert.deepEqual(heard.at(-1)?.source, address);
  },
);

netTest("a card that only sends finds its interface again too", async () => {
  await using net = await createNet({ nodes: ["a", "b"] });
  await using a = await open(net, "a");
  await using b = await open(net, "b");
  net.exec("a", ..."ip link set eth0 down".split(" "));
  await a.send({ destination: GROUP, text: "lost" });
  net.exec("a", ..."ip link set eth0 up".split(" "));
  await sendUntilHeard(a, b, GROUP);
});

netTest("without CAP_NET_RAW the error says what to do", async () => {
  await using net = await createNet({ nodes: ["a"] });
  const unprivileged = ["setpriv", "--bounding-set", "-net_raw"];
  await assert.rejects(open(net, "a", {}, unprivileged), {
    name: "UserError",
    message:
      'No permission for raw frames on "eth0" (CAP_NET_RAW is missing): ' +
      "run with sudo, or `sudo setcap cap_net_raw+ep ./kpaxos`, or use --nic udp",
  });
});

netTest(
  "an interface that is down, too small or missing is refused with a remedy",
  async () => {
    await using net = await createNet({ nodes: ["a"] });
    await assert.rejects(open(net, "a", { interfaceName: "eth9" }), {
      name: "UserError",
      message: 'No such interface "eth9"; there are: lo, eth0',
    });
    net.exec("a", ..."ip link set eth0 mtu 500".split(" "));
    await assert.rejects(open(net, "a"), {
      name: "UserError",
      message: 'The MTU of interface "eth0" is 500, too small: ' +
        "run `sudo ip link set eth0 mtu 1500` (at least 576)",
    });
    net.exec("a", ..."ip link set eth0 down".split(" "));
    await assert.rejects(open(net, "a"), {
      name: "UserError",
      message: 'Interface "eth0" is down: run `sudo ip link set eth0 up`',
    });
  },
);
