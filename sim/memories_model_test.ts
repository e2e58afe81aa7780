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
const REFUSED = /stand for nothing that it can know/;

Deno.test("who was told nothing promises with 0, and with nothing else", () => {
  make().promise(0n);
  assert.throws(() => make().promise(SECOND_IN_5), REFUSED);
});

Deno.test("what was surely told may count in the same turn, and must from the next on", () => {
  const model = make();
  model.tell(20, 5, 77, true);
  model.promise(0n);
  model.promise(SECOND_IN_5);
  model.turned();
  assert.throws(() => model.promise(0n), REFUSED);
  model.tell(30, 9, 88, true);
  model.turned();
  model.promise(SECOND_IN_5 ^ THIRD_IN_9);
  assert.throws(() => model.promise(SECOND_IN_5), REFUSED);
});

Deno.test("what may have been told counts from when a promise shows it", () => {
  const model = make();
  model.tell(20, 5, 77, false);
  model.turned();
  model.promise(0n);
  model.promise(SECOND_IN_5);
  assert.throws(() => model.promise(0n), REFUSED);
});

Deno.test("an older return under the same name is no news", () => {
  const model = make();
  model.tell(30, 9, 88, true);
  model.turned();
  model.tell(30, 8, 99, true);
  model.turned();
  model.promise(THIRD_IN_9);
});

Deno.test("a frame counts if it comes from the memory heard first, or that rejoined", () => {
  const model = make();
  assert.equal(model.hear(20, 66, true), 1);
  assert.equal(model.hear(20, 77, true), -1);
  model.tell(20, 5, 77, true);
  assert.equal(model.hear(20, 77, true), 0);
  model.turned();
  assert.equal(model.hear(20, 77, true), 1);
  assert.equal(model.hear(20, 66, true), -1);
  // A damaged frame may have been the first.
  model.hear(30, 1, false);
  assert.equal(model.hear(30, 2, true), 0);
});

Deno.test("what is on its way to a disk may be lost, unless a promise told it", () => {
  const model = make(false);
  model.tell(20, 5, 77, true);
  model.turned();
  model.restart();
  model.promise(0n);
  model.promise(SECOND_IN_5);
  model.restart();
  assert.throws(() => model.promise(0n), REFUSED);
});

Deno.test("the promise of a ballot that lets an acceptor rejoin knows of that", () => {
  const model = make();
  model.tell(20, 5, 77, false);
  assert.throws(() => model.promise(0n, 5, 20), REFUSED);
  model.promise(SECOND_IN_5, 5, 20);
  model.promise(SECOND_IN_5, 6, 0);
});
