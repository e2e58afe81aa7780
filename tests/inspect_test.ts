/** `kpaxos inspect` on a directory with a real database: what it tells, and what it says of damage. */
import assert from "node:assert/strict";
import {
  Record as RecordKind,
  RECORD_BYTES,
  RECORD_VALUES,
} from "../core/layout.ts";
import { EXIT, UserError } from "../roles/errors.ts";
import {
  type Inspection,
  type InspectOptions,
  runInspect,
} from "../roles/inspect.ts";
import { Committer } from "../storage/committer.ts";
import { StorageDirectory } from "../storage/directory.ts";
import { openLmdbStore } from "../storage/lmdb_store.ts";
import { Table } from "../storage/store.ts";
import { makeRecord, sealRecord } from "../storage/stored_record.ts";
import { TestJournal } from "../storage/testing.ts";
import { ballotOf, encodeBatch, run } from "./encode.ts";

const BALLOT = Number(ballotOf(3, 2));
/** A value that stands in the file once, to be found and damaged. */
const MARKED = "a value that is marked";

const DIRECTORY = {
  id: 2,
  cluster: 9,
  bytesMax: 1 << 24,
  synchronous: true,
  trash: false,
  incarnation: 77,
};

function acceptRecord(instance: number): Uint8Array {
  const texts = instance === 2
    ? [MARKED, "\u001b[31mred"]
    : [`value ${instance}`];
  const batch = encodeBatch([run(5n, instance * 10, ...texts)]);
  const header = { kind: RecordKind.accept, instance, ballot: BALLOT };
  const view = makeRecord({ ...header, incarnation: 7 }, batch.length);
  view.setUint16(RECORD_VALUES, texts.length, true);
  new Uint8Array(view.buffer).set(batch, RECORD_BYTES);
  return sealRecord(view);
}

