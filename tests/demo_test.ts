/** `kpaxos demo`, with and without namespaces, to its end and interrupted. */
import assert from "node:assert/strict";
import { inNamespaces, Stage } from "./process.ts";
import { FORBIDDEN, UNPRIVILEGED } from "./rights.ts";

const VERDICT = "agreement ok, integrity ok, no duplicates, 100% terminated";

/** The environment of a demo whose files go to this stage's folder. */
function environment(stage: Stage, path = Deno.env.get("PATH")!) {
  return { ...Deno.env.toObject(), PATH: path, TMPDIR: stage.folder };
}

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

/** Ids of the processes that have all these words on their command lines. */
function processes(...words: string[]): number[] {
  const numbers = Array.from(Deno.readDirSync("/proc"), ({ name }) => name)
    .filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      const line = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
      return words.every((word) => line.includes(word));
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}

Deno.test({
  name: "the demo proves agreement in a private network, without privileges",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const demo = stage.start("demo --seconds 1", {
      prefix: UNPRIVILEGED,
      env: environment(stage),
    });
    await demo.ends(0);
    const output = demo.output.lines;
    assert.equal(output.at(-1), VERDICT);
    assert.match(output[0], /^[\d,]+ values decided over bare Ethernet frames/);
    assert.match(output[1], /^latency p50 .* max /);
    await demo.says(/each in a network namespace of its own/);
    await demo.says(/replica \d leads, ballot /);
    await demo.says(/ 1 s .* values\/s/);
    assert.deepEqual(filesIn(stage.folder), []);
  },
});

Deno.test({
  name: "the demo uses UDP on loopback where namespaces are forbidden",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const demo = stage.start("demo --seconds 1", {
      prefix: FORBIDDEN,
      env: environment(stage),
    });
    await demo.ends(0);
    assert.match(demo.output.lines[0], /decided over UDP on loopback/);
    assert.equal(demo.output.lines.at(-1), VERDICT);
    await demo.says(/namespaces are forbidden here: unshare: /);
    assert.deepEqual(filesIn(stage.folder), []);
  },
});

Deno.test("the demo uses UDP without unshare(1), keeps its files and prints JSON", async () => {
  await using stage = new Stage();
  const bin = stage.path("bin");
  await Deno.mkdir(bin);
  await Deno.symlink("/bin/sh", `${bin}/sh`);
  const demo = stage.start("demo --seconds 1 --replicas 5 --keep --json", {
    env: environment(stage, bin),
  });
  await demo.ends(0);
  await demo.says(/unshare\(1\) is not installed/);
  assert.equal(demo.output.lines.length, 1);
  const summary = JSON.parse(demo.output.lines[0]);
  assert.equal(summary.ok, true);
  assert.equal(summary.verdict, VERDICT);
  assert.equal(summary.network, "loopback");
  assert.equal(summary.replicas, 5);
  assert(summary.values > 0);
  assert.deepEqual(summary.learners, [
    { id: 6, delivered: summary.values },
    { id: 7, delivered: summary.values },
  ]);
  const files = filesIn(summary.folder);
  const expected = ["client.log", "learner-6.log", "learner-7.ndjson"];
  expected.push("replica-1.log", "replica-5.log", "submitted.txt");
  for (const name of expected) assert(files.includes(name), files.join());
});

Deno.test({
  name: "an interrupted demo leaves nothing behind",
  ...inNamespaces,
  async fn(t) {
    const moments = {
      "while nodes start": /each in a network namespace/,
      "under load": / 1 s .* values\/s/,
    };
    for (const [when, line] of Object.entries(moments)) {
      await t.step(when, async () => {
        await using stage = new Stage();
        const demo = stage.start("demo --seconds 60", {
          env: environment(stage),
        });
        await demo.says(line);
        await demo.endsOn("SIGINT", 130);
        assert.deepEqual(filesIn(stage.folder), []);
        assert.deepEqual(processes(stage.folder), []);
      });
    }
  },
});

Deno.test({
  name: "the demo names the node that failed, and ends",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const demo = stage.start("demo --seconds 60", { env: environment(stage) });
    await demo.says(/ 1 s .* values\/s/);
    const [replica] = processes(stage.folder, "replica\0--id\x002\0");
    Deno.kill(replica, "SIGKILL");
    await demo.ends(1);
    await demo.says(/replica 2 was ended by SIGKILL/);
    assert.deepEqual(filesIn(stage.folder), []);
    assert.deepEqual(processes(stage.folder), []);
  },
});
