/** What a node says while nobody wants anything: little, and when it is awake anyway. */
import assert from "node:assert/strict";
import { Role } from "../core/layout.ts";
import { decode, typeOf } from "../sim/decode.ts";
import { ballotOf, encode } from "./encode.ts";
import { Rig } from "./rig.ts";

const START_US = 1_000_000;

const heartbeat = (decided: bigint) =>
  encode({
    senderRole: "proposer",
    senderId: 1,
    incarnation: 201,
    ballot: ballotOf(1, 1),
  }, { type: "heartbeat", decided, next: decided });

/** The times, in ms from now on, at which `rig` says hi while it is woken each `period_ms`. */
function hiTimes(rig: Rig, period_ms: number, frames: Uint8Array[]): number[] {
  const times: number[] = [];
  for (let now_ms = period_ms; now_ms <= 1000; now_ms += period_ms) {
    rig.now_us += period_ms * 1000;
    if (rig.feed(...frames).some((it) => typeOf(it) === "hi")) {
      times.push(now_ms);
    }
  }
  return times;
}

function makeLearner(): Rig {
  const rig = new Rig({ roles: Role.learner, id: 4, from: 1n }, START_US);
  assert.deepEqual(rig.feed().map(typeOf), ["hi"]);
  return rig;
}

Deno.test("a learner that has told all it knows renews five times in the length of a lease", () => {
  assert.deepEqual(hiTimes(makeLearner(), 1, [heartbeat(1n)]).slice(0, 3), [
    170,
    340,
    510,
  ]);
});

Deno.test("a learner that misses something says hi ten times in the length of a lease", () => {
  assert.deepEqual(hiTimes(makeLearner(), 1, [heartbeat(2n)]).slice(0, 3), [
    70,
    140,
    210,
  ]);
});

Deno.test("a learner with the shortest lease does not say hi at each step", () => {
  const rig = new Rig({
    roles: Role.learner,
    id: 4,
    from: 1n,
    learnerLease_us: 100_000,
  }, START_US);
  rig.feed();
  assert.deepEqual(hiTimes(rig, 1, [heartbeat(2n)]).slice(0, 3), [5, 10, 15]);
});

Deno.test("a learner that nobody wakes renews when its lease demands it, not before", () => {
  const rig = makeLearner();
  assert.equal(rig.due_us, START_US + 100_000);
  rig.now_us = rig.due_us;
  assert.deepEqual(rig.feed(), []);
  assert.equal(rig.due_us, START_US + 200_000);
  rig.now_us = rig.due_us;
  assert.deepEqual(rig.feed().map(typeOf), ["hi"]);
});

Deno.test("an acceptor says hi when a heartbeat wakes it, and needs no waking of its own", () => {
  const rig = new Rig({ roles: Role.acceptor, id: 2 }, START_US);
  rig.feed();
  rig.wait(100_000);
  for (let n = 1; n <= 40; n++) {
    assert(rig.due_us >= rig.now_us + 25_000, `it wakes before heartbeat ${n}`);
    rig.now_us += 25_000;
    rig.feed(heartbeat(1n));
  }
});

Deno.test("an acceptor answers a learner that is behind it, and no other", () => {
  const rig = new Rig({ roles: Role.acceptor, id: 2 }, START_US);
  rig.feed();
  rig.wait(100_000);
  rig.feed(heartbeat(5n));
  const answered = (delivered: bigint) =>
    rig.feed(
      encode({ senderRole: "learner", senderId: 4, incarnation: 904 }, {
        type: "hi",
        delivered,
      }),
    ).map(decode).filter(({ body }) => body.type === "ok").length;
  assert.equal(answered(0n), 1, "it does not know where to begin");
  assert.equal(answered(4n), 1, "it misses one");
  assert.equal(answered(5n), 0);
  assert.equal(answered(6n), 0);
});
