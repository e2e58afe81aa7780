/** An acceptor's votes and promises must be one story, in whatever order they are told. */
import assert from "node:assert/strict";
import { AcceptorModel } from "./acceptor_model.ts";
import { Violation } from "./violation.ts";

const [LOW, MIDDLE, HIGH] = [65537, 131074, 196609];

/** The last page of a promise that tells of everything from `start` on. */
function last(
  ballot: number,
  accepted: readonly [number, number][] = [],
  start = 1,
) {
  return { ballot, start, end: Infinity, accepted: new Map(accepted) };
}

function breaksPromise(run: () => void): void {
  assert.throws(
    run,
    (error) => error instanceof Violation && error.property === "promise",
  );
}

Deno.test("a vote below a promise that does not tell of it breaks the promise, whichever comes first", () => {
  const after = new AcceptorModel("acceptor 1", 9);
  after.promise(last(HIGH));
  breaksPromise(() => after.vote(1, LOW));

  const before = new AcceptorModel("acceptor 1", 9);
  before.vote(1, LOW);
  breaksPromise(() => before.promise(last(HIGH)));
});

Deno.test("a promise may tell of the vote, or of a later one below it", () => {
  const model = new AcceptorModel("acceptor 1", 9);
  model.vote(1, LOW);
  model.vote(2, LOW);
  model.promise(last(HIGH, [[1, LOW], [2, MIDDLE]]));
  model.vote(2, MIDDLE);
  model.vote(3, HIGH);
  breaksPromise(() => model.vote(1, MIDDLE));
});

Deno.test("a promise that tells of an older vote than the last is broken", () => {
  const model = new AcceptorModel("acceptor 1", 9);
  model.vote(1, LOW);
  model.vote(1, MIDDLE);
  breaksPromise(() => model.promise(last(HIGH, [[1, LOW]])));
});

Deno.test("a page speaks only of the instances that it covers", () => {
  const model = new AcceptorModel("acceptor 1", 9);
  model.vote(1, LOW);
  model.vote(9, LOW);
  model.promise({ ballot: HIGH, start: 2, end: 5, accepted: new Map() });
  model.vote(5, LOW);
  breaksPromise(() => model.vote(4, LOW));
  breaksPromise(() => model.promise(last(HIGH, [], 5)));
});

Deno.test("a promise below an earlier one is a violation, the same one again is not", () => {
  const model = new AcceptorModel("acceptor 1", 9);
  model.promise(last(HIGH));
  model.promise(last(HIGH));
  breaksPromise(() => model.promise(last(MIDDLE)));
});

Deno.test("the first word of a ballot's promise counts, not what the ballot itself brought later", () => {
  const model = new AcceptorModel("acceptor 1", 9);
  model.promise(last(HIGH));
  model.promise(last(HIGH, [[1, HIGH]]));
  breaksPromise(() => model.vote(1, LOW));
});
