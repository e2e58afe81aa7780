/** An acceptor with storage: what leaves its memory, what it reads back for others, and storage that is full or failed. */
import assert from "node:assert/strict";
import { readRecord } from "../core/core.ts";
import {
  Counter,
  Event,
  Fetched,
  Gauge,
  Record,
  Role,
  StatusField,
  StorageCondition,
  Voting,
  WINDOW_INSTANCES,
} from "../core/layout.ts";
import type { FrameFields } from "../sim/decode.ts";
import { Random } from "../sim/random.ts";
import { Table } from "../storage/store.ts";
import { StateKey } from "../storage/tables.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { fromAcceptor } from "./leader.ts";
import { Rig } from "./rig.ts";
import {
  accept,
  asks,
  bodies,
  delivered,
  FIRST,
  heartbeat,
  prepare,
  repair,
  SECOND,
  SMALL,
  Stored,
} from "./stored.ts";

const { sound, full, failed } = StorageCondition;

/** An acceptor that accepted so many instances, each decided when the next one came, but those left out. */
function filled(instances: number, except: readonly number[] = []): Stored {
  const acceptor = Stored.voting(SMALL);
  for (let i = 1; i <= instances; i++) {
    if (!except.includes(i)) acceptor.settle(accept(i, i));
  }
  return acceptor;
}

/** Instances that the answer tells of, and of those in which ballot each was accepted; 0: nothing was. */
function told(frames: readonly FrameFields[]): [number, bigint][] {
  return bodies(frames, "learned").flatMap(({ entries }) =>
    entries.map(({ instance, ballot }): [number, bigint] => [
      Number(instance),
      ballot,
    ])
  );
}

const range = (from: number, end: number) =>
  Array.from({ length: end - from }, (_, i) => from + i);

Deno.test("what is decided and stored leaves memory, though a learner still needs it, and is read back for that one", () => {
  const acceptor = filled(50);
  acceptor.settle(delivered(1));
  for (let i = 51; i <= 600; i++) acceptor.settle(accept(i, i));
  const { core } = acceptor.rig;
  assert.equal(core.counter(Counter.accepted), 600);
  assert.equal(core.gauge(Gauge.trimmed), 1);
  assert.equal(core.trimLimit, 1, "the learner has delivered nothing");
  const answer = acceptor.step(repair([1, 41]));
  assert.deepEqual(told(answer), range(1, 41).map((i) => [i, FIRST]));
  assert.equal(core.counter(Counter.fetched), 40);
  const frames = bodies(answer, "learned");
  assert.deepEqual(
    frames.map(({ last }) => last),
    frames.map((_, i) => i === frames.length - 1),
  );
  assert(frames.every(({ trimmed }) => trimmed === 1n));
  const [{ entries: [{ decided, batch }] }] = frames;
  assert(decided, "the ballot's leader called it so");
  assert(new TextDecoder().decode(batch[0].values[0]).startsWith("65537/1."));
});

Deno.test("what is not durable stays in memory, and so does what is not decided", () => {
  for (const isDecided of [true, false]) {
    const acceptor = Stored.voting(SMALL);
    for (let i = 1; i <= 600; i++) {
      acceptor.step(accept(i, isDecided ? i : 1));
      if (!isDecided) acceptor.commit();
    }
    const { core } = acceptor.rig;
    const accepted = core.counter(Counter.accepted);
    assert(accepted < 220, `${accepted} instances fit a log of 64 KiB`);
    assert(core.counter(Counter.logFull) > 0);
    acceptor.commit();
    acceptor.settle(heartbeat(accepted + 1), accept(accepted + 1));
    acceptor.settle(accept(accepted + 1));
    assert.equal(core.counter(Counter.accepted), accepted + 1);
  }
});

Deno.test("what is accepted again, when it is decided and stored already, stays until that is stored too", () => {
  const acceptor = filled(150);
  const { core } = acceptor.rig;
  const value = `${FIRST}/1`;
  acceptor.step(accept(1, 1, SECOND, value));
  for (let i = 151; i <= 400; i++) acceptor.step(accept(i, i, SECOND));
  const accepted = core.counter(Counter.accepted);
  assert(accepted < 220, `${accepted}`);
  acceptor.settle(accept(accepted, 400, SECOND));
  acceptor.settle(accept(accepted, 400, SECOND));
  assert.deepEqual(told(acceptor.step(repair([1, 2]))), [[1, SECOND]]);
});

