import assert from "node:assert/strict";
import { UserError } from "../roles/errors.ts";
import { type DirectoryOptions, StorageDirectory } from "./directory.ts";
import { LmdbStore, openLmdbStore } from "./lmdb_store.ts";
import { FORMAT_VERSION, readStamp, writeStamp } from "./stamp.ts";
import { StoreError, Table } from "./store.ts";

const PAGE_BYTES = 4096;

async function withPath(
  test: (options: DirectoryOptions) => void | Promise<void>,
): Promise<void> {
  const path = Deno.makeTempDirSync();
  try {
    await test({
      path,
      kind: "acceptor",
      id: 2,
      cluster: 9,
      bytesMax: 1 << 24,
      synchronous: true,
      trash: false,
      incarnation: 77,
      boot: "first",
    });
  } finally {
    Deno.chmodSync(path, 0o700);
    Deno.removeSync(path, { recursive: true });
  }
}

function refuses(options: DirectoryOptions, ...patterns: RegExp[]): void {
  assert.throws(() => StorageDirectory.open(options), (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, 3);
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });
}

/** Opens, puts so many instances into the log, and leaves. */
function fill(options: DirectoryOptions, instances: number): string {
  const directory = StorageDirectory.open(options);
  directory.store.begin();
  for (let key = 1; key <= instances; key++) {
    directory.store.put(Table.log, key, new Uint8Array(1400), 0, 1400);
  }
  directory.store.commit();
  directory.close();
  return `${directory.path}/data.mdb`;
}

function flipBit(file: string, at: number, bit: number): void {
  const bytes = Deno.readFileSync(file);
  bytes[at] ^= 1 << bit;
  Deno.writeFileSync(file, bytes);
}

Deno.test("a directory keeps what was stored, and the incarnation in which its memory began", async () => {
  await withPath((options) => {
    fill(options, 3);
    const again = StorageDirectory.open({ ...options, incarnation: 78 });
    assert.equal(again.stamp.memory, 77);
    assert.equal(again.stamp.forgot, false);
    assert.equal(again.warning, undefined);
    assert.equal(again.store.count(Table.log), 3);
    again.close();
  });
});

Deno.test("another cluster's, kind's or node's directory is refused", async () => {
  await withPath((options) => {
    fill(options, 1);
    const { path } = options;
    refuses({ ...options, cluster: 8 }, /acceptor 2 of cluster 9/, /cluster 8/);
    Deno.renameSync(`${path}/acceptor-2`, `${path}/acceptor-3`);
    refuses({ ...options, id: 3 }, /acceptor 2 of cluster 9/, /acceptor 3/);
    Deno.renameSync(`${path}/acceptor-3`, `${path}/learner-2`);
    refuses({ ...options, kind: "learner" }, /acceptor 2/, /learner 2/);
  });
});

Deno.test("a newer format is refused", async () => {
  await withPath((options) => {
    const directory = StorageDirectory.open(options);
    const newer = { ...directory.stamp, format: FORMAT_VERSION + 1 };
    writeStamp(directory.store, newer);
    directory.abandon();
    refuses(options, /format 3/, /reads 2/);
  });
});

Deno.test("what is open is refused to a second one, which is told who has it", async () => {
  await withPath((options) => {
    const directory = StorageDirectory.open(options);
    refuses(options, new RegExp(`in use by process ${Deno.pid}`));
    directory.close();
    StorageDirectory.open(options).close();
  });
});

Deno.test("a folder that cannot be made is named, with the remedy", async () => {
  await withPath((options) => {
    const file = `${options.path}/file`;
    Deno.writeTextFileSync(file, "");
    refuses(
      { ...options, path: file },
      /cannot make or write .*\/file\/acceptor-2/,
      /--lmdb-env-path/,
    );
    if (Deno.uid() === 0) return;
    Deno.chmodSync(options.path, 0o500);
    refuses(options, /permission denied/);
  });
});

Deno.test("a truncated file is damaged, whatever is left of it, and stays as it was found", async () => {
  await withPath((options) => {
    const file = fill(options, 200);
    const whole = Deno.readFileSync(file);
    for (const bytes of [0, 100, PAGE_BYTES, 3 * PAGE_BYTES, 40 * PAGE_BYTES]) {
      Deno.writeFileSync(file, whole.subarray(0, bytes));
      refuses(options, /is damaged: .* (bytes|not whole)/, /Move .* away/);
      assert.equal(Deno.statSync(file).size, bytes);
    }
    Deno.writeFileSync(file, whole);
    StorageDirectory.open(options).close();
  });
});

Deno.test("a file that is none of ours is damaged, not empty", async () => {
  await withPath((options) => {
    const file = fill(options, 1);
    Deno.writeFileSync(file, new Uint8Array(10 * PAGE_BYTES).fill(7));
    refuses(options, /neither of its last commits/);
    Deno.removeSync(file);
    openLmdbStore({
      directory: `${options.path}/acceptor-2`,
      bytesMax: 1 << 20,
      synchronous: true,
    }).close();
    refuses(options, /the stamp is missing/);
  });
});

