/** The bench's command line, and the disk's own figures. */
import assert from "node:assert/strict";
import { measureDisk } from "../scripts/disk_floor.ts";

/** What it says to arguments that it refuses. */
function refusal(...words: string[]): string {
  const { code, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "scripts/bench.ts", ...words],
  }).outputSync();
  assert.equal(code, 2, words.join(" "));
  return new TextDecoder().decode(stderr);
}

Deno.test("the bench refuses words that it does not know, before it measures anything", () => {
  assert.match(refusal("everything"), /unknown argument everything/);
  assert.match(
    refusal("--storage", "disk"),
    /--storage wants memory, .*not disk/,
  );
  assert.match(refusal("--storage", "memory,"), /not nothing/);
  assert.match(refusal("--outstanding", "1,many"), /--outstanding .*not many/);
  assert.match(refusal("--repeats", "0"), /--repeats wants .*not 0/);
});

Deno.test("the disk's own figures are counted for every batch, and nothing is left in the folder", () => {
  const folder = Deno.makeTempDirSync();
  const { fdatasyncs_per_s, lmdb } = measureDisk(folder, 0.3);
  assert(fdatasyncs_per_s > 0);
  assert.deepEqual(lmdb.map(({ batch }) => batch), [1, 16, 64, 256, 1024]);
  for (const { batch, commits_per_s, puts_per_s, commit_p50_us } of lmdb) {
    assert(commits_per_s > 0 && commit_p50_us > 0);
    assert.equal(puts_per_s, commits_per_s * batch);
  }
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  Deno.removeSync(folder);
});
