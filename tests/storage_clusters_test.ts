/** Clusters of acceptors with disks: what only disks hold reaches whoever needs it, and a disk that is replaced is noticed. */
import assert from "node:assert/strict";
import { Counter, Event, Gauge, Role } from "../core/layout.ts";
import { Disk } from "../sim/disk.ts";
import { Cluster, type TestNode } from "./cluster.ts";
import { isBack } from "./separate.ts";

/** A log that holds some 200 batches of 300 bytes. */
const SMALL = { logBytes: 1 << 16 };

function makeDisk(memory: number, forgot = false): Disk {
  return new Disk(memory, { least: 100, most: 300 }, forgot);
}

/** Acceptors with disks, a proposer, a learner that keeps up and a client, after so many values. */
function stored(seed: number, values: number, ids = [1, 2, 3]) {
  const cluster = new Cluster(seed, {
    acceptors: ids,
    proposers: [10],
    leader: 10,
    ...SMALL,
  });
  const acceptors = ids.map((id) =>
    cluster.add(
      { roles: Role.acceptor, id, persistent: true },
      undefined,
      makeDisk(0x8000 + id),
    )
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 10 });
  cluster.add({ roles: Role.learner, id: 20, from: 1n });
  const client = cluster.add({
    roles: Role.client,
    id: 30,
    values: 1e6,
    padBytes: 300,
  });
  cluster.must("a start", 20e6, () => client.acknowledged.size > values);
  client.values = client.submitted;
  cluster.must("an end", 20e6, () => client.unanswered === 0);
  return { cluster, acceptors, proposer, client };
}

/** A new learner that begins with the first instance has delivered everything. */
function mustDeliverAll(cluster: Cluster, client: TestNode): TestNode {
  const learner = cluster.add({ roles: Role.learner, id: 21, from: 1n });
  cluster.must(
    "a new learner has all",
    30e6,
    () => learner.delivered.length === client.submitted,
  );
  cluster.checkSafety();
  return learner;
}

Deno.test("a learner that begins with the first instance gets it though memory holds it nowhere any more", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, acceptors, client } = stored(seed, 1500);
    mustDeliverAll(cluster, client);
    const fetched = acceptors.map((it) => it.counter(Counter.fetched));
    assert(Math.max(...fetched) > 200, `seed ${seed}: ${fetched}`);
  }
});

Deno.test("it does so when a minority of acceptors is gone, and after all restarted", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, acceptors, proposer, client } = stored(seed, 1000);
    acceptors.forEach((it) => it.kill());
    cluster.restart(proposer);
    const gone = acceptors[seed % 3];
    for (const it of acceptors) if (it !== gone) cluster.restart(it);
    const learner = mustDeliverAll(cluster, client);
    assert.deepEqual(learner.noted(Event.behindTrim), [], `seed ${seed}`);
  }
});

Deno.test("it does so when one acceptor is gone and another missed some of it, though leaders changed and all restarted since", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, acceptors, client } = stored(seed, 100);
    const more = (values: number) => {
      const before = client.acknowledged.size;
      client.values += values;
      cluster.must(
        "more values",
        20e6,
        () => client.acknowledged.size >= before + values,
      );
    };
    acceptors[2].kill();
    more(300);
    cluster.run(200_000);
    let living = [...acceptors.slice(0, 2), cluster.restart(acceptors[2])];
    for (let n = 0; n < 3; n++) {
      cluster.restart(cluster.living(Role.proposer)[0]);
      more(300);
      cluster.run(200_000);
    }
    for (const it of living) it.kill();
    living = living.map((it) => cluster.restart(it));
    cluster.restart(cluster.living(Role.proposer)[0]);
    more(100);
    living[0].kill();
    const learner = mustDeliverAll(cluster, client);
    assert.deepEqual(learner.noted(Event.behindTrim), [], `seed ${seed}`);
    const [, second, third] = living.map((it) => it.counter(Counter.fetched));
    assert(second + third > 1000, `seed ${seed}: ${second}, ${third}`);
  }
});

Deno.test("an acceptor that lost its disk fetches from others what they have on disk alone", () => {
  const { cluster, acceptors, client } = stored(3, 600);
  acceptors[0].kill();
  const again = cluster.add(
    { roles: Role.acceptor, id: 1, persistent: true, logBytes: 1 << 18 },
    acceptors[0].place,
    makeDisk(0x9001, true),
  );
  cluster.must("it is back", 20e6, () => isBack(again));
  // More than what the others have in memory.
  const low = again.gauge(Gauge.trimmed);
  const { small, large } = { small: 200, large: client.submitted };
  assert(low < large - small, `it has all from ${low} on`);
  const fetched = acceptors.slice(1).map((it) => it.counter(Counter.fetched));
  assert(fetched.some((count) => count > 0), `${fetched}`);
});

