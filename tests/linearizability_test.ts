/** The checker of registers: histories that have an order and histories that have none, by hand and against every order of small random ones. */
import assert from "node:assert/strict";
import { Random } from "../sim/random.ts";
import {
  checkRealTime,
  checkRegister,
  type Operation,
} from "./torture/linearizability.ts";

/**
 * Operations drawn as time goes from left to right, one client a line: `w1` writes 1 where the text
 * begins and is answered where its `|` stands, `r1|` reads it, `r-|` reads that nothing was written;
 * without a `|` nobody answered.
 */
function history(...lines: string[]): Operation[] {
  return lines.flatMap((line, client) =>
    [...line.matchAll(/([rw])(\d|-)( *\|)?/g)].map(
      ({ 0: text, 1: kind, 2: value, 3: end, index }): Operation => ({
        name: `${text} at ${index} of client ${client}`,
        kind: kind === "r" ? "read" : "write",
        value: value === "-" ? undefined : value,
        invoked: index,
        answered: end === undefined ? undefined : index + text.length,
      }),
    )
  );
}

const verdict = (...lines: string[]) => checkRegister(history(...lines)).kind;

Deno.test("histories that have an order", () => {
  for (
    const lines of [
      [],
      ["r-| w1| r1| w2| r2|"],
      // Two that overlap take effect in either order.
      ["w1    |     r2|", "   w2    |"],
      ["w1    |     r1|", "   w2    |"],
      // A read that overlaps a write sees the old or the new value.
      ["w1| w2        |", "      r1|  r2|"],
      // A write nobody answered took effect late, early, or never.
      ["w1| r1|    r2|", "   w2"],
      ["w1| r1|    r1|", "   w2"],
      ["w2", "        r2| w1|  r1|"],
      // A read nobody answered says nothing.
      ["w1|  r1|", "   r7"],
      // At the same moment is at the same time.
      ["w1|r1|", "  w2|r2|"],
    ]
  ) assert.equal(verdict(...lines), "linearizable", lines.join("\n"));
});

Deno.test("histories that have none", () => {
  for (
    const [what, ...lines] of [
      ["a stale read", "w1| w2|  r1|"],
      ["a lost write", "w1|  r-|"],
      ["a read from the future", "r1|  w1|"],
      ["a value that nobody wrote", "w1| r3|"],
      [
        "two readers that see writes in two orders",
        "w1    |",
        "w2    |",
        "       r1| r2|",
        "       r2| r1|",
      ],
      ["a value that goes away again", "w1|   w2       |", "         r2| r1|"],
      [
        "a write nobody answered that is undone",
        "w1| r1|   r2|  r1|",
        "    w2",
      ],
      ["a write read before it began", "w1|  r2|", "           w2"],
    ]
  ) assert.equal(verdict(...lines), "violated", what);
});

Deno.test("what the search could not pass is named", () => {
  const found = checkRegister(history("w1| r1| w2|   r1| w3| r3|"));
  assert(found.kind === "violated");
  assert.equal(found.stuck.name, "r1| at 14 of client 0");
});

Deno.test("a search that takes too long gives up and says so", () => {
  const operations = history("w1   | r2|", "w2   | r1|", "w3   |");
  assert.equal(checkRegister(operations, 3).kind, "undecided");
});

Deno.test("a long history of few clients is searched in steps that grow with its length", () => {
  const random = new Random(1);
  const operations = simulate(random, 50_000, 8, 0);
  // Every operation is chosen once and passed a few times.
  assert.equal(checkRegister(operations, 2_000_000).kind, "linearizable");
});

Deno.test("what a register does under clients that run and die has an order", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const operations = simulate(new Random(seed), 200, 6, 0.05);
    assert.equal(
      checkRegister(operations).kind,
      "linearizable",
      `seed ${seed}`,
    );
  }
});

Deno.test("the search finds an order exactly if one of all orders is one", () => {
  const found = { linearizable: 0, violated: 0, undecided: 0 };
  for (let seed = 1; seed <= 3_000; seed++) {
    const operations = drawn(new Random(seed), 6);
    const { kind } = checkRegister(operations);
    const expected = hasOrder(operations, undefined);
    assert.equal(kind, expected ? "linearizable" : "violated", `seed ${seed}`);
    found[kind]++;
  }
  assert(
    found.linearizable > 300 && found.violated > 300,
    JSON.stringify(found),
  );
});

Deno.test("a log that puts what was answered behind what began later is found", () => {
  const [a, b, c] = history("w1   |", "         w2|", "   w3      |");
  const log = (...operations: Operation[]) =>
    checkRealTime(operations.map((operation, place) => ({ operation, place })));
  assert.equal(log(a, b, c), undefined);
  assert.equal(log(c, a, b), undefined);
  assert.deepEqual(log(b, c, a), [a, b]);
  assert.equal(log({ ...b, answered: undefined }, c), undefined);
  assert.deepEqual(log({ ...b, answered: undefined }, a), [a, {
    ...b,
    answered: undefined,
  }]);
});

/** What clients would see of a real register: each operation takes effect at a moment between its ends. */
function simulate(
  random: Random,
  count: number,
  clients: number,
  deaths: number,
): Operation[] {
  const free = new Array<number>(clients).fill(0);
  const planned = Array.from({ length: count }, (_, i) => {
    const client = random.between(0, clients - 1);
    const invoked = free[client] + random.between(1, 20);
    const effect = invoked + random.between(0, 20);
    free[client] = effect + random.between(0, 20);
    return {
      ...{ i, invoked, effect, answered: free[client] },
      kind: random.chance(0.5) ? "read" as const : "write" as const,
      isDead: random.chance(deaths),
      happens: random.chance(0.5),
    };
  }).sort((a, b) => a.effect - b.effect || a.i - b.i);
  let value: string | undefined;
  return planned.map(({ i, kind, invoked, answered, isDead, happens }) => {
    if (kind === "write" && (!isDead || happens)) value = `${i}`;
    return {
      ...{ name: `${i}`, kind, invoked },
      value: kind === "write" ? `${i}` : value,
      answered: isDead ? undefined : answered,
    };
  });
}

/** Any operations on two values: most have no order. */
function drawn(random: Random, count: number): Operation[] {
  return Array.from({ length: count }, (_, i): Operation => {
    const invoked = random.between(0, 20);
    return {
      ...{ name: `${i}`, invoked },
      kind: random.chance(0.5) ? "read" : "write",
      value: random.pick(["1", "2"]),
      answered: random.chance(0.2)
        ? undefined
        : invoked + random.between(0, 12),
    };
  });
}

/** Tries all orders, with no cleverness at all. */
function hasOrder(
  left: readonly Operation[],
  value: string | undefined,
): boolean {
  if (left.every(({ answered }) => answered === undefined)) return true;
  return left.some((next) => {
    const others = left.filter((it) => it !== next);
    const isLate = others.some(({ answered }) =>
      answered !== undefined && answered < next.invoked
    );
    if (isLate) return false;
    if (next.kind === "write") return hasOrder(others, next.value);
    // Nobody knows what an unanswered read returned.
    if (next.answered === undefined) return hasOrder(others, value);
    return next.value === value && hasOrder(others, value);
  });
}
