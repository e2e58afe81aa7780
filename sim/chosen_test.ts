/** What is chosen, by the definition; and that whoever breaks the definition is seen. */
import assert from "node:assert/strict";
import { batchOf, opensOf } from "../tests/batches.ts";
import { Chosen } from "./chosen.ts";
import { Violation } from "./violation.ts";

const X = batchOf([[7, 1, "7/1"]]);
const Y = batchOf([[8, 1, "8/1"]]);
const [LOW, HIGH] = [65537, 131074];

function violates(property: string, run: () => void): void {
  assert.throws(
    run,
    (error) => error instanceof Violation && error.property === property,
  );
}

Deno.test("a value is chosen by a majority in one ballot, not by as many votes of two ballots", () => {
  const chosen = new Chosen(3);
  chosen.propose(1, LOW, X);
  chosen.propose(1, HIGH, X);
  chosen.vote(1, LOW, 0);
  chosen.vote(1, HIGH, 1);
  assert.equal(chosen.prefix, 1);
  chosen.vote(1, LOW, 0);
  assert(!chosen.has(7, 1), "the same vote again is no second one");
  chosen.vote(1, HIGH, 2);
  assert(chosen.has(7, 1));
  assert.equal(chosen.prefix, 2);
});

Deno.test("of four acceptors, two are no majority", () => {
  const chosen = new Chosen(4);
  chosen.propose(1, LOW, X);
  chosen.vote(1, LOW, 0);
  chosen.vote(1, LOW, 1);
  assert.equal(chosen.prefix, 1);
  chosen.vote(1, LOW, 3);
  assert.equal(chosen.prefix, 2);
});

Deno.test("two values in one ballot, and a vote for what nobody proposed, are violations", () => {
  const chosen = new Chosen(3);
  chosen.propose(1, LOW, X);
  chosen.propose(1, LOW, X);
  violates("proposal", () => chosen.propose(1, LOW, Y));
  violates("proposal", () => chosen.vote(2, LOW, 0));
  violates("proposal", () => chosen.vote(1, HIGH, 0));
});

Deno.test("another value above a chosen one is a violation, whichever is seen first", () => {
  const first = new Chosen(3);
  first.propose(1, LOW, X);
  first.vote(1, LOW, 0);
  first.vote(1, LOW, 1);
  violates("agreement", () => first.propose(1, HIGH, Y));

  const second = new Chosen(3);
  second.propose(1, LOW, X);
  second.propose(1, HIGH, Y);
  second.vote(1, LOW, 0);
  violates("agreement", () => second.vote(1, LOW, 1));
});

Deno.test("a value below a chosen one may be another: it can no longer be chosen", () => {
  const chosen = new Chosen(3);
  chosen.propose(1, HIGH, X);
  chosen.vote(1, HIGH, 0);
  chosen.vote(1, HIGH, 1);
  chosen.propose(1, LOW, Y);
  chosen.vote(1, LOW, 2);
  violates("agreement", () => chosen.vote(1, LOW, 1));
});

Deno.test("learners deliver each value where it stands first, and nothing beyond a hole", () => {
  const chosen = new Chosen(1);
  const both = batchOf([[7, 1, "7/1"], [8, 1, "8/1"]]);
  chosen.propose(1, LOW, opensOf(7, 8));
  chosen.propose(2, LOW, X);
  chosen.propose(3, LOW, both);
  chosen.propose(4, LOW, new Uint8Array());
  chosen.propose(5, LOW, Y);
  for (const instance of [5, 3, 2, 1]) chosen.vote(instance, LOW, 0);
  const delivered = () =>
    chosen.deliveries.map(({ instance, index, client }) =>
      `${instance}.${index} ${client}`
    );
  assert.deepEqual(delivered(), ["2.0 7", "3.1 8"]);
  assert.equal(chosen.prefix, 4);
  chosen.vote(4, LOW, 0);
  assert.equal(chosen.prefix, 6);
  assert.deepEqual(delivered(), ["2.0 7", "3.1 8"], "8/1 stands first in 3");
});
