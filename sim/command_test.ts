/** What `kpaxos sim` says and leaves when a promise does not hold. */
import assert from "node:assert/strict";
import { mutantBuild } from "../tests/mutant_build.ts";
import { runSim, type SimOptions } from "./command.ts";
import { drawPlan } from "./draw.ts";
import { readPlan } from "./read_plan.ts";
import { simulate } from "./simulate.ts";

const build = mutantBuild("client content with one vote");

/** The first seed in which the broken core is caught. */
const SEED = firstFailing();

function firstFailing(): number {
  for (let seed = 1; seed < 100; seed++) {
    if (simulate(drawPlan(seed), { build }).violation !== undefined) {
      return seed;
    }
  }
  throw new Error("no seed below 100 fails");
}

async function run(options: Partial<SimOptions>) {
  let out = "";
  let err = "";
  const code = await runSim(
    { trace: false, json: false, ...options },
    { out: (text) => out += text, err: (text) => err += text },
    build,
  );
  return { code, out, err };
}

Deno.test("a seed that fails says what, where and how to replay it, and leaves a smaller plan that fails too", async () => {
  const { code, out, err } = await run({ seed: SEED });
  assert.equal(code, 1);
  const [, seed] =
    /^VIOLATION of answers in seed (\d+) \(\w+\) at \d+\.\d{6} s: client /m
      .exec(out)!;
  assert.equal(Number(seed), SEED);
  assert(out.includes(`\n  replay: kpaxos sim --seed ${SEED} --trace\n`), out);
  assert.match(out, /\n1 violation\n$/);
  const path = /^replay: kpaxos sim --plan (\S+) --trace$/m.exec(err)![1];
  const plan = readPlan(path);
  Deno.removeSync(path);
  const { violation } = simulate(plan, { build });
  assert.equal(violation?.property, "answers");
  assert.equal(simulate(plan).violation, undefined, "only the bug does it");
  assert.equal(plan.events.length, 0, "it needs no fault at all");
});

Deno.test("a trace of a run that fails ends with the violation", async () => {
  const { out } = await run({ seed: SEED, trace: true });
  assert.match(
    out.trimEnd().split("\n").at(-1)!,
    /^\d+\.\d{6} - +VIOLATION of answers: client /,
  );
});

Deno.test("a program is told of a violation in one object", async () => {
  const { code, out } = await run({ seed: SEED, json: true });
  assert.equal(code, 1);
  const { violations: [violation] } = JSON.parse(out);
  assert.equal(violation.property, "answers");
  assert.equal(violation.seed, SEED);
  assert.equal(violation.replay, `kpaxos sim --seed ${SEED} --trace`);
});
