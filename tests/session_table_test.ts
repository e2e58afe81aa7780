/** The learners' table of sessions, against the model that was written from `docs/wire.md`; and its rules one by one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Verdict } from "../core/layout.ts";
import { Counter, Role } from "../core/layout.ts";
import { valuesOf } from "../sim/chosen.ts";
import { decode, type RunFields } from "../sim/decode.ts";
import { DeliveryModel } from "../sim/delivery_model.ts";
import { ballotOf, command, encode, encodeBatch, run } from "./encode.ts";
import { anyRun, LARGE, piece } from "./any_run.ts";
import { Rig } from "./rig.ts";

const LEADER = {
  senderRole: "proposer",
  senderId: 1,
  incarnation: 201,
  ballot: ballotOf(1, 1),
} as const;

const LIMITS = { sessions: 3, sessionSpan: 10, assemblies: 2 };

/** A learner on the bench, to which the log is given instance by instance. */
class Bench {
  readonly rig: Rig;
  next = 1;

  constructor(options: ConstructorParameters<typeof Rig>[0] = {}) {
    this.rig = new Rig({ roles: Role.learner, id: 9, ...LIMITS, ...options });
    this.rig.feed();
  }

  /** Decides a batch; returns what is delivered, `client/sequence "text"`, and what clients are told. */
  decide(...batch: readonly RunFields[]) {
    const instance = this.next++;
    const frames = this.rig.feed(
      encode(LEADER, {
        type: "accept",
        decided: BigInt(instance),
        instance: BigInt(instance),
        batch: [...batch],
      }),
      encode(LEADER, {
        type: "heartbeat",
        decided: BigInt(instance + 1),
        next: BigInt(instance + 1),
      }),
    );
    const delivered = this.#delivered();
    while (this.rig.due_us <= this.rig.now_us) {
      frames.push(...this.rig.feed());
      delivered.push(...this.#delivered());
    }
    const told = frames.flatMap((frame) => {
      const { body } = decode(frame);
      return body.type === "session" ? body.verdicts : [];
    }).map(({ client, verdict, hasRoom }) =>
      `${client} ${Verdict[verdict]}${hasRoom ? " with room" : ""}`
    );
    return { delivered, told };
  }

  /** Decides no-ops, until `instance` is next. */
  pass(instance: number): void {
    while (this.next < instance) this.decide();
  }

  #delivered(): string[] {
    const { core } = this.rig;
    return Array.from({ length: core.deliveryCount }, (_, i) => {
      const { client, sequence, value } = core.delivery(i);
      return `${client}/${sequence} "${
        new TextDecoder().decode(value.slice())
      }"`;
    });
  }
}

const delivered = (bench: Bench, ...batch: RunFields[]) =>
  bench.decide(...batch).delivered;
const told = (bench: Bench, ...batch: RunFields[]) =>
  bench.decide(...batch).told;

Deno.test("values of a client without a session are refused, and those of one that has it are delivered once", () => {
  const bench = new Bench();
  assert.deepEqual(delivered(bench, run(7n, 1, "a")), []);
  assert.equal(bench.rig.core.counter(Counter.refusedValues), 1);
  assert.deepEqual(told(bench, command(7n)), ["7 open"]);
  assert.deepEqual(delivered(bench, run(7n, 1, "a", "b")), [
    '7/1 "a"',
    '7/2 "b"',
  ]);
  assert.deepEqual(delivered(bench, run(7n, 2, "b", "c")), ['7/3 "c"']);
  assert.equal(bench.rig.core.counter(Counter.duplicateValues), 1);
});

Deno.test("a session is safe for the span after its last use, and then the least recently used one goes", () => {
  const bench = new Bench();
  bench.decide(command(1n), command(2n), command(3n));
  bench.decide(run(1n, 1, "x"));
  // The last use of 2 and 3 is instance 1, and that of 1 is 2.
  bench.pass(10);
  assert.deepEqual(told(bench, command(4n)), ["4 full"]);
  assert.deepEqual(told(bench, command(4n)), ["4 open"], "instance 11: 2 goes");
  assert.deepEqual(told(bench, command(2n)), ["2 expired"]);
  assert.deepEqual(delivered(bench, run(2n, 1, "x")), []);
  assert.deepEqual(told(bench, command(5n, "open", { born: 2n })), ["5 open"]);
  assert.deepEqual(delivered(bench, run(3n, 1, "x")), [], "3 went next");
  assert.deepEqual(delivered(bench, run(1n, 2, "y")), ['1/2 "y"']);
});

