/** Reads a plan from a file, as `kpaxos sim` writes it. */
import { EXIT, UserError } from "../roles/errors.ts";
import type { Plan } from "./plan.ts";

/** What a plan must have, and a word for what each must be. */
const FIELDS: Record<keyof Plan, "number" | "string" | "boolean" | "object"> = {
  seed: "number",
  topology: "string",
  mtu: "number",
  logBytes: "number",
  inFlight: "number",
  proposerTimeout_us: "number",
  clientTimeout_us: "number",
  newCluster: "boolean",
  nodes: "object",
  weather: "object",
  events: "object",
  heal_us: "number",
};

/**
 * Reads a plan.
 *
 * @throws {UserError} if the file cannot be read or holds no plan.
 */
export function readPlan(path: string): Plan {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UserError(
      `cannot read ${path}: ${(error as Error).message}`,
      EXIT.usage,
    );
  }
  let plan: Plan;
  try {
    plan = JSON.parse(text);
  } catch (error) {
    throw noPlan(path, (error as Error).message);
  }
  for (const [name, type] of Object.entries(FIELDS)) {
    const found = plan?.[name as keyof Plan];
    if (typeof found === type && found !== null) continue;
    throw noPlan(path, `"${name}" should be a ${type}`);
  }
  for (const event of plan.events) {
    const nodes = "node" in event
      ? [event.node]
      : "nodes" in event
      ? event.nodes
      : "cuts" in event
      ? event.cuts.flat()
      : [];
    const wrong = nodes.find((index) => plan.nodes[index] === undefined);
    if (wrong === undefined) continue;
    throw noPlan(path, `an event at ${event.at_us} µs names node ${wrong}`);
  }
  return plan;
}

function noPlan(path: string, reason: string): UserError {
  return new UserError(
    `${path} is no plan of a simulation: ${reason}; kpaxos sim writes one when a seed fails`,
    EXIT.usage,
  );
}
