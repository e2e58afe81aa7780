/**
 * Makes a plan smaller as long as it still fails in the same way: fewer events, nodes, faults, values.
 *
 * What chance decides in a run changes with the plan, so a smaller plan that fails may fail for another
 * draw of the same kind; what counts is that the same property is violated.
 */
import {
  CALM,
  type Plan,
  type PlanEvent,
  type PlanNode,
  type Weather,
} from "./plan.ts";

/** How a plan was made smaller. */
export interface Shrunk {
  readonly plan: Plan;
  /** Plans that were tried. */
  readonly tried: number;
  /** False: there was no time to try everything. */
  readonly finished: boolean;
}

/**
 * Shrinks a plan.
 *
 * @param fails Whether a plan fails in the way that matters.
 * @param hasTime Asked before every try; false ends the search with the best so far.
 */
export function shrink(
  plan: Plan,
  fails: (plan: Plan) => boolean,
  hasTime: () => boolean,
): Shrunk {
  let best = plan;
  let tried = 0;
  for (let again = true; again;) {
    again = false;
    for (const smaller of SMALLER) {
      // After a success the same step is tried on what came of it.
      for (let candidates = smaller(best); candidates.length > 0;) {
        if (!hasTime()) return { plan: best, tried, finished: false };
        tried++;
        const candidate = candidates.shift()!;
        if (!fails(candidate)) continue;
        best = candidate;
        again = true;
        candidates = smaller(best);
      }
    }
  }
  return { plan: best, tried, finished: true };
}

/** Steps, each of which names the plans that are smaller in one way; the boldest first. */
const SMALLER: readonly ((plan: Plan) => Plan[])[] = [
  withoutEvents,
  withoutNodes,
  calmer,
  shorter,
  plainer,
];

/** Without a half, a quarter, … or one of its events. */
function withoutEvents(plan: Plan): Plan[] {
  const { events } = plan;
  const plans: Plan[] = [];
  for (let size = events.length; size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < events.length; from += size) {
      const rest = events.filter((_, i) => i < from || i >= from + size);
      plans.push({ ...plan, events: rest });
    }
  }
  return plans;
}

function withoutNodes(plan: Plan): Plan[] {
  if (plan.nodes.length === 1) return [];
  return plan.nodes.map((_, i) => withoutNode(plan, i));
}

/** Without one node; events speak of the others by their new places. */
function withoutNode(plan: Plan, gone: number): Plan {
  const moved = (index: number) => index > gone ? index - 1 : index;
  const cutsWithout = (cuts: readonly (readonly [number, number])[]) =>
    cuts.filter((pair) => !pair.includes(gone))
      .map(([from, to]) => [moved(from), moved(to)] as const);
  const events = plan.events.flatMap((event): PlanEvent[] => {
    switch (event.kind) {
      case "power cut": {
        const nodes = event.nodes.filter((it) => it !== gone).map(moved);
        return nodes.length === 0 ? [] : [{ ...event, nodes }];
      }
      case "partition": {
        const cuts = cutsWithout(event.cuts);
        return cuts.length === 0 ? [] : [{ ...event, cuts }];
      }
      case "flap": {
        const cuts = cutsWithout(event.cuts);
        return cuts.length === 0 ? [] : [{ ...event, cuts }];
      }
      case "weather":
      case "isolate leader":
      case "kill leader":
      case "pause leader":
        return [event];
      default:
        return event.node === gone
          ? []
          : [{ ...event, node: moved(event.node) }];
    }
  });
  return { ...plan, nodes: plan.nodes.filter((_, i) => i !== gone), events };
}

/** With one thing less that goes wrong on the network. */
function calmer(plan: Plan): Plan[] {
  const keys = Object.keys(CALM) as (keyof Weather)[];
  return keys
    .filter((key) =>
      JSON.stringify(plan.weather[key]) !== JSON.stringify(CALM[key])
    )
    .map((key) => ({
      ...plan,
      weather: { ...plan.weather, [key]: CALM[key] },
    }));
}

/** With less time, and what happens in the rest of it. */
function shorter(plan: Plan): Plan[] {
  return [2, 1.25].map((part) => Math.floor(plan.heal_us / part))
    .filter((heal_us) => heal_us > 1000 && heal_us < plan.heal_us)
    .map((heal_us) => ({
      ...plan,
      heal_us,
      events: plan.events.filter(({ at_us }) => at_us <= heal_us),
    }));
}

/** With one node that has nothing special, or a client with less to do. */
function plainer(plan: Plan): Plan[] {
  return plan.nodes.flatMap((node, i) =>
    plainerNodes(node).map((plain) => ({
      ...plan,
      nodes: plan.nodes.with(i, plain),
    }))
  );
}

function plainerNodes(node: PlanNode): PlanNode[] {
  const { client } = node;
  const nodes: PlanNode[] = [];
  if (node.clockRate !== 1) nodes.push({ ...node, clockRate: 1 });
  if (node.queueFrames < 4096) nodes.push({ ...node, queueFrames: 4096 });
  if (node.start_us > 0) nodes.push({ ...node, start_us: 0 });
  if (client === undefined) return nodes;
  const less = (changes: Partial<typeof client>) =>
    nodes.push({ ...node, client: { ...client, ...changes } });
  if (client.clients > 1) less({ clients: 1 });
  if (client.values > 1) less({ values: Math.floor(client.values / 2) });
  if (client.outstanding > 1) less({ outstanding: 1 });
  if (client.padBytes > 0) less({ padBytes: 0 });
  if (client.proposer !== 0) less({ proposer: 0 });
  return nodes;
}
