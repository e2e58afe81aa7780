/** Clients: they find the leader or insist on a proposer, repeat what is unanswered, and keep their limits. */
import assert from "node:assert/strict";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";
import { decode, type RunFields, typeOf } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { leading } from "./leader.ts";
import { Rig } from "./rig.ts";
import { verdicts } from "./verdicts.ts";

Deno.test("a client that insists on a proposer is served by whoever leads, whichever it names", () => {
  for (const named of [1, 2, 3]) {
    const cluster = new Cluster(named);
    const replicas = cluster.addReplicas([1, 2, 3]);
    const client = cluster.add({
      roles: Role.client,
      id: 9,
      values: 300,
      proposer: named,
    });
    cluster.finish(3_000_000);
    assert.equal(client.acknowledged.size, 300);
    replicas.forEach((replica, i) => {
      const forwards = replica.counter(Counter.forwarded) > 0;
      assert.equal(forwards, i + 1 === named && named !== 1);
    });
  }
});

Deno.test("values of a client that insists on a proposer wait until that one hears a leader", () => {
  const cluster = new Cluster(4);
  for (const id of [1, 2, 3]) cluster.add({ roles: Role.acceptor, id });
  cluster.add({ roles: Role.learner, id: 8 });
  const named = cluster.add({ roles: Role.proposer, id: 2 });
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    values: 50,
    proposer: 2,
  });
  cluster.run(1_000_000);
  assert(named.counter(Counter.noLeader) > 0);
  assert.equal(client.acknowledged.size, 0);
  cluster.add({ roles: Role.proposer, id: 1 });
  cluster.finish(5_000_000);
  assert.equal(client.acknowledged.size, 50);
});

Deno.test("a hundred virtual clients keep each its own values in flight, and no more", () => {
  const cluster = new Cluster(5);
  cluster.addReplicas([1, 2, 3]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    clients: 100,
    outstanding: 3,
    values: 40,
  });
  let most = 0;
  const watch = () => {
    most = Math.max(most, client.gauge(Gauge.inFlightValues));
    return cluster.finished();
  };
  cluster.must("all is done", 10_000_000, watch);
  cluster.checkSafety();
  assert.equal(client.acknowledged.size, 4000);
  assert.equal(most, 300);
});

Deno.test("a client that hears hardly anything is told by the leader what is decided", () => {
  const cluster = new Cluster(6);
  cluster.addReplicas([1, 2, 3]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    values: 100,
    outstanding: 4,
  });
  let answers = 0;
  cluster.network.tap = (_, bytes) => {
    if (typeOf(bytes) === "answer") answers++;
  };
  cluster.faults.partition = (from, to) =>
    to === client.nic && cluster.random.chance(from.options.id === 1 ? 0.7 : 1);
  cluster.finish(60_000_000);
  assert(answers > 20, `${answers} answers`);
  assert(client.counter(Counter.retries) > 20);
});

const LEADER = {
  senderRole: "proposer",
  senderId: 1,
  incarnation: 201,
  ballot: ballotOf(1, 1),
} as const;

const HEARTBEAT = encode(LEADER, { type: "heartbeat", decided: 1n, next: 1n });

/** A client on the bench that knows the leader. */
function makeClient(options = {}): Rig {
  const rig = new Rig({ roles: Role.client, id: 9, ...options });
  rig.feed(HEARTBEAT);
  rig.feed(verdicts(1000n, { clients: rig.options.clients }));
  return rig;
}

function submitted(frames: Uint8Array[]): RunFields[] {
  return frames.filter((frame) => typeOf(frame) === "submit").flatMap(
    (frame) => {
      const { body } = decode(frame);
      return body.type === "submit" ? body.batch : [];
    },
  );
}

const bytes = new TextEncoder();

Deno.test("an unanswered value is sent again at growing intervals, the client's timeout at most", () => {
  const rig = makeClient();
  rig.core.submit(0, bytes.encode("value"), rig.now_us);
  const sent: number[] = [];
  while (rig.now_us < 6_000_000) {
    const frames = rig.wait(5000);
    for (const { client, first, values } of submitted(frames)) {
      assert.equal(`${client} ${first} ${values.length}`, "1000 1 1");
      sent.push(rig.now_us);
    }
    // The leader is there, and does not answer.
    rig.feed(HEARTBEAT);
  }
  const gaps = sent.slice(1).map((at, i) => at - sent[i]);
  assert(gaps.length >= 5, `${gaps}`);
  gaps.forEach((gap, i) => {
    assert(gap <= 1_010_000, `waited ${gap} µs`);
    if (i > 0) assert(gap >= gaps[i - 1] - 10_000, `${gaps}`);
  });
});

