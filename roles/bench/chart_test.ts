import assert from "node:assert/strict";
import {
  distributed,
  drawChart,
  seriesOf,
  usualOutstanding,
  writeChart,
} from "./chart.ts";
import { spread } from "./spread.ts";
import type { Result, Row } from "./summary.ts";

function row(
  storage: Row["storage"],
  outstanding: number,
  values_per_s: number,
  p50_us: number,
): Row {
  const once = (figure: number) => spread([figure]);
  return {
    ...{
      topology: "replicas",
      storage,
      mtu: 1500,
      batching: true,
      busyPoll: "auto",
      clients: 1,
    },
    ...{ outstanding, valueBytes: 64 },
    values_per_s: once(values_per_s),
    p50_us: once(p50_us),
    ...{ p99_us: 2 * p50_us, p999_us: 3 * p50_us, max_us: 4 * p50_us },
    percentiles_us: [[0, p50_us / 2], [50, p50_us], [90, 2 * p50_us], [
      100,
      9 * p50_us,
    ]],
    ...{
      p999_to_p50: once(3),
      retries: 0,
      to_relay: 0,
      to_relayFull: 0,
      p50_to_floor: 1,
      processes: [],
    },
    ...{ frames_per_value: 1, bytes_per_value: 1 },
  } as Row;
}

const ROWS = [
  row("memory", 1, 10_000, 80),
  row("memory", 128, 700_000, 170),
  row("lmdb-sync", 1, 1_100, 800),
  row("lmdb-sync", 128, 90_000, 1_400),
];
const RESULT: Result = {
  repeats: 3,
  seconds: 1,
  networks: [],
  flows: [],
  rows: ROWS,
};

/** Attributes and texts alone can hold what XML forbids; tags must be balanced. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const text = svg.replace(
    /<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>/gi,
    (_, closes: string, name: string, _attributes, isEmpty: string) => {
      if (closes) assert.equal(open.pop(), name);
      else if (!isEmpty) open.push(name);
      return "";
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(text, /[<]|&(?!#?\w+;)/);
}

/** Where the symbols of one colour are, in pixels. */
function symbols(svg: string, color: string): [number, number][] {
  const found = svg.matchAll(
    new RegExp(
      `transform="translate\\(([\\d.]+) ([\\d.]+)\\)[^>]*fill="${color}"|` +
        `transform="matrix\\([\\d.]+,0,0,[\\d.]+,([\\d.]+),([\\d.]+)\\)"[^>]*fill="${color}"`,
      "g",
    ),
  );
  return [...found].map((
    it,
  ) => [Number(it[1] ?? it[3]), Number(it[2] ?? it[4])]);
}

Deno.test("the chart is well-formed, and loads nothing", async () => {
  const svg = await drawChart(RESULT);
  assertWellFormed(svg);
  assert.doesNotMatch(svg, /href=|url\((?!#)|<script/);
  assert.match(svg, /prefers-color-scheme:dark/);
  for (const text of ["Latency against throughput", "p50 latency"]) {
    assert(svg.includes(text), text);
  }
  assert(
    svg.includes("replicas, memory") && svg.includes("replicas, lmdb-sync"),
  );
});

Deno.test("the chart has every point where its figures belong", async () => {
  const svg = await drawChart(RESULT);
  const scale = (
    value: number,
    [least, most]: number[],
    [from, to]: number[],
  ) =>
    from + (Math.log10(value) - Math.log10(least)) /
      (Math.log10(most) - Math.log10(least)) * (to - from);
  const expected = ROWS.slice(0, 2).map(({ values_per_s, p50_us }) => [
    scale(values_per_s.median, [1_000, 1_000_000], [84, 920]),
    scale(p50_us.median, [10, 10_000], [460, 136]),
  ]);
  const drawn = symbols(svg, "#1667b7");
  for (const [x, y] of expected) {
    assert(
      drawn.some((it) => Math.abs(it[0] - x) < 1 && Math.abs(it[1] - y) < 1),
      `no point at ${x}, ${y}: ${JSON.stringify(drawn)}`,
    );
  }
});

Deno.test("the distribution is drawn over the nines of its percentiles", () => {
  const points = distributed(ROWS, 1);
  assert.deepEqual(points.map(([nines]) => nines.toFixed(4)), [
    "0.0000",
    "0.3010",
    "1.0000",
  ]);
  assert.deepEqual(points.map(([, us]) => us), [40, 80, 160]);
  assert.deepEqual(distributed(ROWS, 7), []);
});

Deno.test("of several sizes the chart shows 64 bytes, or the first", () => {
  const other = { ...ROWS[0], valueBytes: 16 };
  assert.deepEqual(seriesOf([other, ROWS[0]]).map(({ rows }) => rows), [[
    ROWS[0],
  ]]);
  assert.deepEqual(seriesOf([other]).map(({ rows }) => rows), [[other]]);
});

Deno.test("a point alone is not drawn beside lines", () => {
  const alone: Row = { ...ROWS[0], topology: "single" };
  const names = (rows: Row[]) => seriesOf(rows).map(({ name }) => name);
  assert.deepEqual(names([...ROWS, alone]), names(ROWS));
  assert.deepEqual(names([alone]), ["single, memory"]);
});

Deno.test("latencies are distributed for a load that all series have", () => {
  const more = [...ROWS, row("memory", 512, 900_000, 500)];
  assert.equal(usualOutstanding(seriesOf(more)), 128);
  assert.equal(usualOutstanding(seriesOf(more.slice(4))), 512);
});

Deno.test("a chart is an SVG or a page, and names the file that it cannot write", async () => {
  const folder = Deno.makeTempDirSync();
  await writeChart(`${folder}/a.svg`, RESULT);
  await writeChart(`${folder}/a.html`, RESULT);
  assert.match(Deno.readTextFileSync(`${folder}/a.svg`), /^<svg /);
  assert.match(Deno.readTextFileSync(`${folder}/a.html`), /^<!doctype html>/);
  await assert.rejects(
    writeChart(`${folder}/no/a.svg`, RESULT),
    /cannot write the chart to .*no\/a\.svg/,
  );
  Deno.removeSync(folder, { recursive: true });
});
