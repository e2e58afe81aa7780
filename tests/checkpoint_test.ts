/** A learner with storage goes on from its last checkpoint as if it had never stopped. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { CoreOptions, CoreRecord } from "../core/core.ts";
import {
  Event,
  Gauge,
  PIECE_BYTES,
  Record,
  RECORDS_IN_FLIGHT,
  Role,
  StorageCondition,
} from "../core/layout.ts";
import { decode, type RunFields } from "../sim/decode.ts";
import { anyRun, piece } from "./any_run.ts";
import {
  accepted,
  Kept,
  LearnerBench,
  type Outcome,
  watermark,
} from "./checkpoints.ts";
import { chunk, command, encode, encodeBatch, run } from "./encode.ts";

Deno.test("a learner goes on at its checkpoint, and knows what it delivered before", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n));
  bench.decide(run(7n, 1, "a", "b"));
  bench.checkpoint();
  assert.equal(bench.rig.core.gauge(Gauge.checkpoint), 3);
  const again = new LearnerBench({}, bench.kept);
  assert.equal(again.rig.core.gauge(Gauge.delivered), 3);
  again.next = 3;
  assert.deepEqual(again.decide(run(7n, 1, "a", "b", "c")), {
    delivered: ['3.2 7/3 "c"'],
    told: [],
  });
  assert.deepEqual(again.decide(command(8n)).told, ["4 8 open"]);
});

/** A large value of two pieces, and of three chunks. */
const WIDE = Uint8Array.from({ length: 18_000 }, (_, i) => 97 + i % 26);
const WIDE_CHUNK_BYTES = WIDE.length / 3;
/** Frames that a chunk fits. */
const JUMBO = { mtu: 9000 };

/** What may happen between two instances. */
const anyEvent = fc.oneof(
  { weight: 6, arbitrary: fc.constant("nothing" as const) },
  { weight: 2, arbitrary: fc.constant("time passes" as const) },
  { weight: 2, arbitrary: fc.constant("storage commits" as const) },
  { weight: 1, arbitrary: fc.constant("crash" as const) },
);

/** Numbers far apart, so that windows slide, gaps are many, and pieces lie far apart. */
const anyWideRun: fc.Arbitrary<RunFields> = fc.oneof(
  fc.tuple(
    fc.bigInt(1n, 5n),
    // Near enough to one another to come twice, far enough for the window to move.
    fc.constantFrom(1, 8, 16_382, 16_390, 20_000, 33_000),
    fc.integer({ min: 1, max: 5 }),
  ).map(([client, first, count]) =>
    run(client, first, ...Array.from({ length: count }, (_, i) => `${i}`))
  ),
  fc.bigInt(1n, 2n).map((client) =>
    command(client, "open", { reserves: true })
  ),
  // Any three make the value whole, though one may have come twice, and another not.
  fc.tuple(
    fc.bigInt(1n, 2n),
    fc.integer({ min: 1, max: 100 }),
    fc.constantFrom(20, 20, 20, 40),
    fc.integer({ min: 0, max: 2 }),
  ).map(([client, sequence, first, place]) =>
    chunk(client, sequence, WIDE, {
      first,
      offset: place * WIDE_CHUNK_BYTES,
      bytes: WIDE_CHUNK_BYTES,
    })
  ),
);

Deno.test("whenever a learner crashes, it goes on with the same deliveries and verdicts as one that never did", () => {
  const log = fc.array(
    fc.tuple(
      fc.array(fc.oneof(anyRun, anyWideRun), { maxLength: 2 }),
      anyEvent,
    ),
    { minLength: 1, maxLength: 80, size: "max" },
  );
  let crashes = 0;
  let resumed = 0;
  let wholes = 0;
  fc.assert(
    fc.property(log, (steps) => {
      const steady = new LearnerBench({ ...JUMBO, persistent: false });
      const outcomes: Outcome[] = [];
      const batches: RunFields[][] = [];
      let bench = new LearnerBench(JUMBO);
      /** Gives the bench what it does not have, and compares. */
      const follow = () => {
        while (bench.next <= batches.length) {
          const instance = bench.next;
          const outcome = bench.decide(...batches[instance - 1]);
          assert.deepEqual(outcome, outcomes[instance - 1]);
        }
      };
      for (const [batch, event] of steps) {
        // What does not fit a frame is not proposed.
        if (encodeBatch(batch).length > 8900) batch.splice(1);
        batches.push(batch);
        outcomes.push(steady.decide(...batch));
        wholes += outcomes.at(-1)!.delivered
          .filter((text) => text.length > WIDE.length).length;
        follow();
        if (event === "time passes") bench.wait(100_000);
        if (event === "storage commits") bench.commit();
        if (event !== "crash") continue;
        crashes++;
        const next = Math.max(bench.rig.core.gauge(Gauge.checkpoint), 1);
        if (next > 1) resumed++;
        bench = new LearnerBench(JUMBO, bench.kept.copy());
        assert.equal(
          bench.rig.core.gauge(Gauge.checkpoint),
          next === 1 ? 0 : next,
        );
        bench.next = next;
        follow();
      }
    }),
    { numRuns: 60, seed: 5 },
  );
  assert(
    crashes > 100 && resumed > 50 && wholes > 2,
    `${crashes} crashes, ${resumed} resumed, ${wholes} large values`,
  );
});

