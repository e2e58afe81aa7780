/** The frames that carry a cell's values: what a relay must send to be its floor. */
import { batchBytesFit } from "../../core/core.ts";
import {
  ACCEPT_BYTES,
  RUN_BYTES,
  VALUE_HEADER_BYTES,
} from "../../core/layout.ts";
import type { BusyPoll } from "../../ffi/nic.ts";
import type { Cell } from "./matrix.ts";

/** Frames of one size, over the hops of a decision or to and fro, by processes that wait in one way. */
export interface Flow {
  readonly hops: "relay" | "echo";
  readonly mtu: number;
  readonly busyPoll: BusyPoll;
  readonly valueBytes: number;
  /** Values that a frame carries; less than 1: a value takes several. */
  readonly values: number;
  /** Bytes of such a 2A, behind the link header. */
  readonly frameBytes: number;
}

/** The flow of a cell: with one replica a decision is a frame to and fro. */
export function flowOf(cell: Cell): Flow {
  const { topology, mtu, batching, busyPoll, valueBytes } = cell;
  const fit = valuesPerFrame(mtu, valueBytes);
  const values = batching ? fit : Math.min(1, fit);
  const common = {
    ...{ mtu, valueBytes, values },
    frameBytes: acceptBytes(mtu, valueBytes, values),
  };
  return topology === "single"
    ? { ...common, hops: "echo", busyPoll: busyPoll === "yes" ? "yes" : "no" }
    : { ...common, hops: "relay", busyPoll: busyPoll === "no" ? "no" : "auto" };
}

/** The same for two flows that are the same. */
export function flowKey(flow: Flow): string {
  const { hops, mtu, busyPoll, valueBytes, values } = flow;
  return [hops, mtu, busyPoll, valueBytes, values].join(" ");
}

/** How many values of this size one full frame brings to the acceptors; less than 1: it takes several. */
export function valuesPerFrame(mtu: number, valueBytes: number): number {
  const values = (batchBytesFit(mtu) - RUN_BYTES) /
    (VALUE_HEADER_BYTES + valueBytes);
  return values < 1 ? values : Math.floor(values);
}

function acceptBytes(mtu: number, valueBytes: number, values: number): number {
  const run = RUN_BYTES + values * (VALUE_HEADER_BYTES + valueBytes);
  // Padded, as docs/wire.md says of a run.
  return ACCEPT_BYTES + Math.min((run + 7) & ~7, batchBytesFit(mtu));
}
