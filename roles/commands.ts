/** The one table of commands and options: parsing, help and completion are all read from it. */

import { LARGE_BYTES_MAX, SESSION_SEQUENCES } from "../core/layout.ts";
import { MTU_MAX, MTU_MIN } from "../ffi/nic.ts";
import { TOPOLOGIES } from "../sim/plan.ts";
import { WORDS } from "./config_words.ts";
import { STORAGES } from "./storage_word.ts";
import type { ValueKind, ValueOf } from "./values.ts";

/** Longest duration of an experiment: more would overflow a 32-bit timer of milliseconds. */
const LONGEST_MS = 500 * 3_600_000;

/** Layouts of the bench's cluster: three replicas; a proposer, three acceptors and a learner; one replica. */
export const BENCH_TOPOLOGIES = ["replicas", "roles", "single"] as const;
/** One of `BENCH_TOPOLOGIES`. */
export type Topology = (typeof BENCH_TOPOLOGIES)[number];

/** An option; without `kind` it is a flag, which takes no value. */
export interface OptionSpec {
  readonly kind?: ValueKind;
  /** Stands for the value in help. */
  readonly placeholder?: string;
  readonly help: string;
  /** May be given several times. */
  readonly repeatable?: true;
  /** Options beside which this one would mean nothing. */
  readonly excludes?: readonly string[];
  /** Means nothing unless this option has this value. */
  readonly needs?: { readonly option: string; readonly value: string };
}

