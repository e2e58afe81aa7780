/** Schedules of loss, delay and repetition that the way back of a forgetful acceptor must survive. */
import assert from "node:assert/strict";
import type { CoreRecord } from "../core/core.ts";
import { Event, Gauge, Record, Role } from "../core/layout.ts";
import { type Body, decode, typeOf } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { fromAcceptor, preparing, promise } from "./leader.ts";
import { Cluster } from "./cluster.ts";
import { OPTIONS, Rig } from "./rig.ts";
import { addSeparate, isBack } from "./separate.ts";

const LEADING = 2;
const ELECTION = { electionTimeout_us: 100_000, heartbeat_us: 25_000 };

type Entry = Extract<Body, { type: "learned" }>["entries"][number];

const entry = (instance: bigint, ballot: bigint, decided: boolean): Entry => ({
  instance,
  ballot,
  decided,
  batch: [run(1000n, Number(instance), "v")],
});

/** The hi of a recovering acceptor that `node` sends next, or undefined. */
function tapRecovering(cluster: Cluster): () => Uint8Array | undefined {
  let last: Uint8Array | undefined;
  cluster.network.tap = (_, bytes) => {
    if (typeOf(bytes) !== "hi") return;
    const { body } = decode(bytes);
    if (body.type === "hi" && body.state === "recovers") last = bytes.slice();
  };
  return () => last;
}

/** An acceptor that lost its memory, was told so, and rejoins in the first ballot of proposer 1. */
function rejoining(from: bigint, end: bigint, persistent = false) {
  const rig = new Rig({
    roles: Role.acceptor,
    id: 1,
    newCluster: false,
    persistent,
  });
  const records: CoreRecord[] = [];
  const feed = (...frames: Uint8Array[]) => {
    rig.durable = rig.core.lastRecord;
    const sent = rig.feed(...frames);
    for (let i = 0; i < rig.core.recordCount; i++) {
      const record = rig.core.record(i);
      records.push({ ...record, batch: record.batch.slice() });
    }
    return sent;
  };
  feed();
  feed(encode(fromAcceptor(2), {
    type: "forgot",
    known: 9,
    refused: OPTIONS.incarnation,
  }));
  feed(encode(fromProposer(1, ballotOf(1, 1)), {
    type: "rejoin",
    memory: OPTIONS.incarnation,
    from,
    end,
  }));
  return { rig, records, feed };
}

function fromProposer(id: number, ballot: bigint) {
  return {
    senderRole: "proposer",
    senderId: id,
    incarnation: 200 + id,
    ballot,
  } as const;
}

Deno.test("a promise whose pages come from two memories of an acceptor counts as none until it is told anew", () => {
  const { rig, ballot: first } = preparing();
  rig.feed(
    encode({
      ...fromAcceptor(3, ballotOf(5, 2)),
      receiverRoles: ["proposer"],
      receiverId: 1,
    }, {
      type: "reject",
      rejected: first,
      decided: 1n,
    }),
  );
  let ballot = first;
  for (let n = 0; n < 200 && ballot === first; n++) {
    const [frame] = rig.wait(10_000).filter((sent) =>
      typeOf(sent) === "prepare"
    );
    if (frame !== undefined) ballot = decode(frame).ballot;
  }
  assert.equal(ballot, ballotOf(6, 1));
  const value = entry(1n, ballotOf(5, 2), false);
  // Acceptor 2 tells of instance 1 that it accepted nothing, and loses its memory before its next page.
  rig.feed(promise(2, ballot, [], { last: false, start: 1n, end: 2n }));
  // It rejoins in a lower ballot, in which it helps to choose a value for instance 1 ...
  const rejoined = { ballot: ballotOf(5, 2), id: 2, memory: 902 };
  rig.feed(encode(fromProposer(2, ballotOf(5, 2)), {
    type: "heartbeat",
    decided: 1n,
    next: 2n,
    rejoined,
  }));
  // ... and only then goes on to promise, from where its forgotten memory stopped.
  const memories = 77n;
  const sent = rig.feed(
    encode({
      ...fromAcceptor(2, ballot),
      incarnation: 902,
      receiverRoles: ["proposer"],
      receiverId: 1,
    }, {
      type: "promise",
      start: 2n,
      end: 2n,
      decided: 1n,
      last: true,
      pause: true,
      incarnation: OPTIONS.incarnation,
      entries: [],
      memories,
    }),
    promise(3, ballot, [], { memories }),
  );
  assert.notEqual(rig.core.gauge(Gauge.proposerState), LEADING);
  const asked = sent.filter((it) => typeOf(it) === "prepare").map(decode);
  assert(
    asked.some(({ receiverId, body }) =>
      receiverId === 2 && body.type === "prepare" && body.from === 1n
    ),
  );
  rig.feed(
    encode({
      ...fromAcceptor(2, ballot),
      incarnation: 902,
      receiverRoles: ["proposer"],
      receiverId: 1,
    }, {
      type: "promise",
      start: 1n,
      end: 2n,
      decided: 1n,
      last: true,
      pause: true,
      incarnation: OPTIONS.incarnation,
      entries: [value],
      memories,
    }),
  );
  assert.equal(rig.core.gauge(Gauge.proposerState), LEADING);
});

