/** A learner with storage that is killed goes on where it was, and tells whoever reads it from where. */
import assert from "node:assert/strict";
import { HOSTS, on, runOnAll } from "./hosts.ts";
import { createNet } from "./netns.ts";
import { inNamespaces, type Kpaxos, Stage } from "./process.ts";

/** The instance of a learner's first line. */
function beginOf({ output }: Kpaxos): number {
  return JSON.parse(output.lines[0]).from;
}

/** What a program has that drops what a learner takes back. */
function kept(learners: readonly Kpaxos[]): string[] {
  const values: { instance: number; value: string }[] = [];
  for (const line of learners.flatMap(({ output }) => output.lines)) {
    const { from, instance, value } = JSON.parse(line);
    if (from === undefined) values.push({ instance, value });
    else {while (values.length > 0 && values.at(-1)!.instance >= from) {
        values.pop();
      }}
  }
  return values.map(({ value }) => value);
}

Deno.test({
  name:
    "a learner that is killed goes on at its checkpoint, says from where, and nothing is missing or twice",
  ...inNamespaces,
  async fn() {
    await using net = await createNet({ nodes: HOSTS });
    await using stage = new Stage();
    await runOnAll(stage, net, "replica");
    const storage = `--storage-backend lmdb --lmdb-env-path ${
      stage.path("storage")
    }`;
    const start = (more = "") =>
      stage.start(`learner --id 9 --if eth0 ${storage}${more}`, on(net, "a"));
    const submit = async (count: number) => {
      const client = stage.start(
        `client --if eth0 --count ${count}`,
        on(net, "b"),
      );
      await client.ends(0);
    };
    const learners = [start()];
    await learners[0].prints(1);
    assert.equal(beginOf(learners[0]), 1);
    for (let values = 300; values <= 900; values += 300) {
      await submit(300);
      // Of those it prints now, most are printed again.
      await learners.at(-1)!.prints(100);
      await learners.at(-1)!.endsOn("SIGKILL", 137);
      learners.push(start());
      await learners.at(-1)!.says(/resuming at instance \d+|: running /);
    }
    await submit(300);
    const last = learners.at(-1)!;
    await last.prints(2);
    const begins = learners.map(beginOf);
    assert.deepEqual(begins, begins.toSorted((a, b) => a - b));
    assert(begins.at(-1)! > 1, `${begins}`);
    while (kept(learners).length < 1200) {
      await last.prints(last.output.lines.length + 1);
    }
    const values = kept(learners);
    assert.equal(values.length, 1200);
    assert.equal(new Set(values).size, 1200);

    await last.endsOn("SIGTERM", 0);
    const early = start(" --from 1");
    await early.ends(2);
    await early.says(/--from 1: .* goes on at instance \d+/);
    const late = start(" --from 1000000");
    await late.prints(1);
    assert.equal(beginOf(late), 1_000_000);
    await submit(100);
    await late.endsOn("SIGTERM", 0);
    assert.equal(late.output.lines.length, 1);
  },
});
