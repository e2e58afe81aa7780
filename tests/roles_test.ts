/** Acceptors, proposers and learners as processes of their own, and how each role ends. */
import assert from "node:assert/strict";
import { HOSTS, on, runOnAll } from "./hosts.ts";
import { createNet } from "./netns.ts";
import { inNamespaces, KPAXOS, type Kpaxos, Stage } from "./process.ts";

Deno.test({
  name:
    "acceptor, proposer and learner on every host decide values through every proposer",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await runOnAll(stage, net, "acceptor");
    await runOnAll(stage, net, "proposer");
    const learners = await Promise.all(
      HOSTS.map((host, i) =>
        stage.runLearner(`--id ${i + 1} --if eth0`, on(net, host))
      ),
    );
    const submitted: string[] = [];
    for (const proposer of [1, 2, 3]) {
      const file = stage.path(`submitted-${proposer}`);
      submitted.push(file);
      const client = stage.start(
        `client --if eth0 --count 20000 --json --proposer-id ${proposer} --submitted ${file}`,
        on(net, "d"),
      );
      await client.ends(0);
      assert.equal(client.report.at(-1)!.values, 20000);
    }
    assert.equal(await stage.agree(submitted, learners), 60000);
  },
});

Deno.test({
  name:
    "lines of standard input are delivered once each by all learners when every node loses frames",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    await runOnAll(stage, net, "acceptor", " --loss 0.1");
    await stage.run("proposer --id 1 --if eth0 --loss 0.1", on(net, "a"));
    const raw = [1, 2].map((id) =>
      stage.start(
        `learner --id ${id} --if eth0 --loss 0.1 --output raw`,
        on(net, "b"),
      )
    );
    const checked = [
      await stage.runLearner("--id 3 --if eth0 --loss 0.1", on(net, "c")),
      await stage.runLearner("--id 4 --if eth0 --loss 0.1", on(net, "d")),
    ];
    const lines = Array.from({ length: 2000 }, (_, i) => String(i + 1));
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --loss 0.1 --stdin --submitted ${submitted}`,
      { ...on(net, "d"), stdin: "piped" },
    );
    await feed(client, lines);
    await client.ends(0);

    for (const learner of raw) await learner.prints(lines.length);
    for (const learner of raw) await learner.endsOn("SIGTERM", 0);
    assert.deepEqual(raw[0].output.lines, raw[1].output.lines);
    assert.deepEqual(sorted(raw[0].output.lines), lines);
    assert.equal(await stage.agree([submitted], checked), lines.length);
  },
});

Deno.test({
  name: "a node uses the socket that was made while its thread started",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    await stage.run("acceptor --id 1 --if eth0", on(net, "a"));
    // One that it did not use would be listed too (proc(5)), below a line of titles.
    const listed = net.exec("a", "cat", "/proc/net/packet").trim().split("\n");
    assert.equal(listed.length - 1, 1);
  },
});

async function feed(client: Kpaxos, lines: readonly string[]): Promise<void> {
  const writer = client.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.join("\n") + "\n"));
  await writer.close();
}

function sorted(numbers: readonly string[]): string[] {
  return [...numbers].sort((a, b) => Number(a) - Number(b));
}

Deno.test({
  name: "every role ends in order on a signal, and a learner says goodbye",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    const acceptors = await runOnAll(
      stage,
      net,
      "acceptor",
      " --verbosity debug",
    );
    const [proposer] = await runOnAll(stage, net, "proposer");
    const learner = await stage.run("learner --id 7 --if eth0", on(net, "a"));
    const hi = acceptors.map((it) => it.says(/learner registered learner=7 /));
    await Promise.all(hi);
    await learner.endsOn("SIGINT", 130);
    const bye = acceptors.map((it) => it.says(/learner left learner=7 /));
    await Promise.all(bye);

    const client = stage.start("client --if eth0", on(net, "c"));
    await client.says(/ 1 s .* values\/s/);
    await client.endsOn("SIGINT", 130);
    await client.says(/values decided/);
    await client.says(/latency p50 .* p90 .* p99 .* p99.9 .* max /);
    await acceptors[2].endsOn("SIGINT", 130);
    await acceptors[1].endsOn("SIGTERM", 0);
    await proposer.endsOn("SIGTERM", 0);
  },
});

Deno.test({
  name: "a learner serves every program that reads its socket",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    await runOnAll(stage, net, "replica");
    const path = stage.path("socket");
    const learner = await stage.run(
      `learner --id 4 --if eth0 --output none --socket ${path}`,
      on(net, "a"),
    );
    const readers = await Promise.all([connect(path), connect(path)]);
    const texts = readers.map((it) => new Response(it.readable).text());
    const client = stage.start("client --if eth0 --count 3000", on(net, "b"));
    await client.ends(0);
    await learner.endsOn("SIGTERM", 0);
    const [first, second] = await Promise.all(texts);
    assert.equal(first, second);
    assert.equal(first.trimEnd().split("\n").length, 3000);
    // The client's session opens in the first instance.
    assert.equal(JSON.parse(first.split("\n")[0]).instance, 2);
  },
});

function connect(path: string): Promise<Deno.UnixConn> {
  return Deno.connect({ transport: "unix", path });
}

Deno.test({
  name: "a learner ends in order when nobody reads its output any more",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    await runOnAll(stage, net, "replica");
    const learner = `${KPAXOS.join(" ")} learner --id 4 --if eth0 --output raw`;
    const argv = [
      "bash",
      "-c",
      `${learner} | head -n 2; echo \${PIPESTATUS[0]}`,
    ];
    const pipe = new Deno.Command("ip", {
      args: net.command("a", argv).slice(1),
      stdout: "piped",
    }).spawn();
    const client = stage.start(
      "client --if eth0 --count 10000 --value-size 9",
      on(net, "b"),
    );
    await client.ends(0);
    const { stdout } = await pipe.output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.equal(lines[2], "0");
  },
});

Deno.test({
  name:
    "a learner whose output cannot be written says so, and the cluster goes on",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    await runOnAll(stage, net, "replica");
    const learner = stage.start("learner --id 4 --if eth0", {
      prefix: net.command("a", ["sh", "-c", 'exec "$@" >/dev/full', "sh"]),
    });
    const client = stage.start(
      "client --if eth0 --count 10000",
      on(net, "b"),
    );
    await client.ends(0);
    await learner.says(/cannot write to standard output: No space left/);
    await learner.ends(1);
  },
});
