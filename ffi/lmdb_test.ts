import assert from "node:assert/strict";
import { embedLmdb, lmdbError, openLmdb } from "./lmdb.ts";

Deno.test("an error of LMDB or of the system says whether trying again can help, what it is, and what was tried", () => {
  const cases = [
    [-30792, "full", /^cannot write x: it may not grow further \(lmdb-maps/],
    [-30788, "full", /one commit has too many pages \(LMDB -30788\)$/],
    [28, "full", /there is no space left on the disk \(errno 28\)$/],
    [122, "full", /the disk quota is used up/],
    [-30796, "damaged", /a page of it has another type/],
    [-30797, "damaged", /a page that it refers to is not there/],
    [-30793, "damaged", /does not begin as a database of LMDB/],
    [-30794, "damaged", /another version of LMDB/],
    [5, "failed", /the disk reports an input or output error \(errno 5\)$/],
    [-30795, "failed", /^cannot write x: LMDB -30795$/],
    [13, "failed", /^cannot write x: errno 13$/],
  ] as const;
  for (const [result, code, text] of cases) {
    const error = lmdbError(result, "write x");
    assert.equal(error.code, code, `${result}`);
    assert.match(error.message, text);
  }
});

Deno.test("two that open the embedded library have the same one", () => {
  const path = embedLmdb();
  const [first, second] = [openLmdb(path), openLmdb(path)];
  const environment = new BigUint64Array(1);
  assert.equal(first.mdb_env_create(environment), 0);
  // An environment of one is one of the other.
  second.mdb_env_close(Deno.UnsafePointer.create(environment[0]));
  const maps = Deno.readTextFileSync("/proc/self/maps").split("\n");
  const loaded = maps.filter((line) => /r-xp.*liblmdb/.test(line));
  assert.equal(loaded.length, 1);
});