Deno.test("commands and values use a session alike, duplicates too", () => {
  const bench = new Bench();
  bench.decide(command(1n), command(2n), command(3n));
  bench.pass(8);
  bench.decide(command(1n), run(2n, 1, "x"));
  bench.decide(run(2n, 1, "x"));
  bench.pass(18);
  // 3 is idle since 1, 1 since 8, 2 since 9.
  assert.deepEqual(
    told(bench, command(4n), command(5n, "open", { born: 9n })),
    [
      "4 open",
      "5 open",
    ],
  );
  assert.deepEqual(told(bench, command(1n)), ["1 expired"]);
  assert.deepEqual(delivered(bench, run(2n, 2, "y")), ['2/2 "y"']);
});

Deno.test("a closed session keeps its numbers until its place is needed, and goes before its span is over", () => {
  const bench = new Bench();
  bench.decide(command(1n), command(2n), command(3n));
  bench.decide(run(2n, 1, "x"));
  bench.decide(command(2n, "close"));
  assert.deepEqual(delivered(bench, run(2n, 1, "x"), run(2n, 2, "late")), [
    '2/2 "late"',
  ]);
  assert.deepEqual(told(bench, command(4n)), ["4 open"]);
  assert.deepEqual(delivered(bench, run(2n, 3, "y")), []);
  assert.deepEqual(told(bench, command(2n)), ["2 expired"]);
  assert.deepEqual(told(bench, command(9n, "close")), []);
});

Deno.test("an old copy of a command does not bring back a forgotten client", () => {
  const bench = new Bench({ sessions: 1 });
  bench.pass(5);
  const first = command(1n, "open", { born: 5n });
  bench.decide(first);
  bench.decide(run(1n, 1, "x"));
  bench.pass(20);
  assert.deepEqual(told(bench, command(2n, "open", { born: 6n })), ["2 open"]);
  bench.decide(command(2n, "close"));
  // Its last use was instance 6.
  assert.deepEqual(told(bench, first), ["1 expired"]);
  assert.deepEqual(told(bench, command(1n, "open", { born: 6n })), [
    "1 expired",
  ]);
  assert.deepEqual(delivered(bench, run(1n, 1, "x")), []);
  // Another client takes the place of 2, whose last use was 21.
  assert.deepEqual(told(bench, command(3n, "open", { born: 7n })), ["3 open"]);
  assert.deepEqual(told(bench, command(4n, "open", { born: 21n })), [
    "4 expired",
  ]);
});

Deno.test("a learner that begins in the middle takes unknown clients, and tells nobody anything", () => {
  const bench = new Bench({ from: 3n, sessions: 2 });
  bench.next = 3;
  assert.deepEqual(bench.decide(run(7n, 40, "x"), command(8n)), {
    delivered: ['7/40 "x"'],
    told: [],
  });
  assert.deepEqual(delivered(bench, run(7n, 40, "x"), run(8n, 1, "y")), [
    '8/1 "y"',
  ]);
  assert.deepEqual(delivered(bench, run(9n, 1, "z")), ['9/1 "z"']);
});

Deno.test("a large value is delivered whole in the place of the chunk that completes it, in whatever order they come", () => {
  const bench = new Bench();
  assert.deepEqual(told(bench, command(7n, "open", { reserves: true })), [
    "7 open with room",
  ]);
  assert.deepEqual(delivered(bench, piece(7n, 2, 1, 50)), []);
  assert.deepEqual(delivered(bench, run(7n, 3, "small")), ['7/3 "small"']);
  assert.deepEqual(delivered(bench, piece(7n, 2, 1, 50)), [], "twice");
  assert.deepEqual(
    delivered(
      bench,
      run(7n, 4, "before"),
      piece(7n, 1, 1, 0),
      run(7n, 5, "after"),
    ),
    ['7/4 "before"', `7/1 "${"0123456789".repeat(10)}"`, '7/5 "after"'],
  );
});

