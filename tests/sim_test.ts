/** `kpaxos sim` as a user runs it: the one-file program, its text, its files, its exit codes. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const binary = fileURLToPath(new URL("../kpaxos", import.meta.url));
const SEEDS = 1000;

/** Runs `kpaxos sim` in a folder of its own. */
async function sim(args: string, folder: string) {
  const output = await new Deno.Command(binary, {
    args: ["sim", ...args.split(" ")],
    cwd: folder,
    stdin: "null",
    env: { TMPDIR: folder, NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return {
    code: output.code,
    out: text.decode(output.stdout),
    err: text.decode(output.stderr),
  };
}

/** Calls `body` with a new folder that is removed afterwards. */
async function inFolder(body: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "kpaxos-sim-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(`${SEEDS} seeds from 1 on: no violation`, () =>
  inFolder(async (folder) => {
    const { code, out, err } = await sim(
      `--seed 1 --seeds ${SEEDS} --json`,
      folder,
    );
    assert.equal(code, 0, out + err);
    const totals = JSON.parse(out);
    assert.equal(totals.seeds, SEEDS);
    assert.deepEqual(totals.violations, []);
    // Not one of the runs may have been so harsh that nothing had to be decided.
    assert(totals.ended > SEEDS * 0.8, `${totals.ended} ended`);
    console.log(out);
  }));

Deno.test("the same seeds have the same hash, on however many threads and one by one", () =>
  inFolder(async (folder) => {
    const together = JSON.parse(
      (await sim("--seed 21 --seeds 3 --json", folder)).out,
    );
    let hash = 0n;
    for (const seed of [21, 22, 23]) {
      const { out } = await sim(`--seed ${seed} --json`, folder);
      hash ^= BigInt(`0x${JSON.parse(out).hash}`);
    }
    assert.equal(together.hash, hash.toString(16).padStart(16, "0"));
  }));

Deno.test("one seed is told to people in full, and ends with the verdict", () =>
  inFolder(async (folder) => {
    const { code, out, err } = await sim("--seed 3 --topology roles", folder);
    assert.equal(code, 0, err);
    assert.match(out, /^seed 3, /);
    assert.match(out, /^topologies: roles 1$/m);
    assert.match(out, /\nno violation\n$/);
  }));

Deno.test("a trace has one line an event on standard output, and nothing else", () =>
  inFolder(async (folder) => {
    const { code, out, err } = await sim("--seed 3 --trace", folder);
    assert.equal(code, 0, err);
    const lines = out.trimEnd().split("\n");
    assert(lines.length > 1000);
    const line =
      /^\d+\.\d{6} \S.* (start|stop|send|receive|lose|note|choose|submit|answer|deliver|durable|fault) /;
    for (const it of lines) assert.match(it, line);
    assert.match(err, /no violation\n$/);
  }));

Deno.test("a plan's picture is one page that names how to run it again", () =>
  inFolder(async (folder) => {
    const plan = fileURLToPath(
      new URL("../docs/plans/duel.json", import.meta.url),
    );
    const { code, out, err } = await sim(
      `--plan ${plan} --html duel.html`,
      folder,
    );
    assert.equal(code, 0, out + err);
    const page = Deno.readTextFileSync(`${folder}/duel.html`);
    assert(page.includes(`<code>kpaxos sim --plan ${plan}</code>`));
    assert(page.includes("leads in ballot 1.2"));
  }));

Deno.test("what cannot be run is a clear error", () =>
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/empty.json`, "{}");
    Deno.writeTextFileSync(`${folder}/text.json`, "plan");
    const duel = JSON.parse(Deno.readTextFileSync(
      new URL("../docs/plans/duel.json", import.meta.url),
    ));
    const spoilt = (name: string, spoil: (plan: typeof duel) => void) => {
      const plan = structuredClone(duel);
      spoil(plan);
      Deno.writeTextFileSync(`${folder}/${name}.json`, JSON.stringify(plan));
    };
    spoilt("far", (plan) => plan.events[0].cuts.push([0, 99]));
    spoilt("kind", (plan) => plan.events[0].kind = "earthquake");
    spoilt("leader", (plan) => delete plan.nodes[0].leader);
    spoilt("loss", (plan) => plan.weather.loss = "much");
    spoilt("lists", (plan) => plan.events = {});
    const isolated = { at_us: 1, kind: "isolate leader", for_us: 1 };
    spoilt("ways", (plan) => plan.events.push({ ...isolated, ways: "up" }));
    spoilt("election", (plan) => plan.electionTimeout_us = "soon");
    spoilt("client", (plan) => delete plan.nodes[6].client);
    const cases = [
      ["--seeds 3 --trace", /--trace shows one run/],
      ["--seeds 3 --html x.html", /--html shows one run/],
      ["--seed 4294967296", /--seed 4294967296 is too large/],
      ["--seed 4294967290 --seeds 10", /go beyond 4294967295/],
      ["--plan none.json", /cannot read none\.json/],
      [
        "--plan empty.json",
        /empty\.json is no plan.*: seed should be a whole number/,
      ],
      ["--plan text.json", /text\.json is no plan/],
      ["--plan far.json", /far\.json is no plan.*names node 99/],
      ["--plan kind.json", /events\[0\]\.kind should be one of crash, /],
      ["--plan leader.json", /nodes\[0\]\.leader should be a whole number/],
      ["--plan loss.json", /weather\.loss should be a number from 0 to 1/],
      ["--plan lists.json", /events should be a list/],
      ["--plan ways.json", /ways should be one of from, to, both/],
      ["--plan election.json", /electionTimeout_us should be a whole number/],
      ["--plan client.json", /node with id 8 should have "client"/],
      ["--seed 1 --plan empty.json", /--plan/],
      ["--topology ring", /expected replicas, roles or mixed/],
    ] as const;
    for (const [args, reason] of cases) {
      const { code, out, err } = await sim(args, folder);
      assert.deepEqual([args, code, out], [args, 2, ""], err);
      assert.match(err, reason);
    }
    const { code, err } = await sim("--seed 1 --html no/such/x.html", folder);
    assert.equal(code, 1);
    assert.match(err, /cannot write no\/such\/x\.html/);
  }));
