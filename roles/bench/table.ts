/** The result of a bench as text: floors, throughput and latency, and what they cost. */
import { IDLE_S, type ProcessCost, REST_S } from "./cluster.ts";
import type { DiskFloor } from "./disk_floor.ts";
import { judge, type Judgement } from "./judgement.ts";
import { describeLayout } from "./matrix.ts";
import type { Spread } from "./spread.ts";
import type { FlowFigures, NetworkFigures, Result, Row } from "./summary.ts";

/** Everything that was measured, for a terminal. */
export function formatResult(result: Result): string {
  const { rows, networks, disk } = result;
  const lines = ["Floors, measured in the same run with no protocol"];
  for (const network of networks) lines.push(...networkLines(network));
  lines.push(...result.flows.map(flowLine));
  if (disk !== undefined) lines.push(...diskLines(disk));
  lines.push(...nodeLines(result), "");
  if (rows.length === 0) return [...lines, "No cell was measured."].join("\n");
  lines.push(
    `Throughput and latency: medians of ${result.repeats} runs of ${result.seconds} s`,
    "/RELAY: of the relay with frames as large as the cell's own; /FULL: bytes a second, of the relay with frames of the MTU's size",
    ...table(ratesHead(rows), rows.map((row) => ratesOf(row, rows))),
    "",
    "What it costs: share of a core (user + system), context switches, and resident memory, of each process",
    ...table(costsHead(rows), rows.map((row) => costsOf(row, rows))),
    "",
    ...targetLines(judge(result)),
  );
  return lines.join("\n");
}

function networkLines(network: NetworkFigures): string[] {
  const { mtu } = network;
  return [
    `  relay, MTU ${mtu}: one frame through 3 hops p50 ${
      micros(network.relay_p50_us)
    } µs, p99 ${micros(network.relay_p99_us)} µs; full frames ${
      count(network.relay_frames_per_s)
    }/s, ${count(network.relay_bytes_per_s / 1e6)} MB/s`,
    `  the same asleep between frames: p50 ${
      micros(network.relayAsleep_p50_us)
    } µs; full frames ${count(network.relayAsleep_frames_per_s)}/s`,
    `  one frame to and fro: p50 ${micros(network.asleep_p50_us)} µs asleep, ${
      micros(network.spinning_p50_us)
    } µs spinning`,
  ];
}

function flowLine(flow: FlowFigures): string {
  const { hops, mtu, busyPoll, valueBytes, values, frameBytes } = flow;
  const way = hops === "relay" ? "relay" : "to and fro";
  const waits = { auto: "", no: " asleep", yes: " spinning" }[busyPoll];
  const carried = values >= 1 ? String(values) : "a part of one";
  return `  ${way}${waits}, MTU ${mtu}: frames of ${
    count(frameBytes)
  } bytes, as a 2A with ${carried} of ${count(valueBytes)} bytes: ${
    count(flow.frames_per_s)
  }/s, ${count(flow.bytes_per_s / 1e6)} MB/s`;
}

function diskLines(disk: DiskFloor): string[] {
  const { growing, inPlace, lmdb } = disk;
  const commits = lmdb.map(({ batch, puts_per_s, commit_p50_us }) =>
    `${batch}: ${count(puts_per_s)}/s (${count(commit_p50_us)} µs)`
  );
  return [
    `  4 KiB and fdatasync: growing ${
      count(growing.per_s)
    }/s, p50 ${growing.p50_us} µs; ` +
    `in place ${count(inPlace.per_s)}/s, p50 ${inPlace.p50_us} µs`,
    `  256 KiB and fdatasync: growing ${
      count(disk.growing_bytes_per_s / 1e6)
    } MB/s, in place ${count(disk.inPlace_bytes_per_s / 1e6)} MB/s`,
    `  LMDB, records a synchronous commit: ${commits.join(", ")}`,
  ];
}