Deno.test("storage may delete what is decided, for sure after a crash too, and delivered by registered learners", () => {
  const acceptor = Stored.voting();
  const { core } = acceptor.rig;
  for (let i = 1; i <= 300; i++) acceptor.settle(accept(i, i));
  const { trimLimit } = core;
  assert(trimLimit > 200 && trimLimit < 300, `${trimLimit}`);
  for (let i = 301; i <= 600; i++) acceptor.step(accept(i, i));
  assert.equal(core.trimLimit, trimLimit, "the watermark is not durable yet");
  acceptor.commit();
  acceptor.settle(delivered(50));
  assert.equal(core.trimLimit, 50);
  acceptor.settle(delivered(400));
  assert.equal(core.trimLimit, 400);
});

Deno.test("the durable watermark goes on though newer ones are always under way", () => {
  const acceptor = Stored.voting();
  let before = 1;
  for (let i = 1; i <= 1000; i++) {
    acceptor.step(accept(i, i));
    const { lastRecord } = acceptor.rig.core;
    // Storage is 200 records behind all the time.
    acceptor.rig.durable = Math.max(acceptor.rig.durable, lastRecord - 200);
    if (i % 300 !== 0) continue;
    const { trimLimit } = acceptor.rig.core;
    assert(trimLimit > before, `${trimLimit} at ${i}`);
    before = trimLimit;
  }
});

Deno.test("trimmed is what neither memory nor storage has", () => {
  const acceptor = filled(600);
  const trimmed = () =>
    bodies(acceptor.settle(delivered(599)), "ok")[0].trimmed;
  assert.equal(trimmed(), 1n);
  acceptor.low = 100;
  assert.equal(trimmed(), 100n);
  assert.deepEqual(
    told(acceptor.step(repair([90, 104]))),
    range(100, 104).map((i) => [i, FIRST]),
  );
  const low = acceptor.rig.core.gauge(Gauge.trimmed);
  assert.equal(low, 100);
  acceptor.low = 601;
  assert.throws(
    () => acceptor.step(),
    /storage deleted what is not decided/,
  );
});

Deno.test("a proposer is told from where on the acceptor votes, which memory alone decides", () => {
  const acceptor = filled(600);
  const [{ trimmed }] = bodies(
    acceptor.settle(accept(1, 1, SECOND)),
    "ok",
  );
  assert(trimmed > 300n, "it votes for none of what left its memory");
});

Deno.test("storage tells of its holes as memory does that nothing was accepted, and of what it lost nothing", () => {
  const acceptor = filled(600, [3, 598]);
  acceptor.store.damage(Table.log, 5, undefined);
  assert.deepEqual(told(acceptor.step(repair([2, 7]))), [
    [2, FIRST],
    [3, 0n],
    [4, FIRST],
    [6, FIRST],
  ]);
  acceptor.store.damage(Table.log, 3, undefined);
  assert.deepEqual(told(acceptor.step(repair([2, 5]))), [[2, FIRST], [
    4,
    FIRST,
  ]]);
  assert.deepEqual(told(acceptor.step(repair([597, 600]))), [
    [597, FIRST],
    [598, 0n],
    [599, FIRST],
  ]);
});

Deno.test("an answer tells of what storage has, then of what memory has, and ends once", () => {
  const acceptor = filled(600);
  const { core } = acceptor.rig;
  const answer = acceptor.step(repair([5, 8], [20, 22], [590, 593]));
  assert.deepEqual(
    told(answer).map(([instance]) => instance),
    [5, 6, 7, 20, 21, 590, 591, 592],
  );
  assert.deepEqual(
    bodies(answer, "learned").map(({ last }) => last).filter((last) => last),
    [true],
  );
  assert.equal(core.counter(Counter.fetched), 5);
});