/** Replica 2's directory with instances 1 to 3 and 5, in a folder that is removed at the end. */
async function withDirectory(
  test: (directory: string) => void | Promise<void>,
): Promise<void> {
  const path = Deno.makeTempDirSync();
  try {
    const storage = StorageDirectory.open({
      ...DIRECTORY,
      path,
      kind: "replica",
    });
    const journal = new TestJournal();
    journal.append(RecordKind.known, { instance: 3, incarnation: 0xabcd });
    for (const instance of [1, 2, 3, 5]) {
      journal.appendBytes(acceptRecord(instance));
    }
    journal.append(RecordKind.decided, { instance: 4 });
    journal.append(RecordKind.confirmed, { instance: 1 });
    assert(new Committer(storage.store, journal).commit(journal.last, 1));
    storage.close();
    await test(storage.path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

function inspect(directory: string, options: Partial<InspectOptions> = {}) {
  let out = "";
  const code = runInspect(
    { directory, verify: false, json: false, ...options },
    { out: (text) => out += text, err: () => {} },
  );
  return { code, out };
}

function flip(directory: string, text: string): void {
  const file = `${directory}/data.mdb`;
  const bytes = Deno.readFileSync(file);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(text);
  assert(at >= 0, "the text is in the file");
  bytes[at] ^= 4;
  Deno.writeFileSync(file, bytes);
}

Deno.test("it tells whose storage it is, the promise, the instances and an instance's values", async () => {
  await withDirectory((directory) => {
    const { code, out } = inspect(directory, { instance: 2, verify: true });
    assert.equal(code, EXIT.done);
    const lines = out.split("\n");
    assert.equal(lines[0], `${directory}: replica 2 of cluster 9, format 2`);
    assert.match(
      lines[1],
      /^memory 0000004d, lmdb-sync yes, all of it on disk$/,
    );
    assert.ok(
      lines.includes("acceptor: promised 3.2, all below 4 decided, votes"),
      out,
    );
    assert.ok(lines.includes("log: 4 records of instances: 1-3, 5"), out);
    assert.ok(lines.includes("acceptors known: 3 0000abcd"), out);
    assert.ok(lines.includes("learner: no checkpoint"), out);
    assert.match(
      out,
      /instance 2: accepted in ballot 3.2, 2 values, \d+ bytes/,
    );
    assert.ok(lines.includes(`  client 5 20: 22 bytes, "${MARKED}"`), out);
    assert.ok(lines.includes(`  client 5 21: 8 bytes, "\\u001b[31mred"`), out);
    assert.match(
      out,
      /verified \d+ values.*every checksum matches, and nothing is missing/,
    );
  });
});

Deno.test("it tells the same to a program", async () => {
  await withDirectory((directory) => {
    const { out } = inspect(directory, { instance: 4, json: true });
    const found: Inspection = JSON.parse(out);
    assert.equal(found.stamp.kind, "replica");
    assert.equal(found.acceptor!.promised, "3.2");
    assert.equal(found.acceptor!.decided, 4);
    assert.equal(found.acceptor!.confirmed, true);
    assert.deepEqual(found.acceptor!.known, { 3: 0xabcd });
    assert.deepEqual(found.acceptor!.ranges, [
      { first: 1, last: 3 },
      { first: 5, last: 5 },
    ]);
    assert.equal(found.learner, null);
    assert.equal(found.instance, null, "instance 4 was never accepted");
  });
});

Deno.test("of a learner it tells the checkpoint, and nothing of an acceptor", () => {
  const path = Deno.makeTempDirSync();
  try {
    const storage = StorageDirectory.open({
      ...DIRECTORY,
      path,
      kind: "learner",
    });
    const journal = new TestJournal();
    journal.append(RecordKind.checkpoint, { instance: 42 });
    assert(new Committer(storage.store, journal).commit(journal.last, 1));
    storage.close();
    const { out } = inspect(storage.path);
    assert.doesNotMatch(out, /acceptor|promised|log:/);
    assert.match(out, /^learner: delivers instance 42 next, 0 sessions$/m);
    const found: Inspection = JSON.parse(
      inspect(storage.path, { json: true }).out,
    );
    assert.equal(found.acceptor, null);
    assert.equal(found.learner?.next_instance, 42);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("a flipped bit in a value is found by --verify, and named when that instance is shown", async () => {
  await withDirectory((directory) => {
    flip(directory, MARKED);
    assert.equal(inspect(directory).code, EXIT.done, "nothing read it");
    const { code, out } = inspect(directory, { verify: true, json: true });
    assert.equal(code, EXIT.failed);
    assert.match(
      JSON.parse(out).verified.damage,
      /instance 2: its checksum does not match/,
    );
    assert.throws(() => inspect(directory, { instance: 2 }), {
      name: UserError.name,
      message: /is damaged: instance 2: its checksum does not match/,
      exitCode: EXIT.failed,
    });
  });
});

Deno.test("a truncated file and a directory without one are refused with the reason", async () => {
  await withDirectory((directory) => {
    Deno.truncateSync(`${directory}/data.mdb`, 10_000);
    assert.throws(() => inspect(directory), {
      name: UserError.name,
      message: /is damaged: page \d+ of data.mdb: the file ends before it/,
    });
    assert.throws(() => inspect(`${directory}/nowhere`), {
      name: UserError.name,
      message: /is no node's storage: it has no data.mdb/,
      exitCode: EXIT.environment,
    });
  });
});

Deno.test("of a node that was killed in the middle of a commit it tells that the next start takes it back", async () => {
  await withDirectory((directory) => {
    const store = openLmdbStore({
      directory,
      bytesMax: 1 << 24,
      // Its commits are not sealed, as that of a process that does not come to it.
      synchronous: false,
    });
    store.begin();
    store.remove(Table.log, 5);
    store.commit();
    store.close();
    assert.match(
      inspect(directory).out,
      /had not ended: the next start takes that back/,
    );
    const path = directory.slice(0, directory.lastIndexOf("/"));
    const again = StorageDirectory.open({
      ...DIRECTORY,
      path,
      kind: "replica",
    });
    assert.match(again.note!, /a commit was under way/);
    assert.equal(again.store.count(Table.log), 4);
    again.close();
    assert.match(inspect(directory).out, /all of it on disk/);
  });
});

Deno.test("of what was set aside after a power cut it tells what can be read, and names pages that are torn", async () => {
  await withDirectory((directory) => {
    const boot = "another start of the machine";
    const mark = { format: 1, cluster: 9, kind: "replica", id: 2, boot };
    Deno.writeTextFileSync(`${directory}/mark`, JSON.stringify(mark));
    assert.match(
      inspect(directory).out,
      /left by a machine that lost power: not to be trusted/,
    );
    const found: Inspection = JSON.parse(
      inspect(directory, { json: true }).out,
    );
    assert.equal(found.state, "torn");
    const file = `${directory}/data.mdb`;
    const bytes = Deno.readFileSync(file);
    Deno.writeFileSync(file, bytes.fill(0, 2 * 4096));
    assert.throws(() => inspect(directory), {
      name: UserError.name,
      message: /is damaged: page \d+ of data.mdb: it has another number/,
    });
  });
});
