/** Group commit: what is stored after which record, what a failure leaves, and how room is made. */
import assert from "node:assert/strict";
import { readRecord } from "../core/core.ts";
import { Record as RecordKind, StorageCondition } from "../core/layout.ts";
import { Committer } from "./committer.ts";
import { MapStore } from "./map_store.ts";
import { Present } from "./present.ts";
import { StoreError, Table } from "./store.ts";
import { flawOf } from "./stored_record.ts";
import { StateKey } from "./tables.ts";
import { TestJournal } from "./testing.ts";

/** A store that fails when it is told to. */
class FailingStore extends MapStore {
  failing?: StoreError;

  override commit(): void {
    if (this.failing !== undefined) throw this.failing;
    super.commit();
  }
}

function makeCommitter() {
  const store = new FailingStore();
  const journal = new TestJournal();
  return { store, journal, committer: new Committer(store, journal) };
}

function accept(journal: TestJournal, ballot: number, ...instances: number[]) {
  for (const instance of instances) {
    const fields = { instance, ballot, incarnation: 7 };
    journal.append(RecordKind.accept, fields, `${ballot}/${instance}`);
  }
}

function present(store: MapStore): Present {
  return Present.read(store.get(Table.state, StateKey.present)!);
}

function rangesOf(store: MapStore): [number, number][] {
  const { ranges } = present(store);
  return Array.from(
    { length: ranges.count },
    (_, i) => [ranges.first(i), ranges.end(i)],
  );
}

function keys(store: MapStore, table: Table): number[] {
  const found: number[] = [];
  store.walk(table, 0, (key, value) => {
    assert.equal(flawOf(table, key, value), undefined);
    found.push(key);
    return true;
  });
  return found;
}

Deno.test("each record goes where it belongs, and a newer one takes the place of an older", () => {
  const { store, journal, committer } = makeCommitter();
  journal.append(RecordKind.promise, { ballot: 65537, incarnation: 7 });
  accept(journal, 65537, 1, 2);
  accept(journal, 131073, 2);
  journal.append(RecordKind.known, { instance: 3, incarnation: 9 });
  journal.append(RecordKind.rejoined, { instance: 3, ballot: 65537 });
  journal.append(RecordKind.session, { instance: 5, ballot: 1 }, "x");
  journal.append(RecordKind.piece, { instance: 64 }, "y");
  journal.append(RecordKind.assembly, { instance: 1 });
  journal.append(RecordKind.checkpoint, { instance: 2 });
  assert(committer.commit(journal.last, 1));
  assert.equal(committer.done, journal.last);
  assert.deepEqual(keys(store, Table.log), [1, 2]);
  const { ballot, batch } = readRecord(store.get(Table.log, 2)!);
  assert.equal(ballot, 131073n);
  assert.equal(new TextDecoder().decode(batch), "131073/2");
  assert.deepEqual(keys(store, Table.sessions), [5]);
  assert.deepEqual(keys(store, Table.pieces), [64]);
  assert.deepEqual(keys(store, Table.state), [
    StateKey.promise,
    StateKey.checkpoint,
    StateKey.present,
    StateKey.rejoined + 3,
    StateKey.known + 3,
    StateKey.assembly + 1,
  ]);
});

Deno.test("what is accepted in a ballot that was not promised before is stored as promised too", () => {
  const { store, journal, committer } = makeCommitter();
  journal.append(RecordKind.promise, { ballot: 65537, incarnation: 7 });
  accept(journal, 131073, 1);
  committer.commit(journal.last, 1);
  const promise = readRecord(store.get(Table.state, StateKey.promise)!);
  assert.equal(promise.ballot, 131073n);
  assert.equal(promise.incarnation, 7);
  // Also by a committer that finds this in the store.
  const again = new TestJournal();
  accept(again, 65538, 2);
  new Committer(store, again).commit(1, 1);
  const { ballot } = readRecord(store.get(Table.state, StateKey.promise)!);
  assert.equal(ballot, 131073n);
});

Deno.test("who rejoins is not confirmed any more", () => {
  const { store, journal, committer } = makeCommitter();
  journal.append(RecordKind.confirmed, { instance: 1 });
  committer.commit(1, 1);
  journal.append(RecordKind.rejoin, { instance: 9, ballot: 65537 });
  committer.commit(2, 1);
  assert.equal(store.get(Table.state, StateKey.confirmed), undefined);
  assert.equal(present(store).values, 2, "the return, and its promise");
});

Deno.test("ranges of what is accepted begin at the stored watermark", () => {
  const { store, journal, committer } = makeCommitter();
  accept(journal, 65537, 1, 2, 3, 6, 5, 9);
  committer.commit(journal.last, 1);
  assert.deepEqual(rangesOf(store), [[1, 4], [5, 7], [9, 10]]);
  journal.append(RecordKind.decided, { instance: 6 });
  accept(journal, 131073, 2, 7);
  committer.commit(journal.last, 1);
  assert.deepEqual(rangesOf(store), [[6, 8], [9, 10]]);
  // Nor does a committer that begins with what it finds forget them.
  const again = new TestJournal();
  accept(again, 131073, 8);
  new Committer(store, again).commit(1, 1);
  assert.deepEqual(rangesOf(store), [[6, 10]]);
});

