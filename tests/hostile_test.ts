/**
 * Hostile frames: truncated, mutated by the hundred thousand, and lying. A frame that is counted as
 * bad changes nothing; no frame whatever makes the core trap.
 */
import assert from "node:assert/strict";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { Cluster, REPLICA } from "./cluster.ts";
import {
  decode,
  type EntryFields,
  MESSAGE_NAMES,
  type MessageName,
} from "../sim/decode.ts";
import { ballotOf, encode, run, seal } from "./encode.ts";
import { layOut, makeArea } from "./frames.ts";
import { goldenFrames } from "./golden.ts";
import { fromAcceptor, leading, preparing, promise } from "./leader.ts";
import { Random } from "../sim/random.ts";
import { GROUP, OPTIONS, REASONS, Rig } from "./rig.ts";
import { verdicts } from "./verdicts.ts";
import { State } from "./state.ts";

const LINK = 14;
const HEADER = 32;
const MTU = 256;

function badFrames(rig: Rig): number {
  return REASONS.reduce((sum, reason) => sum + rig.core.counter(reason), 0);
}

const submit = (sequence: number) =>
  encode({ senderRole: "client", senderId: 9, incarnation: 901 }, {
    type: "submit",
    batch: [run(5n, sequence, "value", "another")],
  });

const proposal = (instance: number, decided = 1) =>
  encode({
    senderRole: "proposer",
    senderId: 2,
    incarnation: 202,
    ballot: ballotOf(1, 2),
  }, {
    type: "accept",
    decided: BigInt(decided),
    instance: BigInt(instance),
    batch: [run(7n, instance, "value")],
  });

const votes = (id: number, first: number, end: number) =>
  encode(fromAcceptor(id, ballotOf(1, 2)), {
    type: "accepted",
    ranges: [{ first: BigInt(first), end: BigInt(end) }],
  });

/** Nodes in the middle of their work, one for every role and state. Each call makes a new one, all the same. */
const VICTIMS: Record<string, () => Rig> = {
  acceptor() {
    const rig = new Rig({
      roles: Role.acceptor,
      id: 2,
      mtu: MTU,
      logBytes: 1 << 16,
    });
    rig.feed();
    rig.wait(100_000);
    rig.feed(proposal(1), proposal(2), proposal(4, 2), proposal(7, 2));
    return rig;
  },
  "acceptor that waits for confirmation"() {
    const rig = new Rig({
      roles: Role.acceptor,
      id: 1,
      mtu: MTU,
      logBytes: 1 << 16,
      newCluster: false,
    });
    rig.feed();
    rig.wait(100_000);
    return rig;
  },
  learner() {
    const rig = new Rig({ roles: Role.learner, id: 9, mtu: MTU });
    rig.feed();
    rig.feed(proposal(1), proposal(2), votes(1, 1, 3), proposal(5));
    rig.feed(votes(2, 1, 2), votes(3, 5, 6), proposal(6));
    return rig;
  },
  "follower"() {
    const rig = new Rig({ roles: Role.proposer, id: 1, mtu: MTU });
    rig.feed();
    rig.feed(proposal(3, 2));
    return rig;
  },
  "preparing proposer"() {
    const { rig, ballot } = preparing({ mtu: MTU });
    rig.feed(promise(3, ballot, [{
      instance: 2n,
      ballot: ballotOf(1, 2),
      decided: false,
      batch: [run(7n, 1, "value")],
    }], { last: false }));
    return rig;
  },
  leader() {
    const { rig } = leading({ mtu: MTU });
    for (const sequence of [1, 3, 5]) rig.feed(submit(sequence));
    return rig;
  },
  client() {
    const rig = new Rig({
      roles: Role.client,
      id: 5,
      mtu: MTU,
      clients: 3,
      outstanding: 4,
    });
    rig.feed(proposal(1));
    rig.feed(verdicts(1000n, { clients: 3 }));
    for (let n = 0; n < 10; n++) {
      rig.core.submit(n % 3, Uint8Array.of(n, n, n), rig.now_us);
    }
    rig.feed();
    return rig;
  },
  replica() {
    const rig = new Rig({
      roles: REPLICA,
      id: 1,
      mtu: MTU,
      logBytes: 1 << 16,
      persistent: true,
    });
    rig.feed();
    for (let n = 0; n < 20; n++) {
      rig.wait(20_000);
      rig.durable = rig.core.gauge(Gauge.records);
    }
    const ballot = ballotOf(1, 1);
    rig.feed(promise(2, ballot), promise(3, ballot));
    for (const sequence of [1, 3, 5]) rig.feed(submit(sequence));
    return rig;
  },
};

