/**
 * Latency and throughput by outstanding values of 64 bytes, for both topologies and each kind of
 * storage, interleaved, each several times; and, in the same run, what the card and the disk reach
 * with no protocol.
 */
// @ts-types="../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import type { Floor } from "../ffi/floor.ts";
import {
  storageOptions,
  STORAGES,
  type StorageWord,
} from "../tests/faults/storage.ts";
import { createNet, INTERFACE, type Net } from "../tests/netns.ts";
import { type DiskFloor, measureDisk } from "./disk_floor.ts";

const TOPOLOGIES = ["replicas", "roles"] as const;
/** Client to leader, leader to acceptors, acceptors to client. */
const HOPS = 3;
const HOSTS = ["h1", "h2", "h3"];
const CLIENT = "c";

type Topology = (typeof TOPOLOGIES)[number];

interface Sample {
  values_per_s: number;
  p50_us: number;
  p99_us: number;
}

const options = parseArgs(Deno.args, {
  string: ["repeats", "seconds", "outstanding", "storage", "folder"],
  boolean: ["json"],
  unknown: (argument) => {
    console.error(
      `bench: unknown argument ${argument}; see the head of scripts/bench`,
    );
    Deno.exit(2);
  },
});
const given = (name: string) => options[name] as string | undefined;
const repeats = positive("repeats", given("repeats") ?? "3");
const seconds = positive("seconds", given("seconds") ?? "3");
const outstandings = (given("outstanding") ?? "1,32,128").split(",")
  .map((it) => positive("outstanding", it));
const storages = (given("storage") ?? "memory").split(",").map(storageWord);
const folder = Deno.makeTempDirSync({
  prefix: "kpaxos-bench-",
  dir: given("folder"),
});

function positive(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(
    `bench: --${name} wants whole numbers above 0, not ${text || "nothing"}`,
  );
  Deno.exit(2);
}

function storageWord(text: string): StorageWord {
  const found = STORAGES.find((it) => it === text);
  if (found !== undefined) return found;
  console.error(
    `bench: --storage wants ${STORAGES.join(", ")}, not ${text || "nothing"}`,
  );
  Deno.exit(2);
}

/** The processes of a topology: kind, id, host. */
function members(topology: Topology): [string, number, string][] {
  const kinds = topology === "replicas" ? ["replica"] : ["acceptor"];
  const everywhere = HOSTS.flatMap((host, i) =>
    kinds.map((kind): [string, number, string] => [kind, i + 1, host])
  );
  // As in libpaxos' benchmark: one proposer, three acceptors, and here a learner.
  return topology === "replicas"
    ? everywhere
    : [...everywhere, ["proposer", 1, "h1"], ["learner", 1, "h2"]];
}

async function measureFloor(net: Net): Promise<Floor> {
  const script = (role: string, ...rest: string[]) => [
    ...[Deno.execPath(), "run", "--allow-all", "--no-check"],
    ...["scripts/echo_floor.ts", role, INTERFACE, ...rest],
  ];
  const echo = net.spawn("h1", script("echo", `${seconds * 2 + 2}`), {
    stdout: "piped",
  });
  // Its first line is its address: then it listens.
  const reader = echo.stdout.getReader();
  const { value } = await reader.read();
  const address = new TextDecoder().decode(value).trim();
  const floor = JSON.parse(
    net.exec(CLIENT, ...script("measure", `${seconds}`, address)),
  );
  await reader.cancel();
  await echo.status;
  return floor;
}

