/** A learner with storage goes on from its last checkpoint as if it had never stopped. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Gauge, SESSION_SEQUENCES } from "../core/layout.ts";
import type { RunFields } from "../sim/decode.ts";
import { anyRun } from "./any_run.ts";
import { LearnerBench, type Outcome } from "./checkpoints.ts";
import { chunk, command, encodeBatch, run } from "./encode.ts";

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
    fc.integer({ min: 1, max: 3 * SESSION_SEQUENCES }),
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
    { numRuns: 150, seed: 5 },
  );
  assert(
    crashes > 100 && resumed > 50 && wholes > 5,
    `${crashes} crashes, ${resumed} resumed, ${wholes} large values`,
  );
});
