/** Proposers that compete: two nodes that each hold themselves for the leader never break agreement. */
import assert from "node:assert/strict";
import { Counter, Event, Gauge, Role } from "../core/layout.ts";
import { Cluster, type TestNode } from "./cluster.ts";

const LEADING = 2;

/** Two proposers that both want to lead, three acceptors, two learners, and a client for each proposer. */
function makeDuel(seed: number) {
  const cluster = new Cluster(seed, { logBytes: 1 << 18 });
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposers = [1, 2].map((id) =>
    cluster.add({ roles: Role.proposer, id, leader: id })
  );
  const learners = [1, 2].map((id) => cluster.add({ roles: Role.learner, id }));
  const clients = [1, 2].map((id) =>
    cluster.add({
      roles: Role.client,
      id,
      firstClient: BigInt(id * 1000),
      outstanding: 2,
      values: 100_000,
      proposer: id,
    })
  );
  return { cluster, acceptors, proposers, learners, clients };
}

/** Cuts the proposers off from each other and from some of the acceptors, anew at every call. */
function drawPartition(cluster: Cluster, proposers: readonly TestNode[]): void {
  const { random, faults } = cluster;
  const cuts = new Set<string>();
  for (const proposer of proposers) {
    for (const other of cluster.nodes) {
      if (random.chance(0.4)) cuts.add(`${proposer.name} ${other.name}`);
    }
  }
  const names = new Map(cluster.nodes.map((node) => [node.nic, node.name]));
  faults.partition = (from, to) =>
    cuts.has(`${names.get(from)} ${names.get(to)}`) ||
    cuts.has(`${names.get(to)} ${names.get(from)}`);
}

Deno.test("duelling proposers under loss and partitions keep agreement, and one that is left alone goes on", () => {
  let elections = 0;
  let preemptions = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const { cluster, proposers, clients } = makeDuel(seed);
    cluster.faults.loss = cluster.random.between(0, 20) / 100;
    cluster.faults.duplication = cluster.random.between(0, 20) / 100;
    cluster.faults.delay_us = {
      least: 10,
      most: cluster.random.between(20, 2000),
    };
    for (let round = 0; round < 8; round++) {
      drawPartition(cluster, proposers);
      cluster.run(cluster.random.between(200_000, 1_500_000));
      cluster.checkSafety();
    }
    for (const proposer of proposers) {
      elections += proposer.noted(Event.leading).length;
      preemptions += proposer.noted(Event.preempted).length;
    }
    // One stops; the other has the field to itself.
    proposers[1].kill();
    clients[1].kill();
    cluster.faults.partition = () => false;
    clients[0].values = clients[0].submitted + 50;
    cluster.finish(30_000_000);
  }
  assert(elections > 300, `${elections} elections: that was no duel`);
  assert(preemptions > 150, `${preemptions} preemptions: that was no duel`);
});

Deno.test("a leader that hears of a higher ballot steps down, and the client follows the new one", () => {
  const { cluster, proposers, clients } = makeDuel(77);
  clients[1].kill();
  clients[0].kill();
  const client = cluster.add({
    roles: Role.client,
    id: 5,
    firstClient: 50n,
    values: 100_000,
    outstanding: 4,
  });
  // Neither hears the other's heartbeats, so the second takes over from the first.
  cluster.faults.partition = (from, to) =>
    proposers.every((node) => node.nic === from || node.nic === to);
  cluster.must(
    "both led",
    5_000_000,
    () => proposers.every((node) => node.noted(Event.leading).length > 0),
  );
  cluster.faults.partition = () => false;
  cluster.must(
    "one leads, the other does not",
    10_000_000,
    () =>
      proposers.filter((node) => node.gauge(Gauge.proposerState) === LEADING)
        .length === 1,
  );
  const before = client.acknowledged.size;
  cluster.must(
    "the client goes on",
    5_000_000,
    () => client.acknowledged.size > before + 100,
  );
  const highest = Math.max(
    ...proposers.map((node) => node.gauge(Gauge.leaderBallot)),
  );
  assert.equal(client.gauge(Gauge.leaderBallot), highest);
  cluster.checkSafety();
  cluster.checkFrames();
});

Deno.test("the same value submitted through two proposers is delivered once", () => {
  const { cluster, proposers, learners, clients } = makeDuel(5);
  clients.forEach((client) => client.kill());
  // Two processes under one client number: each submits the same 200 values.
  const twin = (id: number) =>
    cluster.add({
      roles: Role.client,
      id: 10 + id,
      firstClient: 7n,
      values: 200,
      outstanding: 3,
      proposer: id,
    });
  // The second proposer is not there for the first round, and knows nothing of its values.
  proposers[1].frozen = true;
  const first = twin(1);
  cluster.must(
    "the first is answered",
    5_000_000,
    () => first.acknowledged.size === 200,
  );
  proposers[0].kill();
  proposers[1].frozen = false;
  const second = twin(2);
  cluster.must(
    "the second is answered",
    5_000_000,
    () => second.acknowledged.size === 200,
  );
  cluster.run(1_000_000);
  cluster.checkSafety();
  for (const learner of learners) {
    assert.equal(learner.delivered.length, 200);
    assert(learner.counter(Counter.duplicateValues) > 150);
  }
});