Deno.test("a flipped bit in the number of a commit is seen, or of no account", async () => {
  await withPath((options) => {
    const file = fill(options, 5);
    const whole = Deno.readFileSync(file);
    const view = new DataView(whole.buffer);
    const numbers = [144, PAGE_BYTES + 144].map((at) =>
      view.getBigUint64(at, true)
    );
    const newer = numbers[0] > numbers[1] ? 0 : 1;
    for (const page of [0, 1]) {
      for (const bit of [0, 1, 2, 3, 7]) {
        Deno.writeFileSync(file, whole);
        flipBit(file, page * PAGE_BYTES + 144, bit);
        if (page === newer) refuses(options, /was on disk, and is not whole/);
        else {
          // It looks like a commit that never ended, and what was on disk is there.
          const directory = StorageDirectory.open(options);
          assert.equal(directory.store.count(Table.log), 5);
          directory.close();
        }
      }
    }
  });
});

Deno.test("a flipped bit in the stamp is seen", async () => {
  await withPath((options) => {
    // As a process leaves it that is killed, and whose commits are not sealed.
    const asynchronous = { ...options, synchronous: false };
    StorageDirectory.open(asynchronous).abandon();
    const file = `${options.path}/acceptor-2/data.mdb`;
    const bytes = Deno.readFileSync(file);
    const text = new TextEncoder().encode('"memory":77');
    let places = 0;
    for (let at = 0; at < bytes.length - text.length; at++) {
      if (text.every((byte, i) => bytes[at + i] === byte)) {
        flipBit(file, at + text.length - 1, 0);
        places++;
      }
    }
    assert.ok(places > 0);
    refuses(asynchronous, /the stamp's checksum/);
  });
});

/** The machine loses power: any page that was not synced may be torn, and the database cannot be read. */
function tear(path: string): void {
  const file = `${path}/data.mdb`;
  const bytes = Deno.readFileSync(file);
  Deno.writeFileSync(file, bytes.fill(0, PAGE_BYTES));
}

Deno.test("what was not surely on disk when the machine stopped is set aside unread, and the memory is known to be lost", async () => {
  await withPath((options) => {
    const asynchronous = { ...options, synchronous: false };
    const path = `${options.path}/acceptor-2`;
    const first = StorageDirectory.open(asynchronous);
    first.abandon();
    // The process died, and the machine did not: what the kernel has is safe.
    const second = StorageDirectory.open(asynchronous);
    assert.equal(second.warning, undefined);
    assert.equal(second.stamp.memory, 77);
    second.abandon();
    tear(path);
    const third = StorageDirectory.open({
      ...asynchronous,
      boot: "second",
      incarnation: 78,
    });
    assert.match(third.warning!, /set-aside/);
    assert.equal(third.stamp.memory, 78);
    assert.equal(third.stamp.forgot, true);
    assert.ok(Deno.statSync(`${path}/set-aside-1/data.mdb`).size > 0);
    third.close();
    // It was closed, so all is on disk.
    const fourth = StorageDirectory.open({ ...asynchronous, boot: "third" });
    assert.equal(fourth.warning, undefined);
    assert.equal(fourth.stamp.memory, 78);
    assert.equal(fourth.stamp.forgot, true);
    fourth.close();
  });
});

Deno.test("what is set aside stays, however often the machine loses power", async () => {
  await withPath((options) => {
    const path = `${options.path}/acceptor-2`;
    for (const boot of ["1", "2", "3"]) {
      StorageDirectory.open({ ...options, synchronous: false, boot }).abandon();
      Deno.writeTextFileSync(`${path}/data.mdb`, `of boot ${boot}`);
    }
    StorageDirectory.open(options).close();
    for (const n of [1, 2, 3]) {
      const text = Deno.readTextFileSync(`${path}/set-aside-${n}/data.mdb`);
      assert.equal(text, `of boot ${n}`);
    }
    StorageDirectory.open({ ...options, trash: true }).close();
    const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["data.mdb", "lock", "lock.mdb"]);
  });
});

Deno.test("a start that is ended at any step of setting a database aside loses nothing of what is known", async () => {
  for (const isNewOneThere of [false, true]) {
    await withPath((options) => {
      const path = `${options.path}/acceptor-2`;
      const asynchronous = { ...options, synchronous: false };
      StorageDirectory.open(asynchronous).abandon();
      const mark = Deno.readFileSync(`${path}/mark`);
      const next = { ...asynchronous, boot: "second", incarnation: 78 };
      if (isNewOneThere) {
        StorageDirectory.open(next).abandon();
        Deno.writeFileSync(`${path}/mark`, mark);
      } else {
        Deno.mkdirSync(`${path}/set-aside-1`);
        Deno.renameSync(`${path}/data.mdb`, `${path}/set-aside-1/data.mdb`);
      }
      const directory = StorageDirectory.open({ ...next, incarnation: 79 });
      assert.equal(directory.stamp.forgot, true);
      assert.equal(directory.stamp.memory, 79);
      assert.match(directory.warning!, /set-aside/);
      directory.abandon();
      // That start got to its end.
      const again = StorageDirectory.open({ ...next, incarnation: 80 });
      assert.equal(again.stamp.memory, 79);
      again.close();
    });
  }
});