Deno.test("an answer has 64 frames at most, whether storage or memory fills them", () => {
  const acceptor = filled(900);
  const frames = bodies(acceptor.step(repair([1, 900])), "learned");
  assert.equal(frames.length, 64);
  assert.deepEqual(frames.map(({ last }) => last).indexOf(true), 63);
  const first = Number(frames.at(-1)!.entries.at(-1)!.instance) + 1;
  assert(first < 900);
  const [next] = told(acceptor.step(repair([first, 900])));
  assert.equal(next[0], first);
});

Deno.test("a step asks storage for a few ranges, and for no more than that however many are asked for", () => {
  const acceptor = filled(600);
  const odd = range(0, 12).map((i): [number, number] => [2 * i + 1, 2 * i + 2]);
  const answer = acceptor.step(repair(...odd));
  assert.deepEqual(
    told(answer).map(([instance]) => instance),
    range(0, 8).map((i) => 2 * i + 1),
  );
  assert.equal(bodies(answer, "learned").at(-1)!.last, true);
  const two = acceptor.step(repair(...odd.slice(0, 7)), repair(...odd));
  assert.equal(told(two).length, 8);
});

Deno.test("a learner beside the acceptor gets from its storage what it missed", () => {
  const both = Stored.voting({
    roles: Role.acceptor | Role.learner,
    acceptors: [2],
    from: 1n,
    ...SMALL,
  });
  const { rig, rig: { core } } = both;
  both.paused = true;
  const last = WINDOW_INSTANCES + 500;
  // Its window takes so many and no more, as it may deliver none.
  for (let i = 1; i <= last; i++) both.settle(accept(i, i));
  both.settle(heartbeat(last + 1));
  both.paused = false;
  for (let n = 0; n < 100; n++) {
    rig.now_us += 5000;
    both.settle();
  }
  assert.equal(core.gauge(Gauge.delivered), last + 1);
  assert(core.counter(Counter.fetched) > 200);
  assert.equal(core.sendCount, 0, "none of that went over the wire");
});

Deno.test("a damaged record is not told, and ends the reading; one that is too large for this MTU is left out", () => {
  const acceptor = filled(600);
  const { store } = acceptor;
  const { core } = acceptor.rig;
  const record = store.get(Table.log, 5)!;
  record[60] ^= 1;
  assert.deepEqual(told(acceptor.step(repair([3, 8]))), [[3, FIRST], [
    4,
    FIRST,
  ]]);
  assert.equal(acceptor.found.at(-1), Fetched.damaged);
  assert.equal(core.counter(Counter.damagedRecords), 1);
  record[60] ^= 1;
  // Another instance's record in its place says nothing of what was asked for.
  const wrong = store.get(Table.log, 7)!.slice();
  store.begin();
  store.put(Table.log, 5, wrong, 0, wrong.length);
  store.commit();
  assert.deepEqual(told(acceptor.step(repair([5, 6]))), []);
  assert.equal(acceptor.found.at(-1), Fetched.enough);
  const large = new Uint8Array(4000);
  store.begin();
  store.put(Table.log, 5, large, 0, large.length);
  store.commit();
  assert.deepEqual(told(acceptor.step(repair([4, 7]))), [[4, FIRST], [
    6,
    FIRST,
  ]]);
  assert.equal(core.counter(Counter.oversizedRecords), 1);
});

Deno.test("an entry that storage has is called decided where its own ballot's leader said so, and not else", () => {
  const acceptor = Stored.voting(SMALL);
  for (let i = 1; i <= 20; i++) acceptor.settle(accept(i, Math.min(i, 10)));
  // The next leader calls all decided, which says nothing of values of the last one from 10 on.
  for (let i = 21; i <= 600; i++) acceptor.settle(accept(i, i, SECOND));
  const entries = (it: Stored) =>
    bodies(it.step(repair([8, 13])), "learned").flatMap(({ entries }) =>
      entries.map(({ instance, decided }) => [Number(instance), decided])
    );
  const known = [[8, true], [9, true], [10, false], [11, false], [12, false]];
  assert.deepEqual(entries(acceptor), known);
  const again = acceptor.restart();
  again.step();
  assert.deepEqual(entries(again), known, "storage has it too");
  const [{ entries: later }] = bodies(again.step(repair([30, 33])), "learned");
  assert(later.every(({ decided }) => decided));
});

