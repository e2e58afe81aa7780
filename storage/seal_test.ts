/** What a power cut may leave of a database whose commits are sealed: its last commit or the one before, whole. */
import assert from "node:assert/strict";
import { Random } from "../sim/random.ts";
import { type LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import { Sealer } from "./seal.ts";
import { StoreError, Table } from "./store.ts";

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;
const TABLES = [Table.state, Table.log, Table.sessions, Table.pieces];
const CUTS = 30;

function withDirectory(test: (directory: string) => void): void {
  // In memory: nothing here waits for a disk.
  const directory = Deno.makeTempDirSync({ dir: "/dev/shm" });
  try {
    test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function open(directory: string, synchronous = true): LmdbStore {
  return openLmdbStore({ directory, bytesMax: 1 << 26, synchronous });
}

/** Puts and removes what the seed says; some values have pages of their own, and some commits many pages. */
function change(store: LmdbStore, random: Random): void {
  store.begin();
  const most = random.pick([1, 4, 60]);
  for (let i = random.between(1, most); i > 0; i--) {
    const table = random.pick(TABLES);
    const key = random.between(1, 500);
    const value = new Uint8Array(random.pick([40, 900, 1900, 9000]))
      .fill(random.u32());
    if (random.chance(0.2)) store.remove(table, key);
    else store.put(table, key, value, 0, value.length);
    if (random.chance(0.02)) store.removeBelow(table, key, 100);
  }
  store.commit();
}

/** All that is in it. */
function contents(store: LmdbStore): string {
  let text = "";
  for (const table of TABLES) {
    store.walk(table, 0, (key, value) => {
      text += `${table} ${key} ${value.length} ${value[0]}\n`;
      assert(value.every((byte) => byte === value[0]), `a torn value: ${key}`);
      return true;
    });
  }
  return text;
}

function read(directory: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(`${directory}/data.mdb`);
}

function transactionAt(bytes: Uint8Array, slot: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Number(view.getBigUint64(slot * PAGE_BYTES + 144, true));
}

function newerSlot(bytes: Uint8Array): 0 | 1 {
  return transactionAt(bytes, 0) > transactionAt(bytes, 1) ? 0 : 1;
}

/** Opens as a start does, and says what is there. */
function start(directory: string): { contents: string; wentBack: boolean } {
  const sealer = Sealer.open(`${directory}/data.mdb`, true);
  const verdict = sealer.judge();
  if (verdict.kind === "go back") sealer.goBack(verdict.slot);
  sealer.close();
  const store = open(directory);
  try {
    store.sync();
    return { contents: contents(store), wentBack: verdict.kind === "go back" };
  } finally {
    store.close();
  }
}

/** Of the sectors that differ, any; of the first page that the commit did not write, none. */
function cut(
  before: Uint8Array,
  after: Uint8Array<ArrayBuffer>,
  random: Random,
): Uint8Array {
  const left = after.slice();
  const other = 1 - newerSlot(after);
  const isOld = random.pick([0.02, 0.3, 0.7, 0.98]);
  for (let at = 0; at < after.length; at += SECTOR_BYTES) {
    const isOther = Math.floor(at / PAGE_BYTES) === other;
    if (!isOther && !random.chance(isOld)) continue;
    left.fill(0, at, at + SECTOR_BYTES);
    left.set(before.subarray(at, at + SECTOR_BYTES), at);
  }
  return random.chance(0.1) ? left.subarray(0, before.length) : left;
}

Deno.test("whatever subset of its sectors a commit left, it is there as a whole, or the one before is", () => {
  for (let seed = 1; seed <= 6; seed++) {
    withDirectory((directory) => {
      const random = new Random(seed);
      const counts = { kept: 0, wentBack: 0 };
      let store = open(directory);
      for (let i = 0; i < 30; i++) change(store, random);
      for (let n = 0; n < CUTS; n++) {
        const where = `seed ${seed}, cut ${n}`;
        const before = { bytes: read(directory), contents: contents(store) };
        change(store, random);
        const after = { bytes: read(directory), contents: contents(store) };
        store.close();
        const left = cut(before.bytes, after.bytes, random);
        Deno.writeFileSync(`${directory}/data.mdb`, left);
        const found = start(directory);
        if (found.contents === after.contents && !found.wentBack) counts.kept++;
        else {
          assert.equal(found.contents, before.contents, where);
          counts.wentBack++;
        }
        // A start that is cut off finds the same.
        assert.deepEqual(start(directory).contents, found.contents, where);
        store = open(directory);
        store.sync();
      }
      store.close();
      assert(counts.wentBack > CUTS / 4, JSON.stringify(counts));
      assert(counts.kept > 0, JSON.stringify(counts));
    });
  }
});

Deno.test("of a first page that makes no sense the other one goes on", () => {
  withDirectory((directory) => {
    const random = new Random(1);
    const store = open(directory);
    for (let i = 0; i < 10; i++) change(store, random);
    const before = { bytes: read(directory), contents: contents(store) };
    change(store, random);
    const after = read(directory);
    store.close();
    const slot = newerSlot(after);
    for (let n = 0; n < 20; n++) {
      const left = cut(before.bytes, after, random);
      const bytes = new Uint8Array(PAGE_BYTES).map(() => random.u32());
      left.set(bytes, slot * PAGE_BYTES);
      Deno.writeFileSync(`${directory}/data.mdb`, left);
      const found = start(directory);
      assert(found.wentBack);
      assert.equal(found.contents, before.contents, `${n}`);
    }
  });
});

Deno.test("of a commit that is known to have been on disk no sector may be missing", () => {
  withDirectory((directory) => {
    const random = new Random(7);
    const store = open(directory);
    for (let i = 0; i < 10; i++) change(store, random);
    const before = read(directory);
    change(store, random);
    const after = { bytes: read(directory), contents: contents(store) };
    store.close();
    const known = 1 - newerSlot(after.bytes);
    const outcomes = { damaged: 0, same: 0 };
    for (let at = 0; at < after.bytes.length; at += SECTOR_BYTES) {
      const old = new Uint8Array(SECTOR_BYTES);
      old.set(before.subarray(at, at + SECTOR_BYTES));
      // With the note itself goes what is known.
      if (at === known * PAGE_BYTES) continue;
      const left = after.bytes.slice();
      left.set(old, at);
      Deno.writeFileSync(`${directory}/data.mdb`, left);
      try {
        const found = start(directory);
        assert.equal(found.contents, after.contents, `sector at ${at}`);
        assert(!found.wentBack);
        outcomes.same++;
      } catch (error) {
        assert(error instanceof StoreError, String(error));
        assert.equal(error.code, "damaged");
        assert.match(error.message, /was on disk, and is not whole any more/);
        outcomes.damaged++;
      }
    }
    assert(outcomes.damaged > 8, JSON.stringify(outcomes));
  });
});

Deno.test("a process that is killed before it sealed its commit has not made it", () => {
  withDirectory((directory) => {
    const random = new Random(3);
    let store = open(directory);
    for (let i = 0; i < 10; i++) change(store, random);
    const before = contents(store);
    store.close();
    // It makes commits and does not come to seal them.
    store = open(directory, false);
    change(store, random);
    assert.notEqual(contents(store), before);
    store.close();
    assert.deepEqual(start(directory), { contents: before, wentBack: true });
  });
});

Deno.test("a commit whose seal cannot be written counts for nothing, and is no full disk", () => {
  withDirectory((directory) => {
    const random = new Random(4);
    let store = open(directory);
    for (let i = 0; i < 10; i++) change(store, random);
    const before = contents(store);
    store.close();
    store = open(directory, false);
    change(store, random);
    const sealer = Sealer.open(`${directory}/data.mdb`, false);
    assert.throws(
      () => sealer.seal(),
      (error) => error instanceof StoreError && error.code === "failed",
    );
    sealer.close();
    store.close();
    assert.deepEqual(start(directory), { contents: before, wentBack: true });
  });
});

Deno.test("what was committed without seals is sealed by a sync, and stands from then on", () => {
  withDirectory((directory) => {
    const random = new Random(5);
    const store = open(directory, false);
    for (let i = 0; i < 10; i++) change(store, random);
    store.sync();
    const whole = contents(store);
    store.close();
    assert.deepEqual(start(directory), { contents: whole, wentBack: false });
  });
});

Deno.test("a database without any seal is taken as it is", () => {
  withDirectory((directory) => {
    const random = new Random(6);
    const store = open(directory, false);
    for (let i = 0; i < 10; i++) change(store, random);
    const whole = contents(store);
    store.close();
    assert.deepEqual(start(directory), { contents: whole, wentBack: false });
    // And has one from then on.
    const again = open(directory);
    change(again, random);
    const after = contents(again);
    again.close();
    assert.deepEqual(start(directory), { contents: after, wentBack: false });
  });
});
