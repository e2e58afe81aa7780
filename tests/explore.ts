/**
 * Explores one small world, as large as the options make it, and reports:
 * `deno run -A tests/explore.ts --apart --instances 2 --campaigns 2,1`.
 */
import { parseArgs } from "node:util";
import type { MessageName } from "../sim/decode.ts";
import { type Exploration, explore } from "./explorer.ts";
import { returnWorld } from "./explore_return.ts";
import { smallWorld } from "./explore_worlds.ts";

const STATES_MAX = 50_000_000;

const HELP = `Options, with what they are otherwise:
  --return            the world of tests/explore_return.ts; of the options below, only --states-max
  --highest           there: acceptors hear the 2A of the highest ballot
  --decided           there: nodes learn what is decided
  --apart             five processes of one role, not three of several
  --instances N       highest instance (1)
  --campaigns N[,N]   how often each proposer campaigns (1)
  --beats N           how often each leader repeats itself (0)
  --rounds N          highest round of a ballot (any)
  --restarts N        how often acceptor 3 forgets (0)
  --learner           proposer 1 learns, too
  --one-value         proposer 2 has no value of its own
  --lost TYPE,TYPE    frames that always get lost; '' for none (what only hastens)
  --states-max N      give up beyond (${STATES_MAX})`;

/** A report for people. */
export function reportOf(found: Exploration): string {
  const { finished, violation, states, transitions, depth, seconds } = found;
  const steps = found.nodes.reduce((sum, node) => sum + node.steps, 0);
  const cut = found.nodes.reduce((sum, node) => sum + node.cut, 0);
  const nodes = found.nodes.map((node) => `${node.name}: ${node.states}`);
  return [
    violation !== undefined
      ? `BROKEN: ${violation.rule}\n  ${violation.path.join("\n  ")}`
      : finished
      ? "finished: every reachable state was seen, no rule is broken"
      : "not finished: too many states",
    `${states} states, ${transitions} transitions, depth ${depth}, ` +
    `${found.sayings} frames and deliveries`,
    `states of ${nodes.join(", ")}; ${steps} steps of the core, ` +
    `${cut} beyond bounds`,
    `${seconds.toFixed(1)} s, ${Math.round(states / seconds)} states/s`,
  ].join("\n");
}

function main(): void {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    options: {
      return: flag,
      highest: flag,
      decided: flag,
      apart: flag,
      instances: text,
      campaigns: text,
      beats: text,
      rounds: text,
      restarts: text,
      learner: flag,
      "one-value": flag,
      lost: text,
      "states-max": text,
      help: flag,
    },
  });
  if (values.help) return console.log(HELP);
  const number = (value?: string) => value ? Number(value) : undefined;
  const [first = 1, second = first] =
    values.campaigns?.split(",").map(Number) ??
      [];
  const { highest, decided } = values;
  const world = values.return ? returnWorld({ highest, decided }) : smallWorld({
    apart: values.apart,
    instances: number(values.instances),
    campaigns: [first, second],
    beats: number(values.beats),
    rounds: number(values.rounds),
    restarts: number(values.restarts),
    learner: values.learner,
    oneValue: values["one-value"],
    lost: values.lost?.split(",") as MessageName[] | undefined,
  });
  const found = explore(world, {
    statesMax: number(values["states-max"]) ?? STATES_MAX,
    onLevel: (level, states) => console.error(`level ${level}: ${states}`),
  });
  console.log(reportOf(found));
  if (!found.finished) Deno.exit(1);
}

if (import.meta.main) main();
