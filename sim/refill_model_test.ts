/** What a refilled disk may leave out, by the model. */
import assert from "node:assert/strict";
import type { CoreRecord } from "../core/core.ts";
import { Record as RecordKind } from "../core/layout.ts";
import { RefillModel } from "./refill_model.ts";
import { Violation } from "./violation.ts";

function record(kind: RecordKind, instance: number): CoreRecord {
  const batch = new Uint8Array();
  return { kind, instance, ballot: 0n, incarnation: 0, values: 0, batch };
}

const { rejoin, refilled, fetched } = RecordKind;

/** An acceptor that returned at instance 100, where the others can tell what `tellable` holds. */
function returned(tellable: ReadonlySet<number>): RefillModel {
  const model = new RefillModel("acceptor 2", (i) => tellable.has(i));
  model.append(record(rejoin, 100));
  model.append(record(refilled, 100));
  return model;
}

Deno.test("what the others cannot tell may be left out, and is known to be", () => {
  const model = returned(new Set([98]));
  model.append(record(fetched, 98));
  model.append(record(refilled, 97));
  assert.deepEqual([97, 98, 99].map((i) => model.leftOut(i)), [
    true,
    false,
    true,
  ]);
});

Deno.test("what the others could tell all the while may not be left out", () => {
  const model = returned(new Set([98]));
  assert.throws(
    () => model.append(record(refilled, 97)),
    (error) => error instanceof Violation && error.property === "liveness",
  );
});

Deno.test("what they could not tell when it began with the range may be left out", () => {
  const tellable = new Set<number>();
  const model = returned(tellable);
  tellable.add(98);
  model.append(record(refilled, 97));
  assert(model.leftOut(98));
});

Deno.test("a new process fetches again what was not stored as fetched, and another return begins anew", () => {
  const model = returned(new Set());
  model.append(record(refilled, 97));
  model.append(record(refilled, 90));
  model.recover(record(refilled, 97));
  assert.deepEqual([89, 96, 97].map((i) => model.leftOut(i)), [
    false,
    false,
    true,
  ]);
  model.append(record(rejoin, 200));
  model.append(record(refilled, 200));
  assert(!model.leftOut(97));
});
