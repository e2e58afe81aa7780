/** Short runs of the experiments with failures: nothing is lost, nothing comes twice, and it goes on. Times are not judged. */
import assert from "node:assert/strict";
import { amnesia } from "./faults/amnesia.ts";
import { duel } from "./faults/duel.ts";
import type { Experiment, Wanted } from "./faults/experiment.ts";
import { failover } from "./faults/failover.ts";
import { killall } from "./faults/killall.ts";
import { loss } from "./faults/loss.ts";
import { mixed } from "./faults/mixed.ts";
import { partition } from "./faults/partition.ts";
import { inNamespaces } from "./process.ts";

interface Short {
  readonly name: string;
  readonly experiment: Experiment;
  readonly wanted: Partial<Wanted>;
}

const SHORT: readonly Short[] = [
  {
    name:
      "the leader is killed three times, and each time values are decided again",
    experiment: failover,
    wanted: { kills: 3, period_ms: 2_000, outstanding: 2 },
  },
  {
    name:
      "everybody is killed three times, and what was acknowledged is delivered",
    experiment: killall,
    wanted: { kills: 3, period_ms: 1_000, outstanding: 8 },
  },
  {
    name: "two proposers told to lead both get their clients' values decided",
    experiment: duel,
    wanted: { seconds: 4, outstanding: 4 },
  },
  {
    name: "a tenth of all frames is lost at every node, and no value",
    experiment: loss,
    wanted: { seconds: 1, repeats: 1, outstanding: 16 },
  },
  {
    name: "the leader is cut off, and then another; the majority goes on",
    experiment: partition,
    wanted: { seconds: 7, period_ms: 3_500, outstanding: 1 },
  },
  {
    name:
      "one acceptor that forgot votes again, a majority that forgot does not",
    experiment: amnesia,
    wanted: { outstanding: 1 },
  },
  {
    name: "everything at once for a while",
    experiment: mixed,
    wanted: { seconds: 15, seed: 1 },
  },
];

for (const { name, experiment, wanted } of SHORT) {
  Deno.test({
    name,
    ...inNamespaces,
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "kpaxos-faults-" });
      const said: string[] = [];
      const { broken } = await experiment.run({
        ...{ seconds: 0, repeats: 1, kills: 0, after: 0, values: 0, seed: 1 },
        ...{ period_ms: 0, outstanding: 1, conf: [], folder },
        topology: experiment.defaults.topology,
        storage: experiment.defaults.storage ?? "memory",
        say: (text) => said.push(text),
        ...wanted,
      });
      assert.deepEqual(broken, [], `${said.join("\n")}\nlogs: ${folder}`);
      await Deno.remove(folder, { recursive: true });
    },
  });
}
