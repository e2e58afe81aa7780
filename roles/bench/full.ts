/** The cells of `kpaxos bench --full`: what the targets ask for, and beside it what shows how a series goes on. */
import { STORAGES } from "../storage_word.ts";
import type { Choice } from "./matrix.ts";

/** What is not named is as usual; cells of the same cluster are measured one after another. */
export const FULL: readonly Choice[] = [
  {
    topology: ["replicas", "roles"],
    storage: STORAGES,
    outstanding: [1, 32, 128, 512, 4096, 8192],
  },
  // One of these is near half of the peak, and a step of two is at its knee.
  { topology: ["replicas", "roles"], outstanding: [64, 2048] },
  { valueBytes: [1024], outstanding: [32, 128, 512, 4096, 8192] },
  { batching: [false], outstanding: [128, 512, 4096] },
  // 1,024 to 32,768 values in all.
  { clients: [16], outstanding: [64, 512, 2048] },
  { storage: ["lmdb-sync"], valueBytes: [16], outstanding: [4096, 8192] },
  { mtu: [9000], outstanding: [128, 4096] },
  { mtu: [9000], valueBytes: [1024], outstanding: [128, 4096] },
  { topology: ["single"], busyPoll: ["auto", "yes"], outstanding: [1] },
];
