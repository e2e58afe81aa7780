/** The cell that the bench's tests start from. */
import type { Cell } from "./matrix.ts";

export const CELL: Cell = {
  topology: "replicas",
  storage: "memory",
  mtu: 1500,
  batching: true,
  busyPoll: "auto",
  outstanding: 1,
  valueBytes: 64,
  clients: 1,
};
