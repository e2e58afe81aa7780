/** Who leads when the leader falls silent. */
import { Event, Gauge, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

const LEADING = 2;
const ELECTION = { electionTimeout_us: 100_000, heartbeat_us: 25_000 };

Deno.test("another replica leads soon after the leader's death, again and again", () => {
  const gaps: number[] = [];
  for (let seed = 1; seed <= 6; seed++) {
    const cluster = new Cluster(seed, { ...ELECTION, logBytes: 8 << 20 });
    cluster.faults.loss = seed % 3 / 50;
    const replicas = cluster.addReplicas([1, 2, 3]);
    const client = cluster.add({
      roles: Role.client,
      id: 9,
      values: 1e9,
      outstanding: 4,
      pace_us: 500,
    });
    cluster.must("a start", 5e6, () => client.acknowledged.size > 200);
    for (let n = 0; n < 6; n++) {
      const at = replicas.findIndex((it) =>
        it.gauge(Gauge.proposerState) === LEADING
      );
      replicas[at].kill();
      const before = client.acknowledged.size;
      const from = cluster.now_us;
      cluster.must(
        "others go on",
        5e6,
        () => client.acknowledged.size > before + 4,
      );
      gaps.push(cluster.now_us - from);
      const again = replicas[at] = cluster.restart(replicas[at]);
      cluster.must(
        "it has caught up",
        5e6,
        () =>
          again.noted(Event.refilled).length > 0 &&
          again.noted(Event.rejoined).length > 0,
      );
      cluster.run(cluster.random.between(0, 300_000));
    }
    client.values = client.submitted;
    cluster.finish(30e6);
  }
  console.log(
    gaps.sort((a, b) => a - b).map((g) => Math.round(g / 1000)).join(" "),
  );
});

Deno.test("whom the configuration names leads at first, when all replicas start together", () => {
  const ids = [1, 2, 3];
  for (let seed = 1; seed <= 12; seed++) {
    const cluster = new Cluster(seed, ELECTION);
    const leader = ids[seed % 3];
    const replicas = cluster.addReplicas(ids, { leader });
    cluster.must(
      "a leader",
      5e6,
      () => replicas.some((it) => it.gauge(Gauge.proposerState) === LEADING),
    );
    const first = replicas.find((it) =>
      it.gauge(Gauge.proposerState) === LEADING
    )!;
    if (first.options.id !== leader) {
      cluster.fail(`replica ${first.options.id} leads, not ${leader}`);
    }
  }
});
