/** The result of a bench as a picture: throughput against latency, and how latencies are distributed. */
import library from "../../build/echarts.js.gz" with { type: "bytes" };
import { EXIT, UserError } from "../errors.ts";
import type { Result, Row } from "./summary.ts";

const WIDTH = 960;
const HEIGHT = 1000;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

/** Colours on white, and what takes their place on black; each series keeps its own. */
const INK = { light: "#1b1f27", dark: "#e7e9ee" };
const FAINT = { light: "#5d6675", dark: "#a2abba" };
const RULE = { light: "#dde1e8", dark: "#343b47" };
const PAPER = { light: "#fefefe", dark: "#14171c" };
/** Of the storages, told apart also by those who see no red and green. */
const SERIES: Readonly<Record<string, { light: string; dark: string }>> = {
  memory: { light: "#1667b7", dark: "#6fb2f2" },
  "lmdb-async": { light: "#b35806", dark: "#f5a957" },
  "lmdb-sync": { light: "#7b3294", dark: "#cf9be3" },
};
/** Topologies differ by their strokes, and by the side of a line, where it is flat and where it is steep, that has its labels. */
const TOPOLOGIES: Readonly<
  Record<
    string,
    { stroke: string; symbol: string; flat: string; steep: string }
  >
> = {
  replicas: {
    ...{ stroke: "solid", symbol: "circle" },
    ...{ flat: "bottom", steep: "right" },
  },
  roles: {
    ...{ stroke: "dashed", symbol: "rect" },
    ...{ flat: "top", steep: "left" },
  },
  single: {
    ...{ stroke: "dotted", symbol: "triangle" },
    ...{ flat: "bottom", steep: "right" },
  },
};
/** Names of the legend in a line: one line for each topology. */
const LEGEND_COLUMNS = 3;
const LEGEND_LINE = 31;
/** Lines that there is always room for. */
const LEGEND_LINES = 2;
/** What the chart shows where several sizes were measured. */
const USUAL_BYTES = 64;

/** Percentiles that the axis of the distribution names. */
const TICKS = [0, 90, 99, 99.9, 99.99, 99.999];

/** Rows of one line: the same but for what is in flight. */
interface Series {
  readonly name: string;
  readonly rows: readonly Row[];
}

/**
 * Writes the chart: an SVG, or a page with it where the name ends with .html.
 *
 * @throws {UserError} if the file cannot be written.
 */
export async function writeChart(file: string, result: Result): Promise<void> {
  const svg = await drawChart(result);
  const text = file.endsWith(".html")
    ? `<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>kpaxos bench</title>` +
      `<meta name="color-scheme" content="light dark">\n` +
      `<style>body{margin:0;background:${PAPER.light}}svg{display:block;margin:auto;max-width:100%;height:auto}` +
      `@media (prefers-color-scheme:dark){body{background:${PAPER.dark}}}</style>\n${svg}</html>\n`
    : svg;
  try {
    Deno.writeTextFileSync(file, text);
  } catch (error) {
    throw new UserError(
      `cannot write the chart to ${file}: ${(error as Error).message}`,
      EXIT.environment,
      { cause: error },
    );
  }
}

/** Draws both panels as one SVG, which is light or dark as its reader wishes. */
export async function drawChart(result: Result): Promise<string> {
  const { makeChart } = await loadLibrary();
  const chart = makeChart(WIDTH, HEIGHT);
  chart.setOption(optionsOf(result));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return themed(svg);
}

