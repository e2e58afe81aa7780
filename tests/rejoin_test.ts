/** Acceptors that lost their memory rejoin, and what they forgot cannot break agreement. */
import assert from "node:assert/strict";
import { Event, Gauge, Role } from "../core/layout.ts";
import { Cluster, type TestNode } from "./cluster.ts";

const LEADING = 2;

const isBack = (node: TestNode) =>
  node.noted(Event.rejoined).length > 0 &&
  node.noted(Event.refilled).length > 0;

Deno.test("an acceptor that restarts without its memory rejoins under load, and then makes a majority", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = new Cluster(seed);
    cluster.faults.loss = seed % 4 / 20;
    cluster.faults.delay_us = { least: 20, most: 500 };
    const acceptors = [1, 2, 3].map((id) =>
      cluster.add({ roles: Role.acceptor, id })
    );
    cluster.add({ roles: Role.proposer, id: 1 });
    cluster.add({ roles: Role.learner, id: 1 });
    const client = cluster.add({ roles: Role.client, id: 1, values: 1e6 });
    cluster.must("a start", 5e6, () => client.acknowledged.size > 200);
    const again = cluster.restart(acceptors[1]);
    cluster.must("it is back", 5e6, () => isBack(again));
    acceptors[2].kill();
    const before = client.acknowledged.size;
    cluster.must(
      "it votes",
      10e6,
      () => client.acknowledged.size > before + 500,
    );
    client.values = client.submitted;
    cluster.finish(30_000_000);
  }
});

Deno.test("a cluster whose majority lost its memory decides nothing any more", () => {
  const cluster = new Cluster(2);
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  cluster.add({ roles: Role.learner, id: 1 });
  const client = cluster.add({ roles: Role.client, id: 1, values: 1e6 });
  cluster.must("a start", 5e6, () => client.acknowledged.size > 200);
  const again = [0, 1].map((i) => acceptors[i]).map((it) =>
    cluster.restart(it)
  );
  cluster.run(100_000);
  const before = client.acknowledged.size;
  cluster.run(20_000_000);
  assert.equal(client.acknowledged.size, before);
  assert(!again.some(isBack));
  assert.notEqual(proposer.gauge(Gauge.proposerState), LEADING);
  assert(proposer.noted(Event.unpromised).length > 0);
});
