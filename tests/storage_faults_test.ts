/**
 * Storage fails at each of its calls, one after another: no vote leaves after that, somebody says why, and
 * after a restart nothing is missing.
 */
import assert from "node:assert/strict";
import { Event, Role } from "../core/layout.ts";
import { REPLICA } from "../sim/cluster.ts";
import { Disk } from "../sim/disk.ts";
import type { SimNode } from "../sim/node.ts";
import { CALM, type Plan, type PlanNode } from "../sim/plan.ts";
import { simulate } from "../sim/simulate.ts";
import { StoreError, type Table } from "../storage/store.ts";

/** The node whose disk fails. */
const VICTIM = 1;
/** Calls of the victim's disk in a run without failures are fewer. */
const CALLS_MOST = 2000;

type Code = StoreError["code"];

/** A disk of which one call fails; of a kind that can be tried again, only that one does. */
class FailingDisk extends Disk {
  calls = 0;
  failAt = Infinity;
  code: Code = "failed";

  override begin(): void {
    this.#count("begin");
    super.begin();
  }

  override put(...put: Parameters<Disk["put"]>): void {
    this.#count("put");
    super.put(...put);
  }

  override remove(table: Table, key: number): void {
    this.#count("remove");
    super.remove(table, key);
  }

  override removeBelow(table: Table, end: number, most: number): number {
    this.#count("removeBelow");
    return super.removeBelow(table, end, most);
  }

  override commit(): void {
    this.#count("commit");
    super.commit();
  }

  #count(call: string): void {
    if (++this.calls !== this.failAt) return;
    throw new StoreError(this.code, `${call} fails: injected`);
  }
}

const node = (roles: number, id: number): PlanNode => ({
  roles,
  id,
  start_us: 0,
  leader: 1,
  queueFrames: 4096,
  clockRate: 1,
  ...roles === REPLICA && {
    commit_us: { least: 100, most: 300 },
    diskBytes: 40_000,
  },
});

/** Three replicas on small disks and a client, whose leader has the first disk. */
const PLAN: Plan = {
  seed: 5,
  topology: "replicas",
  mtu: 512,
  logBytes: 1 << 16,
  inFlight: 8,
  proposerTimeout_us: 100_000,
  clientTimeout_us: 200_000,
  electionTimeout_us: 100_000,
  heartbeat_us: 25_000,
  newCluster: false,
  nodes: [
    node(REPLICA, 1),
    node(REPLICA, 2),
    node(REPLICA, 3),
    {
      ...node(Role.client, 30),
      client: {
        clients: 2,
        outstanding: 4,
        values: 40,
        pace_us: 20_000,
        padBytes: 200,
        proposer: 0,
      },
    },
  ],
  weather: CALM,
  events: [{ at_us: 500_000, kind: "leave", node: VICTIM, down_us: 10_000 }],
  heal_us: 1_000_000,
};

/** Runs the plan with the victim's call number `failAt` failing. */
function run(failAt: number, code: Code) {
  let disk: FailingDisk | undefined;
  const notes: Event[] = [];
  const errors: (string | undefined)[] = [];
  const look = (it: SimNode) => {
    if (it.place !== VICTIM || !("error" in it.storage)) return;
    if (it.storage.error !== undefined) errors.push(it.storage.error);
  };
  const result = simulate(PLAN, {
    makeDisk: (index, ...of) => {
      const made = new FailingDisk(...of);
      if (index !== VICTIM) return made;
      made.failAt = failAt;
      made.code = code;
      return disk = made;
    },
    watch: {
      noted: (it, { code }) => {
        if (it.place === VICTIM) notes.push(code);
      },
      turned: look,
    },
  });
  return { result, calls: disk!.calls, notes, errors };
}

function failEach(code: Code, noted: Event): void {
  const { result, calls } = run(Infinity, code);
  assert.equal(result.violation, undefined);
  assert(calls > 100 && calls < CALLS_MOST, `${calls} calls`);
  for (let failAt = 1; failAt <= calls; failAt++) {
    const where = `call ${failAt} of ${calls}`;
    const { result, notes, errors } = run(failAt, code);
    // What the simulator checks holds that a vote is durable, and that all is answered after the restart.
    assert.equal(result.violation, undefined, where);
    assert(result.ended, where);
    // At the last moment nobody hears of it any more.
    if (errors.length === 0) continue;
    assert.match(errors[0]!, /fails: injected/, where);
    if (code === "failed") assert(notes.includes(noted), where);
  }
}

Deno.test("whichever call of storage fails for good, no vote leaves any more, it is told, and a restart recovers", () => {
  failEach("failed", Event.storageFailed);
});

Deno.test("whichever call of storage finds no room, it is tried again, and nothing is lost", () => {
  failEach("full", Event.storageFull);
});
