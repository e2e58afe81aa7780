import assert from "node:assert/strict";
import { openLmdbStore } from "./lmdb_store.ts";
import { Table } from "./store.ts";

const VALUES = 50_000;
const VALUE_BYTES = 2000;

/** Bytes of the file at `path` that this process has mapped and resident. */
function residentBytes(path: string): number {
  let isIn = false;
  for (const line of Deno.readTextFileSync("/proc/self/smaps").split("\n")) {
    if (/^[0-9a-f]+-/.test(line)) isIn = line.endsWith(path);
    const resident = isIn ? /^Rss: +(\d+) kB/.exec(line) : null;
    if (resident !== null) return 1024 * Number(resident[1]);
  }
  throw new Error(`${path} is not mapped`);
}

Deno.test("what a store wrote and read does not stay in the process' memory, and is read again", () => {
  const directory = Deno.makeTempDirSync();
  const store = openLmdbStore({
    directory,
    bytesMax: 256 << 20,
    synchronous: false,
  });
  const resident = () => residentBytes(`${directory}/data.mdb`);
  try {
    const value = new Uint8Array(VALUE_BYTES);
    for (let key = 0; key < VALUES;) {
      store.begin();
      for (let n = 0; n < 100; n++) {
        value.fill(key % 251);
        store.put(Table.log, key++, value, 0, VALUE_BYTES);
      }
      store.commit();
    }
    assert(resident() < 32 << 20, `${resident()} bytes after writing`);
    let next = 0;
    store.walk(Table.log, 0, (key, { length, [0]: first }) => {
      assert.deepEqual([key, length, first], [next, VALUE_BYTES, next % 251]);
      next++;
      return true;
    });
    assert.equal(next, VALUES);
    assert(resident() < 32 << 20, `${resident()} bytes after reading`);
  } finally {
    store.close();
    Deno.removeSync(directory, { recursive: true });
  }
});
