/** Recovery: the core gets back what was stored, in order, and any damage is told as what it is. */
import assert from "node:assert/strict";
import { readRecord } from "../core/core.ts";
import { Record as RecordKind } from "../core/layout.ts";
import { Random } from "../sim/random.ts";
import { Committer } from "./committer.ts";
import { MapStore } from "./map_store.ts";
import { recover, type RecoveryOptions } from "./recovery.ts";
import { StorageError } from "./storage.ts";
import { Table } from "./store.ts";
import { flawOf } from "./stored_record.ts";
import { keyOf, StateKey, tableOf } from "./tables.ts";
import { recordOf, TestJournal } from "./testing.ts";
import { verifyAll } from "./verify.ts";

const OPTIONS = { name: "/var/lib/kpaxos/acceptor-1", logBytes: 1 << 16 };
const BALLOT = 65537;

/** A store that holds what `append` brought, in one commit. */
function storeWith(append: (journal: TestJournal) => void): MapStore {
  const store = new MapStore();
  const journal = new TestJournal();
  append(journal);
  const committer = new Committer(store, journal);
  committer.commit(journal.last, 1);
  assert.equal(committer.error, undefined);
  return store;
}

function accept(
  journal: TestJournal,
  first: number,
  end: number,
  payload = "x",
): void {
  for (let instance = first; instance < end; instance++) {
    const fields = { instance, ballot: BALLOT, incarnation: 7 };
    journal.append(RecordKind.accept, fields, payload);
  }
}

/** What a core is given: kind and instance of each record. */
function recovered(store: MapStore, options: Partial<RecoveryOptions> = {}) {
  const given: [string, number][] = [];
  const result = recover(store, {
    recoverBytes(record) {
      const { kind, instance } = readRecord(record);
      const table = tableOf(kind)!;
      if (flawOf(table, keyOf(kind, instance), record)) return false;
      given.push([RecordKind[kind], instance]);
      return true;
    },
  }, { ...OPTIONS, ...options });
  return { given, ...result };
}

/** A bit of everything, with ranges that have a hole. */
function full(): MapStore {
  return storeWith((journal) => {
    journal.append(RecordKind.promise, { ballot: BALLOT, incarnation: 7 });
    journal.append(RecordKind.confirmed, { instance: 1 });
    accept(journal, 1, 30);
    accept(journal, 33, 35);
    journal.append(RecordKind.decided, { instance: 20 });
    journal.append(RecordKind.rejoined, { instance: 2, ballot: BALLOT });
    journal.append(RecordKind.known, { instance: 3, incarnation: 5 });
    for (const [place, use] of [[4, 9], [6, 3]]) {
      journal.append(RecordKind.session, { instance: place, ballot: use }, "s");
    }
    journal.append(RecordKind.session, { instance: 5 });
    journal.append(RecordKind.assembly, { instance: 0 }, "a");
    journal.append(RecordKind.piece, { instance: 2 }, "p");
    journal.append(RecordKind.checkpoint, { instance: 17 }, "c");
  });
}

Deno.test("recovery of an empty store gives the core nothing", () => {
  const { given, promised, low, checkpoint } = recovered(new MapStore());
  assert.deepEqual(given, []);
  assert.deepEqual([promised, low, checkpoint], [0, 1, undefined]);
  const store = storeWith((it) => it.append(RecordKind.promise, { ballot: 5 }));
  store.damage(Table.state, StateKey.stamp, Uint8Array.of(1, 2, 3));
  assert.equal(recovered(store).promised, 5, "the stamp is no record");
});

Deno.test("recovery gives back all that was stored, in the order that the core needs", () => {
  const { given, ...result } = recovered(full());
  const log = [...Array(29).keys()].map((i) => i + 1).concat(33, 34);
  assert.deepEqual(given, [
    ["known", 3],
    ["rejoined", 2],
    ["promise", 0],
    ["decided", 20],
    ...log.map((instance) => ["accept", instance]),
    ["confirmed", 1],
    ["assembly", 0],
    ["piece", 2],
    // The least recently used first; the empty place not at all.
    ["session", 6],
    ["session", 4],
    ["checkpoint", 17],
  ]);
  assert.deepEqual(result, {
    promised: BALLOT,
    decided: 20,
    low: 1,
    lowest: 1,
    instances: 31,
    from: 1,
    to: 35,
    checkpoint: 17,
  });
});

