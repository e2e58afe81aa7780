/** What is lost is repeated within few round trips: throughput in virtual time, beside that without loss. */
import assert from "node:assert/strict";
import { Role } from "../core/layout.ts";
import { Cluster } from "./cluster.ts";

const SECOND_US = 1_000_000;
/** Fraction of frames lost, and the least that is left of the throughput. */
const RATES = [[0.01, 0.7], [0.1, 0.12]] as const;

/** Values decided in a fifth of a second, between nodes that are 50 to 150 µs apart. */
function decided(loss: number): number {
  const cluster = new Cluster(1, { logBytes: 1 << 22 });
  cluster.faults.delay_us = { least: 50, most: 150 };
  cluster.addReplicas([1, 2, 3]);
  const client = cluster.add({
    roles: Role.client,
    id: 9,
    values: 1e9,
    outstanding: 128,
    padBytes: 60,
  });
  cluster.must("a start", 5 * SECOND_US, () => client.acknowledged.size > 0);
  cluster.faults.loss = loss;
  const before = client.acknowledged.size;
  cluster.run(SECOND_US / 5);
  return client.acknowledged.size - before;
}

Deno.test("throughput falls no further under loss than it must", () => {
  const whole = decided(0);
  for (const [loss, least] of RATES) {
    const ratio = decided(loss) / whole;
    assert(ratio >= least, `${loss} lost: ${ratio} of ${whole}`);
  }
});