Deno.test("two large values of one instance are both delivered as they are", () => {
  const bench = new Bench();
  bench.decide(command(7n, "open", { reserves: true }));
  const other = LARGE.map((byte) => byte + 10);
  bench.decide(piece(7n, 1, 1, 0));
  const whole = (sequence: number, bytes: Uint8Array) =>
    `7/${sequence} "${new TextDecoder().decode(bytes)}"`;
  assert.deepEqual(
    delivered(
      bench,
      piece(7n, 2, 1, 50),
      piece(7n, 3, 3, 0, 50, other),
      piece(7n, 4, 3, 50, 50, other),
    ),
    [whole(2, LARGE), whole(4, other)],
  );
});

Deno.test("chunks are refused without a reservation, of an older value, and beyond the value's end", () => {
  const bench = new Bench();
  bench.decide(command(7n));
  assert.deepEqual(
    delivered(bench, piece(7n, 1, 1, 0), piece(7n, 2, 1, 50)),
    [],
  );
  assert.equal(bench.rig.core.counter(Counter.refusedValues), 2);
  bench.decide(command(7n, "open", { reserves: true }));
  bench.decide(piece(7n, 3, 3, 0));
  // A newer one begins, the older one is given up.
  bench.decide(piece(7n, 5, 5, 0));
  bench.decide(piece(7n, 4, 3, 50));
  assert.equal(bench.rig.core.counter(Counter.refusedValues), 3);
  bench.decide(piece(7n, 6, 5, 0, 60));
  assert.equal(bench.rig.core.counter(Counter.refusedValues), 4);
  bench.decide(piece(7n, 7, 5, 0, 50, LARGE.subarray(1)));
  assert.equal(bench.rig.core.counter(Counter.refusedValues), 5);
  assert.equal(delivered(bench, piece(7n, 8, 5, 50)).length, 1);
});

Deno.test("what no chunk of a large value brought is 0, whatever another value left there", () => {
  const bench = new Bench();
  bench.decide(command(7n, "open", { reserves: true }));
  bench.decide(piece(7n, 1, 1, 0), piece(7n, 2, 1, 50));
  // The first half comes twice, and the second never.
  assert.deepEqual(
    delivered(bench, piece(7n, 3, 3, 0), piece(7n, 4, 3, 0)),
    [`7/4 "${"0123456789".repeat(5)}${"\0".repeat(50)}"`],
  );
});

Deno.test("assemblies go to those that ask, are given back by who leaves, and by who is forgotten", () => {
  const bench = new Bench({ sessions: 10 });
  const ask = (client: bigint, born = 1n) =>
    command(client, "open", { reserves: true, born });
  assert.deepEqual(told(bench, ask(1n), ask(2n), ask(3n)), [
    "1 open with room",
    "2 open with room",
    "3 full",
  ]);
  assert.deepEqual(delivered(bench, run(3n, 1, "x")), [], "3 got no session");
  bench.decide(command(2n, "close"));
  assert.deepEqual(told(bench, ask(3n)), ["3 open with room"]);
  bench.decide(run(3n, 1, "x"));
  bench.pass(12);
  // 1 is idle since instance 1.
  assert.deepEqual(told(bench, ask(4n)), ["4 open with room"]);
  assert.deepEqual(told(bench, command(1n)), ["1 expired"]);
});

Deno.test("any log is delivered, and its commands are judged, as the document says", () => {
  const log = fc.array(fc.array(anyRun, { maxLength: 3 }), {
    minLength: 1,
    maxLength: 60,
    size: "max",
  });
  fc.assert(
    fc.property(log, (batches) => {
      const bench = new Bench();
      const model = new DeliveryModel(LIMITS);
      batches.forEach((batch, i) => {
        const got = bench.decide(...batch);
        const values = valuesOf(i + 1, Uint8Array.from(encodeBatch(batch)));
        const due = model.take(i + 1, values);
        assert.deepEqual(
          got.delivered,
          due.delivered.map(({ client, sequence, bytes }) =>
            `${client}/${sequence} "${new TextDecoder().decode(bytes)}"`
          ),
        );
        assert.deepEqual(
          got.told,
          due.verdicts.map(({ client, verdict, hasRoom }) =>
            `${client} ${Verdict[verdict]}${hasRoom ? " with room" : ""}`
          ),
        );
      });
    }),
    { numRuns: 60, seed: 1 },
  );
});
