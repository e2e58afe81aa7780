/** Clients and their sessions: opened first, touched when they stand still, and what a client makes of each verdict. */
import assert from "node:assert/strict";
import { Event, Gauge, Role, Verdict } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";
import { decode, type RunFields, typeOf } from "../sim/decode.ts";
import { ballotOf, encode } from "./encode.ts";
import { Rig } from "./rig.ts";
import { verdicts } from "./verdicts.ts";

const SPAN = 1000;

const LEADER = {
  senderRole: "proposer",
  senderId: 1,
  incarnation: 201,
  ballot: ballotOf(1, 1),
} as const;

const heartbeat = (decided: number, leader = LEADER) =>
  encode(leader, {
    type: "heartbeat",
    decided: BigInt(decided),
    next: BigInt(decided),
  });

function makeClient(options = {}): Rig {
  return new Rig({ roles: Role.client, id: 9, sessionSpan: SPAN, ...options });
}

/** A client whose session was opened in instance 1. */
function opened(options = {}): Rig {
  const rig = makeClient(options);
  rig.feed(heartbeat(1));
  rig.feed(verdicts(1000n));
  assert(rig.core.clientRoom(0) > 0);
  return rig;
}

const value = new TextEncoder().encode("value");

function submitted(frames: readonly Uint8Array[]): RunFields[] {
  return frames.filter((frame) => typeOf(frame) === "submit")
    .flatMap((frame) => {
      const { body } = decode(frame);
      return body.type === "submit" ? body.batch : [];
    });
}

/** The commands among what was sent: client, kind, born. */
function commands(frames: readonly Uint8Array[]): string[] {
  return submitted(frames).filter(({ first }) => first === 0n).map(
    ({ client, values: [bytes] }) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const kind = view.getUint32(8, true) === 1 ? "open" : "close";
      const reserves = view.getUint32(12, true) === 1 ? " with room" : "";
      return `${kind} ${client} born ${view.getBigUint64(0, true)}${reserves}`;
    },
  );
}

/** The sequence numbers that the last step completed. */
function completed(rig: Rig): number[] {
  const sequences: number[] = [];
  rig.core.eachCompletion((_client, sequence) => sequences.push(sequence));
  return sequences;
}

const answer = (decided: number, sequence = 1n) =>
  encode({ ...LEADER, receiverRoles: ["client"] }, {
    type: "answer",
    decided: BigInt(decided),
    answered: [{ client: 1000n, first: sequence, count: 1 }],
  });

Deno.test("a client has no room before its session is open, and asks for it at growing intervals", () => {
  const rig = makeClient();
  assert.deepEqual(commands(rig.feed()), [], "no leader is known");
  assert.equal(rig.core.clientRoom(0), 0);
  assert.equal(rig.core.gauge(Gauge.sessionsPending), 1);
  assert.deepEqual(commands(rig.feed(heartbeat(7))), ["open 1000 born 7"]);
  const asked: number[] = [rig.now_us];
  while (rig.now_us < 4_000_000) {
    rig.now_us += 5000;
    const sent = commands(rig.feed(heartbeat(9)));
    if (sent.length === 0) continue;
    assert.deepEqual(sent, ["open 1000 born 7"], "the same one");
    asked.push(rig.now_us);
  }
  const gaps = asked.slice(1).map((at, i) => at - asked[i]);
  assert(gaps[0] < 60_000 && Math.max(...gaps) > 900_000, `${gaps}`);
  assert(gaps.every((gap, i) => i === 0 || gap >= gaps[i - 1]), `${gaps}`);
  rig.feed(verdicts(1000n, { instance: 8n }));
  assert(rig.core.clientRoom(0) > 0);
  assert.equal(rig.core.gauge(Gauge.sessionsPending), 0);
});

Deno.test("a client that insists on a proposer learns from an ok what is decided, and opens then", () => {
  const rig = makeClient({ proposer: 2 });
  assert.deepEqual(commands(rig.feed()), []);
  const sent = rig.feed(encode(
    {
      senderRole: "acceptor",
      senderId: 2,
      incarnation: 102,
      ballot: BigInt(rig.options.incarnation),
    },
    { type: "ok", decided: 5n, trimmed: 1n, next: 5n },
  ));
  assert.deepEqual(commands(sent), ["open 1000 born 5"]);
});