Deno.test("a late 2A for an instance that was fetched in a higher ballot does no harm", () => {
  const { rig, feed } = rejoining(5n, 8n);
  // Another leader of a higher ballot decided what this one needs; its prepare was lost.
  feed(
    encode(fromProposer(2, ballotOf(2, 2)), {
      type: "heartbeat",
      decided: 8n,
      next: 8n,
    }),
  );
  assert(rig.core.gauge(Gauge.promised) === Number(ballotOf(1, 1)));
  rig.now_us += 30_000;
  feed(
    encode({ ...fromAcceptor(2), receiverRoles: ["acceptor"], receiverId: 1 }, {
      type: "learned",
      trimmed: 1n,
      decided: 8n,
      last: true,
      entries: [5n, 6n, 7n].map((i) => entry(i, ballotOf(2, 2), true)),
    }),
  );
  const sent = feed(encode(fromProposer(1, ballotOf(1, 1)), {
    type: "accept",
    decided: 5n,
    instance: 6n,
    batch: [run(1000n, 6, "v")],
  }));
  assert(!sent.some((it) => typeOf(it) === "accepted"));
});

Deno.test("what is decided is durable before a return is that was complete because of it", () => {
  const { records, feed } = rejoining(5n, 8n, true);
  // Another leader's word; it may be an old one, of what the memory that was lost helped to choose.
  feed(
    encode(fromProposer(2, ballotOf(2, 2)), {
      type: "heartbeat",
      decided: 8n,
      next: 8n,
    }),
  );
  const confirmed = records.findIndex(({ kind }) => kind === Record.confirmed);
  assert(confirmed >= 0);
  const before = records.slice(0, confirmed);
  assert(
    before.some(({ kind, instance }) =>
      kind === Record.decided && instance === 8
    ),
  );
});

Deno.test("an acceptor on a disk that rejoined accepts nothing below, where it fetches what is chosen, and starts again", () => {
  const { rig, records, feed } = rejoining(5n, 5n, true);
  const leader = fromProposer(2, ballotOf(2, 2));
  const accept = (instance: bigint) =>
    encode(leader, {
      type: "accept",
      decided: 3n,
      instance,
      batch: [run(1000n, Number(instance), "v")],
    });
  feed(accept(3n));
  assert(!records.some(({ kind }) => kind === Record.accept));
  feed(accept(5n));
  feed();
  assert.equal(rig.core.gauge(Gauge.promised), Number(leader.ballot));
  const again = new Rig({
    ...rig.options,
    incarnation: 0x2222,
    memory: OPTIONS.incarnation,
  });
  for (const record of records) again.core.recover(record);
  again.feed();
  assert.equal(again.core.gauge(Gauge.promised), Number(leader.ballot));
});

Deno.test("an acceptor with a fresh disk that restarts before it is let in is not confirmed by who knows of its return", () => {
  const cluster = new Cluster(1, { persistent: true });
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposer = cluster.add({
    roles: Role.proposer,
    id: 1,
    persistent: false,
  });
  cluster.add({ roles: Role.learner, id: 1, persistent: false });
  const client = cluster.add({
    roles: Role.client,
    id: 1,
    values: 1e6,
    pace_us: 500,
    persistent: false,
  });
  cluster.must("a start", 5e6, () => client.acknowledged.size > 200);
  acceptors[1].kill();
  const fresh = cluster.add(acceptors[1].spec, acceptors[1].place);
  cluster.must(
    "it asks to be let in",
    5e6,
    () => fresh.noted(Event.recovering).length > 0,
  );
  cluster.run(150_000);
  // What lets it in does not reach it.
  let other = fresh;
  cluster.faults.partition = (from, to) =>
    from === proposer.nic && (to === fresh.nic || to === other.nic);
  cluster.must(
    "the leader makes way for it",
    5e6,
    () => proposer.noted(Event.leading).length > 1,
  );
  other = cluster.restart(fresh);
  cluster.run(1e6);
  assert.equal(other.noted(Event.confirmed).length, 0);
  cluster.faults.partition = () => false;
  cluster.must("it is back", 5e6, () => isBack(other));
});