Deno.test("what may not be on disk is another node's as well, and is refused as it is", async () => {
  await withPath((options) => {
    const path = `${options.path}/acceptor-2`;
    StorageDirectory.open({ ...options, synchronous: false }).abandon();
    tear(path);
    const other = { ...options, boot: "second", cluster: 8 };
    refuses(other, /acceptor 2 of cluster 9/, /cluster 8/);
    Deno.writeTextFileSync(`${path}/mark`, "{");
    refuses({ ...options, boot: "second" }, /is damaged: mark cannot be/);
    assert.ok(Deno.statSync(`${path}/data.mdb`).isFile);
  });
});

Deno.test("with synchronous commits a machine may stop at any time", async () => {
  await withPath((options) => {
    StorageDirectory.open(options).abandon();
    const again = StorageDirectory.open({ ...options, boot: "second" });
    assert.equal(again.stamp.memory, 77);
    again.abandon();
    // Synchronous or not: it is the process that wrote last that counts.
    const asynchronous = { ...options, boot: "third", synchronous: false };
    StorageDirectory.open(asynchronous).abandon();
    const third = StorageDirectory.open({ ...options, boot: "third" });
    assert.equal(third.warning, undefined);
    assert.equal(third.stamp.memory, 77);
    third.abandon();
    // What the kernel had is on disk since.
    const fourth = StorageDirectory.open({ ...asynchronous, boot: "fourth" });
    assert.equal(fourth.warning, undefined);
    fourth.abandon();
    const last = StorageDirectory.open({ ...options, boot: "fifth" });
    assert.match(last.warning!, /set-aside/);
    last.close();
  });
});

Deno.test("what a killed process left is brought to disk by a commit, before it is told to anybody", async () => {
  await withPath((options) => {
    const commits = () => {
      const bytes = Deno.readFileSync(`${options.path}/acceptor-2/data.mdb`);
      const view = new DataView(bytes.buffer);
      const [a, b] = [144, PAGE_BYTES + 144].map((at) =>
        Number(view.getBigUint64(at, true))
      );
      return Math.max(a, b);
    };
    StorageDirectory.open(options).abandon();
    const before = commits();
    StorageDirectory.open(options).abandon();
    assert.equal(commits(), before + 1);
  });
});

Deno.test("when the last sync fails nobody trusts what was stored, on the same start of the machine either", async () => {
  await withPath((options) => {
    const asynchronous = { ...options, synchronous: false };
    const directory = StorageDirectory.open(asynchronous);
    const { sync } = LmdbStore.prototype;
    LmdbStore.prototype.sync = () => {
      throw new StoreError("failed", "the disk reports an error");
    };
    try {
      directory.close();
    } finally {
      LmdbStore.prototype.sync = sync;
    }
    const again = StorageDirectory.open({ ...asynchronous, incarnation: 78 });
    assert.match(again.warning!, /its disk failed/);
    assert.equal(again.stamp.forgot, true);
    again.close();
  });
});

Deno.test("a start on a disk without room brings to disk what is there", async () => {
  await withPath((options) => {
    fill(options, 3);
    const { commit, sync } = LmdbStore.prototype;
    let syncs = 0;
    LmdbStore.prototype.commit = () => {
      throw new StoreError("full", "there is no space left on the disk");
    };
    LmdbStore.prototype.sync = function () {
      syncs++;
      sync.call(this);
    };
    try {
      const directory = StorageDirectory.open(options);
      assert.equal(directory.store.count(Table.log), 3);
      assert.equal(syncs, 1);
      directory.abandon();
    } finally {
      Object.assign(LmdbStore.prototype, { commit, sync });
    }
  });
});

Deno.test("acceptor-trash-files throws away what is there", async () => {
  await withPath((options) => {
    fill(options, 3);
    const directory = StorageDirectory.open({
      ...options,
      trash: true,
      incarnation: 78,
    });
    assert.equal(directory.stamp.memory, 78);
    assert.equal(directory.store.count(Table.log), 0);
    assert.deepEqual(readStamp(directory.store), directory.stamp);
    directory.close();
  });
});

Deno.test("a database that was not made to its end is made again", async () => {
  await withPath((options) => {
    const path = `${options.path}/acceptor-2`;
    Deno.mkdirSync(`${path}/new`, { recursive: true });
    Deno.writeTextFileSync(`${path}/new/data.mdb`, "half");
    const directory = StorageDirectory.open(options);
    assert.equal(directory.stamp.memory, 77);
    directory.close();
  });
});
