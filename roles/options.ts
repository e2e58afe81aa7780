/** What a command works with: parsed options and the configuration, joined into one typed object. */

import { JOURNAL_BYTES_MAX } from "../core/layout.ts";
import { type Choice, type Trial, trialsOf } from "./bench/matrix.ts";
import type { OptionValues } from "./commands.ts";
import {
  type Configuration,
  defaultConfiguration,
  type Member,
  readConfiguration,
} from "./config.ts";
import { EXIT, UserError } from "./errors.ts";
import type { LogFormat, Verbosity } from "./log.ts";
import type { SimOptions } from "../sim/command.ts";
import { type Endpoint, formatBytes } from "./values.ts";

/** What a learner may have of large values, on disk, and some log beside it. */
const BASE_BYTES = 64 << 20;

/** The commands that run a node. */
export const NODE_KINDS = [
  "replica",
  "acceptor",
  "proposer",
  "learner",
  "client",
] as const;

/** What a node is; a replica is a proposer, an acceptor and a learner. */
export type NodeKind = (typeof NODE_KINDS)[number];

/** Form of the delivered values on standard output. */
export type OutputForm = "ndjson" | "raw" | "none";

/** Everything a node is started with. */
export interface NodeOptions {
  readonly kind: NodeKind;
  /** 1 to 65535; 0 for a client that draws one. */
  readonly id: number;
  /** Absent: the only one that is up besides loopback. */
  readonly interfaceName?: string;
  readonly nic: "af_packet" | "udp";
  /** What the command line says stands here in place of what the file says. */
  readonly configuration: Configuration;
  /** Fraction of the received frames to drop, 0 to 1. */
  readonly loss: number;
  readonly lifetime_s?: number;
  readonly seed?: bigint;
  readonly verbosity: Verbosity;
  readonly logFormat: LogFormat;
  /** Largest frame payload to use, in bytes. */
  readonly mtu?: number;
  readonly udp: UdpOptions;
  /** The operator vouches that no acceptor of this cluster ran before. */
  readonly newCluster: boolean;
  /** Absent: it keeps what it must remember in memory, or has nothing to keep. */
  readonly storage?: StorageOptions;
  /** Of a learner and a replica. */
  readonly learner?: LearnerOptions;
  readonly client?: ClientOptions;
}

/** How a node speaks UDP. */
export interface UdpOptions {
  /** Where group frames go in multicast mode. */
  readonly group: { readonly address: string; readonly port: number };
  /** This node's own port; absent: any that is free. */
  readonly bind?: number;
  /** Unicast mode: group frames go to each of these. */
  readonly peers?: readonly Endpoint[];
}

/** How a node stores what must survive a crash. */
export interface StorageOptions {
  /** The folder in which each node has its directory. */
  readonly path: string;
  readonly synchronous: boolean;
  readonly syncPeriod_ms: number;
  readonly bytesMax: number;
  /** Throw away what earlier runs stored. */
  readonly trash: boolean;
}

/** How values are delivered. */
export interface LearnerOptions {
  /** First instance to deliver; absent: as `learnerCatchUp` says. */
  readonly from?: bigint;
  readonly output: OutputForm;
  /** Path of a Unix socket that delivers too. */
  readonly socket?: string;
}

/** What a client submits, and what it tells. */
export interface ClientOptions {
  /** Values in flight of each virtual client. */
  readonly outstanding: number;
  readonly valueBytes: number;
  readonly clients: number;
  /** Not counted in the summary, nor in `seconds`. */
  readonly warmUp_s: number;
  readonly seconds?: number;
  readonly count?: number;
  readonly proposerId?: number;
  readonly stdin: boolean;
  readonly json: boolean;
  readonly statsFile?: string;
  readonly submittedFile?: string;
  readonly acknowledgedFile?: string;
}

/** What `kpaxos demo` is started with. */
export interface DemoOptions {
  readonly replicas: number;
  readonly seconds: number;
  readonly outstanding: number;
  readonly keep: boolean;
  readonly json: boolean;
}

/** What `kpaxos bench` is started with. */
export interface BenchOptions {
  /** Clusters and the loads on them; not empty. */
  readonly trials: readonly Trial[];
  readonly repeats: number;
  readonly seconds: number;
  /** One long run in place of the matrix. */
  readonly long?: { readonly seconds?: number; readonly count?: number };
  readonly folder?: string;
  readonly chartFile?: string;
  readonly json: boolean;
}