/** Every option of every command, by its name without the dashes. An option means the same everywhere, though a command may take several values of it. */
export const OPTIONS = {
  id: {
    kind: { type: "integer", min: 1, max: 65535 },
    placeholder: "N",
    help: "this node's id, unique among the nodes of its role",
  },
  if: {
    kind: { type: "interface" },
    placeholder: "IFACE",
    help:
      "network interface (default: the only one that is up besides loopback)",
  },
  conf: {
    kind: { type: "path" },
    placeholder: "FILE",
    help:
      "configuration (default: three replicas, ids 1 to 3, addresses discovered; no file is read)",
  },
  nic: {
    kind: { type: "choice", choices: ["af_packet", "udp"] },
    placeholder: "KIND",
    help:
      "af_packet: bare Ethernet frames, needs CAP_NET_RAW; udp: the same frames in datagrams",
  },
  "busy-poll": {
    kind: WORDS["busy-poll"].kind,
    placeholder: "AUTO|YES|NO",
    help:
      "how to wait for frames: auto: sleep, but under load give way to others first; yes: never sleep, on a core to spare; no: always sleep (default: as configured, else auto)",
  },
  batching: {
    kind: WORDS.batching.kind,
    placeholder: "YES|NO",
    help:
      "yes: a frame carries as many values as it holds; no: one, and so does an instance (default: as configured, else yes)",
  },
  cluster: {
    kind: { type: "integer", min: 1, max: 65535 },
    placeholder: "N",
    help:
      "cluster number; frames of other clusters are ignored (default: as configured, else 1)",
  },
  leader: {
    kind: { type: "integer", min: 1, max: 65535 },
    placeholder: "ID",
    help:
      "proposer that leads at first, or always with election no; the same on every node (default: as configured, else the lowest)",
  },
  loss: {
    kind: { type: "fraction" },
    placeholder: "P",
    help: "drop this fraction of the received frames, for experiments",
  },
  lifetime: {
    kind: { type: "duration", min_ms: 1, max_ms: LONGEST_MS },
    placeholder: "TIME",
    help: "leave after this time (default: stay)",
  },
  seed: {
    kind: { type: "wide", min: 0n, max: 0xffff_ffff_ffff_ffffn },
    placeholder: "N",
    help: "start of every random choice (default: drawn anew)",
  },
  verbosity: {
    kind: { type: "choice", choices: ["quiet", "error", "info", "debug"] },
    placeholder: "LEVEL",
    help: "how much to log (default: as configured, else info)",
  },
  "log-format": {
    kind: { type: "choice", choices: ["text", "json"] },
    placeholder: "FORMAT",
    help: "form of the log lines on stderr",
  },
  mtu: {
    kind: { type: "integer", min: MTU_MIN, max: MTU_MAX },
    placeholder: "BYTES",
    help: "largest frame payload (default: the interface's, at most 1500)",
  },
  "udp-port": {
    kind: { type: "integer", min: 1, max: 65535 },
    placeholder: "PORT",
    help:
      "the group's port, or with peers this node's own (default: as configured, else 7400)",
    needs: { option: "nic", value: "udp" },
  },
  "udp-group": {
    kind: { type: "group" },
    placeholder: "ADDRESS",
    help: "multicast group (default: as configured, else 239.75.112.1)",
    needs: { option: "nic", value: "udp" },
    excludes: ["udp-peers"],
  },
  "udp-peers": {
    kind: { type: "endpoints" },
    placeholder: "ADDRESS:PORT,...",
    help: "send to each of these instead of to a group",
    needs: { option: "nic", value: "udp" },
  },
  "new-cluster": {
    help:
      "vouch that no acceptor of this cluster ran before, so that this one votes before all others are up",
  },
  "storage-backend": {
    kind: WORDS["storage-backend"].kind,
    placeholder: "KIND",
    help:
      "where votes, and how far values were delivered, are kept (default: as configured, else memory)",
  },
  "lmdb-env-path": {
    kind: WORDS["lmdb-env-path"].kind,
    placeholder: "FOLDER",
    help:
      "with lmdb: the folder that has a directory for each node (default: as configured, else /var/lib/kpaxos)",
  },
  "lmdb-sync": {
    kind: WORDS["lmdb-sync"].kind,
    placeholder: "YES|NO",
    help:
      "with lmdb: yes: a vote leaves when it is on disk; no: soon after that it is (default: as configured, else yes)",
  },
  "lmdb-sync-period": {
    kind: WORDS["lmdb-sync-period"].kind,
    placeholder: "TIME",
    help:
      "with lmdb-sync no: how often what is stored goes to disk (default: as configured, else 100ms)",
  },
  "lmdb-mapsize": {
    kind: WORDS["lmdb-mapsize"].kind,
    placeholder: "BYTES",
    help:
      "with lmdb: the most that a node's database may grow to, at least 64mb and twice acceptor-log-size (default: as configured, else 1gb)",
  },
  "acceptor-trash-files": {
    kind: WORDS["acceptor-trash-files"].kind,
    placeholder: "YES|NO",
    help:
      "with lmdb: throw away what earlier runs stored (default: as configured, else no)",
  },
  outstanding: {
    kind: { type: "integer", min: 1, max: SESSION_SEQUENCES / 2 },
    placeholder: "N",
    help:
      "values in flight, of each virtual client (the default fills a frame while another is decided)",
  },
  "value-size": {
    kind: { type: "bytes", min: 1, max: LARGE_BYTES_MAX },
    placeholder: "BYTES",
    help:
      "bytes of each value; one that does not fit a frame goes in chunks, one at a time for each virtual client",
    excludes: ["stdin"],
  },
  clients: {
    kind: { type: "integer", min: 1, max: 1024 },
    placeholder: "N",
    help: "virtual clients in this process",
  },
  seconds: {
    kind: { type: "duration", min_ms: 1, max_ms: LONGEST_MS },
    placeholder: "TIME",
    help: "stop submitting after this time",
  },
  "warm-up": {
    kind: { type: "duration", min_ms: 0, max_ms: LONGEST_MS },
    placeholder: "TIME",
    help: "submit for so long before, and leave that out of the summary",
  },
  count: {
    kind: { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER },
    placeholder: "N",
    help: "stop after this many values",
    excludes: ["stdin"],
  },
  "proposer-id": {
    kind: { type: "integer", min: 1, max: 65535 },
    placeholder: "ID",
    help: "submit to this proposer (default: find the leader)",
  },
  stdin: {
    help:
      "submit the lines of standard input, one value each; exit 0 when all are decided",
  },
  stats: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "write latencies there, one sample in microseconds a line",
  },
  submitted: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "write every submitted value there, one a line, for kpaxos check",
  },
  acknowledged: {
    kind: { type: "path" },
    placeholder: "FILE",
    help:
      "values that were answered, one a line: a client writes them there, check wants every learner to have delivered them",
    repeatable: true,
  },
  json: { help: "machine-readable output on stdout" },
  from: {
    kind: { type: "wide", min: 0n, max: 0x3fff_ffff_ffff_ffffn },
    placeholder: "INSTANCE",
    help:
      "first instance to deliver; 0: the first that is decided from now on (default: 1, or as learner-catch-up says)",
  },
  output: {
    kind: { type: "choice", choices: ["ndjson", "raw", "none"] },
    placeholder: "FORM",
    help:
      "delivered values on stdout: ndjson (one object a line), raw (each value and a newline) or none",
  },
  socket: {
    kind: { type: "path" },
    placeholder: "PATH",
    help: "deliver to every program that reads this Unix socket, as NDJSON",
  },
  replicas: {
    kind: { type: "integer", min: 1, max: 9 },
    placeholder: "N",
    help: "number of replicas",
  },
  keep: { help: "keep the logs and the delivered values, and say where" },
  proposed: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "what was proposed: text, one value a line",
    repeatable: true,
  },
  learned: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "what one learner delivered: its NDJSON output",
    repeatable: true,
  },
  seeds: {
    kind: { type: "integer", min: 1, max: 2 ** 32 - 1 },
    placeholder: "N",
    help: "number of seeds to run, each a cluster and faults of its own",
  },
  minutes: {
    kind: { type: "integer", min: 1, max: 100_000 },
    placeholder: "N",
    help: "run seeds for so long",
    excludes: ["seeds"],
  },
  topology: {
    kind: { type: "choice", choices: TOPOLOGIES },
    placeholder: "SHAPE",
    help: "shape of every cluster (default: each seed draws its own)",
  },
  plan: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "run the plan in this file, as a failing seed leaves it",
    excludes: ["seed", "seeds", "minutes", "topology"],
  },
  trace: { help: "print every event of the run, one a line" },
  html: {
    kind: { type: "path" },
    placeholder: "FILE",
    help: "draw the run as a space-time picture: one page, for any browser",
  },
  wait: {
    kind: { type: "duration", min_ms: 100, max_ms: 60_000 },
    placeholder: "TIME",
    help: "how long to ask and to wait for answers",
  },
  instance: {
    kind: { type: "integer", min: 1, max: Number.MAX_SAFE_INTEGER },
    placeholder: "N",
    help: "show this instance in full",
  },
  verify: { help: "check the checksum of everything that is stored" },
  "require-termination": {
    help: "fail also when a proposed value was not delivered by every learner",
  },
  storage: {
    kind: { type: "list", of: { type: "choice", choices: STORAGES } },
    placeholder: "KIND",
    help:
      "where votes are kept: in memory, in LMDB on disk, or in LMDB and soon after on disk",
  },
  repeats: {
    kind: { type: "integer", min: 1, max: 1000 },
    placeholder: "N",
    help: "how often everything is measured; the medians are told",
  },
  folder: {
    kind: { type: "path" },
    placeholder: "FOLDER",
    help: "a folder on the disk to measure (default: $TMPDIR, or /tmp)",
  },
  chart: {
    kind: { type: "path" },
    placeholder: "FILE",
    help:
      "draw what was measured: FILE.svg a picture, FILE.html a page with it",
  },
  long: {
    kind: { type: "duration", min_ms: 1000, max_ms: LONGEST_MS },
    placeholder: "TIME",
    help:
      "one run of so long in place of all others, of the first cluster and the last load that are named",
  },
  full: {
    help:
      "everything that the targets of docs/performance.md ask for, for 1.5 s each, in some ten minutes; of it what is named, where something is",
  },
  help: { help: "show this help (also -h)" },
} as const satisfies Record<string, OptionSpec>;

