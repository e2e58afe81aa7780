/**
 * Draws a plan from a seed, swarm style: each seed leaves some kinds of faults out altogether, so that
 * those it has come in combinations and strengths that no single mix would bring (Groce et al., "Swarm
 * Testing", ISSTA 2012).
 */
import { valueBytesFit } from "../core/core.ts";
import { Role } from "../core/layout.ts";
import { REPLICA } from "./cluster.ts";
import {
  CALM,
  inFlightFit,
  type Plan,
  type PlanEvent,
  type PlanNode,
  TOPOLOGIES,
  type Topology,
  type Weather,
} from "./plan.ts";
import { Random } from "./random.ts";

/**
 * What a plan is mostly about. Some bugs need many elections in a row, some a log that is full, some
 * memories that are lost while others are cut off: a plan that has a bit of everything seldom has those.
 */
const MOODS = [
  "any",
  "any",
  "duel",
  "duel",
  "bulk",
  "amnesia",
  "failover",
  "recovery",
] as const;
type Mood = typeof MOODS[number];

/** Draws the plan of a seed; the same one every time. */
export function drawPlan(seed: number, wanted?: Topology): Plan {
  // Apart from the run's own random numbers, so that a plan can change and leave them alone.
  const random = new Random(seed ^ 0x5eed);
  // And this apart from the plan's, so that seeds mean what they meant before it was drawn.
  const patience = new Random(seed ^ 0x9a71e);
  const batching = !new Random(seed ^ 0xba7c4).chance(0.15);
  const topology = wanted ?? random.pick(TOPOLOGIES);
  const mood = random.pick(MOODS);
  const heal_us = random.between(
    BRISK.includes(mood) ? 2_000_000 : 500_000,
    6_000_000,
  );
  const newCluster = mood !== "amnesia" && mood !== "recovery" &&
    random.chance(0.4);
  const mtu = random.pick([256, 512, 512, 1500]);
  const logBytes = mood === "bulk"
    ? 1 << 16
    : random.pick([1 << 16, 1 << 18, 1 << 20]);
  // Of its own, so that what else a seed draws does not depend on it.
  const sizes = new Random(seed ^ 0x512e5);
  const early = drawNodes(random, { topology, mood, mtu, heal_us })
    .map((node, i, all) => withLarge(sizes, withTable(node, i, all), mtu));
  const table = drawTable(sizes, early, heal_us, batching);
  const disks = new Random(seed ^ 0xd15c);
  const nodes = withDisks(disks, [...early, ...table.rivals], logBytes);
  const acceptors = nodes.filter(({ roles }) => (roles & Role.acceptor) !== 0);
  const majority = Math.floor(acceptors.length / 2) + 1;
  const electionTimeout_us = drawElectionTimeout(random, mood);
  return {
    seed,
    topology,
    mtu,
    logBytes,
    // A log that does not hold what is in flight stops the cluster: it must be safe even then.
    inFlight: mood === "bulk" && random.chance(0.2)
      ? 256
      : Math.min(inFlightFit(logBytes, mtu), random.pick([1, 4, 64, 256])),
    batching,
    proposerTimeout_us: random.pick([100_000, 1_000_000]),
    clientTimeout_us: random.pick([200_000, 1_000_000]),
    learnerPatience_us: patience.pick([300_000, 1_000_000, 10_000_000]),
    electionTimeout_us,
    heartbeat_us: electionTimeout_us === 0 ? 50_000 : electionTimeout_us >> 2,
    newCluster,
    leastMemories: random.chance(0.7) ? majority : 1,
    sessions: table.sessions,
    sessionSpan: table.sessionSpan,
    nodes,
    weather: drawWeather(random, mood),
    replacesDisks: disks.chance(0.6),
    events: [
      ...drawEvents(random, mood, early, heal_us)
        .map((event) => withLoss(disks, event)),
      ...drawDamage(disks, nodes, heal_us),
      ...table.events,
    ].sort((a, b) => a.at_us - b.at_us),
    heal_us,
  };
}