const delivered = (bench: LearnerBench) =>
  bench.rig.core.gauge(Gauge.delivered);
const checkpoint = (bench: LearnerBench) =>
  bench.rig.core.gauge(Gauge.checkpoint);
/** Instances of the checkpoints that wait for storage. */
const pending = (bench: LearnerBench) =>
  bench.pending.filter(({ kind }) => kind === Record.checkpoint)
    .map(({ instance }) => instance);

/** What a learner tells acceptors that it delivered, in the last of the frames. */
function told(frames: Uint8Array[]): number {
  const his = frames.map((frame) => decode(frame).body)
    .filter((body) => body.type === "hi");
  return Number(his.at(-1)!.delivered);
}

Deno.test("acceptors hear of what a crash cannot take back, and of no more", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n));
  bench.decide(run(7n, 1, "a"));
  assert.equal(told(bench.rig.wait(200_000)), 1, "nothing is durable");
  bench.commit();
  assert.deepEqual(pending(bench), [3]);
  assert.equal(told(bench.rig.wait(200_000)), 2, "the first checkpoint is");
  bench.commit();
  assert.equal(told(bench.rig.wait(200_000)), 3);
  const again = new LearnerBench({}, bench.kept);
  assert.equal(told(again.rig.wait(200_000)), 3);
});

Deno.test("a learner whose storage failed delivers on, says so once, and holds nothing back", () => {
  const bench = new LearnerBench({
    sessions: 4096,
    sessionSpan: 1 << 18,
    mtu: 1500,
  });
  bench.decide(command(1n));
  bench.checkpoint();
  const { core } = bench.rig;
  core.setStorage(StorageCondition.failed, 1);
  bench.rig.feed();
  assert.deepEqual(bench.rig.events(), [{
    code: Event.checkpointsFailed,
    small: 0,
    large: 2n,
  }]);
  // More sessions than a checkpoint could carry.
  for (let i = 1; i <= 200; i++) {
    const opened = Array.from(
      { length: 20 },
      (_, c) => 100n + BigInt(i * 20 + c),
    );
    bench.decide(...opened.map((client) => command(client)));
    const outcome = bench.decide(run(1n, i, "x"));
    assert.deepEqual(bench.rig.events(), []);
    assert.deepEqual(outcome.delivered, [`${2 * i + 1}.0 1/${i} "x"`]);
  }
  assert.equal(told(bench.rig.wait(100_000)), 402);
  assert.equal(core.gauge(Gauge.checkpoint), 2);
  core.leave();
  assert.equal(core.recordCount, 0);
});

Deno.test("a learner whose checkpoint cannot be reached is behind whatever it is asked for, and without its directory begins there", () => {
  const first = new LearnerBench();
  first.decide(command(1n));
  first.checkpoint();
  const asked = { from: 500n };
  const again = new LearnerBench(asked, first.kept);
  const events: { code: number; large: bigint }[] = [];
  for (const id of [1, 2, 3]) {
    const acceptor = { senderRole: "acceptor", senderId: id } as const;
    again.feed(encode({ ...acceptor, incarnation: 300 + id }, {
      type: "ok",
      decided: 600n,
      trimmed: 500n,
      next: 600n,
    }));
  }
  for (let turn = 0; turn < 100; turn++) {
    again.wait(20_000);
    events.push(...again.rig.events());
  }
  assert.equal(delivered(again), 2);
  assert.deepEqual(events.map(({ code, large }) => [code, large]), [
    [Event.behindTrim, 500n],
  ]);
  assert.equal(delivered(new LearnerBench(asked)), 500);
});

