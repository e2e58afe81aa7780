/** The same seed gives the same frames, byte for byte; the whole protocol hangs on nothing else. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

/** A digest of every frame that a busy cluster sends, with its time. */
function digestOf(seed: number): string {
  const cluster = new Cluster(seed);
  cluster.faults.loss = 0.1;
  cluster.faults.duplication = 0.1;
  cluster.faults.delay_us = { least: 10, most: 900 };
  const hash = createHash("sha256");
  cluster.network.tap = (_, bytes) => {
    hash.update(`${cluster.now_us} `);
    hash.update(bytes);
  };
  cluster.addReplicas([1, 2, 3], { loss: 0.05 });
  cluster.add({ roles: Role.learner, id: 4 });
  cluster.add({ roles: Role.client, id: 9, values: 300, clients: 2 });
  cluster.finish(30_000_000);
  return hash.digest("hex");
}

Deno.test("two runs of one seed send identical frames, and two seeds do not", () => {
  assert.equal(digestOf(1), digestOf(1));
  assert.notEqual(digestOf(1), digestOf(2));
});