/** One learner at least begins with the first instance, since only such ones open sessions. */
function withTable(
  node: PlanNode,
  index: number,
  nodes: readonly PlanNode[],
): PlanNode {
  const learns = ({ roles }: PlanNode) => (roles & Role.learner) !== 0;
  const open = nodes.some((it) => learns(it) && it.from === undefined);
  return open || index !== nodes.findIndex(learns)
    ? node
    : { ...node, from: undefined };
}

/** Some clients have values now and then that take a few frames. */
function withLarge(random: Random, node: PlanNode, mtu: number): PlanNode {
  const { client } = node;
  if (client === undefined || !random.chance(0.3)) return node;
  const large = {
    every: random.between(2, 12),
    bytes: random.between(mtu, 5 * mtu),
  };
  return { ...node, client: { ...client, large } };
}

/**
 * In some plans disks are small, and in some a power cut loses what they hold. Learners of their own have
 * disks too, where acceptors have, or in some plans where they have none.
 */
function withDisks(
  random: Random,
  nodes: readonly PlanNode[],
  logBytes: number,
): PlanNode[] {
  const asynchronous = random.chance(0.3) ? true : undefined;
  const diskBytes = random.chance(0.4)
    ? logBytes * random.between(3, 8)
    : undefined;
  const usual_us = nodes.find(({ commit_us }) => commit_us)?.commit_us ??
    (random.chance(0.2) ? { least: 100, most: 5000 } : undefined);
  const lag_us = random.chance(0.5) ? random.between(0, 100_000) : undefined;
  return nodes.map((node) => {
    const commit_us = (node.roles & Role.learner) !== 0
      ? node.commit_us ?? usual_us
      : node.commit_us;
    // An acceptor has its disk from the first.
    return commit_us === undefined || (node.roles & Role.acceptor) !== 0 &&
        node.commit_us === undefined
      ? node
      : { ...node, commit_us, asynchronous, diskBytes, lag_us };
  });
}

/** Some disks lose a key in place of a bit. */
function withLoss(random: Random, event: PlanEvent): PlanEvent {
  return event.kind === "bit flip" && random.chance(0.5)
    ? { ...event, kind: "lost key" }
    : event;
}

/** Sometimes an acceptor's disk is damaged, and all others restart before it comes back with an empty one. */
function drawDamage(
  random: Random,
  nodes: readonly PlanNode[],
  heal_us: number,
): PlanEvent[] {
  const acceptors = [...nodes.keys()].filter((i) =>
    (nodes[i].roles & Role.acceptor) !== 0
  );
  const onDisk = acceptors.filter((i) => nodes[i].commit_us !== undefined);
  if (onDisk.length === 0 || !random.chance(0.3)) return [];
  return Array.from({ length: random.between(1, 3) }, () => {
    const node = random.pick(onDisk);
    const others = acceptors.filter((i) => i !== node);
    const at_us = random.between(0, heal_us);
    const then_us = at_us + random.between(1, 100_000);
    return [
      { kind: random.pick(["bit flip", "lost key"]), node, at_us },
      { kind: "crash", node, down_us: 1000, at_us: at_us + 1 },
      { kind: "power cut", nodes: others, down_us: 1000, at_us: then_us },
    ] satisfies PlanEvent[];
  }).flat();
}

/** The learners' tables of a plan, and clients that contend for them. */
interface Table {
  readonly sessions?: number;
  readonly sessionSpan?: number;
  readonly rivals: readonly PlanNode[];
  readonly events: readonly PlanEvent[];
}

/** Sometimes there are fewer sessions than clients, or hardly enough, and they are soon forgotten. */
function drawTable(
  random: Random,
  nodes: readonly PlanNode[],
  heal_us: number,
  batching: boolean,
): Table {
  // Who begins in the middle forgets other clients than the others when there are too many.
  if (nodes.some(({ from }) => from === 0) || !random.chance(0.4)) {
    return { rivals: [], events: [] };
  }
  // With one command an instance, renewals alone may take more instances than a short span, and so go on for ever.
  const least = batching ? 32 : 1024;
  const sessionSpan = Math.max(random.pick([32, 128, 1024]), least);
  if (random.chance(0.4)) {
    const sessions = random.between(1, 8);
    return { sessions, sessionSpan, rivals: [], events: [] };
  }
  const clients = nodes.flatMap(({ client }) => client?.clients ?? []);
  const steady = drawRival(random, nodes, 38, 0, heal_us);
  const tenth_us = Math.floor(heal_us / 10);
  const at_us = tenth_us * random.between(1, 4);
  const for_us = tenth_us * random.between(3, 5);
  const late = at_us + Math.floor(for_us * 0.8);
  const away = nodes.findIndex(({ client }) => client !== undefined);
  return {
    // The late ones find room only where somebody who is away had it.
    sessions: clients.reduce((sum, n) => sum + n, 1),
    sessionSpan: least,
    rivals: [steady, drawRival(random, nodes, 39, late, heal_us)],
    events: [{
      kind: "pause",
      node: away,
      at_us,
      for_us,
    }],
  };
}

