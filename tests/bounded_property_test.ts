/**
 * What the core keeps in memory that never grows, against models, where it is full: sessions of more
 * clients than are remembered, a log whose index is used up, a queue at its ring's end.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SESSION_SEQUENCES, SESSIONS_MAX } from "../core/layout.ts";
import { cases, SEED } from "./effort.ts";
import { openUnits } from "./units.ts";

fc.configureGlobal({ seed: SEED });

/** Slots of the smallest log's index, and bytes of the queue's ring. */
const LOG_SLOTS = 4096;
const QUEUE_BYTES = 4 << 20;

/** A number of 64 bits for each client, without any order: so that some share a bucket. */
function scattered(client: number, salt: bigint): bigint {
  const mixed = BigInt.asUintN(
    64,
    (BigInt(client) + salt) * 0xd1342543de82ef95n,
  );
  return BigInt.asUintN(64, (mixed ^ mixed >> 29n) * 0xaf251af3b0f025b5n) | 1n;
}

Deno.test("sessions forget the least recently used client and no other, for any calls of more clients than they hold", () => {
  const { units } = openUnits();
  units.sessionsMake();
  const call = fc.record({
    adds: fc.boolean(),
    // Those that were used long ago, and new ones that push them out.
    client: fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: SESSIONS_MAX + 1, max: SESSIONS_MAX + 200 }),
    ),
    sequence: fc.oneof(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: SESSION_SEQUENCES - 2, max: SESSION_SEQUENCES + 2 }),
    ),
  });
  const property = fc.property(
    fc.bigInt(1n, (1n << 64n) - 1n),
    fc.array(call, { minLength: 1, maxLength: 300, size: "max" }),
    (salt, calls) => {
      units.sessionsClear();
      /** Oldest use first: a Map keeps the order of insertion. */
      const clients = new Map<number, { base: number; seen: Set<number> }>();
      const add = (client: number, sequence: number): boolean => {
        if (!clients.has(client) && clients.size === SESSIONS_MAX) {
          clients.delete(clients.keys().next().value!);
        }
        const session = clients.get(client) ??
          {
            base: Math.max(0, sequence - SESSION_SEQUENCES + 1),
            seen: new Set(),
          };
        clients.delete(client);
        clients.set(client, session);
        if (sequence < session.base || session.seen.has(sequence)) return false;
        session.seen.add(sequence);
        session.base = Math.max(session.base, sequence - SESSION_SEQUENCES + 1);
        return true;
      };
      const has = (client: number, sequence: number): boolean => {
        const session = clients.get(client);
        return session !== undefined &&
          (sequence < session.base || session.seen.has(sequence));
      };
      const number = (client: number) => scattered(client, salt);
      for (let client = 1; client <= SESSIONS_MAX; client++) {
        add(client, 1);
        units.sessionsAdd(number(client), 1n, 1);
      }
      for (const { adds, client, sequence } of calls) {
        const known = adds
          ? units.sessionsAdd(number(client), BigInt(sequence), 1) !== 0
          : units.sessionsHas(number(client), BigInt(sequence)) !== 0;
        const expected = adds ? add(client, sequence) : has(client, sequence);
        assert.equal(
          known,
          expected,
          `${adds ? "add" : "has"} ${client}/${sequence}`,
        );
      }
      for (let client = 1; client <= SESSIONS_MAX + 200; client++) {
        const known = units.sessionsHas(number(client), 1n) !== 0;
        assert.equal(known, has(client, 1), `client ${client}`);
      }
    },
  );
  fc.assert(property, { numRuns: cases(100) });
});

