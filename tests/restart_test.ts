/** What restarts with empty hands must not do harm: proposers, and acceptors without stable storage. */
import assert from "node:assert/strict";
import { Counter, Event, Gauge, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";
import { decode, typeOf } from "../sim/decode.ts";

const LEADING = 2;

Deno.test("a proposer that restarts again and again never uses a ballot twice", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const cluster = new Cluster(seed);
    cluster.faults.loss = 0.1;
    cluster.faults.delay_us = { least: 20, most: 3000 };
    for (const id of [1, 2, 3]) cluster.add({ roles: Role.acceptor, id });
    cluster.add({ roles: Role.learner, id: 1 });
    const client = cluster.add({
      roles: Role.client,
      id: 1,
      values: 1_000_000,
      outstanding: 4,
    });
    // The incarnation that sent a 2A in a ballot.
    const owners = new Map<bigint, number>();
    cluster.network.tap = (_, bytes) => {
      if (typeOf(bytes) !== "accept") return;
      const { ballot, incarnation } = decode(bytes);
      assert.equal(owners.get(ballot) ?? incarnation, incarnation);
      owners.set(ballot, incarnation);
    };
    let proposer = cluster.add({ roles: Role.proposer, id: 1 });
    cluster.must(
      "a first leader",
      5_000_000,
      () => proposer.gauge(Gauge.proposerState) === LEADING,
    );
    for (let n = 0; n < 5; n++) {
      cluster.run(cluster.random.between(100_000, 600_000));
      proposer = cluster.restart(proposer);
    }
    client.values = client.submitted;
    cluster.finish(30_000_000);
    assert(owners.size >= 3, `${owners.size} ballots`);
  }
});

Deno.test("an acceptor that restarts without its memory is told, and its votes do not count before it may rejoin", () => {
  const cluster = new Cluster(3);
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  const learner = cluster.add({ roles: Role.learner, id: 1 });
  const client = cluster.add({ roles: Role.client, id: 1, values: 100 });
  cluster.finish(2_000_000);
  // Without the leader nobody lets it rejoin.
  proposer.kill();
  const again = cluster.restart(acceptors[1]);
  cluster.must(
    "it is told",
    100_000,
    () => again.noted(Event.recovering).length > 0,
  );
  assert.equal(learner.noted(Event.acceptorForgot)[0].small, 2);
  assert(learner.counter(Counter.forgottenVotes) > 0);
  // With it, a majority has forgotten or is gone.
  acceptors[2].kill();
  cluster.restart(proposer);
  client.values = 200;
  assert(!cluster.run(5_000_000, () => client.acknowledged.size > 100));
  assert.equal(again.counter(Counter.accepted), 0);
  cluster.checkSafety();
});

Deno.test("votes of an acceptor's second incarnation do not count at who knew the first", () => {
  const cluster = new Cluster(4);
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  cluster.add({ roles: Role.learner, id: 1 });
  const client = cluster.add({ roles: Role.client, id: 1, values: 100 });
  cluster.finish(2_000_000);
  // It is vouched for, wrongly, and nothing that could tell it reaches it but the leader's proposals.
  const again = cluster.restart(acceptors[1], { newCluster: true });
  cluster.faults.partition = (from, to) =>
    to === again.nic && from !== proposer.nic;
  acceptors[2].kill();
  cluster.network.tap = (from, bytes) => {
    if (from === proposer.nic && typeOf(bytes) === "forgot") bytes[14] = 0;
  };
  client.values = 200;
  assert(!cluster.run(5_000_000, () => client.acknowledged.size > 100));
  assert(again.counter(Counter.accepted) > 0, "it was to vote in this test");
  assert(proposer.counter(Counter.forgottenVotes) > 0);
  assert.equal(proposer.gauge(Gauge.proposerState), LEADING);
  cluster.checkSafety();
});

Deno.test("a replica that restarts catches up as a learner while the others go on", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const cluster = new Cluster(seed, { logBytes: 1 << 20 });
    cluster.faults.loss = 0.05;
    const replicas = cluster.addReplicas([1, 2, 3]);
    const client = cluster.add({
      roles: Role.client,
      id: 9,
      values: 400,
      outstanding: 4,
    });
    cluster.run(cluster.random.between(130_000, 300_000));
    const again = cluster.restart(replicas[cluster.random.between(1, 2)]);
    cluster.finish(30_000_000);
    assert.equal(client.acknowledged.size, 400);
    assert.equal(again.delivered.length, 400);
    assert.equal(again.noted(Event.recovering).length, 1);
  }
});

Deno.test("clients go on without an error when a replica that does not lead is killed", () => {
  const cluster = new Cluster(6);
  const replicas = cluster.addReplicas([1, 2, 3]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    values: 100_000,
    outstanding: 2,
  });
  cluster.must(
    "a start",
    2_000_000,
    () => client.acknowledged.size > 1000,
  );
  replicas[2].kill();
  for (let n = 0; n < 20; n++) {
    const before = client.acknowledged.size;
    cluster.run(10_000);
    assert(client.acknowledged.size > before, `stopped at ${before}`);
  }
  assert.equal(client.counter(Counter.retries), 0);
});
