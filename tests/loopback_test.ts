/** Replicas on loopback, as bare Ethernet frames. */
import assert from "node:assert/strict";
import { createNet } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

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