Deno.test("after a restart holes are told as before, below the recovered watermark and above, and of what was lost nothing", () => {
  const acceptor = Stored.voting();
  for (const i of range(1, 200)) {
    if (![100, 198].includes(i)) acceptor.settle(accept(i, Math.min(i, 180)));
  }
  acceptor.store.damage(Table.log, 101, undefined);
  const again = acceptor.restart();
  again.step(heartbeat(200));
  assert.deepEqual(
    told(again.settle(repair([99, 103], [197, 200]))),
    [
      [99, FIRST],
      [100, 0n],
      [102, FIRST],
      [197, FIRST],
      [198, 0n],
      [199, FIRST],
    ],
  );
});

Deno.test("what one acceptor has, and does not know to be chosen, a learner takes as another one vouches for its hole, though both restarted", () => {
  const roles = Role.learner;
  const learner = new Rig({ roles, id: 9, incarnation: 909, from: 1n });
  learner.feed(heartbeat(4, SECOND));
  for (const [id, accepted] of [[1, [1, 2, 3]], [2, [1, 3]]] as const) {
    const acceptor = Stored.voting({ id });
    for (const i of accepted) acceptor.settle(accept(i));
    // Another leader than that of their ballot calls all decided.
    acceptor.settle(heartbeat(4, SECOND));
    acceptor.rig.now_us += 100_000;
    acceptor.settle();
    const again = acceptor.restart();
    again.step(repair([1, 4]));
    assert.equal(learner.core.gauge(Gauge.delivered), 1, "one is not enough");
    learner.feed(...again.rig.sent());
  }
  assert.equal(learner.core.gauge(Gauge.delivered), 4);
});

Deno.test("a hole stays one: a late proposal for it is answered with where this acceptor votes, and is not accepted", () => {
  let acceptor = filled(200, [50]);
  for (const isAgain of [false, true]) {
    if (isAgain) acceptor = acceptor.restart();
    const { core } = acceptor.rig;
    const accepted = core.counter(Counter.accepted);
    const frames = acceptor.settle(accept(50, 50, SECOND));
    assert.deepEqual(bodies(frames, "ok").map(({ trimmed }) => trimmed), [51n]);
    assert.equal(core.counter(Counter.accepted), accepted);
    assert.deepEqual(told(acceptor.settle(repair([50, 51]))), [[50, 0n]]);
  }
});

Deno.test("a long absence is one hole, of which is told what is asked for", () => {
  const acceptor = filled(10);
  acceptor.settle(heartbeat(1_000_000));
  acceptor.rig.now_us += 100_000;
  acceptor.settle();
  assert.equal(acceptor.store.count(Table.log), 11);
  const again = acceptor.restart();
  const nothing = (from: number, end: number) =>
    range(from, end).map((i) => [i, 0n]);
  assert.deepEqual(
    told(again.settle(repair([9, 13], [500_000, 500_003]))),
    [[9, FIRST], [10, FIRST], ...nothing(11, 13), ...nothing(500_000, 500_003)],
  );
  assert.deepEqual(
    told(again.settle(repair([999_998, 1_000_002]))).slice(0, 2),
    nothing(999_998, 1_000_000),
  );
});

Deno.test("the stored watermark goes no further than the holes that are stored with it, and the rest follows", () => {
  const acceptor = Stored.voting();
  for (let i = 1; i <= 400; i += 2) acceptor.settle(accept(i));
  acceptor.settle(heartbeat(401));
  const { store } = acceptor;
  const watermark = () =>
    readRecord(store.get(Table.state, StateKey.decided)!).instance;
  const stored: number[] = [];
  for (let n = 0; n < 5; n++) {
    acceptor.rig.now_us += 100_000;
    acceptor.settle();
    stored.push(watermark());
  }
  assert.deepEqual(stored, [130, 258, 386, 401, 401]);
  assert.equal(store.count(Table.log), 400);
  const again = acceptor.restart();
  const parts = range(0, 4).map((n) => repair([n * 100 + 1, n * 100 + 101]));
  assert.deepEqual(
    parts.flatMap((part) => told(again.settle(part))),
    range(1, 401).map((i) => [i, i % 2 === 1 ? FIRST : 0n]),
  );
});

