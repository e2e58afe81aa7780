/**
 * Ranges of instances, against sets: what an acceptor votes for, what a learner asks for, and what an
 * acceptor forgets while learners come, fall behind and go.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Gauge, Role } from "../core/layout.ts";
import {
  type Body,
  decode,
  type RangeFields,
  type RunFields,
  typeOf,
} from "../sim/decode.ts";
import { cases, SEED } from "./effort.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

fc.configureGlobal({ seed: SEED });

const LINK = 14;
const MTU = 256;
/** What "The learner" of the core says: instances and ranges of one request. */
const REPAIR_INSTANCES = 1024;
const REPAIR_RANGES = Math.min(64, Math.floor((MTU - 40) / 16));

function fromProposer(ballot: bigint) {
  const id = Number(ballot & 0xffffn);
  return {
    senderRole: "proposer",
    senderId: id,
    incarnation: 200 + id,
    ballot,
  } as const;
}

function accept(
  ballot: bigint,
  instance: number,
  decided = 1,
  batch: RunFields[] = [],
): Uint8Array {
  return encode(fromProposer(ballot), {
    type: "accept",
    decided: BigInt(decided),
    instance: BigInt(instance),
    batch,
  });
}

function heartbeat(ballot: bigint, decided: number): Uint8Array {
  const next = BigInt(decided);
  return encode(fromProposer(ballot), {
    type: "heartbeat",
    decided: next,
    next,
  });
}

/** The bodies of the frames of one type. */
function bodiesOf<T extends Body["type"]>(
  frames: readonly Uint8Array[],
  type: T,
): Extract<Body, { type: T }>[] {
  return frames.filter((frame) => typeOf(frame) === type)
    .map((frame) => decode(frame).body as Extract<Body, { type: T }>);
}

/** The instances of one frame's ranges, which ascend, are not empty and do not overlap. */
function instancesOf(ranges: readonly RangeFields[]): number[] {
  const instances: number[] = [];
  let before = 0n;
  for (const { first, end } of ranges) {
    assert(
      first >= before && end > first,
      `${first} to ${end}, after ${before}`,
    );
    for (let i = first; i < end; i++) instances.push(Number(i));
    before = end;
  }
  return instances;
}

/** An acceptor that votes. */
function makeAcceptor(logBytes = 1 << 20): Rig {
  const rig = new Rig({ roles: Role.acceptor, id: 2, mtu: MTU, logBytes });
  rig.feed();
  rig.wait(100_000);
  return rig;
}

Deno.test("an acceptor votes for what a burst made it accept, for nothing else, and each ballot for its own", () => {
  const proposal = fc.record({
    instance: fc.integer({ min: 1, max: 80 }),
    round: fc.integer({ min: 1, max: 3 }),
  });
  const proposals = fc.array(proposal, {
    minLength: 1,
    maxLength: 80,
    size: "max",
  });
  // In order there are many ranges to a frame, and more than fit one.
  const burst = fc.oneof(
    proposals,
    proposals.map((list) =>
      list.toSorted((a, b) => a.round - b.round || a.instance - b.instance)
    ),
  );
  const property = fc.property(
    fc.array(burst, { minLength: 1, maxLength: 4 }),
    (bursts) => {
      const rig = makeAcceptor();
      let promised = 0;
      for (const proposals of bursts) {
        const expected = new Set<string>();
        for (const { instance, round } of proposals) {
          if (round < promised) continue;
          promised = round;
          expected.add(`${round} ${instance}`);
        }
        const frames = rig.feed(
          ...proposals.map(({ instance, round }) =>
            accept(ballotOf(round, 1), instance)
          ),
        );
        const voted = new Set<string>();
        for (
          const frame of frames.filter((sent) => typeOf(sent) === "accepted")
        ) {
          assert(frame.length <= LINK + MTU, `${frame.length} bytes`);
          const { ballot, body } = decode(frame);
          assert(body.type === "accepted");
          for (const instance of instancesOf(body.ranges)) {
            voted.add(`${ballot >> 16n} ${instance}`);
          }
        }
        assert.deepEqual([...voted].sort(), [...expected].sort());
      }
    },
  );
  fc.assert(property, { numRuns: cases(300) });
});

/** What is missing of the instances from the first undelivered one on, as far as one request goes. */
function wanted(
  known: ReadonlySet<number>,
  base: number,
  decided: number,
): number[] {
  const instances: number[] = [];
  let ranges = 0;
  for (let i = base; i < Math.min(decided, base + 2048); i++) {
    if (known.has(i)) continue;
    if (instances.at(-1) !== i - 1 && ++ranges > REPAIR_RANGES) break;
    instances.push(i);
    if (instances.length === REPAIR_INSTANCES) break;
  }
  return instances;
}