/** Name of an option, without the dashes. */
export type OptionName = keyof typeof OPTIONS;

type ValueOfOption<S> = S extends { kind: infer K extends ValueKind }
  ? S extends { repeatable: true } ? ValueOf<K>[] : ValueOf<K>
  : boolean;

/** What parsing yields: options that were not given and have no default are absent. */
export type OptionValues = {
  [Name in OptionName]?: ValueOfOption<(typeof OPTIONS)[Name]>;
};

/** A command. */
export interface CommandSpec {
  readonly summary: string;
  /** Paragraphs of help after the summary. */
  readonly description?: string;
  readonly options: readonly OptionName[];
  readonly required?: readonly OptionName[];
  /** Kinds of options that are others here than elsewhere: several values, other words. */
  readonly kinds?: { readonly [Name in OptionName]?: ValueKind };
  /** Help on options that other words describe better here. */
  readonly helps?: { readonly [Name in OptionName]?: string };
  /** What an option is when it is not given, written as on a command line. */
  readonly defaults?: { readonly [Name in OptionName]?: string };
  /** A word that may follow the command. */
  readonly operand?: {
    readonly placeholder: string;
    /** Absent: the path of a directory. */
    readonly choices?: readonly string[];
    readonly required: boolean;
  };
  readonly examples: readonly {
    /** The arguments after `kpaxos`. */
    readonly line: string;
    readonly does: string;
    /** Needs CAP_NET_RAW: shown with sudo. */
    readonly privileged?: true;
  }[];
}

