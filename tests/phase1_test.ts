/** A new leader: one ballot for all instances, what may be chosen is kept, holes become no-ops. */
import assert from "node:assert/strict";
import { Counter, Event, Gauge, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";
import { type Body, decode, typeOf } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { fromAcceptor, preparing, promise } from "./leader.ts";

const PREPARING = 1;
const LEADING = 2;

type Accept = Extract<Body, { type: "accept" }>;

/** The values of a 2A as text, for comparison. */
function contents({ batch }: Accept): string {
  return batch.map((part) => `${part.client}/${part.first}+${part.values}`)
    .join(" ");
}

/** Three acceptors, a learner, clients, and the first of two proposers; 2A are recorded by proposer. */
function makeTakeover(
  seed: number,
  inFlight: number,
  values: number,
  clientCount = 1,
) {
  const cluster = new Cluster(seed, { inFlight, proposers: [1, 2] });
  for (const id of [1, 2, 3]) cluster.add({ roles: Role.acceptor, id });
  const first = cluster.add({ roles: Role.proposer, id: 1, leader: 1 });
  cluster.add({ roles: Role.learner, id: 1 });
  const clients = Array.from({ length: clientCount }, (_, i) =>
    cluster.add({
      roles: Role.client,
      id: 1 + i,
      firstClient: BigInt((1 + i) * 1000),
      outstanding: inFlight / clientCount,
      // One value fills most of a batch.
      padBytes: 250,
    }));
  const accepts: Record<number, Map<bigint, string>> = {
    1: new Map(),
    2: new Map(),
  };
  let prepares = 0;
  cluster.network.tap = (_, bytes) => {
    const type = typeOf(bytes);
    if (type === "prepare") prepares++;
    if (type !== "accept") return;
    const { senderId, body } = decode(bytes);
    const { instance } = body as Accept;
    const seen = accepts[senderId].get(instance);
    const now = contents(body as Accept);
    // One ballot, one value for each instance, however often it is sent.
    if (seen !== undefined) assert.equal(now, seen, `instance ${instance}`);
    accepts[senderId].set(instance, now);
  };
  cluster.must(
    "a leader, and the client's session",
    2_000_000,
    () =>
      first.gauge(Gauge.proposerState) === LEADING &&
      clients.every((it) => it.gauge(Gauge.sessionsPending) === 0),
  );
  accepts[1].clear();
  for (const client of clients) client.values = values / clientCount;
  cluster.must(
    "they submit",
    100_000,
    () => clients.every(({ submitted }) => submitted > 0),
  );
  const acknowledged = () =>
    clients.reduce((sum, it) => sum + it.acknowledged.size, 0);
  return { cluster, first, acknowledged, accepts, prepares: () => prepares };
}

Deno.test("a new leader keeps what may be chosen and fills holes with no-ops", () => {
  let noops = 0;
  let kept = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const { cluster, first, acknowledged, accepts } = makeTakeover(
      seed,
      32,
      120,
    );
    // Most frames are lost while the leader has many proposals under way; then it dies.
    cluster.faults.loss = cluster.random.between(30, 80) / 100;
    cluster.run(cluster.random.between(1000, 60_000));
    first.kill();
    cluster.run(100_000);
    cluster.faults.loss = cluster.random.between(0, 20) / 100;
    const second = cluster.add({ roles: Role.proposer, id: 2, leader: 2 });
    cluster.finish(30_000_000);
    assert.equal(acknowledged(), 120);
    assert.equal(second.noted(Event.leading).length, 1);
    for (const [instance, value] of accepts[2]) {
      if (value === "") noops++;
      else if (accepts[1].get(instance) === value) kept++;
    }
  }
  assert(noops > 30, `${noops} no-ops: no holes were made`);
  assert(kept > 30, `${kept} values were proposed again`);
});