Deno.test("a hole from before a loss is not told, whatever was fetched around it", () => {
  const before = filled(9, [3]);
  before.settle(heartbeat(10));
  before.rig.now_us += 100_000;
  before.settle();
  // It has all its disk had; but who is taken for forgetful returns as one that is.
  const acceptor = before.restart();
  const { memory, incarnation } = acceptor.rig.options;
  acceptor.settle(encode(fromAcceptor(1), {
    type: "forgot",
    refused: memory ?? incarnation,
    known: 77,
  }));
  acceptor.settle(encode(
    { senderRole: "proposer", senderId: 1, incarnation: 101, ballot: SECOND },
    { type: "rejoin", memory: memory ?? incarnation, from: 10n, end: 10n },
  ));
  const others = [1, 2, 4, 5, 6, 7, 8, 9];
  for (let n = 0; acceptor.rig.core.gauge(Gauge.trimmed) > 1; n++) {
    assert(n < 40, "it goes on without what nobody tells");
    acceptor.rig.now_us += 50_000;
    for (const id of [1, 3]) {
      acceptor.settle(learned(id, others, { decided: true }));
    }
  }
  const all = told(acceptor.settle(repair([1, 10])));
  assert.deepEqual(all.map(([instance]) => instance), others);
});

Deno.test("a recovered log holds what may be undecided and as much of the rest as fits; ballots may fall with instances", () => {
  const acceptor = Stored.voting(SMALL);
  for (let i = 1; i <= 300; i++) acceptor.settle(accept(i, i));
  acceptor.settle(accept(302, 300, SECOND));
  acceptor.settle(prepare(SECOND + 0x10000n));
  const again = acceptor.restart();
  const frames = again.settle(prepare(SECOND + 0x20000n), prepare(SECOND));
  const entries = bodies(frames, "promise").flatMap((page) => page.entries);
  assert.deepEqual(
    entries.filter(({ instance }) => instance >= 300n)
      .map(({ instance, ballot }) => [Number(instance), ballot]),
    [[300, FIRST], [302, SECOND]],
  );
  assert.equal(again.rig.core.counter(Counter.rejected), 1);
});

Deno.test("after a restart it accepts what is undecided below the first instance that storage has", () => {
  const acceptor = new Stored();
  const { core } = acceptor.rig;
  const recover = (kind: Record, instance: number, ballot: bigint) =>
    core.recover({
      kind,
      ballot,
      incarnation: 101,
      instance,
      values: 0,
      batch: new Uint8Array(),
    });
  recover(Record.decided, 5000, 0n);
  recover(Record.accept, 5003, FIRST);
  recover(Record.confirmed, 1, 0n);
  const votes = bodies(acceptor.settle(accept(5001, 5000)), "accepted");
  assert.deepEqual(votes.map(({ ranges }) => ranges), [
    [{ first: 5001n, end: 5002n }],
  ]);
});

Deno.test("whenever it crashes, what storage has of undecided instances fits its log again", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = new Random(seed);
    let acceptor = Stored.voting(SMALL);
    let [next, decided] = [1, 1];
    for (let n = 0; n < 1000; n++) {
      // Now and then nothing is decided until the log is full, and then all at once.
      if (n % 400 > 300) decided = random.between(decided, next);
      const ballot = BigInt(1 + Math.floor(n / 50) << 16 | 1);
      const { core } = acceptor.rig;
      const accepted = core.counter(Counter.accepted);
      acceptor.step(heartbeat(decided, ballot), accept(next, decided, ballot));
      if (core.counter(Counter.accepted) > accepted) next++;
      if (random.chance(0.3)) acceptor.commit();
      if (!random.chance(0.01)) continue;
      try {
        acceptor = acceptor.restart();
      } catch (error) {
        assert.fail(`seed ${seed}, ${n}: ${error}`);
      }
      acceptor.settle();
      next = Math.max(decided, Math.min(next, acceptor.next));
    }
    assert(next > 500, `seed ${seed}: ${next}`);
  }
});