/** What `kpaxos status` is started with. */
export interface StatusOptions {
  /** A client, which asks. */
  readonly node: NodeOptions;
  /** How long to wait for answers. */
  readonly wait_ms: number;
  readonly json: boolean;
}

/**
 * Joins the options of a node and its configuration, which is read here.
 *
 * @throws {UserError} with exit code 2 if they contradict each other or the file is wrong.
 */
export function nodeOptions(kind: NodeKind, values: OptionValues): NodeOptions {
  const configuration = effectiveConfiguration(values);
  const id = values.id ?? 0;
  requireMember(kind, id, configuration);
  const common = {
    kind,
    id,
    interfaceName: values.if,
    nic: values.nic!,
    configuration,
    loss: values.loss!,
    lifetime_s: toSeconds(values.lifetime),
    seed: values.seed,
    verbosity: configuration.verbosity,
    logFormat: values["log-format"]!,
    mtu: values.mtu,
    udp: udpOptions(kind, id, values, configuration),
    newCluster: values["new-cluster"] === true,
  };
  if (kind === "client") {
    return { ...common, client: clientOptions(values, configuration) };
  }
  if (kind === "proposer") return common;
  const storage = storageOptions(configuration);
  if (kind === "acceptor") return { ...common, storage };
  return { ...common, storage, learner: learnerOptions(values) };
}

/** The options of `kpaxos demo`. */
export function demoOptions(values: OptionValues): DemoOptions {
  return {
    replicas: values.replicas!,
    seconds: toSeconds(values.seconds)!,
    outstanding: values.outstanding!,
    keep: values.keep === true,
    json: values.json === true,
  };
}

/**
 * The options of `kpaxos bench`.
 *
 * @throws {UserError} if the chart's file has a name that says no form, or nothing is left to measure.
 */
export function benchOptions(values: OptionValues): BenchOptions {
  const { repeats = 3, long, count, folder, chart } = values;
  const full = values.full === true;
  if (chart !== undefined && !/\.(svg|html)$/.test(chart)) {
    throw new UserError(
      `--chart ${chart} names no form; end it with .svg or .html`,
      EXIT.usage,
    );
  }
  // Here these are lists: see `kinds` of the command.
  const lists = {
    topology: values.topology,
    storage: values.storage,
    mtu: values.mtu,
    batching: values.batching,
    busyPoll: values["busy-poll"],
    valueBytes: values["value-size"],
    clients: values.clients,
    outstanding: values.outstanding,
  } as unknown as Choice;
  const named = Object.fromEntries(
    Object.entries(lists).filter(([, list]) => list !== undefined),
  );
  const trials = trialsOf(named, full);
  if (trials.length === 0) {
    throw new UserError(
      "--full measures nothing of what is named; leave out --full, or some of the names",
      EXIT.usage,
    );
  }
  return {
    trials,
    repeats,
    seconds: toSeconds(values.seconds) ?? (full ? 1.5 : 1),
    long: long === undefined && count === undefined
      ? undefined
      : { seconds: toSeconds(long), count },
    folder,
    chartFile: chart,
    json: values.json === true,
  };
}

/**
 * The options of `kpaxos status`.
 *
 * @throws {UserError} as `nodeOptions` does.
 */
export function statusOptions(values: OptionValues): StatusOptions {
  const client = {
    clients: 1,
    outstanding: 1,
    "value-size": 1,
    "warm-up": 0,
  };
  return {
    node: nodeOptions("client", {
      ...values,
      ...client,
      loss: 0,
      "log-format": "text",
    }),
    wait_ms: values.wait!,
    json: values.json === true,
  };
}

/**
 * What `kpaxos sim` is asked for.
 *
 * @throws {UserError} if the seed is none of the simulator's.
 */
export function simOptions(values: OptionValues): SimOptions {
  const { seed, seeds, minutes, topology, plan, html } = values;
  if (seed !== undefined && seed >= 2n ** 32n) {
    throw new UserError(
      `--seed ${seed} is too large for a simulation; expected at most ${
        2 ** 32 - 1
      }`,
      EXIT.usage,
    );
  }
  return {
    seed: seed === undefined ? undefined : Number(seed),
    seeds,
    minutes,
    topology,
    plan,
    html,
    trace: values.trace === true,
    json: values.json === true,
  };
}

