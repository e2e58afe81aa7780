/** A learner that starts when much was decided and the load goes on: does it catch up, how fast, at what memory? */
import { readMemory } from "../../roles/bench/usage.ts";
import {
  type Experiment,
  grouped,
  type Outcome,
  type Wanted,
} from "./experiment.ts";
import type { MemorySample } from "./memory.ts";
import {
  type Learner,
  openSite,
  problems,
  type Site,
  sleep,
  until,
} from "./site.ts";
import { now_ms } from "./watch.ts";

/** Of the load before the learner starts: its rate then is the live rate. */
const LIVE_MS = 3_000;
const SAMPLE_MS = 100;
/** Caught up: no further behind than what is decided in this time. */
const LAG_MS = 100;
const RATE_MIN = 200_000;

export const catchup: Experiment = {
  summary:
    "a learner started after many values under live load: its rate and its memory",
  defaults: {
    topology: "replicas",
    values: 2_000_000,
    seconds: 60,
    outstanding: 16,
  },
  run: runCatchup,
};

/** The learner that came late, as it caught up. */
interface Pursuit {
  /** Absent: it did not. */
  readonly caughtUp_s?: number;
  readonly delivered: number;
  readonly rate: number;
  readonly liveRate: number;
  readonly memory: readonly MemorySample[];
}

async function runCatchup(wanted: Wanted): Promise<Outcome> {
  const { values, seconds, outstanding, conf } = wanted;
  await using site = await openSite({
    ...wanted,
    clients: 2,
    // Everything is still there.
    conf: ["acceptor-log-size 512mb", ...conf],
  }, 2);
  await site.start(1);
  await site.led();
  site.note(`${grouped(values)} values first`);
  const first = site.client(["--count", `${values}`, "--outstanding", "512"]);
  await first.process.ended;
  const live = site.client([
    ...["--outstanding", `${outstanding}`, "--seconds", `${seconds}`],
  ]);
  await until(() => live.lines.length > 0, "the live client's first second");
  const before = site.learners[0].watch.delivered;
  const liveFrom_ms = now_ms();
  await sleep(LIVE_MS);
  const liveRate = (site.learners[0].watch.delivered - before) /
    (now_ms() - liveFrom_ms) * 1000;
  site.note(`live: ${grouped(liveRate)} values/s; a learner starts`);
  const pursuit = await pursue(site, liveRate, () => live.process.hasEnded);
  const broken = await problems(live);
  const { report, wrong } = await site.check();
  return summarise(pursuit, liveRate, [...broken, ...wrong], report.proposed);
}

async function pursue(
  site: Site,
  liveRate: number,
  isOver: () => boolean,
): Promise<Pursuit> {
  const [{ watch: ahead }] = site.learners;
  const startedAt_ms = now_ms();
  const aheadAtStart = ahead.delivered;
  const late: Learner = await site.addLearner();
  const process = site.process(late.name);
  const memory: MemorySample[] = [];
  let caughtUp_s: number | undefined;
  const elapsed_s = () => (now_ms() - startedAt_ms) / 1000;
  while (!isOver() && !process.hasEnded && caughtUp_s === undefined) {
    await sleep(SAMPLE_MS);
    const now = readMemory(process.pid);
    if (now !== undefined) {
      memory.push({ at_s: elapsed_s(), rss_kb: now.rssBytes / 1024 });
    }
    const lag = ahead.delivered - late.watch.delivered;
    if (lag <= liveRate * LAG_MS / 1000) caughtUp_s = elapsed_s();
  }
  const took_s = elapsed_s();
  const { delivered } = late.watch;
  site.note(
    caughtUp_s === undefined
      ? `it did not catch up: ${grouped(delivered)} of ${
        grouped(ahead.delivered)
      }`
      : `it caught up after ${caughtUp_s.toFixed(2)} s`,
  );
  return {
    caughtUp_s,
    delivered,
    rate: delivered / took_s,
    liveRate: (ahead.delivered - aheadAtStart) / took_s,
    memory,
  };
}

function summarise(
  { caughtUp_s, delivered, rate, liveRate, memory }: Pursuit,
  liveRateBefore: number,
  wrong: string[],
  proposed: number,
): Outcome {
  const missed: string[] = [];
  if (caughtUp_s === undefined) {
    wrong.push(
      `the learner did not catch up; it delivered ${delivered} values`,
    );
  }
  const rateWanted = Math.min(10 * liveRateBefore, RATE_MIN);
  if (rate < rateWanted) {
    missed.push(`${grouped(rate)} values/s, ${grouped(rateWanted)} wanted`);
  }
  const peak_kb = Math.max(0, ...memory.map(({ rss_kb }) => rss_kb));
  const every = Math.max(1, Math.floor(memory.length / 10));
  return {
    broken: wrong,
    missed,
    figures: {
      caughtUp_s,
      delivered,
      rate,
      liveRateBefore,
      liveRateMeanwhile: liveRate,
      peak_kb,
      memory,
      proposed,
    },
    lines: [
      caughtUp_s === undefined
        ? "not caught up"
        : `caught up after ${caughtUp_s.toFixed(2)} s, its start included`,
      `${grouped(delivered)} values at ${grouped(rate)} values/s; ` +
      `live ${grouped(liveRateBefore)} values/s before, ${
        grouped(liveRate)
      } meanwhile`,
      `its memory, MB: ${
        memory.filter((_, i) => i % every === 0).map(({ at_s, rss_kb }) =>
          `${(rss_kb / 1024).toFixed(0)} at ${at_s.toFixed(1)} s`
        ).join(", ")
      }; peak ${(peak_kb / 1024).toFixed(0)}`,
    ],
  };
}
