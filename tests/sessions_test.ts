/** The table behind exactly once, against a model of sets and lists. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SESSION_SEQUENCES, SESSIONS_MAX } from "../core/layout.ts";
import { openUnits } from "./units.ts";

const { units } = openUnits();
units.sessionsMake();

/** As the core promises it: a sliding window for each client, the least recently used client forgotten. */
class Model {
  /** Oldest use first: a Map keeps the order of insertion. */
  readonly #clients = new Map<bigint, { base: number; seen: Set<number> }>();

  has(client: bigint, sequence: number): boolean {
    const known = this.#clients.get(client);
    if (known === undefined) return false;
    return sequence < known.base || known.seen.has(sequence);
  }

  add(client: bigint, sequence: number): boolean {
    const known = this.#clients.get(client) ?? this.#admit(sequence);
    this.#clients.delete(client);
    this.#clients.set(client, known);
    if (sequence < known.base || known.seen.has(sequence)) return false;
    known.seen.add(sequence);
    known.base = Math.max(known.base, sequence - SESSION_SEQUENCES + 1);
    return true;
  }

  #admit(sequence: number) {
    if (this.#clients.size === SESSIONS_MAX) {
      const [oldest] = this.#clients.keys();
      this.#clients.delete(oldest);
    }
    return {
      base: Math.max(0, sequence - SESSION_SEQUENCES + 1),
      seen: new Set<number>(),
    };
  }
}

function compare(calls: readonly [boolean, bigint, number][]): void {
  units.sessionsClear();
  const model = new Model();
  calls.forEach(([adds, client, sequence], i) => {
    const [core, expected] = adds
      ? [
        units.sessionsAdd(client, BigInt(sequence), 1) !== 0,
        model.add(client, sequence),
      ]
      : [
        units.sessionsHas(client, BigInt(sequence)) !== 0,
        model.has(client, sequence),
      ];
    assert.equal(
      core,
      expected,
      `call ${i}: ${adds ? "add" : "has"} ${client}/${sequence}`,
    );
  });
}

Deno.test("sessions answer as the model for any calls near the edges of the window", () => {
  const sequence = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: SESSION_SEQUENCES - 20, max: SESSION_SEQUENCES + 20 }),
    fc.integer({
      min: SESSION_SEQUENCES * 3 - 20,
      max: SESSION_SEQUENCES * 3 + 20,
    }),
    fc.integer({ min: 2 ** 47, max: 2 ** 47 + 20 }),
  );
  const call = fc.tuple(fc.boolean(), fc.bigInt(1n, 4n), sequence);
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 120 }), compare),
    { numRuns: 300 },
  );
});

Deno.test("values that follow one another are added together as they would be one by one", () => {
  const place = fc.integer({ min: 1, max: SESSION_SEQUENCES * 3 });
  const length = fc.oneof(
    fc.integer({ min: 1, max: 200 }),
    fc.constantFrom(SESSION_SEQUENCES, SESSION_SEQUENCES + 70),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(place, length), { minLength: 1, maxLength: 12 }),
      (runs) => {
        units.sessionsClear();
        const model = new Model();
        runs.forEach(([first, count], i) => {
          let areNew = true;
          for (let n = 0; n < count; n++) {
            areNew = model.add(5n, first + n) && areNew;
          }
          // What is longer than the window is never said to be new.
          assert.equal(
            units.sessionsAdd(5n, BigInt(first), count) !== 0,
            areNew && count <= SESSION_SEQUENCES,
            `run ${i}: ${first}, ${count} values`,
          );
          const near = [-65, -64, -63, -1, 0, 1, 63, 64, 65];
          const edges = [1, first, first + count, first - SESSION_SEQUENCES];
          edges.push(first + count - SESSION_SEQUENCES);
          for (const edge of edges.flatMap((at) => near.map((n) => at + n))) {
            if (edge < 1) continue;
            assert.equal(
              units.sessionsHas(5n, BigInt(edge)) !== 0,
              model.has(5n, edge),
              `after run ${i}: ${edge}`,
            );
          }
        });
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("sessions forget the client whose last use is the oldest, and only that one", () => {
  const calls: [boolean, bigint, number][] = [];
  const clients = SESSIONS_MAX;
  for (let c = 1; c <= clients; c++) calls.push([true, BigInt(c) << 32n, 1]);
  // The first is used again, so the second is the oldest; asking is no use.
  calls.push([true, 1n << 32n, 2], [false, 2n << 32n, 1]);
  calls.push([true, 7n, 1]);
  for (const c of [1n, 2n, 3n]) calls.push([false, c << 32n, 1]);
  // A forgotten client that comes back pushes out the next.
  calls.push([true, 2n << 32n, 5], [false, 3n << 32n, 1], [
    false,
    4n << 32n,
    1,
  ]);
  compare(calls);
  assert.equal(units.sessionsHas(2n << 32n, 1n), 0);
  assert.equal(units.sessionsHas(4n << 32n, 1n), 1);
});

Deno.test("sessions that are cleared know nobody", () => {
  units.sessionsAdd(9n, 1n, 1);
  units.sessionsClear();
  assert.equal(units.sessionsHas(9n, 1n), 0);
  assert.equal(units.sessionsAdd(9n, 1n, 1), 1);
});
