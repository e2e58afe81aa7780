/** How a card waits before it sleeps (`patience.c`), on a stage where time passes as the test says. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { WAIT } from "./nic.ts";

const STAGE = fileURLToPath(
  new URL("./testdata/patience_stage.c", import.meta.url),
);
/** `enum patience` of the shim. */
const [SLEEPS, YIELDS] = [0, 1];

const stage = (() => {
  const library = Deno.makeTempFileSync({ suffix: ".so" });
  const { success, stderr } = new Deno.Command(Deno.env.get("CC") ?? "cc", {
    args: [
      ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"],
      ...["-shared", "-fPIC", "-o", library, STAGE],
    ],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { symbols } = Deno.dlopen(library, {
    stage_open: { parameters: ["u32", "bool"], result: "void" },
    stage_yields: { parameters: ["f64", "u32"], result: "void" },
    stage_pass: { parameters: ["f64"], result: "void" },
    stage_slept: { parameters: ["f64"], result: "void" },
    stage_wait: { parameters: ["f64"], result: "i32" },
    stage_yielded: { parameters: [], result: "u32" },
    stage_now_us: { parameters: [], result: "f64" },
  });
  Deno.removeSync(library);
  return symbols;
})();

/** A card of which the last waits were as short as yields demand. */
function openBusy(): void {
  stage.stage_open(YIELDS, true);
  for (let n = 0; n < 4; n++) stage.stage_slept(999);
}

/** Waits, with yields that take so long; each wait's frame comes with its first yield. */
function waits(count: number, yield_us: number): void {
  stage.stage_yields(yield_us, 1);
  for (let n = 0; n < count; n++) stage.stage_wait(-1);
}

/** Whether a wait that begins now yields at all. */
function yields(): boolean {
  stage.stage_yields(1, 1);
  return stage.stage_wait(-1) === WAIT.frames;
}

/** For how many ms no wait yields, from now on. */
function pause_ms(): number {
  const from_us = stage.stage_now_us();
  while (!yields()) stage.stage_pass(1000);
  return Math.round((stage.stage_now_us() - from_us) / 1000);
}

Deno.test("a card sleeps at once until four waits in a row were short", () => {
  stage.stage_open(YIELDS, true);
  for (let n = 0; n < 4; n++) {
    assert.equal(yields(), false, `after ${n} short waits`);
    stage.stage_slept(999);
  }
  assert.equal(yields(), true);
});

Deno.test("after one long wait there must be four short ones again", () => {
  openBusy();
  stage.stage_slept(1000);
  for (let n = 0; n < 4; n++) {
    assert.equal(yields(), false, `after ${n} short waits`);
    stage.stage_slept(999);
  }
  assert.equal(yields(), true);
});

Deno.test("a card gives its core away until a frame is there", () => {
  openBusy();
  stage.stage_yields(3, 7);
  assert.equal(stage.stage_wait(-1), WAIT.frames);
  assert.equal(stage.stage_yielded(), 7);
});

Deno.test("a card sleeps when no frame came for 50 µs", () => {
  openBusy();
  stage.stage_yields(5, 0);
  assert.equal(stage.stage_wait(-1), 0);
  assert.equal(stage.stage_yielded(), 10);
});

Deno.test("a card does not give its core away beyond its deadline", () => {
  openBusy();
  stage.stage_yields(5, 0);
  assert.equal(stage.stage_wait(20), 0);
  assert.equal(stage.stage_yielded(), 4);
  assert.equal(stage.stage_wait(0), 0);
  assert.equal(stage.stage_yielded(), 0);
});

Deno.test("a card without a ring, and one that is to sleep, never yield", () => {
  for (
    const [patience, hasRing] of [[YIELDS, false], [SLEEPS, true]] as const
  ) {
    stage.stage_open(patience, hasRing);
    for (let n = 0; n < 10; n++) {
      stage.stage_slept(10);
      assert.equal(yields(), false);
    }
  }
});

Deno.test("a core that stays away for long at the fifth yield in a row is given away no more for 20 ms", () => {
  openBusy();
  waits(4, 2001);
  assert.equal(yields(), true);
  openBusy();
  waits(5, 2001);
  assert.equal(pause_ms(), 20);
});

Deno.test("a core that stays away for 2 ms is no reason to pause", () => {
  openBusy();
  waits(100, 2000);
  assert.equal(yields(), true);
});

Deno.test("one long yield in nine is no reason to pause, one in eight is", () => {
  const roundsUntilPause = (short: number): number => {
    openBusy();
    for (let round = 1; round <= 100; round++) {
      waits(1, 2001);
      waits(short, 1);
      if (!yields()) return round;
    }
    return Infinity;
  };
  // The look whether it yields is a short one too.
  assert.equal(roundsUntilPause(7), Infinity);
  assert.notEqual(roundsUntilPause(6), Infinity);
});

Deno.test("the pause doubles each time that the core is as busy as before, up to 1.28 s", () => {
  openBusy();
  waits(5, 2001);
  const pauses = [];
  for (let n = 0; n < 9; n++) {
    const from_us = stage.stage_now_us();
    // Whether it may yield again is found out by a yield that takes long.
    stage.stage_yields(2001, 1);
    while (stage.stage_wait(-1) === 0) stage.stage_pass(1000);
    pauses.push(Math.floor((stage.stage_now_us() - from_us - 2001) / 1000));
  }
  assert.deepEqual(pauses, [20, 40, 80, 160, 320, 640, 1280, 1280, 1280]);
});

Deno.test("a core that was free for 100 ms begins with the shortest pause again", () => {
  openBusy();
  waits(6, 2001);
  stage.stage_pass(20_000);
  waits(1, 2001);
  stage.stage_pass(40_000 + 100_000);
  waits(1, 2001);
  assert.equal(pause_ms(), 20);
});
