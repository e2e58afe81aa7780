/**
 * Any topology of nodes on the mocked network, in virtual time, turned by the real node cycle.
 *
 * Everything that happens follows from one seed.
 */
import type { CoreBuild, CoreOptions } from "../core/core.ts";
import { Role } from "../core/layout.ts";
import { Disk } from "./disk.ts";
import { type MockFaults, MockNetwork, type MockNic } from "./mock_nic.ts";
import { type NodeSpec, type NodeWatch, SimNode } from "./node.ts";
import { Random } from "./random.ts";

export const REPLICA = Role.proposer | Role.acceptor | Role.learner;

/** Multicast address of every simulated cluster. */
export const GROUP = Uint8Array.of(3, 0x6b, 0x70, 0x78, 0, 1);

/** Options of a core in a cluster of three, small enough to be made by the hundred. */
export const OPTIONS: CoreOptions = {
  roles: 0,
  id: 1,
  cluster: 1,
  incarnation: 0x1111,
  seed: 1n,
  mtu: 512,
  ethertype: 0x88b5,
  acceptors: [1, 2, 3],
  proposers: [1, 2, 3],
  leader: 1,
  electionTimeout_us: 0,
  heartbeat_us: 50_000,
  inFlight: 64,
  proposerTimeout_us: 1_000_000,
  clientTimeout_us: 1_000_000,
  loss: 0,
  logBytes: 1 << 20,
  learnerLease_us: 1_000_000,
  learnerPatience_us: 10_000_000,
  from: 1n,
  persistent: false,
  clients: 1,
  outstanding: 32,
  firstClient: 1000n,
  proposer: 0,
  valueBytes: 0,
  newCluster: false,
  assemblies: 4,
};

/** How long a frame is under way when nothing is wrong, µs. */
const DELAY_US = 20;

/** What a cluster is made with. */
export interface ClusterParts {
  /** Of every node, unless the node's own say otherwise. */
  readonly options?: Partial<CoreOptions>;
  readonly build?: CoreBuild;
  readonly watch?: NodeWatch;
}

/** A cluster in virtual time. */
export class SimCluster {
  readonly seed: number;
  readonly random: Random;
  readonly network: MockNetwork;
  readonly faults: MockFaults;
  /** All nodes that ever were, the dead ones too. */
  readonly nodes: SimNode[] = [];
  now_us = 1000;
  /** Turns of all nodes. */
  turns = 0;
  readonly #parts: ClusterParts;
  /** Those that lived when time last began to run, and those that came since. */
  #running: SimNode[] = [];
  readonly #owners = new Map<MockNic, SimNode>();
  #incarnations = 0;
  #places = 0;

  constructor(seed: number, parts: ClusterParts = {}) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#parts = parts;
    this.network = new MockNetwork({
      seed: this.random.u32(),
      now: () => this.now_us,
    });
    this.faults = this.network.faults;
    this.faults.delay_us = { least: DELAY_US, most: DELAY_US };
  }

  /**
   * Starts a node: a new one, or where another ran before.
   *
   * @param disk What it keeps its records on; a persistent node without one gets a new one.
   * @throws {StorageError} if what the disk holds is damaged. No node runs then.
   */
  add(spec: NodeSpec, place: number = this.#places, disk?: Disk): SimNode {
    const incarnation = 0x10000 + ++this.#incarnations;
    const options: CoreOptions = {
      ...OPTIONS,
      incarnation,
      seed: BigInt(this.random.u32()),
      ...this.#parts.options,
      ...coreOptions(spec),
    };
    const kept = options.persistent
      ? disk ?? new Disk(incarnation, { least: 0, most: 0 })
      : undefined;
    this.#places = Math.max(this.#places, place + 1);
    const node = new SimNode(spec, {
      options: {
        ...options,
        memory: kept?.memory ?? incarnation,
        forgot: kept?.forgot ?? false,
      },
      network: this.network,
      group: GROUP,
      place,
      now: () => this.now_us,
      random: this.random,
      disk: kept,
      build: this.#parts.build,
      watch: this.#parts.watch,
    });
    try {
      node.recover();
    } catch (error) {
      node.kill();
      throw error;
    }
    this.nodes.push(node);
    this.#running.push(node);
    this.#owners.set(node.nic, node);
    return node;
  }

  /** Starts replicas with these ids, every one of them configured. */
  addReplicas(
    ids: readonly number[],
    options: Partial<NodeSpec> = {},
  ): SimNode[] {
    return ids.map((id) =>
      this.add({
        acceptors: ids,
        proposers: ids,
        leader: ids[0],
        ...options,
        roles: REPLICA,
        id,
      })
    );
  }

  /**
   * Kills a node, if it lives, and starts it anew, with its disk if it has one; the options may
   * change. Whoever vouched for the first start does not vouch for this one.
   */
  restart(node: SimNode, changes: Partial<NodeSpec> = {}): SimNode {
    if (node.alive) node.kill();
    const spec = { ...node.spec, newCluster: false, ...changes };
    return this.add(spec, node.place, node.disk);
  }

  /** Whose card it is. */
  owner(nic: MockNic): SimNode {
    return this.#owners.get(nic)!;
  }

  /** The living nodes that have this role. */
  living(role: Role): SimNode[] {
    return this.nodes.filter((node) =>
      node.alive && (node.options.roles & role) !== 0
    );
  }

  /** Turns the wheels until `done`, or for at most `limit_us` of virtual time. Returns whether it is done. */
  run(limit_us: number, done: () => boolean = () => false): boolean {
    const end_us = this.now_us + limit_us;
    const running = this.#running = this.nodes.filter(({ alive }) => alive);
    while (!done()) {
      let next_us = Infinity;
      for (const node of running) next_us = Math.min(next_us, node.due_us);
      // A node that has more to do at once does it a microsecond later, so that time always passes.
      this.now_us = Math.max(this.now_us + 1, Math.min(next_us, end_us));
      if (this.now_us >= end_us) return done();
      for (const node of running) {
        if (node.due_us > this.now_us) continue;
        this.turns++;
        node.turn();
      }
    }
    return true;
  }
}

/** The part of a spec that is the core's. */
function coreOptions(spec: NodeSpec): Partial<CoreOptions> {
  const {
    values: _values,
    pace_us: _pace,
    padBytes: _pad,
    large: _large,
    queueFrames: _queue,
    clockRate: _rate,
    lag_us: _lag,
    keepsNothing: _keeps,
    ...own
  } = spec;
  return own;
}