Deno.test("a proposer that missed an acceptor's return hears of it from acceptors", () => {
  const cluster = new Cluster(1, ELECTION);
  const acceptors = [1, 2, 3].map((id) =>
    cluster.add({ roles: Role.acceptor, id })
  );
  const proposers = [1, 2].map((id) =>
    cluster.add({ roles: Role.proposer, id, proposers: [1, 2] })
  );
  cluster.add({ roles: Role.learner, id: 1 });
  const client = cluster.add({
    roles: Role.client,
    id: 1,
    values: 1e6,
    pace_us: 500,
  });
  cluster.must("a start", 5e6, () => client.acknowledged.size > 200);
  const other = proposers.find((it) =>
    it.gauge(Gauge.proposerState) !== LEADING
  )!;
  const leader = proposers.find((it) => it !== other)!;
  cluster.faults.partition = (from, to) =>
    from === other.nic || to === other.nic;
  const again = cluster.restart(acceptors[1]);
  cluster.must("it is back", 5e6, () => isBack(again));
  leader.kill();
  acceptors[2].kill();
  cluster.faults.partition = () => false;
  const before = client.acknowledged.size;
  cluster.must(
    "the others go on",
    10e6,
    () => client.acknowledged.size > before + 50,
  );
});

Deno.test("an old word of a memory that is dead does not keep a live acceptor out for ever", () => {
  const cluster = new Cluster(1);
  const { acceptors, proposer, client } = addSeparate(cluster, {
    pace_us: 500,
  });
  const captured = tapRecovering(cluster);
  const dead = cluster.restart(acceptors[1]);
  cluster.must("it asks to be let in", 5e6, () => captured() !== undefined);
  const old = captured()!;
  const again = cluster.restart(dead);
  cluster.must("it is back", 5e6, () => isBack(again));
  cluster.run(1e6);
  // It is not heard for a moment, and just then the old frame arrives.
  cluster.faults.partition = (from, to) =>
    from === again.nic || to === again.nic;
  cluster.run(400_000);
  proposer.nic.enqueue({ due_us: cluster.now_us, bytes: old, frame: 0 });
  cluster.run(50_000);
  cluster.faults.partition = () => false;
  cluster.run(3e6);
  acceptors[2].kill();
  const before = client.acknowledged.size;
  cluster.must("it votes", 5e6, () => client.acknowledged.size > before + 50);
});

Deno.test("an old word of a memory that was let in long ago does not stop a leader that needs it", () => {
  for (const options of [{}, ELECTION]) {
    const cluster = new Cluster(1, options);
    const { acceptors, proposer, client } = addSeparate(cluster, {
      pace_us: 500,
    });
    const captured = tapRecovering(cluster);
    const again = cluster.restart(acceptors[1]);
    cluster.must("it is back", 5e6, () => isBack(again));
    const old = captured()!;
    const leader = cluster.restart(proposer);
    acceptors[2].kill();
    let before = client.acknowledged.size;
    cluster.must(
      "two are enough",
      5e6,
      () => client.acknowledged.size > before + 50,
    );
    leader.nic.enqueue({ due_us: cluster.now_us, bytes: old, frame: 0 });
    cluster.run(10_000);
    before = client.acknowledged.size;
    cluster.must(
      "they go on",
      50_000,
      () => client.acknowledged.size > before + 5,
    );
  }
});

Deno.test("two acceptors that hear nothing and ask to be let in do not preempt the leader for ever", () => {
  const ids = [1, 2, 3, 4, 5];
  const cluster = new Cluster(1, { ...ELECTION, acceptors: ids });
  const { acceptors, proposer } = addSeparate(cluster, {
    ids,
    pace_us: 1000,
  });
  const deaf = [0, 1].map((i) => cluster.restart(acceptors[i]));
  cluster.must(
    "both lost their memory",
    1e6,
    () => deaf.every((it) => it.noted(Event.recovering).length > 0),
  );
  cluster.faults.partition = (_, to) => deaf.some(({ nic }) => nic === to);
  const before = proposer.noted(Event.leading).length;
  cluster.run(20e6);
  const campaigns = proposer.noted(Event.leading).length - before;
  assert(campaigns < 20, `${campaigns} campaigns in 20 s`);
});

Deno.test("two returns told in the same ballot leave all with the same knowledge, whatever came first", () => {
  const told = [901, 902].map((memory) =>
    encode({ ...fromAcceptor(3), receiverRoles: ["acceptor"] }, {
      type: "hi",
      delivered: 1n,
      rejoined: { ballot: ballotOf(5, 1), id: 2, memory },
    })
  );
  const memories = [told, told.toReversed()].map((frames) => {
    const rig = new Rig({ roles: Role.acceptor, id: 1 });
    rig.wait(200_000);
    rig.feed(...frames);
    const [page] = rig.feed(
      encode({ ...fromProposer(1, ballotOf(6, 1)) }, {
        type: "prepare",
        from: 1n,
      }),
    ).filter((it) => typeOf(it) === "promise").map(decode);
    assert(page.body.type === "promise");
    return page.body.memories;
  });
  assert.equal(memories[0], memories[1]);
  assert.notEqual(memories[0], 0n);
});
