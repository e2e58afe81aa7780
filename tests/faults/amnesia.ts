/** Acceptors that lose their memory: one of three is to vote again, two are to decide nothing and say why. */
import type { Experiment, Outcome, Wanted } from "./experiment.ts";
import { openSite, problems, type Site, sleep, until } from "./site.ts";
import { length_ms, now_ms } from "./watch.ts";

/** How long a cluster without its majority's memory is watched. */
const SILENCE_MS = 10_000;
const WARM_UP_MS = 2_000;
/** What a log says that names the reason. */
const REASON = /forgot|memory|amnesia/i;

export const amnesia: Experiment = {
  summary:
    "acceptors killed and restarted under memory storage: one votes again, two decide nothing",
  defaults: { topology: "replicas", outstanding: 8 },
  run: runAmnesia,
};

async function runAmnesia(wanted: Wanted): Promise<Outcome> {
  const one = await forgetOne(wanted);
  const most = await forgetMost(wanted);
  return {
    broken: [...one.broken, ...most.broken],
    missed: [],
    figures: { one: one.figures, most: most.figures },
    lines: [...one.lines, ...most.lines],
  };
}

async function folder({ folder }: Wanted, name: string): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.mkdir(path);
  return path;
}

/** The acceptors of a site: replicas, or those that are nothing else. */
function acceptors({ members }: Site): string[] {
  return members.filter((name) => !name.startsWith("proposer"));
}

/** Kills and restarts one that does not lead; then stops another: only with its vote is there a majority. */
async function forgetOne(wanted: Wanted): Promise<Outcome> {
  await using site = await openSite({
    ...wanted,
    folder: await folder(wanted, "one"),
    clients: 1,
  }, 2);
  await site.start(2);
  const leader = await site.led();
  const [victim, other] = acceptors(site).filter((name) => name !== leader);
  const client = site.client([
    ...["--outstanding", `${wanted.outstanding}`, "--seconds", "20"],
  ]);
  await until(() => client.lines.length > 0, "the client's first second");
  const killedAt_ms = site.kill(victim);
  await site.process(victim).ended;
  await site.restart(victim);
  await sleep(WARM_UP_MS);
  const { watch } = site.learners[0];
  const pause_ms = length_ms(watch.longest(killedAt_ms, now_ms()));
  site.note(`${other} is stopped: nothing is decided without ${victim}`);
  site.process(other).signal("SIGSTOP");
  // What was under way is over by then.
  await sleep(WARM_UP_MS);
  const before = watch.delivered;
  await sleep(WARM_UP_MS);
  const decided = watch.delivered - before;
  site.process(other).signal("SIGCONT");
  const broken = await problems(client);
  const { wrong } = await site.check();
  wrong.unshift(...broken);
  if (decided === 0) {
    wrong.push(
      `${victim} does not vote again: ${decided} values without ${other}`,
    );
  }
  return {
    broken: wrong,
    missed: [],
    figures: { victim, decidedWithItsVote: decided, pause_ms },
    lines: [
      `one of three: ${victim} restarted; ${decided} values decided by its vote ` +
      `while ${other} stood still; longest pause ${pause_ms.toFixed(0)} ms`,
    ],
  };
}

/** Kills and restarts two of three at once. */
async function forgetMost(wanted: Wanted): Promise<Outcome> {
  await using site = await openSite({
    ...wanted,
    folder: await folder(wanted, "most"),
    clients: 1,
  }, 2);
  await site.start(2);
  await site.led();
  const client = site.client(["--outstanding", `${wanted.outstanding}`]);
  await until(() => client.lines.length > 0, "the client's first second");
  const victims = acceptors(site).slice(1);
  for (const name of victims) site.kill(name);
  await Promise.all(victims.map((name) => site.process(name).ended));
  await Promise.all(victims.map((name) => site.restart(name)));
  // What the survivor's vote had decided before is still delivered.
  await sleep(WARM_UP_MS);
  const counts = () => site.learners.map(({ watch }) => watch.delivered);
  const before = counts();
  await sleep(SILENCE_MS);
  const after = counts();
  const said = acceptors(site).map((name) => ({
    name,
    reasons: site.process(name).errors.lines.filter((line) =>
      REASON.test(line)
    ),
  }));
  const reason = client.lines.at(-1)?.reason;
  client.process.signal("SIGINT");
  await client.process.ended;
  // What was in flight may be decided or not.
  const { wrong } = await site.check(false);
  if (after.some((count, i) => count !== before[i])) {
    wrong.push(
      `values were decided after the majority lost its memory: ${before} before, ${after} after`,
    );
  }
  for (const { name, reasons } of said) {
    if (victims.includes(name) && reasons.length === 0) {
      wrong.push(`${name} does not say why it does not vote`);
    }
  }
  if (reason === undefined) wrong.push("the client does not say why");
  return {
    broken: wrong,
    missed: [],
    figures: { victims, said, client: reason },
    lines: [
      `two of three: ${victims.join(" and ")} restarted; nothing decided in ${
        SILENCE_MS / 1000
      } s`,
      ...said.map(({ name, reasons }) =>
        `  ${name}: ${reasons.at(-1) ?? "says nothing"}`
      ),
      `  client: ${reason ?? "says nothing"}`,
    ],
  };
}
