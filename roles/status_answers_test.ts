import assert from "node:assert/strict";
import type { StatusItem, StatusPart } from "../core/core.ts";
import { AGO_NEVER, Counter, Item, Role, StatusField } from "../core/layout.ts";
import { Answers, lagOf, nodeName } from "./status_answers.ts";

function item(kind: Item, code: number, value: number): StatusItem {
  return { kind, role: 0, code, ago_ms: 0, value: BigInt(value) };
}

function part(
  items: readonly StatusItem[],
  rest: Partial<StatusPart> = {},
): StatusPart {
  return {
    role: Role.acceptor,
    id: 2,
    incarnation: 7,
    number: 1,
    total: items.length,
    first: 0,
    items,
    ...rest,
  };
}

const ROLES = item(Item.field, StatusField.roles, 6);
const DECIDED = item(Item.field, StatusField.decided, 12);
const DELIVERED = item(Item.field, StatusField.delivered, 5);

Deno.test("fields, counters and peers get their names", () => {
  const answers = new Answers();
  const peer = (role: Role, code: number, ago_ms: number) => ({
    kind: Item.peer,
    role,
    code,
    ago_ms,
    value: 9n,
  });
  answers.add(
    part([
      ROLES,
      DECIDED,
      item(Item.counter, Counter.badBody, 3),
      peer(Role.learner, 4, 17),
      peer(Role.proposer, 1, AGO_NEVER),
    ]),
    0,
  );
  const [{ last }] = answers.nodes();
  assert.deepEqual(last, {
    roles: ["acceptor", "learner"],
    id: 2,
    incarnation: 7,
    fields: { roles: 6, decided: 12 },
    counters: { badBody: 3 },
    peers: [
      { role: "learner", id: 4, ago_ms: 17, delivered: 9 },
      { role: "proposer", id: 1, ago_ms: undefined, delivered: undefined },
    ],
  });
  assert.equal(nodeName(last), "acceptor and learner 2");
});

Deno.test("what a later version tells besides is left out, or goes by its number", () => {
  const answers = new Answers();
  answers.add(
    part([ROLES, item(Item.field, 999, 1), item(Item.counter, 999, 2)]),
    0,
  );
  const [{ last }] = answers.nodes();
  assert.deepEqual(last.fields, { roles: 6 });
  assert.deepEqual(last.counters, { counter999: 2 });
});

Deno.test("an answer counts when all its parts are there, in any order", () => {
  const answers = new Answers();
  answers.add(part([DELIVERED], { total: 3, first: 2 }), 0);
  answers.add(part([ROLES], { total: 3, first: 0 }), 0);
  answers.add(part([ROLES], { total: 3, first: 0 }), 0);
  assert.deepEqual(answers.nodes(), []);
  answers.add(part([DECIDED], { total: 3, first: 1, number: 2 }), 0);
  assert.deepEqual(answers.nodes(), [], "that was of another answer");
  answers.add(part([DECIDED, DECIDED], { total: 4, first: 1 }), 0);
  assert.deepEqual(answers.nodes(), [], "that counts differently");
  answers.add(part([DECIDED], { total: 3, first: 1 }), 0);
  const [{ last }] = answers.nodes();
  assert.deepEqual(last.fields, { roles: 6, decided: 12, delivered: 5 });
  assert.equal(lagOf(last), 7);
});

Deno.test("of each process the first and the last answer are kept, and the time between", () => {
  const answers = new Answers();
  for (const number of [1, 2, 3]) {
    const decided = item(Item.field, StatusField.decided, number * 10);
    answers.add(part([ROLES, decided], { number }), number * 1000);
  }
  answers.add(part([ROLES], { id: 1 }), 0);
  answers.add(part([ROLES], { incarnation: 6 }), 0);
  const nodes = answers.nodes();
  assert.deepEqual(
    nodes.map(({ last }) => [last.id, last.incarnation]),
    [[1, 7], [2, 6], [2, 7]],
  );
  const { first, last, elapsed_us } = nodes[2];
  assert.equal(first.fields.decided, 10);
  assert.equal(last.fields.decided, 30);
  assert.equal(elapsed_us, 2000);
});
