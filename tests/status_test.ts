/** Queries and their answers at the core: who answers what, how often, in which frames. */
import assert from "node:assert/strict";
import { Counter, Role, STATUS_ANSWERS_MAX, Voting } from "../core/layout.ts";
import { Answers, type NodeStatus } from "../roles/status_answers.ts";
import { decode, typeOf } from "../sim/decode.ts";
import { REPLICA } from "./cluster.ts";
import { ballotOf, command, encode, type LooseBody, run } from "./encode.ts";
import { fromAcceptor, leading, promise } from "./leader.ts";
import { Rig } from "./rig.ts";

const CLIENT = {
  senderRole: "client",
  senderId: 5,
  incarnation: 0x5555,
  source: "02:00:00:00:08:05",
} as const;

const LEARNER = {
  senderRole: "learner",
  senderId: 9,
  incarnation: 0x9999,
  source: "02:00:00:00:04:09",
} as const;

function query(number = 1, incarnation: number = CLIENT.incarnation) {
  return encode({ ...CLIENT, incarnation }, { type: "query", number });
}

function fromLeader(body: LooseBody, round = 1) {
  return encode({
    senderRole: "proposer",
    senderId: 1,
    incarnation: 201,
    ballot: ballotOf(round, 1),
  }, body);
}

function accept(instance: number, bytes = 5): Uint8Array {
  return fromLeader({
    type: "accept",
    decided: 1n,
    instance: BigInt(instance),
    batch: [run(7n, instance, "x".repeat(bytes))],
  });
}

/** Only the frames of an answer. */
function statuses(frames: readonly Uint8Array[]): Uint8Array[] {
  return frames.filter((frame) => typeOf(frame) === "status");
}

/** What the client that asked reads from these frames; undefined: no whole answer. */
function read(frames: readonly Uint8Array[], mtu = 512) {
  const client = new Rig({
    roles: Role.client,
    id: 5,
    incarnation: 0x6666,
    mtu,
  });
  client.feed(...statuses(frames));
  const answers = new Answers();
  for (const part of client.core.statuses()) answers.add(part, 0);
  const nodes = answers.nodes();
  assert(nodes.length <= 1);
  return nodes[0]?.last;
}

/** Asks a node now. */
function ask(rig: Rig): NodeStatus {
  const status = read(rig.feed(query()), rig.options.mtu);
  assert(status !== undefined, "it answers");
  return status;
}

/** An acceptor that votes. */
function acceptor(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig({
    roles: Role.acceptor,
    id: 2,
    incarnation: 0x2222,
    ...options,
  });
  rig.feed();
  rig.wait(100_000);
  return rig;
}

Deno.test("a leader tells its ballot, its window and what waits for it", () => {
  const { rig, ballot } = leading({ inFlight: 2 });
  const submit = (first: number) =>
    encode(CLIENT, {
      type: "submit",
      batch: [run(7n, first, "a value", "another")],
    });
  for (const first of [1, 3, 5]) rig.feed(submit(first));
  const { roles, id, fields, counters } = ask(rig);
  assert.deepEqual(roles, ["proposer"]);
  assert.equal(id, 1);
  assert.equal(fields.proposerState, 2);
  assert.equal(fields.leaderBallot, Number(ballot));
  assert.equal(fields.leaderSilence_ms, 0);
  assert.equal(fields.decided, 1);
  assert.equal(fields.next, 3);
  assert.equal(fields.windowUsed, 2);
  assert.equal(fields.windowSize, 2);
  assert.equal(fields.queueBytes, 40, "a run of two values waits");
  assert.equal(fields.voting, undefined, "it is no acceptor");
  assert.equal(counters.proposed, 4);
  assert.equal(counters.badBody, undefined, "it counted none");
});

Deno.test("a follower tells who leads and how long ago that was heard", () => {
  const rig = new Rig({ roles: Role.proposer, id: 2, incarnation: 0x2222 });
  rig.feed();
  assert.equal(ask(rig).fields.leaderBallot, undefined, "nobody yet");
  rig.feed(fromLeader({ type: "heartbeat", decided: 42n, next: 43n }, 3));
  rig.wait(250_000);
  const { fields, peers } = ask(rig);
  assert.equal(fields.proposerState, 0);
  assert.equal(fields.leaderBallot, Number(ballotOf(3, 1)));
  assert.equal(fields.leaderSilence_ms, 250);
  assert.equal(fields.decided, 42);
  assert.equal(fields.queueBytes, undefined, "only a leader has a queue");
  const heard = peers.find(({ role, id }) => role === "proposer" && id === 1);
  assert.equal(heard?.ago_ms, 250);
  assert.deepEqual(
    peers.filter(({ ago_ms }) => ago_ms === undefined)
      .map(({ role, id }) => `${role} ${id}`),
    ["acceptor 1", "acceptor 2", "acceptor 3", "proposer 3"],
  );
});

