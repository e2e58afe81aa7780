/** The simulated disk: what is durable when, what a crash leaves, and damage that is seen. */
import assert from "node:assert/strict";
import type { CoreRecord } from "../core/core.ts";
import { Record } from "../core/layout.ts";
import { StorageError } from "../storage/storage.ts";
import { Disk, DiskStorage } from "./disk.ts";
import { Random } from "./random.ts";

function record(instance: number): CoreRecord {
  return {
    kind: Record.accept,
    ballot: 65537n,
    incarnation: 7,
    instance,
    values: 1,
    batch: Uint8Array.of(instance, 2, 3),
  };
}

/** A disk whose commits take 100 µs, and storage on it. */
function makeStorage(seed = 1) {
  const disk = new Disk(1, { least: 100, most: 100 });
  const clock = { now_us: 0 };
  let last = 0;
  const storage = new DiskStorage(disk, new Random(seed), () => clock.now_us);
  const persist = (...instances: number[]) => {
    last += instances.length;
    storage.persist({
      lastRecord: last,
      recordCount: instances.length,
      record: (i) => record(instances[i]),
      trimLimit: 1,
    });
  };
  const pass = (us: number) => {
    clock.now_us += us;
    storage.advance();
  };
  return { disk, storage, persist, pass };
}

/** Instances of the records that a new process finds. */
function recovered(disk: Disk): number[] {
  const instances: number[] = [];
  new DiskStorage(disk, new Random(1), () => 0).recover(
    (found) => instances.push(found.instance),
  );
  return instances;
}

Deno.test("commits become durable one after another, whole", () => {
  const { disk, storage, persist, pass } = makeStorage();
  persist(1, 2);
  persist(3);
  assert.equal(storage.durable, 0);
  pass(100);
  assert.equal(storage.durable, 2);
  assert.deepEqual(recovered(disk), [1, 2]);
  pass(99);
  assert.equal(storage.durable, 2);
  pass(1);
  assert.equal(storage.durable, 3);
});

Deno.test("a record comes back as it was", () => {
  const { disk, persist, pass } = makeStorage();
  persist(9);
  pass(100);
  const found: CoreRecord[] = [];
  new DiskStorage(disk, new Random(1), () => 0).recover(
    (it) => found.push({ ...it, batch: it.batch.slice() }),
  );
  assert.deepEqual(found, [record(9)]);
});

Deno.test("a crash leaves the first few commits under way, in some seeds all and in some none", () => {
  const left = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const { disk, storage, persist } = makeStorage(seed);
    persist(1);
    persist(2);
    storage.crash();
    const found = recovered(disk);
    assert.deepEqual(found, [1, 2].slice(0, found.length), `seed ${seed}`);
    left.add(found.length);
  }
  assert.deepEqual([...left].sort(), [0, 1, 2]);
});

Deno.test("a commit that fails, or does not fit, is never durable, nor is any after it", () => {
  for (const trouble of ["failing", "full"]) {
    const { disk, storage, persist, pass } = makeStorage();
    persist(1);
    pass(100);
    if (trouble === "failing") disk.failing = true;
    else disk.capacityBytes = disk.bytes;
    persist(2);
    pass(100);
    disk.failing = false;
    disk.capacityBytes = Infinity;
    persist(3);
    pass(1000);
    assert.equal(storage.durable, 1, trouble);
    assert.equal(storage.due_us, Infinity);
    storage.crash();
    assert.deepEqual(recovered(disk), [1], trouble);
  }
});

Deno.test("any flipped bit is seen, and is not taken for an absent record", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { disk, persist, pass } = makeStorage();
    persist(1, 2, 3);
    pass(100);
    assert(disk.flipBit(new Random(seed)));
    assert.throws(() => recovered(disk), StorageError, `seed ${seed}`);
  }
  assert(!new Disk(1, { least: 0, most: 0 }).flipBit(new Random(1)));
});
