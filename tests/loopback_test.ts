/** Every role on loopback, as bare Ethernet frames. */
import assert from "node:assert/strict";
import { createNet } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

Deno.test({
  name: "processes of all roles on lo decide values",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    const onA = { prefix: net.command("a", []) };
    const roles = ["acceptor --id 1", "acceptor --id 2", "acceptor --id 3"];
    roles.push("proposer --id 1", "proposer --id 2");
    await Promise.all(roles.map((role) => stage.run(`${role} --if lo`, onA)));
    const learners = [
      await stage.runLearner("--id 1 --if lo", onA),
      await stage.runLearner("--id 2 --if lo", onA),
    ];
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if lo --seconds 2 --json --submitted ${submitted}`,
      onA,
    );
    await client.ends(0);
    for (const { values } of client.report) assert(values > 0);
    const values = await stage.agree([submitted], learners);
    assert.equal(values, client.report.at(-1)!.values);
  },
});

Deno.test({
  name: "replicas on lo decide values",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    const onA = { prefix: net.command("a", []) };
    await Promise.all(
      [1, 2, 3].map((id) => stage.run(`replica --id ${id} --if lo`, onA)),
    );
    const learner = await stage.runLearner("--id 4 --if lo", onA);
    const submitted = stage.path("submitted");
    const client = stage.start(
      `client --if lo --count 5000 --submitted ${submitted}`,
      onA,
    );
    await client.ends(0);
    assert.equal(await stage.agree([submitted], [learner]), 5000);
  },
});
