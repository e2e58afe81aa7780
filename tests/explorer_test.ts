/**
 * Every reachable state of small worlds, over the core that ships: nothing that can happen in them
 * breaks Paxos. Larger worlds are explored by hand, see `explore.ts`.
 */
import assert from "node:assert/strict";
import { Role } from "../core/layout.ts";
import type { Body } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { reportOf } from "./explore.ts";
import { Rules } from "./explore_rules.ts";
import { returnWorld } from "./explore_return.ts";
import { smallWorld } from "./explore_worlds.ts";
import { type Exploration, explore, type World } from "./explorer.ts";
import { fromAcceptor } from "./leader.ts";
import { mutantBuild } from "./mutant_build.ts";
import { MUTATIONS } from "./mutants.ts";

/** Explores a world to its end; it must have this many states at least, else it became vacuous. */
function exhaust(
  world: World,
  statesLeast: number,
  twins = 0,
): Exploration {
  const found = explore(world, { twins });
  console.log(reportOf(found));
  assert.equal(found.violation, undefined, reportOf(found));
  assert(found.finished);
  assert(found.states >= statesLeast, `${found.states} states are too few`);
  return found;
}

Deno.test("two proposers that each campaign once keep agreement in every reachable state", () => {
  const found = exhaust(smallWorld({}), 30_000, 100);
  assert(found.compared > 5000, `${found.compared} comparisons say nothing`);
});

Deno.test("rejected proposals lead to no state that breaks agreement", () => {
  exhaust(smallWorld({ lost: ["heartbeat", "submit", "hi", "ok"] }), 100_000);
});

Deno.test("two proposers keep agreement in each of two instances", () => {
  exhaust(smallWorld({ instances: 2, rounds: 1 }), 100_000);
});

Deno.test("a leader that repeats itself announces nothing that is not decided", () => {
  const lost = ["reject", "submit", "hi", "ok"] as const;
  exhaust(smallWorld({ beats: 1, rounds: 1, oneValue: true, lost }), 100_000);
});

Deno.test("a proposer that campaigns twice brings up what the higher ballot accepted", () => {
  exhaust(smallWorld({ campaigns: [2, 1], rounds: 2, oneValue: true }), 10_000);
});

Deno.test("a learner delivers nothing but what is chosen", () => {
  exhaust(smallWorld({ learner: true, rounds: 1 }), 50_000);
});

Deno.test("an acceptor that forgot does not vote, though confirmations of its former self come again", () => {
  const lost = ["heartbeat", "reject", "submit", "hi"] as const;
  exhaust(
    smallWorld({ restarts: 1, rounds: 1, oneValue: true, lost }),
    100_000,
  );
});

Deno.test("an acceptor that forgot learns of itself from those who knew it", () => {
  exhaust(smallWorld({ restarts: 1, rounds: 1, campaigns: [1, 0] }), 40_000);
});

Deno.test("an acceptor that forgot returns to a cluster that keeps agreement", () => {
  exhaust(returnWorld(), 500_000);
});

const LET_IN = [
  "proposer+acceptor 1 receives hi of acceptor 3, which recovers",
  "acceptor 2 receives 1A 2.1 of proposer 1, lets acceptor 3 rejoin",
  "proposer+acceptor 1 receives 1B 2.1 of acceptor 2, decided 1, []",
];

/** What becomes of agreement, or of what is called decided. */
const BROKEN =
  /proposed as .*, though .* was chosen|instance 1 was called decided and is not|answered or delivered and is not chosen/;

/** What a bug leads to: the rule that it breaks, and how. */
function brokenBy(mutation: string, world = returnWorld()) {
  const { violation } = explore(world, { build: mutantBuild(mutation) });
  assert(violation !== undefined, `"${mutation}" breaks nothing`);
  return violation;
}

Deno.test("a promise that was forgotten breaks agreement where it counts beside one that knows of the loss", () => {
  const { rule, path } = brokenBy("promises of different memories together");
  assert.equal(
    rule,
    "instance 1 in ballot 2.2 was proposed as y (2/1), though x (1/1) was chosen as instance 1 in ballot 2.1",
  );
  assert.deepEqual(path, [
    "proposer 2 waits",
    "proposer 2 goes on",
    "acceptor 3 receives 1A 2.2 of proposer 2",
    "proposer 2 receives 1B 2.2 of acceptor 3, decided 1, []",
    "acceptor 3 is killed and starts anew",
    ...LET_IN,
    "acceptor 2 receives 1A 2.2 of proposer 2",
    "proposer 2 receives 1B 2.2 of acceptor 2, decided 1, []",
    "proposer 2 receives submit of client 102: y (2/1)",
    "acceptor 3 receives rejoin 2.1 of proposer 1, from 1 to 2",
    "acceptor 3 receives 2A 2.1 of proposer 1, decided 1, instance 1: x (1/1)",
  ]);
});

Deno.test("every rule of the return is needed: without it the cores break agreement", async (t) => {
  const names = [
    "one that forgot votes at once",
    "one that recovers votes in any ballot",
    "rejoin in a ballot from before the loss",
    "rejoin calls decided what is proposed",
    "last of what phase 1 brought up not named",
  ];
  for (const name of names) {
    await t.step(name, () => assert.match(brokenBy(name).rule, BROKEN));
  }
});

