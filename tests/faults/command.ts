/** The experiments as a command: which, how long, and what to say of what came out. */
// @ts-types="../../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import { KPAXOS } from "../process.ts";
import { amnesia } from "./amnesia.ts";
import { catchup } from "./catchup.ts";
import { duel } from "./duel.ts";
import type {
  Experiment,
  NumberOption,
  Outcome,
  Wanted,
} from "./experiment.ts";
import { failover } from "./failover.ts";
import { killall } from "./killall.ts";
import { removeValues } from "./folder.ts";
import { loss } from "./loss.ts";
import { mixed } from "./mixed.ts";
import { partition } from "./partition.ts";
import { TOPOLOGIES, type Topology } from "./site.ts";
import { renewal } from "./renewal.ts";
import { sizes } from "./sizes.ts";
import { STORAGES, type StorageWord } from "../../roles/storage_word.ts";

const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  failover,
  killall,
  renewal,
  duel,
  loss,
  catchup,
  sizes,
  amnesia,
  partition,
  mixed,
};

const NUMBERS: Readonly<Record<NumberOption, string>> = {
  seconds: "length of the load",
  repeats: "how often everything is repeated",
  kills: "how often the leader, or everybody, is killed",
  period_ms:
    "from one kill or cut to the next, or the longest from a decision to a kill",
  after: "instances that are decided first",
  values: "values that are decided before the learner starts",
  outstanding: "values in flight of a client",
  seed: "start of the choices that are drawn",
};

function help(): string {
  const options = ({ defaults }: Experiment) =>
    Object.entries(defaults).map(([name, value]) => `--${name} ${value}`)
      .join(" ");
  return [
    "scripts/faults EXPERIMENT [OPTION...]: what real processes do when things fail",
    "",
    ...Object.entries(EXPERIMENTS).flatMap(([name, it]) => [
      `  ${name.padEnd(10)} ${it.summary}`,
      `  ${"".padEnd(10)} ${options(it)}`,
    ]),
    "",
    ...Object.entries(NUMBERS).map(([name, text]) =>
      `  --${name} N`.padEnd(22) + text
    ),
    `  --topology SHAPE    ${TOPOLOGIES.join(" or ")}`,
    `  --storage WORD      ${STORAGES.join(", ")}`,
    '  --conf "WORD VALUE" a line for paxos.conf; may be given several times',
    "  --folder FOLDER     for logs and values (default: a new one in $TMPDIR or /tmp)",
    "  --keep              keep what was submitted and delivered, also when all is well",
    "  --json              one object on stdout",
    "",
  ].join("\n");
}

function usage(problem: string): never {
  console.error(`faults: ${problem}; see scripts/faults --help`);
  Deno.exit(2);
}

function parse(): {
  name: string;
  json: boolean;
  keep: boolean;
  wanted: Wanted;
} {
  const numbers = Object.keys(NUMBERS) as NumberOption[];
  const options = parseArgs(Deno.args, {
    string: ["_", "topology", "storage", "conf", "folder", ...numbers],
    boolean: ["json", "keep", "help"],
    collect: ["conf"],
    unknown: (argument, key) =>
      key === undefined || usage(`unknown option ${argument}`),
  });
  if (options.help === true) {
    console.log(help());
    Deno.exit(0);
  }
  const [name, ...rest] = options._;
  if (name === undefined || rest.length > 0) usage("name one experiment");
  const experiment = EXPERIMENTS[name];
  if (experiment === undefined) usage(`there is no experiment ${name}`);
  const { defaults } = experiment;
  const number = (option: NumberOption) => {
    const given = options[option] as string | undefined;
    if (given === undefined) return defaults[option] ?? 0;
    if (defaults[option] === undefined) usage(`${name} has no --${option}`);
    const value = Number(given);
    if (Number.isInteger(value) && value >= 0) return value;
    return usage(`--${option} wants a whole number`);
  };
  const topology = (options.topology ?? defaults.topology) as Topology;
  if (!TOPOLOGIES.includes(topology)) {
    usage(`--topology wants ${TOPOLOGIES.join(" or ")}`);
  }
  const storage = (options.storage ?? defaults.storage ??
    "memory") as StorageWord;
  if (!STORAGES.includes(storage)) {
    usage(`--storage wants one of ${STORAGES.join(", ")}`);
  }
  const folder = (options.folder as string | undefined) ??
    Deno.makeTempDirSync({ prefix: `kpaxos-${name}-` });
  Deno.mkdirSync(folder, { recursive: true });
  return {
    name,
    json: options.json === true,
    keep: options.keep === true,
    wanted: {
      ...Object.fromEntries(numbers.map((it) => [it, number(it)])) as Record<
        NumberOption,
        number
      >,
      topology,
      storage,
      conf: (options.conf as string[] | undefined) ?? [],
      folder,
      say: (text) => console.error(text),
    },
  };
}

function print(name: string, { broken, missed, lines }: Outcome): void {
  console.log(`${name}\n`);
  for (const line of lines) console.log(line);
  console.log();
  for (const it of broken) console.log(`BROKEN: ${it}`);
  for (const it of missed) console.log(`missed: ${it}`);
  if (broken.length + missed.length === 0) {
    console.log("all that was promised held");
  }
}

const { name, json, keep, wanted } = parse();
if (KPAXOS.length > 1) {
  usage("./kpaxos is older than its sources: start this by scripts/faults");
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // This is the first process of a namespace of processes: with it all others end.
  Deno.addSignalListener(signal, () => {
    console.error(`faults: interrupted; logs: ${wanted.folder}`);
    Deno.exit(130);
  });
}
const startedAt = new Date().toISOString();
let outcome: Outcome;
try {
  outcome = await EXPERIMENTS[name].run(wanted);
} catch (error) {
  console.error(`faults: ${(error as Error).stack}\nlogs: ${wanted.folder}`);
  Deno.exit(1);
}
const ok = outcome.broken.length + outcome.missed.length === 0;
// What went wrong must not be lost with the files.
if (!keep && outcome.broken.length === 0) removeValues(wanted.folder);
const { folder, topology, storage, conf } = wanted;
const { broken, missed, figures } = outcome;
const result = {
  experiment: name,
  startedAt,
  ok,
  topology,
  storage,
  conf,
  broken,
  missed,
  figures,
  folder,
};
Deno.writeTextFileSync(`${folder}/result.json`, JSON.stringify(result) + "\n");
if (json) console.log(JSON.stringify(result));
else {
  print(name, outcome);
  console.log(`logs: ${folder}`);
}
Deno.exit(ok ? 0 : 1);