Deno.test("a learner that has nothing to do ends with a checkpoint of all that it delivered, and sleeps", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n));
  bench.commit();
  bench.decide(run(7n, 1, "a"));
  assert.deepEqual(pending(bench), []);
  assert(bench.rig.due_us <= bench.rig.now_us + 100_000);
  bench.wait(100_000);
  assert.deepEqual(pending(bench), [3]);
  bench.commit();
  for (let i = 0; i < 20; i++) {
    bench.wait(100_000);
    assert.equal(bench.pending.length, 0);
  }
});

Deno.test("the next checkpoint waits until storage has the last one, and holds what changed meanwhile", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n), command(8n));
  for (let i = 1; i <= 5; i++) {
    bench.decide(run(7n, i, "x"));
    bench.wait(100_000);
  }
  assert.deepEqual(pending(bench), [2]);
  assert.equal(delivered(bench), 7);
  bench.commit();
  // It was copied when its time came, and goes to storage only now.
  assert.deepEqual(pending(bench), [3]);
  bench.checkpoint();
  assert.equal(checkpoint(bench), 7);
  const again = new LearnerBench({}, bench.kept);
  again.next = 7;
  const { delivered: values } = again.decide(
    run(7n, 5, "x", "y"),
    run(8n, 1, "z"),
  );
  assert.deepEqual(values, ['7.1 7/6 "y"', '7.2 8/1 "z"']);
});

Deno.test("a checkpoint waits until the host cannot lose what was delivered before", () => {
  const bench = new LearnerBench();
  const { core } = bench.rig;
  core.taken(0);
  bench.decide(command(7n));
  assert.deepEqual(pending(bench), [2], "nothing was delivered before");
  bench.commit();
  bench.wait(100_000);
  bench.decide(run(7n, 1, "a", "b"));
  assert(
    bench.rig.due_us - bench.rig.now_us < 10_000,
    "the host is asked soon",
  );
  core.taken(1);
  bench.wait(100_000);
  assert.deepEqual(pending(bench), []);
  core.taken(2);
  bench.wait(5_000);
  assert.deepEqual(pending(bench), [3]);
});

Deno.test("what the same step delivers is not in a checkpoint that storage gets with it", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n));
  bench.checkpoint();
  bench.wait(200_000);
  const { rig } = bench;
  const frames = [accepted(2, run(7n, 1, "a")), watermark(3)];
  rig.feed(...frames);
  assert.equal(rig.core.deliveryCount, 1);
  assert.equal(rig.core.recordCount, 0);
  assert.equal(rig.due_us, rig.now_us);
  rig.feed();
  assert(rig.core.recordCount > 0);
});

Deno.test("a learner that leaves makes a last checkpoint", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n));
  bench.checkpoint();
  bench.decide(run(7n, 1, "a"));
  const { core } = bench.rig;
  core.leave();
  const last = core.record(core.recordCount - 1);
  assert.deepEqual([last.kind, last.instance], [Record.checkpoint, 3]);
});

Deno.test("without storage there is no checkpoint", () => {
  const bench = new LearnerBench({ persistent: false });
  bench.decide(command(7n));
  bench.wait(200_000);
  bench.rig.core.leave();
  assert.equal(bench.rig.core.lastRecord, 0);
});

/** A log in which every instance changes another piece of a large value. */
function* pieces(clients: number) {
  const whole = new Uint8Array(1 << 20);
  for (let client = 1; client <= clients; client++) {
    yield command(BigInt(client), "open", { reserves: true });
  }
  for (let client = 1; client <= clients; client++) {
    for (let place = 0; place < 63; place++) {
      const offset = place * PIECE_BYTES;
      yield chunk(BigInt(client), place + 1, whole, {
        first: 1,
        offset,
        bytes: 100,
      });
    }
  }
}