Deno.test("an answer completes what it names, once, and nothing else", () => {
  const rig = makeClient({ clients: 2, outstanding: 4 });
  for (const client of [0, 0, 0, 1]) {
    rig.core.submit(client, bytes.encode("value"), rig.now_us);
  }
  rig.feed();
  rig.now_us += 700;
  const answer = encode({ ...LEADER, receiverRoles: ["client"] }, {
    type: "answer",
    decided: 10n,
    answered: [
      { client: 1000n, first: 2n, count: 1 },
      { client: 1000n, first: 3n, count: 9 },
      { client: 1002n, first: 1n, count: 1 },
      { client: 999n, first: 1n, count: 1 },
    ],
  });
  const completed: unknown[] = [];
  for (let n = 0; n < 2; n++) {
    rig.feed(answer);
    rig.core.eachCompletion((...completion) => completed.push(completion));
  }
  assert.deepEqual(completed, [[0, 2, 700], [0, 3, 700]]);
  assert.equal(rig.core.clientRoom(0), 3);
  assert.equal(rig.core.clientRoom(1), 3);
});

Deno.test("values that were submitted together leave together, in runs of one client each", () => {
  const rig = makeClient({ clients: 2, outstanding: 8 });
  for (const client of [0, 0, 0, 1, 1, 0]) {
    rig.core.submit(client, bytes.encode("value"), rig.now_us);
  }
  const runs = submitted(rig.feed());
  assert.deepEqual(
    runs.map(({ client, first, values }) =>
      `${client}/${first}+${values.length}`
    ),
    ["1000/1+3", "1001/1+2", "1000/4+1"],
  );
});

/** How many values the client has sent and not heard of, of those it submits all the time. */
function inNetwork(rig: Rig, submits: number): number {
  for (let n = 0; n < submits; n++) {
    if (rig.core.clientRoom(0) === 0) break;
    rig.core.submit(0, bytes.encode("v".repeat(80)), rig.now_us);
  }
  return submitted(rig.feed()).reduce((sum, run) => sum + run.values.length, 0);
}

/** The leader's word that the client's values `first` to `last` are decided. */
function answer(first: number, last: number): Uint8Array {
  return encode({ ...LEADER, receiverRoles: ["client"] }, {
    type: "answer",
    decided: 10n,
    answered: [{
      client: 1000n,
      first: BigInt(first),
      count: last - first + 1,
    }],
  });
}

/** A 2A of somebody else's value, which says how the leader's queue is. */
function accept(instance: bigint, congested: boolean): Uint8Array {
  return encode(LEADER, {
    type: "accept",
    decided: instance,
    instance,
    congested,
    batch: [run(7n, Number(instance), "other")],
  });
}

Deno.test("a client keeps a window in the network, twice as large each round trip until the queue is long", () => {
  const rig = makeClient({ outstanding: 4096 });
  let sent = inNetwork(rig, 4096);
  const first = sent;
  assert(first > 32 && first < 1000, `${first} at first`);
  let done = 0;
  const round = (instance: bigint, congested: boolean): number => {
    rig.now_us += 500;
    const upTo = sent;
    const fed = rig.feed(answer(done + 1, upTo), accept(instance, congested));
    done = upTo;
    const more = submitted(fed).reduce((sum, r) => sum + r.values.length, 0);
    sent += more + inNetwork(rig, 4096);
    return sent - done;
  };
  const second = round(1n, false);
  assert(second > first * 1.8, `${first} values, then ${second}`);
  const third = round(2n, false);
  assert(third > second * 1.8, `${second} values, then ${third}`);
  // What was answered made it larger once more, and then the word made it smaller.
  const fourth = round(3n, true);
  assert(fourth < third * 1.8, `${third} values, told to send less ${fourth}`);
  const fifth = round(4n, true);
  assert(fifth < fourth, `${fourth} values, told again ${fifth}`);
  const sixth = round(5n, false);
  const grown = sixth - fifth;
  assert(
    grown >= 0 && grown < fifth / 8,
    `${fifth} values, told no more ${sixth}`,
  );
  assert.equal(rig.core.counter(Counter.slowed), 2);
  assert.equal(rig.core.counter(Counter.retries), 0);
});

