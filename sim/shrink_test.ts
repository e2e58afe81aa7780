/** A failing plan becomes as small as it can be, and no smaller. */
import assert from "node:assert/strict";
import { drawPlan } from "./draw.ts";
import { CALM, type Plan } from "./plan.ts";
import { shrink } from "./shrink.ts";

const always = () => true;

/** Fails while a pause and a client are left: the rest of the plan does not matter. */
function hasPauseAndClient(plan: Plan): boolean {
  return plan.events.some(({ kind }) => kind === "pause") &&
    plan.nodes.some(({ client }) => client !== undefined);
}

/** A seed whose plan has a pause and much else. */
function busyPlan(): Plan {
  for (let seed = 1; seed < 1000; seed++) {
    const plan = drawPlan(seed);
    if (hasPauseAndClient(plan) && plan.events.length > 20) return plan;
  }
  assert.fail("no seed below 1000 has a pause and 20 events more");
}

Deno.test("what does not matter to the failure goes", () => {
  const { plan, finished } = shrink(busyPlan(), hasPauseAndClient, always);
  assert(finished);
  assert.deepEqual(plan.events.map(({ kind }) => kind), ["pause"]);
  assert(plan.nodes.length <= 2, "the client, and who is paused");
  assert.deepEqual(plan.weather, CALM);
  const client = plan.nodes.find((node) => node.client !== undefined)!.client!;
  assert.deepEqual([client.clients, client.values, client.outstanding], [
    1,
    1,
    1,
  ]);
});

Deno.test("events speak of the same nodes after others are gone", () => {
  const plan = busyPlan();
  const event = plan.events.find(({ kind }) => kind === "pause")!;
  assert(event.kind === "pause");
  const paused = plan.nodes[event.node];
  const isIt = (it: Plan) =>
    it.events.some((other) =>
      other.kind === "pause" && other.at_us === event.at_us &&
      it.nodes[other.node].id === paused.id &&
      it.nodes[other.node].roles === paused.roles
    );
  const { plan: small } = shrink(plan, isIt, always);
  assert.equal(small.nodes.length, 1);
  assert.equal(small.nodes[0].id, paused.id);
});

Deno.test("every plan on the way is one that can be run", () => {
  const seen: Plan[] = [];
  shrink(busyPlan(), (plan) => {
    seen.push(plan);
    return seen.length % 3 === 0;
  }, () => seen.length < 500);
  for (const plan of seen) {
    const count = plan.nodes.length;
    assert(count > 0);
    for (const event of plan.events) {
      const named = "node" in event
        ? [event.node]
        : event.kind === "power cut"
        ? event.nodes
        : event.kind === "partition"
        ? event.cuts.flat()
        : [];
      for (const index of named) assert(index >= 0 && index < count);
    }
  }
});

Deno.test("without time the plan stays as it is", () => {
  const plan = busyPlan();
  const { plan: same, finished, tried } = shrink(plan, always, () => false);
  assert.deepEqual([same, finished, tried], [plan, false, 0]);
});