Deno.test("the log loses nothing at or above the limit, however far instances jump and whatever is refused", () => {
  const put = fc.record({
    step: fc.oneof(
      fc.integer({ min: -20, max: 20 }),
      fc.integer({ min: -LOG_SLOTS - 5, max: LOG_SLOTS + 5 }),
      fc.constantFrom(LOG_SLOTS - 1, LOG_SLOTS, LOG_SLOTS + 1),
    ),
    words: fc.integer({ min: 0, max: 60 }),
    lag: fc.oneof(
      fc.integer({ min: 0, max: 30 }),
      fc.nat({ max: LOG_SLOTS * 2 }),
    ),
  });
  const property = fc.property(
    fc.constantFrom(2048, 8192, 40_000),
    fc.array(put, { minLength: 20, maxLength: 200, size: "max" }),
    (bytes, puts) => {
      const opened = openUnits();
      const { units, scratch } = opened;
      units.logMake(bytes);
      const behind = units.take(4096);
      const kept = new Map<number, { ballot: bigint; bytes: number }>();
      /** Highest instance that was accepted. */
      let top = 0;
      let limit = 1;
      puts.forEach(({ step, words, lag }, i) => {
        const ballot = BigInt(i + 1);
        const low = Number(units.low());
        const instance = Math.max(low, top + step);
        limit = Math.max(limit, top - lag);
        opened.bytes.fill(i + 1, scratch, scratch + words * 8);
        const taken = units.put(
          BigInt(instance),
          ballot,
          scratch,
          words * 8,
          1,
          BigInt(limit),
        ) !== 0;
        if (taken) {
          kept.set(instance, { ballot, bytes: words * 8 });
          top = Math.max(top, instance);
        }
        const trimmed = Number(units.low());
        assert(
          trimmed >= low && trimmed <= Math.max(low, limit),
          `trimmed to ${trimmed}, limit ${limit}`,
        );
        for (const key of kept.keys()) if (key < trimmed) kept.delete(key);
        assert.equal(Number(units.high()), Math.max(top + 1, trimmed));
        const memory = opened.bytes;
        for (const [key, { ballot, bytes }] of kept) {
          assert.equal(units.getBallot(BigInt(key)), ballot, `instance ${key}`);
          assert.equal(units.getBytes(BigInt(key)), bytes);
          const at = units.getBatch(BigInt(key));
          const batch = memory.subarray(at, at + bytes);
          assert(
            batch.every((byte) => byte === Number(ballot)),
            `instance ${key} changed`,
          );
        }
        for (const near of [instance - 1, instance + 1, top + 1, trimmed - 1]) {
          if (kept.has(near) || near < 1) continue;
          assert.equal(units.getBallot(BigInt(near)), 0n, `nothing at ${near}`);
        }
      });
      const left = opened.bytes.subarray(behind, behind + 4096);
      assert(
        left.every((byte) => byte === 0),
        "what lies behind the log is changed",
      );
    },
  );
  fc.assert(property, { numRuns: cases(100) });
});

Deno.test("values that are accepted again in higher ballots take the log's room only once", () => {
  const instances = 8;
  const order = fc.shuffledSubarray(
    Array.from({ length: instances }, (_, i) => i + 1),
    { minLength: instances },
  );
  const property = fc.property(
    fc.array(order, { minLength: 20, maxLength: 60, size: "max" }),
    fc.infiniteStream(fc.integer({ min: 0, max: 30 })),
    (rounds, words) => {
      const { units, scratch, bytes } = openUnits();
      units.logMake(8192);
      rounds.forEach((round, ballot) => {
        for (const instance of round) {
          // Eight values of at most 256 bytes are a quarter of the ring. Each round has its own.
          const length = words.next().value * 8;
          bytes.fill(ballot + 1, scratch, scratch + length);
          const taken = units.put(
            BigInt(instance),
            BigInt(ballot + 1),
            scratch,
            length,
            1,
            1n,
          );
          assert.equal(
            taken,
            1,
            `instance ${instance} in ballot ${ballot + 1}`,
          );
        }
      });
      assert.equal(units.low(), 1n);
    },
  );
  fc.assert(property, { numRuns: cases(60) });
});