function nodeLines({ start_ms, idle }: Result): string[] {
  const lines: string[] = [];
  if (start_ms !== undefined) {
    lines.push(
      `Start: a client has its first value decided ${
        within(start_ms, (it) => it.toFixed(0))
      } ms after it was started`,
    );
  }
  if (idle !== undefined) {
    lines.push(
      `Idle: ${describeLayout(idle.layout)}: the busiest node uses ${
        within(idle.cores, (it) => (it * 100).toFixed(2))
      } % of a core, over ${IDLE_S} s that begin ${REST_S} s after the last value`,
    );
  }
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Columns that say the same in every row say nothing, and are left out. */
const CELL_COLUMNS: readonly {
  readonly head: string;
  readonly of: (row: Row) => string;
}[] = [
  { head: "TOPOLOGY", of: (row) => row.topology },
  { head: "STORAGE", of: (row) => row.storage },
  { head: "MTU", of: (row) => String(row.mtu) },
  { head: "BYTES", of: (row) => String(row.valueBytes) },
  { head: "BATCHING", of: (row) => row.batching ? "yes" : "no" },
  { head: "BUSY-POLL", of: (row) => row.busyPoll },
  { head: "CLIENTS", of: (row) => String(row.clients) },
];

function cellColumns(rows: readonly Row[]): typeof CELL_COLUMNS {
  return CELL_COLUMNS.filter(({ of }, i) =>
    i < 2 || new Set(rows.map(of)).size > 1
  );
}

function cellOf(row: Row, rows: readonly Row[]): string[] {
  return [
    ...cellColumns(rows).map(({ of }) => of(row)),
    count(row.outstanding),
  ];
}

function headOf(rows: readonly Row[]): string[] {
  return [...cellColumns(rows).map(({ head }) => head), "IN FLIGHT"];
}

function ratesHead(rows: readonly Row[]): string[] {
  return [
    ...headOf(rows),
    ...["VALUES/S", "LEAST-MOST", "/RELAY", "/FULL", "/MEMORY"],
    ...["P50 µs", "LEAST-MOST", "/FLOOR", "P99 µs", "P99.9 µs", "RETRIES"],
  ];
}

function ratesOf(row: Row, rows: readonly Row[]): string[] {
  return [
    ...cellOf(row, rows),
    count(row.values_per_s.median),
    range(row.values_per_s),
    ratio(row.to_relay),
    ratio(row.to_relayFull),
    row.to_memory === undefined ? "" : ratio(row.to_memory),
    count(row.p50_us.median),
    range(row.p50_us),
    ratio(row.p50_to_floor),
    count(row.p99_us),
    count(row.p999_us),
    count(row.retries),
  ];
}

function costsHead(rows: readonly Row[]): string[] {
  return [
    ...headOf(rows),
    ...["FRAMES/VALUE", "BYTES/VALUE", "CPU µs/VALUE"],
    ...["LEADER CORES", "ACCEPTOR CORES", "CLIENT CORES"],
    ...[
      "LEADER SWITCHES/S",
      "CLIENT SWITCHES/S",
      "LEADER MB",
      "OWN MB",
      "CLIENT MB",
    ],
  ];
}

function costsOf(row: Row, rows: readonly Row[]): string[] {
  const { processes, topology } = row;
  const leader = named(
    processes,
    topology === "roles" ? "proposer 1" : "replica 1",
  );
  const acceptors = processes.filter(({ name }) =>
    topology === "roles"
      ? name.startsWith("acceptor")
      : /^replica [^1]/.test(name)
  );
  const client = named(processes, "client");
  const all_cores = processes.reduce((sum, it) => sum + cores(it), 0);
  const mean = acceptors.reduce((sum, it) => sum + cores(it), 0) /
    Math.max(1, acceptors.length);
  const some = (
    process: ProcessCost | undefined,
    text: (it: ProcessCost) => string,
  ) => process === undefined ? "" : text(process);
  return [
    ...cellOf(row, rows),
    digits(row.frames_per_value),
    count(row.bytes_per_value),
    digits(all_cores * 1e6 / row.values_per_s.median),
    some(leader, (it) => cores(it).toFixed(2)),
    mean.toFixed(2),
    some(client, (it) => cores(it).toFixed(2)),
    some(leader, (it) => count(it.switches_per_s)),
    some(client, (it) => count(it.switches_per_s)),
    some(leader, (it) => count(it.rssBytes / 2 ** 20)),
    some(leader, (it) => count(it.ownBytes / 2 ** 20)),
    some(client, (it) => count(it.rssBytes / 2 ** 20)),
  ];
}

const TARGETS_HEAD = [
  ...["WHAT", "TARGET", "MEASURED", "LEAST-MOST", "RATIO"],
  ...["VERDICT", "MEASURED IN", "TARGET IS"],
];

function targetLines(judgements: readonly Judgement[]): string[] {
  const total = (wanted: Judgement["verdict"]) =>
    `${
      judgements.filter(({ verdict }) => verdict === wanted).length
    } ${wanted}`;
  return [
    `Targets, by the medians of this run: ${total("met")}, ${
      total("missed")
    }, ${total("not measured")}; RATIO is MEASURED over TARGET`,
    ...table(TARGETS_HEAD, judgements.map(targetOf)),
  ];
}

function targetOf(judgement: Judgement): string[] {
  const { what, is, bound, against, measured, ratio, where } = judgement;
  const some = (it: number | undefined, text: (it: number) => string) =>
    it === undefined ? "" : text(it);
  return [
    what,
    `${is} ${some(bound, digits)}`,
    some(measured?.median, digits),
    measured === undefined
      ? ""
      : [measured.least, measured.most].map((it) =>
        it < 1000 ? digits(it) : short(it)
      ).join("-"),
    some(ratio, (it) => it.toFixed(2)),
    judgement.verdict,
    where ?? "",
    against,
  ];
}

function named(
  processes: readonly ProcessCost[],
  name: string,
): ProcessCost | undefined {
  return processes.find((it) => it.name === name);
}

function cores({ user_cores, system_cores }: ProcessCost): number {
  return user_cores + system_cores;
}

/** Rows under their head: words to the left, numbers to the right. */
function table(head: readonly string[], rows: readonly string[][]): string[] {
  const widths = head.map((word, i) =>
    Math.max(word.length, ...rows.map((row) => row[i].length))
  );
  const isWord = head.map((_, i) =>
    rows.some((row) => /[a-z]{2}/.test(row[i]))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) =>
      isWord[i] ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
    ).join("  ").trimEnd();
  return [line(head), ...rows.map(line)];
}

function within(
  { median, least, most }: Spread,
  text: (number: number) => string,
): string {
  return `${text(median)} (${text(least)} to ${text(most)})`;
}

function range({ least, most }: Spread): string {
  return `${short(least)}-${short(most)}`;
}

/** Three digits are enough for a spread. */
function short(number: number): string {
  if (number >= 1e6) return `${(number / 1e6).toPrecision(3)}M`;
  if (number >= 1e3) return `${(number / 1e3).toPrecision(3)}k`;
  return number.toFixed(0);
}

/** Three digits, and more only before the point. */
function digits(number: number): string {
  return number >= 100 ? count(number) : number.toPrecision(3);
}

function ratio(number: number): string {
  return number.toFixed(2);
}

function micros(number: number): string {
  return number.toFixed(1);
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}