/** A client that submits little by little. */
function drawRival(
  random: Random,
  nodes: readonly PlanNode[],
  id: number,
  start_us: number,
  heal_us: number,
): PlanNode {
  const values = random.between(50, 300);
  return {
    roles: Role.client,
    id,
    start_us,
    leader: nodes[0].leader,
    queueFrames: 4096,
    clockRate: 1,
    client: {
      clients: 1,
      outstanding: 4,
      values,
      pace_us: Math.ceil(heal_us / values),
      padBytes: 0,
      proposer: 0,
    },
  };
}

/** How long a leader is silent before others campaign; 0: the configured one leads, or nobody does. */
function drawElectionTimeout(random: Random, mood: Mood): number {
  const share = mood === "failover" || mood === "recovery" ? 0.9 : 0.5;
  return random.chance(share) ? random.between(50_000, 300_000) : 0;
}

interface Shape {
  readonly topology: Topology;
  readonly mood: Mood;
  readonly mtu: number;
  readonly heal_us: number;
}

function drawNodes(random: Random, shape: Shape): PlanNode[] {
  const { topology, mood, heal_us } = shape;
  const onDisk = mood !== "amnesia" && mood !== "recovery" &&
    random.chance(0.5);
  const drifting = random.chance(0.3);
  const small = random.chance(0.2);
  const duel = mood === "duel" || random.chance(0.4);
  const roles = drawRoles(random, topology, mood);
  const proposers = roles.filter(([role]) => (role & Role.proposer) !== 0)
    .map(([, id]) => id);
  const leader = random.pick(proposers);
  return roles.map(([role, id]) => {
    const acceptor = (role & Role.acceptor) !== 0;
    const proposer = (role & Role.proposer) !== 0;
    const least = random.between(50, 2000);
    const late = !acceptor && random.chance(proposer ? 0.1 : 0.3);
    return {
      roles: role,
      id,
      start_us: late ? random.between(0, heal_us) : random.between(0, 50_000),
      leader: duel && proposer ? id : leader,
      commit_us: acceptor && onDisk
        ? { least, most: least + random.between(0, 5000) }
        : undefined,
      queueFrames: small ? random.between(8, 64) : 4096,
      clockRate: drifting ? random.between(900, 1100) / 1000 : 1,
      from: role === Role.learner && random.chance(0.2) ? 0 : undefined,
      client: role === Role.client
        ? drawClient(random, proposers, shape)
        : undefined,
    };
  });
}

/** Roles and id of each node. */
function drawRoles(
  random: Random,
  topology: Topology,
  mood: Mood,
): [roles: number, id: number][] {
  const nodes: [number, number][] = [];
  const many = (least: number, most: number, roles: number, first = 1) => {
    const count = random.between(least, most);
    for (let i = 0; i < count; i++) nodes.push([roles, first + i]);
  };
  const acceptors = random.pick(
    mood === "any" ? [1, 2, 3, 3, 3, 3, 4, 5] : [3, 3, 3, 5],
  );
  if (topology === "replicas") {
    many(acceptors, acceptors, REPLICA);
    many(0, 2, Role.learner, 20);
  } else if (topology === "roles") {
    many(acceptors, acceptors, Role.acceptor);
    many(mood === "duel" || mood === "failover" ? 2 : 1, 3, Role.proposer);
    many(1, 2, Role.learner);
  } else {
    nodes.push([REPLICA, 1], [Role.proposer | Role.acceptor, 2]);
    nodes.push([Role.acceptor, 3]);
    many(0, 1, Role.proposer | Role.learner, 4);
    many(1, 2, Role.learner, 20);
  }
  many(1, 3, Role.client, 30);
  return nodes;
}

