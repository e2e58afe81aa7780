/**
 * The decoder and all that stands behind it, fuzzed: every mix of roles, in the middle of a
 * conversation, hears frames that are wrong in few places and whose checksum is right.
 *
 * A second reading of `docs/wire.md` (`soundness.ts`) says of each frame whether it is sound. What
 * is not must be counted under that very reason and change nothing; what is sound, however it lies,
 * must not trap. More of it: KPAXOS_EFFORT and KPAXOS_SEED, see `effort.ts`.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { CoreOptions } from "../core/core.ts";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { decode, MESSAGE_NAMES } from "../sim/decode.ts";
import { Random } from "../sim/random.ts";
import { cases, SEED } from "./effort.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { fromAcceptor } from "./leader.ts";
import { message, rolesOf } from "./messages.ts";
import { Mutator } from "./mutate.ts";
import { OPTIONS, Rig } from "./rig.ts";
import { type Fault, faultOf } from "./soundness.ts";
import { State } from "./state.ts";
import { openUnits } from "./units.ts";

const LINK = 14;
const MTU = 256;
/** Bursts that one node hears, and frames of a burst. */
const BURSTS = 12;
const BURST_FRAMES = 400;
/** Frames of the conversation that are kept to be mutated. */
const REMEMBERED = 64;

const NAMES = MESSAGE_NAMES;
const REASONS: readonly Fault[] = [
  "badLength",
  "badVersion",
  "badCluster",
  "badChecksum",
  "badType",
  "badSender",
  "ownEcho",
  "badReceiver",
  "badBody",
];

type Bytes = Uint8Array<ArrayBuffer>;

/** The core's own XXH64, which other tests compare with another: the one of the tests is too slow here. */
const hasher = openUnits();
const hashed = hasher.bytes;
function checksumOf(frame: Uint8Array): bigint {
  const { units, scratch } = hasher;
  const length = new DataView(frame.buffer, LINK).getUint16(10, true);
  hashed.set(frame.subarray(LINK, LINK + length), scratch);
  const seed = units.hash(scratch, 16, 0n);
  return BigInt.asUintN(
    64,
    units.hash(scratch + 24, Math.max(0, length - 24), seed),
  );
}

function seal(frame: Bytes): Bytes {
  new DataView(frame.buffer, LINK).setBigUint64(16, checksumOf(frame), true);
  return frame;
}

function fromProposer(id: number, ballot = 0n) {
  return {
    senderRole: "proposer",
    senderId: id,
    incarnation: 200 + id,
    ballot,
  } as const;
}

/** What others would answer to a frame of the node's, so that it gets on with its work. */
function answers(frame: Uint8Array, random: Random): Bytes[] {
  const { body, ballot, incarnation, senderRole } = decode(frame);
  const from = (id: number) => fromAcceptor(id, ballot);
  const leader = fromProposer(2, ballotOf(random.between(1, 3), 2));
  const value = [run(1000n, random.between(1, 40), "value")];
  switch (body.type) {
    case "prepare": {
      const entries = [1n, 3n].map((past) => ({
        instance: body.from + past,
        ballot: ballotOf(1, 2),
        decided: false,
        batch: value,
      }));
      return [2, 3].map((id) =>
        encode(from(id), {
          type: "promise",
          start: body.from,
          end: body.from + 4n,
          decided: body.from,
          last: random.chance(0.7),
          pause: random.chance(0.7),
          incarnation: OPTIONS.incarnation,
          entries: random.chance(0.5) ? entries : [],
        })
      );
    }
    case "accept": {
      const ranges = [{ first: body.instance, end: body.instance + 1n }];
      return [2, 3].map((id) => encode(from(id), { type: "accepted", ranges }));
    }
    case "submit":
      return [encode(leader, {
        type: "accept",
        decided: 1n,
        instance: BigInt(random.between(1, 30)),
        batch: body.batch,
      })];
    case "hi": {
      const ok = { decided: 5n, trimmed: 1n, next: 9n };
      const asked = { ballot: BigInt(incarnation) };
      return [
        ...[2, 3].map((id) =>
          encode({ ...fromAcceptor(id), ...asked }, { type: "ok", ...ok })
        ),
        encode(leader, { type: "heartbeat", decided: 3n, next: 9n }),
      ];
    }
    case "repair":
      return [encode(fromAcceptor(random.between(2, 3)), {
        type: "learned",
        trimmed: 1n,
        decided: 9n,
        last: true,
        entries: body.ranges.slice(0, 3).map(({ first }) => ({
          instance: first,
          ballot: leader.ballot,
          decided: random.chance(0.5),
          batch: value,
        })),
      })];
    default:
      return senderRole === "acceptor"
        ? [encode(leader, {
          type: "accept",
          decided: BigInt(random.between(1, 5)),
          instance: BigInt(random.between(5, 30)),
          batch: value,
        })]
        : [];
  }
}

/** The frame as another node of the same role and id would send it. */
function another(frame: Bytes): Bytes {
  new DataView(frame.buffer, LINK).setUint32(12, 909, true);
  return seal(frame);
}

/** Sound frames of every type that this node takes. */
function soundFrames(options: CoreOptions, seed: number): Bytes[] {
  return NAMES.flatMap((name) =>
    fc.sample(message(name, options), { seed, numRuns: 4 })
      .map(({ sender, body }) => encode(sender, body))
  );
}

/** One node under fire. */
class Target {
  readonly options: CoreOptions;
  readonly rig: Rig;
  readonly counts = { sound: 0, bad: 0 };
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #state: State;
  readonly #memoryBytes: number;
  readonly #sound: Bytes[];
  #said: Bytes[] = [];
  #fed = 0;
  #sent = 0;

