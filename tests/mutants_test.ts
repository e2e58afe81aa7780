/** Every deliberate bug is found by the simulator, and the build that holds them is otherwise the shipping one. */
import assert from "node:assert/strict";
import { drawPlan } from "../sim/draw.ts";
import { simulate } from "../sim/simulate.ts";
import { mutantBuild, placeOf } from "./mutant_build.ts";
import { type Mutation, MUTATIONS } from "./mutants.ts";

const MUTATIONS_LEAST = 15;
/** Seeds after which a bug counts as not found. */
const SEEDS_MOST = 3000;
/** Seeds that found what hardly any other did. They come first; when plans are drawn otherwise, they are like any. */
const TELLING = [
  6,
  3,
  2,
  19,
  5,
  1,
  4,
  14,
  9,
  15,
  30,
  48,
  25,
  31,
  40,
  72,
  115,
  155,
  69,
];

function* seedsToTry(): Generator<number> {
  yield* TELLING;
  for (let seed = 1; seed <= SEEDS_MOST; seed++) yield seed;
}

/** The first seed that shows the bug as what it is, what it showed as, and how many were tried. */
function hunt({ name, violates }: Mutation) {
  const build = mutantBuild(name);
  let tried = 0;
  for (const seed of seedsToTry()) {
    tried++;
    const property = simulate(drawPlan(seed), { build }).violation?.property;
    if (property !== undefined && violates.includes(property)) {
      return { seed, property, tried };
    }
  }
  assert.fail(
    `seeds 1 to ${SEEDS_MOST} do not show "${name}" as ${
      violates.join(" or ")
    }`,
  );
}

Deno.test("the simulator finds every deliberate bug, where it finds nothing in the shipping core", async (t) => {
  for (const mutation of MUTATIONS.filter(({ explored }) => !explored)) {
    await t.step(mutation.name, () => {
      const begin_ms = performance.now();
      const { seed, property, tried } = hunt(mutation);
      const took_s = (performance.now() - begin_ms) / 1000;
      console.log(
        `${mutation.name}: found by seed ${seed}, the ${tried}. tried, ${
          took_s.toFixed(1)
        } s, ${property}`,
      );
      const { violation } = simulate(drawPlan(seed));
      assert.equal(violation, undefined, `seed ${seed}, the shipping core`);
    });
  }
});

Deno.test("the mutated build without a mutation does what the shipping core does, frame for frame", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const plan = drawPlan(seed);
    assert.equal(
      simulate(plan, { build: mutantBuild() }).hash,
      simulate(plan).hash,
      `seed ${seed}`,
    );
  }
});

Deno.test("mutations are many, and each has a name of its own, a reason, and something that it violates", () => {
  const all = MUTATIONS;
  assert(all.length >= MUTATIONS_LEAST, `${all.length} mutations`);
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
  for (const { name, why, violates, edits } of all) {
    assert.match(why, /^[A-Z0-9].*\.$/, name);
    assert(violates.length > 0 && edits.length > 0, name);
  }
});

Deno.test("a mutation whose text is gone, or is there twice, is named when the core is built", () => {
  const edit = { file: "f.ts", find: "a == b", replace: "true" };
  assert.equal(placeOf("if (a == b) return;", edit, "m"), 4);
  assert.throws(() => placeOf("if (a != b) return;", edit, "m"), /"m": f.ts/);
  assert.throws(() => placeOf("a == b; a == b;", edit, "m"), /"m": f.ts/);
});

Deno.test("a mutation may stand behind a text that is there once", () => {
  const source = "one() { a == b; } two() { a == b; }";
  const edit = { file: "f.ts", find: "a == b", replace: "true" };
  assert.equal(placeOf(source, { ...edit, after: "two()" }, "m"), 26);
  assert.throws(() => placeOf(source, { ...edit, after: "()" }, "m"), /"\(\)"/);
  assert.throws(() =>
    placeOf(source, { ...edit, after: "two()", find: "c == d" }, "m")
  );
});

Deno.test("a mutation that is not in the list cannot be built", () => {
  assert.throws(() => mutantBuild("no such one"), /"no such one"/);
});