/** An acceptor's disk is replaced, and it fetches all that the others have. */
function renew(cluster: Cluster, it: TestNode, memory: number): TestNode {
  it.kill();
  const again = cluster.add(it.spec, it.place, makeDisk(memory, true));
  cluster.must("it is back", 30e6, () => isBack(again));
  return again;
}

Deno.test("when every disk was replaced in turn and all are killed, nothing is lost", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, acceptors, proposer, client } = stored(seed, 1000);
    const renewed = acceptors.map((it, n) => renew(cluster, it, 0x9001 + n));
    renewed.forEach((it) => it.kill());
    cluster.restart(proposer);
    const again = renewed.map((it) => cluster.restart(it));
    const learner = mustDeliverAll(cluster, client);
    assert.deepEqual(learner.noted(Event.behindTrim), [], `seed ${seed}`);
    const fetched = again.map((it) => it.counter(Counter.fetched));
    assert(Math.max(...fetched) > 200, `seed ${seed}: ${fetched}`);
  }
});

Deno.test("an acceptor that is killed again and again while it fetches what its disk had goes on where it was", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { cluster, acceptors, proposer, client } = stored(seed, 1500);
    acceptors[0].kill();
    let again = cluster.add(
      acceptors[0].spec,
      acceptors[0].place,
      makeDisk(0x9001, true),
    );
    const isVoting = () => again.noted(Event.rejoined).length > 0;
    cluster.must("it votes", 20e6, isVoting);
    let low = Infinity;
    while (again.noted(Event.refilled).length === 0) {
      cluster.run(cluster.random.between(1000, 20_000));
      const told = again.gauge(Gauge.trimmed);
      assert(told <= low, `seed ${seed}: it had all from ${low}, now ${told}`);
      low = told;
      again.kill();
      again = cluster.restart(again);
      cluster.run(cluster.random.between(200_000, 400_000));
    }
    assert.equal(again.gauge(Gauge.trimmed), 1, `seed ${seed}`);
    // What the other two still have does not count: each of them loses its disk.
    const renewed = [1, 2].map((n) => {
      return renew(cluster, acceptors[n], 0x9100 + n);
    });
    [again, ...renewed].forEach((it) => it.kill());
    cluster.restart(proposer);
    [again, ...renewed].forEach((it) => cluster.restart(it));
    mustDeliverAll(cluster, client);
  }
});

/** When an acceptor comes with an empty disk, in a cluster of which the others keep theirs. */
const RETURNS: Record<
  string,
  (acceptors: TestNode[], restart: (it: TestNode) => void) => void
> = {
  "when all were stopped and it starts first"(acceptors, restart) {
    acceptors.forEach((it) => it.kill());
    acceptors.forEach(restart);
  },
  "when the others have restarted before"([it, ...others], restart) {
    others.forEach(restart);
    restart(it);
  },
  "when it starts after the others"(acceptors, restart) {
    acceptors.forEach((it) => it.kill());
    acceptors.toReversed().forEach(restart);
  },
};

for (const [when, happen] of Object.entries(RETURNS)) {
  Deno.test(`a replaced disk is noticed ${when}, and its acceptor votes when a leader let it rejoin`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { cluster, acceptors, client } = stored(seed, 200);
      happen(acceptors, (it) => {
        if (it.alive) it.kill();
        const isReplaced = it.options.id === 1;
        const disk = isReplaced ? makeDisk(0x9001) : it.disk;
        cluster.add(it.spec, it.place, disk);
        cluster.run(cluster.random.between(0, 1_000_000));
      });
      const again = cluster.living(Role.acceptor).find(({ options }) =>
        options.id === 1
      )!;
      cluster.must(
        "it is told of its past",
        5e6,
        () => again.noted(Event.recovering).length > 0,
      );
      assert.deepEqual(again.noted(Event.confirmed), [], `seed ${seed}`);
      cluster.must(
        "it rejoins",
        20e6,
        () => again.noted(Event.rejoined).length > 0,
      );
      cluster.living(Role.acceptor).find((it) => it !== again)!.kill();
      const before = client.acknowledged.size;
      client.values += 100;
      cluster.must(
        "its votes count",
        20e6,
        () => client.acknowledged.size >= before + 100,
      );
      cluster.checkSafety();
    }
  });
}
