/** Values of all sizes through real processes: what learners deliver is what was submitted. */
import assert from "node:assert/strict";
import { createNet, type Net } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

const HOSTS = ["a", "b", "c"];

/** Where a host's processes are started. */
function on(net: Net, host: string): { prefix: string[] } {
  return { prefix: net.command(host, []) };
}

/** Starts three replicas that each drop some of what they receive. */
async function runReplicas(stage: Stage, net: Net): Promise<void> {
  await Promise.all(
    HOSTS.map((host, i) =>
      stage.run(
        `replica --id ${i + 1} --if eth0 --loss 0.01 --output none`,
        on(net, host),
      )
    ),
  );
}

Deno.test({
  name:
    "values of 1 byte, 1 KB, 64 KB and 1 MiB from several clients are delivered whole and once at 1% loss",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await runReplicas(stage, net);
    const learners = await Promise.all([
      stage.runLearner("--id 4 --if eth0 --loss 0.01", on(net, "a")),
      stage.runLearner("--id 5 --if eth0 --loss 0.01", on(net, "d")),
    ]);
    const loads = [
      "--value-size 1 --count 500",
      "--value-size 1kb --count 2000",
      "--value-size 64kb --count 40 --clients 4",
      "--value-size 1mb --count 6 --clients 2",
    ];
    const submitted = loads.map((_, i) => stage.path(`submitted-${i}`));
    const clients = loads.map((load, i) =>
      stage.start(
        `client --if eth0 --loss 0.01 --json ${load} --submitted ${
          submitted[i]
        }`,
        on(net, "d"),
      )
    );
    for (const client of clients) await client.ends(0);
    assert.deepEqual(
      clients.map((client) => client.report.at(-1)!.values),
      [500, 2000, 40, 6],
    );
    assert.equal(await stage.agree(submitted, learners), 2546);
  },
});

Deno.test({
  name:
    "lines of standard input of all lengths up to 1 MiB are values, text or not",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await runReplicas(stage, net);
    const learner = await stage.runLearner("--id 4 --if eth0", on(net, "a"));
    const raw = stage.start(
      "learner --id 5 --if eth0 --output raw",
      on(net, "b"),
    );
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --stdin --clients 3 --submitted ${submitted}`,
      { ...on(net, "d"), stdin: "piped" },
    );
    const lines = [1, 1390, 1391, 1 << 20, 5000, 70_000, 1 << 20, 2, 200_000]
      .map((length, i) => new Uint8Array(length).fill(0x41 + i));
    // What is no UTF-8 is written as base64.
    lines[5].fill(0xff);
    const writer = client.stdin.getWriter();
    for (const line of lines) {
      await writer.write(line as Uint8Array<ArrayBuffer>);
      await writer.write(Uint8Array.of(10));
    }
    await writer.close();
    await client.ends(0);
    assert.equal(await stage.agree([submitted], [learner]), lines.length);
    await raw.prints(lines.length);
    assert.deepEqual(
      raw.output.lines.map(({ length }) => length).sort((a, b) => a - b),
      lines.map(({ length }) => length).sort((a, b) => a - b),
    );
  },
});

Deno.test({
  name: "a line of more than 1 MiB ends the client with its number",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await runReplicas(stage, net);
    const client = stage.start("client --if eth0 --stdin", {
      ...on(net, "d"),
      stdin: "piped",
    });
    const writer = client.stdin.getWriter();
    await writer.write(new TextEncoder().encode("short\n"));
    await writer.write(new Uint8Array((1 << 20) + 1).fill(0x41));
    await client.says(
      /line 2 of standard input has more than 1048576 bytes, the most that a value may have/,
    );
    await client.ends(1);
    await writer.abort().catch(() => {});
  },
});

Deno.test({
  name:
    "a client says that no learner answers, and begins when one is there; large values by many clients are refused at the start",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await Promise.all(
      HOSTS.map((host, i) =>
        stage.run(`acceptor --id ${i + 1} --if eth0`, on(net, host))
      ),
    );
    await stage.run("proposer --id 1 --if eth0", on(net, "a"));
    const client = stage.start("client --if eth0 --count 100", on(net, "d"));
    await client.says(/nothing decided: no learner answered/);
    await stage.runLearner("--id 4 --if eth0", on(net, "b"));
    await client.ends(0);
    const many = stage.start(
      "client --if eth0 --value-size 2kb --clients 33",
      on(net, "d"),
    );
    await many.says(/learners put together 32 values at a time/);
    await many.ends(2);
  },
});
