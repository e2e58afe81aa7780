/**
 * Confirmation: an acceptor without stable storage does not vote before every other one has said
 * that it knows no earlier incarnation of it.
 */
import assert from "node:assert/strict";
import { Counter, Event, Gauge, Role } from "../core/layout.ts";
import { Cluster, type NodeSpec, type TestNode } from "./cluster.ts";
import { decode, typeOf } from "../sim/decode.ts";
import { ballotOf, encode } from "./encode.ts";
import { fromAcceptor } from "./leader.ts";
import { Rig } from "./rig.ts";

const LISTEN_US = 100_000;

function makeAcceptor(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  return new Rig({
    roles: Role.acceptor,
    id: 2,
    newCluster: false,
    ...options,
  });
}

/** The answer of acceptor `id` to the hi of this incarnation. */
const ok = (id: number, incarnation: number) =>
  encode(fromAcceptor(id, BigInt(incarnation)), {
    type: "ok",
    decided: 1n,
    trimmed: 1n,
    next: 1n,
  });

const PREPARE = encode({
  senderRole: "proposer",
  senderId: 1,
  incarnation: 201,
  ballot: ballotOf(1, 1),
}, { type: "prepare", from: 1n });

/** Whether the acceptor promises now. */
const votes = (rig: Rig) =>
  rig.feed(PREPARE).some((frame) => typeOf(frame) === "promise");

const ofType = (frames: Uint8Array<ArrayBuffer>[], type: string) =>
  frames.filter((frame) => typeOf(frame) === type);

const muted = (node: TestNode) => node.noted(Event.recovering).length > 0;

const confirmed = (node: TestNode) => node.noted(Event.confirmed).length > 0;

Deno.test("an acceptor does not vote before all others have confirmed it, and says whom it misses", () => {
  const rig = makeAcceptor();
  const { incarnation } = rig.options;
  rig.feed(ok(1, incarnation));
  rig.wait(LISTEN_US);
  assert(!votes(rig));
  rig.wait(1_900_000);
  // Acceptors are bits in the order of the configuration: here, 4 is acceptor 3.
  assert.deepEqual(
    rig.events().map(({ code, large }) => [code, large]),
    [[Event.unconfirmed, 4n]],
  );
  rig.feed(ok(1, incarnation));
  assert(!votes(rig), "one that answers twice counts once");
  rig.feed(ok(3, incarnation));
  assert.deepEqual(rig.events().map(({ code }) => code), [Event.confirmed]);
  assert(votes(rig));
  rig.wait(10_000_000);
  assert.deepEqual(rig.events(), []);
});

Deno.test("to be confirmed does not shorten the time that an acceptor listens", () => {
  const rig = makeAcceptor();
  rig.feed(ok(1, rig.options.incarnation), ok(3, rig.options.incarnation));
  rig.wait(LISTEN_US - 1);
  assert(!votes(rig));
  rig.wait(1);
  assert(votes(rig));
});

Deno.test("an ok to an earlier incarnation does not confirm the present one", () => {
  const acceptors = [1, 2];
  const [first, second] = [0xaaaa, 0xbbbb].map((incarnation) =>
    makeAcceptor({ acceptors, incarnation })
  );
  const other = makeAcceptor({ acceptors, id: 1, incarnation: 0xcccc });
  const answer = ofType(other.feed(...first.feed()), "ok");
  assert.deepEqual(
    answer.map((frame) => [decode(frame).ballot, decode(frame).receiverId]),
    [[0xaaaan, 2]],
  );
  for (const [rig, confirms] of [[second, false], [first, true]] as const) {
    rig.wait(LISTEN_US);
    rig.feed(...answer);
    assert.equal(votes(rig), confirms);
  }
  assert.equal(second.core.counter(Counter.badReceiver), 0);
});

Deno.test("an ok that is not an acceptor's confirms nobody", () => {
  const rig = makeAcceptor({ acceptors: [1, 2], proposers: [1] });
  rig.wait(LISTEN_US);
  rig.feed(encode({
    ...fromAcceptor(1, BigInt(rig.options.incarnation)),
    senderRole: "proposer",
  }, { type: "ok", decided: 1n, trimmed: 0n, next: 1n }));
  assert(!votes(rig));
  rig.feed(ok(1, rig.options.incarnation));
  assert(votes(rig));
});

