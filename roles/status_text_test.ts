import assert from "node:assert/strict";
import { Counter, Voting } from "../core/layout.ts";
import { ballotOf } from "../tests/encode.ts";
import { BALLOT, look, replica, seen } from "../tests/status_states.ts";
import { DROPS, statusJson, statusText } from "./status_text.ts";
import { judge } from "./status_verdict.ts";

function text(...nodes: Parameters<typeof look>[0]): string {
  const what = look(nodes);
  return statusText(what, judge(what));
}

Deno.test("a node is a line of the table, and the verdict stands at the end", () => {
  const lines = text(
    replica(1, {
      decided: 1234,
      windowUsed: 3,
      windowSize: 64,
      queueBytes: 1,
      queueBytesMax: 4096,
      logBytes: 50,
      logBytesMax: 100,
      logInstances: 10,
      logInstancesMax: 100,
    }, { before: { decided: 1233 } }),
    replica(2, { voting: Voting.listening }),
    replica(3),
    seen(["learner"], 12, { decided: 100, delivered: 90 }),
  ).split("\n");
  assert.deepEqual(lines, [
    "NODE        STATE    VOTES  BALLOT  LEADER  UNDECIDED  DELIVERED   LAG  TRIMMED  QUEUE  LOG",
    "replica 1   leads    yes       1.1       1       1234        100  1134        1     1%  50%",
    "replica 2   follows  no        1.1       1        100        100     0        1      -    -",
    "replica 3   follows  yes       1.1       1        100        100     0        1      -    -",
    "learner 12  -        -           -       -        100         90    10        -      -    -",
    "",
    "acceptor 2 started just now and listens first",
    "proposer 1 leads in ballot 1.1 with 3 of 64 instances in flight; acceptors 1 and 3 vote, 2 are",
    "  needed",
    "",
  ]);
});

Deno.test("drops and peers follow the table, a paragraph a node", () => {
  const printed = text(
    replica(1),
    replica(2, {}, {
      counters: { received: 9, badBody: 3, windowFull: 12 },
      peers: [
        { role: "learner", id: 7, ago_ms: 3, delivered: 1 },
        { role: "acceptor", id: 3, ago_ms: 20 },
        { role: "acceptor", id: 1, ago_ms: 12 },
        { role: "proposer", id: 3 },
      ],
    }),
    replica(3),
  );
  assert.match(printed, /^replica 2 dropped: badBody 3, windowFull 12$/m);
  assert.match(
    printed,
    /^replica 2 heard: acceptor 1 \(12 ms ago\), 3 \(20 ms ago\), proposer 3 \(never\), learner 7 \(3 ms ago\)$/m,
  );
  assert.doesNotMatch(printed, /received/);
});

Deno.test("no line is wider than 100 columns, whatever the numbers", () => {
  const large = 2 ** 40;
  const nodes = [65533, 65534, 65535].map((id) =>
    replica(id, {
      promised: Number(ballotOf(9999, 65535)),
      leaderBallot: Number(ballotOf(9999, 65535)),
      decided: large,
      delivered: large - 2 ** 30,
      trimmed: large - 2 ** 31,
      queueBytes: 1,
      queueBytesMax: 1,
      logBytes: 1,
      logBytesMax: 1,
    }, {
      counters: Object.fromEntries(
        DROPS.map((counter) => [Counter[counter], large]),
      ),
      peers: Array.from({ length: 100 }, (_, i) => ({
        role: "learner",
        id: 65000 + i,
        ago_ms: 123_456,
        delivered: large,
      })),
    })
  );
  const ids = nodes.map(({ last }) => last.id);
  const what = look(nodes, { acceptors: ids, proposers: ids });
  const printed = statusText(what, judge(what));
  for (const line of printed.split("\n")) {
    assert(line.length <= 100, `${line.length}: ${line}`);
  }
  assert.match(printed, / 1099\.5G /);
});

Deno.test("problems stand before what goes with them", () => {
  const printed = text(replica(1));
  assert.match(printed, /\nno quorum: 1 of 3 acceptors votes, /);
  assert.doesNotMatch(printed, /leads in ballot/);
});

Deno.test("JSON has everything, ballots and states as words", () => {
  const peers = [
    { role: "acceptor", id: 2 },
    { role: "learner", id: 7, ago_ms: 3, delivered: 90 },
  ] as const;
  const counters = { received: 100, badBody: 2 };
  const what = look([
    replica(1, { delivered: 90, logHolder: 7 }, { counters, peers }),
    replica(2),
    seen(["acceptor"], 3, { promised: 0, voting: Voting.unconfirmed }),
  ]);
  const json = statusJson(what, judge(what));
  assert(json.endsWith("}\n"));
  const { nodes, ...verdict } = JSON.parse(json);
  assert.deepEqual(verdict, {
    ok: true,
    leader: { id: 1, ballot: "1.1" },
    quorum: 2,
    voting: [1, 2],
    problems: [],
    warnings: [
      "acceptor 3 waits until the others vouch for it",
      "proposer 3 does not answer",
    ],
  });
  assert.equal(nodes.length, 3);
  const { roles, id, incarnation, lag, proposerState, leaderBallot } = nodes[0];
  assert.deepEqual(
    { roles, id, incarnation, lag, proposerState, leaderBallot },
    {
      roles: ["proposer", "acceptor", "learner"],
      id: 1,
      incarnation: 1001,
      lag: 10,
      proposerState: "leads",
      leaderBallot: "1.1",
    },
  );
  assert.equal(BALLOT, Number(ballotOf(1, 1)));
  assert.equal(nodes[0].logHolder, 7);
  assert.deepEqual(nodes[0].counters, counters);
  assert.deepEqual(nodes[0].drops, { badBody: 2 });
  assert.deepEqual(nodes[0].peers, [
    { role: "acceptor", id: 2, ago_ms: null },
    { role: "learner", id: 7, ago_ms: 3, delivered: 90 },
  ]);
  assert.equal(nodes[2].voting, "unconfirmed");
  assert.equal(nodes[2].promised, null);
});

Deno.test("without a leader JSON says null", () => {
  const what = look([]);
  assert.equal(JSON.parse(statusJson(what, judge(what))).leader, null);
});

Deno.test("every counter is a drop or known to be none", () => {
  const others = [
    ...["received", "receivedBytes", "sent", "sentBytes"],
    ...["duplicateSubmits", "forwarded", "proposed", "retransmitted"],
    ...["accepted", "rejected", "decidedInstances", "deliveredValues"],
    ...["duplicateValues", "repairs", "submitted", "completed", "retries"],
    ...["fetched", "congested", "slowed"],
  ];
  const drops = DROPS.map((counter) => Counter[counter]);
  const all = Array.from({ length: Counter.end }, (_, i) => Counter[i]);
  assert.deepEqual([...others, ...drops].sort(), all.sort());
});
