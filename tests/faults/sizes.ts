/** Values of one byte to 1 MiB from eight clients over a network with loss, compared by their hashes. */
import { createHash } from "node:crypto";
import { Random } from "../../sim/random.ts";
import {
  type Experiment,
  grouped,
  type Outcome,
  type Wanted,
} from "./experiment.ts";
import { type Client, openSite, problems, type Site } from "./site.ts";
import { now_ms } from "./watch.ts";

const CLIENTS = 8;
const LOSS = 0.01;
/** A round of a client's values: so many of so many bytes. */
const ROUND: readonly (readonly [count: number, bytes: number])[] = [
  [64, 1],
  [32, 1 << 10],
  [4, 64 << 10],
  [1, 1 << 20],
];
/** Values are text: of these characters. */
const LETTERS =
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";

export const sizes: Experiment = {
  summary:
    "values of 1 byte, 1 KB, 64 KB and 1 MiB mixed, from 8 clients at 1% loss",
  defaults: { topology: "replicas", repeats: 4, seed: 1, outstanding: 8 },
  run: runSizes,
};

async function runSizes(wanted: Wanted): Promise<Outcome> {
  const { outstanding, seed, repeats } = wanted;
  const random = new Random(seed);
  await using site = await openSite({
    ...wanted,
    clients: CLIENTS,
    optionsOf: () => ["--loss", `${LOSS}`],
  }, 2);
  await site.start(2);
  await site.led();
  const hashes = new Map<string, number>();
  const startedAt_ms = now_ms();
  const broken = (await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = site.client([
        ...["--stdin", "--outstanding", `${outstanding}`],
      ], { stdin: "piped" });
      const values = Array.from({ length: repeats }, () => round(random));
      await feed(client, values.flat(), hashes);
      return await problems(client);
    }),
  )).flat();
  const took_s = (now_ms() - startedAt_ms) / 1000;
  const { report, wrong } = await site.check();
  const bytes = CLIENTS * repeats *
    ROUND.reduce((sum, [count, bytes]) => sum + count * bytes, 0);
  return {
    broken: [...broken, ...wrong, ...compare(site, hashes)],
    missed: [],
    figures: { seed, took_s, bytes, proposed: report.proposed },
    lines: [
      `${grouped(report.proposed)} values, ${
        (bytes / (1 << 20)).toFixed(1)
      } MiB, ` +
      `in ${took_s.toFixed(1)} s; every learner's hashes compared`,
    ],
  };
}

/** One round's values, in a drawn order. */
function round(random: Random): string[] {
  const values = ROUND.flatMap(([count, bytes]) =>
    Array.from({ length: count }, () => text(random, bytes))
  );
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.between(0, i);
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

/** Different at every place, so that a chunk in the wrong place shows. */
function text(random: Random, bytes: number): string {
  const piece = Array.from(
    { length: Math.min(bytes, 1009) },
    () => random.pick([...LETTERS]),
  ).join("");
  let value = "";
  for (let n = 0; value.length < bytes; n++) value += `${piece}${n}`;
  return value.slice(0, bytes);
}

async function feed(
  { process }: Client,
  values: readonly string[],
  hashes: Map<string, number>,
): Promise<void> {
  const writer = process.stdin.getWriter();
  const encoder = new TextEncoder();
  try {
    for (const value of values) {
      const hash = sha256(value);
      hashes.set(hash, (hashes.get(hash) ?? 0) + 1);
      await writer.write(encoder.encode(`${value}\n`));
    }
    await writer.close();
  } catch (error) {
    // It ended; its exit code says more.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Every hash as often at every learner as it was submitted. */
function compare(
  site: Site,
  hashes: ReadonlyMap<string, number>,
): string[] {
  return site.learners.flatMap(({ name, watch }) => {
    const left = new Map(hashes);
    for (const line of Deno.readTextFileSync(watch.file).split("\n")) {
      if (line === "") continue;
      const hash = sha256(JSON.parse(line).value);
      left.set(hash, (left.get(hash) ?? 0) - 1);
    }
    const different = [...left.values()].filter((count) => count !== 0).length;
    return different === 0
      ? []
      : [`${name}: ${different} hashes do not occur as often as submitted`];
  });
}

function sha256(value: string): string {
  return createHash("sha256").update(value).digest("base64");
}