const NODE_OPTIONS = [
  "id",
  "if",
  "conf",
  "nic",
  "cluster",
  "leader",
  "loss",
  "lifetime",
  "seed",
  "mtu",
  "batching",
  "busy-poll",
  "udp-port",
  "udp-group",
  "udp-peers",
  "verbosity",
  "log-format",
] as const satisfies readonly OptionName[];

const STORAGE_OPTIONS = [
  "storage-backend",
  "lmdb-env-path",
  "lmdb-sync",
  "lmdb-sync-period",
  "lmdb-mapsize",
  "acceptor-trash-files",
] as const satisfies readonly OptionName[];

const NODE_DEFAULTS = { nic: "af_packet", loss: "0", "log-format": "text" };

function listOf(kind: ValueKind): ValueKind {
  return { type: "list", of: kind };
}

/** Shells that `kpaxos completions` writes for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Every command, in the order in which help shows them. */
export const COMMANDS = {
  replica: {
    summary: "run a proposer, an acceptor and a learner in one process",
    options: [
      ...NODE_OPTIONS,
      "new-cluster",
      "output",
      "socket",
      ...STORAGE_OPTIONS,
    ],
    required: ["id"],
    defaults: { ...NODE_DEFAULTS, output: "none" },
    examples: [
      {
        line: "replica --id 1 --if eth0",
        does: "one of three replicas, with no configuration file",
        privileged: true,
      },
      {
        line: "replica --id 2 --if eth0 --conf conf/paxos.conf",
        does: "the members that a file names",
        privileged: true,
      },
      {
        line: "replica --id 3 --if eth0 --nic udp",
        does: "over UDP multicast, without privileges",
      },
      {
        line:
          "replica --id 1 --if eth0 --storage-backend lmdb --lmdb-env-path /srv/kpaxos",
        does: "that survives a crash: its votes are in /srv/kpaxos/replica-1",
        privileged: true,
      },
    ],
  },
  acceptor: {
    summary: "run an acceptor: it votes and remembers its votes",
    options: [...NODE_OPTIONS, "new-cluster", ...STORAGE_OPTIONS],
    required: ["id"],
    defaults: NODE_DEFAULTS,
    examples: [
      {
        line: "acceptor --id 1 --if eth0",
        does: "one of three acceptors",
        privileged: true,
      },
      {
        line: "acceptor --id 2 --if eth0 --loss 0.1 --seed 7",
        does: "that hears nine frames of ten, the same ones every time",
        privileged: true,
      },
    ],
  },
  proposer: {
    summary: "run a proposer: as leader it orders the values of the clients",
    options: NODE_OPTIONS,
    required: ["id"],
    defaults: NODE_DEFAULTS,
    examples: [
      {
        line: "proposer --id 1 --if eth0",
        does: "the leader, since its id is the lowest",
        privileged: true,
      },
      {
        line: "proposer --id 2 --if eth0 --leader 2",
        does: "lead with another one; say the same on every node",
        privileged: true,
      },
    ],
  },
  learner: {
    summary: "run a learner: it delivers every decided value, in order, once",
    description:
      'With --output ndjson each value is one line: {"instance":1,"index":0,"client":"c3","seq":1,"value":"text"}. ' +
      'A value that is not UTF-8 has "base64" in place of "value". ' +
      'With storage a learner goes on where it was, and its first line is {"from":N}: ' +
      "what follows begins at instance N, and what came before of instances from N on is to be dropped.",
    options: [
      ...NODE_OPTIONS,
      "from",
      "output",
      "socket",
      ...STORAGE_OPTIONS,
    ],
    required: ["id"],
    defaults: { ...NODE_DEFAULTS, output: "ndjson" },
    examples: [
      {
        line: "learner --id 1 --if eth0",
        does: "every value since the first instance, as NDJSON",
        privileged: true,
      },
      {
        line: "learner --id 2 --if eth0 --output raw",
        does: "the values only, each on a line",
        privileged: true,
      },
      {
        line:
          "learner --id 3 --if eth0 --from 1000 --output none --socket /run/kpaxos.sock",
        does: "from instance 1000 on, to whoever reads the socket",
        privileged: true,
      },
    ],
  },
  client: {
    summary: "submit values and measure how fast they are decided",
    options: [
      ...NODE_OPTIONS,
      "outstanding",
      "value-size",
      "clients",
      "warm-up",
      "seconds",
      "count",
      "proposer-id",
      "stdin",
      "json",
      "stats",
      "submitted",
      "acknowledged",
    ],
    // 21 values of 64 bytes fill a frame of 1,500: with 32 one frame gathers while one is decided,
    // and a value's latency is still about that of two round trips.
    defaults: {
      ...NODE_DEFAULTS,
      outstanding: "32",
      "value-size": "64",
      clients: "1",
      "warm-up": "0",
    },
    examples: [
      {
        line: "client --outstanding 32",
        does: "load until Ctrl-C, on the only interface",
        privileged: true,
      },
      {
        line: "client --if eth0 --outstanding 128 --seconds 10 --json",
        does: "ten seconds, measured, as NDJSON",
        privileged: true,
      },
      {
        line: "client --if eth0 --stdin --submitted values.txt",
        does: "the lines of standard input, kept for kpaxos check",
        privileged: true,
      },
      {
        line: "client --if eth0 --stdin --acknowledged /dev/stdout",
        does: "the same lines again, each as soon as it is decided",
        privileged: true,
      },
    ],
  },
  demo: {
    summary: "run replicas, learners and a client on this machine, and check",
    description:
      "Makes a private network (user and network namespace, a bridge, one interface per node), needs no root, and cleans up.",
    options: ["replicas", "seconds", "outstanding", "keep", "json"],
    defaults: { replicas: "3", seconds: "5", outstanding: "32" },
    examples: [
      { line: "demo", does: "three replicas, five seconds" },
      {
        line: "demo --replicas 5 --seconds 10 --keep",
        does: "longer, and keep what was logged and learned",
      },
    ],
  },
  bench: {
    summary: "measure a cluster on this machine, beside what it could reach",
    description:
      "Makes a private network as the demo does, runs a cluster in it with each kind of storage and load, " +
      "and prints medians beside the floors of the same run: what the same hops take with no protocol, and what the disk alone does. " +
      "Then it says which of the project's targets are met. " +
      "With --long or --count it is one long run, whose last minute is compared with its first. docs/performance.md says what each figure means.",
    options: [
      "topology",
      "storage",
      "outstanding",
      "value-size",
      "clients",
      "mtu",
      "batching",
      "busy-poll",
      "repeats",
      "seconds",
      "full",
      "long",
      "count",
      "folder",
      "chart",
      "json",
    ],
    kinds: {
      topology: listOf({ type: "choice", choices: BENCH_TOPOLOGIES }),
      outstanding: listOf(OPTIONS.outstanding.kind),
      "value-size": listOf(OPTIONS["value-size"].kind),
      clients: listOf(OPTIONS.clients.kind),
      mtu: listOf(OPTIONS.mtu.kind),
      batching: listOf(OPTIONS.batching.kind),
      "busy-poll": listOf(OPTIONS["busy-poll"].kind),
    },
    helps: {
      topology:
        "cluster: three replicas; a proposer, three acceptors and a learner; or one replica (default: replicas)",
      storage:
        "where votes are kept: in memory, in LMDB on disk, or in LMDB and soon after on disk (default: all three)",
      outstanding:
        "values in flight, of each virtual client (default: 1,32,128,4096)",
      "value-size":
        "bytes of each value; one that does not fit a frame goes in chunks, one at a time for each virtual client (default: 64)",
      clients: "virtual clients of the one process that submits (default: 1)",
      "busy-poll":
        "how nodes and client wait for frames: auto: sleep, but under load give way to others first; yes: never sleep, on a core to spare; no: always sleep (default: auto)",
      mtu: "largest frame payload (default: 1500)",
      batching:
        "yes: a frame carries as many values as it holds; no: one, and so does an instance (default: yes)",
      repeats:
        "how often everything is measured; the medians are told (default: 3)",
      seconds: "how long each load is measured each time (default: 1)",
      count: "one long run of so many values, as with --long",
    },
    examples: [
      {
        line: "bench",
        does: "three replicas, every storage, in about two minutes",
      },
      {
        line: "bench --full --chart bench.svg",
        does: "what the targets ask for, in ten minutes, and a chart",
      },
      {
        line:
          "bench --topology roles --storage memory --outstanding 1,128 --mtu 1500,9000",
        does: "chosen loads, with and without jumbo frames",
      },
      {
        line:
          "bench --topology single --storage memory --outstanding 1 --busy-poll auto,yes",
        does: "one hop there and one back, asleep and spinning",
      },
      {
        line: "bench --storage memory --batching yes,no",
        does: "what is left with one value a frame",
      },
      {
        line: "bench --long 12m --storage memory --outstanding 4096",
        does: "whether it is as fast after a billion values as before",
      },
    ],
  },
  check: {
    summary: "compare what was proposed with what learners delivered",
    description:
      "Reports agreement (no position with two values; each learner's sequence is a prefix of the longest), " +
      "integrity (nothing delivered that was not proposed, nor more often), duplicates, and termination; " +
      "with --acknowledged also durability (every learner delivered what a client was told to be decided). " +
      'A line {"from":N} of a learner that was started again takes back what it delivered of instances from N on, ' +
      "and what follows must repeat it. " +
      "Exits 1 on a violation and names the first.",
    options: [
      "proposed",
      "learned",
      "acknowledged",
      "require-termination",
      "json",
    ],
    required: ["proposed", "learned"],
    examples: [
      {
        line:
          "check --proposed values.txt --learned one.ndjson --learned two.ndjson",
        does: "one client, two learners",
      },
      {
        line:
          "check --proposed a.txt --proposed b.txt --learned one.ndjson --json",
        does: "two clients, for a program to read",
      },
    ],
  },
  status: {
    summary: "ask every node how it is, and say what is wrong",
    description:
      "Asks over the same network as the nodes, which answer whatever state they are in; it changes nothing. " +
      "Prints a line a node, then in words what is wrong. Exits 0 when there is a leader and a majority of acceptors votes, else 1.",
    options: [
      "if",
      "conf",
      "nic",
      "cluster",
      "mtu",
      "udp-port",
      "udp-group",
      "udp-peers",
      "wait",
      "json",
    ],
    defaults: { nic: "af_packet", wait: "1s" },
    examples: [
      {
        line: "status --if eth0",
        does: "every node of the cluster, and what is wrong",
        privileged: true,
      },
      {
        line: "status --if eth0 --conf conf/paxos.conf --wait 3s --json",
        does: "everything they tell, for a program",
        privileged: true,
      },
    ],
  },
  inspect: {
    summary: "show what a node keeps in its storage, running or not",
    description:
      "Reads the directory of one node (lmdb-env-path/KIND-ID) and changes nothing: whose it is, its promise, which instances it has, their sizes. " +
      "With --verify it checks every checksum and exits 1 if anything is damaged.",
    options: ["instance", "verify", "json"],
    operand: { placeholder: "DIR", required: true },
    examples: [
      {
        line: "inspect /var/lib/kpaxos/replica-1",
        does: "whose it is, and what it holds",
        privileged: true,
      },
      {
        line: "inspect /var/lib/kpaxos/replica-1 --instance 42",
        does: "one instance with its values",
        privileged: true,
      },
      {
        line: "inspect /var/lib/kpaxos/replica-1 --verify --json",
        does: "every checksum, for a program",
        privileged: true,
      },
    ],
  },
  sim: {
    summary:
      "simulate clusters under faults and check that every promise holds",
    description:
      "Runs whole clusters of the real protocol core in virtual time, each seed with a topology, a network, disks and faults of its own, and checks them from outside. " +
      "The same seed does the same every time. One seed alone (--seed) can be traced and drawn. A run that fails prints how to replay it and is made smaller. Exits 1 on a violation.",
    options: [
      "seed",
      "seeds",
      "minutes",
      "topology",
      "plan",
      "trace",
      "html",
      "json",
    ],
    examples: [
      { line: "sim", does: "200 seeds, drawn anew" },
      { line: "sim --seed 1 --seeds 1000", does: "the same 1,000 every time" },
      {
        line: "sim --minutes 60 --topology roles",
        does: "an hour of clusters with separate roles",
      },
      { line: "sim --seed 7 --trace", does: "one run, event by event" },
      { line: "sim --seed 7 --html run.html", does: "one run as a picture" },
    ],
  },
  version: {
    summary: "print the versions of kpaxos, its wire format and its runtime",
    options: ["json"],
    examples: [
      { line: "version", does: "for people" },
      { line: "version --json", does: "for programs" },
    ],
  },
  completions: {
    summary: "print a script that completes kpaxos' commands in a shell",
    options: [],
    operand: { placeholder: "SHELL", choices: SHELLS, required: true },
    examples: [
      {
        line: "completions bash > /etc/bash_completion.d/kpaxos",
        does: "for every user of bash",
      },
      {
        line: "completions fish > ~/.config/fish/completions/kpaxos.fish",
        does: "for one user of fish",
      },
    ],
  },
} as const satisfies Record<string, CommandSpec>;

/** Name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** Every command's name, in the order in which help shows them. */
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** Is `word` a command? */
export function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

/** The row of a command. */
export function commandSpec(name: CommandName): CommandSpec {
  return COMMANDS[name];
}

/** What an option's value looks like for a command; undefined: it is a flag. */
export function kindOf(
  command: CommandName,
  option: OptionName,
): ValueKind | undefined {
  return commandSpec(command).kinds?.[option] ?? optionSpec(option).kind;
}

/** What help says of an option of a command. */
export function helpOf(command: CommandName, option: OptionName): string {
  return commandSpec(command).helps?.[option] ?? optionSpec(option).help;
}

/** The row of an option. */
export function optionSpec(name: OptionName): OptionSpec {
  return OPTIONS[name];
}
