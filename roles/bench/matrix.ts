/** What the bench measures: every cluster, and every load on it. */
import type { Topology } from "../commands.ts";
import type { StorageWord } from "../storage_word.ts";
import type { BenchOptions } from "../options.ts";
import type { BusyPoll } from "../../ffi/nic.ts";

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

/** Every cluster of the matrix. */
export function layoutsOf(
  { topologies, storages, mtus, batchings, busyPolls }: BenchOptions,
): Layout[] {
  return topologies.flatMap((topology) =>
    storages.flatMap((storage) =>
      mtus.flatMap((mtu) =>
        batchings.flatMap((batching) =>
          busyPolls.map((busyPoll) => ({
            ...{ topology, storage, mtu },
            ...{ batching, busyPoll },
          }))
        )
      )
    )
  );
}

/** Every load on each of them. */
export function loadsOf(
  { valueBytes, clients, outstanding }: BenchOptions,
): Load[] {
  return valueBytes.flatMap((bytes) =>
    clients.flatMap((count) =>
      outstanding.map((it) => ({
        outstanding: it,
        valueBytes: bytes,
        clients: count,
      }))
    )
  );
}

/** What a cell is, in a few words. */
export function describeLayout(layout: Layout): string {
  const { topology, storage, mtu, batching, busyPoll } = layout;
  return `${topology}, ${storage}, MTU ${mtu}, ` +
    `batching ${batching ? "yes" : "no"}, busy-poll ${busyPoll}`;
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
