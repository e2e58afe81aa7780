/** Runs one plan: the cluster, what happens to it, and whether every promise held. */
import {
  batchBytesFit,
  type CoreBuild,
  type CoreEvent,
  type CoreRecord,
  type Delivery,
} from "../core/core.ts";
import {
  Counter,
  Event,
  Gauge,
  HEADER_CHECKSUM,
  LINK_BYTES,
  Record as RecordKind,
  Role,
  StorageCondition,
} from "../core/layout.ts";
import { snugBatchBytes } from "../storage/page_fit.ts";
import type { Recovered } from "../storage/recovery.ts";
import { StorageError } from "../storage/storage.ts";
import { Checker } from "./checker.ts";
import type { Value } from "./chosen.ts";
import { OPTIONS, SimCluster } from "./cluster.ts";
import { Disk } from "./disk.ts";
import type { Fate } from "./events.ts";
import type { MockNic } from "./mock_nic.ts";
import {
  type NodeSpec,
  type NodeWatch,
  roleNames,
  type SimNode,
} from "./node.ts";
import {
  CALM,
  inFlightFit,
  type Plan,
  type PlanEvent,
  type PlanNode,
  type Weather,
} from "./plan.ts";
import { cutsText, isCalm, weatherText } from "./plan_text.ts";
import { type Property, Violation } from "./violation.ts";

/** Longest that a healed cluster may take to decide and deliver everything, virtual µs. */
const LIVENESS_US = 60_000_000;
/** Most turns for that: nodes that are as busy as that only keep each other busy. */
const TURNS_MAX = 1_500_000;

/** Of plans that say nothing of heartbeats. */
const HEARTBEAT_US = 50_000;

/** What came of a run. */
export interface Result {
  readonly seed: number;
  readonly topology: string;
  readonly violation?: {
    readonly property: Property;
    readonly message: string;
    readonly at_us: number;
  };
  /** Turns of nodes' cycles. */
  readonly turns: number;
  readonly frames: number;
  readonly virtual_us: number;
  /** Values submitted, and those of them that were chosen in order. */
  readonly submitted: number;
  readonly decided: number;
  /** How often each kind of fault happened. */
  readonly faults: Readonly<Record<string, number>>;
  /** Everything was decided and delivered in the end; otherwise it had not to be, or the run failed. */
  readonly ended: boolean;
  /** Of everything that happened, in order: equal runs have equal ones. */
  readonly hash: string;
}

/** Sees a run, besides its checker. */
export interface RunWatch extends NodeWatch {
  begun?(cluster: SimCluster, plan: Plan): void;
  started?(node: SimNode, memory: "new" | "recovered" | "lost"): void;
  stopped?(node: SimNode, how: "crash" | "power cut" | "leave"): void;
  sent?(node: SimNode, frame: Uint8Array, number: number): void;
  received?(node: SimNode, number: number, fate: Fate | undefined): void;
  lost?(node: SimNode, number: number, fate: Fate): void;
  chosen?(instance: number, ballot: number, values: readonly Value[]): void;
  fault?(text: string, place?: number, until_us?: number): void;
  violated?(violation: Violation): void;
}

/** What a run may be given. */
export interface RunOptions {
  readonly build?: CoreBuild;
  readonly watch?: RunWatch;
  /** Makes the disk of the plan's node `index`, where a test has one of its own. */
  readonly makeDisk?: (index: number, ...of: DiskParts) => Disk;
}

type DiskParts = ConstructorParameters<typeof Disk>;

/** Runs a plan. Whatever goes wrong is in the result; nothing is thrown. */
export function simulate(plan: Plan, options: RunOptions = {}): Result {
  return new Run(plan, options).result();
}

/** Counters that no sound cluster moves when frames arrive as they were sent. */
export const REFUSALS = [
  Counter.badLength,
  Counter.badVersion,
  Counter.badCluster,
  Counter.badType,
  Counter.badSender,
  Counter.badChecksum,
  Counter.badBody,
];

