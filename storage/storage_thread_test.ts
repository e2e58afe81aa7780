import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import {
  Fetched,
  Record as RecordKind,
  StorageCondition,
} from "../core/layout.ts";
import { StorageControl } from "./control.ts";
import { isSealed } from "./stored_record.ts";
import { StorageDirectory } from "./directory.ts";
import { LmdbStorage } from "./lmdb_storage.ts";
import { LmdbStore } from "./lmdb_store.ts";
import { runStorage } from "./storage_thread.ts";
import { StoreError, Table } from "./store.ts";
import { Rig } from "./testdata/rig.ts";
import { TestJournal } from "./testing.ts";
import { verifyAll } from "./verify.ts";

const WRITER = new URL("./testdata/writer.ts", import.meta.url).pathname;

const OPTIONS = {
  kind: "acceptor",
  id: 1,
  cluster: 1,
  bytesMax: 1 << 26,
  synchronous: false,
  trash: false,
  incarnation: 2,
};

async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempDirSync();
  try {
    await test(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

/** The instances that a directory's log holds, all of it sound. */
function instances(path: string, synchronous = true): number[] {
  const directory = StorageDirectory.open({ ...OPTIONS, path, synchronous });
  const found: number[] = [];
  directory.store.walk(Table.log, 0, (key) => found.push(key) > 0);
  assert.equal(verifyAll(directory.store, path).damage, undefined);
  directory.close();
  return found;
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

for (const synchronous of [true, false]) {
  const how = synchronous ? "synchronous" : "asynchronous";
  Deno.test(`what was appended is durable once that is said, and there after a close (${how})`, async () => {
    await withPath(async (path) => {
      const rig = new Rig(path, { synchronous });
      rig.accept(1, 100);
      await rig.stored();
      rig.accept(101, 150);
      // Nobody waits for these: closing does.
      rig.close();
      assert.equal(rig.storage.durable, 150);
      assert.deepEqual(rig.told, []);
      assert.deepEqual(instances(path, synchronous), upTo(150));
    });
  });
}

Deno.test("what is stored can be read by the node while the thread goes on", async () => {
  await withPath(async (path) => {
    const rig = new Rig(path);
    rig.accept(1, 40);
    await rig.stored();
    rig.accept(41, 80);
    const sizes: number[] = [];
    rig.storage.read(
      10,
      30,
      (record) =>
        sizes.push(record.length) < 15 ? Fetched.more : Fetched.enough,
    );
    assert.deepEqual(sizes, new Array(15).fill(1040));
    let last = 0;
    rig.storage.read(30, 35, () => {
      last++;
      return Fetched.more;
    });
    assert.equal(last, 6, "and one behind them");
    rig.close();
  });
});

Deno.test("a log that takes up its room is trimmed as far as it may be, and no further", async () => {
  await withPath(async (path) => {
    const rig = new Rig(path, { bytesMax: 2 << 20 });
    let next = 1;
    while (rig.storage.condition === StorageCondition.sound) {
      rig.accept(next, next + 19);
      next += 20;
      await rig.until(() =>
        rig.storage.durable === rig.journal.last ||
        rig.storage.condition !== StorageCondition.sound
      );
    }
    assert.equal(rig.storage.condition, StorageCondition.full);
    assert.equal(rig.storage.low, 1);
    await rig.until(() => rig.told.length === 2);
    assert.match(rig.told[0], /^warn: .* holds 8\d% of lmdb-mapsize/);
    assert.match(rig.told[1], /^error: the storage in .* is full: /);
    rig.decide(300);
    await rig.until(() => rig.told.length === 3);
    assert.match(rig.told[2], /^info: .* has room again/);
    await rig.stored();
    // The message is out before `low` is set.
    await rig.until(() => rig.storage.low > 1);
    const { low } = rig.storage;
    assert.ok(low <= 300, `low ${low}`);
    rig.close();
    assert.deepEqual(instances(path), upTo(next - 1).slice(low - 1));
  });
});

Deno.test("a file that was removed or replaced is a failure, after which nothing becomes durable", async () => {
  for (const isReplaced of [false, true]) {
    await withPath(async (path) => {
      const rig = new Rig(path);
      rig.accept(1, 10);
      await rig.stored();
      const file = `${path}/acceptor-1/data.mdb`;
      Deno.renameSync(file, `${path}/elsewhere`);
      if (isReplaced) Deno.copyFileSync(`${path}/elsewhere`, file);
      await rig.until(() => rig.told.length === 1);
      assert.match(
        rig.told[0],
        /^error: .*acceptor-1 failed: .*data.mdb was removed or replaced while .*\. This node stores nothing any more/,
      );
      assert.equal(rig.storage.condition, StorageCondition.failed);
      rig.accept(11, 20);
      rig.close();
      assert.equal(rig.storage.durable, 10);
    });
  }
});

Deno.test("damage that is met while it runs is a failure, and not an absence", async () => {
  await withPath(async (path) => {
    const rig = new Rig(path);
    rig.accept(1, 40);
    await rig.stored();
    const file = `${path}/acceptor-1/data.mdb`;
    const bytes = Deno.readFileSync(file);
    const text = new TextEncoder().encode("20".padEnd(40));
    for (let at = 0; at < bytes.length - text.length; at++) {
      if (!text.every((byte, i) => bytes[at + i] === byte)) continue;
      using file_ = Deno.openSync(file, { write: true });
      file_.seekSync(at + 20, Deno.SeekMode.Start);
      file_.writeSync(Uint8Array.of(bytes[at + 20] ^ 4));
    }
    let visited = 0;
    rig.storage.read(1, 41, (record) => {
      visited++;
      return isSealed(record) ? Fetched.more : Fetched.damaged;
    });
    assert.equal(visited, 20);
    assert.equal(rig.storage.condition, StorageCondition.failed);
    assert.match(rig.told[0], /is damaged: instance 20: its checksum/);
    rig.accept(41, 50);
    const { control } = rig.storage.start(-1);
    assert.equal(new StorageControl(control).appended(0), 40, "nothing more");
    rig.close();
  });
});

/** Storage whose thread is this one, and whose background sync is `syncAside`. */
async function withSync(
  path: string,
  makeSync: (
    storage: LmdbStorage,
    control: StorageControl,
  ) => () => Promise<void>,
): Promise<{ storage: LmdbStorage; told: string[] }> {
  const directory = StorageDirectory.open({ ...OPTIONS, path });
  const journal = new TestJournal();
  const told: string[] = [];
  const storage = new LmdbStorage({
    directory,
    journal,
    syncPeriod_ms: 1,
    low: 1,
    onFailure: (message) => told.push(message),
  });
  const start = storage.start(-1);
  const control = new StorageControl(start.control);
  const { syncAside } = LmdbStore.prototype;
  LmdbStore.prototype.syncAside = makeSync(storage, control);
  try {
    journal.append(RecordKind.accept, { instance: 1, ballot: 1 });
    control.append(journal.last);
    await runStorage(start, (level, text) => told.push(`${level}: ${text}`));
  } finally {
    LmdbStore.prototype.syncAside = syncAside;
  }
  return { storage, told };
}

const FAILURE = new StoreError("failed", "cannot sync data.mdb: errno 5");

Deno.test("a sync that fails while the node leaves is a failure, and what was stored is never trusted again", async () => {
  await withPath(async (path) => {
    const { storage, told } = await withSync(path, (_, control) => async () => {
      control.stop();
      for (let i = 0; i < 5; i++) await setImmediate();
      throw FAILURE;
    });
    assert.equal(storage.condition, StorageCondition.failed);
    assert.match(told[0], /^error: .*acceptor-1 failed: .*errno 5/);
    storage.close();
    const again = StorageDirectory.open({ ...OPTIONS, path, incarnation: 3 });
    assert.match(again.warning!, /its disk failed/);
    assert.equal(again.stamp.forgot, true);
    assert.equal(again.stamp.memory, 3);
    again.close();
  });
});

Deno.test("after a failure the storage thread says that it has left when a sync under way has ended, and not before", async () => {
  await withPath(async (path) => {
    let hasLeft: boolean | undefined;
    const { storage } = await withSync(path, (storage, control) => async () => {
      Deno.removeSync(`${path}/acceptor-1/data.mdb`);
      while (storage.condition !== StorageCondition.failed) {
        await setImmediate();
      }
      for (let i = 0; i < 5; i++) await setImmediate();
      hasLeft = control.waitFinished(0);
    });
    assert.equal(hasLeft, false);
    storage.close();
  });
});

for (const mode of ["sync", "async"]) {
  Deno.test(`a process that is killed leaves all that it called durable (${mode})`, async () => {
    await withPath(async (path) => {
      for (const lines of [1, 5, 30]) {
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", WRITER, path, mode],
          stdout: "piped",
        }).spawn();
        let text = "";
        const decoder = new TextDecoder();
        for await (const chunk of child.stdout) {
          text += decoder.decode(chunk, { stream: true });
          if (text.split("\n").length > lines) break;
        }
        child.kill("SIGKILL");
        await child.status;
        const last = Number(text.split("\n").at(-2));
        const found = instances(path, mode === "sync");
        assert.ok(found.length >= last, `${found.length} of ${last}`);
        assert.deepEqual(found, upTo(found.length));
      }
    });
  });
}

Deno.test("a full disk is a pause: nothing is called durable that is not, and it goes on when there is room", async () => {
  await withPath(async (path) => {
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        "-Urm",
        "sh",
        "-c",
        'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"',
        "sh",
        path,
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        WRITER,
        path,
        "full",
      ],
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(lines[0], "condition: full");
    const [, durable, last] = /(\d+) of (\d+)/.exec(lines[1])!;
    assert.ok(Number(durable) < Number(last));
    assert.match(
      lines[2],
      /^error: the storage in .* is full: .*no space left on the disk/,
    );
    assert.match(lines[3], /^info: .* has room again/);
    assert.equal(lines[4], "condition: sound");
    assert.equal(lines[5], `durable: ${last} of ${last}`);
  });
});

Deno.test("a write that fails is the end: the user is told why, and nothing is called durable any more", async () => {
  await withPath(async (path) => {
    // A limit on the length of files, in blocks of 512 bytes, stands for a disk that takes no more although it has room.
    const { stdout, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'trap "" XFSZ; ulimit -f 2048; exec "$@"',
        "sh",
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        WRITER,
        path,
        "broken",
      ],
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(lines[0], "condition: failed");
    const [, durable, last] = /(\d+) of (\d+)/.exec(lines[1])!;
    assert.ok(Number(durable) < Number(last));
    assert.match(
      lines[2],
      /^error: the storage in .*acceptor-1 failed: cannot commit to .*data.mdb: .*\(errno \d+\)\. This node stores nothing any more/,
    );
    assert.equal(lines[3], `durable: ${durable} of ${Number(last) + 10}`);
    const found = instances(path);
    assert.deepEqual(found, upTo(Number(durable)));
  });
});
