/** Torture as a command: how long, from which seed, and what to say of what came out. */
// @ts-types="../../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import type { Outcome } from "../faults/experiment.ts";
import { removeValues } from "../faults/folder.ts";
import { STORAGES, type StorageWord } from "../../roles/storage_word.ts";
import { KPAXOS } from "../process.ts";
import { torture } from "./torture.ts";

const HELP =
  `scripts/torture [OPTION...]: real processes with storage, under everything at once

kill -9 of one, several and all, also clients; freezes, cables, loss, partitions, a full disk, drawn
from a seed. Then every learner must have delivered what was acknowledged to a client, all the same in
the same order, and registers that live in the log must be linearizable. Exits 1 when that is not so.

  --minutes N      how long (2)
  --seconds N      the same, in seconds
  --seed N         start of the choices that are drawn (default: drawn)
  --storage WORD   ${STORAGES.join(", ")} (lmdb-sync)
  --folder FOLDER  for logs, values and storage (default: a new one in $TMPDIR or /tmp)
  --keep           keep them, also when all is well
  --json           one object on stdout
`;

const NUMBERS = ["minutes", "seconds", "seed"] as const;

function usage(problem: string): never {
  console.error(`torture: ${problem}; see scripts/torture --help`);
  Deno.exit(2);
}

const options = parseArgs(Deno.args, {
  string: [...NUMBERS, "storage", "folder"],
  boolean: ["json", "keep", "help"],
  unknown: (argument) => usage(`unknown argument ${argument}`),
});
if (options.help === true) {
  console.log(HELP);
  Deno.exit(0);
}
const number = (name: (typeof NUMBERS)[number]) => {
  const given = options[name] as string | undefined;
  if (given === undefined) return undefined;
  const value = Number(given);
  if (given !== "" && Number.isInteger(value) && value >= 0) return value;
  return usage(`--${name} wants a whole number, not ${given}`);
};
const minutes = number("minutes");
if (minutes !== undefined && options.seconds !== undefined) {
  usage("--minutes and --seconds are the same: give one");
}
const seconds = number("seconds") ?? (minutes ?? 2) * 60;
const seed = number("seed") ?? crypto.getRandomValues(new Uint32Array(1))[0];
const storage = (options.storage ?? "lmdb-sync") as StorageWord;
if (!STORAGES.includes(storage)) {
  usage(`--storage wants one of ${STORAGES.join(", ")}, not ${storage}`);
}
if (KPAXOS.length > 1) {
  usage("./kpaxos is older than its sources: start this by scripts/torture");
}
const folder = (options.folder as string | undefined) ??
  Deno.makeTempDirSync({ prefix: "kpaxos-torture-" });
Deno.mkdirSync(folder, { recursive: true });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // This is the first process of a namespace of processes: with it all others end.
  Deno.addSignalListener(signal, () => {
    console.error(`torture: interrupted; seed ${seed}; logs: ${folder}`);
    Deno.exit(130);
  });
}
console.error(`torture: ${seconds} s, seed ${seed}, ${storage}, in ${folder}`);
let outcome: Outcome;
try {
  outcome = await torture({
    ...{ seconds, seed, storage, folder },
    say: (text) => console.error(text),
  });
} catch (error) {
  console.error(
    `torture: ${(error as Error).stack}\nseed ${seed}; logs: ${folder}`,
  );
  Deno.exit(1);
}
const { broken, missed, figures, lines } = outcome;
const ok = broken.length + missed.length === 0;
const keep = options.keep === true || !ok;
if (!keep) removeValues(folder);
const result = { ok, seed, storage, seconds, broken, missed, figures, folder };
Deno.writeTextFileSync(`${folder}/result.json`, JSON.stringify(result) + "\n");
if (options.json === true) console.log(JSON.stringify(result));
else {
  for (const line of lines) console.log(line);
  for (const it of broken) console.log(`BROKEN: ${it}`);
  for (const it of missed) console.log(`missed: ${it}`);
  if (ok) console.log("all that was promised held");
  console.log(`seed ${seed}; ${keep ? "everything" : "logs"}: ${folder}`);
}
Deno.exit(ok ? 0 : 1);
