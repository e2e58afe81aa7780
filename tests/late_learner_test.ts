/** A learner that comes late, after everybody restarted and leaders changed, while one acceptor is down. */
import assert from "node:assert/strict";
import { Event, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

function late(isReplaced: boolean): void {
  const cluster = new Cluster(5, {
    persistent: true,
    electionTimeout_us: 200_000,
  });
  let [one, two, three] = cluster.addReplicas([1, 2, 3], {
    persistent: true,
    electionTimeout_us: 200_000,
    heartbeat_us: 20_000,
  });
  const client = (id: number, values: number) =>
    cluster.add({
      roles: Role.client,
      id,
      firstClient: BigInt(1000 * id),
      values,
      outstanding: 8,
      persistent: false,
      acceptors: [1, 2, 3],
      proposers: [1, 2, 3],
    });
  const done = (what: string, node: ReturnType<typeof client>) =>
    cluster.must(what, 30_000_000, () => node.unanswered === 0);
  done("first", client(11, 50));
  // The third misses some.
  three.kill();
  done("second", client(12, 100));
  three = cluster.restart(three);
  done("third", client(13, 50));
  // Leaders change, and everybody restarts.
  for (let n = 0; n < 2; n++) {
    one.kill();
    done("without 1", client(20 + n, 100));
    one = cluster.restart(one);
    cluster.run(1_000_000);
    two.kill();
    done("without 2", client(30 + n, 100));
    two = cluster.restart(two);
    cluster.run(1_000_000);
    three.kill();
    done("without 3", client(40 + n, 100));
    three = cluster.restart(three);
    cluster.run(1_000_000);
  }
  done("last", client(50, 20));
  one.kill();
  if (isReplaced) {
    one = cluster.add({ ...one.spec, newCluster: false }, one.place);
    cluster.run(5_000_000);
  }
  const learner = cluster.add({
    roles: Role.learner,
    id: 99,
    from: 1n,
    persistent: false,
    acceptors: [1, 2, 3],
    proposers: [1, 2, 3],
  });
  const total = 50 + 100 + 50 + 600 + 20;
  cluster.run(30_000_000, () => learner.delivered.length >= total);
  const events = learner.events.map(({ code }) => Event[code]);
  assert.ok(
    learner.delivered.length === total,
    `delivered ${learner.delivered.length} of ${total}: ${events}`,
  );
}

Deno.test("a late learner gets what one acceptor missed while another is down, though all restarted since", () =>
  late(false));

Deno.test("a late learner gets what one acceptor missed after another one's disk was replaced, though all restarted since", () =>
  late(true));
