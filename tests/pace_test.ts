/** How much a client keeps in the network, rule by rule; and the leader's word that it obeys. */
import assert from "node:assert/strict";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { decode } from "../sim/decode.ts";
import { encode, run } from "./encode.ts";
import { fromAcceptor, leading } from "./leader.ts";
import { Rig } from "./rig.ts";
import { openUnits } from "./units.ts";

/** The MTU on the bench. */
const FRAME_BYTES = 512;
const FIRST_BYTES = 32 * FRAME_BYTES;
const LONG_BYTES = 512 << 10;

function makePace() {
  const { units } = openUnits();
  units.paceMake();
  const allows = (bytes: number) => units.paceOpen(BigInt(bytes)) !== 0;
  return {
    allows,
    /** Bytes from which on it allows no more. */
    window(): number {
      let [open, shut] = [-1, 1 << 30];
      while (shut - open > 1) {
        const middle = (open + shut) >>> 1;
        if (allows(middle)) open = middle;
        else shut = middle;
      }
      return shut;
    },
    answered: (bytes: number, sentAt_us: number) =>
      units.paceAnswer(BigInt(bytes), BigInt(sentAt_us)),
    marked: (now_us: number) => units.paceMark(BigInt(now_us)),
    lost: (now_us: number) => units.paceLose(BigInt(now_us)),
    anew: () => units.paceMake(),
  };
}

type Pace = ReturnType<typeof makePace>;

/** A full window that was sent at `sentAt_us` is answered, in pieces; returns the window that it leads to. */
function round(pace: Pace, sentAt_us: number): number {
  let left = pace.window();
  assert(!pace.allows(left), "a full window");
  while (left > 0) {
    const piece = Math.min(left, 400);
    pace.answered(piece, sentAt_us);
    left -= piece;
  }
  return pace.window();
}

/** One that was slowed down once, at 1,000 µs, from twice the first window. */
function makeSlowed(): Pace {
  const pace = makePace();
  round(pace, 0);
  pace.marked(1000);
  return pace;
}

Deno.test("the window doubles with each round trip until the first mark", () => {
  const pace = makePace();
  assert.equal(pace.window(), FIRST_BYTES);
  for (let n = 1; n <= 6; n++) {
    assert.equal(round(pace, 0), FIRST_BYTES << n);
  }
});

Deno.test("a mark takes an eighth of the window, and two frames more fit after each round trip from then on", () => {
  const pace = makeSlowed();
  const cut = FIRST_BYTES * 2 * 7 / 8;
  assert.equal(pace.window(), cut);
  assert(!pace.allows(cut), "a full window");
  pace.answered(cut - 1, 1000);
  assert.equal(pace.window(), cut);
  assert(!pace.allows(cut), "a full window");
  pace.answered(1, 1000);
  assert.equal(pace.window(), cut + 2 * FRAME_BYTES);
  for (let n = 2; n <= 5; n++) {
    assert.equal(round(pace, 2000), cut + 2 * n * FRAME_BYTES);
  }
});

Deno.test("the window shrinks once a round trip, however many marks and losses there are", () => {
  const pace = makePace();
  for (let n = 0; n < 6; n++) round(pace, 0);
  pace.marked(1000);
  const cut = pace.window();
  assert.equal(cut, FIRST_BYTES * 64 * 7 / 8);
  const again = () => {
    pace.marked(1100);
    pace.lost(1200);
  };
  again();
  assert.equal(pace.window(), cut);
  // Answers to what was sent before that do not tell of the smaller window: neither way.
  assert.equal(round(pace, 999), cut);
  again();
  assert.equal(pace.window(), cut);
  pace.answered(1, 1000);
  pace.marked(2000);
  assert.equal(pace.window(), cut - cut / 8);
});

Deno.test("marks shrink the window to two frames at the least, losses to 256", () => {
  const marked = makePace();
  const lossy = makePace();
  for (let n = 0; n < 6; n++) round(lossy, 0);
  for (let now_us = 1000; now_us < 100_000; now_us += 1000) {
    for (const pace of [marked, lossy]) {
      // Slack, so that it does not grow.
      assert(pace.allows(0));
      pace.answered(1, now_us);
    }
    marked.marked(now_us);
    lossy.lost(now_us);
  }
  assert.equal(marked.window(), 2 * FRAME_BYTES);
  assert.equal(lossy.window(), 256 * FRAME_BYTES);
  marked.answered(1, 100_000);
  marked.lost(100_000);
  assert.equal(marked.window(), 2 * FRAME_BYTES);
});

