/** Durable before revealed. */
import assert from "node:assert/strict";
import { Record } from "../core/layout.ts";
import { JournalModel } from "./journal_model.ts";
import { Violation } from "./violation.ts";

const BALLOT = 65537;

function record(kind: Record, instance = 0) {
  return {
    kind,
    ballot: BigInt(BALLOT),
    incarnation: 1,
    instance,
    values: 0,
    batch: new Uint8Array(),
  };
}

function tooEarly(run: () => void): void {
  assert.throws(
    run,
    (error) => error instanceof Violation && error.property === "durability",
  );
}

Deno.test("a promise and an acceptance may be revealed when their records are durable, and not before", () => {
  const journal = new JournalModel("acceptor 1");
  journal.append(1, record(Record.promise));
  journal.append(2, record(Record.accept, 5));
  tooEarly(() => journal.revealPromise(BALLOT));
  journal.durable = 1;
  journal.revealPromise(BALLOT);
  tooEarly(() => journal.revealAccepted(5, BALLOT));
  journal.durable = 2;
  journal.revealAccepted(5, BALLOT);
});

Deno.test("what no record says may not be revealed at all", () => {
  const journal = new JournalModel("acceptor 1");
  journal.append(1, record(Record.accept, 5));
  journal.durable = 1;
  tooEarly(() => journal.revealAccepted(6, BALLOT));
  tooEarly(() => journal.revealAccepted(5, BALLOT + 65536));
  tooEarly(() => journal.revealPromise(BALLOT + 65536));
});

Deno.test("an acceptance is a promise too, and what was recovered is durable", () => {
  const journal = new JournalModel("acceptor 1");
  journal.append(0, record(Record.accept, 5));
  journal.revealPromise(BALLOT);
  journal.revealAccepted(5, BALLOT);
});