/** Sound frames of every type, as this victim would take them from others. */
function soundFrames(victim: Rig): Uint8Array<ArrayBuffer>[] {
  const ballots = [ballotOf(1, 1), ballotOf(1, 2), ballotOf(2, 3)];
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (const golden of goldenFrames().values()) {
    const fields = decode(golden);
    for (const ballot of fields.ballot === 0n ? [0n] : ballots) {
      const senderId = fields.senderRole === "proposer"
        ? Number(ballot & 3n) || 2
        : fields.senderId;
      frames.push(encode({
        ...fields,
        ballot,
        senderId,
        incarnation: senderId + (fields.senderRole === "acceptor" ? 100 : 200),
        receiverId: 0,
        receiverRoles: ["proposer", "acceptor", "learner", "client"],
      }, fields.body));
    }
  }
  // Only what this victim really takes is worth mutating.
  const before = badFrames(victim);
  victim.feed(...frames);
  assert.equal(badFrames(victim), before, "sound frames are taken");
  return frames;
}

/** Feeds a frame, and names it should the core trap. */
function feed(rig: Rig, seed: string, ...frames: Uint8Array[]): Uint8Array[] {
  try {
    return rig.feed(...frames);
  } catch (error) {
    const shown = frames.length === 1 ? hexOf(frames[0]) : "";
    assert.fail(`${seed}: the core trapped: ${error}\n${shown}`);
  }
}

