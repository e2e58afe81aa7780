/**
 * Latency and throughput at 1, 32 and 128 outstanding values of 64 bytes, for both topologies,
 * interleaved, each several times; and, in the same run, what the card reaches with no protocol.
 */
// @ts-types="../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import type { Floor } from "../ffi/floor.ts";
import { createNet, INTERFACE, type Net } from "../tests/netns.ts";

const TOPOLOGIES = ["replicas", "roles"] as const;
const OUTSTANDING = [1, 32, 128] as const;
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
  string: ["repeats", "seconds"],
  boolean: ["json"],
  unknown: (argument) => {
    console.error(
      `bench: unknown argument ${argument}; see the head of scripts/bench`,
    );
    Deno.exit(2);
  },
});
const repeats = positive("repeats", "3");
const seconds = positive("seconds", "3");

function positive(name: "repeats" | "seconds", fallback: string): number {
  const number = Number(options[name] ?? fallback);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`bench: --${name} wants a whole number above 0`);
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
): Promise<Map<number, Sample>> {
  const processes = members(topology).map(([kind, id, host]) =>
    net.spawn(host, [
      ...["./kpaxos", kind, "--id", `${id}`, "--if", INTERFACE],
      ...["--verbosity", "error"],
      ...(kind === "learner" ? ["--output", "none"] : []),
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
    for (const outstanding of OUTSTANDING) {
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
  }
  return samples;
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

await using net = await createNet({ nodes: [...HOSTS, CLIENT] });
const floors: Floor[] = [];
const runs: Record<Topology, Map<number, Sample>[]> = {
  replicas: [],
  roles: [],
};
for (let repeat = 1; repeat <= repeats; repeat++) {
  console.error(`bench: run ${repeat} of ${repeats}: echo`);
  floors.push(await measureFloor(net));
  for (const topology of TOPOLOGIES) {
    console.error(`bench: run ${repeat} of ${repeats}: ${topology}`);
    runs[topology].push(await measureCluster(net, topology));
  }
}

const floor = {
  round_trip_p50_us: median(floors.map((it) => it.latency_us.p50)),
  round_trips_per_s: Math.round(
    median(floors.map((it) => it.roundTrips_per_s)),
  ),
  frames_per_s: Math.round(median(floors.map((it) => it.frames_per_s))),
};
const hops_us = floor.round_trip_p50_us * HOPS / 2;
const rows = TOPOLOGIES.flatMap((topology) =>
  OUTSTANDING.map((outstanding) => {
    const samples = runs[topology].map((run) => run.get(outstanding)!);
    const of = (key: keyof Sample) => median(samples.map((it) => it[key]));
    const p50_us = of("p50_us");
    return {
      topology,
      outstanding,
      values_per_s: of("values_per_s"),
      p50_us,
      p99_us: of("p99_us"),
      p50_to_floor: Math.round(p50_us / hops_us * 100) / 100,
      values_to_echoed_frames: Math.round(
        of("values_per_s") / floor.frames_per_s * 100,
      ) / 100,
    };
  })
);
if (options.json === true) {
  console.log(JSON.stringify({ repeats, seconds, floor, rows }));
} else {
  console.log(
    `Medians of ${repeats} runs of ${seconds} s, 64-byte values.\n` +
      `Echo by the shim alone: round trip p50 ${floor.round_trip_p50_us} µs ` +
      `(${HOPS} hops: ${hops_us} µs), ${floor.frames_per_s} frames/s with 32 under way.\n`,
  );
  console.table(rows);
}
