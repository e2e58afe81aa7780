/** Values are decided, answered and delivered in every topology when nothing goes wrong. */
import assert from "node:assert/strict";
import { Counter, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

for (const count of [1, 3, 5]) {
  Deno.test(`${count} replicas decide and deliver every value`, () => {
    const cluster = new Cluster(count);
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    cluster.addReplicas(ids);
    cluster.add({
      roles: Role.client,
      id: 9,
      acceptors: ids,
      proposers: ids,
      values: 500,
    });
    cluster.finish(2_000_000);
    for (const replica of cluster.living(Role.learner)) {
      assert.equal(replica.delivered.length, 500);
    }
  });
}

Deno.test("separate proposers, acceptors, learners and clients decide and deliver every value", () => {
  const cluster = new Cluster(4);
  for (const id of [1, 2, 3]) {
    cluster.add({ roles: Role.acceptor, id });
    cluster.add({ roles: Role.proposer, id });
  }
  for (const id of [1, 2]) {
    cluster.add({ roles: Role.learner, id });
    cluster.add({
      roles: Role.client,
      id,
      firstClient: BigInt(id * 1000),
      clients: 7,
      outstanding: 5,
      values: 60,
    });
  }
  cluster.finish(2_000_000);
  for (const learner of cluster.living(Role.learner)) {
    assert.equal(learner.delivered.length, 2 * 7 * 60);
  }
});

Deno.test("a minority of acceptors that is dead does not matter, a majority does", () => {
  // Two of them stop before they have confirmed anybody.
  const cluster = new Cluster(5, { newCluster: true });
  const replicas = cluster.addReplicas([1, 2, 3, 4, 5]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    acceptors: [1, 2, 3, 4, 5],
    proposers: [1, 2, 3, 4, 5],
    values: 200,
  });
  replicas[3].kill();
  replicas[4].kill();
  cluster.finish(2_000_000);
  replicas[2].kill();
  client.values = 300;
  assert(!cluster.run(3_000_000, () => client.acknowledged.size > 200));
  cluster.checkSafety();
});

Deno.test("a long run with more values than the leader's queue holds ends, in the memory it began with", () => {
  const cluster = new Cluster(6, { mtu: 1500, logBytes: 8 << 20 });
  const replicas = cluster.addReplicas([1, 2, 3]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    outstanding: 64,
    values: 8000,
    padBytes: 1300,
  });
  cluster.run(200_000);
  const before = cluster.nodes.map((node) =>
    node.core.area.memory.buffer.byteLength
  );
  cluster.finish(10_000_000);
  assert.equal(client.acknowledged.size, 8000);
  assert.deepEqual(
    cluster.nodes.map((node) => node.core.area.memory.buffer.byteLength),
    before,
  );
  // 8000 values of 1300 bytes are twice the 4 MiB ring of pending values, and ten times the log.
  for (const replica of replicas) {
    assert.equal(replica.counter(Counter.logFull), 0);
  }
});
