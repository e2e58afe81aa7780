/**
 * What goes over the wire, for arbitrary messages: sound ones come back as they went in and are taken,
 * and one wrong field is counted under the reason that `docs/wire.md` names for it, and changes nothing.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Counter, Role } from "../core/layout.ts";
import { decode, MESSAGE_NAMES, type MessageName } from "../sim/decode.ts";
import { Cluster, REPLICA } from "./cluster.ts";
import { cases, SEED } from "./effort.ts";
import { checksumOf, encode } from "./encode.ts";
import { type Flawed, flawed, manyFlawed } from "./flaws.ts";
import { message } from "./messages.ts";
import { OPTIONS, REASONS, Rig } from "./rig.ts";
import { faultOf } from "./soundness.ts";
import { State } from "./state.ts";

fc.configureGlobal({ seed: SEED });

const NAMES = MESSAGE_NAMES;

for (const name of NAMES) {
  Deno.test(`${name}: what is encoded decodes to the same fields, and the core takes it`, () => {
    for (const mtu of [256, 1500]) {
      const options = { ...OPTIONS, roles: 15, mtu, logBytes: 1 << 16 };
      const rig = new Rig(options);
      const property = fc.property(
        message(name, options),
        ({ sender, body }) => {
          const frame = encode(sender, body);
          const { length, checksum, ...fields } = decode(frame);
          assert.deepEqual(fields, { ...fields, ...sender, body });
          assert.equal(length, frame.length - 14);
          assert.equal(checksum, checksumOf(frame));
          rig.feed(frame);
          assert.equal(faultOf(frame, options), undefined);
          for (const reason of REASONS) {
            assert.equal(rig.core.counter(reason), 0, Counter[reason]);
          }
        },
      );
      fc.assert(property, { numRuns: cases(300) });
    }
  });
}

Deno.test("every frame of a cluster under faults is sound, and its fields encode to the same bytes", () => {
  const types = new Set<MessageName>();
  for (let seed = SEED; seed < SEED + cases(12); seed++) {
    const mtu = [256, 600, 1500][seed % 3];
    const cluster = new Cluster(seed, { mtu, logBytes: 1 << 16 });
    const { faults, network, random } = cluster;
    faults.loss = random.between(5, 30) / 100;
    faults.delay_us = { least: 20, most: random.between(20, 3000) };
    const anybody = { ...OPTIONS, mtu, roles: 15, incarnation: 1 };
    network.tap = (_, frame) => {
      const { length, checksum: _sum, ...fields } = decode(frame);
      assert.deepEqual(
        encode(fields, fields.body),
        frame.slice(0, 14 + length),
      );
      const receiver = { ...anybody, id: fields.receiverId };
      assert.equal(faultOf(frame, receiver), undefined, `seed ${seed}`);
      types.add(fields.body.type);
    };
    // Two of them would lead, so that one is preempted.
    const [, second] = [1, 2, 3].map((id) =>
      cluster.add({ roles: REPLICA, id, leader: Math.min(id, 2) })
    );
    cluster.add({ roles: Role.learner, id: 4 });
    const client = cluster.add({
      roles: Role.client,
      id: 9,
      clients: 3,
      values: 40,
      padBytes: random.between(0, 140),
    });
    client.core.query(seed);
    cluster.finish(60_000_000);
    // Whoever forgot what it promised is told so.
    cluster.restart(second);
    cluster.run(500_000);
    cluster.living(Role.learner).forEach((learner) => learner.leave());
    cluster.run(100_000);
  }
  assert.deepEqual([...types].sort(), [...NAMES].sort());
});

const VICTIM = { ...OPTIONS, roles: 15, mtu: 256, logBytes: 1 << 16 };

/** A core of all roles that has taken messages of every type and half a second of time. */
function makeVictim(): Rig {
  const rig = new Rig(VICTIM);
  for (let n = 0; n < 10; n++) {
    for (const name of NAMES) {
      const [{ sender, body }] = fc.sample(message(name, VICTIM), {
        seed: n,
        numRuns: 1,
      });
      rig.feed(encode(sender, body));
    }
    rig.wait(50_000);
  }
  rig.feed();
  return rig;
}

/** How often each reason was counted since `before`. */
function counted(rig: Rig, before: readonly number[]): Record<string, number> {
  const reasons: Record<string, number> = {};
  REASONS.forEach((reason, i) => {
    const count = rig.core.counter(reason) - before[i];
    if (count > 0) reasons[Counter[reason]] = count;
  });
  return reasons;
}

function refuses(
  rig: Rig,
  state: State,
  frames: readonly Flawed[],
): void {
  state.keep();
  for (const { reason, frame } of frames) {
    const what = `${reason}: ${frame.toHex()}`;
    assert.equal(faultOf(frame, VICTIM), reason, `by the document, ${what}`);
    const before = REASONS.map((counter) => rig.core.counter(counter));
    assert.deepEqual(rig.feed(frame), [], what);
    assert.deepEqual(counted(rig, before), { [reason]: 1 }, what);
  }
  assert.equal(state.difference(), undefined);
}

for (const name of NAMES) {
  for (
    const [what, arbitrary] of [["one", flawed], ["some", manyFlawed]] as const
  ) {
    Deno.test(`${name} with ${what} of its fields wrong is counted under the reason that is checked first, and changes nothing`, () => {
      const rig = makeVictim();
      const state = new State(rig);
      const frames = fc.array(arbitrary(name, VICTIM), {
        minLength: 1,
        maxLength: 40,
        size: "max",
      });
      fc.assert(fc.property(frames, (flaws) => refuses(rig, state, flaws)), {
        numRuns: cases(12),
        // The frame is in the message; to make it smaller would take minutes.
        endOnFailure: true,
      });
    });
  }
}