function hexOf(frame: Uint8Array): string {
  return Array.from(frame, (byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
}

function lengthOf(frame: Uint8Array): number {
  return frame[LINK + 10] | frame[LINK + 11] << 8;
}

/** A copy cut to `bytes`, with the header's length and checksum made to fit if that is wanted. */
function cut(
  frame: Uint8Array,
  bytes: number,
  fix: boolean,
): Uint8Array<ArrayBuffer> {
  const short = Uint8Array.from(frame.subarray(0, bytes));
  if (!fix || bytes < LINK + HEADER) return short;
  short[LINK + 10] = (bytes - LINK) & 0xff;
  short[LINK + 11] = (bytes - LINK) >> 8;
  return seal(short);
}

/** Numbers that lie at the edges of what fields hold. */
const EDGES = [
  0n,
  1n,
  2n,
  7n,
  0xffn,
  0xffffn,
  0xffff_ffffn,
  1n << 31n,
  (1n << 48n) - 1n,
  1n << 61n,
  1n << 62n,
  (1n << 62n) + 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
  ballotOf(1, 2),
  ballotOf((1n << 46n) - 1n, 1),
];

/** Changes a frame's header or body at random; what lies before stays, and the length says what is there. */
function mutate(random: Random, corpus: readonly Uint8Array[]) {
  const pick = () => corpus[random.between(0, corpus.length - 1)];
  let frame = Uint8Array.from(pick());
  for (let n = random.between(1, 3); n > 0; n--) {
    const view = new DataView(frame.buffer);
    const at = random.between(LINK, frame.length - 1);
    switch (random.between(0, 5)) {
      case 0:
        frame[at] ^= 1 << random.between(0, 7);
        break;
      case 1:
        frame[at] = random.u32() & 0xff;
        break;
      case 2: {
        const word = LINK + ((at - LINK) & ~7);
        if (word + 8 > frame.length) break;
        const edge = EDGES[random.between(0, EDGES.length - 1)];
        view.setBigUint64(word, edge, true);
        break;
      }
      case 3: {
        const word = LINK + ((at - LINK) & ~3);
        if (word + 4 > frame.length) break;
        const edge = EDGES[random.between(0, 7)];
        view.setUint32(word, Number(edge & 0xffff_ffffn), true);
        break;
      }
      case 4: {
        // The end of one frame behind the start of another.
        const other = pick();
        const from = random.between(LINK, other.length);
        frame = Uint8Array.of(...frame.subarray(0, at), ...other.subarray(from))
          .slice(0, LINK + MTU);
        break;
      }
      case 5: {
        const word = LINK + ((at - LINK) & ~7);
        if (word + 8 > frame.length) break;
        view.setBigUint64(word, BigInt(random.between(0, 12)), true);
        break;
      }
    }
    if (frame.length < LINK + HEADER) frame = Uint8Array.from(pick());
  }
  return frame;
}

/** Makes length and checksum fit, so that the checks behind them are reached. */
function fix(frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return cut(frame, frame.length, true);
}

for (const [name, makeVictim] of Object.entries(VICTIMS)) {
  Deno.test(`every truncation of every message is dropped (${name}) and changes nothing`, () => {
    const frames = soundFrames(makeVictim());
    const victim = makeVictim();
    victim.feed();
    const snapshot = new State(victim);
    const whole = new Set(frames.map(hexOf));
    let truncations = 0;
    for (const frame of frames) {
      const batch: Uint8Array[] = [];
      for (let bytes = LINK; bytes < frame.length; bytes++) {
        for (const fixed of [false, true]) {
          const short = cut(frame, bytes, fixed);
          // A header on its own is a whole message of another kind.
          if (!whole.has(hexOf(short))) batch.push(short);
        }
      }
      for (let i = 0; i < batch.length; i += 256) {
        const part = batch.slice(i, i + 256);
        const before = badFrames(victim);
        assert.deepEqual(feed(victim, name, ...part), []);
        assert.equal(badFrames(victim) - before, part.length);
        truncations += part.length;
      }
    }
    assert(truncations > 1500, `${truncations} truncations`);
    assert.equal(snapshot.difference(), undefined);
  });

  Deno.test(`mutated frames without a right checksum change nothing (${name})`, () => {
    const frames = soundFrames(makeVictim());
    const victim = makeVictim();
    victim.feed();
    const snapshot = new State(victim);
    const seed = 0xbad0 + name.length;
    const random = new Random(seed);
    for (let round = 0; round < 64; round++) {
      const batch = Array.from({ length: 256 }, () => {
        const frame = mutate(random, frames);
        // Should all else be as it was, the checksum is not.
        const view = new DataView(frame.buffer, LINK);
        view.setUint32(16, random.u32());
        view.setUint32(20, random.u32());
        return frame;
      });
      const before = badFrames(victim);
      assert.deepEqual(feed(victim, `seed ${seed}`, ...batch), []);
      assert.equal(badFrames(victim) - before, batch.length, `seed ${seed}`);
    }
    assert.equal(snapshot.difference(), undefined, `seed ${seed}`);
  });

  Deno.test(`mutated frames with a right checksum never trap, and change nothing if they are bad (${name})`, () => {
    const seed = 0x600d + name.length;
    const random = new Random(seed);
    const frames = soundFrames(makeVictim());
    const bad: Uint8Array[] = [];
    let victim = makeVictim();
    for (let n = 1; n <= 16_000; n++) {
      const frame = fix(mutate(random, frames));
      const before = badFrames(victim);
      feed(victim, `seed ${seed}, frame ${n}`, frame);
      if (badFrames(victim) > before) bad.push(frame);
      // Timers run on what the frames have left behind; now and then it begins anew.
      if (n % 64 === 0) {
        victim.now_us += random.between(0, 50_000);
        if (victim.options.persistent) {
          victim.durable = victim.core.gauge(Gauge.records);
        }
        feed(victim, `seed ${seed}, after frame ${n}`);
      }
      if (n % 4000 === 0) victim = makeVictim();
    }
    assert(bad.length > 4000, `${bad.length} bad frames`);
    const witness = makeVictim();
    witness.feed();
    const snapshot = new State(witness);
    for (let i = 0; i < bad.length; i += 256) {
      const part = bad.slice(i, i + 256);
      const before = badFrames(witness);
      assert.deepEqual(feed(witness, `seed ${seed}`, ...part), []);
      assert.equal(badFrames(witness) - before, part.length);
    }
    assert.equal(snapshot.difference(), undefined, `seed ${seed}`);
  });
}

Deno.test("padding behind a frame is not looked at", () => {
  const plain = VICTIMS.acceptor();
  const padded = VICTIMS.acceptor();
  const frame = proposal(9);
  assert.equal(lengthOf(frame), frame.length - LINK);
  const long = Uint8Array.of(...frame, ...new Array(60).fill(0xee));
  const answer = plain.feed(frame);
  assert.equal(answer.length, 1);
  assert.deepEqual(padded.feed(long), answer);
});

/** Sound in form, and wrong in what it says. */
function lies(): Uint8Array<ArrayBuffer>[] {
  const last = (1n << 62n) - 1n;
  const huge = [1n, 2049n, 1n << 40n, last, (1n << 63n) + 5n, (1n << 64n) - 1n];
  const ballots = [
    ballotOf(1, 1),
    ballotOf(1, 2),
    ballotOf((1n << 46n) - 2n, 2),
    ballotOf((1n << 46n) - 1n, 3),
  ];
  const batch = [run(5n, 1, "lie")];
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (const ballot of ballots) {
    const proposer = {
      senderRole: "proposer",
      senderId: Number(ballot & 3n),
      incarnation: 200 + Number(ballot & 3n),
      ballot,
    } as const;
    for (const decided of huge) {
      frames.push(
        encode(proposer, { type: "heartbeat", decided, next: decided }),
        encode(proposer, { type: "prepare", from: decided }),
      );
      for (const id of [2, 3]) {
        const acceptor = fromAcceptor(id, ballot);
        const instance = decided > last ? last : decided;
        const entries = [{ instance, ballot, decided: true, batch }];
        frames.push(
          encode(acceptor, {
            type: "accepted",
            ranges: [{
              first: 1n,
              end: instance + 1n > last ? last : instance + 1n,
            }],
          }),
          encode(acceptor, {
            type: "promise",
            start: 1n,
            end: decided,
            decided,
            last: false,
            pause: true,
            incarnation: OPTIONS.incarnation,
            entries,
          }),
          encode(acceptor, {
            type: "learned",
            trimmed: decided,
            decided,
            last: true,
            entries,
          }),
          encode(acceptor, { type: "ok", decided, trimmed: decided, next: 1n }),
          encode(acceptor, { type: "reject", rejected: ballot, decided }),
        );
      }
      for (const instance of huge.filter((value) => value <= last)) {
        frames.push(
          encode(proposer, { type: "accept", decided, instance, batch }),
        );
      }
    }
  }
  const learner = { senderRole: "learner", senderId: 8, incarnation: 808 };
  for (const delivered of huge) {
    frames.push(
      encode({ ...learner, senderRole: "learner" }, { type: "hi", delivered }),
    );
  }
  frames.push(
    encode({ ...learner, senderRole: "learner" }, {
      type: "repair",
      ranges: [{ first: 1n, end: 2n }, { first: 2n, end: last }],
    }),
    encode({ senderRole: "client", senderId: 8, incarnation: 888 }, {
      type: "submit",
      batch: [run(9n, (1n << 48n) - 3n, "high")],
    }),
    encode({ senderRole: "proposer", senderId: 2, incarnation: 202 }, {
      type: "answer",
      decided: 1n,
      answered: [{ client: 1000n, first: 1n, count: 0xffff }],
    }),
  );
  return frames;
}

for (const [name, makeVictim] of Object.entries(VICTIMS)) {
  Deno.test(`frames that lie, in any order, never trap (${name})`, () => {
    const frames = lies();
    for (let seed = 1; seed <= 6; seed++) {
      const random = new Random(seed);
      const victim = makeVictim();
      for (let n = 0; n < 600; n++) {
        const lie = frames[random.between(0, frames.length - 1)];
        feed(victim, `seed ${seed}, lie ${n}`, lie);
        if (n % 8 === 0) {
          victim.now_us += random.between(0, 1_000_000);
          victim.durable = victim.options.persistent
            ? victim.core.gauge(Gauge.records)
            : 0;
          feed(victim, `seed ${seed}, after lie ${n}`);
        }
      }
    }
  });
}

/** Every field that tells how far somebody is, with `value` in it. */
function progress(value: bigint): Uint8Array<ArrayBuffer>[] {
  const ballot = ballotOf(1, 2);
  const leader = {
    senderRole: "proposer",
    senderId: 2,
    incarnation: 202,
    ballot,
  } as const;
  const learner = {
    senderRole: "learner",
    senderId: 8,
    incarnation: 808,
  } as const;
  const acceptor = fromAcceptor(2, ballot);
  const { incarnation } = OPTIONS;
  const last = { last: true, pause: true, incarnation, entries: [] };
  return [
    encode(leader, { type: "heartbeat", decided: value, next: 1n }),
    encode(leader, {
      type: "accept",
      decided: value,
      instance: value,
      batch: [],
    }),
    encode(acceptor, {
      type: "promise",
      start: 1n,
      end: 1n,
      decided: value,
      ...last,
    }),
    encode(acceptor, { type: "reject", rejected: ballot, decided: value }),
    encode(acceptor, { type: "ok", decided: value, trimmed: 1n, next: 1n }),
    encode(acceptor, {
      type: "learned",
      trimmed: 1n,
      decided: value,
      last: true,
      entries: [],
    }),
    // These may be 0: nobody knows yet.
    ...value === 0n ? [] : [
      encode(acceptor, { type: "ok", decided: 1n, trimmed: value, next: 1n }),
      encode(acceptor, {
        type: "learned",
        trimmed: value,
        decided: 1n,
        last: true,
        entries: [],
      }),
      encode(learner, { type: "hi", delivered: value }),
    ],
  ];
}

Deno.test("nobody is as far as no instance, or further than all; a frame that says so changes nothing", () => {
  const outside = [0n, 1n << 62n, 1n << 63n, (1n << 64n) - 1n];
  const victim = VICTIMS.replica();
  victim.feed();
  const snapshot = new State(victim);
  for (const frame of outside.flatMap(progress)) {
    const before = victim.core.counter(Counter.badBody);
    assert.deepEqual(victim.feed(frame), []);
    assert.equal(
      victim.core.counter(Counter.badBody),
      before + 1,
      hexOf(frame),
    );
  }
  assert.equal(snapshot.difference(), undefined);
  for (const frame of [1n, (1n << 62n) - 1n].flatMap(progress)) {
    const taker = VICTIMS.replica();
    taker.feed(frame);
    assert.equal(taker.core.counter(Counter.badBody), 0, hexOf(frame));
  }
});

Deno.test("a proposal is neither below the leader's own decided instance nor 2048 above it", () => {
  const victim = VICTIMS.acceptor();
  victim.feed();
  const snapshot = new State(victim);
  const bad = [
    proposal(8, 9),
    proposal(1, 3000),
    proposal(9 + 2048, 9),
    proposal(60_000, 9),
  ];
  for (const frame of bad) assert.deepEqual(victim.feed(frame), []);
  assert.equal(victim.core.counter(Counter.badBody), bad.length);
  assert.equal(snapshot.difference(), undefined);
  for (const frame of [proposal(9, 9), proposal(9 + 2047, 9)]) {
    assert.deepEqual(victim.feed(frame).map((sent) => decode(sent).body.type), [
      "accepted",
    ]);
  }
});

Deno.test("a proposal whose batch is too long to be told to others is not accepted", () => {
  const make = (bytes: number) =>
    encode({
      senderRole: "proposer",
      senderId: 2,
      incarnation: 202,
      ballot: ballotOf(1, 2),
    }, {
      type: "accept",
      decided: 2n,
      instance: 8n,
      // A run and the length of its one value take 18 bytes.
      batch: [run(7n, 8, "x".repeat(bytes - 18))],
    });
  // 96 bytes go to what tells it: MTU less these is the longest batch.
  for (const bytes of [MTU - 56, MTU - 64, MTU - 88]) {
    const victim = VICTIMS.acceptor();
    assert.deepEqual(victim.feed(make(bytes)), [], `${bytes} bytes`);
    assert.equal(victim.core.counter(Counter.badBody), 1);
  }
  const victim = VICTIMS.acceptor();
  assert.equal(victim.feed(make(MTU - 96)).length, 1);
  const [learned] = victim.feed(
    encode({ senderRole: "learner", senderId: 8, incarnation: 808 }, {
      type: "repair",
      ranges: [{ first: 8n, end: 9n }],
    }),
  );
  assert.equal(lengthOf(learned), MTU - 96 + 80);
});

Deno.test("a repair of everything is answered with a few frames", () => {
  const victim = VICTIMS.acceptor();
  for (let instance = 8; instance < 300; instance++) {
    victim.feed(proposal(instance, 2));
  }
  const answer = victim.feed(
    encode({ senderRole: "learner", senderId: 8, incarnation: 808 }, {
      type: "repair",
      ranges: [{ first: 1n, end: (1n << 62n) - 1n }],
    }),
  );
  assert(answer.length > 16 && answer.length <= 64, `${answer.length} frames`);
});

Deno.test("only learned may say that nothing was accepted, and then no more than that", () => {
  const nothing = { instance: 2n, ballot: 0n, decided: false, batch: [] };
  const something = [
    { ...nothing, decided: true },
    { ...nothing, batch: [run(5n, 1, "value")] },
  ];
  const learner = VICTIMS.learner();
  const learned = (entry: EntryFields) =>
    learner.feed(encode(fromAcceptor(3), {
      type: "learned",
      trimmed: 1n,
      decided: 1n,
      last: true,
      entries: [entry],
    }));
  learned(nothing);
  assert.equal(learner.core.counter(Counter.badBody), 0);
  for (const entry of something) learned(entry);
  assert.equal(learner.core.counter(Counter.badBody), 2);
  const { rig, ballot } = preparing({ mtu: MTU });
  rig.feed(promise(2, ballot, [nothing]), promise(3, ballot, [nothing]));
  assert.equal(rig.core.counter(Counter.badBody), 2);
});

/** A cluster and a stranger on its network, who repeats what he hears as `twist` makes it. */
function bombard(
  seed: number,
  twist?: (frame: Uint8Array, random: Random) => Uint8Array,
) {
  const cluster = new Cluster(seed, { mtu: MTU });
  cluster.addReplicas([1, 2, 3]);
  cluster.add({ roles: Role.learner, id: 4 });
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    values: 300,
    outstanding: 8,
    padBytes: 60,
  });
  const area = makeArea();
  const stranger = cluster.network.attach(area, {
    address: Uint8Array.of(2, 0, 0, 0, 0, 0xee),
    group: GROUP,
    roles: 0,
    id: 99,
    incarnation: 0xeeee,
    cluster: 1,
    mtu: 1500,
  });
  const random = new Random(seed);
  const heard: string[] = [];
  let injected = 0;
  cluster.network.tap = (from, bytes) => {
    if (from === stranger) return;
    heard.push(`${cluster.now_us} ${hexOf(bytes)}`);
    if (twist === undefined) return;
    layOut(area, [twist(bytes, random)]);
    stranger.send(0, 1);
    injected++;
  };
  return { cluster, client, heard, injected: () => injected };
}

