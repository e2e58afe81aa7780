/** Loss, duplication and reordering: every seed draws its own faults, and everything still ends well. */
import { Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

const SEEDS = 200;
/** Longest that a cluster may take, in virtual time. */
const LIMIT_US = 60_000_000;

/** Draws faults that hurt: up to a third of the frames lost, some twice, delays that let them overtake. */
function drawFaults({ faults, random }: Cluster): void {
  faults.loss = random.between(0, 33) / 100;
  faults.duplication = random.between(0, 30) / 100;
  const least = random.between(1, 200);
  faults.delay_us = { least, most: least + random.between(0, 3000) };
}

Deno.test(`three replicas, two learners and a client come through the faults of ${SEEDS} seeds`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const cluster = new Cluster(seed, { logBytes: 1 << 18 });
    drawFaults(cluster);
    cluster.addReplicas([1, 2, 3]);
    cluster.add({ roles: Role.learner, id: 4 });
    cluster.add({
      roles: Role.client,
      id: 9,
      clients: cluster.random.between(1, 5),
      outstanding: cluster.random.between(1, 32),
      values: 60,
      padBytes: cluster.random.between(0, 200),
    });
    cluster.finish(LIMIT_US);
  }
});

Deno.test(`separate roles come through the faults of ${SEEDS} seeds`, () => {
  for (let seed = 1001; seed <= 1000 + SEEDS; seed++) {
    const cluster = new Cluster(seed, { logBytes: 1 << 18, leader: 2 });
    drawFaults(cluster);
    for (const id of [1, 2, 3]) cluster.add({ roles: Role.acceptor, id });
    for (const id of [1, 2]) cluster.add({ roles: Role.proposer, id });
    for (const id of [1, 2]) cluster.add({ roles: Role.learner, id });
    for (const id of [1, 2]) {
      cluster.add({
        roles: Role.client,
        id,
        firstClient: BigInt(id * 1000),
        outstanding: cluster.random.between(1, 64),
        values: 80,
        // One insists on a proposer that does not lead.
        proposer: id === 1 ? 1 : 0,
      });
    }
    cluster.finish(LIMIT_US);
  }
});

Deno.test(`five acceptors, of which two stop and one sleeps, come through the faults of ${SEEDS / 2} seeds`, () => {
  for (let seed = 2001; seed <= 2000 + SEEDS / 2; seed++) {
    const acceptors = [1, 2, 3, 4, 5];
    // Some may stop before they have confirmed the others.
    const cluster = new Cluster(seed, {
      logBytes: 1 << 18,
      acceptors,
      newCluster: true,
    });
    drawFaults(cluster);
    cluster.add({ roles: Role.proposer, id: 1 });
    const nodes = acceptors.map((id) =>
      cluster.add({ roles: Role.acceptor, id })
    );
    cluster.add({ roles: Role.learner, id: 1 });
    cluster.add({ roles: Role.client, id: 1, values: 150, outstanding: 8 });
    const pause = () => cluster.run(cluster.random.between(0, 200_000));
    pause();
    nodes[cluster.random.between(0, 1)].kill();
    pause();
    nodes[2].frozen = true;
    pause();
    pause();
    nodes[2].frozen = false;
    nodes[cluster.random.between(3, 4)].kill();
    cluster.finish(LIMIT_US);
  }
});
