import assert from "node:assert/strict";
import { LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import { type Store, StoreError, Table } from "./store.ts";

function withStore(
  test: (store: Store, directory: string) => void,
  bytesMax = 16 << 20,
): void {
  const directory = Deno.makeTempDirSync();
  try {
    const store = openLmdbStore({ directory, bytesMax, synchronous: true });
    test(store, directory);
    store.close();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function bytesOf(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

function put(store: Store, table: Table, key: number, value: Uint8Array): void {
  store.put(table, key, value, 0, value.length);
}

function keys(store: Store, table: Table, from = 0): number[] {
  const found: number[] = [];
  store.walk(table, from, (key) => found.push(key) > 0);
  return found;
}

function isCode(code: StoreError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

Deno.test("what is put is there, in its table and under its key alone", () => {
  withStore((store) => {
    store.begin();
    put(store, Table.log, 7, bytesOf(40, 1));
    put(store, Table.log, 2 ** 53 - 1, bytesOf(1400, 2));
    put(store, Table.state, 7, bytesOf(9000, 3));
    put(store, Table.log, 7, bytesOf(48, 4));
    assert.deepEqual(store.get(Table.log, 7), bytesOf(48, 4));
    store.commit();
    assert.deepEqual(store.get(Table.log, 7), bytesOf(48, 4));
    assert.deepEqual(store.get(Table.log, 2 ** 53 - 1), bytesOf(1400, 2));
    assert.deepEqual(store.get(Table.state, 7), bytesOf(9000, 3));
    assert.equal(store.get(Table.sessions, 7), undefined);
    assert.equal(store.get(Table.log, 8), undefined);
    assert.equal(store.count(Table.log), 2);
  });
});

Deno.test("a part of shared memory is put as it is", () => {
  withStore((store) => {
    const memory = new Uint8Array(new SharedArrayBuffer(4096));
    memory.forEach((_, i) => memory[i] = i);
    store.begin();
    store.put(Table.pieces, 1, memory, 100, 64);
    store.put(Table.pieces, 2, memory.subarray(200), 8, 8);
    assert.throws(
      () => store.put(Table.pieces, 3, memory, 4090, 8),
      RangeError,
    );
    store.commit();
    assert.deepEqual(
      store.get(Table.pieces, 1),
      new Uint8Array(memory).slice(100, 164),
    );
    assert.deepEqual(
      store.get(Table.pieces, 2),
      new Uint8Array(memory).slice(208, 216),
    );
    assert.equal(store.count(Table.pieces), 2);
  });
});

Deno.test("keys are visited in ascending order, whatever the order in which they were put", () => {
  withStore((store) => {
    store.begin();
    for (const key of [300, 5, 2 ** 40, 256, 1, 70_000]) {
      put(store, Table.log, key, bytesOf(8, key & 0xff));
    }
    store.commit();
    assert.deepEqual(keys(store, Table.log), [
      1,
      5,
      256,
      300,
      70_000,
      2 ** 40,
    ]);
    assert.deepEqual(keys(store, Table.log, 257), [300, 70_000, 2 ** 40]);
    assert.equal(store.first(Table.log), 1);
    assert.equal(store.last(Table.log), 2 ** 40);
    assert.equal(store.first(Table.pieces), undefined);
    let visited = 0;
    store.walk(Table.log, 0, () => ++visited < 2);
    assert.equal(visited, 2);
  });
});

Deno.test("removeBelow removes no more than it may, from the lowest on", () => {
  withStore((store) => {
    store.begin();
    for (let key = 1; key <= 100; key++) {
      put(store, Table.log, key, bytesOf(1400, key));
    }
    store.commit();
    store.begin();
    assert.equal(store.removeBelow(Table.log, 60, 10), 10);
    assert.equal(store.removeBelow(Table.log, 60, 1000), 49);
    store.remove(Table.log, 61);
    store.remove(Table.log, 61);
    store.commit();
    assert.deepEqual(keys(store, Table.log).slice(0, 3), [60, 62, 63]);
    assert.deepEqual(store.get(Table.log, 60), bytesOf(1400, 60));
  });
});

Deno.test("an aborted transaction leaves nothing behind", () => {
  withStore((store) => {
    store.begin();
    put(store, Table.log, 1, bytesOf(8, 1));
    store.commit();
    store.begin();
    put(store, Table.log, 1, bytesOf(8, 2));
    put(store, Table.log, 2, bytesOf(8, 2));
    store.abort();
    assert.deepEqual(keys(store, Table.log), [1]);
    assert.deepEqual(store.get(Table.log, 1), bytesOf(8, 1));
  });
});

Deno.test("a store that is full says so, loses nothing, and goes on after a removal", () => {
  withStore((store) => {
    let key = 0;
    const fill = () => {
      for (;;) {
        store.begin();
        for (let i = 0; i < 16; i++) {
          put(store, Table.log, key + i, bytesOf(1400, key + i));
        }
        store.commit();
        key += 16;
      }
    };
    assert.throws(fill, isCode("full"));
    store.abort();
    assert.ok(key > 100);
    assert.equal(store.count(Table.log), key);
    assert.ok(store.bytes > 0.7 * store.bytesMax, `${store.bytes} bytes`);
    // LMDB uses the pages that a commit freed in the next but one.
    for (let i = 0; i < 2; i++) {
      store.begin();
      assert.equal(store.removeBelow(Table.log, key, 32), 32);
      store.commit();
    }
    const before = key;
    assert.throws(fill, isCode("full"));
    store.abort();
    assert.ok(key > before);
    for (let i = 64; i < key; i++) {
      assert.deepEqual(store.get(Table.log, i), bytesOf(1400, i));
    }
  }, 1 << 20);
});

Deno.test("what was committed is there when the store is opened again", () => {
  withStore((store, directory) => {
    store.begin();
    put(store, Table.sessions, 3, bytesOf(100, 5));
    store.commit();
    store.close();
    const options = { directory, bytesMax: 1 << 20, synchronous: false };
    const again = openLmdbStore(options);
    assert.deepEqual(again.get(Table.sessions, 3), bytesOf(100, 5));
    again.begin();
    put(again, Table.sessions, 4, bytesOf(100, 6));
    again.commit();
    again.sync();
    again.close();
    const last = openLmdbStore({ ...options, readOnly: true });
    assert.deepEqual(keys(last, Table.sessions), [3, 4]);
    assert.throws(() => last.begin(), isCode("failed"));
    last.close();
  });
});

Deno.test("a snapshot is of one moment, whatever is committed meanwhile; reads may stand within reads", () => {
  withStore((store, directory) => {
    store.begin();
    for (const key of [1, 2, 3]) put(store, Table.log, key, bytesOf(8, key));
    store.commit();
    const { handle } = store as LmdbStore;
    const other = new LmdbStore(handle);
    assert.equal(handle.directory, directory);
    other.snapshot(() => {
      assert.equal(other.count(Table.log), 3);
      store.begin();
      put(store, Table.log, 4, bytesOf(8, 4));
      store.remove(Table.log, 1);
      store.commit();
      assert.deepEqual(keys(other, Table.log), [1, 2, 3]);
      other.walk(Table.log, 0, (key) => {
        assert.deepEqual(other.get(Table.log, key), bytesOf(8, key));
        return true;
      });
    });
    assert.deepEqual(keys(other, Table.log), [2, 3, 4]);
    other.detach();
  });
});

Deno.test("a malformed list of free pages is damage", () => {
  const directory = Deno.makeTempDirSync();
  const options = { directory, bytesMax: 1 << 20, synchronous: true };
  const free = (change: (view: DataView, value: number) => void) => {
    const store = openLmdbStore(options);
    store.begin();
    put(store, Table.log, 1, bytesOf(1400, 1));
    store.commit();
    store.close();
    const file = `${directory}/data.mdb`;
    const bytes = Deno.readFileSync(file);
    const view = new DataView(bytes.buffer);
    // The newer of the two first pages says where the list's tree is: in one leaf.
    const meta = view.getUint32(144, true) > view.getUint32(4240, true)
      ? 0
      : 4096;
    const leaf = Number(view.getBigUint64(meta + 80, true)) * 4096;
    change(view, leaf + view.getUint16(leaf + 16, true));
    Deno.writeFileSync(file, bytes);
    const again = openLmdbStore({ ...options, readOnly: true });
    try {
      return again.freePagesFrom(2);
    } finally {
      again.close();
    }
  };
  try {
    assert.ok(free(() => {}) > 0);
    // Node: value bytes u16 | 6 more bytes | key of 8 | count u64.
    for (const bytes of [4, 12]) {
      const shorten = (view: DataView, node: number) =>
        view.setUint16(node, bytes, true);
      assert.throws(() => free(shorten), isCode("damaged"));
      Deno.removeSync(`${directory}/data.mdb`);
    }
    const overstate = (view: DataView, node: number) =>
      view.setBigUint64(node + 16, 1n << 40n, true);
    assert.throws(() => free(overstate), isCode("damaged"));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