Deno.test("of a commit that fails nothing is stored, and none comes after it", () => {
  const { store, journal, committer } = makeCommitter();
  accept(journal, 65537, 1);
  committer.commit(1, 1);
  journal.append(RecordKind.decided, { instance: 2 });
  accept(journal, 131073, 2);
  store.failing = new StoreError("failed", "the disk says EIO");
  assert(!committer.commit(3, 1));
  assert.equal(committer.condition, StorageCondition.failed);
  assert.match(committer.error!.message, /EIO/);
  store.failing = undefined;
  assert(!committer.commit(3, 1));
  assert.equal(committer.done, 1);
  assert.deepEqual(keys(store, Table.log), [1]);
  assert.deepEqual(rangesOf(store), [[1, 2]]);
});

Deno.test("a commit that does not fit is tried again, and is then what it would have been", () => {
  const { store, journal, committer } = makeCommitter();
  const other = makeCommitter();
  for (const { journal: it } of [{ journal }, other]) {
    accept(it, 65537, 1, 2);
    it.append(RecordKind.session, { instance: 1 }, "a");
    it.append(RecordKind.decided, { instance: 2 });
    accept(it, 131073, 3);
    it.append(RecordKind.session, { instance: 1 }, "b");
    it.append(RecordKind.session, { instance: 2 }, "c");
  }
  committer.commit(3, 1);
  store.failing = new StoreError("full", "no space left on device");
  assert(!committer.commit(5, 1));
  assert.equal(committer.condition, StorageCondition.full);
  assert.match(committer.error!.message, /no space/);
  store.failing = undefined;
  assert(committer.commit(7, 1));
  assert.equal(committer.condition, StorageCondition.sound);
  assert.equal(committer.error, undefined);
  other.committer.commit(7, 1);
  assert.deepEqual(
    store.get(Table.state, StateKey.present),
    other.store.get(Table.state, StateKey.present),
  );
});

Deno.test("the oldest instances are removed when room is scarce, and only what may be", () => {
  const { store, journal, committer } = makeCommitter();
  for (let i = 1; i <= 300; i++) accept(journal, 65537, i);
  journal.append(RecordKind.decided, { instance: 250 });
  committer.commit(journal.last, 1000);
  assert.equal(committer.low, 1, "there is room enough");
  store.bytesMax = Math.floor(store.bytes / 0.8);
  accept(journal, 65537, 301);
  committer.commit(journal.last, 200);
  assert(committer.low > 1 && committer.low < 200, "some at a time");
  for (let i = 302; i <= 310; i++) {
    store.bytesMax = Math.floor(store.bytes / 0.8);
    accept(journal, 65537, i);
    committer.commit(journal.last, 200);
  }
  assert.equal(committer.low, 200, "below what may be removed");
  assert.equal(store.first(Table.log), 200);
  store.bytesMax = Math.floor(store.bytes / 0.8);
  accept(journal, 65537, 311);
  committer.commit(journal.last, 1000);
  committer.commit(journal.last, 1000);
  assert(committer.low <= 250, "nothing from the stored watermark on");
  const trim = readRecord(store.get(Table.state, StateKey.trim)!);
  assert.equal(trim.instance, committer.low);
  assert.equal(new Committer(store, journal).low, committer.low);
});

Deno.test("storage that is nearly full says so, removes what it may, and is sound again", () => {
  const { store, journal, committer } = makeCommitter();
  for (let i = 1; i <= 100; i++) accept(journal, 65537, i);
  journal.append(RecordKind.decided, { instance: 101 });
  store.bytesMax = 5000;
  assert(committer.commit(journal.last, 1));
  assert.equal(committer.condition, StorageCondition.full);
  assert.match(committer.error!.message, /5000 bytes/);
  // There are no new records, and still there is something to do.
  for (let n = 0; n < 2; n++) assert(!committer.commit(journal.last, 60));
  assert.equal(committer.condition, StorageCondition.sound);
  assert.equal(committer.low, 60);
});

Deno.test("what was removed does not come back", () => {
  const { store, journal, committer } = makeCommitter();
  accept(journal, 65537, 1, 2, 3);
  journal.append(RecordKind.decided, { instance: 4 });
  store.bytesMax = 1;
  for (let n = 0; n < 2; n++) committer.commit(journal.last, 3);
  assert.deepEqual(keys(store, Table.log), [3]);
  accept(journal, 131073, 2);
  committer.commit(journal.last, 3);
  assert.deepEqual(keys(store, Table.log), [3]);
});

Deno.test("a kind of record that there is not is a bug, and nothing is stored any more", () => {
  const { journal, committer } = makeCommitter();
  journal.append(99 as RecordKind, {});
  assert(!committer.commit(1, 1));
  assert.equal(committer.condition, StorageCondition.failed);
  assert.match(committer.error!.message, /kind 99/);
});