/** How soon somebody sees to a node that does not start, µs. */
const REPLACED_US = 100_000;

const NO_CUTS = () => false;
/** The state of a proposer that leads, as its gauge shows it. */
const LEADING = 2;

/** A node of the plan, over all its incarnations. */
interface Post {
  readonly index: number;
  readonly plan: PlanNode;
  node?: SimNode;
  disk?: Disk;
  /** Disks it had; what the first kept others know of. */
  disks: number;
  /** What its disk holds is damaged: with that it does not start. */
  damaged: boolean;
  starts: number;
  /** Its memory is gone, or damaged: it does not vote before it has rejoined. */
  lostMemory: boolean;
  /** All others confirmed that it is new, somebody vouched for it, or it rejoined. */
  confirmed: boolean;
}

/** Something to do at a time. */
interface Action {
  readonly at_us: number;
  run(): void;
}

class Run implements NodeWatch {
  readonly #plan: Plan;
  readonly #watch: RunWatch;
  readonly #makeDisk: (index: number, ...of: DiskParts) => Disk;
  readonly #cluster: SimCluster;
  readonly #checker: Checker;
  readonly #posts: Post[];
  readonly #acceptors: number[];
  readonly #proposers: number[];
  readonly #names: string[];
  readonly #faults: Record<string, number> = {};
  /** Invariant: ascending in time. */
  readonly #actions: Action[] = [];
  readonly #weathers: Weather[] = [];
  readonly #partitions: (readonly (readonly [number, number])[])[] = [];
  #frames = 0;
  #hashLow = 0x811c9dc5;
  #hashHigh = 0x01234567;
  #violation?: Violation;
  #ended = false;