Deno.test("an acceptor tells whether it votes, and if not why", () => {
  const rig = new Rig({
    roles: Role.acceptor,
    id: 2,
    incarnation: 0x2222,
    newCluster: false,
  });
  rig.feed();
  assert.equal(ask(rig).fields.voting, Voting.listening);
  rig.wait(100_000);
  assert.equal(ask(rig).fields.voting, Voting.unconfirmed);
  assert.equal(ask(rig).fields.unconfirmed, 0b101);
  const ok = (id: number) =>
    encode(fromAcceptor(id, 0x2222n), {
      type: "ok",
      decided: 1n,
      trimmed: 1n,
      next: 1n,
    });
  rig.feed(ok(1));
  assert.equal(ask(rig).fields.unconfirmed, 0b100);
  rig.feed(ok(3));
  rig.wait(100_000);
  assert.equal(ask(rig).fields.voting, Voting.votes);
  rig.feed(encode(fromAcceptor(3), {
    type: "forgot",
    known: 0x1234,
    refused: 0x2222,
  }));
  assert.equal(ask(rig).fields.voting, Voting.recovering);
});

Deno.test("an acceptor tells how full its log is of what may not go, and who holds it", () => {
  const rig = acceptor({ logBytes: 1 << 16 });
  const hi = (delivered: bigint) => encode(LEARNER, { type: "hi", delivered });
  rig.feed(hi(1n));
  let instance = 1;
  const fill = () => {
    const { fields } = ask(rig);
    return fields.logBytes! / fields.logBytesMax!;
  };
  assert.equal(fill(), 0);
  while (rig.core.counter(Counter.logFull) === 0) {
    rig.feed(accept(instance++, 300));
    if (instance % 32 === 0) rig.wait(100_000);
  }
  rig.wait(100_000);
  assert(fill() > 0.98, `${fill()}`);
  const full = ask(rig).fields;
  assert.equal(full.logFull, 1);
  assert.equal(full.trimmed, 1);
  assert.equal(
    full.logHolder,
    0,
    "nothing is decided, so no learner is at fault",
  );

  const decided = BigInt(instance - 10);
  rig.feed(fromLeader({ type: "heartbeat", decided, next: decided }));
  rig.wait(100_000);
  rig.feed(hi(1n));
  const { fields, peers } = ask(rig);
  assert.equal(fields.decided, Number(decided));
  assert.equal(fields.logHolder, 9);
  assert.deepEqual(
    peers.filter(({ role }) => role === "learner"),
    [{ role: "learner", id: 9, ago_ms: 0, delivered: 1 }],
  );

  rig.feed(hi(decided));
  assert(fill() < 0.1, "the rest may be discarded now");
  rig.wait(100_000);
  rig.feed(accept(instance, 300));
  assert.equal(ask(rig).fields.logFull, 0);
});

Deno.test("an acceptor under whose name another memory rejoined tells that it recovers", () => {
  const rig = acceptor();
  const rejoined = { ballot: ballotOf(3, 1), id: 2, memory: 0x2223 };
  rig.feed(encode(fromAcceptor(3), {
    type: "hi",
    delivered: 1n,
    rejoined,
  }));
  assert.equal(ask(rig).fields.voting, Voting.recovering);
});

Deno.test("a learner tells what it delivered, and that nobody reads it", () => {
  const rig = new Rig({ roles: Role.learner, id: 9, incarnation: 0x9999 });
  rig.feed();
  rig.feed(accept(1), fromLeader({ type: "heartbeat", decided: 4n, next: 4n }));
  const { fields } = ask(rig);
  assert.equal(fields.delivered, 2);
  assert.equal(fields.decided, 4);
  assert.equal(fields.paused, 0);
  rig.load([query()]);
  rig.core.step(1, rig.now_us, 0, true);
  assert.equal(read(rig.sent())!.fields.paused, 1);
});

Deno.test("a replica answers once, with all that its roles know", () => {
  const rig = new Rig({
    roles: REPLICA,
    id: 1,
    persistent: true,
    incarnation: 0x7777,
  });
  rig.feed();
  const { roles, incarnation, fields, peers } = ask(rig);
  assert.deepEqual(roles, ["proposer", "acceptor", "learner"]);
  assert.equal(incarnation, 0x7777);
  assert.equal(fields.heldFrames, 0);
  assert.equal(fields.delivered, 1);
  assert.equal(fields.voting, Voting.listening);
  assert.equal(fields.proposerState, 0);
  assert(!peers.some(({ id }) => id === 1), "it tells of others alone");
});

Deno.test("an acceptor tells its state before storage has it: nothing hangs on that", () => {
  const rig = acceptor({ persistent: true });
  rig.durable = rig.core.lastRecord;
  rig.feed(accept(1));
  const { fields } = ask(rig);
  assert.equal(fields.promised, Number(ballotOf(1, 1)));
  assert.equal(fields.heldFrames, 1, "its vote waits");
});

