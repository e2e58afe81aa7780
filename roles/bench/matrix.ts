/** What the bench measures: every cluster, and every load on it. */
import { type BusyPoll, MTU_DEFAULT } from "../../ffi/nic.ts";
import type { Topology } from "../commands.ts";
import { STORAGES, type StorageWord } from "../storage_word.ts";
import { FULL } from "./full.ts";

/** One cluster: it is started anew for each repeat. */
export interface Layout {
  readonly topology: Topology;
  readonly storage: StorageWord;
  readonly mtu: number;
  readonly batching: boolean;
  readonly busyPoll: BusyPoll;
}

/** What a client does to it. */
export interface Load {
  /** Values in flight of each virtual client. */
  readonly outstanding: number;
  readonly valueBytes: number;
  readonly clients: number;
}

/** One row of the result. */
export type Cell = Layout & Load;

/** What is wanted of cells, by their properties; one that is absent may be anything, or is as usual. */
export type Choice = {
  readonly [Name in keyof Cell]?: readonly Cell[Name][];
};

/** A cluster, and the loads on it one after another. */
export interface Trial {
  readonly layout: Layout;
  readonly loads: readonly Load[];
}

/** Three replicas as they are by default. */
export const USUAL_LAYOUT = {
  topology: ["replicas"],
  storage: ["memory"],
  mtu: [MTU_DEFAULT],
  batching: [true],
  busyPoll: ["auto"],
} as const satisfies Choice;

/** What clients do to them, however much they have in flight. */
export const USUAL_LOAD = {
  valueBytes: [64],
  clients: [1],
} as const satisfies Choice;

const USUAL = {
  ...USUAL_LAYOUT,
  ...USUAL_LOAD,
  outstanding: [1, 32, 128, 4096],
} as const;

/** Everything that is named times everything else, or with `full` what is chosen of the full table. */
export function trialsOf(choice: Choice, full: boolean): Trial[] {
  const cells = full
    ? FULL.flatMap((it) => cellsOf({ ...USUAL, ...it }))
      .filter((cell) => isAmong(cell, choice))
    : cellsOf({ ...USUAL, storage: STORAGES, ...choice });
  const parts = cells.map((cell) => {
    const { outstanding, valueBytes, clients, ...layout } = cell;
    return { layout, load: { outstanding, valueBytes, clients } };
  });
  const byLayout = Map.groupBy(parts, ({ layout }) => describeLayout(layout));
  return [...byLayout.values()].map((of) => ({
    layout: of[0].layout,
    loads: of.map(({ load }) => load),
  }));
}

/** Whether a cell or a cluster has one of the wanted properties in each respect. */
export function isAmong(cell: Partial<Cell>, choice: Choice): boolean {
  return Object.entries(choice).every(([name, wanted]) =>
    (wanted as readonly unknown[]).includes(cell[name as keyof Cell])
  );
}

function cellsOf(choice: Required<Choice>): Cell[] {
  const names = Object.keys(choice) as (keyof Cell)[];
  return names.reduce<Partial<Cell>[]>(
    (cells, name) =>
      cells.flatMap((cell) =>
        choice[name].map((property) => ({ ...cell, [name]: property }))
      ),
    [{}],
  ) as Cell[];
}

/** What a cluster is, in a few words: of the rest what is not as usual. */
export function describeLayout(layout: Layout): string {
  const { topology, storage, mtu, batching, busyPoll } = layout;
  const isUsual = (name: keyof typeof USUAL_LAYOUT) =>
    isAmong(layout, { [name]: USUAL_LAYOUT[name] });
  return [
    ...[topology, storage],
    ...(isUsual("mtu") ? [] : [`MTU ${mtu}`]),
    ...(isUsual("batching") ? [] : [`batching ${batching ? "yes" : "no"}`]),
    ...(isUsual("busyPoll") ? [] : [`busy-poll ${busyPoll}`]),
  ].join(", ");
}

/** What is the same in all cells that differ by what is in flight. */
export function describeSeries(cell: Cell): string {
  const { valueBytes, clients } = cell;
  const isUsual = (name: keyof typeof USUAL_LOAD) =>
    isAmong(cell, { [name]: USUAL_LOAD[name] });
  return [
    describeLayout(cell),
    ...(isUsual("valueBytes") ? [] : [`${valueBytes} bytes`]),
    ...(isUsual("clients") ? [] : [`${clients} clients`]),
  ].join(", ");
}

/** The same for two cells that are the same. */
export function keyOf(cell: Cell): string {
  const { topology, storage, mtu, batching, busyPoll } = cell;
  const { outstanding, valueBytes, clients } = cell;
  return [
    ...[topology, storage, mtu, batching, busyPoll],
    ...[valueBytes, clients, outstanding],
  ].join(" ");
}
