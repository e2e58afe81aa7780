import assert from "node:assert/strict";
import { StorageCondition, Voting } from "../core/layout.ts";
import { ballotOf } from "../tests/encode.ts";
import { look, replica, seen } from "../tests/status_states.ts";
import type { Seen } from "./status_answers.ts";
import { judge, type Look, named } from "./status_verdict.ts";

const HEALTHY = [replica(1), replica(2), replica(3)];

/** Replicas of which nobody leads, and the leader was heard so long ago. */
function leaderless(silence_ms: number, ...ids: number[]): Seen[] {
  return ids.map((id) =>
    replica(id, { proposerState: 0, leaderSilence_ms: silence_ms })
  );
}

/** The only problem, of a cluster that is not ok. */
function problem(seen: readonly Seen[], rest: Partial<Look> = {}): string {
  const { ok, problems } = judge(look(seen, rest));
  assert.equal(ok, false);
  assert.equal(problems.length, 1, problems.join("\n"));
  return problems[0];
}

/** The only warning, of a cluster that is ok. */
function warning(...nodes: readonly Seen[]): string {
  const { ok, warnings, problems } = judge(look(nodes));
  assert.equal(ok, true, problems.join("\n"));
  assert.equal(warnings.length, 1, warnings.join("\n"));
  return warnings[0];
}

Deno.test("a cluster with a leader and three votes is ok, and there is nothing to say", () => {
  const { ok, leader, voting, quorum, problems, warnings } = judge(
    look(HEALTHY),
  );
  assert.equal(ok, true);
  assert.deepEqual(leader, { id: 1, ballot: Number(ballotOf(1, 1)) });
  assert.deepEqual(voting, [1, 2, 3]);
  assert.equal(quorum, 2);
  assert.deepEqual([...problems, ...warnings], []);
});

Deno.test("a minority that does not answer is a warning", () => {
  assert.equal(
    warning(replica(1), replica(3)),
    "acceptor 2 does not answer",
  );
});

Deno.test("a majority that does not answer is no quorum, and is named", () => {
  assert.equal(
    problem([replica(1)]),
    "no quorum: 1 of 3 acceptors votes, 2 are needed; acceptors 2 and 3 do not answer",
  );
});

Deno.test("acceptors that lost their memory are named", () => {
  assert.equal(
    problem([
      replica(1, { voting: Voting.recovering }),
      replica(2, { voting: Voting.recovering }),
      replica(3),
    ]),
    "no quorum: 1 of 3 acceptors votes, 2 are needed; acceptors 1 and 2 lost their memory",
  );
});

Deno.test("an acceptor that rejoins votes, and is named", () => {
  assert.equal(
    warning(replica(1), replica(2, { voting: Voting.rejoining }), replica(3)),
    "acceptor 2 lost its memory and rejoins: it votes for the leader, and promises nothing yet",
  );
});

Deno.test("acceptors that wait for confirmation are named, and for whom they wait", () => {
  const waits = { voting: Voting.unconfirmed, unconfirmed: 0b100 };
  assert.equal(
    problem([replica(1, waits), replica(2, waits)]),
    "no quorum: 0 of 3 acceptors vote, 2 are needed; " +
      "acceptors 1 and 2 wait until acceptor 3 vouches for them; acceptor 3 does not answer",
  );
});

Deno.test("an acceptor that listens is named", () => {
  const listening = { voting: Voting.listening };
  assert.match(
    warning(replica(1), replica(2), replica(3, listening)),
    /^acceptor 3 started just now and listens first$/,
  );
});

Deno.test("an acceptor whose log is full does not vote, and the learner that holds it is named", () => {
  const full = { logFull: 1, logHolder: 7 };
  assert.equal(
    problem([replica(1), replica(2, full), replica(3, full)]),
    "no quorum: 1 of 3 acceptors votes, 2 are needed; " +
      "the logs of acceptors 2 and 3 are full of what learner 7 has not delivered: let it go on, or stop it",
  );
  assert.match(
    warning(replica(1), replica(2), replica(3, { logFull: 1, logHolder: 0 })),
    /^the log of acceptor 3 is full of instances that are not decided$/,
  );
});