function drawClient(
  random: Random,
  proposers: readonly number[],
  { mood, mtu, heal_us }: Shape,
) {
  const bulk = mood === "bulk";
  const values = bulk
    ? random.between(100, 400)
    : random.pick([5, 20, 80, 200]);
  const most = valueBytesFit(mtu);
  return {
    clients: random.between(1, 4),
    outstanding: bulk ? 64 : random.pick([1, 2, 8, 32]),
    values,
    // Most clients have something to submit for as long as things go wrong.
    pace_us: !bulk && random.chance(0.7) ? Math.ceil(heal_us / values) : 0,
    padBytes: bulk
      ? random.between(100, Math.min(most, 400))
      : random.pick([0, 20, 120]),
    proposer: random.chance(mood === "duel" ? 0.5 : 0.2)
      ? random.pick(proposers)
      : 0,
  };
}

function drawWeather(random: Random, mood: Mood): Weather {
  const share = (most: number) =>
    random.chance(0.5) ? random.between(0, most * 100) / 10_000 : 0;
  const least = random.between(1, 200);
  const spread = random.pick([0, 100, 1000, 3000, 30_000]);
  return {
    loss: share(30),
    duplication: share(30),
    corruption: share(5),
    truncation: share(5),
    replay: share(mood === "amnesia" ? 20 : 5),
    delay_us: { least, most: least + random.between(0, spread) },
  };
}

const KINDS = [
  "crash",
  "power cut",
  "leave",
  "pause",
  "jump",
  "unread",
  "partition",
  "weather",
  "slow disk",
  "failing disk",
  "full disk",
  "bit flip",
  "flap",
  "isolate leader",
  "kill leader",
  "pause leader",
] as const;

const MOST_EVENTS: Record<Mood, readonly number[]> = {
  any: [5, 15, 60],
  duel: [30, 150],
  bulk: [15, 60],
  amnesia: [15, 60],
  failover: [30, 100],
  recovery: [30, 100],
};

/** Moods in which what fails is back soon, so that it fails often. */
const BRISK: readonly Mood[] = ["failover", "recovery"];
/** When all acceptors of a cluster have surely confirmed each other, if nothing hinders them. */
const CONFIRMED_US = 400_000;

/** What each mood does not leave to chance. */
const INSISTED: Record<Mood, readonly (typeof KINDS[number])[]> = {
  any: [],
  duel: ["jump", "partition"],
  bulk: ["crash", "unread", "pause"],
  amnesia: ["crash", "power cut", "partition"],
  failover: ["isolate leader", "kill leader", "pause leader", "flap"],
  recovery: ["crash", "kill leader", "partition"],
};

function drawEvents(
  random: Random,
  mood: Mood,
  nodes: readonly PlanNode[],
  heal_us: number,
): PlanEvent[] {
  const kinds = [...random.some(KINDS, 0.4), ...INSISTED[mood]];
  if (kinds.length === 0) return [];
  const events: PlanEvent[] = [];
  const most = random.pick(MOST_EVENTS[mood]);
  // Where memories are lost before all know each other, nobody votes any more.
  const least_us = mood === "recovery" ? CONFIRMED_US : 0;
  for (let n = random.between(0, most); n > 0; n--) {
    const at_us = random.between(least_us, heal_us);
    const event = drawEvent(random, random.pick(kinds), mood, nodes);
    if (event !== undefined) events.push({ at_us, ...event } as PlanEvent);
  }
  return events.sort((a, b) => a.at_us - b.at_us);
}

type Happening = PlanEvent extends infer E
  ? E extends PlanEvent ? Omit<E, "at_us"> : never
  : never;

