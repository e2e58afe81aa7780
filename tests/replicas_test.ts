/** Three replicas on three hosts, with no configuration and no MAC address anywhere, and what may happen to them. */
import assert from "node:assert/strict";
import { createNet, type Net } from "./netns.ts";
import { inNamespaces, type Kpaxos, Stage } from "./process.ts";

const HOSTS = ["a", "b", "c"];

/** Starts replicas 1 to 3, each on a host of its own. */
function runReplicas(
  stage: Stage,
  net: Net,
  options = "",
): Promise<Kpaxos[]> {
  return Promise.all(
    HOSTS.map((host, i) =>
      stage.run(`replica --id ${i + 1} --if eth0${options}`, {
        prefix: net.command(host, []),
      })
    ),
  );
}

/** A network of three hosts for replicas, and "d" for the others. */
function makeNet(): Promise<Net> {
  return createNet({ nodes: [...HOSTS, "d"] });
}

Deno.test({
  name:
    "a learner that starts late catches up while values are decided, and has all of them",
  ...inNamespaces,
  async fn() {
    await using net = await makeNet();
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    const replicas = await runReplicas(stage, net, " --output none");
    const early = await stage.runLearner("--id 4 --if eth0", onD);
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --outstanding 8 --seconds 2 --json --submitted ${submitted}`,
      onD,
    );
    await client.prints(1);
    const late = await stage.runLearner("--id 5 --if eth0", onD);
    await client.ends(0);
    const values = await stage.agree([submitted], [early, late]);
    assert.equal(values, client.report.pop()!.values);
    for (const replica of replicas) await replica.endsOn("SIGTERM", 0);
  },
});

Deno.test({
  name: "replicas decide values in every second, also when one is killed",
  ...inNamespaces,
  async fn() {
    await using net = await makeNet();
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    const replicas = await runReplicas(stage, net);
    const learners = await Promise.all([
      stage.runLearner("--id 4 --if eth0", onD),
      stage.runLearner("--id 5 --if eth0", onD),
    ]);
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --outstanding 32 --seconds 3 --json --submitted ${submitted}`,
      onD,
    );
    await client.prints(1);
    replicas[2].signal("SIGKILL");
    await client.ends(0);

    const { report } = client;
    const summary = report.pop()!;
    assert.equal(report.length, 3);
    for (const { values } of report) assert(values > 0, JSON.stringify(report));
    assert.equal(summary.unanswered, 0);
    const values = await stage.agree([submitted], learners);
    assert.equal(values, summary.values);
    for (const replica of replicas.slice(0, 2)) {
      await replica.endsOn("SIGTERM", 0);
    }
  },
});

Deno.test({
  name: "a replica whose interface was down for a while votes again",
  ...inNamespaces,
  async fn() {
    await using net = await makeNet();
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    const replicas = await runReplicas(stage, net);
    const learner = await stage.runLearner("--id 4 --if eth0", onD);
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --outstanding 8 --json --submitted ${submitted}`,
      onD,
    );
    await client.prints(1);
    net.exec("b", "ip", "link", "set", "eth0", "down");
    await replicas[1].says(/interface eth0 is down/);
    net.exec("b", "ip", "link", "set", "eth0", "up");
    await replicas[1].says(/interface eth0 is up again/);

    // Without replica 3, nothing is decided but by the vote of replica 2.
    await replicas[2].endsOn("SIGTERM", 0);
    const before = client.output.lines.length;
    await client.prints(before + 3);
    assert(client.report[before + 2].values > 0, client.output.lines.join());

    await client.endsOn("SIGINT", 130);
    assert.equal(client.report.at(-1)!.second, undefined);
    // What was in flight at the signal may be decided or not.
    await learner.process.endsOn("SIGTERM", 0);
  },
});

Deno.test({
  name: "a client says why nothing is decided",
  ...inNamespaces,
  async fn() {
    await using net = await makeNet();
    await using stage = new Stage();
    const on = (host: string) => ({ prefix: net.command(host, []) });
    // Clusters on the same cards do not hear one another.
    const pinned = stage.path("pinned.conf");
    await Deno.writeTextFile(pinned, "election no\n");
    const early = `--if eth0 --cluster 2 --new-cluster --conf ${pinned}`;
    await stage.run(`replica --id 2 ${early}`, on("b"));
    await stage.run(`replica --id 3 ${early}`, on("c"));
    const [, ...followers] = await runReplicas(stage, net, " --cluster 3");
    const [alone, leaderless, withoutQuorum] = [1, 2, 3].map((cluster) =>
      stage.start(`client --if eth0 --cluster ${cluster}`, on("d"))
    );
    await withoutQuorum.says(/ values\/s/);
    followers.forEach((follower) => follower.signal("SIGKILL"));

    await alone.says(/nothing decided: no answer at all on eth0/);
    await leaderless.says(/no leader heard.*acceptors heard: 2, 3/);
    await withoutQuorum.says(/no quorum: 1 of 3 acceptors vote.*: 2, 3/);
    for (const client of [alone, leaderless, withoutQuorum]) {
      await client.endsOn("SIGINT", 130);
    }
    // The others had no session, and so submitted nothing.
    await withoutQuorum.says(/32 values were .*not seen to be decided/);
  },
});

Deno.test({
  name:
    "a second replica with the id of another does not vote, and breaks nothing",
  ...inNamespaces,
  async fn() {
    await using net = await makeNet();
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    await runReplicas(stage, net);
    const learners = [
      await stage.runLearner("--id 4 --if eth0", onD),
      await stage.runLearner("--id 5 --if eth0", onD),
    ];
    const second = await stage.run("replica --id 1 --if eth0", onD);
    await second.says(/warn {2}replica 1: .*does not vote/);
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --count 5000 --submitted ${submitted}`,
      onD,
    );
    await client.ends(0);
    assert.equal(await stage.agree([submitted], learners), 5000);
  },
});
