/** Learners: registration, leases, what holds back the log, catching up, and falling behind. */
import assert from "node:assert/strict";
import type { CoreOptions } from "../core/core.ts";
import {
  Counter,
  Event,
  Gauge,
  Role,
  WINDOW_INSTANCES,
} from "../core/layout.ts";
import { Cluster, type NodeSpec, type TestNode } from "./cluster.ts";
import { decode, typeOf } from "../sim/decode.ts";
import { ballotOf, command, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

const LOG_BYTES = 1 << 17;

/** A proposer, three acceptors with a small log, and a client that goes on until it is stopped. */
function makeStream(
  seed: number,
  client: Partial<NodeSpec> = {},
  options: Partial<CoreOptions> = {},
) {
  const cluster = new Cluster(seed, { logBytes: LOG_BYTES, ...options });
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  const source = cluster.add({
    roles: Role.client,
    id: 1,
    values: 1_000_000,
    outstanding: 8,
    padBytes: 200,
    ...client,
  });
  return {
    cluster,
    acceptors,
    proposer,
    client: source,
    learner: (id: number, spec: Partial<NodeSpec> = {}) =>
      cluster.add({ roles: Role.learner, id, ...spec }),
    /** No further values; everything that is under way ends. */
    stop() {
      source.values = source.submitted;
    },
  };
}

/** A client that leaves time for other things. */
const SLOW = { outstanding: 1 };

const trimmed = (node: TestNode) => node.gauge(Gauge.trimmed);

Deno.test("an acceptor trims only what every registered learner has delivered", () => {
  const { cluster, acceptors, learner, stop } = makeStream(1);
  const learners = [learner(1), learner(2)];
  let trims = 0;
  const check = () => {
    for (const acceptor of acceptors) {
      const low = trimmed(acceptor);
      if (low > 1) trims++;
      for (const node of learners) {
        assert(
          low <= Math.max(node.gauge(Gauge.delivered), 1),
          `trimmed to ${low}, learner ${node.options.id} is at ${
            node.gauge(Gauge.delivered)
          }`,
        );
      }
    }
    return false;
  };
  cluster.faults.loss = 0.05;
  cluster.run(3_000_000, check);
  assert(trims > 0, "nothing was ever trimmed");
  stop();
  cluster.finish(20_000_000);
});

Deno.test("a learner that takes nothing holds the log until it is full, and the cluster goes on when it resumes", () => {
  const { cluster, acceptors, client, learner, stop } = makeStream(2);
  const slow = learner(1);
  const quick = learner(2);
  cluster.run(500_000);
  slow.paused = true;
  cluster.run(2_000_000);
  const answered = client.acknowledged.size;
  assert(acceptors.every((acceptor) => acceptor.counter(Counter.logFull) > 0));
  for (const acceptor of acceptors) {
    const [note] = acceptor.noted(Event.logFull);
    assert.equal(note.small, 1, "the note names the learner");
    assert(trimmed(acceptor) <= slow.gauge(Gauge.delivered));
  }
  cluster.run(1_000_000);
  assert.equal(client.acknowledged.size, answered, "still full");
  slow.paused = false;
  cluster.must(
    "it goes on",
    10_000_000,
    () => client.acknowledged.size > answered + 500,
  );
  stop();
  cluster.finish(20_000_000);
  assert.equal(slow.delivered.length, quick.delivered.length);
});

for (
  const [how, event, limit_us] of [
    ["says bye", Event.learnerBye, 10_000],
    ["dies and lets its lease run out", Event.learnerGone, 6_000_000],
  ] as const
) {
  Deno.test(`a learner that ${how} holds nothing back any more`, () => {
    const { cluster, acceptors, client, learner } = makeStream(3);
    const slow = learner(1);
    cluster.run(300_000);
    slow.paused = true;
    cluster.run(1_500_000);
    const answered = client.acknowledged.size;
    assert(acceptors.every((node) => node.counter(Counter.logFull) > 0));
    if (event === Event.learnerBye) slow.leave();
    else slow.kill();
    cluster.must(
      "every acceptor notes it",
      limit_us,
      () => acceptors.every((node) => node.noted(event).length === 1),
    );
    cluster.must(
      "the cluster goes on",
      3_000_000,
      () => client.acknowledged.size > answered + 500,
    );
  });
}

Deno.test("a learner that lives and does not go on is left behind when patience ends, and says so when it is read again", () => {
  const { cluster, acceptors, client, learner } = makeStream(11, {}, {
    learnerPatience_us: 3_000_000,
  });
  const stuck = learner(1);
  const quick = learner(2);
  cluster.run(300_000);
  stuck.paused = true;
  cluster.run(2_500_000);
  const answered = client.acknowledged.size;
  assert(acceptors.every((node) => node.counter(Counter.logFull) > 0));
  assert(acceptors.every((node) => node.noted(Event.leftBehind).length === 0));
  cluster.must(
    "the cluster goes on",
    3_000_000,
    () => client.acknowledged.size > answered + 500,
  );
  const left = acceptors.flatMap((node) => node.noted(Event.leftBehind));
  assert(left.length >= 2, "a majority gave it up");
  for (const { small, large } of left) {
    assert.equal(small, 1, "the one that takes nothing, not the quick one");
    assert(Number(large) <= stuck.gauge(Gauge.delivered));
  }
  assert.deepEqual(quick.noted(Event.behindTrim), []);
  // What it has in its window it still delivers; it must be further behind than that.
  const end = stuck.gauge(Gauge.delivered) + WINDOW_INSTANCES;
  cluster.must(
    "nobody has what comes behind its window",
    10_000_000,
    () => acceptors.every((node) => trimmed(node) > end),
  );
  stuck.paused = false;
  cluster.must(
    "it says that it is behind",
    5_000_000,
    () => stuck.noted(Event.behindTrim).length === 1,
  );
});

Deno.test("an acceptor whose clock jumps gives up no learner for that", () => {
  const { cluster, acceptors, learner } = makeStream(12);
  const stuck = learner(1);
  cluster.run(300_000);
  stuck.paused = true;
  cluster.must(
    "every log is full",
    5_000_000,
    () => acceptors.every((node) => node.counter(Counter.logFull) > 0),
  );
  for (const acceptor of acceptors) acceptor.jump(3_600_000_000);
  cluster.run(500_000);
  for (const acceptor of acceptors) {
    assert.deepEqual(acceptor.noted(Event.learnerGone), []);
    assert.deepEqual(acceptor.noted(Event.leftBehind), []);
    assert(trimmed(acceptor) <= stuck.gauge(Gauge.delivered));
  }
});

Deno.test("when full logs have room again, what waited is decided at once", () => {
  const { cluster, acceptors, client, learner } = makeStream(13);
  const slow = learner(1);
  cluster.run(300_000);
  slow.paused = true;
  cluster.run(4_000_000);
  const answered = client.acknowledged.size;
  assert(acceptors.every((node) => node.counter(Counter.logFull) > 0));
  assert(
    acceptors.every((node) =>
      node.gauge(Gauge.logFilledBytes) > node.gauge(Gauge.logTotalBytes) * 0.9
    ),
  );
  slow.leave();
  cluster.must(
    "all that was in flight is decided, and more",
    50_000,
    () => client.acknowledged.size > answered + client.options.outstanding,
  );
});

Deno.test("a learner registers with an acceptor that starts later than it, by renewing", () => {
  const cluster = new Cluster(4);
  cluster.add({ roles: Role.learner, id: 7 });
  cluster.run(2_000_000);
  const acceptor = cluster.add({ roles: Role.acceptor, id: 1 });
  cluster.must(
    "registered",
    1_000_000,
    () => acceptor.noted(Event.learnerHi).some(({ small }) => small === 7),
  );
});

Deno.test("a learner that starts late catches up in bulk, and asks no more often than it must", () => {
  const cluster = new Cluster(5, { logBytes: 8 << 20 });
  for (const id of [1, 2, 3]) cluster.add({ roles: Role.acceptor, id });
  cluster.add({ roles: Role.proposer, id: 1 });
  const client = cluster.add({
    roles: Role.client,
    id: 1,
    values: 6000,
    padBytes: 200,
    outstanding: 16,
  });
  cluster.openSessions();
  cluster.must(
    "all is decided",
    20_000_000,
    () => client.acknowledged.size === 6000,
  );
  const late = cluster.add({ roles: Role.learner, id: 1 });
  const instances = cluster.nodes[3].gauge(Gauge.decided) - 1;
  assert(instances > 2500, `${instances} instances`);
  cluster.must(
    "it has everything",
    2_000_000,
    () => late.delivered.length === 6000,
  );
  // One answer holds up to 64 frames, each with at least one instance here.
  const repairs = late.counter(Counter.repairs);
  assert(repairs < instances / 50, `${repairs} repairs of ${instances}`);
  cluster.checkSafety();
  cluster.checkFrames();
});

Deno.test("a learner that starts late catches up in bulk though a fifth of all frames is lost and one acceptor alone hears it", () => {
  const { cluster, acceptors, client, learner, stop } = makeStream(14, {
    outstanding: 2,
  }, { logBytes: 8 << 20 });
  // Somebody must deliver for the client to have its session.
  learner(2);
  cluster.must(
    "something to catch up with",
    20_000_000,
    () => client.acknowledged.size > 5000,
  );
  cluster.faults.loss = 0.2;
  const late = learner(1);
  const deaf = [acceptors[1].nic, acceptors[2].nic];
  cluster.faults.partition = (from, to) =>
    from === late.nic && deaf.includes(to);
  const before = client.acknowledged.size;
  cluster.must(
    "it has caught up",
    8_000_000,
    () => late.delivered.length >= before,
  );
  cluster.faults.partition = () => false;
  stop();
  cluster.finish(30_000_000);
});

Deno.test("a learner that starts late catches up while the stream goes on with loss", () => {
  const { cluster, learner, stop } = makeStream(6, { outstanding: 2 });
  cluster.faults.loss = 0.1;
  learner(1);
  cluster.run(100_000);
  learner(2);
  cluster.run(1_000_000);
  stop();
  cluster.finish(30_000_000);
});

Deno.test("a learner that asks for what every acceptor has trimmed says that it is behind", () => {
  const { cluster, acceptors, learner } = makeStream(7, SLOW);
  cluster.openSessions();
  cluster.must(
    "every log is trimmed",
    5_000_000,
    () => acceptors.every((node) => trimmed(node) > 100),
  );
  const late = learner(1);
  cluster.must(
    "it is behind",
    5_000_000,
    () => late.noted(Event.behindTrim).length > 0,
  );
  const [note] = late.noted(Event.behindTrim);
  const lowest = Math.min(...acceptors.map(trimmed));
  assert(note.large > 100n && Number(note.large) <= lowest);
  assert.deepEqual(late.delivered, []);
  cluster.run(3_000_000);
  assert.equal(late.noted(Event.behindTrim).length, 1, "once is enough");
});

Deno.test("a learner that is behind for ever does not stop the cluster", () => {
  const { cluster, acceptors, client, learner } = makeStream(8, SLOW);
  cluster.openSessions();
  cluster.must(
    "every log is trimmed",
    5_000_000,
    () => acceptors.every((node) => trimmed(node) > 100),
  );
  const late = learner(1);
  cluster.must(
    "it is behind",
    5_000_000,
    () => late.noted(Event.behindTrim).length > 0,
  );
  const answered = client.acknowledged.size;
  cluster.must(
    "the cluster goes on",
    10_000_000,
    () => client.acknowledged.size > answered + 3000,
  );
});

Deno.test("a learner begins at the instance it is told, or at the first undecided one it hears of", () => {
  const { cluster, proposer, client, learner, stop } = makeStream(9);
  const whole = learner(1);
  cluster.must(
    "some instances",
    5_000_000,
    () => proposer.gauge(Gauge.decided) > 50,
  );
  const decided = proposer.gauge(Gauge.decided);
  const told = learner(2, { from: 20n });
  const fresh = learner(3, { from: 0n });
  cluster.must(
    "all three deliver",
    5_000_000,
    () => [whole, told, fresh].every((node) => node.delivered.length > 200),
  );
  stop();
  cluster.must("quiet", 5_000_000, () => cluster.finished());
  cluster.run(1_000_000);
  cluster.checkSafety();
  assert.equal(told.delivered[0].instance, 20);
  assert(fresh.delivered[0].instance >= decided);
  for (const node of [told, fresh]) {
    const first = node.delivered[0].instance;
    assert.deepEqual(
      node.delivered,
      whole.delivered.filter(({ instance }) => instance >= first),
    );
  }
  assert.equal(whole.delivered.length, client.submitted);
});

Deno.test("an instance that is decided stays to be had when its leader and the acceptors that heard so are gone", () => {
  // Instance 1 is accepted by acceptors 1 and 2; only acceptor 3, which has not accepted it, hears
  // that it is decided. Then the leader and acceptor 1 die.
  const cluster = new Cluster(10, { proposers: [1, 2] });
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const leader = cluster.add({ roles: Role.proposer, id: 1, leader: 1 });
  cluster.must(
    "a leader",
    1_000_000,
    () => leader.noted(Event.leading).length > 0,
  );
  cluster.run(10_000);
  const client = cluster.add({ roles: Role.client, id: 1 });
  cluster.openSessions();
  client.values = 1;
  cluster.faults.partition = (_, to) => to === acceptors[2].nic;
  cluster.must(
    "the value is decided",
    1_000_000,
    () => client.acknowledged.size === 1,
  );
  cluster.faults.partition = (_, to) => to !== acceptors[2].nic;
  cluster.run(200_000);
  leader.kill();
  acceptors[0].kill();
  cluster.faults.partition = () => false;
  cluster.add({ roles: Role.proposer, id: 2, leader: 2 });
  const learner = cluster.add({ roles: Role.learner, id: 1 });
  client.values = 2;
  cluster.finish(20_000_000);
  assert.equal(learner.delivered.length, 2);
});

/** A learner on the bench, and frames of a leader and of acceptors for it. */
function makeBench(options = {}) {
  const rig = new Rig({ roles: Role.learner, id: 9, ...options });
  rig.feed();
  const ballot = ballotOf(1, 1);
  const leader = {
    senderRole: "proposer",
    senderId: 1,
    incarnation: 201,
    ballot,
  } as const;
  return {
    rig,
    accept: (
      instance: number,
      decided: number,
      ...values: Parameters<typeof run>[]
    ) =>
      encode(leader, {
        type: "accept",
        decided: BigInt(decided),
        instance: BigInt(instance),
        batch: values.map((part) => run(...part)),
      }),
    /** Instance 1 opens the session of client 5. */
    opening: () =>
      encode(leader, {
        type: "accept",
        decided: 1n,
        instance: 1n,
        batch: [command(5n)],
      }),
    heartbeat: (decided: number) =>
      encode(leader, {
        type: "heartbeat",
        decided: BigInt(decided),
        next: BigInt(decided),
      }),
  };
}

Deno.test("a batch of as many empty values as fit is delivered", () => {
  const { rig, opening, accept, heartbeat } = makeBench({ mtu: 9000 });
  // Two bytes each, behind a run's sixteen, in what the MTU leaves to a batch.
  const values: string[] = new Array((8904 - 16) / 2).fill("");
  rig.feed(opening(), accept(2, 1, [5n, 1, ...values]), heartbeat(3));
  let delivered = rig.core.deliveryCount;
  for (let n = 0; n < 5; n++) {
    rig.wait(1);
    delivered += rig.core.deliveryCount;
  }
  assert.equal(delivered, values.length);
});

Deno.test("a learner that has everything and delivers it little by little asks for nothing", () => {
  const { rig, opening, accept, heartbeat } = makeBench();
  const values = new Array(199).fill("");
  const instance = (i: number) => accept(i, 1, [5n, i * 199, ...values]);
  // The first is missing; it is asked for, and comes.
  const instances = Array.from({ length: 100 }, (_, i) => instance(i + 2));
  rig.feed(...instances, heartbeat(102));
  const asked = rig.wait(5000).filter((frame) => typeOf(frame) === "repair");
  assert.deepEqual(asked.map((frame) => decode(frame).body), [
    { type: "repair", ranges: [{ first: 1n, end: 2n }] },
  ]);
  // A step delivers some of it.
  let delivered = 0;
  for (let n = 0; n < 10; n++) {
    const sent = n === 0 ? rig.feed(opening()) : rig.wait(15_000);
    assert.deepEqual(
      sent.filter((frame) => typeOf(frame) === "repair").map(decode),
      [],
    );
    delivered += rig.core.deliveryCount;
  }
  assert.equal(delivered, 100 * 199);
});

Deno.test("a learner asks the next acceptor after 20 ms of silence, then waits longer, and the leader's own last", () => {
  const { rig, heartbeat } = makeBench();
  const greetings = [1, 2, 3].map((id) =>
    encode({ senderRole: "acceptor", senderId: id, incarnation: 300 + id }, {
      type: "hi",
      delivered: 1n,
    })
  );
  const asked = (frames: Uint8Array[]) =>
    frames.filter((frame) => typeOf(frame) === "repair")
      .map((frame) => decode(frame).receiverId);
  rig.feed(...greetings, heartbeat(9));
  assert.deepEqual(asked(rig.wait(4999)), []);
  // Turns begin with the acceptor that the learner's id stands for, here the first: the leader's.
  assert.deepEqual(asked(rig.wait(1)), [2]);
  assert.deepEqual(asked(rig.wait(19_999)), []);
  assert.deepEqual(asked(rig.wait(1)), [3]);
  assert.deepEqual(asked(rig.wait(39_999)), []);
  assert.deepEqual(asked(rig.wait(1)), [1]);
  assert.deepEqual(asked(rig.wait(80_000)), [2]);
});

Deno.test("a learner goes on asking as soon as an answer ends, and not before", () => {
  const { rig, heartbeat } = makeBench();
  const learned = (instance: number, last: boolean) =>
    encode({ senderRole: "acceptor", senderId: 1, incarnation: 301 }, {
      type: "learned",
      trimmed: 1n,
      decided: 3000n,
      last,
      entries: [{
        instance: BigInt(instance),
        ballot: ballotOf(1, 1),
        decided: true,
        batch: [run(5n, instance, "value")],
      }],
    });
  const asked = (frames: Uint8Array[]) =>
    frames.map(decode).flatMap(({ body }) =>
      body.type === "repair" ? body.ranges : []
    );
  rig.feed(heartbeat(3000));
  assert.deepEqual(asked(rig.wait(5000)), [{ first: 1n, end: 1025n }]);
  assert.deepEqual(asked(rig.feed(learned(1, false))), []);
  assert.deepEqual(asked(rig.feed(learned(2, true))), [{
    first: 3n,
    end: 1027n,
  }]);
});
