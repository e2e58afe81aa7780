/** The simulated disk: what is durable when, what a crash leaves, and damage that is seen. */
import assert from "node:assert/strict";
import { readRecord } from "../core/core.ts";
import {
  Fetched,
  Record as RecordKind,
  StorageCondition,
} from "../core/layout.ts";
import { StorageError } from "../storage/storage.ts";
import { TestJournal } from "../storage/testing.ts";
import { Disk, DiskStorage } from "./disk.ts";
import { Random } from "./random.ts";

const OPTIONS = { name: "the disk", logBytes: 1 << 16, mtu: 512 };

/** Storage of a new process on a disk whose commits take 100 µs. */
function makeStorage(seed = 1, disk = new Disk(1, { least: 100, most: 100 })) {
  const clock = { now_us: 0 };
  const journal = new TestJournal();
  const storage = new DiskStorage(
    disk,
    journal,
    new Random(seed),
    () => clock.now_us,
  );
  const found: number[] = [];
  storage.recover({
    recoverBytes(record) {
      const { kind, instance } = readRecord(record);
      if (kind === RecordKind.accept) found.push(instance);
      return true;
    },
  }, OPTIONS);
  const persist = (...instances: number[]) => {
    for (const instance of instances) {
      const fields = { instance, ballot: 65537, incarnation: 7 };
      journal.append(RecordKind.accept, fields, "value");
    }
    storage.persist({
      lastRecord: journal.last,
      recordCount: 0,
      record: () => assert.fail(),
      trimLimit: 1,
    });
  };
  const pass = (us: number) => {
    clock.now_us += us;
    storage.advance();
  };
  return { disk, storage, persist, pass, found };
}

/** Instances that a new process finds. */
function recovered(disk: Disk): number[] {
  return makeStorage(1, disk).found;
}

Deno.test("what comes while a commit is under way waits for the next one, all in one", () => {
  const { disk, storage, persist, pass } = makeStorage();
  persist(1, 2);
  persist(3);
  persist(4, 5);
  assert.equal(storage.durable, 0);
  pass(100);
  assert.equal(storage.durable, 2);
  assert.deepEqual(recovered(disk), [1, 2]);
  pass(99);
  assert.equal(storage.durable, 2);
  pass(1);
  assert.equal(storage.durable, 5);
  assert.deepEqual(recovered(disk), [1, 2, 3, 4, 5]);
});

Deno.test("a crash leaves the commit under way whole, in some seeds, and in others none of it", () => {
  const left = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const { disk, storage, persist, pass } = makeStorage(seed);
    persist(1);
    pass(100);
    persist(2, 3);
    persist(4);
    storage.crash();
    const found = recovered(disk);
    assert.deepEqual(found, [1, 2, 3].slice(0, found.length), `seed ${seed}`);
    left.add(found.length);
  }
  assert.deepEqual([...left].sort(), [1, 3]);
});

Deno.test("a disk that fails at any call stores nothing of that commit, nor of any after it", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { disk, storage, persist, pass } = makeStorage(seed);
    persist(1);
    pass(100);
    disk.failing = true;
    persist(2, 3, 4, 5);
    pass(100);
    disk.failing = false;
    persist(6);
    pass(1000);
    assert.equal(storage.durable, 1, `seed ${seed}`);
    assert.equal(storage.condition, StorageCondition.failed);
    assert.equal(storage.due_us, Infinity);
    storage.crash();
    assert.deepEqual(recovered(disk), [1], `seed ${seed}`);
  }
});

Deno.test("a full disk takes what waits once there is room", () => {
  const { disk, storage, persist, pass } = makeStorage();
  persist(1);
  pass(100);
  disk.full = true;
  persist(2);
  pass(100);
  assert.equal(storage.condition, StorageCondition.full);
  pass(200_000);
  assert.equal(storage.durable, 1);
  assert(storage.due_us < Infinity);
  disk.full = false;
  pass(200_000);
  assert.equal(storage.condition, StorageCondition.sound);
  assert.equal(storage.durable, 2);
  assert.deepEqual(recovered(disk), [1, 2]);
});

Deno.test("a flipped bit and a lost key are seen when a process starts, and not taken for absence", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { disk, persist, pass } = makeStorage();
    persist(1, 2, 3);
    pass(100);
    const random = new Random(seed);
    if (random.chance(0.5)) assert(disk.flipBit(random));
    else disk.loseKey(random);
    assert.throws(() => recovered(disk), StorageError, `seed ${seed}`);
  }
  assert(!new Disk(1, { least: 0, most: 0 }).flipBit(new Random(1)));
});

Deno.test("what is read back is what was stored, until somebody finds that it is damaged", () => {
  const { storage, persist, pass } = makeStorage();
  persist(1, 2, 3, 5);
  pass(100);
  const found: number[] = [];
  storage.read(2, 5, (record) => {
    found.push(readRecord(record).instance);
    return Fetched.more;
  });
  assert.deepEqual(found, [2, 3, 5]);
  storage.read(1, 6, () => Fetched.damaged);
  persist(6);
  pass(1000);
  assert.equal(storage.condition, StorageCondition.failed);
  assert.equal(storage.durable, 4);
});
