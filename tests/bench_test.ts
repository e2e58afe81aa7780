/** `kpaxos bench` on real sockets, to its end and interrupted; and the disk's own figures. */
import assert from "node:assert/strict";
import { measureDisk } from "../roles/bench/disk_floor.ts";
import type { Judgement } from "../roles/bench/judgement.ts";
import type { Result } from "../roles/bench/summary.ts";
import { TARGETS } from "../roles/bench/targets.ts";
import { inNamespaces, Stage } from "./process.ts";
import { FORBIDDEN, UNPRIVILEGED } from "./rights.ts";

/** The environment of a bench whose files go to this stage's folder. */
function environment(stage: Stage) {
  return { ...Deno.env.toObject(), TMPDIR: stage.folder };
}

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test({
  name:
    "without privileges a bench measures every cell beside its floors, and leaves its chart alone behind",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const chart = stage.path("chart.svg");
    const bench = stage.start(
      "bench --topology roles --storage memory,lmdb-sync --outstanding 1,64 " +
        `--repeats 1 --seconds 1 --json --chart ${chart}`,
      { prefix: UNPRIVILEGED, env: environment(stage) },
    );
    await bench.ended;
    await bench.ends(0);
    assert.equal(bench.output.lines.length, 1);
    const result: Result & { readonly targets: readonly Judgement[] } = JSON
      .parse(bench.output.lines[0]);
    assert.deepEqual(
      result.rows.map(({ topology, storage, outstanding }) =>
        `${topology} ${storage} ${outstanding}`
      ),
      ["memory", "lmdb-sync"].flatMap((storage) =>
        [1, 64].map((outstanding) => `roles ${storage} ${outstanding}`)
      ),
    );
    for (const row of result.rows) {
      assert(row.values_per_s.median > 0 && row.p50_us.median > 0);
      assert(row.frames_per_value > 0 && row.bytes_per_value > 64);
      assert(row.processes.some(({ name }) => name === "client"));
      // A proposer, three acceptors, a learner and the client.
      assert.equal(row.processes.length, 6);
      assert(
        row.processes.every(({ ownBytes, rssBytes }) =>
          ownBytes > 1 << 20 && rssBytes > ownBytes
        ),
      );
    }
    const [network] = result.networks;
    assert(network.relay_p50_us > 0 && network.relay_frames_per_s > 0);
    assert(network.spinning_p50_us > 0);
    const [flow] = result.flows;
    assert(flow.frameBytes < network.mtu && flow.frames_per_s > 0);
    assert(result.rows.every(({ to_relay }) => to_relay > 0));
    assert(result.idle!.cores.median > 0);
    assert.equal(result.targets.length, TARGETS.length);
    // The cells of both loads were measured, on a topology that some targets name.
    assert(result.targets.some(({ verdict }) => verdict !== "not measured"));
    assert(result.disk!.inPlace.per_s > 0);
    assert(result.start_ms!.median > 0);
    assert.match(Deno.readTextFileSync(chart), /^<svg [^]*<\/svg>\s*$/);
    assert.deepEqual(filesIn(stage.folder), ["chart.svg"]);
  },
});

Deno.test({
  name: "an interrupted bench prints what it has, and leaves nothing behind",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const bench = stage.start(
      "bench --storage memory --outstanding 1 --repeats 1 --seconds 60",
      { env: environment(stage) },
    );
    await bench.says(/replicas, memory/);
    await bench.endsOn("SIGINT", 130);
    assert.match(
      bench.output.lines.join("\n"),
      /relay, MTU 1500: .* p50 [^]*No cell/,
    );
    assert.deepEqual(filesIn(stage.folder), []);
  },
});

Deno.test({
  name: "one long run compares its end with its beginning",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const bench = stage.start(
      "bench --storage memory --outstanding 1 --long 3s --json",
      { env: environment(stage) },
    );
    await bench.ended;
    await bench.ends(0);
    const told = JSON.parse(bench.output.lines[0]);
    assert(told.values > 0 && told.ratio > 0);
    assert.equal(told.last.processes.length, 4);
    assert.deepEqual(filesIn(stage.folder), []);
  },
});

Deno.test({
  name: "a bench says why it cannot begin",
  ...inNamespaces,
  async fn() {
    await using stage = new Stage();
    const env = environment(stage);
    const forbidden = stage.start("bench --storage memory --outstanding 1", {
      prefix: FORBIDDEN,
      env,
    });
    await forbidden.ends(3);
    await forbidden.says(/private network, .*namespaces are forbidden here/);
    const nowhere = stage.start(`bench --folder ${stage.path("none")}`, {
      env,
    });
    await nowhere.ends(3);
    await nowhere.says(/cannot make a folder for databases: .*--folder/);
    assert.deepEqual(filesIn(stage.folder), []);
  },
});

Deno.test("the disk's own figures are counted for every batch, and nothing is left in the folder", () => {
  const folder = Deno.makeTempDirSync();
  const disk = measureDisk(folder, 0.4);
  assert(disk.growing.per_s > 0 && disk.inPlace.per_s > 0);
  assert(disk.growing_bytes_per_s > 0 && disk.inPlace_bytes_per_s > 0);
  assert.deepEqual(disk.lmdb.map(({ batch }) => batch), [1, 16, 64, 256, 1024]);
  for (const { batch, commits_per_s, puts_per_s, commit_p50_us } of disk.lmdb) {
    assert(commits_per_s > 0 && commit_p50_us > 0);
    assert.equal(puts_per_s, commits_per_s * batch);
  }
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  Deno.removeSync(folder);
});
