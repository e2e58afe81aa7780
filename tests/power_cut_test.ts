/** Acceptors on real databases that lose power: what is left of each is what a disk may have kept. */
import assert from "node:assert/strict";
import { Event, Role } from "../core/layout.ts";
import { Random } from "../sim/random.ts";
import { Cluster, type TestNode } from "./cluster.ts";
import { RealDisk } from "./real_disk.ts";
import { isBack } from "./separate.ts";

const IDS = [1, 2, 3];

/** Three acceptors on disks of their own, a proposer, a learner and a client under way. */
class Site {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly client: TestNode;
  acceptors: { node: TestNode; disk: RealDisk }[];
  #memories = 0x8000;

  constructor(seed: number, path: string, synchronous: boolean) {
    this.random = new Random(seed);
    this.cluster = new Cluster(seed, {
      acceptors: IDS,
      proposers: [10],
      leader: 10,
      electionTimeout_us: 100_000,
      heartbeat_us: 25_000,
      // All that is decided fits, so an acceptor that rejoined has fetched what a learner may ask it for.
      logBytes: 8 << 20,
    });
    this.acceptors = IDS.map((id) => {
      const incarnation = this.#memories++;
      const options = { path, id, synchronous, boot: 1, incarnation };
      return this.#start(id, RealDisk.open(options));
    });
    this.cluster.add({ roles: Role.proposer, id: 10 });
    this.cluster.add({ roles: Role.learner, id: 20, from: 1n });
    this.client = this.cluster.add({
      roles: Role.client,
      id: 30,
      values: 1e6,
      outstanding: 8,
      padBytes: 200,
    });
  }

  /** These machines lose power at the same moment, and start again. */
  powerCut(indices: readonly number[]): void {
    const cut = indices.map((index) => {
      const { node, disk } = this.acceptors[index];
      const { commits } = disk;
      node.kill();
      return { index, disk, isUnderWay: disk.commits > commits };
    });
    for (const { index, disk, isUnderWay } of cut) {
      const memory = this.#memories++;
      const after = disk.powerCut(this.random, isUnderWay, memory);
      this.acceptors[index] = this.#start(IDS[index], after);
    }
  }

  /** More values are acknowledged. */
  goesOn(values: number): void {
    const before = this.client.acknowledged.size;
    this.cluster.must(
      "values are decided again",
      30e6,
      () => this.client.acknowledged.size >= before + values,
    );
  }

  /** Every acknowledged value is delivered, once and in one order. */
  finish(): void {
    this.client.values = this.client.submitted;
    this.cluster.must("all is delivered", 60e6, () => this.cluster.finished());
    this.cluster.checkSafety();
  }

  close(): void {
    for (const { disk } of this.acceptors) disk.release();
  }

  #start(id: number, disk: RealDisk): { node: TestNode; disk: RealDisk } {
    const spec = { roles: Role.acceptor, id, persistent: true };
    const place = id - 1;
    return { node: this.cluster.add(spec, place, disk), disk };
  }
}

function withSite(
  seed: number,
  synchronous: boolean,
  test: (site: Site) => void,
): void {
  // In memory: what a disk would keep is made up here, so that nothing need wait for one.
  const path = Deno.makeTempDirSync({ dir: "/dev/shm" });
  const site = new Site(seed, path, synchronous);
  try {
    test(site);
  } finally {
    site.close();
    Deno.removeSync(path, { recursive: true });
  }
}

Deno.test("with lmdb-sync yes nothing that was acknowledged is lost when all machines lose power", () => {
  for (let seed = 1; seed <= 8; seed++) {
    withSite(seed, true, (site) => {
      site.goesOn(50);
      for (let cut = 0; cut < 6; cut++) {
        site.cluster.run(site.random.between(1, 30_000));
        site.powerCut([0, 1, 2]);
        site.goesOn(20);
      }
      // To one that begins now as well.
      site.cluster.add({ roles: Role.learner, id: 21, from: 1n });
      site.finish();
    });
  }
});

Deno.test("with lmdb-sync no a machine that loses power forgets, knows it, and rejoins; nothing acknowledged is lost", () => {
  for (let seed = 1; seed <= 5; seed++) {
    withSite(seed, false, (site) => {
      site.goesOn(50);
      for (let cut = 0; cut < 3; cut++) {
        site.cluster.run(site.random.between(1, 30_000));
        site.powerCut([cut]);
        const { node, disk } = site.acceptors[cut];
        assert.match(disk.warning ?? "", /goes on without its memory/);
        site.cluster.must("it is back", 20e6, () => isBack(node));
        site.goesOn(20);
      }
      site.finish();
    });
  }
});

Deno.test("with lmdb-sync no and all machines without power nothing is decided any more, rather than guessed", () => {
  withSite(1, false, (site) => {
    site.goesOn(50);
    site.powerCut([0, 1, 2]);
    const before = site.client.acknowledged.size;
    site.cluster.run(10e6);
    assert.equal(site.client.acknowledged.size, before);
    for (const { node } of site.acceptors) {
      assert(node.noted(Event.recovering).length > 0);
      assert(!isBack(node));
    }
    site.cluster.checkSafety();
  });
});