Deno.test("storage that is full takes no new instance, and what is accepted already in a higher ballot", () => {
  const acceptor = Stored.voting();
  acceptor.settle(delivered(1));
  acceptor.settle(accept(1), accept(2), heartbeat(3));
  acceptor.condition = full;
  assert.deepEqual(bodies(acceptor.settle(accept(3)), "accepted"), []);
  const { rig, rig: { core } } = acceptor;
  assert.equal(core.counter(Counter.logFull), 1);
  acceptor.rig.now_us += 2_000_000;
  acceptor.step(accept(3, 3));
  const event = { code: Event.storageFull, small: 9, large: 3n };
  assert.deepEqual(rig.events(), [event], "a learner holds it");
  const votes = bodies(acceptor.settle(accept(2, 2, SECOND)), "accepted");
  assert.deepEqual(votes, [
    { type: "accepted", ranges: [{ first: 2n, end: 3n }] },
  ]);
  acceptor.condition = sound;
  assert.equal(
    bodies(acceptor.settle(accept(3, 2, SECOND)), "accepted").length,
    1,
  );
});

Deno.test("patience with learners ends when storage is full, and not because memory is", () => {
  const learnerPatience_us = 500_000;
  const acceptor = filled(1);
  const { options } = acceptor.rig;
  const patient = Stored.voting({ ...options, learnerPatience_us });
  patient.settle(delivered(1));
  const { rig, rig: { core } } = patient;
  let instance = 1;
  const renew = () => {
    rig.now_us += 100_000;
    patient.settle(delivered(1));
  };
  for (let n = 0; n < 30; n++) {
    for (let k = 0; k < 20; k++, instance++) {
      patient.settle(accept(instance, instance));
    }
    renew();
  }
  // Storage is so slow that memory is full of what is not durable.
  for (let n = 0; n < 30; n++) {
    for (let k = 0; k < 20; k++, instance++) {
      patient.step(accept(instance, instance));
    }
    rig.now_us += 100_000;
    patient.step(delivered(1));
  }
  assert(core.counter(Counter.logFull) > 0);
  renew();
  assert.equal(core.trimLimit, 1, "its memory was full all the time");
  patient.condition = full;
  const left: number[] = [];
  for (let n = 0; n < 10; n++) {
    patient.settle(accept(instance, instance));
    renew();
    left.push(core.trimLimit);
  }
  assert.deepEqual(left.slice(0, 3), [1, 1, 1]);
  assert(left.at(-1)! > 500, `${left}`);
});

Deno.test("an acceptor whose storage failed is silent, and what it held stays held", () => {
  const acceptor = Stored.voting();
  acceptor.settle(accept(1));
  acceptor.settle(delivered(1));
  acceptor.step(accept(2), prepare(SECOND));
  acceptor.condition = failed;
  const learned = repair([1, 2]);
  const frames = [accept(3), prepare(SECOND + 0x10000n), learned];
  const sent = acceptor.step(...frames, delivered(2), asks(1, 77));
  const { rig, rig: { core } } = acceptor;
  assert.deepEqual(rig.events(), [
    { code: Event.storageFailed, small: 2, large: 0n },
  ]);
  const { lastRecord } = core;
  for (let n = 0; n < 30; n++) {
    rig.now_us += 50_000;
    sent.push(...acceptor.step(heartbeat(2), accept(4, 2), learned));
    assert.deepEqual(rig.sent(), [], "not even hi");
    assert.equal(core.recordCount, 0, "nothing for storage");
    assert(rig.events().every(({ code }) => code !== Event.storageFailed));
  }
  assert.deepEqual(sent, []);
  assert(core.lastRecord >= lastRecord);
  assert.equal(status(acceptor).get(StatusField.voting), Voting.failed);
  assert.equal(status(acceptor).get(StatusField.storage), failed);
  acceptor.condition = sound;
  assert.deepEqual(acceptor.step(accept(5)), [], "it is for good");
});