Deno.test("of a long log only as much is read as the core's own log holds", () => {
  const store = storeWith((journal) => {
    accept(journal, 1, 2001, "x".repeat(100));
    journal.append(RecordKind.decided, { instance: 1900 });
  });
  const { from, to, instances } = recovered(store);
  assert.equal(to, 2001);
  // 24 bytes for each copy, and its batch in whole words.
  assert.equal(instances, Math.floor((1 << 16) / (24 + 104)));
  assert.equal(from, 2001 - instances);
  // Small batches are bounded by the index.
  const small = storeWith((journal) => {
    accept(journal, 1, 6001, "");
    journal.append(RecordKind.decided, { instance: 5990 });
  });
  assert.equal(recovered(small, { logBytes: 1 << 20 }).instances, 4096);
});

Deno.test("of the log a core that can tells which checksums are wrong, each of all that is read", () => {
  const asked: number[] = [];
  const target = (wrong: number) => ({
    recoverBytes: () => true,
    isSound(record: Uint8Array) {
      const { instance } = readRecord(record);
      asked.push(instance);
      return instance !== wrong;
    },
  });
  const { instances } = recover(full(), target(0), OPTIONS);
  assert.equal(asked.length, instances);
  assert.throws(
    () => recover(full(), target(33), OPTIONS),
    /instance 33: its checksum does not match/,
  );
});

Deno.test("a log that holds less than what may be undecided is refused, with what to do", () => {
  const store = storeWith((journal) =>
    accept(journal, 1, 2001, "x".repeat(100))
  );
  assert.throws(() => recovered(store), /as much memory for its log as before/);
  assert.equal(recovered(store, { logBytes: 1 << 20 }).instances, 2000);
});

Deno.test("of an acceptor that rejoined, nothing from before is given back", () => {
  const store = storeWith((journal) => {
    accept(journal, 1, 10);
    journal.append(RecordKind.rejoin, { instance: 20, ballot: 131073 });
    accept(journal, 21, 23);
  });
  assert.deepEqual(recovered(store).given, [
    ["promise", 0],
    ["rejoin", 20],
    ["accept", 21],
    ["accept", 22],
  ]);
});

/** Every key of a store. */
function places(store: MapStore): [Table, number][] {
  const found: [Table, number][] = [];
  for (const table of [0, 1, 2, 3]) {
    store.walk(table, 0, (key) => {
      found.push([table, key]);
      return true;
    });
  }
  return found;
}

Deno.test("any flipped bit of what is read is damage, and the error names where it is", () => {
  for (const [table, key] of places(full())) {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const store = full();
      const value = store.get(table, key)!;
      value[random.between(0, value.length - 1)] ^= 1 << random.between(0, 7);
      assert.throws(() => recovered(store), (error) => {
        assert(error instanceof StorageError, `seed ${seed}`);
        assert.match(
          error.message,
          /^the storage in \/var\/lib\/kpaxos\/acceptor-1 is damaged/,
        );
        assert.match(error.message, /Move .* away/);
        return true;
      });
      assert(verifyAll(store, "x").damage instanceof StorageError);
    }
  }
});

Deno.test("a lost key is damage, wherever the loss could be taken for something that never was", () => {
  for (const [table, key] of places(full())) {
    const store = full();
    store.damage(table, key, undefined);
    // What is decided is to be had from others.
    if (table === Table.log && key < 20) {
      assert.equal(recovered(store).instances, 30);
    } else {assert.throws(
        () => recovered(store),
        StorageError,
        `${table} ${key}`,
      );}
  }
});

Deno.test("an older value in place of a newer one is damage", () => {
  for (const [table, key] of places(full())) {
    if (table === Table.log || key === StateKey.present) continue;
    const store = full();
    const { kind, instance } = readRecord(store.get(table, key)!);
    store.damage(table, key, recordOf({ kind, instance, ballot: 1 }, "older"));
    assert.throws(() => recovered(store), StorageError, `${table} ${key}`);
  }
});

Deno.test("a record under another's key, or an instance that was never accepted, is damage", () => {
  const moved = full();
  moved.damage(Table.log, 25, moved.get(Table.log, 26));
  assert.throws(() => recovered(moved), /instance 25: it holds what belongs/);
  const extra = full();
  const fields = { kind: RecordKind.accept, instance: 31, ballot: BALLOT };
  extra.damage(Table.log, 31, recordOf(fields));
  assert.throws(() => recovered(extra), /instance 31: it was never accepted/);
});

Deno.test("verifyAll() reads everything and says how much that is", () => {
  const store = full();
  const { values, bytes, damage } = verifyAll(store, "x");
  assert.equal(damage, undefined);
  assert.equal(values, places(store).length);
  let sum = 0;
  for (const [table, key] of places(store)) {
    sum += store.get(table, key)!.length;
  }
  assert.equal(bytes, sum);
});
