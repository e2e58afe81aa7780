/** Three replicas on three hosts, with no configuration and no MAC address anywhere. */
import assert from "node:assert/strict";
import { createNet, type Net } from "./netns.ts";
import { inNamespaces, type Kpaxos, Stage } from "./process.ts";

const HOSTS = ["a", "b", "c"];

/** Starts replicas 1 to 3, each on a host of its own. */
function startReplicas(
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

Deno.test({
  name:
    "replicas decide values in every second, also when a follower is killed",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: [...HOSTS, "d"] });
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    const replicas = await startReplicas(stage, net);
    const learned = ["4", "5"].map((id) => stage.path(`learner-${id}`));
    const learners = await Promise.all(
      learned.map((outputFile, i) =>
        stage.run(`learner --id ${4 + i} --if eth0`, { ...onD, outputFile })
      ),
    );

    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if eth0 --outstanding 32 --seconds 3 --json --submitted ${submitted}`,
      onD,
    );
    await client.prints(1);
    replicas[2].signal("SIGKILL");
    await client.ends(0);
    const seconds = client.report.slice(0, -1);
    assert.equal(seconds.length, 3);
    for (const { values } of seconds) assert(values > 0);
    assert.equal(client.report.at(-1)!.unanswered, 0);

    for (const learner of learners) await learner.endsOn("SIGTERM", 0);
    await stage.check([submitted], learned);
  },
});
