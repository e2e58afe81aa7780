/** The simulator as a library: every seed holds, the same seed is the same run, and what is broken is seen. */
import assert from "node:assert/strict";
import { Event, Role } from "../core/layout.ts";
import { drawPlan } from "./draw.ts";
import { CALM, type Plan, type PlanEvent, TOPOLOGIES } from "./plan.ts";
import { type RunWatch, simulate } from "./simulate.ts";
import { runSeeds } from "./sweep.ts";

const node = {
  start_us: 0,
  leader: 1,
  queueFrames: 4096,
  clockRate: 1,
};

/** Three replicas and a client, to which only these events happen. */
function quietPlan(events: PlanEvent[], onDisk = false): Plan {
  const replica = (id: number) => ({
    ...node,
    roles: Role.proposer | Role.acceptor | Role.learner,
    id,
    commit_us: onDisk ? { least: 100, most: 500 } : undefined,
  });
  return {
    seed: 1,
    topology: "replicas",
    mtu: 512,
    logBytes: 1 << 18,
    inFlight: 16,
    proposerTimeout_us: 100_000,
    clientTimeout_us: 200_000,
    newCluster: false,
    nodes: [replica(1), replica(2), replica(3), {
      ...node,
      roles: Role.client,
      id: 9,
      client: {
        clients: 1,
        outstanding: 4,
        values: 40,
        pace_us: 20_000,
        padBytes: 0,
        proposer: 0,
      },
    }],
    weather: CALM,
    events,
    heal_us: 1_000_000,
  };
}

Deno.test("a run without faults decides and delivers everything", () => {
  const result = simulate(quietPlan([]));
  assert.equal(result.violation, undefined);
  assert.deepEqual([result.submitted, result.decided, result.ended], [
    40,
    40,
    true,
  ]);
  assert.deepEqual(result.faults, {});
});

Deno.test("the same plan is the same run, event for event, and another seed is another", () => {
  for (const seed of [11, 12, 13]) {
    const plan = drawPlan(seed);
    assert.equal(simulate(plan).hash, simulate(plan).hash, `seed ${seed}`);
  }
  assert.notEqual(simulate(drawPlan(11)).hash, simulate(drawPlan(12)).hash);
});

Deno.test("watching a run does not change it", () => {
  const plan = drawPlan(14);
  let events = 0;
  const watch: RunWatch = {
    sent: () => events++,
    received: () => events++,
    delivered: () => events++,
  };
  assert.equal(simulate(plan, { watch }).hash, simulate(plan).hash);
  assert(events > 0);
});

Deno.test("every topology is drawn, and every kind of fault happens", () => {
  const { topologies, faults, failures } = runSeeds({ first: 1, count: 120 });
  assert.deepEqual(failures, []);
  for (const topology of TOPOLOGIES) assert(topologies[topology] > 10);
  for (
    const kind of [
      "lost",
      "duplicated",
      "corrupted",
      "truncated",
      "replayed",
      "buffer full",
      "partitioned",
      "partition",
      "weather",
      "crash",
      "crash in a step",
      "power cut",
      "leave",
      "pause",
      "clock jump",
      "unread deliveries",
      "slow disk",
      "failing disk",
      "full disk",
      "bit flip",
      "refused to start",
      "flap",
      "isolate leader",
      "kill leader",
      "pause leader",
    ]
  ) {
    assert(faults[kind] > 0, `${kind} never happened`);
  }
});

Deno.test("a replica with a disk that is killed goes on with what it promised", () => {
  const crash = { kind: "crash", node: 0, down_us: 50_000 } as const;
  const events = [300_000, 500_000, 700_000].map((at_us) => ({
    ...crash,
    at_us,
  }));
  const memories: string[] = [];
  const result = simulate(quietPlan(events, true), {
    watch: {
      started: (it, memory) => memories.push(`${it.name} ${memory}`),
    },
  });
  assert.equal(result.violation, undefined);
  assert(result.ended);
  assert.equal(
    memories.filter((it) => it === "replica 1 recovered").length,
    3,
  );
});

Deno.test("replicas without a disk that are killed one after another rejoin, and the cluster goes on", () => {
  const rejoined: string[] = [];
  const plan = quietPlan([1, 2, 0].map((node, i) => ({
    at_us: 300_000 + i * 700_000,
    kind: "crash",
    node,
    down_us: 50_000,
  })));
  const result = simulate(
    { ...plan, electionTimeout_us: 100_000, heal_us: 3_000_000 },
    {
      watch: {
        noted(node, { code }) {
          if (code === Event.rejoined) rejoined.push(node.name);
        },
      },
    },
  );
  assert.equal(result.violation, undefined);
  assert(result.ended);
  assert.deepEqual(rejoined, ["replica 2", "replica 3", "replica 1"]);
});

Deno.test("whoever leads is killed, paused and cut off, and others take over", () => {
  const events: PlanEvent[] = [
    { at_us: 500_000, kind: "kill leader", down_us: 100_000 },
    { at_us: 1_500_000, kind: "pause leader", for_us: 400_000 },
    {
      at_us: 2_500_000,
      kind: "isolate leader",
      ways: "from",
      for_us: 600_000,
    },
  ];
  const leaders = new Set<bigint>();
  const result = simulate(
    {
      ...quietPlan(events),
      electionTimeout_us: 100_000,
      heartbeat_us: 25_000,
      heal_us: 4_000_000,
    },
    {
      watch: {
        noted(_, { code, large }) {
          if (code === Event.leading) leaders.add(large);
        },
      },
    },
  );
  assert.equal(result.violation, undefined);
  assert(result.ended);
  assert(leaders.size >= 4, `${leaders.size} ballots`);
});

Deno.test("where the last memory is spared, the others' loss stops the cluster and breaks nothing", () => {
  const events = [0, 1, 2].map((node): PlanEvent => ({
    at_us: 300_000,
    kind: "crash",
    node,
    down_us: 1000,
  }));
  const result = simulate({ ...quietPlan(events), leastMemories: 1 });
  assert.equal(result.violation, undefined);
  assert.equal(result.faults.crash, 2);
  assert(!result.ended);
});

Deno.test("a link that flaps is let through as long as it is cut", () => {
  const cuts = [[0, 1], [1, 0]] as const;
  const result = simulate(quietPlan([
    { at_us: 200_000, kind: "flap", cuts, every_us: 50_000, for_us: 400_000 },
  ]));
  assert.equal(result.violation, undefined);
  assert(result.ended);
  assert(result.faults.partitioned > 0);
});

Deno.test("a node whose disk is damaged does not start again", () => {
  const result = simulate(quietPlan([
    { at_us: 300_000, kind: "bit flip", node: 2 },
    { at_us: 400_000, kind: "crash", node: 2, down_us: 1000 },
  ], true));
  assert.equal(result.violation, undefined);
  assert.equal(result.faults["refused to start"], 1);
  assert(result.ended);
});

Deno.test("when most acceptors are gone, nothing more is decided, and nothing is violated", () => {
  const gone = [1, 2].flatMap((index): PlanEvent[] => [
    { at_us: 300_000, kind: "bit flip", node: index },
    { at_us: 300_000, kind: "crash", node: index, down_us: 1000 },
  ]);
  const result = simulate(quietPlan(gone, true));
  assert.equal(result.violation, undefined);
  assert(!result.ended);
  assert(result.decided > 0 && result.decided < 40);
});
