/** An acceptor that gets its records back has forgotten nothing. */
import assert from "node:assert/strict";
import { Core, type CoreRecord } from "../core/core.ts";
import {
  Counter,
  Gauge,
  Record,
  Role,
  WINDOW_INSTANCES,
} from "../core/layout.ts";
import { type Body, decode, typeOf } from "../sim/decode.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { OPTIONS, Rig } from "./rig.ts";

const FIRST = ballotOf(1, 1);
const SECOND = ballotOf(2, 1);
const ACCEPTOR = { roles: Role.acceptor, id: 2, persistent: true };

const leader = (ballot: bigint, incarnation = 101) =>
  ({ senderRole: "proposer", senderId: 1, incarnation, ballot }) as const;

const prepare = (ballot: bigint, incarnation?: number) =>
  encode(leader(ballot, incarnation), { type: "prepare", from: 1n });

const accept = (ballot: bigint, instance: number, text: string, decided = 1) =>
  encode(leader(ballot), {
    type: "accept",
    decided: BigInt(decided),
    instance: BigInt(instance),
    batch: [run(5n, instance, text)],
  });

/** An acceptor whose records are durable at once, and kept. */
class Acceptor {
  readonly rig: Rig;
  readonly records: CoreRecord[] = [];

  constructor(options: ConstructorParameters<typeof Rig>[0] = {}) {
    this.rig = new Rig({ ...ACCEPTOR, ...options });
  }

  /** Steps, then once more with what the first step appended durable; returns what both send but `hi`. */
  feed(...frames: Uint8Array[]): Uint8Array[] {
    const sent = this.rig.feed(...frames);
    const { core } = this.rig;
    for (let i = 0; i < core.recordCount; i++) {
      const record = core.record(i);
      this.records.push({ ...record, batch: record.batch.slice() });
    }
    this.rig.durable = core.lastRecord;
    return [...sent, ...this.rig.feed()]
      .filter((frame) => typeOf(frame) !== "hi");
  }

  /** Another process with the same storage; nobody vouches for it. */
  restart(options: ConstructorParameters<typeof Rig>[0] = {}): Acceptor {
    const again = new Acceptor({
      ...this.rig.options,
      incarnation: this.rig.options.incarnation + 1,
      memory: this.rig.options.memory ?? this.rig.options.incarnation,
      newCluster: false,
      ...options,
    });
    for (const record of this.records) again.rig.core.recover(record);
    again.records.push(...this.records);
    return again;
  }
}

/** An acceptor that votes. */
function voting(): Acceptor {
  const acceptor = new Acceptor();
  acceptor.feed();
  acceptor.rig.now_us += 100_000;
  acceptor.feed();
  return acceptor;
}

function only<T extends Body["type"]>(frames: Uint8Array[], type: T) {
  assert.deepEqual(frames.map(typeOf), [type]);
  const fields = decode(frames[0]);
  return { ...fields, body: fields.body as Extract<Body, { type: T }> };
}

Deno.test("a promise is kept over a restart: nothing below it is accepted or promised", () => {
  const acceptor = voting();
  only(acceptor.feed(prepare(SECOND)), "promise");
  const again = acceptor.restart();
  assert.equal(again.rig.core.gauge(Gauge.promised), 0, "before a step");
  for (const frame of [prepare(FIRST), accept(FIRST, 1, "x")]) {
    const { ballot } = only(again.feed(frame), "reject");
    assert.equal(ballot, SECOND);
  }
});

Deno.test("a ballot stays with the incarnation it was promised to", () => {
  const again = (() => {
    const acceptor = voting();
    acceptor.feed(prepare(SECOND, 101));
    return acceptor.restart();
  })();
  only(again.feed(prepare(SECOND, 102)), "reject");
  only(again.feed(prepare(SECOND, 101)), "promise");
});

Deno.test("what was accepted is told after a restart, each instance in its last ballot", () => {
  const acceptor = voting();
  acceptor.feed(accept(FIRST, 1, "one"), accept(FIRST, 2, "two"));
  acceptor.feed(accept(SECOND, 2, "other"));
  const again = acceptor.restart().restart();
  const { body } = only(again.feed(prepare(ballotOf(3, 1))), "promise");
  assert.deepEqual(
    body.entries.map(({ instance, ballot, batch }) => [
      Number(instance),
      ballot,
      new TextDecoder().decode(batch[0].values[0]),
    ]),
    [[1, FIRST, "one"], [2, SECOND, "other"]],
  );
  assert(body.last);
});