function effectiveConfiguration(values: OptionValues): Configuration {
  const read = values.conf === undefined
    ? defaultConfiguration()
    : readConfiguration(values.conf);
  const { leader } = values;
  if (leader !== undefined && !hasId(read.proposers, leader)) {
    throw new UserError(
      `--leader ${leader} is no proposer of ${read.source}, which has ${
        ids("proposer", read.proposers)
      }`,
      EXIT.usage,
    );
  }
  const warnings = [...read.warnings];
  if (
    values.nic === "af_packet" &&
    members(read).some(({ endpoint }) => endpoint !== undefined)
  ) {
    warnings.push(
      `${read.source}: IP addresses are used with --nic udp only; MAC addresses are discovered`,
    );
  }
  const storageBackend = values["storage-backend"] ?? read.storageBackend;
  if (storageBackend === "memory") {
    requireNoLmdb(values);
    warnings.push(
      ...read.lmdbWords.map((word) =>
        `${word} has no effect with storage-backend memory`
      ),
    );
  }
  return {
    ...read,
    warnings,
    storageBackend,
    lmdbPath: values["lmdb-env-path"] ?? read.lmdbPath,
    lmdbSync: values["lmdb-sync"] ?? read.lmdbSync,
    lmdbSyncPeriod_ms: values["lmdb-sync-period"] ?? read.lmdbSyncPeriod_ms,
    lmdbBytes: values["lmdb-mapsize"] ?? read.lmdbBytes,
    trashFiles: values["acceptor-trash-files"] ?? read.trashFiles,
    leader: leader ?? read.leader,
    cluster: values.cluster ?? read.cluster,
    verbosity: values.verbosity ?? read.verbosity,
    batching: values.batching ?? read.batching,
    busyPoll: values["busy-poll"] ?? read.busyPoll,
    udpPort: values["udp-port"] ?? read.udpPort,
    udpGroup: values["udp-group"] ?? read.udpGroup,
  };
}

/** Whoever gives one of these on the command line means to have storage. */
function requireNoLmdb(values: OptionValues): void {
  const given = ([
    "lmdb-env-path",
    "lmdb-sync",
    "lmdb-sync-period",
    "lmdb-mapsize",
    "acceptor-trash-files",
  ] as const).find((name) => values[name] !== undefined);
  if (given === undefined) return;
  throw new UserError(
    `--${given} means nothing with storage-backend memory; add --storage-backend lmdb`,
    EXIT.usage,
  );
}

/**
 * At the least a database holds what a learner has of large values and sessions (`BASE_BYTES`), and its
 * last tenth, which nothing new may take, the whole journal and the checkpoints behind it: where these do
 * not fit, no learner could let it trim. Pages are half empty at worst, and freed ones are of use two
 * commits later.
 */
function requireRoom({ acceptorLogBytes, lmdbBytes }: Configuration): void {
  // The journal is an eighth of the log, up to its limit.
  const logBytes = Math.min(acceptorLogBytes, 8 * JOURNAL_BYTES_MAX);
  const least = BASE_BYTES + 2 * logBytes;
  if (lmdbBytes >= least) return;
  throw new UserError(
    `lmdb-mapsize ${
      formatBytes(lmdbBytes)
    } is too small: with acceptor-log-size ${
      formatBytes(acceptorLogBytes)
    } expected ${
      formatBytes(least)
    } or more, or a full database might never have room again`,
    EXIT.usage,
  );
}

function storageOptions(
  configuration: Configuration,
): StorageOptions | undefined {
  if (configuration.storageBackend === "memory") return undefined;
  requireRoom(configuration);
  return {
    path: configuration.lmdbPath,
    synchronous: configuration.lmdbSync,
    syncPeriod_ms: configuration.lmdbSyncPeriod_ms,
    bytesMax: configuration.lmdbBytes,
    trash: configuration.trashFiles,
  };
}

/** Only acceptors and proposers make quorums and ballots, so only they must be known beforehand. */
function requireMember(
  kind: NodeKind,
  id: number,
  { source, acceptors, proposers }: Configuration,
): void {
  const needs: ["acceptor" | "proposer", readonly Member[]][] = [];
  if (kind === "acceptor" || kind === "replica") {
    needs.push(["acceptor", acceptors]);
  }
  if (kind === "proposer" || kind === "replica") {
    needs.push(["proposer", proposers]);
  }
  for (const [role, known] of needs) {
    if (hasId(known, id)) continue;
    throw new UserError(
      `--id ${id} is no ${role} of ${source}, which has ${ids(role, known)}; ` +
        "give one of these, or a --conf FILE that has it, the same on every node",
      EXIT.usage,
    );
  }
}