Deno.test("delivery stops before more has changed than a checkpoint can carry, and goes on when storage does", () => {
  const limits = { sessions: 10, assemblies: 8, sessionSpan: 10_000 };
  // The journal is as small as it may be.
  const bench = new LearnerBench({ ...limits, logBytes: 1 << 20 });
  const log = [...pieces(8)];
  for (const batch of log) bench.decide(batch);
  const stopped = delivered(bench);
  assert(stopped < log.length, "it stopped");
  bench.wait(1_000_000);
  assert.equal(delivered(bench), stopped);
  // The first waits for storage, the second one is a copy, the third one is what changed since.
  assert.equal(pending(bench).length, 1);
  while (delivered(bench) <= log.length) {
    const before = delivered(bench);
    bench.commit();
    assert(delivered(bench) > before, "each commit lets it go on at once");
  }
  bench.checkpoint();
  const again = new LearnerBench({ ...limits, logBytes: 1 << 20 }, bench.kept);
  assert.equal(delivered(again), log.length + 1);
});

Deno.test("an acceptor that fills the journal as fast as storage empties it leaves room for a checkpoint", () => {
  const bench = new LearnerBench({
    roles: Role.learner | Role.acceptor,
    id: 1,
    logBytes: 16 << 20,
    mtu: 1500,
  });
  bench.wait(100_000);
  bench.decide(command(7n));
  /** Several at a time, since the votes for them are held together. */
  const next = (count: number) => {
    const first = bench.next;
    bench.next += count;
    const frames = Array.from(
      { length: count },
      (_, i) => accepted(first + i, run(7n, first + i, "x".repeat(1200))),
    );
    bench.feed(...frames, watermark(bench.next));
  };
  const fill = () => {
    for (let n = -1; n !== bench.pending.length;) {
      n = bench.pending.length;
      next(20);
    }
  };
  fill();
  const most = bench.pending.length;
  assert(most > 1000, "it takes no more");
  // Now what is free lies in the middle.
  bench.commit(most >> 1);
  fill();
  bench.wait(100_000);
  assert.deepEqual(pending(bench), [], "the next one finds no room");
  for (let round = 0; round < 200 && pending(bench).length === 0; round++) {
    bench.commit(1);
    next(1);
  }
  assert.equal(pending(bench).length, 1, "the next one has found room");
});

Deno.test("a checkpoint of more records than storage may have before it waits", () => {
  const bench = new LearnerBench({
    roles: Role.learner | Role.acceptor,
    id: 1,
    logBytes: 64 << 20,
    sessions: 1000,
    mtu: 1500,
  });
  bench.wait(100_000);
  for (let client = 1; client <= 900; client += 30) {
    bench.decide(
      ...Array.from({ length: 30 }, (_, i) => command(BigInt(client + i))),
    );
  }
  // Instances without values are small: it is their number that fills the journal.
  for (let n = -1; n !== bench.pending.length;) {
    n = bench.pending.length;
    const frames = Array.from({ length: 60 }, () => accepted(bench.next++));
    bench.feed(...frames, watermark(bench.next));
  }
  const most = bench.pending.length;
  assert(most > RECORDS_IN_FLIGHT - 1000, `${most} records wait`);
  bench.wait(100_000);
  const [first] = pending(bench);
  bench.commit(100);
  assert.equal(checkpoint(bench), first);
  assert.deepEqual(pending(bench), []);
  bench.commit(1500);
  assert.equal(pending(bench).length, 1);
});

Deno.test("checkpoints are made though every step ends in the middle of an instance", () => {
  const bench = new LearnerBench();
  bench.decide(command(7n, "open", { reserves: true }));
  bench.checkpoint();
  const { rig } = bench;
  const made = new Set<number>();
  const kept = bench.kept;
  // Each batch ends a large value, and begins the next one: a step stops behind what it delivered whole.
  const batch = (n: number) => [
    piece(7n, 2 * n, 2 * n - 1, 50),
    piece(7n, 2 * n + 1, 2 * n + 1, 0),
  ];
  bench.decide(piece(7n, 1, 1, 0));
  const first = bench.next;
  rig.feed(
    ...Array.from(
      { length: 40 },
      (_, n) => accepted(first + n, ...batch(n + 1)),
    ),
    watermark(first + 40),
  );
  for (let turn = 0; turn < 36; turn++) {
    for (let i = 0; i < rig.core.recordCount; i++) kept.put(rig.core.record(i));
    rig.durable = rig.core.lastRecord;
    made.add(checkpoint(bench));
    rig.now_us += 10_000;
    rig.feed();
  }
  assert(made.size >= 3, `${made.size} checkpoints`);
  const again = new LearnerBench({}, kept);
  again.next = delivered(again);
  const from = again.next;
  assert(from > first + 5 && from < first + 35, `from ${from}`);
  for (let n = from; n < first + 40; n++) {
    const { delivered: due } = again.decide(...batch(n - first + 1));
    assert.equal(due.length, 1, `instance ${n} of those from ${from} on`);
  }
});

