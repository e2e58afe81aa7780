/** Two proposers that are both told to lead, and a client that was told so for each: who gets on? */
import type { Experiment, Outcome, Wanted } from "./experiment.ts";
import { openSite, problems } from "./site.ts";

/** The first seconds do not count. */
const SETTLE_S = 2;

export const duel: Experiment = {
  summary:
    "two proposers told to lead, two clients: values of each in every second",
  defaults: { topology: "roles", seconds: 30, outstanding: 32 },
  run: runDuel,
};

async function runDuel(wanted: Wanted): Promise<Outcome> {
  const { seconds, outstanding } = wanted;
  await using site = await openSite({
    ...wanted,
    clients: 2,
    // Everybody else hears that proposer 1 leads.
    optionsOf: (name) =>
      /^(proposer|client) 2$/.test(name) ? ["--leader", "2"] : [],
  }, 2);
  await site.start(2);
  const clients = [1, 2].map(() =>
    site.client([
      ...["--outstanding", `${outstanding}`, "--seconds", `${seconds}`],
    ])
  );
  const broken = (await Promise.all(clients.map(problems))).flat();
  const values = clients.map(({ lines }) =>
    lines.filter(({ second }) => second !== undefined && second <= seconds)
      .map((line) => line.values)
  );
  values.forEach((perSecond, i) => {
    const idle = perSecond.flatMap((count, second) =>
      count === 0 && second >= SETTLE_S ? [second + 1] : []
    );
    if (idle.length > 0) {
      broken.push(`client ${i + 1} got no value in second ${idle.join(", ")}`);
    }
  });
  const { report, wrong } = await site.check();
  return {
    broken: [...broken, ...wrong],
    missed: [],
    figures: { values, proposed: report.proposed },
    lines: values.map((perSecond, i) =>
      `client ${i + 1}, values in each second: ${perSecond.join(" ")}`
    ),
  };
}
