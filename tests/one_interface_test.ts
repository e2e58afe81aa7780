/** Every role on one interface of one host: frames to one's own MAC never come back from the wire, on lo all do. */
import assert from "node:assert/strict";
import { createNet } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

for (const card of ["eth0", "lo"]) {
  Deno.test({
    name: `processes of all roles on ${card} of one host decide values`,
    ...inNamespaces,
    async fn() {
      // The bridge has a second port, so that eth0 has a carrier like any other.
      await using net = await createNet({ nodes: ["a"] });
      await using stage = new Stage();
      const onA = { prefix: net.command("a", []) };
      const roles = ["acceptor --id 1", "acceptor --id 2", "acceptor --id 3"];
      roles.push("proposer --id 1", "proposer --id 2");
      await Promise.all(
        roles.map((role) => stage.run(`${role} --if ${card}`, onA)),
      );
      const learners = [
        await stage.runLearner(`--id 1 --if ${card}`, onA),
        await stage.runLearner(`--id 2 --if ${card}`, onA),
      ];
      const submitted = stage.path("submitted");
      const client = stage.start(
        `client --if ${card} --seconds 2 --json --submitted ${submitted}`,
        onA,
      );
      await client.ends(0);
      for (const { values } of client.report) assert(values > 0);
      const values = await stage.agree([submitted], learners);
      assert.equal(values, client.report.at(-1)!.values);
    },
  });
}

Deno.test({
  name: "replicas on one interface of one host find it without --if",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    const onA = { prefix: net.command("a", []) };
    await Promise.all(
      [1, 2, 3].map((id) => stage.run(`replica --id ${id}`, onA)),
    );
    const client = stage.start("client --count 1000 --json", onA);
    await client.says(/using interface eth0/);
    await client.ends(0);
    assert.equal(client.report.at(-1)!.values, 1000);
  },
});
