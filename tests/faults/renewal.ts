/** Every disk is replaced, one after the other, and then everybody is killed: nothing is lost. */
import type { Experiment, Outcome, Wanted } from "./experiment.ts";
import { openSite, problems, type Site, until } from "./site.ts";

/** What an acceptor without its memory logs when another one's may be replaced. */
const WHOLE = /has fetched what it may have held/;

export const renewal: Experiment = {
  summary:
    "every disk is replaced in turn, all nodes are killed, and a new learner wants everything",
  defaults: { topology: "replicas", storage: "lmdb-sync", values: 20_000 },
  run: runRenewal,
};

async function runRenewal(wanted: Wanted): Promise<Outcome> {
  await using site = await openSite({ ...wanted, clients: 1 }, 1);
  await site.start(0);
  await site.led();
  const client = site.client(["--count", `${wanted.values}`]);
  const broken = await problems(client);
  for (const name of site.members) await replaceDisk(site, wanted.folder, name);
  await site.killAll();
  await Promise.all(site.members.map((name) => site.restart(name)));
  await site.addLearner();
  const { report, wrong } = await site.check();
  return {
    broken: [...broken, ...wrong],
    missed: [],
    figures: { proposed: report.proposed, delivered: report.deliveredByAll },
    lines: [
      `a learner that began after it delivered ${report.deliveredByAll} of ${report.proposed} values`,
    ],
  };
}

async function replaceDisk(
  site: Site,
  folder: string,
  name: string,
): Promise<void> {
  site.kill(name);
  await site.process(name).ended;
  Deno.removeSync(`${folder}/storage/${name.replace(" ", "-")}`, {
    recursive: true,
  });
  site.note(`${name} gets a new disk`);
  await site.restart(name);
  const { errors } = site.process(name);
  await until(
    () => errors.lines.some((line) => WHOLE.test(line)),
    `${name} has fetched what it may have held`,
  );
}