function drawEvent(
  random: Random,
  kind: typeof KINDS[number],
  mood: Mood,
  nodes: readonly PlanNode[],
): Happening | undefined {
  const any = random.between(0, nodes.length - 1);
  const proposers = nodes.flatMap(({ roles }, i) =>
    (roles & Role.proposer) !== 0 ? [i] : []
  );
  const disks = nodes.flatMap(({ commit_us }, i) =>
    commit_us === undefined ? [] : [i]
  );
  const disk = disks.length > 0 ? random.pick(disks) : undefined;
  const brisk = BRISK.includes(mood);
  const down_us = brisk
    ? random.pick([0, 1000, 50_000]) + random.between(0, 200_000)
    : random.pick([0, 1000, 100_000, 1_500_000]) + random.between(0, 500_000);
  const for_us = random.pick([1000, 50_000, 500_000, brisk ? 100 : 2_000_000]) +
    random.between(0, 100_000);
  switch (kind) {
    case "crash":
      return {
        kind,
        node: any,
        afterFrames: random.chance(0.5) ? random.between(0, 4) : undefined,
        down_us,
      };
    case "power cut": {
      const cut = random.some([...nodes.keys()], 0.6);
      return cut.length === 0 ? undefined : { kind, nodes: cut, down_us };
    }
    case "leave":
      return { kind, node: any, down_us };
    case "pause":
      return { kind, node: any, for_us };
    case "unread": {
      const learner = (nodes[any].roles & Role.learner) !== 0;
      return learner ? { kind, node: any, for_us } : undefined;
    }
    case "jump":
      // A proposer whose clock jumps has not heard the leader for long: it campaigns.
      return {
        kind,
        node: random.chance(0.7) ? random.pick(proposers) : any,
        by_us: random.pick([1000, 200_000, 2_000_000]),
      };
    case "partition":
      return {
        kind,
        cuts: mood === "duel" && random.chance(0.6)
          ? deafness(random, nodes)
          : drawCuts(random, nodes.length),
        for_us,
      };
    case "weather":
      return {
        kind,
        weather: random.chance(0.2) ? CALM : drawWeather(random, mood),
        for_us,
      };
    case "slow disk":
      if (disk === undefined) return;
      return {
        kind,
        node: disk,
        commit_us: { least: 10_000, most: 400_000 },
        for_us,
      };
    case "failing disk":
    case "full disk":
      return disk === undefined ? undefined : { kind, node: disk, for_us };
    case "bit flip":
      return disk === undefined ? undefined : { kind, node: disk };
    case "flap":
      return {
        kind,
        cuts: drawCuts(random, nodes.length),
        every_us: random.pick([5000, 50_000, 200_000]),
        for_us,
      };
    case "isolate leader":
      return { kind, ways: random.pick(["from", "to", "both"]), for_us };
    case "kill leader":
      return { kind, down_us };
    case "pause leader":
      return { kind, for_us: random.between(50_000, 500_000) };
  }
}

/** An island in both directions, or in one, or any pairs at all. */
function drawCuts(random: Random, nodes: number): [number, number][] {
  const all = Array.from({ length: nodes * nodes }, (_, i) => {
    return [Math.floor(i / nodes), i % nodes] as [number, number];
  });
  if (random.chance(0.3)) return random.some(all, 0.3);
  const island = new Set(random.some([...Array(nodes).keys()], 0.4));
  const oneWay = random.chance(0.4);
  return all.filter(([from, to]) =>
    island.has(from) !== island.has(to) && !(oneWay && island.has(from))
  );
}

/**
 * Proposers that do not hear each other, or some of them, so that several lead at once; and each may
 * reach acceptors of its own, so that their quorums differ.
 */
function deafness(
  random: Random,
  nodes: readonly PlanNode[],
): [number, number][] {
  const having = (role: Role) =>
    nodes.flatMap(({ roles }, i) => (roles & role) !== 0 ? [i] : []);
  const proposers = having(Role.proposer);
  const pairs = (others: readonly number[]) =>
    proposers.flatMap((from) =>
      others.filter((to) => to !== from)
        .map((to) => [from, to] as [number, number])
    );
  const deaf = pairs(proposers);
  const cuts = random.chance(0.5) ? deaf : random.some(deaf, 0.6);
  if (random.chance(0.3)) return cuts;
  const unreached = random.some(pairs(having(Role.acceptor)), 0.35);
  const back = unreached.map(([from, to]) => [to, from] as [number, number]);
  return [...cuts, ...unreached, ...random.chance(0.5) ? back : []];
}
