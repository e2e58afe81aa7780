/** A real database with one flipped bit, wherever: it is refused as damaged, or gives what was stored. */
import assert from "node:assert/strict";
import { Record as RecordKind } from "../core/layout.ts";
import { UserError } from "../roles/errors.ts";
import { Committer } from "./committer.ts";
import { type DirectoryOptions, StorageDirectory } from "./directory.ts";
import { recover } from "./recovery.ts";
import { StorageError } from "./storage.ts";
import { StoreError } from "./store.ts";
import { TestJournal } from "./testing.ts";

const FLIPS = 200;
const PAGE_BYTES = 4096;
const BALLOT = { ballot: 0x20001, incarnation: 9 };

function options(path: string): DirectoryOptions {
  return {
    path,
    kind: "acceptor",
    id: 1,
    cluster: 1,
    bytesMax: 1 << 24,
    // Nothing here is about what a disk has.
    synchronous: false,
    trash: false,
    incarnation: 5,
  };
}

/** Some hundred instances of many sizes in as many commits, and one of everything else. */
function fill(path: string): Uint8Array {
  const directory = StorageDirectory.open(options(path));
  const journal = new TestJournal();
  const committer = new Committer(directory.store, journal);
  journal.append(RecordKind.known, { instance: 2, incarnation: 4 });
  journal.append(RecordKind.promise, BALLOT);
  journal.append(RecordKind.confirmed, { instance: 1 });
  for (let instance = 1; instance <= 300; instance++) {
    const payload = "v".repeat(instance * 37 % 1400);
    journal.append(RecordKind.accept, { instance, ...BALLOT }, payload);
    if (instance % 7 > 0) continue;
    journal.append(RecordKind.decided, { instance: instance - 6 });
    assert.ok(committer.commit(journal.last, 1));
  }
  assert.ok(committer.commit(journal.last, 1));
  directory.close();
  return Deno.readFileSync(`${path}/acceptor-1/data.mdb`);
}

/** All that the core is given, as text. */
function read(path: string): string {
  const directory = StorageDirectory.open(options(path));
  try {
    let text = "";
    const target = {
      recoverBytes: (record: Uint8Array) => (text += record.join()) !== "",
    };
    const name = path;
    return text +
      JSON.stringify(
        recover(directory.store, target, {
          name,
          logBytes: 1 << 24,
        }),
      );
  } finally {
    directory.abandon();
  }
}

Deno.test("a flipped bit anywhere in a database is seen as damage, or changes nothing", () => {
  const path = Deno.makeTempDirSync();
  try {
    const whole = fill(path);
    const stored = read(path);
    const outcomes = { refused: 0, same: 0 };
    for (let seed = 1; seed <= FLIPS; seed++) {
      let random = Math.imul(seed, 2654435761) >>> 0;
      const below = (end: number) => {
        random = Math.imul(random, 1664525) + 1013904223 >>> 0;
        return Math.floor(random / 2 ** 32 * end);
      };
      // Every second one where it hurts most: in a page's head, which has all the pointers.
      const page = below(whole.length / PAGE_BYTES);
      const at = page * PAGE_BYTES + below(seed % 2 === 0 ? 64 : PAGE_BYTES);
      const bytes = whole.slice();
      bytes[at] ^= 1 << below(8);
      Deno.writeFileSync(`${path}/acceptor-1/data.mdb`, bytes);
      try {
        const same = read(path) === stored;
        assert.ok(same, `seed ${seed}: byte ${at} gives another state`);
        outcomes.same++;
      } catch (error) {
        const isKnown = error instanceof UserError ||
          error instanceof StorageError || error instanceof StoreError;
        if (!isKnown) throw error;
        assert.match(error.message, /damaged|cannot read/, `seed ${seed}`);
        outcomes.refused++;
      }
    }
    // Some bits are of no account: of free pages, or of what was read over.
    assert.ok(outcomes.refused > FLIPS / 3, JSON.stringify(outcomes));
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
