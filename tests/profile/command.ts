/**
 * Profiles a cluster of three replicas under load: who runs what on its processors, by samples of
 * perf-record(1). V8 tells perf where its functions are (--perf-basic-prof), which costs some speed.
 */
// @ts-types="../../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import { fileURLToPath } from "node:url";
import { LocalProcess } from "../../roles/local_process.ts";
import { openNamespaces } from "../../roles/private_network.ts";
import {
  storageOptions,
  STORAGES,
  type StorageWord,
} from "../../roles/storage_word.ts";
import { drawFlame } from "./flame.ts";
import { type Call, ownByFunction, treesOf } from "./stacks.ts";

const HELP =
  `scripts/profile [OPTION...]: where three replicas and a client spend their time

  --storage WORD      ${STORAGES.join(", ")} (default: memory)
  --outstanding N     values in flight (default: 4096)
  --value-size BYTES  (default: 64)
  --seconds N         of samples, after two of warming up (default: 3)
  --folder FOLDER     for leader.svg, acceptor.svg, client.svg and what perf recorded
                      (default: a new one in $TMPDIR or /tmp)

It looks at the whole machine, for which Linux wants root, or kernel.perf_event_paranoid below 1.
`;
const REPLICAS = 3;
const LISTED = 12;
/** Names for perf; without the last two V8 also writes logs into the folder where this was started. */
const V8_FLAGS =
  "--perf-basic-prof,--interpreted-frames-native-stack,--no-logfile-per-isolate,--logfile=/dev/null";
/** Samples a second on each processor: odd, so as not to march with the kernel's clock. */
const FREQUENCY_HZ = 1999;

function usage(problem: string): never {
  console.error(`profile: ${problem}; see scripts/profile --help`);
  Deno.exit(2);
}

function parse() {
  const options = parseArgs(Deno.args, {
    string: ["_", "storage", "outstanding", "value-size", "seconds", "folder"],
    boolean: ["help"],
    unknown: (argument) => usage(`unknown option ${argument}`),
  }) as Record<string, string | undefined>;
  if (options.help as unknown === true) {
    console.log(HELP);
    Deno.exit(0);
  }
  const number = (name: string, otherwise: number) => {
    const value = Number(options[name] ?? otherwise);
    if (Number.isInteger(value) && value > 0) return value;
    return usage(`--${name} wants a whole number above 0`);
  };
  const storage = (options.storage ?? "memory") as StorageWord;
  if (!STORAGES.includes(storage)) {
    usage(`--storage wants one of ${STORAGES.join(", ")}`);
  }
  const folder = options.folder ??
    Deno.makeTempDirSync({ prefix: "kpaxos-profile-" });
  return {
    storage,
    outstanding: number("outstanding", 4096),
    valueBytes: number("value-size", 64),
    seconds: number("seconds", 3),
    folder,
  };
}

/** What a program prints, all of it. */
async function outputOf(program: string, args: readonly string[]) {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(
    `${program} ${args[0]} failed: ${new TextDecoder().decode(stderr).trim()}`,
  );
}

const wanted = parse();
Deno.mkdirSync(wanted.folder, { recursive: true });
const values = Deno.makeTempDirSync({ dir: wanted.folder });
const recorded = `${wanted.folder}/perf.data`;

const network = await openNamespaces(REPLICAS + 1);
const start = (host: number, name: string, args: readonly string[]) =>
  new LocalProcess({
    name,
    argv: network.command(host, [
      ...[Deno.execPath(), "run", "--allow-all", "--no-check"],
      `--v8-flags=${V8_FLAGS}`,
      fileURLToPath(new URL("../../cli.ts", import.meta.url)),
      ...[...args, "--if", "eth0", "--verbosity", "error"],
    ]),
  });
const replicas = Array.from(
  { length: REPLICAS },
  (_, i) =>
    start(i + 1, `replica ${i + 1}`, [
      ...["replica", "--id", String(i + 1)],
      ...storageOptions(wanted.storage, "replica", values),
    ]),
);
const client = start(REPLICAS + 1, "client", [
  ...["client", "--json", "--outstanding", String(wanted.outstanding)],
  ...["--value-size", String(wanted.valueBytes)],
]);
try {
  console.error("profile: warming up");
  if (await client.output.find(/"second":2\b/) === undefined) {
    throw new Error(`the client ended: ${client.errors.lines.join("; ")}`);
  }
  console.error(`profile: recording for ${wanted.seconds} s`);
  await outputOf("perf", [
    ...["record", "--all-cpus", "-g", "--freq", String(FREQUENCY_HZ)],
    ...["--output", recorded, "--", "sleep", String(wanted.seconds)],
  ]);
} finally {
  for (const process of [client, ...replicas]) await process.leave(5_000);
  await network.close();
  Deno.removeSync(values, { recursive: true });
}

const script = [
  "script",
  "--input",
  recorded,
  "--fields",
  "comm,pid,ip,sym,dso",
];
const trees = treesOf(await outputOf("perf", script));
const idle = trees.get(0)?.samples ?? 0;
const all = [...trees.values()].reduce((sum, it) => sum + it.samples, 0);
console.log(
  `${all.toLocaleString("en-US")} samples; idle ${percent(idle, all)}`,
);
const { storage, outstanding, valueBytes } = wanted;
const load =
  `${storage}, values of ${valueBytes} bytes, ${outstanding} in flight`;
const shown: [string, LocalProcess][] = [
  ["leader", replicas[0]],
  ["acceptor", replicas[2]],
  ["client", client],
];
for (const [name, { pid }] of shown) {
  const tree = trees.get(pid);
  if (tree === undefined) throw new Error(`perf saw nothing of the ${name}`);
  const share = `${percent(tree.samples, all)} of the machine`;
  Deno.writeTextFileSync(
    `${wanted.folder}/${name}.svg`,
    drawFlame(`${name}: ${share}; ${load}`, tree),
  );
  print(name, share, tree);
}
for (const { pid } of [...replicas, client]) {
  // V8 wrote it for perf and leaves it.
  Deno.removeSync(`/tmp/perf-${pid}.map`);
}
console.log(`\nflame graphs: ${wanted.folder}`);

function print(name: string, share: string, tree: Call): void {
  console.log(`\n${name}, ${share}`);
  for (const [callee, samples] of ownByFunction(tree).slice(0, LISTED)) {
    console.log(`  ${percent(samples, tree.samples).padStart(6)}  ${callee}`);
  }
}

function percent(part: number, whole: number): string {
  return `${(part / whole * 100).toFixed(1)} %`;
}
