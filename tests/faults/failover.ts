/** kill -9 of the leader under load, again and again: how long is nothing decided? */
import { median } from "../../roles/bench/spread.ts";
import {
  type Experiment,
  grouped,
  type Outcome,
  type Wanted,
} from "./experiment.ts";
import { openSite, problems, type Site, sleep, until } from "./site.ts";
import { length_ms, now_ms } from "./watch.ts";

const WARM_UP_MS = 2_000;
/** The killed process is started again after this part of the time to the next kill. */
const RESTART_PART = 1 / 4;
/** The clients go on for longer than the cycles should take: each takes a little more than its period. */
const TAIL_S = 5;
const SLACK = 1.2;
const MEDIAN_MS_MAX = 300;
const WORST_MS_MAX = 1_000;

/** One kill and what followed. */
interface Kill {
  readonly leader: string;
  readonly successor: string;
  /** The longest pause of a learner's deliveries that ended after the kill, ms. */
  readonly pause_ms: number;
  /** When that pause ended, ms after the kill. */
  readonly until_ms: number;
  /** The longest pause of the second before the kill, when all was well. */
  readonly before_ms: number;
}

export const failover: Experiment = {
  summary:
    "kill -9 of the leader under load, with restarts: time without a decision",
  defaults: {
    topology: "replicas",
    kills: 20,
    period_ms: 4_000,
    after: 0,
    outstanding: 8,
  },
  run: runFailover,
};

async function runFailover(wanted: Wanted): Promise<Outcome> {
  const { kills: count, after, outstanding, period_ms } = wanted;
  await using site = await openSite({ ...wanted, clients: 2 }, 2);
  await site.start(2);
  await site.led();
  if (after > 0) await decide(site, after);
  const seconds = (WARM_UP_MS + count * period_ms * SLACK) / 1000 +
    TAIL_S;
  const client = site.client([
    ...["--outstanding", `${outstanding}`, "--seconds", `${seconds}`],
  ], { host: "c1" });
  await until(() => client.lines.length > 0, "the client's first second");
  await sleep(WARM_UP_MS);
  const broken: string[] = [];
  const kills: Kill[] = [];
  while (kills.length < count && !client.process.hasEnded) {
    kills.push(await killLeader(site, period_ms, broken));
  }
  if (kills.length < count) {
    broken.push(`${kills.length} of ${count} kills in ${seconds} s`);
  }
  broken.push(...await problems(client));
  const { report, wrong } = await site.check();
  return summarise(kills, [...broken, ...wrong], {
    proposed: report.proposed,
    client: client.lines.at(-1),
    reader_away_ms: Math.max(...site.learners.map((it) => it.watch.away_ms)),
  });
}

/** Has so many instances decided: two values of this size do not fit one frame. */
async function decide(site: Site, instances: number): Promise<void> {
  site.note(`${grouped(instances)} instances first`);
  const first = site.client([
    ...["--count", `${instances}`, "--outstanding", "64"],
    ...["--value-size", "700"],
  ], { host: "c2" });
  const [problem] = await problems(first);
  if (problem !== undefined) throw new Error(problem);
}

async function killLeader(
  site: Site,
  period_ms: number,
  broken: string[],
): Promise<Kill> {
  const beganAt_ms = now_ms();
  const leader = await site.led();
  const before_ms = longest(site, beganAt_ms - 1000, beganAt_ms).pause_ms;
  const killedAt_ms = site.kill(leader);
  await site.process(leader).ended;
  await sleep(killedAt_ms + period_ms * RESTART_PART - now_ms());
  await site.restart(leader);
  await sleep(killedAt_ms + period_ms - now_ms());
  const { pause_ms, endedAt_ms } = longest(site, killedAt_ms, now_ms());
  const successor = site.leader ?? "nobody";
  site.note(
    `nothing was delivered for ${pause_ms.toFixed(1)} ms; ${successor} leads`,
  );
  if (pause_ms >= period_ms - 1) {
    broken.push(
      `nothing was decided in the ${period_ms} ms after ${leader} was killed`,
    );
  }
  return {
    leader,
    successor,
    pause_ms,
    until_ms: endedAt_ms - killedAt_ms,
    before_ms,
  };
}

/** The longest pause that any learner saw. */
function longest(
  { learners }: Site,
  from_ms: number,
  to_ms: number,
): { pause_ms: number; endedAt_ms: number } {
  const pauses = learners.map(({ watch }) => watch.longest(from_ms, to_ms));
  const pause = pauses.reduce((a, b) => length_ms(b) > length_ms(a) ? b : a);
  return { pause_ms: length_ms(pause), endedAt_ms: pause.to_ms };
}

function summarise(
  kills: readonly Kill[],
  broken: string[],
  rest: Readonly<Record<string, unknown>>,
): Outcome {
  const pauses = kills.map(({ pause_ms }) => pause_ms);
  const [middle, worst] = [median(pauses), Math.max(...pauses)];
  const before = Math.max(...kills.map(({ before_ms }) => before_ms));
  const missed: string[] = [];
  if (!(middle <= MEDIAN_MS_MAX)) {
    missed.push(
      `median ${middle.toFixed(0)} ms, at most ${MEDIAN_MS_MAX} wanted`,
    );
  }
  if (!(worst < WORST_MS_MAX)) {
    missed.push(
      `worst ${worst.toFixed(0)} ms, less than ${WORST_MS_MAX} wanted`,
    );
  }
  return {
    broken,
    missed,
    figures: {
      median_ms: middle,
      worst_ms: worst,
      before_ms: before,
      kills,
      ...rest,
    },
    lines: [
      "kill  leader       then         without a decision   in the second before",
      ...kills.map((kill, i) =>
        [
          `${i + 1}`.padStart(4),
          kill.leader.padEnd(11),
          kill.successor.padEnd(11),
          `${kill.pause_ms.toFixed(1)} ms`.padStart(18),
          `${kill.before_ms.toFixed(1)} ms`.padStart(22),
        ].join("  ")
      ),
      `median ${middle.toFixed(1)} ms, worst ${worst.toFixed(1)} ms`,
    ],
  };
}
