/** The model of what promises tell of others' memories. */
import assert from "node:assert/strict";
import { MemoriesModel } from "./memories_model.ts";

const SECOND_IN_5 = hashOf(5n, 77n, 1n);
const THIRD_IN_9 = hashOf(9n, 88n, 2n);

function hashOf(ballot: bigint, memory: bigint, place: bigint): bigint {
  const word = (value: bigint) => BigInt.asUintN(64, value);
  let it = ballot ^ (memory << 32n) ^ word((place + 1n) * 0x9e3779b97f4a7c15n);
  it = word((it ^ (it >> 33n)) * 0xff51afd7ed558ccdn);
  it = word((it ^ (it >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return it ^ (it >> 33n);
}

const make = (keeps = true) => new MemoriesModel("a", [10, 20, 30], keeps);
const promise = (model: MemoriesModel, ...of: [bigint, number?, number?]) => {
  model.promise(...of);
  model.turned();
};
const REFUSED = /stand for nothing that it can know/;

Deno.test("who was told nothing promises with 0, and with nothing else", () => {
  promise(make(), 0n);
  assert.throws(() => promise(make(), SECOND_IN_5), REFUSED);
});

Deno.test("what was surely told may count in the same turn, and must from the next on", () => {
  const model = make();
  model.tell(20, 5, 77, true);
  model.promise(0n);
  model.promise(SECOND_IN_5);
  model.turned();
  assert.throws(() => promise(model, 0n), REFUSED);
  model.tell(30, 9, 88, true);
  model.turned();
  promise(model, SECOND_IN_5 ^ THIRD_IN_9);
  assert.throws(() => promise(model, SECOND_IN_5), REFUSED);
});

Deno.test("what may have been told counts from when a promise shows it", () => {
  const model = make();
  model.tell(20, 5, 77, false);
  model.turned();
  promise(model, 0n);
  promise(model, SECOND_IN_5);
  assert.throws(() => promise(model, 0n), REFUSED);
});

Deno.test("an older return under the same name is no news", () => {
  const model = make();
  model.tell(30, 9, 88, true);
  model.turned();
  model.tell(30, 8, 99, true);
  model.turned();
  promise(model, THIRD_IN_9);
});

Deno.test("of two memories in one ballot the larger counts", () => {
  const model = make();
  model.tell(20, 5, 77, true);
  model.turned();
  model.tell(20, 5, 76, true);
  model.turned();
  promise(model, SECOND_IN_5);
  model.tell(20, 5, 78, true);
  model.turned();
  assert.throws(() => promise(model, SECOND_IN_5), REFUSED);
});

Deno.test("what is on its way to a disk may be lost, unless a promise told it", () => {
  const model = make(false);
  model.tell(20, 5, 77, true);
  model.turned();
  model.restart();
  promise(model, 0n);
  promise(model, SECOND_IN_5);
  model.restart();
  assert.throws(() => promise(model, 0n), REFUSED);
});

Deno.test("the promise of a ballot that lets an acceptor rejoin knows of that", () => {
  const model = make();
  model.tell(20, 5, 77, false);
  assert.throws(() => promise(model, 0n, 5, 20), REFUSED);
  promise(model, SECOND_IN_5, 5, 20);
  promise(model, SECOND_IN_5, 6, 0);
});

Deno.test("the proposer in the same process may have let rejoin who recovers", () => {
  const model = make();
  model.promise(0n);
  model.promise(SECOND_IN_5);
  model.recovers(20, 77);
  // An old frame of a memory before it, which comes late.
  model.recovers(20, 76);
  model.prepares(5);
  model.turned();
  promise(model, SECOND_IN_5);
});
