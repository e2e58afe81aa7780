/** Everything that can happen to a cluster, drawn from a seed, for minutes: memory stays flat, and nothing is lost. */
import { Random } from "../../sim/random.ts";
import type { Experiment, Outcome, Wanted } from "./experiment.ts";
import { FAULT_MS, FAULTS, inflict } from "./inflict.ts";
import { type MemorySample, slope_kb_per_min } from "./memory.ts";
import { type MemoryOf, openSite, problems, sleep, until } from "./site.ts";
import { length_ms, now_ms } from "./watch.ts";

/** How long all is well between two faults. */
const CALM_MS = [1_000, 3_000] as const;
/** The clients go on for so long after the last fault. */
const TAIL_S = 5;
/** A process's first samples do not count: memory is touched for the first time. */
const WARM_UP_S = 180;
/** Shorter stretches say nothing about growth. */
const STRETCH_S = 60;
/** So small that it is soon full: until then an acceptor's memory is still being touched for the first time. */
const LOG = "acceptor-log-size 4mb";
/** More is a leak: 600 KiB a minute is a GB a day. */
const SLOPE_KB_PER_MIN_MAX = 600;
/** Nothing may stand still for longer after a fault is over. */
const PAUSE_MS_MAX = 5_000;

export const mixed: Experiment = {
  summary:
    "kills, freezes, cables, loss and partitions for a long time: memory of every process",
  defaults: { topology: "replicas", seconds: 600, outstanding: 1, seed: 1 },
  run: runMixed,
};

async function runMixed(wanted: Wanted): Promise<Outcome> {
  const { seconds, outstanding, seed } = wanted;
  const random = new Random(seed);
  await using site = await openSite({
    ...wanted,
    conf: [LOG, ...wanted.conf],
    clients: 2,
  }, 2);
  await site.start(2);
  await site.led();
  site.sampleMemory();
  const clients = [1, 2].map(() =>
    site.client([
      ...[
        "--outstanding",
        `${outstanding}`,
        "--seconds",
        `${seconds + TAIL_S}`,
      ],
    ])
  );
  await until(
    () => clients.every(({ lines }) => lines.length > 0),
    "the clients' first second",
  );
  const end_ms = now_ms() + seconds * 1000;
  const faults: Record<string, number> = {};
  const broken: string[] = [];
  let worst_ms = 0;
  while (now_ms() < end_ms - FAULT_MS[1] - CALM_MS[1]) {
    const fault = random.pick(FAULTS);
    faults[fault] = (faults[fault] ?? 0) + 1;
    const from_ms = now_ms();
    // One is never killed, so that its memory is seen from beginning to end.
    const mortal = site.members.filter((name) => !name.endsWith(" 3"));
    await inflict(site, fault, random, mortal);
    await sleep(random.between(...CALM_MS));
    const pause_ms = length_ms(
      site.learners[0].watch.longest(from_ms, now_ms()),
    );
    worst_ms = Math.max(worst_ms, pause_ms);
    if (pause_ms > FAULT_MS[1] + PAUSE_MS_MAX) {
      broken.push(
        `nothing was delivered for ${pause_ms.toFixed(0)} ms after: ${fault}`,
      );
    }
  }
  broken.push(...(await Promise.all(clients.map(problems))).flat());
  const { report, wrong } = await site.check();
  return summarise(site.memory, [...broken, ...wrong], {
    seed,
    faults,
    worst_ms,
    proposed: report.proposed,
  });
}

/** What counts of a process's samples. */
function warm(samples: readonly MemorySample[]): readonly MemorySample[] {
  return samples.filter(({ at_s }) => at_s >= WARM_UP_S);
}

function summarise(
  memory: readonly MemoryOf[],
  broken: string[],
  rest: Readonly<Record<string, unknown>>,
): Outcome {
  const rows = memory.map(({ name, samples }) => {
    const counted = warm(samples);
    const first = counted[0];
    const last = counted.at(-1);
    const stretch_s = first === undefined ? 0 : last!.at_s - first.at_s;
    return {
      name,
      stretch_s,
      first_kb: first?.rss_kb,
      peak_kb: Math.max(0, ...samples.map(({ rss_kb }) => rss_kb)),
      slope_kb_per_min: stretch_s < STRETCH_S
        ? undefined
        : slope_kb_per_min(counted),
    };
  });
  const measured = rows.filter((it) => it.slope_kb_per_min !== undefined);
  const missed = measured
    .filter((it) => it.slope_kb_per_min! > SLOPE_KB_PER_MIN_MAX)
    .map((it) =>
      `${it.name} grows by ${it.slope_kb_per_min!.toFixed(0)} KiB a minute`
    );
  const mb = (kb: number) => (kb / 1024).toFixed(1).padStart(7);
  return {
    broken,
    missed,
    figures: { ...rest, memory: rows, samples: memory },
    lines: [
      `faults: ${JSON.stringify(rest.faults)}; longest without a delivery ${
        (rest.worst_ms as number).toFixed(0)
      } ms`,
      `processes that ran for ${STRETCH_S} s after a warm-up of ${WARM_UP_S} s: MB then, MB at most, KiB a minute`,
      ...measured.map((it) =>
        `${it.name.padEnd(11)}  ${mb(it.first_kb!)}  ${mb(it.peak_kb)}  ` +
        `${it.slope_kb_per_min!.toFixed(1).padStart(8)}  over ${
          it.stretch_s.toFixed(0)
        } s`
      ),
    ],
  };
}
