/** `kpaxos status` as an operator runs it, on clusters that are well and on clusters that are not. */
import assert from "node:assert/strict";
import { HOSTS, on, runOnAll } from "./hosts.ts";
import { createNet, type Net } from "./netns.ts";
import { inNamespaces, Stage } from "./process.ts";

/** Times that an operator looks until it is as expected: far more than it takes. */
const LOOKS_MAX = 20;

/** Looks at the cluster until what is printed matches; returns that, and checks the exit code. */
async function look(
  stage: Stage,
  net: Net,
  expected: RegExp,
  code: number,
  options = "",
): Promise<string> {
  let text = "";
  for (let n = 0; n < LOOKS_MAX; n++) {
    const status = stage.start(`status --if eth0${options}`, on(net, "a"));
    const ended = await status.ended;
    // A sentence may be broken between two lines.
    text = status.output.lines.join("\n").replaceAll("\n  ", " ");
    if (!expected.test(text)) continue;
    assert.equal(ended.code, code, text);
    return text;
  }
  assert.fail(`never printed ${expected}, at last:\n${text}`);
}

Deno.test({
  name: "a cluster that is well: a line a node and exit code 0, also in JSON",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    // Answers of replicas take two frames then.
    await runOnAll(stage, net, "replica", " --mtu 576");
    await stage.run("learner --id 7 --if eth0 --output none", on(net, "b"));
    const client = stage.start(
      "client --if eth0 --count 1000 --mtu 576",
      on(net, "c"),
    );
    await client.ends(0);
    const text = await look(
      stage,
      net,
      /leads in ballot .*; acceptors 1, 2 and 3 vote/,
      0,
    );
    for (const line of text.split("\n")) assert(line.length <= 210, line);
    for (const id of [1, 2, 3]) {
      assert.match(text, new RegExp(`^replica ${id} .* yes `, "m"));
    }
    assert.match(text, /^replica 1 heard: acceptor 2 \(\d+ ms ago\), 3 /m);

    const { ok, leader, voting, problems, nodes } = JSON.parse(
      await look(stage, net, /"ok":true/, 0, " --json"),
    );
    assert.equal(ok, true);
    assert([1, 2, 3].includes(leader.id));
    assert.deepEqual(voting, [1, 2, 3]);
    assert.deepEqual(problems, []);
    assert.equal(nodes.length, 4);
    const learner = nodes.at(-1);
    assert.deepEqual(learner.roles, ["learner"]);
    assert.equal(learner.id, 7);
    assert.equal(learner.lag, 0);
    assert(learner.counters.deliveredValues >= 1000);
    const [{ peers }] = nodes;
    assert(
      peers.some(({ role, id }: { role: string; id: number }) =>
        role === "learner" && id === 7
      ),
    );
  },
});

Deno.test({
  name: "the only proposer is killed: no leader",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    const conf = stage.path("paxos.conf");
    await Deno.writeTextFile(
      conf,
      "acceptor 1\nacceptor 2\nacceptor 3\nproposer 1\n",
    );
    const option = ` --conf ${conf}`;
    await runOnAll(stage, net, "acceptor", option);
    const proposer = await stage.run(
      `proposer --id 1 --if eth0${option}`,
      on(net, "b"),
    );
    await look(stage, net, /^proposer 1 leads in ballot/m, 0, option);
    proposer.signal("SIGKILL");
    await look(
      stage,
      net,
      /^no leader: proposer 1 does not answer/m,
      1,
      option,
    );
  },
});

Deno.test({
  name: "a majority is killed and restarted: no quorum, and who is to blame",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    const replicas = await runOnAll(stage, net, "replica");
    await look(stage, net, /acceptors 1, 2 and 3 vote/, 0);
    for (const replica of replicas.slice(1)) replica.signal("SIGKILL");
    await look(
      stage,
      net,
      /^no quorum: 1 of 3 acceptors votes, 2 are needed; acceptors 2 and 3 do not answer$/m,
      1,
    );
    for (const [i, host] of [[2, "b"], [3, "c"]] as const) {
      await stage.run(`replica --id ${i} --if eth0`, on(net, host));
    }
    await look(stage, net, /acceptors 2 and 3 lost their memory/, 1);
  },
});

Deno.test({
  name:
    "a learner whose output nobody reads is named, and the logs that it fills",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    const conf = stage.path("paxos.conf");
    await Deno.writeTextFile(
      conf,
      "replica 1\nreplica 2\nreplica 3\nacceptor-log-size 4mb\n",
    );
    const option = ` --conf ${conf}`;
    await runOnAll(stage, net, "replica", option);
    const pipe = stage.path("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    // Open for both, so that neither side waits for the other to open it.
    using _unread = await Deno.open(pipe, { read: true, write: true });
    await stage.run(`learner --id 7 --if eth0${option}`, {
      ...on(net, "b"),
      outputFile: pipe,
    });
    stage.start(
      `client --if eth0 --value-size 1000 --outstanding 64${option}`,
      on(net, "c"),
    );
    await look(
      stage,
      net,
      /^no quorum: [01] of 3 .* full of what learner 7 has not delivered: .*\nnobody reads what learner 7 delivers: it stands at /m,
      1,
      option,
    );
  },
});

Deno.test({
  name: "where nobody answers, and where there is nothing to ask through",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    await look(stage, net, /^no answer at all on eth0: /, 1, " --wait 100ms");
    const nowhere = stage.start("status --if eth9", on(net, "a"));
    await nowhere.ends(3);
    const wrong = stage.start("status --if eth0 --wait 1h", on(net, "a"));
    await wrong.ends(2);
  },
});
