/** Clients of registers: what the log says they read, and what it must not say. */
import assert from "node:assert/strict";
import { judge } from "./torture/registers.ts";

type History = Parameters<typeof judge>[0];

/** What one client did; times are those at which it began and was answered. */
function did(
  id: string,
  kind: "read" | "write",
  invoked: number,
  answered?: number,
): History[number] {
  return { id, key: "k1", kind, invoked, answered };
}

/** Judges a history by a log with these values, one an instance. */
function judged(history: History, values: readonly string[]) {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(
      file,
      values.map((value, i) =>
        JSON.stringify({
          ...{ instance: i + 1, index: 0, client: 1, seq: i + 1, value },
        }) + "\n"
      ).join(""),
    );
    return judge(history, file);
  } finally {
    Deno.removeSync(file);
  }
}

const write = (id: string) =>
  JSON.stringify({ op: "w", key: "k1", value: id, id });
const read = (id: string) => JSON.stringify({ op: "r", key: "k1", id });

Deno.test("a log in the order of time is linearizable, with other values between", () => {
  const history = [
    did("a", "write", 0, 10),
    did("b", "read", 20, 30),
    did("c", "write", 25, 40),
    did("d", "read", 50),
  ];
  const log = [write("a"), "load", read("b"), write("c"), "load"];
  assert.deepEqual(judged(history, log), { operations: 4, open: 1, wrong: [] });
  // What overlaps may stand either way round, and what nobody answered may come.
  const other = [write("a"), write("c"), read("b"), read("d")];
  assert.deepEqual(judged(history, other).wrong, []);
});

Deno.test("an operation that was answered and is not in the log is found", () => {
  const history = [did("a", "write", 0, 10), did("b", "write", 0)];
  assert.deepEqual(judged(history, [write("b")]).wrong, [
    "registers: a was answered, and is not in the log",
  ]);
});

Deno.test("a read that stands before a write that was answered earlier is found, by the log and by the registers", () => {
  const history = [did("a", "write", 0, 10), did("b", "read", 20, 30)];
  assert.deepEqual(judged(history, [read("b"), write("a")]).wrong, [
    "registers: a was answered before b began, and stands behind it in the log",
    "registers: k1 is not linearizable: no order explains the read b of nothing, from 20 to 30 ms",
  ]);
});
