/** kill -9 of every process at once, again and again: what was acknowledged is delivered all the same. */
import { median } from "../../roles/bench/spread.ts";
import { Random } from "../../sim/random.ts";
import {
  type Experiment,
  grouped,
  type Outcome,
  type Wanted,
} from "./experiment.ts";
import { Growth } from "./growth.ts";
import { type Client, openSite, type Site, sleep } from "./site.ts";
import { now_ms } from "./watch.ts";

const HOSTS = ["c1", "c2"];
/** The shortest time from a decision to the next kill: also one that comes before anything settled. */
const SOONEST_MS = 20;
/** How long nothing may be decided after a restart before the experiment gives up. */
const PATIENCE_MS = 30_000;
/** The clients go on for so long after the last kill. */
const TAIL_MS = 1_000;

export const killall: Experiment = {
  summary:
    "kill -9 of all replicas, learners and clients at once: nothing acknowledged is lost",
  defaults: {
    topology: "replicas",
    storage: "lmdb-sync",
    kills: 50,
    period_ms: 3_000,
    outstanding: 32,
    seed: 1,
  },
  run: runKillall,
};

async function runKillall(wanted: Wanted): Promise<Outcome> {
  const { kills, period_ms, outstanding, seed } = wanted;
  const random = new Random(seed);
  await using site = await openSite({
    ...wanted,
    clients: HOSTS.length,
    recorded: ["replica 1", "replica 2", "replica 3"],
  }, 1);
  await site.start(1);
  await site.led();
  let clients = startClients(site, outstanding);
  const growth = new Growth(() => clients.map((it) => it.acknowledged));
  const returns_ms: number[] = [];
  /** From the restart to when all nodes have read their storage and run. */
  const runs_ms: number[] = [];
  const broken: string[] = [];
  try {
    await decided(growth);
    while (returns_ms.length < kills) {
      await sleep(random.between(SOONEST_MS, period_ms));
      await site.killAll();
      const from_ms = now_ms();
      clients = startClients(site, outstanding);
      const running = Promise.all(site.nodes.map((it) => site.restart(it)))
        .then(() => runs_ms.push(now_ms() - from_ms));
      const [at_ms] = await Promise.all([decided(growth), running]);
      returns_ms.push(at_ms - from_ms);
      site.note(`decides again after ${(at_ms - from_ms).toFixed(0)} ms`);
    }
    await sleep(TAIL_MS);
  } catch (error) {
    broken.push((error as Error).message);
  }
  growth.close();
  for (const { process } of clients) process.signal("SIGTERM");
  await Promise.all(clients.map(({ process }) => process.ended));
  const { report, wrong } = await site.check(false);
  return summarise(returns_ms, runs_ms, [...broken, ...wrong], {
    kills: returns_ms.length,
    proposed: report.proposed,
    acknowledged: report.acknowledged,
  });
}

function startClients(site: Site, outstanding: number): Client[] {
  return HOSTS.map((host) =>
    site.client(["--outstanding", `${outstanding}`], { host })
  );
}

/** When the next value is acknowledged, ms since 1970. */
async function decided(growth: Growth): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new Error(`nothing was decided for ${PATIENCE_MS / 1000} s`)),
      PATIENCE_MS,
    );
  });
  try {
    return await Promise.race([growth.next(), never]);
  } finally {
    clearTimeout(timer);
  }
}

function summarise(
  returns_ms: readonly number[],
  runs_ms: readonly number[],
  broken: string[],
  figures: Readonly<Record<string, unknown>>,
): Outcome {
  const acknowledged = figures.acknowledged as
    | { values: number; deliveredByAll: number }
    | undefined;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  return {
    broken,
    missed: [],
    figures: { ...figures, returns_ms, runs_ms },
    lines: [
      `${returns_ms.length} kills of everybody`,
      ...(returns_ms.length === 0 ? [] : [
        `from the restart until all nodes ran: median ${
          seconds(median(runs_ms))
        }, worst ${seconds(Math.max(...runs_ms))}`,
        `from the restart to the first acknowledged value: median ${
          seconds(median(returns_ms))
        }, worst ${seconds(Math.max(...returns_ms))}`,
      ]),
      ...(acknowledged === undefined ? [] : [
        `${grouped(acknowledged.values)} values acknowledged, ` +
        `${grouped(acknowledged.deliveredByAll)} of them delivered by all`,
      ]),
    ],
  };
}