Deno.test("it is as silent when all that it appended was durable, and it keeps nothing more for storage", () => {
  const acceptor = Stored.voting();
  acceptor.settle(accept(1), asks(1, 77));
  acceptor.settle(prepare(SECOND));
  const frames = [heartbeat(1), asks(1, 77)];
  const types = acceptor.step(...frames).map(({ body }) => body.type);
  assert.deepEqual(types, ["reject", "ok"], "as long as it is sound");
  acceptor.condition = failed;
  assert.deepEqual(acceptor.step(...frames), []);
  const { rig } = acceptor;
  for (let n = 1; n <= 600; n++) {
    rig.now_us += 50_000;
    const returned = encode(
      { senderRole: "proposer", senderId: 1, incarnation: 101, ballot: FIRST },
      {
        type: "heartbeat",
        decided: 1n,
        next: 2n,
        rejoined: { ballot: SECOND + BigInt(n << 16), id: 1, memory: n },
      },
    );
    acceptor.step(returned, accept(1), asks(3, 88), repair([1, 2]));
    assert.deepEqual(rig.sent(), []);
    assert.equal(rig.core.recordCount, 0);
  }
});

/** Fields of its status. */
function status(acceptor: Stored): Map<number, number> {
  const query = { type: "query", number: 7 } as const;
  const client = {
    senderRole: "client",
    senderId: 8,
    incarnation: 808,
  } as const;
  acceptor.rig.now_us += 100_000;
  const answer = bodies(acceptor.step(encode(client, query)), "status");
  return new Map(
    answer.flatMap(({ items }) => items).filter(({ kind }) => kind === 1)
      .map(({ code, value }) => [code, Number(value)]),
  );
}

Deno.test("one whose storage fails while it rejoins does not vote in that ballot either", () => {
  const acceptor = Stored.voting({ forgot: true });
  const { memory, incarnation } = acceptor.rig.options;
  acceptor.settle(encode(
    { senderRole: "proposer", senderId: 1, incarnation: 101, ballot: SECOND },
    { type: "rejoin", memory: memory ?? incarnation, from: 1n, end: 3n },
  ));
  assert.equal(
    bodies(acceptor.settle(accept(1, 1, SECOND)), "accepted").length,
    1,
    "it votes in the ballot of its return",
  );
  acceptor.condition = failed;
  assert.deepEqual(acceptor.settle(accept(2, 1, SECOND)), []);
});

/** Acceptor 2 came back in ballot 2.1 with an empty disk, and all below instance 4 is decided. */
function refilling(): Stored {
  const acceptor = Stored.voting({ forgot: true });
  const { memory, incarnation } = acceptor.rig.options;
  acceptor.settle(encode(
    { senderRole: "proposer", senderId: 1, incarnation: 101, ballot: SECOND },
    { type: "rejoin", memory: memory ?? incarnation, from: 4n, end: 4n },
  ));
  return acceptor;
}

/** An acceptor tells of instances, in this ballot, and that it has trimmed all below. */
function learned(
  id: number,
  instances: readonly number[],
  { ballot = THIRD, decided = false, trimmed = 1 } = {},
) {
  return encode({
    ...fromAcceptor(id),
    receiverRoles: ["acceptor"],
    receiverId: 2,
  }, {
    type: "learned",
    trimmed: BigInt(trimmed),
    decided: 4n,
    last: true,
    entries: instances.map((instance) => ({
      instance: BigInt(instance),
      ballot,
      decided,
      batch: [run(5n, instance, `value ${instance}`)],
    })),
  });
}

const THIRD = ballotOf(3, 3);

Deno.test("what is fetched after a loss is told when it is durable, as decided, and is neither a promise nor a vote", () => {
  const acceptor = refilling();
  const told = (frames: FrameFields[]) =>
    bodies(frames, "learned").flatMap(({ trimmed, entries }) => [
      trimmed,
      ...entries.map(({ instance, ballot, decided }) =>
        `${instance} ${ballot} ${decided}`
      ),
    ]);
  acceptor.step(learned(1, [1, 2, 3], { decided: true }));
  assert.deepEqual(acceptor.step(repair([1, 4])), []);
  acceptor.commit();
  assert.deepEqual(told(acceptor.step()), [4n], "as it was when it was asked");
  assert.deepEqual(acceptor.rig.events().at(-1), {
    code: Event.refilled,
    small: 0,
    large: 1n,
  });
  const all = [1n, ...[1, 2, 3].map((i) => `${i} ${THIRD} true`)];
  assert.deepEqual(told(acceptor.settle(repair([1, 4]))), all);
  const again = acceptor.restart();
  assert.deepEqual(told(again.settle(repair([1, 4]))), all);
  assert.equal(again.rig.core.gauge(Gauge.promised), Number(SECOND));
});

