/** Every node loses a fraction of what it receives: what is left of the throughput? */
import { median } from "../../roles/bench/spread.ts";
import {
  type Experiment,
  grouped,
  type Outcome,
  type Wanted,
} from "./experiment.ts";
import { openSite, problems } from "./site.ts";

/** Percentage lost, and the least that should be left of the throughput without loss. */
const RATES: readonly (readonly [percent: number, ratio: number])[] = [
  [0, 1],
  [1, 0.8],
  [5, 0.5],
  [10, 0.3],
  [20, 0.1],
];

export const loss: Experiment = {
  summary:
    "0, 1, 5, 10 and 20% loss at every node, interleaved: throughput beside 0%",
  defaults: { topology: "replicas", seconds: 5, repeats: 3, outstanding: 128 },
  run: runLoss,
};

async function runLoss(wanted: Wanted): Promise<Outcome> {
  const broken: string[] = [];
  const rates = new Map(RATES.map(([percent]) => [percent, [] as number[]]));
  for (let repeat = 1; repeat <= wanted.repeats; repeat++) {
    for (const [percent] of RATES) {
      const folder = `${wanted.folder}/loss-${percent}-${repeat}`;
      await Deno.mkdir(folder);
      const { values_per_s, wrong } = await measure(
        { ...wanted, folder },
        percent,
      );
      rates.get(percent)!.push(values_per_s);
      broken.push(...wrong.map((it) => `${percent}%: ${it}`));
    }
  }
  const whole = median(rates.get(0)!);
  const rows = RATES.map(([percent, wantedRatio]) => {
    const values_per_s = median(rates.get(percent)!);
    return { percent, values_per_s, ratio: values_per_s / whole, wantedRatio };
  });
  const missed = rows
    .filter(({ ratio, wantedRatio }) => !(ratio >= wantedRatio))
    .map(({ percent, ratio, wantedRatio }) =>
      `at ${percent}% loss ${
        ratio.toFixed(2)
      } of the throughput, ${wantedRatio} wanted`
    );
  return {
    broken,
    missed,
    figures: { rows, runs: Object.fromEntries(rates) },
    lines: rows.map(({ percent, values_per_s, ratio, wantedRatio }) =>
      `${`${percent}%`.padStart(4)}  ${
        grouped(values_per_s).padStart(9)
      } values/s  ` +
      `${ratio.toFixed(3)} of 0% (wanted ${wantedRatio})`
    ),
  };
}

async function measure(
  wanted: Wanted,
  percent: number,
): Promise<{ values_per_s: number; wrong: string[] }> {
  await using site = await openSite({
    ...wanted,
    clients: 1,
    optionsOf: () => ["--loss", `${percent / 100}`],
  }, 2);
  await site.start(2);
  await site.led();
  const client = site.client([
    ...["--outstanding", `${wanted.outstanding}`],
    // The first second is for finding one another.
    ...["--seconds", `${wanted.seconds + 1}`],
  ]);
  const broken = await problems(client);
  const counts = client.lines
    .filter(({ second }) => second !== undefined && second > 1)
    .slice(0, wanted.seconds);
  const values_per_s = counts.reduce((sum, it) => sum + it.values, 0) /
    wanted.seconds;
  const { wrong } = await site.check();
  site.note(`${percent}% loss: ${grouped(values_per_s)} values/s`);
  return { values_per_s, wrong: [...broken, ...wrong] };
}