Deno.test("the queue is first in, first out for any runs that meet its ring's end, also when it is full", () => {
  const call = fc.oneof(
    fc.record({
      values: fc.array(fc.nat({ max: 2000 }), { minLength: 1, maxLength: 12 }),
    }),
    fc.record({
      limit: fc.integer({ min: 600, max: 3000 }).map((words) => words * 8),
    }),
  );
  const property = fc.property(
    fc.integer({ min: 0, max: 60_000 }),
    fc.boolean(),
    fc.array(call, { minLength: 1, maxLength: 80, size: "max" }),
    (room, full, calls) => {
      const queue = new Queue();
      // Up to just before the ring's end; then, unless it is to be full, all but the last goes.
      while (queue.used + 16_400 < QUEUE_BYTES - room) {
        queue.push([4000, 4000, 4000, 4000]);
      }
      if (!full) { while (queue.waiting > 1) queue.take(32_000); }
      for (const call of calls) {
        if ("limit" in call) queue.take(call.limit);
        else queue.push(call.values);
      }
      while (queue.waiting > 0) queue.take(32_000);
      assert(queue.empty);
      assert(queue.within, "what lies behind the queue is changed");
    },
  );
  fc.assert(property, {
    numRuns: cases(30),
    // A smaller case would still fill the ring first.
    endOnFailure: true,
  });
});

/** The queue, with the values that are in it. */
class Queue {
  readonly #opened = openUnits();
  readonly #expected: number[] = [];
  readonly #behind: number;
  #next = 1;
  /** Bytes of all runs that were pushed. */
  used = 0;

  constructor() {
    this.#opened.units.queueMake();
    this.#behind = this.#opened.units.take(4096);
  }

  get waiting(): number {
    return this.#expected.length;
  }

  /** Whether what lies behind the ring is as it was. */
  get within(): boolean {
    return this.#opened.bytes.subarray(this.#behind, this.#behind + 4096)
      .every((byte) => byte === 0);
  }

  get empty(): boolean {
    return this.#opened.units.queueEmpty() !== 0;
  }

  /** Pushes one run of values of these sizes; there may be no room. */
  push(sizes: readonly number[]): void {
    const { bytes, scratch, units } = this.#opened;
    const view = new DataView(bytes.buffer);
    let at = scratch + 16;
    sizes.forEach((size, i) => {
      view.setUint16(at, size, true);
      bytes.fill((this.#next + i) % 251, at + 2, at + 2 + size);
      at += 2 + size;
    });
    const end = (at + 7) & ~7;
    view.setBigUint64(scratch, 7n, true);
    view.setBigUint64(
      scratch + 8,
      BigInt(this.#next) | BigInt(sizes.length) << 48n,
      true,
    );
    const taken = units.queuePush(scratch, end - scratch) !== 0;
    assert(taken || this.waiting > 0, "an empty queue takes any run");
    if (!taken) return;
    for (const size of sizes) this.#expected.push(this.#next++ * 65536 + size);
    this.used += end - scratch;
  }

  /** Takes one batch, whose values must be the next ones. */
  take(limit: number): void {
    const { bytes, scratch, units } = this.#opened;
    const view = new DataView(bytes.buffer);
    const batch = scratch + 0x8000;
    const used = units.queueTake(batch, limit, limit, 0xffff_ffff);
    assert(used <= limit && used % 8 === 0, `${used} bytes`);
    assert(used > 0 || this.waiting === 0, "a value that fits is taken");
    for (let at = batch; at < batch + used;) {
      const word = view.getBigUint64(at + 8, true);
      let sequence = Number(word & 0xffff_ffff_ffffn);
      at += 16;
      for (let n = word >> 48n; n > 0n; n--, sequence++) {
        const size = view.getUint16(at, true);
        assert.equal(sequence * 65536 + size, this.#expected.shift());
        const value = bytes.subarray(at + 2, at + 2 + size);
        assert(
          value.every((byte) => byte === sequence % 251),
          `value ${sequence}`,
        );
        at += 2 + size;
      }
      at = (at + 7) & ~7;
    }
  }
}
