/** The model of a disk: what may come back from it, and what may not. */
import assert from "node:assert/strict";
import { Record as RecordKind } from "../core/layout.ts";
import { type KeptRecord, StorageModel } from "./storage_model.ts";
import { Violation } from "./violation.ts";

function record(
  kind: RecordKind,
  fields: Partial<KeptRecord> = {},
): KeptRecord {
  return {
    kind,
    ballot: 0n,
    incarnation: 0,
    instance: 0,
    values: 0,
    batch: new Uint8Array(),
    ...fields,
  };
}

const accept = (instance: number, ballot = 65537n) =>
  record(RecordKind.accept, { instance, ballot });
const promise = (ballot: bigint) => record(RecordKind.promise, { ballot });

/** A model of a disk that all these records reached. */
function modelWith(...records: KeptRecord[]): StorageModel {
  const model = new StorageModel("acceptor 1");
  records.forEach((it, i) => model.append(i + 1, it));
  model.store(records.length);
  return model;
}

/** A new process gets these, in this order. */
function give(model: StorageModel, from: number, ...records: KeptRecord[]) {
  model.begin();
  for (const it of records) model.give(it);
  model.resume(from);
}

Deno.test("what reached the disk must come back, and what did not must not", () => {
  const model = modelWith(promise(65537n), accept(1));
  model.append(3, accept(2));
  give(model, 1, promise(65537n), accept(1));
  assert.throws(() => give(model, 1, promise(65537n)), /no accept 1/);
  assert.throws(() => give(model, 1, accept(1)), /no promise/);
  assert.throws(
    () => give(model, 1, promise(65537n), accept(1), accept(2)),
    Violation,
  );
});

Deno.test("what is accepted comes back as promised too, in the highest ballot", () => {
  const model = modelWith(
    promise(65537n),
    accept(1, 131073n),
    accept(2, 131073n),
  );
  const log = [accept(1, 131073n), accept(2, 131073n)];
  give(model, 1, promise(131073n), ...log);
  assert.throws(() => give(model, 1, promise(65537n), ...log), Violation);
});

Deno.test("only what is decided may be left out, or removed", () => {
  const decided = record(RecordKind.decided, { instance: 3 });
  const model = modelWith(accept(1), accept(2), accept(3), decided);
  give(model, 3, promise(65537n), decided, accept(3));
  assert.throws(() => give(model, 4, promise(65537n), decided), /of 3 needed/);
  model.trim(3);
  assert.throws(() => model.trim(4), /removed all below 4/);
  assert.throws(() => model.trim(2), Violation);
});

Deno.test("records come back in the order that the core needs", () => {
  const known = record(RecordKind.known, { instance: 2, incarnation: 9 });
  const model = modelWith(accept(1), known);
  give(model, 1, known, promise(65537n), accept(1));
  assert.throws(
    () => give(model, 1, promise(65537n), accept(1), known),
    /known 2 of ballot 0 \(0 bytes\) too late/,
  );
});

Deno.test("nothing is stored over what was accepted in a higher ballot, and a return takes the confirmation away", () => {
  assert.throws(
    () => modelWith(accept(1, 131073n), accept(1, 65537n)),
    /stored over/,
  );
  const confirmed = record(RecordKind.confirmed, { instance: 1 });
  const rejoin = record(RecordKind.rejoin, { instance: 5, ballot: 65537n });
  give(modelWith(confirmed, rejoin), 5, promise(65537n), rejoin);
});