Deno.test("a learner whose storage failed is named, though it lacks nothing", () => {
  const fields = { storage: StorageCondition.failed, delivered: 10 };
  const learner = seen(["learner"], 7, fields);
  assert.equal(
    warning(replica(1), replica(2), replica(3), learner),
    "the storage of learner 7 failed: it delivers, and makes no more checkpoints; its log says why",
  );
});

Deno.test("an acceptor whose storage failed or is full is named, with what to do", () => {
  const failed = { voting: Voting.failed, storage: StorageCondition.failed };
  assert.equal(
    problem([replica(1), replica(2, failed), replica(3, failed)]),
    "no quorum: 1 of 3 acceptors votes, 2 are needed; " +
      "the storage of acceptors 2 and 3 failed: their logs say why",
  );
  const full = { storage: StorageCondition.full, logFull: 1 };
  const one = (holder: number) =>
    warning(replica(1), replica(2), replica(3, { ...full, logHolder: holder }));
  assert.equal(
    one(0),
    "the storage of acceptor 3 is full: give it a larger lmdb-mapsize, or its disk more room",
  );
  assert.equal(
    one(7),
    "the storage of acceptor 3 is full: it holds what learner 7 has not delivered: let that go on, or stop it",
  );
});

Deno.test("without a leader the last one is named, and who does not answer", () => {
  assert.equal(
    problem(leaderless(3210, 1, 2, 3)),
    "no leader: proposer 1 led last and was heard 3.2 s ago",
  );
  assert.equal(
    problem(leaderless(3210, 2, 3)),
    "no leader: proposer 1 does not answer; proposer 1 led last and was heard 3.2 s ago",
  );
  assert.equal(
    problem([1, 2, 3].map((id) =>
      replica(id, {
        proposerState: 0,
        leaderBallot: undefined,
        leaderSilence_ms: undefined,
      })
    )),
    "no leader",
  );
});

Deno.test("a proposer that campaigns is no leader", () => {
  const [first, ...rest] = leaderless(2000, 1, 2, 3);
  const campaigning = replica(1, { ...first.last.fields, proposerState: 1 });
  assert.equal(
    problem([campaigning, ...rest]),
    "no leader: proposer 1 campaigns, and waits for the promises of a majority of acceptors; " +
      "proposer 1 led last and was heard 2.0 s ago",
  );
});

Deno.test("a leader whose answers are lost is known from those that hear it", () => {
  const { ok, leader, warnings } = judge(look([replica(2), replica(3)]));
  assert.equal(ok, true);
  assert.equal(leader?.id, 1);
  assert.deepEqual(warnings, [
    "acceptor 1 does not answer",
    "proposer 1 leads, as others hear, but does not answer",
  ]);
});

Deno.test("of two that believe to lead the higher ballot counts", () => {
  const second = replica(2, {
    proposerState: 2,
    leaderBallot: Number(ballotOf(2, 2)),
  });
  assert.equal(judge(look([replica(1), second, replica(3)])).leader?.id, 2);
  assert.equal(
    warning(replica(1), second, replica(3)),
    "proposer 1 believes to lead too, in the lower ballot 1.1",
  );
});

Deno.test("a full window that does not move is told, one that moves is not", () => {
  const busy = { next: 164, windowUsed: 64, windowSize: 64, queueBytes: 4000 };
  const [, second, third] = HEALTHY;
  assert.match(
    warning(replica(1, busy), second, third),
    /^proposer 1 leads, but decided nothing for 0\.8 s: its window of 64 instances is full; /,
  );
  const fewer = { ...busy, next: 103, windowUsed: 3 };
  assert.match(
    warning(replica(1, fewer), second, third),
    /: 3 instances below 103 are under way; /,
  );
  const moving = replica(1, busy, { before: { decided: 99 } });
  assert.deepEqual(judge(look([moving, second, third])).warnings, []);
  const idle = replica(1, { ...busy, windowUsed: 0, queueBytes: 0 });
  assert.deepEqual(judge(look([idle, second, third])).warnings, []);
});

