/** The acceptor's rules, frame by frame: what it promises, accepts, refuses and remembers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Counter, Event, Role } from "../core/layout.ts";
import { type Body, decode, type FrameFields, typeOf } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

/** An acceptor that has listened and votes. */
function makeAcceptor(options = {}): Rig {
  const rig = new Rig({ roles: Role.acceptor, id: 2, ...options });
  rig.feed();
  rig.wait(100_000);
  return rig;
}

function from(proposer: number, ballot: bigint, incarnation = 200 + proposer) {
  return {
    senderRole: "proposer",
    senderId: proposer,
    incarnation,
    ballot,
  } as const;
}

const prepare = (ballot: bigint, start = 1n, incarnation?: number) =>
  encode(from(Number(ballot & 0xffffn), ballot, incarnation), {
    type: "prepare",
    from: start,
  });

const accept = (
  ballot: bigint,
  instance: number,
  value = "value",
  { decided = 1n, incarnation = undefined as number | undefined } = {},
) =>
  encode(from(Number(ballot & 0xffffn), ballot, incarnation), {
    type: "accept",
    decided,
    instance: BigInt(instance),
    batch: [run(5n, instance, value)],
  });

const repair = (first: number, end: number) =>
  encode({ senderRole: "learner", senderId: 9, incarnation: 900 }, {
    type: "repair",
    ranges: [{ first: BigInt(first), end: BigInt(end) }],
  });

/** What an acceptor answers, its periodic greetings left out. */
function answers(frames: Uint8Array[]): FrameFields[] {
  return frames.filter((frame) => typeOf(frame) !== "hi").map(decode);
}

function only<T extends Body["type"]>(
  frames: Uint8Array[],
  type: T,
): FrameFields & { body: Extract<Body, { type: T }> } {
  const found = answers(frames);
  assert.deepEqual(found.map(({ body }) => body.type), [type]);
  return found[0] as FrameFields & { body: Extract<Body, { type: T }> };
}

const LOW = ballotOf(1, 1);
const HIGH = ballotOf(2, 1);

Deno.test("an acceptor without stable storage listens before it votes", () => {
  const rig = new Rig({ roles: Role.acceptor, id: 2 });
  assert.deepEqual(rig.feed(prepare(LOW)).map(typeOf), ["hi"]);
  rig.now_us += 99_999;
  assert.deepEqual(answers(rig.feed(prepare(LOW), accept(LOW, 1))), []);
  rig.now_us += 1;
  only(rig.feed(prepare(LOW)), "promise");
});

Deno.test("an acceptor promises a higher ballot, repeats its promise, and rejects a lower one", () => {
  const rig = makeAcceptor();
  assert.equal(only(rig.feed(prepare(HIGH)), "promise").ballot, HIGH);
  assert.equal(only(rig.feed(prepare(HIGH)), "promise").ballot, HIGH);
  const refusal = only(rig.feed(prepare(LOW)), "reject");
  assert.equal(refusal.ballot, HIGH);
  assert.equal(refusal.body.rejected, LOW);
  assert.equal(refusal.receiverId, 1);
  assert.equal(only(rig.feed(accept(LOW, 1)), "reject").ballot, HIGH);
});

Deno.test("to accept is to promise", () => {
  const rig = makeAcceptor();
  only(rig.feed(accept(HIGH, 1)), "accepted");
  assert.equal(only(rig.feed(prepare(LOW)), "reject").ballot, HIGH);
});

Deno.test("no two incarnations of a proposer share a ballot", () => {
  const rig = makeAcceptor();
  only(rig.feed(prepare(LOW)), "promise");
  const others = [
    prepare(LOW, 1n, 0xbeef),
    accept(LOW, 1, "other", { incarnation: 0xbeef }),
  ];
  for (const frame of others) {
    const refusal = only(rig.feed(frame), "reject");
    assert.equal(refusal.ballot, LOW);
    assert.equal(refusal.body.rejected, LOW);
  }
  only(rig.feed(accept(LOW, 1)), "accepted");
});

Deno.test("a burst of 2A is answered by one 2B whose ranges ascend, whatever their order", () => {
  const rig = makeAcceptor();
  const together = only(
    rig.feed(...[1, 2, 3, 5, 6, 9].map((i) => accept(LOW, i))),
    "accepted",
  );
  assert.deepEqual(together.body.ranges, [
    { first: 1n, end: 4n },
    { first: 5n, end: 7n },
    { first: 9n, end: 10n },
  ]);
  const voted = new Set<bigint>();
  for (
    const { body } of answers(
      rig.feed(...[14, 12, 13, 11, 11, 15].map((i) => accept(LOW, i))),
    )
  ) {
    assert(body.type === "accepted");
    let end = 0n;
    for (const range of body.ranges) {
      assert(range.first >= end && range.end > range.first);
      end = range.end;
      for (let i = range.first; i < end; i++) voted.add(i);
    }
  }
  assert.deepEqual([...voted].sort(), [11n, 12n, 13n, 14n, 15n]);
});