  constructor(roles: number, seed: number) {
    this.#random = new Random(seed * 16 + roles);
    const chance = () => this.#random.chance(0.5);
    this.options = {
      ...OPTIONS,
      roles,
      mtu: MTU,
      logBytes: 1 << 16,
      persistent: chance(),
      newCluster: chance(),
      leader: chance() ? 1 : 2,
      from: chance() ? 1n : 0n,
      clients: 3,
    };
    this.rig = new Rig(this.options);
    // Where no wild numbers are heard, work goes on for longer.
    this.#sound = chance() ? soundFrames(this.options, seed) : [];
    this.#said = [
      encode(fromProposer(2, ballotOf(1, 2)), {
        type: "heartbeat",
        decided: 1n,
        next: 3n,
      }),
    ];
    this.#mutator = new Mutator(this.#random, LINK + MTU + 40);
    this.#feed(this.#said);
    this.#state = new State(this.rig);
    this.#memoryBytes = this.rig.core.area.memory.buffer.byteLength;
  }

  /** Hears a burst of mutated frames and what others answer, and lets time pass. */
  burst(): void {
    const corpus = [...this.#sound, ...this.#said];
    const bad: [Fault, Bytes][] = [];
    const sound: Bytes[] = [];
    const mutated = Array.from(
      { length: BURST_FRAMES },
      () => seal(this.#mutator.mutate(corpus)),
    );
    for (const frame of [...mutated, ...this.#said.slice(-8)]) {
      const fault = faultOf(frame, this.options, checksumOf);
      if (fault === undefined) sound.push(frame);
      else bad.push([fault, frame]);
    }
    this.counts.sound += sound.length;
    this.counts.bad += bad.length;
    this.#rest();
    this.#hearBad(bad);
    this.#hearSound(sound);
    this.#work();
    assert.equal(
      this.rig.core.area.memory.buffer.byteLength,
      this.#memoryBytes,
    );
  }

  /** Steps until there is nothing left to do at this time; keeps the state. */
  #rest(): void {
    let difference: string | undefined = "";
    for (let steps = 0; difference !== undefined; steps++) {
      assert(steps < 1000, `the node comes to no rest: ${difference}`);
      this.#feed([]);
      this.#state.keep();
      this.#feed([]);
      difference = this.#state.difference();
    }
  }

  /** Each is counted by its reason, and nothing comes of it. */
  #hearBad(frames: readonly [Fault, Bytes][]): void {
    const expected = this.#counted();
    for (const [fault, frame] of frames) {
      expected[fault]++;
      assert.equal(this.#feed([frame]), 0, frame.toHex());
      assert.deepEqual(this.#counted(), expected, `${fault}: ${frame.toHex()}`);
    }
    assert.equal(this.#state.difference(), undefined);
  }

  #hearSound(frames: readonly Bytes[]): void {
    const expected = this.#counted();
    for (let at = 0; at < frames.length;) {
      const end = at + this.#random.between(1, 16);
      this.#feed(frames.slice(at, end));
      at = end;
    }
    assert.deepEqual(this.#counted(), expected);
  }

  /** Time passes, records become durable, values are submitted, others answer. */
  #work(): void {
    const { rig } = this;
    rig.now_us += this.#random.between(
      0,
      this.#random.chance(0.2) ? 2_000_000 : 60_000,
    );
    if (this.options.persistent && this.#random.chance(0.8)) {
      rig.durable = rig.core.gauge(Gauge.records);
    }
    if ((this.options.roles & Role.client) !== 0) {
      for (let client = 0; client < 3; client++) {
        if (rig.core.clientRoom(client) === 0) continue;
        rig.core.submit(client, Uint8Array.of(client), rig.now_us);
      }
    }
    this.#feed([]);
    for (const frame of rig.sent().slice(0, 16)) {
      this.#said.push(another(frame), ...answers(frame, this.#random));
    }
    this.#said = this.#said.slice(-REMEMBERED);
  }

  #counted(): Record<Fault, number> {
    return Object.fromEntries(
      REASONS.map((reason) => [reason, this.rig.core.counter(Counter[reason])]),
    ) as Record<Fault, number>;
  }

  /** One step; returns the frames that it sends. All that goes in and out is counted. */
  #feed(frames: readonly Bytes[]): number {
    const { core } = this.rig;
    try {
      this.rig.feed(...frames);
    } catch (error) {
      const shown = frames.map((frame) => frame.toHex()).join("\n");
      assert.fail(`the core trapped: ${error}; it was given\n${shown}`);
    }
    this.#fed += frames.length;
    this.#sent += core.sendCount;
    assert.equal(core.counter(Counter.received), this.#fed);
    assert.equal(core.counter(Counter.sent), this.#sent);
    return core.sendCount;
  }
}

for (let roles = 1; roles < 16; roles++) {
  const name = rolesOf(roles).join(", ");
  Deno.test(`${name}: mutated frames are dropped as docs/wire.md says, and nothing traps`, () => {
    const counts = { sound: 0, bad: 0 };
    for (let seed = SEED; seed < SEED + cases(2); seed++) {
      const target = new Target(roles, seed);
      for (let burst = 0; burst < BURSTS; burst++) {
        try {
          target.burst();
        } catch (error) {
          const failure = `KPAXOS_SEED=${seed}, burst ${burst}: ${error}`;
          throw new Error(failure, { cause: error });
        }
      }
      counts.sound += target.counts.sound;
      counts.bad += target.counts.bad;
    }
    const all = counts.sound + counts.bad;
    assert(
      counts.bad > all / 4 && counts.sound > all / 20,
      JSON.stringify(counts),
    );
  });
}