Deno.test("a client begins with a new leader as if it had never been slowed down", () => {
  const rig = makeClient({ outstanding: 4096 });
  const first = inNetwork(rig, 4096);
  const firstBytes = rig.core.gauge(Gauge.paceBytes);
  rig.feed(accept(1n, true));
  assert(rig.core.gauge(Gauge.paceBytes) < firstBytes);
  const other = { ...LEADER, senderId: 2, incarnation: 202 };
  const frames = rig.feed(encode(
    { ...other, ballot: ballotOf(2, 2), source: "02:00:00:00:00:22" },
    { type: "heartbeat", decided: 2n, next: 2n },
  ));
  assert.equal(rig.core.gauge(Gauge.paceBytes), firstBytes);
  const again = submitted(frames).reduce((sum, r) => sum + r.values.length, 0);
  assert.equal(again, first);
});

/** A client that knows of a round trip of 1 ms, and waits for the answers to 20 values for 3 ms already. */
function makeWaiting(): ReturnType<typeof makeClient> {
  const rig = makeClient({ outstanding: 64 });
  const submit = (values: number) => {
    for (let n = 0; n < values; n++) {
      rig.core.submit(0, bytes.encode("v".repeat(80)), rig.now_us);
    }
    rig.feed();
  };
  submit(1);
  rig.now_us += 1000;
  rig.feed(answer(1, 1));
  submit(20);
  rig.wait(3000);
  return rig;
}

Deno.test("an answer to what was sent twice makes nobody believe that the rest is lost", () => {
  const rig = makeWaiting();
  const probed = rig.core.counter(Counter.retries);
  assert(probed > 0 && probed < 10, `${probed} sent again to see`);
  rig.now_us += 900;
  rig.feed(answer(2, 5));
  rig.wait(50);
  rig.feed(answer(6, 21));
  rig.wait(5000);
  assert.equal(rig.core.counter(Counter.retries), probed);
  assert.equal(rig.core.gauge(Gauge.inFlightValues), 0);
});

Deno.test("where an answer to what was sent twice is followed by none, the rest was lost", () => {
  const rig = makeWaiting();
  const probed = rig.core.counter(Counter.retries);
  rig.now_us += 900;
  rig.feed(answer(2, 1 + probed));
  rig.wait(500);
  assert.equal(rig.core.counter(Counter.retries), probed);
  rig.wait(600);
  assert.equal(rig.core.counter(Counter.retries), 20);
});

Deno.test("a client turns to a new leader with all that is unanswered", () => {
  const rig = makeClient();
  rig.core.submit(0, bytes.encode("value"), rig.now_us);
  assert.equal(submitted(rig.feed()).length, 1);
  const other = { ...LEADER, senderId: 2, incarnation: 202 };
  const frames = rig.feed(encode(
    { ...other, ballot: ballotOf(2, 2), source: "02:00:00:00:00:22" },
    { type: "heartbeat", decided: 1n, next: 1n },
  ));
  const [frame] = frames.filter((sent) => typeOf(sent) === "submit");
  assert.equal(decode(frame).receiverId, 2);
  assert.equal(decode(frame).destination, "02:00:00:00:00:22");
});

Deno.test("a value too large for a batch does not stand in the way of those behind it", () => {
  const { rig } = leading();
  const submit = (sequence: number, value: string) =>
    encode({ senderRole: "client", senderId: 9, incarnation: 901 }, {
      type: "submit",
      batch: [run(5n, sequence, value)],
    });
  // 440 bytes fit a submit within the MTU of 512, but no 2A.
  const values = ["before", "x".repeat(440), "after"];
  const proposed = values.flatMap((value, i) =>
    rig.feed(submit(i + 1, value)).map((frame) => decode(frame).body)
      .flatMap((body) => body.type === "accept" ? body.batch : [])
  );
  assert.deepEqual(proposed, [run(5n, 1, "before"), run(5n, 3, "after")]);
});