Deno.test("what was accepted is told in the ballot of its acceptance, never in the promised one", () => {
  const rig = makeAcceptor();
  rig.feed(accept(LOW, 1, "first"));
  const again = only(rig.feed(accept(LOW, 1, "first")), "accepted");
  assert.equal(again.ballot, LOW);
  // A promise for later instances: instance 1 stays accepted in the low ballot.
  only(rig.feed(prepare(HIGH, 2n)), "promise");
  only(rig.feed(accept(LOW, 1, "first")), "reject");
  const learned = only(rig.feed(repair(1, 2)), "learned");
  assert.equal(learned.body.entries[0].ballot, LOW);
  const page = only(rig.feed(prepare(HIGH, 1n)), "promise");
  assert.equal(page.ballot, HIGH);
  assert.equal(page.body.entries[0].ballot, LOW);
  // Accepted again in the higher ballot, it is told so.
  rig.feed(accept(HIGH, 1, "first"));
  const later = only(rig.feed(repair(1, 2)), "learned");
  assert.equal(later.body.entries[0].ballot, HIGH);
});

Deno.test("only values of the leader that announced them are told as decided", () => {
  const rig = makeAcceptor();
  rig.feed(accept(LOW, 1), accept(LOW, 2), accept(HIGH, 3));
  rig.feed(
    encode(from(1, HIGH), { type: "heartbeat", decided: 4n, next: 4n }),
  );
  const { entries } = only(rig.feed(repair(1, 4)), "learned").body;
  assert.deepEqual(
    entries.map(({ instance, decided }) => [instance, decided]),
    [[1n, false], [2n, false], [3n, true]],
  );
});

Deno.test("an acceptor ignores a 2A as far above what is decided as no leader proposes", () => {
  const rig = makeAcceptor();
  assert.deepEqual(answers(rig.feed(accept(LOW, 2049))), []);
  assert.equal(rig.core.counter(Counter.badBody), 1);
  only(rig.feed(accept(LOW, 2048)), "accepted");
  only(rig.feed(accept(LOW, 2049, "value", { decided: 2n })), "accepted");
});

Deno.test("an acceptor that is told of its earlier incarnation never votes again", () => {
  const rig = makeAcceptor();
  const forgot = (refused: number) =>
    encode({ senderRole: "learner", senderId: 9, incarnation: 900 }, {
      type: "forgot",
      known: 1,
      refused,
    });
  rig.feed(forgot(rig.options.incarnation + 1));
  only(rig.feed(accept(LOW, 1)), "accepted");
  rig.feed(forgot(rig.options.incarnation));
  assert.deepEqual(
    rig.events().map(({ code, small }) => [code, small]),
    [[Event.recovering, 9]],
  );
  assert.deepEqual(answers(rig.feed(accept(LOW, 2), prepare(HIGH))), []);
});

Deno.test("for any sequence of 1A and 2A the acceptor does what the two rules of Paxos say", () => {
  const step = fc.record({
    prepares: fc.boolean(),
    round: fc.integer({ min: 1, max: 4 }),
    proposer: fc.integer({ min: 1, max: 2 }),
    incarnation: fc.integer({ min: 1, max: 2 }),
    instance: fc.integer({ min: 1, max: 4 }),
  });
  const property = fc.property(
    fc.array(step, { minLength: 1, maxLength: 40 }),
    (steps) => {
      const rig = makeAcceptor({ logBytes: 1 << 16 });
      let promised = { ballot: 0n, incarnation: 0 };
      const accepted = new Map<number, { ballot: bigint; value: string }>();
      for (const { prepares, round, proposer, instance, ...rest } of steps) {
        const ballot = ballotOf(round, proposer);
        const incarnation = 0xa0 + proposer * 16 + rest.incarnation;
        // A proposer proposes one value for each instance in each ballot.
        const value = `${ballot} ${incarnation} ${instance}`;
        const fine = ballot > promised.ballot ||
          (ballot === promised.ballot && incarnation === promised.incarnation);
        const frame = prepares
          ? prepare(ballot, 1n, incarnation)
          : accept(ballot, instance, value, { incarnation });
        const answer = answers(rig.feed(frame));
        if (!fine) {
          assert.equal(answer[0].body.type, "reject");
          assert.equal(answer[0].ballot, promised.ballot);
          continue;
        }
        promised = { ballot, incarnation };
        assert.equal(answer[0].ballot, ballot);
        if (!prepares) {
          assert.equal(answer[0].body.type, "accepted");
          accepted.set(instance, { ballot, value });
          continue;
        }
        const body = answer[0].body;
        assert(body.type === "promise" && body.last);
        assert.deepEqual(
          new Map(body.entries.map((entry) => [Number(entry.instance), {
            ballot: entry.ballot,
            value: new TextDecoder().decode(entry.batch[0].values[0]),
          }])),
          new Map([...accepted].sort(([a], [b]) => a - b)),
        );
      }
    },
  );
  fc.assert(property, { numRuns: 150 });
});
