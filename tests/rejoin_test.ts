/** Acceptors that lost their memory rejoin, and what they forgot cannot break agreement. */
import assert from "node:assert/strict";
import { Event, Gauge, Role } from "../core/layout.ts";
import { decode } from "../sim/decode.ts";
import { Cluster } from "./cluster.ts";
import { addSeparate, isBack } from "./separate.ts";

const LEADING = 2;

Deno.test("an acceptor that restarts without its memory rejoins under load, and then makes a majority", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = new Cluster(seed);
    cluster.faults.loss = seed % 4 / 20;
    cluster.faults.delay_us = { least: 20, most: 500 };
    const { acceptors, client } = addSeparate(cluster);
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
  const { acceptors, proposer, client } = addSeparate(cluster);
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

/** Three acceptors, a proposer, a learner and a client that has had values answered. */
function apart(seed: number) {
  const options = { proposers: [10], leader: 10 };
  const election = { electionTimeout_us: 100_000, heartbeat_us: 25_000 };
  const cluster = new Cluster(seed, { ...options, ...election });
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 10 });
  const learner = cluster.add({ roles: Role.learner, id: 20 });
  const pace_us = 1000;
  const client = cluster.add({
    roles: Role.client,
    id: 30,
    values: 1e6,
    pace_us,
  });
  cluster.must("a start", 5e6, () => client.acknowledged.size > 50);
  return { cluster, acceptors, proposer, learner, client };
}

Deno.test("an acceptor that rejoined does not vouch for others, whom it may have forgotten", () => {
  const { cluster, acceptors, proposer, learner, client } = apart(1);
  // It rejoins, and hears nothing of the other acceptors.
  cluster.faults.partition = (from, to) =>
    from.options.roles === Role.acceptor && to.options.id === 1;
  const first = cluster.restart(acceptors[0]);
  cluster.must("it votes", 5e6, () => first.noted(Event.rejoined).length > 0);
  // Nobody but it keeps its memory.
  for (const node of [...acceptors.slice(1), proposer, learner, client]) {
    node.kill();
  }
  cluster.faults.partition = () => false;
  const others = acceptors.slice(1).map((it) => cluster.restart(it));
  const again = cluster.restart(proposer);
  cluster.run(5_000_000);
  assert.deepEqual(others.map((it) => it.noted(Event.recovering).length), [
    1,
    1,
  ]);
  assert.notEqual(again.gauge(Gauge.proposerState), LEADING);
});

Deno.test("an old frame of a memory that is dead shuts nobody out", () => {
  const { cluster, acceptors, proposer, client } = apart(2);
  let old: Uint8Array | undefined;
  cluster.network.tap = (_, bytes) => {
    const { senderId, body } = decode(bytes);
    if (senderId !== 3 || body.type !== "hi") return;
    if (body.state === "recovers") old ??= bytes.slice();
  };
  const lost = cluster.restart(acceptors[2]);
  cluster.must("a memory recovers", 5e6, () => old !== undefined);
  const third = cluster.restart(lost);
  cluster.must(
    "the next one votes",
    5e6,
    () => third.noted(Event.rejoined).length > 0,
  );
  third.frozen = true;
  cluster.run(500_000);
  const campaigns = proposer.noted(Event.preparing).length;
  const due_us = cluster.now_us + 10;
  proposer.nic.enqueue({ due_us, bytes: old!, frame: 0 });
  cluster.run(100_000);
  third.frozen = false;
  cluster.run(100_000);
  assert.equal(proposer.noted(Event.preparing).length, campaigns);
  acceptors[1].kill();
  const before = client.acknowledged.size;
  cluster.must(
    "progress with it",
    5e6,
    () => client.acknowledged.size > before + 50,
  );
});

Deno.test("an acceptor whose card never holds a whole answer fetches all that it had forgotten", () => {
  const { cluster, acceptors, client } = apart(4);
  cluster.must("enough for a range", 5e6, () => client.acknowledged.size > 200);
  const again = cluster.restart(acceptors[1], { queueFrames: 16 });
  cluster.must(
    "it has fetched",
    5e6,
    () => again.noted(Event.refilled).length > 0,
  );
});