Deno.test("deliberate bugs that are too rare for the simulator are found in a small world", async (t) => {
  const rare = MUTATIONS.filter(({ explored }) => explored);
  assert(rare.length > 0);
  for (const { name, explored } of rare) {
    await t.step(name, () => {
      const world = explored === "duel" ? smallWorld({}) : returnWorld();
      assert.match(brokenBy(name, world).rule, BROKEN);
    });
  }
});

Deno.test("the value of the lowest ballot is not what may be chosen, as a shortest path shows", () => {
  const world = smallWorld({ campaigns: [2, 1], rounds: 2 });
  const { rule, path } = brokenBy("value of the lowest ballot proposed", world);
  assert.equal(
    rule,
    "instance 1 in ballot 2.1 was proposed as x (1/1), though y (2/1) was chosen as instance 1 in ballot 1.2",
  );
  assert.equal(path.length, 14);
});

Deno.test("proposers that are configured with different acceptors are found out, by a shortest path", () => {
  const sound = smallWorld({ apart: true });
  const world: World = {
    ...sound,
    nodes: sound.nodes.map((node) =>
      (node.roles & Role.proposer) !== 0 ? { ...node, knows: [node.id] } : node
    ),
  };
  const { finished, violation } = explore(world);
  assert(!finished);
  assert.equal(
    violation?.rule,
    "value (1/1) was answered or delivered and is not chosen",
  );
  assert.deepEqual(violation.path, [
    "proposer 1 waits",
    "proposer 1 goes on",
    "acceptor 1 receives 1A 1.1 of proposer 1",
    "proposer 1 receives 1B 1.1 of acceptor 1, decided 1, []",
    "proposer 1 receives submit of client 101: x (1/1)",
    "acceptor 1 receives 2A 1.1 of proposer 1, decided 1, instance 1: x (1/1)",
    "proposer 1 receives 2B 1.1 of acceptor 1, instance 1",
    "proposer 1 receives submit of client 101: x (1/1)",
  ]);
});

/** What the rules say of frames of ballots 1.1 and 2.2, all said in one world of three acceptors. */
function judge(...frames: Uint8Array<ArrayBuffer>[]): string | undefined {
  const rules = new Rules(3);
  frames.forEach((frame) => rules.addFrame(frame));
  return rules.broken(Uint32Array.of(2 ** frames.length - 1));
}

const LOW = ballotOf(1, 1);
const HIGH = ballotOf(2, 2);

function accept(ballot: bigint, value: string, decided = 1n) {
  const id = Number(ballot & 0xffffn);
  const batch = [run(7n, 1, value)];
  return encode(
    { senderRole: "proposer", senderId: id, incarnation: id, ballot },
    { type: "accept", decided, instance: decided, batch },
  );
}

function accepted(id: number, ballot: bigint) {
  return encode(fromAcceptor(id, ballot), {
    type: "accepted",
    ranges: [{ first: 1n, end: 2n }],
  });
}

function promised(
  id: number,
  entries: Extract<Body, { type: "promise" }>["entries"],
) {
  return encode(fromAcceptor(id, HIGH), {
    type: "promise",
    start: 1n,
    end: 2n,
    decided: 1n,
    last: true,
    pause: true,
    incarnation: 2,
    entries,
  });
}

Deno.test("the rules hold of a value that is chosen and taken over", () => {
  const entry = {
    instance: 1n,
    ballot: LOW,
    decided: false,
    batch: [run(7n, 1, "x")],
  };
  assert.equal(
    judge(
      accept(LOW, "x"),
      accepted(1, LOW),
      accepted(2, LOW),
      promised(2, [entry]),
      promised(3, []),
      accept(HIGH, "x"),
      accepted(3, HIGH),
      accept(HIGH, "z", 2n),
    ),
    undefined,
  );
});

Deno.test("each rule names what breaks it", () => {
  const chosen = [accept(LOW, "x"), accepted(1, LOW), accepted(2, LOW)];
  const cases: [RegExp, Uint8Array<ArrayBuffer>[]][] = [
    [/1 in ballot 1.1 was proposed as x .* and as y/, [
      accept(LOW, "x"),
      accept(LOW, "y"),
    ]],
    [/proposed as y .* though x .* was chosen/, [...chosen, accept(HIGH, "y")]],
    [/accepted, never proposed/, chosen.slice(1)],
    [/instance 1 was called decided/, [
      ...chosen.slice(0, 2),
      accept(LOW, "z", 2n),
    ]],
    [/acceptor 2 accepted instance 1 in ballot 1.1, which its promise/, [
      ...chosen,
      promised(2, []),
    ]],
    [/y .* was reported for instance 1 in ballot 1.1/, [
      ...chosen,
      promised(3, [{
        instance: 1n,
        ballot: LOW,
        decided: false,
        batch: [run(7n, 1, "y")],
      }]),
    ]],
    [/was called chosen for instance 1/, [
      accept(LOW, "x"),
      promised(3, [{
        instance: 1n,
        ballot: LOW,
        decided: true,
        batch: [run(7n, 1, "x")],
      }]),
    ]],
  ];
  for (const [rule, frames] of cases) {
    assert.match(judge(...frames) ?? "", rule);
  }
});