async function measureCluster(
  net: Net,
  topology: Topology,
  storage: StorageWord,
): Promise<Map<number, Sample>> {
  // Each run begins with nothing stored.
  const stored = Deno.makeTempDirSync({ dir: folder });
  const processes = members(topology).map(([kind, id, host]) =>
    net.spawn(host, [
      ...["./kpaxos", kind, "--id", `${id}`, "--if", INTERFACE],
      ...["--verbosity", "error"],
      ...(kind === "learner" ? ["--output", "none"] : []),
      ...storageOptions(storage, kind, stored),
    ])
  );
  const samples = new Map<number, Sample>();
  try {
    const client = (...args: string[]) =>
      net.exec(
        CLIENT,
        ...["./kpaxos", "client", "--if", INTERFACE, "--json"],
        ...["--verbosity", "quiet", ...args],
      );
    // The first value is decided when all are up, however long that takes.
    client("--count", "1000");
    for (const outstanding of outstandings) {
      const lines = client(
        ...["--outstanding", `${outstanding}`, "--seconds", `${seconds}`],
      ).trim().split("\n");
      const { values_per_s, latency_us } = JSON.parse(lines.at(-1)!);
      samples.set(outstanding, {
        values_per_s,
        p50_us: latency_us.p50,
        p99_us: latency_us.p99,
      });
    }
  } finally {
    for (const process of processes) process.kill("SIGTERM");
    await Promise.all(processes.map((process) => process.status));
    Deno.removeSync(stored, { recursive: true });
  }
  return samples;
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

const storesOnDisk = storages.some((it) => it !== "memory");
const floors: Floor[] = [];
const disks: DiskFloor[] = [];
const runs = new Map<string, Map<number, Sample>[]>();

async function measure(): Promise<void> {
  await using net = await createNet({ nodes: [...HOSTS, CLIENT] });
  for (let repeat = 1; repeat <= repeats; repeat++) {
    const say = (what: string) =>
      console.error(`bench: run ${repeat} of ${repeats}: ${what}`);
    say("echo");
    floors.push(await measureFloor(net));
    if (storesOnDisk) {
      say("disk");
      disks.push(measureDisk(folder, seconds * 2));
    }
    for (const topology of TOPOLOGIES) {
      for (const storage of storages) {
        const name = `${topology} ${storage}`;
        say(name);
        const samples = await measureCluster(net, topology, storage);
        runs.set(name, [...(runs.get(name) ?? []), samples]);
      }
    }
  }
}

try {
  await measure();
} finally {
  Deno.removeSync(folder, { recursive: true });
}

const floor = {
  round_trip_p50_us: median(floors.map((it) => it.latency_us.p50)),
  round_trips_per_s: Math.round(
    median(floors.map((it) => it.roundTrips_per_s)),
  ),
  frames_per_s: Math.round(median(floors.map((it) => it.frames_per_s))),
};
const hops_us = floor.round_trip_p50_us * HOPS / 2;
const disk = !storesOnDisk ? undefined : {
  fdatasyncs_per_s: median(disks.map((it) => it.fdatasyncs_per_s)),
  fdatasync_p50_us: median(disks.map((it) => it.fdatasync_p50_us)),
  lmdb: disks[0].lmdb.map(({ batch }, i) => ({
    batch,
    commits_per_s: median(disks.map((it) => it.lmdb[i].commits_per_s)),
    puts_per_s: median(disks.map((it) => it.lmdb[i].puts_per_s)),
    commit_p50_us: median(disks.map((it) => it.lmdb[i].commit_p50_us)),
  })),
};

/** Medians of the runs of one kind. */
function figures(topology: Topology, storage: StorageWord, values: number) {
  const samples = (runs.get(`${topology} ${storage}`) ?? [])
    .map((run) => run.get(values)!);
  if (samples.length === 0) return undefined;
  const of = (key: keyof Sample) => median(samples.map((it) => it[key]));
  return {
    values_per_s: of("values_per_s"),
    p50_us: of("p50_us"),
    p99_us: of("p99_us"),
  };
}

const ratio = (part: number, whole: number) =>
  Math.round(part / whole * 100) / 100;

/** Beside memory, and beside the disk: one commit a value, and the time of a commit and of memory's way together. */
function besideDisk(topology: Topology, storage: StorageWord, values: number) {
  const memory = figures(topology, "memory", values);
  if (storage === "memory" || disk === undefined) return {};
  const { commits_per_s, commit_p50_us } = disk.lmdb[0];
  const { values_per_s, p50_us } = figures(topology, storage, values)!;
  return {
    to_single_commits: ratio(values_per_s, commits_per_s),
    ...(memory === undefined ? {} : {
      to_memory: ratio(values_per_s, memory.values_per_s),
      p50_to_memory_and_commit: ratio(
        p50_us,
        memory.p50_us + commit_p50_us,
      ),
    }),
  };
}

const rows = TOPOLOGIES.flatMap((topology) =>
  storages.flatMap((storage) =>
    outstandings.map((outstanding) => {
      const sample = figures(topology, storage, outstanding)!;
      return {
        topology,
        storage,
        outstanding,
        ...sample,
        p50_to_floor: ratio(sample.p50_us, hops_us),
        values_to_echoed_frames: ratio(
          sample.values_per_s,
          floor.frames_per_s,
        ),
        ...besideDisk(topology, storage, outstanding),
      };
    })
  )
);
if (options.json === true) {
  console.log(JSON.stringify({ repeats, seconds, floor, disk, rows }));
} else {
  console.log(
    `Medians of ${repeats} runs of ${seconds} s, 64-byte values.\n` +
      `Echo by the shim alone: round trip p50 ${floor.round_trip_p50_us} µs ` +
      `(${HOPS} hops: ${hops_us} µs), ${floor.frames_per_s} frames/s with 32 under way.\n`,
  );
  if (disk !== undefined) {
    console.log(
      `The disk alone: ${disk.fdatasyncs_per_s} fdatasync/s of 4 KiB, p50 ${disk.fdatasync_p50_us} µs; LMDB's synchronous commits:`,
    );
    console.table(disk.lmdb);
  }
  console.table(rows);
}
