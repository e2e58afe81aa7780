/** Partitions in the bridge, with a client and a learner on either side: no divergence, and progress where the majority is. */
import { median } from "../../roles/bench/spread.ts";
import type { Experiment, Outcome, Wanted } from "./experiment.ts";
import { openSite, problems, type Site, sleep, until } from "./site.ts";
import { length_ms, now_ms } from "./watch.ts";

/** The part of a period in which cables are cut; then they are whole. */
const CUT_PART = 4 / 7;
/** Progress must be back so long before a cut, or the time after it, ends: this part of a period. */
const LAST_PART = 1 / 7;
/** The clients go on for so long after the last cut. */
const TAIL_S = 3;

/** What is done, in turn. */
const CUTS = ["leader", "other", "leader mute", "everybody"] as const;
type Cut = (typeof CUTS)[number];

/** One cut and what the learner on the majority's side saw. */
interface Seen {
  readonly cut: Cut;
  readonly victim: string;
  /** Longest time without a delivery while the cables were cut, and after. */
  readonly cut_ms: number;
  readonly whole_ms: number;
}

export const partition: Experiment = {
  summary: "the leader and others cut off in turn, clients on both sides",
  defaults: {
    topology: "replicas",
    seconds: 60,
    period_ms: 7_000,
    outstanding: 4,
  },
  run: runPartition,
};

async function runPartition(wanted: Wanted): Promise<Outcome> {
  const { outstanding, period_ms } = wanted;
  const count = Math.max(
    1,
    Math.round(wanted.seconds * 1000 / period_ms),
  );
  await using site = await openSite({ ...wanted, clients: 2 }, 2);
  await site.start(2);
  await site.led();
  const seconds = count * period_ms / 1000 + TAIL_S;
  const clients = [1, 2].map(() =>
    site.client([
      ...["--outstanding", `${outstanding}`, "--seconds", `${seconds}`],
    ])
  );
  await until(
    () => clients.every(({ lines }) => lines.length > 0),
    "the clients' first second",
  );
  const broken: string[] = [];
  const seen: Seen[] = [];
  for (let n = 0; n < count; n++) {
    seen.push(
      await cutAndHeal(site, CUTS[n % CUTS.length], n, period_ms, broken),
    );
  }
  broken.push(...(await Promise.all(clients.map(problems))).flat());
  const { report, wrong } = await site.check();
  const values = clients.map(({ lines }) => lines.at(-1)?.values);
  return {
    broken: [...broken, ...wrong],
    missed: [],
    figures: {
      seen,
      values,
      proposed: report.proposed,
      leader_median_ms: median(
        seen.filter(({ cut }) => cut === "leader").map(({ cut_ms }) => cut_ms),
      ),
    },
    lines: [
      "cut          victim       longest without a delivery: cut, then whole",
      ...seen.map(({ cut, victim, cut_ms, whole_ms }) =>
        `${cut.padEnd(11)}  ${victim.padEnd(11)}  ` +
        `${cut_ms.toFixed(1).padStart(10)} ms  ${
          whole_ms.toFixed(1).padStart(10)
        } ms`
      ),
      `values of the client on the victims' side ${values[0]}, on the other ${
        values[1]
      }`,
    ],
  };
}

/** Cuts, waits, heals, waits; client 1 and learner 1 are on the victim's side, the others on the majority's. */
async function cutAndHeal(
  site: Site,
  cut: Cut,
  turn: number,
  period_ms: number,
  broken: string[],
): Promise<Seen> {
  const last_ms = period_ms * LAST_PART;
  const leader = await site.led();
  const led = Number(leader.split(" ")[1]);
  const victim = cut === "other" ? led % 3 + 1 : led;
  const hosts = site.members.filter((name) => name.endsWith(` ${victim}`))
    .map((name) => site.host(name));
  const small = [...hosts, "c1", "l1"];
  const large = site.net.nodes.filter((host) => !small.includes(host));
  site.note(`cut ${turn + 1}: ${cut}, ${small.join(" ")} | ${large.join(" ")}`);
  const cutAt_ms = now_ms();
  if (cut === "everybody") site.cables.split([]);
  else if (cut === "leader mute") site.cables.mute(hosts);
  else site.cables.split([small, large]);
  await sleep(cutAt_ms + period_ms * CUT_PART - now_ms());
  const { watch } = site.learners[1];
  const wholeAt_ms = now_ms();
  const cut_ms = length_ms(watch.longest(cutAt_ms, wholeAt_ms));
  site.cables.heal();
  site.note("healed");
  await sleep(cutAt_ms + period_ms - now_ms());
  const end_ms = now_ms();
  const whole_ms = length_ms(watch.longest(wholeAt_ms, end_ms));
  if (cut !== "everybody" && cut_ms > wholeAt_ms - cutAt_ms - last_ms) {
    broken.push(
      `cut ${
        turn + 1
      } (${cut}, ${victim}): the majority's side delivered nothing for ${
        cut_ms.toFixed(0)
      } ms`,
    );
  }
  for (const { name, watch } of site.learners) {
    if (length_ms(watch.longest(end_ms - last_ms, end_ms)) < last_ms) continue;
    broken.push(
      `${name} delivered nothing at the end of the time after cut ${
        turn + 1
      } was healed`,
    );
  }
  return { cut, victim: `${victim}`, cut_ms, whole_ms };
}
