/** The words of a configuration file: what each takes, its default, and which ones mean nothing any more. */

import { WINDOW_INSTANCES } from "../core/layout.ts";
import type { ValueKind } from "./values.ts";

/** A word that sets something, followed by one value. */
export interface WordSpec {
  readonly kind: ValueKind;
  /** What it is when the word is not there, written as in a file. */
  readonly default: string;
  /** Has an effect with this storage backend only. */
  readonly only?: "lmdb";
}

/** Every word that sets something. */
export const WORDS = {
  verbosity: {
    kind: { type: "choice", choices: ["quiet", "error", "info", "debug"] },
    default: "info",
  },
  cluster: {
    kind: { type: "integer", min: 1, max: 65535 },
    default: "1",
  },
  // Values below 0x0600 are lengths in IEEE 802.3; 0x88B5 is for local experiments (IEEE 802-2014, 9.2.4).
  ethertype: {
    kind: { type: "integer", min: 0x0600, max: 0xffff, hexadecimal: true },
    default: "0x88B5",
  },
  // The default is the lowest proposer of the file, which in the default configuration is 1.
  leader: {
    kind: { type: "integer", min: 1, max: 65535 },
    default: "1",
  },
  batching: { kind: { type: "yes_no" }, default: "yes" },
  election: { kind: { type: "yes_no" }, default: "yes" },
  "election-timeout": {
    kind: { type: "duration", min_ms: 10, max_ms: 600_000 },
    default: "100ms",
  },
  "heartbeat-interval": {
    kind: { type: "duration", min_ms: 1, max_ms: 60_000 },
    default: "25ms",
  },
  "proposer-timeout": {
    kind: { type: "duration", min_ms: 10, max_ms: 3_600_000 },
    default: "1",
  },
  "proposer-preexec-window": {
    kind: { type: "integer", min: 1, max: WINDOW_INSTANCES, auto: true },
    default: "auto",
  },
  "learner-catch-up": { kind: { type: "yes_no" }, default: "yes" },
  "learner-lease": {
    kind: { type: "duration", min_ms: 100, max_ms: 3_600_000 },
    default: "1",
  },
  "learner-patience": {
    kind: { type: "duration", min_ms: 100, max_ms: 3_600_000 },
    default: "10",
  },
  "client-timeout": {
    kind: { type: "duration", min_ms: 10, max_ms: 3_600_000 },
    default: "1",
  },
  "acceptor-log-size": {
    kind: { type: "bytes", min: 1 << 20, max: 512 << 20 },
    default: "48mb",
  },
  "busy-poll": {
    kind: { type: "choice", choices: ["auto", "yes", "no"] },
    default: "auto",
  },
  "udp-port": {
    kind: { type: "integer", min: 1, max: 65535 },
    default: "7400",
  },
  "udp-group": { kind: { type: "group" }, default: "239.75.112.1" },
  "storage-backend": {
    kind: { type: "choice", choices: ["memory", "lmdb"] },
    default: "memory",
  },
  "acceptor-trash-files": {
    kind: { type: "yes_no" },
    default: "no",
    only: "lmdb",
  },
  "lmdb-sync": { kind: { type: "yes_no" }, default: "yes", only: "lmdb" },
  "lmdb-env-path": {
    kind: { type: "path" },
    default: "/var/lib/kpaxos",
    only: "lmdb",
  },
  "lmdb-sync-period": {
    kind: { type: "duration", min_ms: 1, max_ms: 60_000 },
    default: "100ms",
    only: "lmdb",
  },
  "lmdb-mapsize": {
    kind: { type: "bytes", min: 1 << 20, max: 2 ** 44 },
    default: "1gb",
    only: "lmdb",
  },
} as const satisfies Record<string, WordSpec>;

/** A word that sets something. */
export type Word = keyof typeof WORDS;

const BERKELEY_DB = "Berkeley DB is not a storage backend here";

/** Words that files written for libpaxos may hold, and why they mean nothing any more. */
export const OBSOLETE_WORDS: Readonly<Record<string, string>> = {
  "tcp-nodelay": "there is no TCP connection here",
  "bdb-sync": BERKELEY_DB,
  "bdb-cachesize": BERKELEY_DB,
  "bdb-env-path": BERKELEY_DB,
  "bdb-db-filename": BERKELEY_DB,
  "bdb-trash-files": BERKELEY_DB,
};

/** Words that declare a member, with the short forms that libpaxos and Kernel Paxos know. */
export const MEMBER_WORDS: Readonly<
  Record<string, "replica" | "acceptor" | "proposer" | "learner">
> = {
  replica: "replica",
  acceptor: "acceptor",
  proposer: "proposer",
  learner: "learner",
  r: "replica",
  a: "acceptor",
  p: "proposer",
  l: "learner",
};