Deno.test("a learner that nobody reads is named", () => {
  const learner = (
    fields: Seen["last"]["fields"],
    before: Seen["last"]["fields"] = {},
  ) =>
    seen(["learner"], 7, { roles: 4, decided: 100, behind: 0, ...fields }, {
      before,
    });
  assert.equal(
    warning(...HEALTHY, learner({ delivered: 40, paused: 1 })),
    "nobody reads what learner 7 delivers: it stands at instance 40, 60 behind",
  );
  const goesOn = learner({ delivered: 40, paused: 1 }, { delivered: 39 });
  assert.deepEqual(judge(look([...HEALTHY, goesOn])).warnings, []);
  const done = learner({ delivered: 100, paused: 1 });
  assert.deepEqual(judge(look([...HEALTHY, done])).warnings, []);
});

Deno.test("a learner that is far behind is named, and whether it goes on", () => {
  const learner = (before: Seen["last"]["fields"]) =>
    seen(["learner"], 7, { roles: 4, decided: 9000, delivered: 100 }, {
      before,
    });
  assert.equal(
    warning(...HEALTHY, learner({ delivered: 90 })),
    "learner 7 is 8900 instances behind",
  );
  assert.equal(
    warning(...HEALTHY, learner({})),
    "learner 7 is 8900 instances behind and does not go on",
  );
});

Deno.test("a learner that cannot be helped any more is told what to do", () => {
  assert.match(
    warning(...HEALTHY, seen(["learner"], 7, { delivered: 5, behind: 1 })),
    /^learner 7 needs instance 5, which no acceptor has any more: start it anew with --from$/,
  );
  const kept = { delivered: 5, behind: 1, storage: StorageCondition.sound };
  assert.match(
    warning(...HEALTHY, seen(["learner"], 7, kept)),
    /: move its storage away, and start it anew with --from$/,
  );
  assert.match(
    warning(replica(1), replica(2), replica(3, { ...kept, decided: 5 })),
    /^replica 3 needs .*: start a learner beside it, with --from$/,
  );
});

Deno.test("proposers that do not answer are named, unless they were named as acceptors", () => {
  const acceptor = (id: number) =>
    seen(["acceptor"], id, { voting: Voting.votes });
  const leads = seen(["proposer"], 1, HEALTHY[0].last.fields);
  assert.equal(
    warning(leads, acceptor(1), acceptor(2), acceptor(3)),
    "proposers 2 and 3 do not answer",
  );
});

Deno.test("frames of strangers that come now are told with who hears them", () => {
  const counted = (counters: Record<string, number>) => {
    const { first, ...rest } = replica(2, {}, { counters });
    const before = { ...counters, badCluster: 2 };
    return { ...rest, first: { ...first, counters: before } };
  };
  const nodes = (counters: Record<string, number>) => [
    replica(1),
    counted(counters),
    replica(3),
  ];
  assert.equal(
    warning(...nodes({ badCluster: 3, received: 10 })),
    "replica 2 hears frames of another cluster number (3 so far)",
  );
  assert.deepEqual(judge(look(nodes({ badCluster: 2 }))).warnings, []);
  const { first, last, elapsed_us } = replica(2);
  for (
    const [counter, words] of [
      [
        "badVersion",
        /^replica 2 hears .* another version of kpaxos \(1 so far\)$/,
      ],
      ["badSender", /configuration does not name \(1 so far\)$/],
      ["badLength", /cut off, or longer than its MTU \(1 so far\)$/],
      ["badChecksum", /damaged frames \(1 so far\)$/],
      ["forgottenVotes", /restarted without its memory \(1 so far\)$/],
    ] as const
  ) {
    const now = { ...last, counters: { [counter]: 1 } };
    const second = { first, last: now, elapsed_us };
    assert.match(warning(replica(1), second, replica(3)), words);
  }
});

Deno.test("when nobody answers, or the interface is down, that is all there is to say", () => {
  assert.match(problem([]), /^no answer at all on eth0: .* in cluster 1, /);
  const client = seen(["client"], 77, { roles: 8 });
  assert.match(problem([client]), /^no answer at all on eth0/);
  assert.equal(
    problem(HEALTHY, { interfaceDown: true }),
    "interface eth0 is down: ip link set eth0 up",
  );
});

Deno.test("ids are named as in speech", () => {
  assert.equal(named("acceptor", [1]), "acceptor 1");
  assert.equal(named("acceptor", [1, 2]), "acceptors 1 and 2");
  assert.equal(named("acceptor", [1, 2, 30]), "acceptors 1, 2 and 30");
});