Deno.test("a learner asks for what it misses of the decided instances, lowest first, and for nothing else", () => {
  const ballot = ballotOf(1, 1);
  const heard = fc.oneof(
    fc.uniqueArray(fc.integer({ min: 1, max: 60 }), {
      maxLength: 50,
      size: "max",
    }),
    fc.uniqueArray(fc.integer({ min: 1, max: 2040 }), {
      maxLength: 200,
      size: "max",
    }),
  );
  const property = fc.property(
    heard,
    fc.integer({ min: 2, max: 2400 }),
    fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 6 }),
    (instances, decided, answered) => {
      const rig = new Rig({ roles: Role.learner, id: 9, mtu: MTU });
      const known = new Set(instances.filter((instance) => instance < decided));
      let base = 1;
      const move = () => {
        while (known.has(base)) base++;
      };
      for (const instance of instances) rig.feed(accept(ballot, instance));
      rig.feed(heartbeat(ballot, decided));
      move();
      for (const percent of answered) {
        let requests: Extract<Body, { type: "repair" }>[] = [];
        for (let n = 0; n < 60 && requests.length === 0; n++) {
          requests = bodiesOf(rig.wait(10_000), "repair");
        }
        const missing = wanted(known, base, decided);
        const asked = requests.map(({ ranges }) => instancesOf(ranges));
        assert.deepEqual(asked, missing.length === 0 ? [] : [missing]);
        // Some of what was asked for comes.
        for (
          const instance of missing.slice(0, missing.length * percent / 100)
        ) {
          known.add(instance);
          rig.feed(accept(ballot, instance, Math.min(instance, decided)));
        }
        move();
        assert.equal(rig.core.gauge(Gauge.delivered), base);
      }
    },
  );
  fc.assert(property, { numRuns: cases(150) });
});

/** A learner as the acceptor should know it. */
interface Registered {
  delivered: number;
  heardAt_us: number;
}

/** Learners that an acceptor must keep its log for: those that said hi within the last second. */
class RegistryModel {
  readonly #learners = new Map<number, Registered>();

  hi(id: number, delivered: number, now_us: number): void {
    this.#learners.set(id, { delivered, heardAt_us: now_us });
  }

  /** What the learner said last; it never says less. */
  delivered(id: number): number {
    return this.#learners.get(id)?.delivered ?? 1;
  }

  bye(id: number): void {
    this.#learners.delete(id);
  }

  /** The lowest instance that must stay, of those from `kept` on. */
  lowest(kept: number, now_us: number): number {
    return Math.min(
      ...[...this.#learners.values()]
        .filter(({ delivered, heardAt_us }) =>
          delivered >= kept && now_us - heardAt_us < 1_000_000
        )
        .map(({ delivered }) => delivered),
    );
  }
}

const learner = (id: number) =>
  ({ senderRole: "learner", senderId: id, incarnation: 900 + id }) as const;

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("accept" as const),
      count: fc.integer({ min: 1, max: 20 }),
      undecided: fc.oneof(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 0, max: 60 }),
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("hi" as const),
      id: fc.integer({ min: 1, max: 6 }),
      behind: fc.integer({ min: 0, max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("bye" as const),
      id: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      us: fc.integer({ min: 1, max: 400_000 }),
    }),
  },
);

/** What an acceptor has of some instances, from its answer to a repair, and how far it has trimmed. */
function askFor(rig: Rig, first: number, end: number) {
  const frames = rig.feed(encode(learner(60), {
    type: "repair",
    ranges: [{ first: BigInt(first), end: BigInt(end) }],
  }));
  const answers = bodiesOf(frames, "learned");
  return {
    trimmed: Number(answers[0].trimmed),
    values: new Map(
      answers.flatMap(({ entries }) => entries)
        .filter(({ ballot }) => ballot !== 0n)
        .map(({ instance, batch }) => [Number(instance), batch]),
    ),
  };
}

Deno.test("an acceptor trims nothing that a registered learner lacks, nothing undecided, and keeps the rest unchanged", () => {
  const ballot = ballotOf(1, 1);
  const property = fc.property(
    fc.array(event, { minLength: 20, maxLength: 120, size: "max" }),
    (events) => {
      const rig = makeAcceptor(4096);
      const registry = new RegistryModel();
      const accepted = new Map<number, RunFields[]>();
      let next = 1;
      let decided = 1;
      let kept = 1;
      for (const event of events) {
        if (event.type === "wait") rig.wait(event.us);
        else if (event.type === "bye") {
          rig.feed(encode(learner(event.id), { type: "bye" }));
          registry.bye(event.id);
        } else if (event.type === "hi") {
          const delivered = Math.max(
            registry.delivered(event.id),
            next - event.behind,
          );
          rig.feed(encode(learner(event.id), {
            type: "hi",
            delivered: BigInt(delivered),
          }));
          registry.hi(event.id, delivered, rig.now_us);
        } else {
          for (let n = 0; n < event.count; n++) {
            decided = Math.max(decided, next - event.undecided);
            const batch = [run(7n, next, "x".repeat(next * 13 % 120))];
            // What the acceptor takes from its log it takes to make room.
            const limit = Math.min(decided, registry.lowest(kept, rig.now_us));
            const frames = rig.feed(accept(ballot, next, decided, batch));
            const { trimmed, values } = askFor(
              rig,
              Math.max(1, next - 60),
              next + 1,
            );
            assert(
              trimmed <= Math.max(kept, limit),
              `trimmed to ${trimmed}, not beyond ${limit}`,
            );
            kept = trimmed;
            if (bodiesOf(frames, "accepted").length === 0) break;
            accepted.set(next++, batch);
            for (const [instance, value] of accepted) {
              if (instance < kept) accepted.delete(instance);
              else if (instance >= next - 60) {
                assert.deepEqual(
                  values.get(instance),
                  value,
                  `instance ${instance}`,
                );
              }
            }
          }
        }
      }
      // Learners that all are gone hold nothing back.
      for (let n = 0; n < 12; n++) rig.wait(100_000);
      for (let n = 0; n < 100; n++, next++) {
        const frames = rig.feed(accept(ballot, next, next));
        assert.equal(
          bodiesOf(frames, "accepted").length,
          1,
          `instance ${next}`,
        );
      }
    },
  );
  fc.assert(property, {
    numRuns: cases(40),
    // To make a case smaller takes minutes.
    endOnFailure: true,
  });
});
