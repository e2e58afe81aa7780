/** The model of recovery: each of its rules, kept and broken. */
import assert from "node:assert/strict";
import { type PromisePage, RecoveryModel } from "./recovery_model.ts";

const FIRST = 101;
const SECOND = 201;
const THIRD = 301;
/** Memory of acceptor 3 after its loss. */
const NEW = 302;
const PROPOSER = 900;

function page(changes: Partial<PromisePage> = {}): PromisePage {
  return {
    ballot: 2,
    start: 1,
    end: Infinity,
    decided: 1,
    accepted: new Map(),
    proposer: PROPOSER,
    memories: 7n,
    ...changes,
  };
}

/** Three acceptors that have all spoken; ballot 2 was prepared to let the third one rejoin. */
function losing(prefix = 1) {
  const model = new RecoveryModel([1, 2, 3], () => prefix);
  model.speak("a 1", 1, FIRST);
  model.speak("a 2", 2, SECOND);
  model.speak("a 3", 3, THIRD);
  model.prepare(2, PROPOSER, 3, NEW);
  return model;
}

/** As `losing`, and it may rejoin with instances up to `end`. */
function returning(end = 1, prefix = 1) {
  const model = losing(prefix);
  model.promise("a 1", 1, page());
  model.promise("a 2", 2, page());
  model.rejoin("p", 3, NEW, { ballot: 2, from: 1, end }, PROPOSER, 0);
  return model;
}

Deno.test("the first memory speaks; another one does not", () => {
  const model = losing();
  assert.equal(model.speak("a 3", 3, THIRD), false);
  assert.throws(() => model.speak("a 3", 3, NEW), /no leader let it rejoin/);
});

Deno.test("a memory that may rejoin replaces the one before it for good", () => {
  const model = returning();
  assert.equal(model.speak("a 3", 3, NEW), true);
  model.vote("a 3", 3, 1, 2);
  model.vote("a 3", 3, 2, 5);
  assert.throws(() => model.speak("a 3", 3, THIRD), /has replaced/);
});

Deno.test("a leader needs a majority with equal memories, of others than who rejoins", () => {
  const leads = (pages: [number, Partial<PromisePage>][]) => () => {
    const model = losing();
    for (const [id, changes] of pages) model.promise("a", id, page(changes));
    model.leads("p", 2, PROPOSER, 0);
  };
  leads([[1, {}], [2, {}]])();
  assert.throws(leads([[1, {}]]), /no majority/);
  assert.throws(leads([[1, {}], [3, {}]]), /no majority/);
  assert.throws(leads([[1, {}], [2, { memories: 8n }]]), /no majority/);
  assert.throws(leads([[1, {}], [2, { proposer: 901 }]]), /no majority/);
  assert.throws(leads([[1, {}], [2, { end: 5 }]]), /no majority/);
  assert.throws(leads([[1, {}], [2, { start: 5 }]]), /no majority/);
  leads([[1, {}], [2, { end: 5 }], [2, { start: 5 }]])();
});

Deno.test("the promise of an acceptor in the leader's own process is not seen", () => {
  const model = losing();
  model.promise("a 1", 1, page());
  model.leads("p", 2, PROPOSER, 2);
  // Its own acceptor is the one that rejoins: that promise does not count.
  const other = losing();
  other.promise("a 1", 1, page());
  assert.throws(() => other.leads("p", 2, PROPOSER, 3), /no majority/);
});

Deno.test("rejoin spans all that phase 1 brought up, and names whom it was made for", () => {
  const model = losing();
  const accepted = new Map([[4, 1]]);
  model.promise("a 1", 1, page({ accepted }));
  model.promise("a 2", 2, page());
  const rejoin = (id: number, memory: number, end: number) => () =>
    model.rejoin("p", id, memory, { ballot: 2, from: 1, end }, PROPOSER, 0);
  assert.throws(rejoin(3, NEW, 4), /more than instances below 4/);
  assert.throws(rejoin(2, NEW, 5), /was not made for it/);
  assert.throws(rejoin(3, 303, 5), /was not made for it/);
  rejoin(3, NEW, 5)();
});

Deno.test("who rejoins votes in no other ballot before it has all of phase 1", () => {
  const model = returning(3);
  model.speak("a 3", 3, NEW);
  model.vote("a 3", 3, 1, 2);
  assert.throws(() => model.vote("a 3", 3, 9, 3), /before it had rejoined/);
  model.vote("a 3", 3, 2, 2);
  model.vote("a 3", 3, 9, 3);
  // What is decided it need not accept.
  const decided = returning(3, 3);
  decided.speak("a 3", 3, NEW);
  decided.vote("a 3", 3, 9, 3);
});

Deno.test("who rejoins promises only with all of phase 1 in its promise", () => {
  const model = returning(3);
  model.speak("a 3", 3, NEW);
  const promise = (changes: Partial<PromisePage>) => () =>
    model.promise("a 3", 3, page({ ballot: 3, ...changes }));
  assert.throws(promise({}), /promised ballot .* before it had/);
  const one = new Map([[1, 2]]);
  assert.throws(promise({ accepted: one }), /promised ballot .* before it had/);
  promise({ accepted: new Map([[1, 2], [2, 2]]) })();
  promise({ start: 2, decided: 2, accepted: new Map([[2, 2]]) })();
  promise({ accepted: one, end: 2 })();
});