for (const loss of [0, 0.2]) {
  Deno.test(`phase 1 brings up hundreds of accepted instances in pages, at ${loss} loss`, () => {
    const instances = 600;
    // One client alone would wait for answers before it sends so much.
    const { cluster, first, acknowledged, accepts, prepares } = makeTakeover(
      7,
      instances,
      instances,
      12,
    );
    // The leader's 2A arrive, but it hears no vote, and nor do client and learner.
    cluster.faults.partition = (from) => from.options.roles === Role.acceptor;
    cluster.run(1_000_000, () => accepts[1].size === instances);
    assert.equal(accepts[1].size, instances);
    cluster.run(500_000);
    assert.equal(acknowledged(), 0);
    first.kill();
    cluster.faults.partition = () => false;
    cluster.faults.loss = loss;
    const before = prepares();
    const second = cluster.add({ roles: Role.proposer, id: 2, leader: 2 });
    cluster.must(
      "a new leader",
      10_000_000,
      () => second.gauge(Gauge.proposerState) === LEADING,
    );
    // 16 pages to a prepare, one instance to a page, from a majority at least.
    assert(prepares() - before > 2 * instances / 16);
    cluster.finish(30_000_000);
    assert.deepEqual(
      [...accepts[2]].filter(([, value]) => value !== "").slice(0, instances),
      [...accepts[1]].sort(([a], [b]) => Number(a - b)),
    );
  });
}

const accepts = (frames: Uint8Array[]) =>
  frames.filter((frame) => typeOf(frame) === "accept").map((frame) =>
    decode(frame).body as Accept
  );

Deno.test("a proposer leads after a majority of promises, not after one that comes twice", () => {
  const { rig, ballot } = preparing();
  rig.feed(promise(2, ballot), promise(2, ballot), promise(2, ballot));
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  rig.feed(promise(3, ballot + (1n << 16n)));
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  rig.feed(promise(3, ballot));
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
});

Deno.test("a promise to an earlier incarnation, which had the same ballot, does not count", () => {
  const { rig, ballot } = preparing();
  const old = { incarnation: rig.options.incarnation - 1 };
  rig.feed(promise(2, ballot, [], old), promise(3, ballot, [], old));
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  rig.feed(promise(2, ballot), promise(3, ballot));
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
});

Deno.test("the value of the highest ballot is proposed again, whoever reports it and in whatever order", () => {
  const low = {
    instance: 2n,
    ballot: ballotOf(3, 2),
    decided: false,
    batch: [run(5n, 1, "low")],
  };
  const high = {
    ...low,
    ballot: ballotOf(3, 3),
    batch: [run(6n, 1, "high")],
  };
  for (const [first, second] of [[low, high], [high, low]]) {
    const { rig, ballot } = preparing();
    rig.feed(promise(2, ballot, [first]));
    const sent = accepts(rig.feed(promise(3, ballot, [second])));
    assert.deepEqual(
      sent.map((body) => [body.instance, contents(body)]),
      [[1n, ""], [2n, contents({ ...sent[0], batch: high.batch })]],
    );
  }
});

Deno.test("a page whose predecessor was lost counts for nothing until that comes", () => {
  const { rig, ballot } = preparing();
  const entry = (instance: bigint) => ({
    instance,
    ballot: ballotOf(1, 2),
    decided: false,
    batch: [run(5n, instance, "value")],
  });
  rig.feed(promise(3, ballot));
  rig.feed(promise(2, ballot, [entry(2n)], { start: 2n, end: 3n }));
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  rig.feed(
    promise(2, ballot, [entry(1n)], { end: 2n, last: false, pause: false }),
  );
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  const sent = accepts(
    rig.feed(promise(2, ballot, [entry(2n)], { start: 2n, end: 3n })),
  );
  assert.deepEqual(sent.map(({ instance }) => instance), [1n, 2n]);
});