Deno.test("after a restart the same session makes room: the one whose last use is the oldest", () => {
  const bench = new LearnerBench();
  bench.decide(command(1n), command(2n), command(3n));
  bench.checkpoint();
  bench.decide(run(1n, 1, "x"), run(3n, 1, "x"), run(1n, 2, "x"));
  bench.checkpoint();
  const again = new LearnerBench({}, bench.kept);
  for (again.next = 3; again.next < 20;) again.decide();
  const ask = (client: bigint) =>
    again.decide(command(client, "open", { born: 19n })).told;
  assert.deepEqual(ask(4n), ["20 4 open"], "2 goes");
  assert.deepEqual(ask(5n), ["21 5 open"], "3 goes");
  assert.deepEqual(again.decide(run(1n, 3, "y")).delivered, ['22.0 1/3 "y"']);
});

Deno.test("a learner that began in the middle knows that after a restart, and tells nobody anything", () => {
  const bench = new LearnerBench({ from: 3n });
  bench.next = 3;
  bench.decide(run(7n, 5, "a"));
  bench.checkpoint();
  // Where it is to begin without storage does not matter any more.
  const again = new LearnerBench({ from: 1n }, bench.kept);
  again.next = 4;
  assert.deepEqual(again.decide(command(8n), run(9n, 1, "b")), {
    delivered: ['4.1 9/1 "b"'],
    told: [],
  });
});

/** A bench whose storage holds two sessions and a large value that has begun. */
function keeping() {
  const bench = new LearnerBench();
  bench.decide(command(7n, "open", { reserves: true }), command(8n));
  bench.decide(piece(7n, 1, 1, 0));
  bench.checkpoint();
  return bench.kept.records;
}

function recoverAll(
  records: readonly CoreRecord[],
  options: Partial<CoreOptions> = {},
) {
  const kept = new Kept();
  records.forEach((record) => kept.put(record));
  return new LearnerBench(options, kept);
}

Deno.test("a checkpoint that lacks a part is refused", () => {
  const records = keeping();
  assert.deepEqual(records.map(({ kind }) => Record[kind]), [
    "assembly",
    "piece",
    "session",
    "session",
    "checkpoint",
  ]);
  recoverAll(records);
  for (let i = 0; i < records.length - 1; i++) {
    assert.throws(
      () => recoverAll(records.toSpliced(i, 1)),
      /checkpoint lacks|large value contradicts/,
      `without record ${i}`,
    );
  }
});

Deno.test("a checkpoint that was written with other limits is refused", () => {
  const records = keeping();
  for (
    const limits of [{ sessions: 1 }, { sessionSpan: 11 }, { assemblies: 3 }]
  ) {
    assert.throws(() => recoverAll(records, limits), /with other limits/);
  }
});

Deno.test("no record of a checkpoint can crash the core, whatever is in it", () => {
  const records = keeping();
  let refused = 0;
  fc.assert(
    fc.property(
      fc.nat(records.length - 1),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.option(fc.nat(2100)),
      fc.option(fc.bigInt(0n, 2n ** 53n)),
      (which, bytes, length, key) => {
        const changed = records.map((record, i) => {
          if (i !== which) return record;
          const batch = new Uint8Array(length ?? record.batch.length);
          batch.set(record.batch.subarray(0, batch.length));
          for (const [at, byte] of bytes) {
            if (at < batch.length) batch[at] = byte;
          }
          const instance = Number(key ?? record.instance);
          return { ...record, instance, batch };
        });
        try {
          const bench = recoverAll(changed);
          bench.next = delivered(bench);
          bench.decide(run(7n, 2, "x"), piece(7n, 3, 1, 50));
        } catch (error) {
          assert.match((error as Error).message, /learner's checkpoint/);
          refused++;
        }
      },
    ),
    { numRuns: 400, seed: 1 },
  );
  assert(refused > 100, `${refused} refused`);
});