function learnerOptions(values: OptionValues): LearnerOptions {
  return { from: values.from, output: values.output!, socket: values.socket };
}

function clientOptions(
  values: OptionValues,
  { source, proposers }: Configuration,
): ClientOptions {
  const proposerId = values["proposer-id"];
  if (proposerId !== undefined && !hasId(proposers, proposerId)) {
    throw new UserError(
      `--proposer-id ${proposerId} is no proposer of ${source}, which has ${
        ids("proposer", proposers)
      }`,
      EXIT.usage,
    );
  }
  return {
    outstanding: values.outstanding!,
    valueBytes: values["value-size"]!,
    clients: values.clients!,
    warmUp_s: toSeconds(values["warm-up"])!,
    seconds: toSeconds(values.seconds),
    count: values.count,
    proposerId,
    stdin: values.stdin === true,
    json: values.json === true,
    statsFile: values.stats,
    submittedFile: values.submitted,
    acknowledgedFile: acknowledgedFile(values),
  };
}

/** `kpaxos check` reads several such files, a client writes one. */
function acknowledgedFile({ acknowledged }: OptionValues): string | undefined {
  if (acknowledged === undefined || acknowledged.length === 1) {
    return acknowledged?.[0];
  }
  throw new UserError(
    `--acknowledged is given ${acknowledged.length} times; a client writes one file`,
    EXIT.usage,
  );
}

function udpOptions(
  kind: NodeKind,
  id: number,
  values: OptionValues,
  configuration: Configuration,
): UdpOptions {
  const { udpGroup, udpPort } = configuration;
  const group = { address: udpGroup, port: udpPort };
  if (values.nic !== "udp") return { group };
  const peers = values["udp-peers"] ?? distinctEndpoints(configuration);
  if (peers.length === 0) return { group };
  const own = ownEndpoint(kind, id, configuration);
  // Peers that are named must be found there; learners and clients make themselves known.
  const isNamed = kind !== "learner" && kind !== "client";
  const bind = values["udp-port"] ?? own?.port ??
    (isNamed ? udpPort : undefined);
  return { group, bind, peers };
}

function ownEndpoint(
  kind: NodeKind,
  id: number,
  configuration: Configuration,
): Endpoint | undefined {
  const { acceptors, proposers, learners, source } = configuration;
  const lists = {
    replica: [proposers, acceptors, learners],
    acceptor: [acceptors],
    proposer: [proposers],
    learner: [learners],
    client: [],
  }[kind];
  const found = lists.flat().filter((it) => it.id === id)
    .flatMap(({ endpoint }) => endpoint ?? []);
  const different = found.find((it) =>
    it.host !== found[0].host || it.port !== found[0].port
  );
  if (different !== undefined) {
    throw new UserError(
      `${source} gives replica ${id} two addresses, ${found[0].host}:${
        found[0].port
      } and ${different.host}:${different.port}, and one process has one: ` +
        "write one line `replica`, or start its roles one by one",
      EXIT.usage,
    );
  }
  return found[0];
}

function distinctEndpoints(configuration: Configuration): Endpoint[] {
  const byText = new Map<string, Endpoint>();
  for (const { endpoint } of members(configuration)) {
    if (endpoint !== undefined) {
      byText.set(`${endpoint.host}:${endpoint.port}`, endpoint);
    }
  }
  return [...byText.values()];
}

function members(
  { acceptors, proposers, learners }: Configuration,
): readonly Member[] {
  return [...acceptors, ...proposers, ...learners];
}

function hasId(members: readonly Member[], id: number): boolean {
  return members.some((it) => it.id === id);
}

function ids(role: string, members: readonly Member[]): string {
  const numbers = members.map(({ id }) => id).join(", ");
  return `${role}${members.length > 1 ? "s" : ""} ${numbers}`;
}

function toSeconds(duration_ms: number | undefined): number | undefined {
  return duration_ms === undefined ? undefined : duration_ms / 1000;
}
