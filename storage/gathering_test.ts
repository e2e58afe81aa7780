import assert from "node:assert/strict";
import { Gathering } from "./gathering.ts";

/** Commits of so many records each, of 1 ms, and nothing that waits; the last one ends at `now_ms`. */
function committed(now_ms: number, ...records: number[]): Gathering {
  const gathering = new Gathering();
  records.forEach((stored, i) =>
    gathering.ended(now_ms - records.length + 1 + i, 1, stored, 0)
  );
  return gathering;
}

Deno.test("a commit waits until as many records are there as were under way", () => {
  const gathering = committed(10, 8, 8);
  assert.equal(gathering.due_ms(10.1, 3), 10.5);
  assert.equal(gathering.due_ms(10.2, 7), 10.5);
  assert.equal(gathering.due_ms(10.3, 8), 10.3);
});

Deno.test("what gathered during a commit counts to what was under way", () => {
  const gathering = new Gathering();
  gathering.ended(9, 1, 4, 4);
  gathering.ended(10, 1, 4, 4);
  assert.equal(gathering.due_ms(10, 4), 10.5);
  assert.equal(gathering.due_ms(10.2, 8), 10.2);
});

Deno.test("a record that is alone waits for nobody, also after a commit of some that nobody repeats", () => {
  const gathering = committed(10, 1, 3);
  assert.equal(gathering.due_ms(10.1, 1), 10.1);
  gathering.ended(11, 1, 1, 0);
  assert.equal(gathering.due_ms(11.1, 1), 11.1);
});

Deno.test("a wait takes half of what a commit takes, and 2 ms at most", () => {
  assert.equal(committed(10, 8, 8).due_ms(10.5, 3), 10.5);
  const slow = new Gathering();
  slow.ended(50, 40, 8, 0);
  slow.ended(90, 40, 8, 0);
  assert.equal(slow.due_ms(90, 3), 92);
});

Deno.test("a wait that has ended is not taken up again by the same records", () => {
  const gathering = committed(10, 8, 8);
  assert.equal(gathering.due_ms(10.6, 3), 10.6);
  assert.equal(gathering.due_ms(10.61, 3), 10.61);
});

Deno.test("where waits are in vain they become seldom, and one that was not begins anew", () => {
  const gathering = new Gathering();
  let waits = 0;
  for (let now_ms = 0; now_ms < 1000; now_ms++) {
    gathering.ended(now_ms, 1, 4, 4);
    if (gathering.due_ms(now_ms, 4) === now_ms) continue;
    waits++;
    gathering.due_ms(now_ms + 0.5, 6);
  }
  assert.ok(waits > 5 && waits < 25, `${waits} of 1,000`);
  for (let now_ms = 1000; now_ms < 1100; now_ms++) {
    gathering.ended(now_ms, 1, 4, 4);
    gathering.due_ms(now_ms, 8);
  }
  gathering.ended(1100, 1, 4, 4);
  assert.equal(gathering.due_ms(1100, 4), 1100.5);
});