Deno.test("the commands of 128 virtual clients travel together", () => {
  const rig = makeClient({ clients: 128, outstanding: 1, mtu: 1500 });
  const frames = rig.feed(heartbeat(1));
  assert.equal(commands(frames).length, 128);
  assert.equal(frames.filter((it) => typeOf(it) === "submit").length, 4);
  rig.feed(verdicts(1000n, { clients: 50 }), verdicts(1050n, { clients: 14 }));
  assert.equal(rig.core.gauge(Gauge.sessionsPending), 64);
});

Deno.test("a client asks the new leader again at once", () => {
  const rig = makeClient();
  rig.feed(heartbeat(1));
  const other = {
    ...LEADER,
    senderId: 2,
    incarnation: 202,
    ballot: ballotOf(2, 2),
  } as const;
  const sent = rig.feed(encode(other, {
    type: "heartbeat",
    decided: 1n,
    next: 1n,
  }));
  assert.deepEqual(commands(sent), ["open 1000 born 1"]);
});

Deno.test("a client that stands still touches its session when a quarter of the span has passed", () => {
  const rig = opened();
  assert.deepEqual(commands(rig.feed(heartbeat(1 + SPAN / 4 - 1))), []);
  const sent = rig.feed(heartbeat(1 + SPAN / 4));
  assert.deepEqual(commands(sent), ["open 1000 born 1"], "born stays");
  rig.feed(verdicts(1000n, { instance: 260n }));
  assert.deepEqual(commands(rig.feed(heartbeat(509))), []);
  assert.deepEqual(commands(rig.feed(heartbeat(510))), ["open 1000 born 1"]);
});

Deno.test("an answer from where the session may have been gone counts only when a learner tells that it was there", () => {
  const rig = opened();
  rig.core.submit(0, value, rig.now_us);
  rig.feed();
  rig.feed(answer(SPAN + 2));
  assert.deepEqual(completed(rig), [], "decided beyond what is safe");
  rig.feed(answer(SPAN + 1));
  assert.deepEqual(completed(rig), [1], "all below 1 + span is safe");

  rig.core.submit(0, value, rig.now_us);
  assert.deepEqual(commands(rig.feed(heartbeat(3 * SPAN))), [
    "open 1000 born 1",
  ]);
  rig.feed(verdicts(1000n, { instance: BigInt(3 * SPAN) }));
  rig.feed(answer(3 * SPAN + 2, 2n));
  assert.deepEqual(completed(rig), [2]);
});

Deno.test("when the session expired, the client says so, sends nothing more, and completes nothing", () => {
  const rig = opened();
  rig.core.submit(0, value, rig.now_us);
  rig.feed();
  rig.feed(verdicts(1000n, { instance: 5000n, verdict: Verdict.expired }));
  assert.deepEqual(
    rig.events().filter(({ code }) => code === Event.sessionExpired)
      .map(({ large }) => large),
    [1000n],
  );
  assert.equal(rig.core.clientRoom(0), 0);
  for (let n = 0; n < 20; n++) {
    assert.deepEqual(submitted(rig.wait(100_000)), []);
    rig.feed(heartbeat(5000 + n), answer(5000 + n));
    assert.deepEqual(completed(rig), []);
    assert.deepEqual(rig.events(), [], "once");
  }
});

Deno.test("a client that was refused before it had a session comes as a new one, and ignores older verdicts", () => {
  const rig = makeClient();
  rig.feed(heartbeat(3));
  const expired = verdicts(1000n, {
    instance: 20n,
    verdict: Verdict.expired,
  });
  assert.deepEqual(commands(rig.feed(expired)), ["open 1000 born 21"]);
  // A session that it had before that refusal is gone.
  rig.feed(verdicts(1000n, { instance: 10n }));
  assert.equal(rig.core.clientRoom(0), 0);
  rig.feed(expired);
  rig.feed(verdicts(1000n, { instance: 22n }));
  assert(rig.core.clientRoom(0) > 0);
  rig.feed(verdicts(1000n, { instance: 21n, verdict: Verdict.full }), expired);
  assert(rig.core.clientRoom(0) > 0, "told of the past");
  assert.deepEqual(rig.events(), []);
});