Deno.test("a leader steps down when its ballot, or one it did not know, is promised to another", () => {
  for (const [round, id] of [[9, 2], [1, 1]]) {
    const { rig, ballot } = preparing();
    rig.feed(promise(2, ballot), promise(3, ballot));
    assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
    const promised = ballotOf(round, id);
    rig.feed(encode({
      senderRole: "acceptor",
      senderId: 3,
      incarnation: 103,
      ballot: promised,
    }, { type: "reject", rejected: ballot, decided: 1n }));
    assert.equal(rig.core.gauge(Gauge.proposerState), 0);
    assert.deepEqual(
      rig.events().map(({ code, large }) => [code, large]),
      [[Event.preempted, promised]],
    );
    // It tries again in a higher ballot, after a while.
    const again: bigint[] = [];
    for (let n = 0; n < 300 && again.length === 0; n++) {
      for (const frame of rig.wait(10_000)) {
        if (typeOf(frame) === "prepare") again.push(decode(frame).ballot);
      }
    }
    assert(again.length > 0 && again[0] > promised && again[0] > ballot);
  }
});

Deno.test("a leader that hears that what it proposes is decided asks anew where to go on, and goes on", () => {
  const { rig, ballot } = preparing();
  const entry = {
    instance: 1n,
    ballot: ballotOf(1, 2),
    decided: false,
    batch: [run(5n, 1, "value")],
  };
  const sent = accepts(
    rig.feed(promise(2, ballot, [entry]), promise(3, ballot)),
  );
  assert.deepEqual(sent.map(({ instance }) => instance), [1n]);
  // Acceptor 3 has it no more: it is decided, delivered by all learners, and trimmed.
  const ok = (decided: bigint) =>
    encode(fromAcceptor(3, BigInt(rig.options.incarnation)), {
      type: "ok",
      decided,
      trimmed: decided,
      next: decided,
    });
  rig.feed(ok(1n));
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
  // No time passes.
  const asked = rig.feed(ok(6n)).filter((frame) => typeOf(frame) === "prepare");
  assert.equal(asked.length, 3);
  const again = decode(asked[0]);
  assert(again.ballot > ballot);
  assert.deepEqual(again.body, {
    type: "prepare",
    from: 6n,
    rejoining: 0,
    memory: 0,
  });
  const page = { start: 6n, end: 6n };
  rig.feed(
    promise(2, again.ballot, [], page),
    promise(3, again.ballot, [], page),
  );
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
  const [next] = accepts(rig.feed(
    encode({ senderRole: "client", senderId: 9, incarnation: 901 }, {
      type: "submit",
      batch: [run(5n, 2, "another")],
    }),
  ));
  assert.equal(next.instance, 6n);
  for (const id of [2, 3]) {
    rig.feed(encode(fromAcceptor(id, again.ballot), {
      type: "accepted",
      ranges: [{ first: 6n, end: 7n }],
    }));
  }
  assert.equal(rig.core.gauge(Gauge.decided), 7);
});

Deno.test("a promise of what no sound leader proposes is counted, and does not make a leader", () => {
  const { rig, ballot } = preparing();
  const entry = (instance: bigint) => ({
    instance,
    ballot: ballotOf(1, 2),
    decided: false,
    batch: [],
  });
  rig.feed(promise(2, ballot, [entry(2049n)]), promise(3, ballot));
  assert.equal(rig.core.counter(Counter.beyondWindow), 1);
  assert.equal(rig.core.gauge(Gauge.proposerState), PREPARING);
  rig.feed(promise(2, ballot, [entry(2048n)]));
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
});

Deno.test("a rejection of an older ballot of its own does not unseat a leader", () => {
  const { rig, ballot } = preparing();
  rig.feed(promise(2, ballot), promise(3, ballot));
  // What an acceptor answers to a 1A of an earlier campaign that was long under way.
  rig.feed(encode({
    senderRole: "acceptor",
    senderId: 3,
    incarnation: 103,
    ballot,
  }, { type: "reject", rejected: ballot - (1n << 16n), decided: 1n }));
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
});