  constructor(plan: Plan, { build, watch = {}, makeDisk }: RunOptions) {
    this.#plan = plan;
    this.#makeDisk = makeDisk ?? ((_, ...of) => new Disk(...of));
    this.#watch = watch;
    const idsOf = (role: Role) =>
      plan.nodes.filter(({ roles }) => (roles & role) !== 0).map(({ id }) =>
        id
      );
    this.#names = plan.nodes.map(({ roles, id }) =>
      `${roleNames(roles)} ${id}`
    );
    this.#acceptors = idsOf(Role.acceptor);
    this.#proposers = idsOf(Role.proposer);
    this.#checker = new Checker(
      this.#acceptors,
      (...chosen) => watch.chosen?.(...chosen),
      { ...plan, assemblies: OPTIONS.assemblies },
    );
    this.#posts = plan.nodes.map((node, index) => ({
      index,
      plan: node,
      disks: 0,
      damaged: false,
      starts: 0,
      lostMemory: false,
      confirmed: false,
    }));
    this.#cluster = new SimCluster(plan.seed, { build, watch: this });
    this.#cluster.network.watch = {
      sent: (from, bytes, frame) => this.#sent(from, bytes, frame),
      received: (...taken) => this.#received(...taken),
      lost: (to, frame, fate) => {
        this.#count(fate);
        watch.lost?.(this.#cluster.owner(to), frame, fate);
      },
      repeated: (_to, _frame, how) => this.#count(how),
    };
  }

  result(): Result {
    const { seed, topology } = this.#plan;
    const cluster = this.#cluster;
    this.#watch.begun?.(cluster, this.#plan);
    try {
      this.#misbehave();
      this.#heal();
      this.#end();
    } catch (error) {
      this.#violation = error instanceof Violation
        ? error
        : new Violation("invariant", (error as Error).stack ?? String(error));
      this.#watch.violated?.(this.#violation);
    }
    return {
      seed,
      topology,
      violation: this.#violation && {
        property: this.#violation.property,
        message: this.#violation.message,
        at_us: cluster.now_us,
      },
      turns: cluster.turns,
      frames: this.#frames,
      virtual_us: cluster.now_us,
      submitted: this.#checker.submittedValues.size,
      decided: this.#checker.chosen.deliveries.length,
      faults: this.#faults,
      ended: this.#ended,
      hash: [this.#hashHigh, this.#hashLow]
        .map((word) => word.toString(16).padStart(8, "0")).join(""),
    };
  }

  // What nodes do: to the checker, the hash, and whoever watches.

  submitted(
    node: SimNode,
    client: number,
    sequence: number,
    value: string,
    whole?: string,
  ): void {
    this.#checker.submitted(node, client, sequence, value, whole);
    this.#watch.submitted?.(node, client, sequence, value, whole);
  }

  answered(node: SimNode, client: number, sequence: number): void {
    this.#watch.answered?.(node, client, sequence);
    this.#checker.answered(node, client, sequence);
    this.#mix(client, sequence);
  }

  delivered(node: SimNode, delivery: Delivery): void {
    this.#watch.delivered?.(node, delivery);
    this.#checker.delivered(node, delivery);
    this.#mix(delivery.instance, delivery.sequence);
  }

  noted(node: SimNode, event: CoreEvent): void {
    this.#checker.noted(node, event);
    const post = this.#posts[node.place];
    if (event.code === Event.confirmed) post.confirmed = true;
    if (event.code === Event.rejoined) {
      post.lostMemory = false;
      post.confirmed = true;
    }
    if (event.code === Event.leftBehind) {
      this.#count("learner left behind");
      this.#checker.leftBehind(node, event.small, this.#cluster.now_us);
    }
    this.#watch.noted?.(node, event);
  }

  appended(node: SimNode, number: number, record: CoreRecord): void {
    this.#checker.appended(node, number, record);
  }

  recovered(node: SimNode, record: CoreRecord): void {
    if (record.kind === RecordKind.confirmed) {
      this.#posts[node.place].confirmed = true;
      this.#posts[node.place].lostMemory = false;
    }
    this.#checker.recovered(node, record);
  }

  resumed(node: SimNode, recovered: Recovered): void {
    this.#checker.resumed(node, recovered);
  }

  stored(node: SimNode, number: number): void {
    this.#checker.stored(node, number);
  }

  durable(node: SimNode, number: number): void {
    this.#watch.durable?.(node, number);
    this.#checker.durable(node, number);
  }

  unsent(node: SimNode, frame: Uint8Array): void {
    // What an acceptor accepted counts, whether or not anybody hears of it.
    this.#checker.sent(node, frame, this.#cluster.now_us);
  }

  turned(node: SimNode): void {
    this.#checker.turned(node);
    this.#watch.turned?.(node);
    if (!node.alive) this.#died(node, "crash");
  }

  #sent(from: MockNic, bytes: Uint8Array, frame: number): void {
    const node = this.#cluster.owner(from);
    this.#frames++;
    this.#watch.sent?.(node, bytes, frame);
    this.#checker.sent(node, bytes, this.#cluster.now_us);
    // The frame's own checksum stands for all of it.
    const at = LINK_BYTES + HEADER_CHECKSUM;
    this.#mix(
      bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
        bytes[at + 3] << 24,
      node.place,
    );
  }

  #received(
    to: MockNic,
    frame: number,
    fate: Fate | undefined,
    bytes: Uint8Array,
  ): void {
    const node = this.#cluster.owner(to);
    if (fate === undefined) {
      this.#checker.received(node, bytes, this.#cluster.now_us);
    } else {
      this.#count(fate);
      // Its link header, which no checksum covers, may be all that is damaged.
      this.#checker.loseSightOfLearners(node);
      this.#checker.receivedDamaged(node, bytes);
    }
    this.#watch.received?.(node, frame, fate);
  }

  #mix(a: number, b: number): void {
    const { now_us } = this.#cluster;
    this.#hashLow = Math.imul(this.#hashLow ^ a, 0x9e3779b1) ^
      (this.#hashLow >>> 15) ^ b;
    this.#hashHigh = Math.imul(this.#hashHigh ^ now_us, 0x85ebca77) ^
      (this.#hashHigh >>> 13) ^ this.#hashLow;
    this.#hashLow >>>= 0;
    this.#hashHigh >>>= 0;
  }

  #count(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  /** Tells of a fault that ends by itself after a while, if one is given. */
  #fault(text: string, place?: number, for_us?: number): void {
    const until_us = for_us && this.#cluster.now_us + for_us;
    this.#watch.fault?.(text, place, until_us);
  }

  /** Until everything heals: nodes start, and what is planned happens to them. */
  #misbehave(): void {
    this.#setWeather();
    const { weather } = this.#plan;
    if (!isCalm(weather)) {
      this.#fault(weatherText(weather), undefined, this.#plan.heal_us);
    }
    for (const post of this.#posts) {
      this.#at(post.plan.start_us, () => this.#start(post));
    }
    for (const event of this.#plan.events) {
      this.#at(event.at_us, () => this.#happen(event));
    }
    const { heal_us } = this.#plan;
    for (;;) {
      const action = this.#actions[0];
      if (action === undefined || action.at_us > heal_us) break;
      this.#runUntil(action.at_us);
      this.#actions.shift();
      action.run();
    }
    this.#runUntil(heal_us);
  }

  #runUntil(at_us: number): void {
    const rest_us = at_us - this.#cluster.now_us;
    if (rest_us > 0) this.#cluster.run(rest_us);
  }

  /** Plans something; what is planned for the same time stays in order. */
  #at(at_us: number, run: () => void): void {
    const later = this.#actions.findIndex((it) => it.at_us > at_us);
    const place = later < 0 ? this.#actions.length : later;
    this.#actions.splice(place, 0, { at_us, run });
  }

  #after(delay_us: number, run: () => void): void {
    this.#at(this.#cluster.now_us + delay_us, run);
  }

  #start(post: Post): void {
    const { plan } = post;
    if (post.node?.alive) return;
    if (post.damaged && !this.#replaceDisk(post)) return;
    const again = post.starts++ > 0;
    const onDisk = plan.commit_us !== undefined;
    const spec = this.#spec(post, again);
    post.confirmed = false;
    if (onDisk && post.disk === undefined) this.#giveDisk(post, false);
    post.lostMemory ||= post.disks > 1;
    try {
      post.node = this.#cluster.add(spec, post.index, post.disk);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (!post.disk!.isHarmed) {
        throw new Violation("durability", `nothing harmed ${error.message}`);
      }
      // What is damaged must not be taken for absent.
      post.lostMemory = true;
      post.damaged = true;
      this.#count("refused to start");
      this.#fault(`does not start: ${error.message}`, post.index);
      return this.#after(REPLACED_US, () => this.#start(post));
    }
    if (spec.newCluster) post.confirmed = true;
    const memory = !again
      ? "new"
      : onDisk && !post.lostMemory
      ? "recovered"
      : "lost";
    this.#watch.started?.(post.node, memory);
  }

  /** An empty disk in place of a damaged one, if others remember what an acceptor's held. */
  #replaceDisk(post: Post): boolean {
    const { replacesDisks, newCluster } = this.#plan;
    const isAcceptor = (post.plan.roles & Role.acceptor) !== 0;
    const isSafe = !isAcceptor || !newCluster && this.#areRemembered(post);
    if (!replacesDisks || !isSafe) return false;
    this.#count("replaced disk");
    this.#fault("gets a new disk", post.index);
    this.#giveDisk(post, false);
    return true;
  }

  #giveDisk(post: Post, forgot: boolean): void {
    const { plan, index } = post;
    const memory = 0x8000 + index + this.#posts.length * post.disks++;
    post.disk = this.#makeDisk(index, memory, plan.commit_us!, forgot);
    post.disk.bytesMax = plan.diskBytes ?? Infinity;
    post.damaged = false;
  }

  #spec(post: Post, again: boolean): NodeSpec {
    const { plan } = post;
    const { client } = plan;
    const isStored = plan.commit_us !== undefined;
    return {
      roles: plan.roles,
      id: plan.id,
      leader: plan.leader,
      acceptors: this.#acceptors,
      proposers: this.#proposers,
      persistent: isStored,
      newCluster: this.#plan.newCluster && !again,
      mtu: this.#plan.mtu,
      logBytes: this.#plan.logBytes,
      inFlight: this.#plan.inFlight,
      batching: this.#plan.batching,
      electionTimeout_us: this.#plan.electionTimeout_us ?? 0,
      heartbeat_us: this.#plan.heartbeat_us ?? HEARTBEAT_US,
      proposerTimeout_us: this.#plan.proposerTimeout_us,
      clientTimeout_us: this.#plan.clientTimeout_us,
      learnerPatience_us: this.#plan.learnerPatience_us ??
        OPTIONS.learnerPatience_us,
      queueFrames: plan.queueFrames,
      clockRate: plan.clockRate,
      lag_us: plan.lag_us,
      from: BigInt(plan.from ?? 1),
      sessions: this.#plan.sessions,
      sessionSpan: this.#plan.sessionSpan,
      batchBytes: isStored ? snugBatchBytes(batchBytesFit(this.#plan.mtu)) : 0,
      keepsNothing: true,
      ...client && {
        clients: client.clients,
        outstanding: client.outstanding,
        // A client that starts anew is another one.
        firstClient: BigInt(1000 * (post.index + 1) + 10 * post.starts),
        proposer: client.proposer,
        values: client.values,
        pace_us: client.pace_us,
        padBytes: client.padBytes,
        large: client.large,
      },
    };
  }

  #happen(event: PlanEvent): void {
    switch (event.kind) {
      case "weather":
        this.#count(event.kind);
        this.#fault(weatherText(event.weather), undefined, event.for_us);
        return this.#during(event.for_us, this.#weathers, event.weather);
      case "partition":
        this.#count(event.kind);
        this.#fault(
          cutsText(event.cuts, this.#names),
          undefined,
          event.for_us,
        );
        return this.#during(event.for_us, this.#partitions, event.cuts);
      case "flap":
        this.#count(event.kind);
        this.#fault(
          `flapping ${cutsText(event.cuts, this.#names)}`,
          undefined,
          event.for_us,
        );
        return this.#flap(event, this.#cluster.now_us + event.for_us);
      case "isolate leader":
      case "kill leader":
      case "pause leader":
        return this.#happenToLeader(event);
      case "power cut":
        this.#count(event.kind);
        for (const index of event.nodes) {
          const post = this.#posts[index];
          if (!this.#mayStop(post)) continue;
          this.#stop(post, "power cut", event.down_us);
        }
        return;
      default:
        return this.#happenTo(this.#posts[event.node], event);
    }
  }

  /** Cuts for as long as it lets through, until it ends. */
  #flap(
    event: Extract<PlanEvent, { readonly kind: "flap" }>,
    end_us: number,
  ): void {
    const { cuts, every_us } = event;
    const rest_us = end_us - this.#cluster.now_us;
    if (rest_us <= 0) return;
    this.#during(Math.min(every_us, rest_us), this.#partitions, cuts);
    this.#after(2 * every_us, () => this.#flap(event, end_us));
  }

  /** The node that leads in the highest ballot; undefined if none does. */
  #leader(): Post | undefined {
    let leader: Post | undefined;
    let highest = 0;
    for (const post of this.#posts) {
      const { node } = post;
      if (node === undefined || !node.alive) continue;
      if (node.gauge(Gauge.proposerState) !== LEADING) continue;
      const ballot = node.gauge(Gauge.leaderBallot);
      if (ballot > highest) [leader, highest] = [post, ballot];
    }
    return leader;
  }

  #happenToLeader(
    event: Extract<PlanEvent, { readonly kind: `${string} leader` }>,
  ): void {
    const leader = this.#leader();
    if (leader === undefined) return;
    const { index } = leader;
    switch (event.kind) {
      case "kill leader":
        if (!this.#mayStop(leader)) return;
        this.#count(event.kind);
        return this.#stop(leader, "crash", event.down_us);
      case "pause leader":
        this.#count(event.kind);
        return this.#pause(leader, event.for_us);
      case "isolate leader": {
        this.#count(event.kind);
        const cuts = this.#posts.filter((it) => it.index !== index).flatMap(
          (it): [number, number][] =>
            [
              ...event.ways === "to" ? [] : [[index, it.index]] as const,
              ...event.ways === "from" ? [] : [[it.index, index]] as const,
            ].map(([from, to]) => [from, to]),
        );
        this.#fault(cutsText(cuts, this.#names), index, event.for_us);
        return this.#during(event.for_us, this.#partitions, cuts);
      }
    }
  }

  #pause(post: Post, for_us: number): void {
    const node = post.node!;
    this.#fault("paused", post.index, for_us);
    node.frozen = true;
    this.#after(for_us, () => node.frozen = false);
  }

  /** Whether enough others remember what this one would forget. */
  #mayStop(post: Post): boolean {
    const { leastMemories = 0, newCluster } = this.#plan;
    const forgets = (post.plan.roles & Role.acceptor) !== 0 &&
      post.plan.commit_us === undefined;
    if (!forgets || leastMemories === 0) return true;
    return !newCluster && this.#areRemembered(post);
  }

  /** Whether so many others have their memory that this acceptor may lose its own. */
  #areRemembered(post: Post): boolean {
    const others = this.#posts.filter((it) =>
      it !== post && (it.plan.roles & Role.acceptor) !== 0 &&
      it.node?.alive && it.node.killAfterFrames === undefined && !it.lostMemory
    );
    return others.length >= Math.max(1, this.#plan.leastMemories ?? 0);
  }

  #happenTo(
    post: Post,
    event: Extract<PlanEvent, { readonly node: number }>,
  ): void {
    const { node, disk } = post;
    if (node === undefined || !node.alive) return;
    switch (event.kind) {
      case "crash":
        if (!this.#mayStop(post)) return;
        if (event.afterFrames === undefined) {
          this.#count("crash");
          return this.#stop(post, "crash", event.down_us);
        }
        this.#count("crash in a step");
        node.killAfterFrames = event.afterFrames;
        return this.#after(event.down_us, () => this.#start(post));
      case "leave":
        if (!this.#mayStop(post)) return;
        this.#count(event.kind);
        return this.#stop(post, "leave", event.down_us);
      case "pause":
        this.#count(event.kind);
        return this.#pause(post, event.for_us);
      case "jump":
        this.#count("clock jump");
        this.#fault(`its clock jumps by ${event.by_us / 1000} ms`, post.index);
        this.#checker.loseSightOfLearners(node);
        return node.jump(event.by_us);
      case "unread":
        this.#count("unread deliveries");
        this.#fault("its deliveries are not read", post.index, event.for_us);
        node.paused = true;
        return this.#after(event.for_us, () => node.paused = false);
    }
    if (disk !== undefined) this.#happenToDisk(disk, event, post.index);
  }

  #happenToDisk(
    disk: Disk,
    event: Extract<PlanEvent, { readonly kind: `${string} ${string}` }>,
    place: number,
  ): void {
    this.#count(event.kind);
    this.#fault(event.kind, place, "for_us" in event ? event.for_us : 0);
    const usual_us = this.#posts[place].plan.commit_us!;
    switch (event.kind) {
      case "slow disk":
        disk.commit_us = event.commit_us;
        return this.#after(event.for_us, () => disk.commit_us = usual_us);
      case "failing disk":
        disk.failing = true;
        return this.#after(event.for_us, () => disk.failing = false);
      case "full disk":
        disk.full = true;
        return this.#after(event.for_us, () => disk.full = false);
      case "bit flip":
        disk.flipBit(this.#cluster.random);
        return;
      case "lost key":
        disk.loseKey(this.#cluster.random);
    }
  }

  /** Adds something that lasts for a while; the newest counts. */
  #during<T>(for_us: number, list: T[], item: T): void {
    list.push(item);
    this.#setWeather();
    this.#after(for_us, () => {
      list.splice(list.indexOf(item), 1);
      this.#setWeather();
    });
  }

  #setWeather(): void {
    const { faults } = this.#cluster;
    Object.assign(faults, this.#weathers.at(-1) ?? this.#plan.weather);
    const count = this.#posts.length;
    const cut = new Uint8Array(count * count);
    for (const cuts of this.#partitions) {
      for (const [from, to] of cuts) cut[from * count + to] = 1;
    }
    faults.partition = this.#partitions.length === 0
      ? NO_CUTS
      : (from, to) =>
        cut[
          this.#cluster.owner(from).place * count +
          this.#cluster.owner(to).place
        ] === 1;
  }

  #stop(
    post: Post,
    how: "crash" | "power cut" | "leave",
    down_us: number,
  ): void {
    const { node } = post;
    if (node === undefined || !node.alive) return;
    if (how === "leave") node.leave();
    else node.kill();
    this.#died(node, how);
    this.#after(down_us, () => this.#start(post));
  }

  #died(node: SimNode, how: "crash" | "power cut" | "leave"): void {
    const post = this.#posts[node.place];
    const acceptor = (post.plan.roles & Role.acceptor) !== 0;
    if (acceptor && post.disk === undefined) post.lostMemory = true;
    if (how === "power cut" && post.plan.asynchronous) {
      this.#count("lost disk");
      this.#giveDisk(post, true);
      post.lostMemory = true;
    }
    this.#watch.stopped?.(node, how);
  }

  /** Nothing goes wrong from now on; whoever can run runs. */
  #heal(): void {
    this.#fault("everything heals");
    this.#actions.length = 0;
    this.#weathers.splice(0, this.#weathers.length, CALM);
    this.#partitions.length = 0;
    this.#setWeather();
    for (const post of this.#posts) {
      const { node, disk, plan } = post;
      if (disk !== undefined) {
        disk.failing = false;
        disk.full = false;
        disk.commit_us = plan.commit_us!;
      }
      if (node !== undefined && node.alive) {
        node.frozen = false;
        node.paused = false;
        node.killAfterFrames = undefined;
        // An acceptor whose storage failed is mute until somebody starts it anew.
        if ("failed" in node.storage && node.storage.failed) {
          node.kill();
          this.#died(node, "crash");
        }
      }
      this.#start(post);
    }
  }

  /** Everything must be decided and delivered now, if enough acceptors have their memory. */
  #end(): void {
    const cluster = this.#cluster;
    const capable = this.#capable();
    const { turns } = cluster;
    const limit_us = capable ? LIVENESS_US : 2_000_000;
    cluster.run(
      limit_us,
      () => cluster.turns - turns > TURNS_MAX || this.#finished(),
    );
    this.#ended = this.#finished();
    // Damage may be met only now, and makes an acceptor mute for good.
    if (capable && !this.#ended && this.#capable() && this.#opens()) {
      const passed_us = cluster.now_us - this.#plan.heal_us;
      throw new Violation(
        "liveness",
        `not finished ${(passed_us / 1e6).toFixed(1)} virtual seconds and ${
          cluster.turns - turns
        } turns after everything healed: ${this.#unfinished()}`,
      );
    }
    this.#checkMemory();
    this.#checkFrames();
  }

  /** Whether the cluster can decide: a majority that remembers and may vote, and who should lead. */
  #capable(): boolean {
    const lives = ({ node }: Post) => node !== undefined && node.alive;
    const acceptors = this.#posts.filter(({ plan }) =>
      (plan.roles & Role.acceptor) !== 0
    );
    const able = acceptors.filter((post) =>
      lives(post) && !post.lostMemory &&
      post.node!.storage.condition !== StorageCondition.failed
    );
    // Who is not confirmed yet needs all others for it.
    const voting = able.length === acceptors.length
      ? able
      : able.filter(({ confirmed }) => confirmed);
    const majority = Math.floor(acceptors.length / 2) + 1;
    const proposers = this.#posts.filter(({ plan }) =>
      (plan.roles & Role.proposer) !== 0
    );
    const running = new Set(proposers.filter(lives).map(({ plan }) => plan.id));
    // Without elections only those lead that are told to.
    const elected = (this.#plan.electionTimeout_us ?? 0) !== 0;
    const led = proposers.some((post) =>
      lives(post) && (elected || post.plan.leader === post.plan.id)
    );
    const served = this.#posts.every(({ plan: { client } }) =>
      client === undefined || client.proposer === 0 ||
      running.has(client.proposer)
    );
    const { inFlight, logBytes, mtu } = this.#plan;
    const fits = inFlight <= inFlightFit(logBytes, mtu);
    return voting.length >= majority && led && served && fits;
  }

  /** Whether a learner is left that can tell clients of their sessions. */
  #opens(): boolean {
    return this.#cluster.living(Role.learner).some((node) =>
      node.options.from === 1n && !this.#isBehind(node)
    );
  }

  #finished(): boolean {
    const { chosen } = this.#checker;
    for (const node of this.#cluster.nodes) {
      if (!node.alive) continue;
      const { roles, from } = node.options;
      if ((roles & Role.client) !== 0) {
        if (node.unanswered > 0) return false;
      } else if ((roles & Role.learner) !== 0 && !this.#isBehind(node)) {
        const complete = from === 1n
          ? this.#checker.deliveredBy(node) === chosen.deliveries.length
          : node.gauge(Gauge.delivered) >= chosen.prefix;
        if (!complete) return false;
      }
    }
    for (const key of this.#checker.answeredValues) {
      if (!chosen.delivers(key)) return false;
    }
    return true;
  }

  /** A learner that needs what the acceptors that are left have not, or cannot tell, says so, and delivers no more. */
  #isBehind(node: SimNode): boolean {
    const next = node.gauge(Gauge.delivered);
    const says = node.events.some(({ code, large }) =>
      code === Event.behindTrim ||
      code === Event.unobtainable && Number(large) === next
    );
    if (!says) return false;
    const tellers = this.#posts.filter((post) =>
      post.node?.alive && (post.plan.roles & Role.acceptor) !== 0 &&
      !post.lostMemory
    ).map(({ plan }) => plan.id);
    return !this.#checker.canTell(tellers, next);
  }

  #unfinished(): string {
    const missing: string[] = [];
    for (const node of this.#cluster.nodes) {
      if (!node.alive) continue;
      const { roles } = node.options;
      if ((roles & Role.client) !== 0) {
        if (node.unanswered > 0) {
          missing.push(`${node.name} has ${node.unanswered} values unanswered`);
        }
      } else if ((roles & Role.learner) !== 0) {
        missing.push(
          `${node.name} delivered ${
            this.#checker.deliveredBy(node)
          } of ${this.#checker.chosen.deliveries.length}`,
        );
      }
    }
    return missing.join("; ");
  }

  /** What a core took at its start is all it ever takes. */
  #checkMemory(): void {
    for (const node of this.#cluster.nodes) {
      const bytes = node.core.area.memory.buffer.byteLength;
      if (bytes === node.memoryBytes) continue;
      throw new Violation(
        "memory",
        `${node.name} grew from ${node.memoryBytes} to ${bytes} bytes`,
      );
    }
  }

  /** No node sent what another refuses. */
  #checkFrames(): void {
    if (this.#faults.corrupted || this.#faults.truncated) return;
    for (const node of this.#cluster.nodes) {
      for (const counter of REFUSALS) {
        if (node.counter(counter) === 0) continue;
        throw new Violation(
          "frames",
          `${node.name} counted ${Counter[counter]}`,
        );
      }
    }
  }
}