Deno.test("an acceptor that learned of its earlier incarnation confirms nobody", () => {
  const rig = makeAcceptor();
  const hi = (id: number) =>
    encode(fromAcceptor(id), { type: "hi", delivered: 1n, state: "asks" });
  const [answer] = ofType(rig.feed(hi(1)), "ok");
  assert.equal(decode(answer).ballot, 101n);
  rig.feed(
    encode({ senderRole: "learner", senderId: 9, incarnation: 909 }, {
      type: "forgot",
      known: 1,
      refused: rig.options.incarnation,
    }),
  );
  assert.equal(rig.events()[0].code, Event.recovering);
  assert.deepEqual(ofType(rig.feed(hi(1), hi(3)), "ok"), []);
  // What it remembers it says all the same.
  const other = encode({ ...fromAcceptor(1), incarnation: 0xdddd }, {
    type: "hi",
    delivered: 1n,
  });
  assert.equal(ofType(rig.feed(other), "forgot").length, 1);
});

Deno.test("an acceptor of a cluster that is vouched to be new votes when it has listened", () => {
  const rig = makeAcceptor({ newCluster: true });
  rig.wait(LISTEN_US - 1);
  assert(!votes(rig));
  rig.wait(1);
  assert(votes(rig));
});

Deno.test("fresh acceptors confirm one another whatever is lost, and vote", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const cluster = new Cluster(seed);
    cluster.faults.loss = 0.3;
    cluster.faults.duplication = 0.1;
    cluster.faults.delay_us = { least: 20, most: 3000 };
    const acceptors = [1, 2, 3].map((id) => {
      cluster.run(cluster.random.between(0, 50_000));
      return cluster.add({ roles: Role.acceptor, id });
    });
    cluster.add({ roles: Role.proposer, id: 1 });
    cluster.add({ roles: Role.learner, id: 1 });
    cluster.add({ roles: Role.client, id: 1, values: 20 });
    cluster.finish(20_000_000);
    cluster.must("all vote", 5_000_000, () => acceptors.every(confirmed));
    assert(!acceptors.some(muted));
  }
});

Deno.test("a cluster starts when its last acceptor does", () => {
  const cluster = new Cluster(2);
  const [first, second] = [1, 2].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  cluster.add({ roles: Role.learner, id: 1 });
  cluster.add({ roles: Role.client, id: 1, values: 20 });
  assert(!cluster.run(5_000_000, () => confirmed(first) || confirmed(second)));
  assert.equal(proposer.noted(Event.leading).length, 0);
  for (const node of [first, second]) {
    assert.deepEqual(
      node.noted(Event.unconfirmed).map(({ large }) => large),
      [4n, 4n],
    );
  }
  cluster.add({ roles: Role.acceptor, id: 3 });
  cluster.finish(10_000_000);
});

/**
 * Acceptors 1 and 2 decide a value while acceptor 3 hears nobody. Then 2 restarts, and it, 3, a new
 * proposer, learner and client see only one another, for long.
 *
 * @param vouched Whether somebody vouches, wrongly, for the restarted acceptor.
 */
function runAmnesia(vouched: boolean) {
  const cluster = new Cluster(1, { proposers: [1, 2] });
  const island = new Set<TestNode["nic"]>();
  cluster.faults.partition = (from, to) => island.has(from) !== island.has(to);
  const [, second, third] = [1, 2, 3].map((id) => {
    const node = cluster.add({ roles: Role.acceptor, id, newCluster: true });
    if (id === 3) island.add(node.nic);
    return node;
  });
  const proposer = (id: number) =>
    cluster.add({ roles: Role.proposer, id, leader: id });
  const learner = (id: number) => cluster.add({ roles: Role.learner, id });
  const client = (id: number) =>
    cluster.add({
      roles: Role.client,
      id,
      firstClient: BigInt(id * 1000),
      values: 1,
    });
  proposer(1);
  const before = learner(1);
  client(1);
  cluster.must("a value", 2_000_000, () => before.delivered.length === 1);
  second.kill();
  // What is under way from it arrives or not; it is not what this is about.
  cluster.run(100_000);
  const again = cluster.restart(second, { newCluster: vouched });
  island.add(again.nic);
  for (const make of [proposer, client]) island.add(make(2).nic);
  const after = learner(2);
  island.add(after.nic);
  cluster.run(10_000_000);
  return { cluster, before, after, again, third, island };
}

Deno.test("an acceptor that forgot, and meets only who never heard of it, does not vote", () => {
  const { cluster, before, after, again, third, island } = runAmnesia(false);
  assert.equal(before.delivered.length, 1);
  assert.equal(after.delivered.length, 0);
  assert.equal(again.counter(Counter.accepted), 0);
  assert(third.gauge(Gauge.promised) > 0, "the other one votes");
  // It waits for 1, who would know it, and says so.
  assert(!muted(again));
  assert(again.noted(Event.unconfirmed).every(({ large }) => large === 1n));
  assert(again.noted(Event.unconfirmed).length > 3);
  // When that one is back, it is told, and the cluster goes on with the two that remember.
  island.clear();
  cluster.must("it is told", 1_000_000, () => muted(again));
  cluster.finish(20_000_000);
  assert.deepEqual(after.delivered, before.delivered);
  assert.equal(after.delivered.length, 2);
  assert.equal(again.counter(Counter.accepted), 0);
});