Deno.test("losses in a small window may be chance, and it doubles on", () => {
  const pace = makePace();
  pace.lost(1000);
  assert.equal(pace.window(), FIRST_BYTES);
  assert.equal(round(pace, 0), FIRST_BYTES * 2);
});

Deno.test("a window that was not full does not grow", () => {
  const [starting, slowed] = [makePace(), makeSlowed()];
  for (const pace of [starting, slowed]) {
    const before = pace.window();
    assert(pace.allows(before - 1));
    pace.answered(before * 3, 2000);
    assert.equal(pace.window(), before);
    assert(round(pace, 3000) > before, "a full one does");
  }
});

Deno.test("with a new leader the window begins anew, whatever the old one said", () => {
  const pace = makeSlowed();
  assert(!pace.allows(pace.window()), "a full window");
  pace.anew();
  assert.equal(pace.window(), FIRST_BYTES);
  // Though nothing that was sent since the mark is answered yet.
  assert.equal(round(pace, 0), FIRST_BYTES * 2);
  pace.marked(1100);
  const cut = pace.window();
  assert.equal(cut, FIRST_BYTES * 2 * 7 / 8);
  assert(!pace.allows(cut), "a full window");
  pace.answered(cut - 1, 1100);
  pace.anew();
  pace.marked(1200);
  const small = pace.window();
  assert(!pace.allows(small), "a full window");
  // What the old one answered counts for nothing.
  pace.answered(1, 1200);
  assert.equal(pace.window(), small);
});

/** A leader whose queue gets longer than it should be, and then empty; its 2A, and the queue at each. */
function leadThroughLongQueue() {
  const { rig, ballot } = leading();
  const sent: { frame: Uint8Array; congested: boolean; queueBytes: number }[] =
    [];
  const step = (frame: Uint8Array): void => {
    for (const frame_ of rig.feed(frame)) {
      const { body } = decode(frame_);
      if (body.type !== "accept") continue;
      sent.push({
        frame: frame_,
        congested: body.congested === true,
        queueBytes: rig.core.gauge(Gauge.pendingBytes),
      });
    }
  };
  const value = "v".repeat(390);
  let values = 0;
  while (rig.core.gauge(Gauge.pendingBytes) < LONG_BYTES + 20_000) {
    step(encode({ senderRole: "client", senderId: 9, incarnation: 901 }, {
      type: "submit",
      batch: [run(5n, ++values, value)],
    }));
  }
  for (let instance = 1n; instance <= BigInt(values); instance++) {
    for (const id of [2, 3]) {
      step(encode(fromAcceptor(id, ballot), {
        type: "accepted",
        ranges: [{ first: instance, end: instance + 1n }],
      }));
    }
  }
  return { rig, sent, values };
}

Deno.test("a leader marks its 2A while its queue is long, and not otherwise", () => {
  const { rig, sent, values } = leadThroughLongQueue();
  assert.equal(sent.length, values);
  sent.forEach(({ congested, queueBytes }, n) =>
    assert.equal(congested, queueBytes > LONG_BYTES, `2A ${n}, ${queueBytes}`)
  );
  const marks = sent.filter(({ congested }) => congested).length;
  assert(marks > 10, `${marks} of ${values} are marked`);
  assert.equal(rig.core.counter(Counter.congested), marks);
});

Deno.test("a client sends less for the leader's marked 2A, and not for others", () => {
  const { sent } = leadThroughLongQueue();
  const marked = sent.find(({ congested }) => congested);
  const plain = sent.find(({ congested }) => !congested);
  assert(marked !== undefined && plain !== undefined);
  const client = new Rig({ roles: Role.client, id: 9, incarnation: 901 });
  client.feed(plain.frame);
  assert(client.core.gauge(Gauge.leaderBallot) > 0, "it was heard");
  assert.equal(client.core.gauge(Gauge.paceBytes), FIRST_BYTES);
  assert.equal(client.core.counter(Counter.slowed), 0);
  client.feed(marked.frame);
  assert.equal(client.core.gauge(Gauge.paceBytes), FIRST_BYTES * 7 / 8);
  assert.equal(client.core.counter(Counter.slowed), 1);
});