Deno.test("of an instance that nobody calls decided so many must tell that one chose it, and the highest ballot counts", () => {
  const acceptor = refilling();
  acceptor.settle(learned(1, [1, 2, 3], { ballot: FIRST }));
  assert.equal(acceptor.store.count(Table.log), 0);
  acceptor.settle(learned(3, [1, 2, 3]));
  const ballots: bigint[] = [];
  acceptor.store.walk(Table.log, 0, (_, value) => {
    ballots.push(readRecord(value).ballot);
    return true;
  });
  assert.deepEqual(ballots, [THIRD, THIRD, THIRD]);
});

Deno.test("a disk that is refilled is not called so while an acceptor is silent that may have what others lost", () => {
  const acceptor = refilling();
  const noted = () =>
    acceptor.rig.events().some(({ code }) => code === Event.refilled);
  acceptor.settle(learned(1, [3], { decided: true, trimmed: 3 }));
  for (let n = 0; n < 100; n++) {
    acceptor.rig.now_us += 50_000;
    acceptor.settle();
    assert(!noted());
  }
  acceptor.settle(learned(1, [], { trimmed: 3 }));
  assert(!noted());
  acceptor.settle(learned(3, [], { trimmed: 3 }));
  assert(noted());
  assert.equal(acceptor.rig.core.gauge(Gauge.trimmed), 3);
});

Deno.test("storage that lost what it kept makes an acceptor recover from its start, and it says so", () => {
  const acceptor = new Stored({ forgot: true });
  acceptor.step();
  assert.deepEqual(acceptor.rig.events(), [
    { code: Event.recovering, small: 2, large: 0n },
  ]);
  acceptor.rig.now_us += 200_000;
  assert.deepEqual(acceptor.settle(accept(1), prepare(SECOND)), []);
  assert.equal(status(acceptor).get(StatusField.voting), Voting.recovering);
});

Deno.test("an acceptor confirms another one when it has that one's memory in storage, and tells a learner at once", () => {
  const acceptor = Stored.voting();
  assert.equal(bodies(acceptor.step(delivered(0)), "ok").length, 1);
  const early = acceptor.step(asks(1, 77), asks(3, 88));
  assert.deepEqual(early, []);
  acceptor.commit();
  const confirmed = acceptor.step();
  assert.deepEqual(
    confirmed.map(({ receiverId, ballot }) => [receiverId, ballot]),
    [[1, 77n], [3, 88n]],
  );
  assert.equal(bodies(acceptor.step(asks(1, 77)), "ok").length, 1, "again");
});

Deno.test("whom an acceptor knew before its restart it knows after, and tells another memory so", () => {
  const acceptor = Stored.voting();
  acceptor.step(asks(1, 77));
  const crashed = acceptor.restart();
  assert.equal(
    bodies(crashed.settle(asks(1, 78)), "ok").length,
    1,
    "the first one was not durable, and was confirmed to nobody",
  );
  const again = crashed.restart();
  const [forgot] = bodies(again.settle(asks(1, 79)), "forgot");
  assert.deepEqual(forgot, { type: "forgot", known: 78, refused: 79 });
  assert.deepEqual(bodies(again.settle(asks(1, 79)), "ok"), []);
});

Deno.test("without storage no memory is recorded, and nothing is held", () => {
  const { rig } = Stored.voting();
  const bare = new Stored({ ...rig.options, persistent: false });
  bare.step();
  bare.rig.now_us += 100_000;
  assert.equal(bodies(bare.step(asks(1, 77)), "ok").length, 1);
});

Deno.test("a record of another acceptor that left the configuration is no use, and does no harm", () => {
  const { core } = Stored.voting().rig;
  for (const kind of [Record.known, Record.rejoined]) {
    core.recover({
      kind,
      ballot: SECOND,
      incarnation: 77,
      instance: 4321,
      values: 0,
      batch: new Uint8Array(),
    });
  }
});