Deno.test("to vouch for an acceptor that forgot is to lose what was decided", () => {
  // This shows that the test above could fail, and what the confirmation is for.
  const { cluster, before, after } = runAmnesia(true);
  const [first] = before.delivered;
  const [second] = after.delivered;
  assert.equal(first.instance, second.instance);
  assert.notEqual(first.text, second.text);
  assert.throws(() => cluster.checkSafety(), /another learner|not 1000\/1/);
});

Deno.test("acceptors that restart in turn leave a cluster that decides nothing more", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const cluster = new Cluster(seed);
    cluster.faults.loss = cluster.random.between(0, 20) / 100;
    const acceptors = [1, 2, 3].map((id) =>
      cluster.add({ roles: Role.acceptor, id })
    );
    const learner = cluster.add({ roles: Role.learner, id: 1 });
    cluster.add({ roles: Role.proposer, id: 1 });
    const client = cluster.add({ roles: Role.client, id: 1, values: 50 });
    cluster.finish(20_000_000);
    const again = acceptors.map((node) => {
      const next = cluster.restart(node);
      cluster.must("it is told", 5_000_000, () => muted(next));
      return next;
    });
    // Neither those who were there all the time nor new ones bring it to life.
    client.values = 100;
    const late = cluster.add({ roles: Role.learner, id: 2 });
    cluster.restart(cluster.living(Role.proposer)[0]);
    cluster.run(10_000_000);
    assert.equal(learner.delivered.length, 50);
    assert.equal(late.delivered.length, 0);
    assert.equal(client.acknowledged.size, 50);
    for (const node of again) {
      assert(muted(node) && !confirmed(node));
      assert.equal(node.counter(Counter.accepted), 0);
    }
    cluster.checkSafety();
  }
});

Deno.test("an acceptor that has no others votes when it has listened", () => {
  const alone: Partial<NodeSpec> = { acceptors: [1], proposers: [1] };
  const cluster = new Cluster(1, alone);
  const acceptor = cluster.add({ roles: Role.acceptor, id: 1 });
  const learner = cluster.add({ roles: Role.learner, id: 1 });
  cluster.add({ roles: Role.proposer, id: 1 });
  const client = cluster.add({ roles: Role.client, id: 1, values: 20 });
  cluster.finish(2_000_000);
  assert.deepEqual(acceptor.noted(Event.unconfirmed), []);
  // When it restarts there is no other acceptor to ask, but the learner knows it.
  const again = cluster.restart(acceptor);
  cluster.must("it is told", LISTEN_US, () => muted(again));
  client.values = 40;
  cluster.run(5_000_000);
  assert.equal(learner.delivered.length, 20);
  assert.equal(again.counter(Counter.accepted), 0);
});

Deno.test("as long as one acceptor remembers, others that restart under partitions never break agreement", () => {
  let silenced = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const cluster = new Cluster(seed, {
      proposers: [1, 2],
      logBytes: 1 << 18,
    });
    const { random } = cluster;
    cluster.faults.loss = random.between(0, 20) / 100;
    cluster.faults.delay_us = { least: 20, most: random.between(20, 2000) };
    const add = (roles: number, id: number, spec: Partial<NodeSpec> = {}) =>
      cluster.add({ ...spec, roles, id });
    const first = add(Role.acceptor, 1);
    const others = [2, 3].map((id) => add(Role.acceptor, id));
    for (const id of [1, 2]) {
      add(Role.proposer, id, { leader: id });
      add(Role.learner, id);
      add(Role.client, id, {
        firstClient: BigInt(id * 1000),
        proposer: id,
        values: 100_000,
        outstanding: 2,
      });
    }
    cluster.run(random.between(0, 600_000));
    for (let round = 0; round < 6; round++) {
      // Two halves, the one who remembers in either; anew each time.
      const half = new Set(
        cluster.nodes.filter(() => random.chance(0.5)).map(({ nic }) => nic),
      );
      cluster.faults.partition = (from, to) => half.has(from) !== half.has(to);
      const place = random.between(0, 1);
      if (random.chance(0.6)) {
        others[place] = cluster.restart(others[place]);
        // New learners know nobody from before.
        if (random.chance(0.5)) add(Role.learner, 10 + round);
      }
      cluster.run(random.between(100_000, 1_500_000));
      cluster.checkSafety();
    }
    cluster.faults.partition = () => false;
    cluster.run(3_000_000);
    cluster.checkSafety();
    cluster.checkFrames();
    assert(!muted(first));
    silenced += others.filter(muted).length;
  }
  assert(silenced > 30, `${silenced} were told of an earlier incarnation`);
});