async function loadLibrary(): Promise<typeof import("./echarts.ts")> {
  const code = await new Response(
    new Blob([library]).stream().pipeThrough(new DecompressionStream("gzip")),
  ).blob();
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function optionsOf(result: Result) {
  const all = seriesOf(result.rows);
  const [{ valueBytes, clients, mtu }] = all[0].rows;
  const outstanding = usualOutstanding(all);
  const legendLines = Math.ceil(all.length / LEGEND_COLUMNS);
  const lower = Math.max(0, legendLines - LEGEND_LINES) * LEGEND_LINE;
  const heading = (text: string, subtext: string, top: number) => ({
    text,
    subtext,
    left: 24,
    top,
    itemGap: 6,
    textStyle: { color: INK.light, fontSize: 17, fontFamily: FONT },
    subtextStyle: { color: FAINT.light, fontSize: 13, fontFamily: FONT },
  });
  return {
    animation: false,
    backgroundColor: PAPER.light,
    textStyle: { fontFamily: FONT },
    title: [
      heading(
        "Latency against throughput",
        `values of ${valueBytes} bytes, MTU ${mtu}, medians of ${result.repeats} runs of ${result.seconds} s; at points: values in flight` +
          (clients > 1 ? ` of each of ${clients} clients` : ""),
        16,
      ),
      heading(
        "Distribution of latencies",
        `${
          outstanding.toLocaleString("en-US")
        } values in flight; so many per cent of the values were decided within the time`,
        540,
      ),
    ],
    legend: {
      data: all.map(({ name }) => name),
      top: 68,
      left: 80,
      // No more than LEGEND_COLUMNS fit.
      width: 540,
      itemWidth: 34,
      itemGap: 18,
      textStyle: { color: INK.light, fontSize: 13 },
    },
    grid: [
      { left: 84, right: 40, top: 136 + lower, height: 324 - lower },
      { left: 84, right: 40, top: 610, height: 310 },
    ],
    xAxis: [
      {
        ...axis("values decided a second", 0),
        ...decades(
          all.flatMap(({ rows }) => rows.map((row) => row.values_per_s.median)),
        ),
        axisLabel: label(short),
      },
      {
        ...axis("percentile", 1),
        type: "value",
        min: 0,
        max: 5,
        interval: 1,
        axisLabel: label((at) => `${TICKS[at]} %`),
      },
    ],
    yAxis: [
      {
        ...axis("p50 latency", 0),
        ...decades(
          all.flatMap(({ rows }) => rows.map((row) => row.p50_us.median)),
        ),
        nameGap: 58,
        axisLabel: label(time),
      },
      {
        ...axis("latency", 1),
        ...decades(
          all.flatMap(({ rows }) =>
            distributed(rows, outstanding).map(([, us]) => us)
          ),
        ),
        nameGap: 58,
        axisLabel: label(time),
      },
    ],
    series: all.flatMap((series) => linesOf(series, outstanding)),
  };
}

/** The same line in both panels. */
function linesOf({ name, rows }: Series, outstanding: number) {
  const { storage, topology } = rows[0];
  const color = SERIES[storage].light;
  const { stroke, symbol, flat, steep } = TOPOLOGIES[topology];
  const common = {
    name,
    type: "line",
    color,
    lineStyle: { color, width: 2.5, type: stroke },
    itemStyle: { color },
    symbol,
  };
  return [
    {
      ...common,
      symbolSize: 8,
      labelLayout: { hideOverlap: true },
      data: rows.map((row, i) => ({
        value: [row.values_per_s.median, row.p50_us.median],
        label: {
          show: true,
          position: i > 0 && isSteep(rows[i - 1], row) ? steep : flat,
          color: FAINT.light,
          fontSize: 11,
          formatter: row.outstanding.toLocaleString("en-US"),
        },
      })),
    },
    {
      ...common,
      xAxisIndex: 1,
      yAxisIndex: 1,
      showSymbol: false,
      data: distributed(rows, outstanding),
    },
  ];
}

/** Whether latency grows by more than throughput does. */
function isSteep(from: Row, to: Row): boolean {
  return to.p50_us.median / from.p50_us.median >
    to.values_per_s.median / from.values_per_s.median;
}

/** Points of the distribution: nines of the percentile, and the latency in µs. */
export function distributed(
  rows: readonly Row[],
  outstanding: number,
): [number, number][] {
  const row = rows.find((it) => it.outstanding === outstanding);
  return (row?.percentiles_us ?? [])
    .filter(([percentile]) => percentile < 100)
    .map(([percentile, us]): [number, number] => [
      Math.abs(Math.log10(1 - percentile / 100)),
      us,
    ])
    .filter(([nines]) => nines < 5.01);
}

/** A line for each topology and storage: of one size, MTU and so on, where several were measured. */
export function seriesOf(rows: readonly Row[]): Series[] {
  const usual = rows.find((row) => row.valueBytes === USUAL_BYTES) ?? rows[0];
  const shown = rows.filter((row) =>
    (["valueBytes", "clients", "mtu", "batching", "busyPoll"] as const)
      .every((name) => row[name] === usual[name])
  );
  const byName = Map.groupBy(
    shown,
    ({ topology, storage }) => `${topology}, ${storage}`,
  );
  const series = [...byName].map(([name, of]) => ({
    name,
    rows: of.toSorted((a, b) => a.outstanding - b.outstanding),
  }));
  // A point alone beside lines shows nothing.
  const lines = series.filter(({ rows }) => rows.length > 1);
  return lines.length > 0 ? lines : series;
}

/** What the distribution is shown for: the load in the middle of those that all series have, or the first has. */
export function usualOutstanding(all: readonly Series[]): number {
  const [first, ...others] = all.map(({ rows }) =>
    rows.map(({ outstanding }) => outstanding)
  );
  const common = first.filter((load) =>
    others.every((loads) => loads.includes(load))
  );
  const loads = common.length > 0 ? common : first;
  return loads[loads.length >> 1];
}

function axis(name: string, gridIndex: number) {
  const line = { lineStyle: { color: RULE.light } };
  return {
    type: "log",
    gridIndex,
    name,
    nameLocation: "middle",
    nameGap: 32,
    nameTextStyle: { color: INK.light, fontSize: 13 },
    axisLine: { show: true, lineStyle: { color: FAINT.light } },
    axisTick: { show: false },
    splitLine: { show: true, ...line },
    minorTick: { show: false },
  };
}

function label(formatter: (number: number) => string) {
  return { color: FAINT.light, fontSize: 12, formatter };
}

/** Whole powers of ten around what is to be shown. */
function decades(numbers: readonly number[]) {
  const logs = numbers.filter((it) => it > 0).map(Math.log10);
  if (logs.length === 0) return { min: 1, max: 10 };
  const least = Math.floor(Math.min(...logs));
  const most = Math.ceil(Math.max(...logs));
  return { min: 10 ** least, max: 10 ** Math.max(most, least + 1) };
}

function short(number: number): string {
  if (number >= 1e6) return `${number / 1e6} M`;
  if (number >= 1e3) return `${number / 1e3} k`;
  return `${number}`;
}

function time(us: number): string {
  if (us >= 1e6) return `${us / 1e6} s`;
  if (us >= 1e3) return `${us / 1e3} ms`;
  return `${us} µs`;
}

/** Rules that take the place of the colours where the reader prefers dark. They outrank attributes. */
function themed(svg: string): string {
  const pairs = [INK, FAINT, RULE, PAPER, ...Object.values(SERIES)];
  const rules = pairs.flatMap(({ light, dark }) =>
    (["fill", "stroke"] as const).map((property) =>
      `[${property}="${light}"]{${property}:${dark}}`
    )
  );
  const style = `<style>@media (prefers-color-scheme:dark){${
    rules.join("")
  }}</style>`;
  return withoutHover(svg).replace(
    /<svg[^>]*>/,
    (open) => `${open}\n${style}`,
  ) + "\n";
}

/** The library's own rules for what is under the mouse: here nothing happens there. */
function withoutHover(svg: string): string {
  return svg.replace(/<style[^>]*>[^]*?<\/style>\s*/g, "")
    .replace(/ class="zr[^"]*"/g, "");
}