Deno.test("a cluster that is bombarded with its own frames, mutated, does exactly what it does without", () => {
  const calm = bombard(11);
  calm.cluster.finish(5_000_000);
  const storm = bombard(11, (frame, random) => {
    const copy = Uint8Array.from(frame);
    copy.set(GROUP);
    const at = random.between(LINK, LINK + lengthOf(frame) - 1);
    copy[at] ^= 1 << random.between(0, 7);
    return copy;
  });
  storm.cluster.run(5_000_000, () => storm.cluster.finished());
  storm.cluster.checkSafety();
  assert.equal(storm.client.acknowledged.size, 300);
  assert(storm.injected() > 300, `${storm.injected()} frames`);
  const counted = storm.cluster.nodes.reduce(
    (sum, node) => sum + node.counter(Counter.badChecksum),
    0,
  );
  assert(counted > 300, `${counted} were counted as bad`);
  assert.deepEqual(storm.heard, calm.heard);
});

Deno.test("a cluster that is bombarded with mutated frames whose checksum is right never traps", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const corpus: Uint8Array[] = [];
    const { cluster, injected } = bombard(seed, (frame, random) => {
      corpus.push(frame);
      const recent = corpus.slice(-50);
      const forged = fix(mutate(random, recent));
      forged.set(GROUP);
      return forged;
    });
    cluster.run(2_000_000);
    assert(injected() > 300, `${injected()} frames`);
  }
});

Deno.test("every message type is among the frames that are truncated and mutated", () => {
  const types = new Set<MessageName>();
  for (const frame of soundFrames(VICTIMS.acceptor())) {
    types.add(decode(frame).body.type);
  }
  assert.equal(types.size, MESSAGE_NAMES.length);
});
