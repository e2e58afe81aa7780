/** Every role over UDP: by multicast, and one by one where there is none. Needs no privileges. */
import assert from "node:assert/strict";
import { createNet } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

/** A port that no other test uses at the same time, below those that Linux gives to whoever asks for any. */
const PORT = 20_000 + Deno.pid % 10_000;

Deno.test("replicas decide values over UDP multicast on lo", async () => {
  await using stage = new Stage();
  const common = `--nic udp --if lo --udp-port ${PORT}`;
  await Promise.all(
    [1, 2, 3].map((id) => stage.run(`replica --id ${id} ${common}`)),
  );
  const learners = [
    await stage.runLearner(`--id 4 ${common}`),
    await stage.runLearner(`--id 5 ${common}`),
  ];
  const submitted = stage.path("submitted");
  const client = stage.start(
    `client ${common} --seconds 2 --json --submitted ${submitted}`,
  );
  await client.ends(0);
  for (const { values } of client.report) assert(values > 0);
  const values = await stage.agree([submitted], learners);
  assert.equal(values, client.report.at(-1)!.values);
});

Deno.test("replicas on one host decide values over UDP without multicast", async () => {
  await using stage = new Stage();
  const ports = [1, 2, 3].map((id) => PORT + 10_000 + id);
  const peers = ports.map((port) => `127.0.0.1:${port}`).join(",");
  const common = `--nic udp --if lo --udp-peers ${peers}`;
  await Promise.all(
    ports.map((port, i) =>
      stage.run(`replica --id ${i + 1} ${common} --udp-port ${port}`)
    ),
  );
  const learner = await stage.runLearner(`--id 4 ${common}`);
  const submitted = stage.path("submitted");
  const client = stage.start(
    `client ${common} --count 5000 --submitted ${submitted}`,
  );
  await client.ends(0);
  assert.equal(await stage.agree([submitted], [learner]), 5000);
});

Deno.test({
  name:
    "replicas on three hosts decide values over UDP, by multicast and without",
  ...inNamespaces,
  async fn() {
    const hosts = ["a", "b", "c"];
    await using net = await createNet({ nodes: [...hosts, "d"] });
    await using stage = new Stage();
    const onD = { prefix: net.command("d", []) };
    const peers = hosts.map((host) => `${net.ipv4(host)}:7500`).join(",");
    // Those who are named need a port of their own, the others do not.
    const ways = [
      { all: "--cluster 1", named: "" },
      {
        all: `--cluster 2 --udp-peers ${peers}`,
        named: " --udp-port 7500",
      },
    ];
    for (const { all, named } of ways) {
      const common = `--nic udp --if eth0 ${all}`;
      await Promise.all(
        hosts.map((host, i) =>
          stage.run(`replica --id ${i + 1} ${common}${named}`, {
            prefix: net.command(host, []),
          })
        ),
      );
      const learner = await stage.runLearner(`--id 4 ${common}`, onD);
      const submitted = stage.path("submitted");
      const client = stage.start(
        `client ${common} --count 5000 --submitted ${submitted}`,
        onD,
      );
      await client.ends(0);
      assert.equal(await stage.agree([submitted], [learner]), 5000);
    }
  },
});
