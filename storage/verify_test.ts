import assert from "node:assert/strict";
import { Record as RecordKind } from "../core/layout.ts";
import { Committer } from "./committer.ts";
import { LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import { Table } from "./store.ts";
import { recordOf, TestJournal } from "./testing.ts";
import { verifyAll } from "./verify.ts";

const INSTANCES = 20_000;

/** Puts so many instances, `step` apart, in one transaction. */
function putInstances(
  store: LmdbStore,
  first: number,
  count: number,
  step = 1,
): void {
  store.begin();
  for (let i = 0; i < count; i++) {
    const instance = (first + i * step) % INSTANCES + 1;
    const header = { kind: RecordKind.accept, instance, ballot: first + 1 };
    const record = recordOf(header, "a value");
    store.put(Table.log, instance, record, 0, record.length);
  }
  store.commit();
}

Deno.test("while all is read, a node that goes on uses its pages again", () => {
  const directory = Deno.makeTempDirSync();
  const store = openLmdbStore({
    directory,
    bytesMax: 12 << 20,
    synchronous: false,
  });
  try {
    const journal = new TestJournal();
    journal.append(RecordKind.decided, { instance: INSTANCES + 1 });
    new Committer(store, journal).commit(journal.last, 1);
    putInstances(store, 0, INSTANCES);
    const reader = new LmdbStore(store.handle);
    let portions = 0;
    const { values, damage } = verifyAll(reader, "x", () => {
      portions++;
      // Each commit replaces one page in three.
      for (let i = 0; i < 6; i++) putInstances(store, i, 200, 100);
    });
    reader.detach();
    assert.equal(damage, undefined);
    assert.ok(values > INSTANCES, `${values} values`);
    assert.ok(portions >= 4, `${portions} portions`);
  } finally {
    store.close();
    Deno.removeSync(directory, { recursive: true });
  }
});