Deno.test("a restarted acceptor votes at once, under the name of its memory", () => {
  const acceptor = voting();
  acceptor.feed(accept(FIRST, 1, "one"));
  const again = acceptor.restart();
  const vote = only(again.feed(accept(FIRST, 2, "two")), "accepted");
  assert.equal(vote.incarnation, OPTIONS.incarnation);
  assert.deepEqual(vote.body.ranges, [{ first: 2n, end: 3n }]);
});

Deno.test("an acceptor that nobody confirmed before it stopped does not vote after", () => {
  const again = new Acceptor({ newCluster: false }).restart();
  again.rig.now_us += 1_000_000;
  assert.deepEqual(again.feed(prepare(FIRST)), []);
  assert.deepEqual(again.records, []);
});

Deno.test("phase 1 after a restart begins near what is decided, and brings up no more than a window holds", () => {
  const acceptor = voting();
  for (let instance = 1; instance <= 3 * WINDOW_INSTANCES; instance++) {
    acceptor.feed(
      accept(FIRST, instance, "x", Math.max(1, instance - 2000)),
    );
  }
  const again = acceptor.restart();
  const { decided } = decode(again.feed(prepare(SECOND))[0])
    .body as Extract<Body, { type: "promise" }>;
  assert(Number(decided) + WINDOW_INSTANCES > 3 * WINDOW_INSTANCES);
  assert(Number(decided) <= 3 * WINDOW_INSTANCES - 2000);
});

Deno.test("instances that left memory, as storage has them, count as decided after a restart", () => {
  const small = { logBytes: 1 << 16 };
  const acceptor = new Acceptor(small);
  acceptor.feed();
  acceptor.rig.now_us += 100_000;
  acceptor.feed();
  const text = "x".repeat(300);
  for (let instance = 1; instance <= 600; instance++) {
    acceptor.feed(accept(FIRST, instance, text, instance));
  }
  const { core } = acceptor.rig;
  assert.equal(core.counter(Counter.accepted), 600, "old ones make room");
  assert.equal(core.gauge(Gauge.trimmed), 1, "storage has deleted nothing");
  const again = acceptor.restart();
  const { start, decided } = decode(again.feed(prepare(SECOND))[0])
    .body as Extract<Body, { type: "promise" }>;
  assert.equal(again.rig.core.gauge(Gauge.trimmed), 1);
  assert(decided > 500n && start >= decided);
});

Deno.test("records of one step hold what was accepted, though the log has no room for all of it", () => {
  const { rig } = new Acceptor({ mtu: 9000, logBytes: 1 << 20 });
  rig.feed();
  rig.wait(100_000);
  const burst = [FIRST, SECOND].flatMap((ballot, i) =>
    Array.from(
      { length: 100 },
      (_, n) => accept(ballot, n + 1, "ab"[i].repeat(8000)),
    )
  );
  rig.feed(...burst);
  const { core } = rig;
  let accepts = 0;
  for (let i = 0; i < core.recordCount; i++) {
    const { kind, ballot, batch } = core.record(i);
    if (kind !== Record.accept) continue;
    accepts++;
    const [byte] = batch.slice(100);
    const letter = String.fromCharCode(byte);
    assert.equal(letter, ballot === FIRST ? "a" : "b", `record ${i}`);
  }
  assert(accepts >= 100);
});

Deno.test("a record that cannot be the acceptor's is refused", () => {
  const { core } = new Rig(ACCEPTOR);
  const record = {
    kind: Record.accept,
    ballot: SECOND,
    incarnation: 101,
    instance: 1,
    values: 0,
    batch: new Uint8Array(),
  };
  core.recover(record);
  assert.throws(
    () => core.recover({ ...record, ballot: FIRST }),
    /older acceptance is recovered after a newer one/,
  );
  assert.throws(
    () => new Rig(ACCEPTOR).core.recover({ ...record, kind: 99 as Record }),
    /unknown kind/,
  );
  const large = { ...record, batch: new Uint8Array(OPTIONS.mtu) };
  assert.throws(() => new Rig(ACCEPTOR).core.recover(large), RangeError);
  assert.throws(
    () => new Core({ ...OPTIONS, ...ACCEPTOR, memory: 0 }, 0),
    /incarnation is 0/,
  );
});
