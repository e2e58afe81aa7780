/** What a client says of its values, also one that is killed: everything that left, and everything that was answered. */
import assert from "node:assert/strict";
import { LineCounter } from "../roles/line_counter.ts";
import { createNet } from "./netns.ts";
import { inNamespaces, Stage, until } from "./process.ts";

/** Acknowledged values after which the client is killed. */
const VALUES = 5_000;

Deno.test({
  name:
    "a client that is killed has written all that left and all that was answered",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    const onA = { prefix: net.command("a", []) };
    await Promise.all(
      [1, 2, 3].map((id) => stage.run(`replica --id ${id} --if eth0`, onA)),
    );
    const learner = await stage.runLearner("--id 9 --if eth0", onA);
    const [first, second] = ["first", "second"].map((name) => ({
      submitted: stage.path(`${name}-submitted`),
      acknowledged: stage.path(`${name}-acknowledged`),
    }));
    const client = (load: string, { submitted, acknowledged }: typeof first) =>
      stage.start(
        `client --if eth0 ${load} --submitted ${submitted} --acknowledged ${acknowledged}`,
        onA,
      );
    Deno.writeTextFileSync(first.acknowledged, "");
    const counter = new LineCounter(first.acknowledged);
    const killed = client("--outstanding 64", first);
    await until(() => {
      counter.advance();
      return counter.lines >= VALUES;
    }, () => `is told of ${VALUES} values, not ${counter.lines}`);
    counter.close();
    killed.signal("SIGKILL");
    await killed.ended;
    // Everything that was acknowledged before stands before this one in the log.
    await client("--count 1", second).ends(0);
    const last = Deno.readTextFileSync(second.acknowledged).trim();
    await until(
      () => Deno.readTextFileSync(learner.file).includes(last),
      () => `delivers ${last}`,
    );
    await learner.process.endsOn("SIGTERM", 0);
    const files = [first, second].map(({ submitted, acknowledged }) =>
      `--proposed ${submitted} --acknowledged ${acknowledged}`
    );
    const check = stage.start(
      `check --learned ${learner.file} ${files.join(" ")}`,
    );
    await check.ends(0);
    assert.match(
      check.output.lines[0],
      /^agreement ok, integrity ok, no duplicates, durability ok/,
    );
  },
});

Deno.test({
  name:
    "with --acknowledged /dev/stdout a program reads at once which line is decided",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: ["a"] });
    await using stage = new Stage();
    const onA = { prefix: net.command("a", []) };
    await Promise.all(
      [1, 2, 3].map((id) => stage.run(`replica --id ${id} --if eth0`, onA)),
    );
    const client = stage.start(
      "client --if eth0 --stdin --acknowledged /dev/stdout",
      { ...onA, stdin: "piped" },
    );
    const writer = client.stdin.getWriter();
    const values = ["one", "x".repeat(5_000), "two words"];
    for (const [i, value] of values.entries()) {
      await writer.write(new TextEncoder().encode(`${value}\n`));
      await client.prints(i + 1);
    }
    await writer.close();
    await client.ends(0);
    assert.deepEqual(client.output.lines, values);
  },
});