Deno.test("with the smallest MTU an answer takes several frames, which fit", () => {
  const rig = acceptor({ mtu: 256, acceptors: [1, 2, 3, 4, 5, 6, 7] });
  for (let id = 1; id <= 40; id++) {
    rig.feed(encode({ ...LEARNER, senderId: id, incarnation: 0x9000 + id }, {
      type: "hi",
      delivered: 1n,
    }));
  }
  const frames = statuses(rig.feed(query()));
  assert(frames.length > 4, `${frames.length} frames`);
  for (const frame of frames) assert(frame.length <= 14 + 256);
  const whole = read(frames, 256)!;
  assert.equal(whole.peers.length, 40 + 6 + 3);
  assert.deepEqual(
    read(frames.toReversed(), 256),
    whole,
    "in any order they are the same answer",
  );
  assert.deepEqual(read([...frames, ...frames], 256), whole);
  for (const lost of frames) {
    assert.equal(read(frames.filter((it) => it !== lost), 256), undefined);
  }
});

Deno.test("the longest answer that there can be fits its buffer", () => {
  const ids = Array.from({ length: 31 }, (_, i) => i + 1);
  const rig = new Rig({
    roles: 15,
    id: 1,
    acceptors: ids,
    proposers: ids,
    persistent: true,
  });
  rig.feed(fromLeader({ type: "heartbeat", decided: 2n, next: 2n }));
  for (let id = 101; id <= 170; id++) {
    rig.feed(encode({ ...LEARNER, senderId: id, incarnation: 0x9000 + id }, {
      type: "hi",
      delivered: 1n,
    }));
  }
  const { peers } = ask(rig);
  // Its own learner is one of the 64 that it registers, and is left out.
  assert.equal(peers.length, 30 + 30 + 63);
});

Deno.test("a few queries in 100 ms are answered, the others are counted", () => {
  const rig = acceptor();
  const numbers = Array.from({ length: 250 }, (_, i) => i + 1);
  for (let round = 0; round < 3; round++) {
    // From many clients, so that none of them is to blame.
    const flood = numbers.map((number) => query(number, 0x10000 + number));
    const answered = new Set(
      statuses(rig.feed(...flood)).map((frame) => {
        const { body } = decode(frame);
        assert(body.type === "status");
        return body.number;
      }),
    );
    assert.equal(answered.size, STATUS_ANSWERS_MAX);
    assert.deepEqual(statuses(rig.feed(query())), []);
    rig.wait(99_999);
    assert.deepEqual(statuses(rig.feed(query())), []);
    rig.wait(1);
    assert.equal(
      rig.core.counter(Counter.unansweredQueries),
      (round + 1) * (250 - STATUS_ANSWERS_MAX + 2),
    );
  }
});

Deno.test("a query changes nothing that a node does", () => {
  const nodes = [false, true].map((isAsked) => {
    const rig = new Rig({ roles: REPLICA, id: 1, logBytes: 1 << 16 });
    const sent: string[] = [];
    const step = (...frames: Uint8Array[]) => {
      rig.now_us += 7000;
      const queries = isAsked ? [query(), query(2, 0x6666)] : [];
      for (const frame of rig.feed(...queries, ...frames)) {
        if (typeOf(frame) !== "status") sent.push(frame.toHex());
      }
      return rig.core.deliveryCount;
    };
    for (let n = 0; n < 60; n++) step();
    const prepared = sent.map((it) => decode(Uint8Array.fromHex(it)))
      .findLast(({ body }) => body.type === "prepare");
    assert(prepared !== undefined);
    step(promise(2, prepared.ballot), promise(3, prepared.ballot));
    let delivered = 0;
    for (let n = 1; n <= 50; n++) {
      const value = run(7n, n, `value ${n}`);
      const batch = n === 1 ? [command(7n), value] : [value];
      step(encode(CLIENT, { type: "submit", batch }));
      delivered += step(encode(fromAcceptor(2, prepared.ballot), {
        type: "accepted",
        ranges: [{ first: BigInt(n), end: BigInt(n + 1) }],
      }));
    }
    return { sent, delivered };
  });
  assert.equal(nodes[0].delivered, 50);
  assert.deepEqual(nodes[1], nodes[0]);
});

Deno.test("a client asks everybody once, and does not answer itself", () => {
  const rig = new Rig({ roles: REPLICA | Role.client, id: 1 });
  rig.feed();
  rig.core.query(77);
  const frames = rig.feed();
  const [question] = frames.filter((frame) => typeOf(frame) === "query");
  const { receiverRoles, receiverId, body } = decode(question);
  assert.equal(receiverRoles.length, 4);
  assert.equal(receiverId, 0);
  assert.deepEqual(body, { type: "query", number: 77 });
  assert.deepEqual(statuses(frames), []);
  assert.equal(rig.core.statuses().length, 0);
  assert(!rig.feed().some((frame) => typeOf(frame) === "query"));
});

Deno.test("only what is an answer to a client is handed to its host, for one step", () => {
  const frames = statuses(acceptor().feed(query()));
  const learner = new Rig({ roles: Role.learner, id: 5 });
  learner.feed(...frames);
  assert.equal(learner.core.counter(Counter.badReceiver), frames.length);
  assert.equal(learner.core.statuses().length, 0);
  const client = new Rig({ roles: Role.client, id: 5, incarnation: 0x6666 });
  client.feed(...frames);
  assert.equal(client.core.statuses().length, frames.length);
  client.feed();
  assert.equal(client.core.statuses().length, 0);
});