Deno.test("a client for which there is no room says so", () => {
  const rig = makeClient();
  rig.feed(heartbeat(3));
  rig.feed(verdicts(1000n, { instance: 9n, verdict: Verdict.full }));
  assert.deepEqual(
    rig.events().filter(({ code }) => code === Event.sessionFull)
      .map(({ large }) => large),
    [1000n],
  );
});

Deno.test("a client asks for room when it has a large value, and its chunks say where they belong", () => {
  const rig = opened({ outstanding: 8 });
  assert(!rig.core.hasLargeRoom(0));
  assert.deepEqual(commands(rig.feed()), ["open 1000 born 1 with room"]);
  rig.feed(verdicts(1000n, { instance: 2n }));
  assert(!rig.core.hasLargeRoom(0), "of an earlier command");
  rig.feed(verdicts(1000n, { instance: 3n, hasRoom: true }));
  assert(rig.core.hasLargeRoom(0));
  rig.core.submit(0, value, rig.now_us);
  const large = new Uint8Array(600).fill(7);
  rig.core.submitChunk(0, large.subarray(0, 380), 600, 0, rig.now_us);
  rig.core.submitChunk(0, large.subarray(380), 600, 380, rig.now_us);
  const runs = submitted(rig.feed());
  assert.deepEqual(
    runs.flatMap(({ first, values, chunks }) =>
      values.map((bytes, i) => [
        Number(first) + i,
        chunks?.includes(i) === true,
        bytes.length,
        ...chunks?.includes(i)
          ? new Uint32Array(bytes.slice(0, 16).buffer)
          : [],
      ])
    ),
    [
      [1, false, 5],
      [2, true, 396, 600, 0, 2, 0],
      [3, true, 236, 600, 380, 2, 0],
    ],
  );
});

Deno.test("a client that leaves closes its sessions", () => {
  const rig = makeClient({ clients: 3 });
  rig.feed(heartbeat(4));
  rig.feed(verdicts(1000n, { clients: 2, instance: 4n }));
  rig.core.leave();
  assert.deepEqual(commands(rig.sent()), [
    "close 1000 born 4",
    "close 1001 born 4",
  ]);
});

Deno.test("a client that was away until its session expired is told so, and nobody delivers its values twice", () => {
  const cluster = new Cluster(12, { sessions: 2, sessionSpan: 64 });
  cluster.addReplicas([1, 2, 3]);
  const away = cluster.add({
    roles: Role.client,
    id: 8,
    firstClient: 10n,
    values: 40,
    pace_us: 5000,
    outstanding: 4,
  });
  const busy = cluster.add({
    roles: Role.client,
    id: 9,
    firstClient: 20n,
    values: 100_000,
    outstanding: 1,
  });
  cluster.must("a few", 3_000_000, () => away.acknowledged.size > 10);
  away.frozen = true;
  const before = busy.acknowledged.size;
  cluster.must(
    "the log moves on",
    10_000_000,
    () => busy.acknowledged.size > before + 200,
  );
  const late = cluster.add({
    roles: Role.client,
    id: 10,
    firstClient: 30n,
    values: 5,
  });
  cluster.must("it takes the place", 3_000_000, () => late.unanswered === 0);
  away.frozen = false;
  cluster.must(
    "it is told",
    3_000_000,
    () => away.noted(Event.sessionExpired).length > 0,
  );
  busy.values = 0;
  cluster.run(2_000_000);
  cluster.checkSafety();
  const [learner] = cluster.nodes;
  const keys = new Set(
    learner.delivered.map(({ client, sequence }) => `${client}/${sequence}`),
  );
  for (const key of away.acknowledged) assert(keys.has(key), key);
});
