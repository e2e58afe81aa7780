/** With storage that takes time, nothing that reveals an acceptor's state leaves before its record is durable. */
import assert from "node:assert/strict";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { Disk } from "../sim/disk.ts";
import { Cluster, REPLICA } from "./cluster.ts";
import { typeOf } from "../sim/decode.ts";
import { ballotOf, command, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

const BALLOT = ballotOf(1, 1);

function from(ballot: bigint) {
  return {
    senderRole: "proposer",
    senderId: 1,
    incarnation: 201,
    ballot,
  } as const;
}

const prepare = (ballot = BALLOT) =>
  encode(from(ballot), { type: "prepare", from: 1n });

const accept = (instance: number) =>
  encode(from(BALLOT), {
    type: "accept",
    decided: 1n,
    instance: BigInt(instance),
    batch: [run(5n, instance, "value")],
  });

const types = (frames: Uint8Array[]) =>
  frames.map(typeOf).filter((type) => type !== "hi");

/** An acceptor that votes. Its first record, that the operator vouched for it, is durable. */
function makeAcceptor(): Rig {
  const rig = new Rig({ roles: Role.acceptor, id: 2, persistent: true });
  rig.feed();
  rig.wait(100_000);
  assert.equal(rig.core.lastRecord, 1);
  rig.durable = 1;
  return rig;
}

Deno.test("a promise leaves when its record is durable, and not before", () => {
  const rig = makeAcceptor();
  assert.deepEqual(types(rig.feed(prepare())), []);
  assert.equal(rig.core.lastRecord, 2);
  assert.deepEqual(types(rig.wait(10)), []);
  rig.durable = 2;
  assert.deepEqual(types(rig.wait(10)), ["promise"]);
  assert.deepEqual(types(rig.wait(10)), [], "once");
});

Deno.test("votes leave in the order of their records, as far as these are durable", () => {
  const rig = makeAcceptor();
  for (const instance of [1, 2, 3]) {
    assert.deepEqual(types(rig.feed(accept(instance))), []);
  }
  assert.equal(rig.core.lastRecord, 4);
  assert.deepEqual(types(rig.wait(10)), [], "a vote needs its own record");
  rig.durable = 3;
  assert.deepEqual(types(rig.wait(10)), ["accepted", "accepted"]);
  rig.durable = 4;
  assert.deepEqual(types(rig.wait(10)), ["accepted"]);
});

Deno.test("a rejection, and what a learner repairs, wait for the record that they reveal", () => {
  const rig = makeAcceptor();
  rig.feed(prepare(ballotOf(2, 1)));
  assert.deepEqual(types(rig.feed(prepare())), []);
  rig.durable = 2;
  assert.deepEqual(types(rig.wait(10)), ["promise", "reject"]);
  rig.feed(encode(from(ballotOf(2, 1)), {
    type: "accept",
    decided: 1n,
    instance: 1n,
    batch: [run(5n, 1, "value")],
  }));
  const repair = encode(
    { senderRole: "learner", senderId: 9, incarnation: 900 },
    { type: "repair", ranges: [{ first: 1n, end: 2n }] },
  );
  assert.deepEqual(types(rig.feed(repair)), []);
  rig.durable = rig.core.gauge(Gauge.records);
  assert.deepEqual(types(rig.wait(10)), ["accepted", "learned"]);
});

Deno.test("a vote that is already durable is repeated at once", () => {
  const rig = makeAcceptor();
  rig.feed(accept(1));
  rig.durable = rig.core.gauge(Gauge.records);
  assert.deepEqual(types(rig.feed(accept(1))), ["accepted", "accepted"]);
});

Deno.test("a replica's own promise and vote count for it only when they are durable, while its 2A leaves at once", () => {
  const rig = new Rig({
    roles: REPLICA,
    id: 1,
    acceptors: [1],
    persistent: true,
  });
  rig.feed();
  for (let n = 0; n < 40; n++) rig.wait(10_000);
  assert(rig.core.gauge(Gauge.records) >= 1);
  assert.equal(rig.core.gauge(Gauge.proposerState), 1, "it prepares");
  rig.durable = rig.core.gauge(Gauge.records);
  rig.wait(10);
  assert.equal(rig.core.gauge(Gauge.proposerState), 2, "it leads");
  const sent = types(rig.feed(
    encode({ senderRole: "client", senderId: 9, incarnation: 901 }, {
      type: "submit",
      batch: [command(5n), run(5n, 1, "value")],
    }),
  ));
  assert.deepEqual(sent, ["accept"]);
  rig.wait(10);
  assert.equal(rig.core.counter(Counter.deliveredValues), 0);
  rig.durable = rig.core.gauge(Gauge.records);
  assert(types(rig.wait(10)).includes("accepted"));
  assert.equal(rig.core.counter(Counter.deliveredValues), 1);
});

Deno.test("held frames that outgrow their ring stop the voting, and it goes on when they are durable", () => {
  const rig = makeAcceptor();
  for (let instance = 1; instance <= 1200; instance++) {
    rig.feed(accept(instance));
  }
  assert(rig.core.counter(Counter.heldFull) > 0);
  const accepted = rig.core.counter(Counter.accepted);
  assert(accepted > 900 && accepted < 1024);
  rig.durable = rig.core.gauge(Gauge.records);
  const votes = types(rig.wait(10)).filter((type) => type === "accepted");
  assert.equal(votes.length, accepted, "every vote that was given leaves");
  rig.feed(accept(1200));
  assert.equal(rig.core.counter(Counter.accepted), accepted + 1);
});

Deno.test("clusters with slow storage decide under faults, and no vote comes before a commit", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const cluster = new Cluster(seed, { persistent: true });
    cluster.faults.loss = cluster.random.between(0, 15) / 100;
    cluster.faults.delay_us = { least: 20, most: 500 };
    const replicas = [1, 2, 3].map((id) => {
      const least = cluster.random.between(100, 5000);
      const disk = new Disk(id, { least, most: least });
      return cluster.add({ roles: REPLICA, id }, id, disk);
    });
    cluster.add({
      roles: Role.client,
      id: 9,
      values: 200,
      outstanding: 16,
      persistent: false,
    });
    // What an acceptor reveals for the first time is younger than its first commit.
    let revealed = 0;
    cluster.network.tap = (card, bytes) => {
      const type = typeOf(bytes);
      if (type !== "promise" && type !== "accepted") return;
      const { name, storage } = replicas.find(({ nic }) => nic === card)!;
      assert(storage.durable > 0, `${name} sent a ${type} before any commit`);
      revealed++;
    };
    cluster.finish(30_000_000);
    assert(revealed > 0);
  }
});
