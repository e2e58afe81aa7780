import assert from "node:assert/strict";
import { openLmdbStore } from "./lmdb_store.ts";
import { checkFile } from "./meta_pages.ts";
import { checkPages } from "./pages.ts";
import { type Store, StoreError, Table } from "./store.ts";

const PAGE_BYTES = 4096;

/** Numbers that look random and are the same every time. */
function numbers(seed: number): (below: number) => number {
  return (below) => {
    seed = Math.imul(seed, 1664525) + 1013904223 >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
}

function withStore(
  test: (store: Store, file: string) => void,
): void {
  const directory = Deno.makeTempDirSync();
  const store = openLmdbStore({
    directory,
    bytesMax: 1 << 28,
    synchronous: false,
  });
  try {
    test(store, `${directory}/data.mdb`);
  } finally {
    store.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

function look(file: string, tailBytes = Infinity): void {
  checkPages(file, { ...checkFile(file), tailBytes });
}

const BYTES = new Uint8Array(20_000);

/** One transaction of all that a store can do, on values small and large. */
function change(
  store: Store,
  random: (below: number) => number,
  next: number,
): number {
  store.begin();
  for (let i = random(60); i >= 0; i--) {
    const length = random(3) === 0 ? random(9000) : random(1500);
    const what = random(10);
    if (what < 5) store.put(Table.log, next++, BYTES, 0, length);
    else if (what < 7) store.put(Table.log, random(next), BYTES, 0, length);
    else if (what < 8) {
      store.removeBelow(Table.log, next - random(500), random(200));
    } else if (what < 9) {
      store.put(Table.pieces, random(300), BYTES, 0, random(16384));
    } else store.remove(Table.log, random(next));
  }
  store.commit();
  return next;
}

Deno.test("whatever a store has done, its pages are well formed, and its file long enough", () => {
  for (let seed = 1; seed <= 4; seed++) {
    withStore((store, file) => {
      const random = numbers(seed);
      let next = 1;
      for (let i = 0; i < 150; i++) {
        next = change(store, random, next);
        const name = `seed ${seed}, commit ${i}`;
        assert.doesNotThrow(
          () => look(file, random(2) === 0 ? Infinity : random(100_000)),
          name,
        );
      }
    });
  }
});

Deno.test("a page with a bound, a kind or an offset that cannot be is damage", () => {
  withStore((store, file) => {
    store.begin();
    for (let key = 1; key <= 400; key++) {
      store.put(Table.log, key, BYTES, 0, 500 + key % 700);
    }
    store.commit();
    look(file);
    const whole = Deno.readFileSync(file);
    const view = new DataView(whole.buffer);
    let seen = 0;
    for (let page = 2; page * PAGE_BYTES < whole.length; page++) {
      const at = page * PAGE_BYTES;
      if (![1, 2].includes(view.getUint16(at + 10, true))) continue;
      // Number, kind, lower, upper, first offset, and of the first node the high half of its size or page.
      const node = at + view.getUint16(at + 16, true);
      for (const place of [at, at + 10, at + 13, at + 15, at + 17, node + 3]) {
        const bytes = whole.slice();
        bytes[place] ^= 0x80;
        Deno.writeFileSync(`${file}.damaged`, bytes);
        try {
          look(`${file}.damaged`);
        } catch (error) {
          assert.ok(error instanceof StoreError && error.code === "damaged");
          seen++;
        }
      }
    }
    // Pages that are free are not looked at, so not each of them is seen.
    const pages = whole.length / PAGE_BYTES;
    assert.ok(seen > 5 * 0.9 * pages, `${seen} of ${6 * pages}`);
  });
});

Deno.test("of a long log only the end is looked at, and all that leads there", () => {
  withStore((store, file) => {
    store.begin();
    for (let key = 1; key <= 2000; key++) {
      store.put(Table.log, key, BYTES, 0, 1400);
    }
    store.commit();
    const bytes = Deno.readFileSync(file);
    const view = new DataView(bytes.buffer);
    // The leaf that holds the lowest instance, whose node is the first of it.
    const holdsLowest = (at: number) => {
      const node = at + view.getUint16(at + 16, true);
      return view.getUint16(at + 10, true) === 2 &&
        view.getUint32(node, true) === 1400 &&
        view.getUint32(node + 8, true) === 1;
    };
    let page = 2;
    while (!holdsLowest(page * PAGE_BYTES)) page++;
    bytes[page * PAGE_BYTES + 13] ^= 0x80;
    Deno.writeFileSync(`${file}.damaged`, bytes);
    look(`${file}.damaged`, 100_000);
    assert.throws(() => look(`${file}.damaged`), /page \d+ of data.mdb: its/);
  });
});
