/** Reads a plan from a file, as `kpaxos sim` writes it, and refuses what is none. */
import { EXIT, UserError } from "../roles/errors.ts";
import { Role } from "../core/layout.ts";
import type { Plan, PlanEvent } from "./plan.ts";

/** What a value must be; says what is wrong with it, or nothing. */
type Shape = (value: unknown, where: string) => string | undefined;

const truth: Shape = (value, where) =>
  typeof value === "boolean" ? undefined : `${where} should be true or false`;

const text: Shape = (value, where) =>
  typeof value === "string" ? undefined : `${where} should be a text`;

function number(least: number, most: number): Shape {
  return (value, where) =>
    typeof value === "number" && value >= least && value <= most
      ? undefined
      : `${where} should be a number from ${least} to ${most}`;
}

function whole(least: number, most: number): Shape {
  return (value, where) =>
    Number.isInteger(value)
      ? number(least, most)(value, where)
      : `${where} should be a whole number from ${least} to ${most}`;
}

function oneOf(...texts: readonly string[]): Shape {
  return (value, where) =>
    texts.includes(value as string)
      ? undefined
      : `${where} should be one of ${texts.join(", ")}`;
}

function list(shape: Shape, least = 0): Shape {
  return (value, where) => {
    if (!Array.isArray(value) || value.length < least) {
      return `${where} should be a list` +
        (least > 0 ? ` of at least ${least}` : "");
    }
    return first(value.map((item, i) => shape(item, `${where}[${i}]`)));
  };
}

/** An object that has these fields; those that end in "?" may be missing. */
function object(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, where) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return `${where} should be an object`;
    }
    return first(
      Object.entries(fields).map(([name, shape]) => {
        const field = name.replace("?", "");
        const found = (value as Record<string, unknown>)[field];
        if (found === undefined && name.endsWith("?")) return undefined;
        return shape(found, where === "" ? field : `${where}.${field}`);
      }),
    );
  };
}

function first(faults: readonly (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined);
}

/** Longest time in a plan, µs: an hour. */
const TIME_US_MAX = 3_600_000_000;
const time = whole(0, TIME_US_MAX);
const share = number(0, 1);
const id = whole(1, 65535);
const index = whole(0, 1000);
const range = object({ least: time, most: time });

const weather = object({
  loss: share,
  duplication: share,
  corruption: share,
  truncation: share,
  replay: share,
  delay_us: range,
});

const node = object({
  roles: whole(1, 15),
  id,
  start_us: time,
  leader: id,
  "commit_us?": range,
  "asynchronous?": truth,
  "diskBytes?": whole(1 << 14, 2 ** 40),
  queueFrames: whole(1, 1_000_000),
  clockRate: number(0.5, 2),
  "from?": whole(0, 1_000_000),
  "lag_us?": time,
  "client?": object({
    clients: whole(1, 10),
    outstanding: whole(1, 8192),
    values: whole(0, 1_000_000),
    pace_us: time,
    padBytes: whole(0, 9000),
    "large?": object({ every: whole(1, 1_000_000), bytes: whole(1, 1 << 20) }),
    proposer: whole(0, 65535),
  }),
});

const onNode = { node: index };
const EVENTS: Record<PlanEvent["kind"], Shape> = {
  "crash": object({
    ...onNode,
    down_us: time,
    "afterFrames?": whole(0, 1_000_000),
  }),
  "power cut": object({ nodes: list(index), down_us: time }),
  "leave": object({ ...onNode, down_us: time }),
  "pause": object({ ...onNode, for_us: time }),
  "jump": object({ ...onNode, by_us: time }),
  "unread": object({ ...onNode, for_us: time }),
  "partition": object({ cuts: list(list(index, 2)), for_us: time }),
  "weather": object({ weather, for_us: time }),
  "slow disk": object({ ...onNode, commit_us: range, for_us: time }),
  "failing disk": object({ ...onNode, for_us: time }),
  "full disk": object({ ...onNode, for_us: time }),
  "bit flip": object(onNode),
  "lost key": object(onNode),
  "flap": object({
    cuts: list(list(index, 2)),
    every_us: whole(1000, TIME_US_MAX),
    for_us: time,
  }),
  "isolate leader": object({ ways: oneOf("from", "to", "both"), for_us: time }),
  "kill leader": object({ down_us: time }),
  "pause leader": object({ for_us: time }),
};

const event: Shape = (value, where) => {
  const fault = object({ at_us: time, kind: text })(value, where);
  if (fault !== undefined) return fault;
  const { kind } = value as PlanEvent;
  if (Object.hasOwn(EVENTS, kind)) return EVENTS[kind](value, where);
  return `${where}.kind should be one of ${Object.keys(EVENTS).join(", ")}`;
};

const plan = object({
  seed: whole(0, 2 ** 32 - 1),
  topology: text,
  mtu: whole(256, 9000),
  logBytes: whole(1 << 14, 1 << 26),
  inFlight: whole(1, 2047),
  "batching?": truth,
  proposerTimeout_us: whole(1000, TIME_US_MAX),
  clientTimeout_us: whole(1000, TIME_US_MAX),
  "learnerPatience_us?": whole(1000, TIME_US_MAX),
  "sessions?": whole(1, 4096),
  "sessionSpan?": whole(16, 2 ** 31),
  "electionTimeout_us?": whole(0, TIME_US_MAX),
  "heartbeat_us?": whole(1000, TIME_US_MAX),
  newCluster: truth,
  "leastMemories?": whole(0, 31),
  "replacesDisks?": truth,
  nodes: list(node, 1),
  weather,
  events: list(event),
  heal_us: time,
});

/**
 * Reads a plan.
 *
 * @throws {UserError} if the file cannot be read or holds no plan.
 */
export function readPlan(path: string): Plan {
  let content: string;
  try {
    content = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UserError(
      `cannot read ${path}: ${(error as Error).message}`,
      EXIT.usage,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw noPlan(path, (error as Error).message);
  }
  const fault = plan(value, "") ?? misfit(value as Plan);
  if (fault !== undefined) throw noPlan(path, fault);
  return value as Plan;
}

/** What does not fit together. */
function misfit({ nodes, events }: Plan): string | undefined {
  const named = events.flatMap((it) =>
    "node" in it
      ? [it.node]
      : "nodes" in it
      ? it.nodes
      : "cuts" in it
      ? it.cuts.flat()
      : []
  );
  const wrong = named.find((it) => nodes[it] === undefined);
  if (wrong !== undefined) {
    return `an event names node ${wrong}, and there are ${nodes.length}`;
  }
  if (!nodes.some(({ roles }) => (roles & Role.acceptor) !== 0)) {
    return "no node is an acceptor";
  }
  const lacking = nodes.find(({ roles, client }) =>
    ((roles & Role.client) !== 0) !== (client !== undefined)
  );
  return lacking === undefined
    ? undefined
    : `node with id ${lacking.id} should have "client" if, and only if, it is one`;
}

function noPlan(path: string, reason: string): UserError {
  return new UserError(
    `${path} is no plan of a simulation: ${reason}; kpaxos sim writes one when a seed fails`,
    EXIT.usage,
  );
}
