/**
 * Any topology of nodes on the mocked network, in virtual time, turned by the real node cycle.
 *
 * Everything that happens follows from one seed; every failure of a cluster's own assertions names it.
 */
import assert from "node:assert/strict";
import {
  Core,
  type CoreEvent,
  type CoreOptions,
  type Delivery,
} from "../core/core.ts";
import { Counter, type Event, type Gauge, Role } from "../core/layout.ts";
import { Node, type Sink, type Workload } from "../roles/node.ts";
import type { Storage } from "../storage/storage.ts";
import { type MockFaults, MockNetwork, type MockNic } from "../sim/mock_nic.ts";
import { Random } from "../sim/random.ts";
import { GROUP, OPTIONS } from "./rig.ts";

export const REPLICA = Role.proposer | Role.acceptor | Role.learner;

/** A delivered value, as a learner's host saw it. */
export interface Delivered {
  readonly instance: number;
  readonly index: number;
  readonly client: bigint;
  readonly sequence: number;
  readonly text: string;
}

/** What a node is made of; options that are not given are those of the cluster. */
export interface NodeSpec extends Partial<CoreOptions> {
  readonly roles: number;
  readonly id: number;
  /** Values that each virtual client submits. */
  readonly values?: number;
  /** Bytes that each value is padded to (default: just enough to tell values apart). */
  readonly padBytes?: number;
  /** How long a record takes to become durable, µs; Infinity: until `storage.durable` is set. Needs `persistent`. */
  readonly commit_us?: number;
}

const text = new TextDecoder();
const bytes = new TextEncoder();

/** What the virtual client `client` submits as its value `sequence`: nobody else's value is the same. */
export function valueOf(
  client: bigint,
  sequence: number,
  padBytes = 0,
): string {
  return `${client}/${sequence}`.padEnd(padBytes, ".");
}

/** Storage whose commits take virtual time. */
class SlowStorage implements Storage {
  readonly persistent = true;
  durable = 0;
  readonly #commits: { last: number; due_us: number }[] = [];
  readonly #commit_us: number;
  readonly #now: () => number;

  constructor(commit_us: number, now: () => number) {
    this.#commit_us = commit_us;
    this.#now = now;
  }

  get due_us(): number {
    return this.#commits[0]?.due_us ?? Infinity;
  }

  persist(last: number): void {
    if (last > (this.#commits.at(-1)?.last ?? this.durable)) {
      this.#commits.push({ last, due_us: this.#now() + this.#commit_us });
    }
  }

  /** Commits whose time is up become durable. */
  advance(): void {
    while (this.due_us <= this.#now()) {
      this.durable = this.#commits.shift()!.last;
    }
  }

  close(): void {}
}

/** Storage that takes no time. */
class InstantStorage implements Storage {
  readonly persistent = false;
  readonly due_us = Infinity;
  durable = 0;

  persist(last: number): void {
    this.durable = last;
  }

  advance(): void {}

  close(): void {}
}

/** One incarnation of one node. */
export class TestNode {
  readonly spec: NodeSpec;
  readonly options: CoreOptions;
  readonly core: Core;
  readonly nic: MockNic;
  readonly storage: SlowStorage | InstantStorage;
  readonly delivered: Delivered[] = [];
  /** Answered values: client and sequence as `client/sequence`. */
  readonly acknowledged = new Set<string>();
  readonly events: CoreEvent[] = [];
  /** The sink takes nothing. */
  paused = false;
  /** The process does not run; frames pile up in its card. */
  frozen = false;
  alive = true;
  /** Values that each virtual client may submit in all. */
  values: number;
  readonly #node: Node;
  readonly #submitted: number[];

  constructor(
    spec: NodeSpec,
    options: CoreOptions,
    network: MockNetwork,
    now: () => number,
  ) {
    this.spec = spec;
    this.options = options;
    this.values = spec.values ?? 0;
    const { roles, id, incarnation, cluster, mtu } = options;
    this.core = new Core(options, now());
    const address = Uint8Array.of(2, 0, 0, roles, id >> 8, id & 0xff);
    this.core.setAddress(address, GROUP);
    this.nic = network.attach(this.core.area, {
      address,
      group: GROUP,
      roles,
      id,
      incarnation,
      cluster,
      mtu,
    });
    this.storage = options.persistent
      ? new SlowStorage(spec.commit_us ?? 0, now)
      : new InstantStorage();
    this.#submitted = new Array(options.clients).fill(0);
    this.#node = new Node({
      core: this.core,
      nic: this.nic,
      storage: this.storage,
      now,
      sink: this.#sink(),
      workload: (roles & Role.client) !== 0 ? this.#workload() : undefined,
      onEvents: (events) => this.events.push(...events),
    });
  }

  get name(): string {
    const roles = [
      Role.proposer,
      Role.acceptor,
      Role.learner,
      Role.client,
    ].filter((role) => (this.options.roles & role) !== 0).map((role) =>
      Role[role]
    );
    return `${roles.join("+")} ${this.options.id}`;
  }

  /** When this node wants to turn next, µs. */
  get due_us(): number {
    if (!this.alive || this.frozen) return Infinity;
    return Math.min(
      this.#node.due_us,
      this.nic.nextDue(),
      this.storage.due_us,
    );
  }

  turn(): void {
    this.storage.advance();
    this.#node.turn();
  }

  /** Leaves as a node does that was asked to stop. */
  leave(): void {
    this.alive = false;
    this.#node.leave();
  }

  /** The process is killed. */
  kill(): void {
    this.alive = false;
    this.nic.close();
  }

  counter(counter: Counter): number {
    return this.core.counter(counter);
  }

  gauge(gauge: Gauge): number {
    return this.core.gauge(gauge);
  }

  /** Events of one kind. */
  noted(code: Event): CoreEvent[] {
    return this.events.filter((event) => event.code === code);
  }

  /** Values submitted so far, of all virtual clients. */
  get submitted(): number {
    return this.#submitted.reduce((sum, n) => sum + n, 0);
  }

  #sink(): Sink {
    const taken = this.delivered;
    const isPaused = () => this.paused;
    return {
      get full() {
        return isPaused();
      },
      deliver(delivery: Delivery) {
        taken.push({
          instance: delivery.instance,
          index: delivery.index,
          client: delivery.client,
          sequence: delivery.sequence,
          text: text.decode(delivery.value.slice()),
        });
      },
      flush() {},
    };
  }

  #workload(): Workload {
    const { clients, firstClient } = this.options;
    return {
      fill: (core, now_us) => {
        let filled = 0;
        for (let client = 0; client < clients; client++) {
          const number = firstClient + BigInt(client);
          while (
            this.#submitted[client] < this.values && core.clientRoom(client) > 0
          ) {
            const value = valueOf(
              number,
              ++this.#submitted[client],
              this.spec.padBytes,
            );
            core.submit(client, bytes.encode(value), now_us);
            filled++;
          }
        }
        return filled;
      },
      complete: (client, sequence) => {
        const key = `${firstClient + BigInt(client)}/${sequence}`;
        assert(!this.acknowledged.has(key), `${key} was answered twice`);
        this.acknowledged.add(key);
      },
    };
  }
}

/** Counters that no sound cluster ever moves. */
const BAD = [
  Counter.badLength,
  Counter.badVersion,
  Counter.badCluster,
  Counter.badType,
  Counter.badSender,
  Counter.badChecksum,
  Counter.badBody,
];

/** A cluster in virtual time. */
export class Cluster {
  readonly seed: number;
  readonly random: Random;
  readonly network: MockNetwork;
  readonly faults: MockFaults;
  /** All nodes that ever were, the dead ones too. */
  readonly nodes: TestNode[] = [];
  now_us = 1000;
  readonly #options: Partial<CoreOptions>;
  #incarnations = 0;

  /** @param options Of every node, unless the node's own say otherwise. */
  constructor(seed: number, options: Partial<CoreOptions> = {}) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#options = options;
    this.network = new MockNetwork({
      seed: this.random.u32(),
      now: () => this.now_us,
    });
    this.faults = this.network.faults;
    this.faults.delay_us = { least: 20, most: 20 };
  }

  /** Starts a node. */
  add(spec: NodeSpec): TestNode {
    const { values: _, padBytes: __, commit_us: ___, ...own } = spec;
    const options: CoreOptions = {
      ...OPTIONS,
      newCluster: false,
      incarnation: 0x10000 + ++this.#incarnations,
      seed: BigInt(this.random.u32()),
      ...this.#options,
      ...own,
    };
    const node = new TestNode(
      spec,
      options,
      this.network,
      () => this.now_us,
    );
    this.nodes.push(node);
    return node;
  }

  /** Starts replicas with these ids, every one of them configured. */
  addReplicas(
    ids: readonly number[],
    options: Partial<NodeSpec> = {},
  ): TestNode[] {
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
   * Kills a node, if it lives, and starts it anew; the options may change. Whoever vouched for the
   * first start does not vouch for this one.
   */
  restart(node: TestNode, changes: Partial<NodeSpec> = {}): TestNode {
    if (node.alive) node.kill();
    return this.add({ ...node.spec, newCluster: false, ...changes });
  }

  /** The living nodes that have this role. */
  living(role: Role): TestNode[] {
    return this.nodes.filter((node) =>
      node.alive && (node.options.roles & role) !== 0
    );
  }

  /** Turns the wheels until `done`, or for at most `limit_us` of virtual time. Returns whether it is done. */
  run(limit_us: number, done: () => boolean = () => false): boolean {
    const end_us = this.now_us + limit_us;
    while (!done()) {
      let next_us = Infinity;
      for (const node of this.nodes) {
        next_us = Math.min(next_us, node.due_us);
      }
      // A node that has more to do at once does it a microsecond later, so that time always passes.
      this.now_us = Math.max(this.now_us + 1, Math.min(next_us, end_us));
      if (this.now_us >= end_us) return done();
      for (const node of this.nodes) {
        if (node.due_us <= this.now_us) node.turn();
      }
    }
    return true;
  }

  /** As `run`, and fails if it is not done within the limit. */
  must(what: string, limit_us: number, done: () => boolean): void {
    if (this.run(limit_us, done)) return;
    this.fail(`${what}: not within ${limit_us / 1e6} virtual seconds`);
  }

  /** Fails, naming the seed and where every node stands. */
  fail(reason: string): never {
    const nodes = this.nodes.map((node) => {
      const counters = Object.values(Counter)
        .filter((key): key is Counter =>
          typeof key === "number" && key !== Counter.end
        )
        .filter((key) => node.counter(key) > 0)
        .map((key) => `${Counter[key]} ${node.counter(key)}`);
      return `  ${node.name}${node.alive ? "" : " (dead)"}: ` +
        `${node.delivered.length} delivered, ` +
        `${node.acknowledged.size} of ${node.submitted} answered; ` +
        counters.join(", ");
    });
    assert.fail(
      `seed ${this.seed}, ${this.now_us / 1e6} s: ${reason}\n${
        nodes.join("\n")
      }`,
    );
  }

  /** All that clients submitted is answered, and delivered by every living learner that runs. */
  finished(): boolean {
    const clients = this.living(Role.client);
    const learners = this.living(Role.learner).filter((learner) =>
      !learner.paused && !learner.frozen
    );
    return clients.every((client) =>
      client.submitted === client.values * client.options.clients &&
      client.acknowledged.size === client.submitted
    ) && this.#missing(learners) === undefined;
  }

  /** A value that was answered and not delivered by one of these learners. */
  #missing(learners: readonly TestNode[]): string | undefined {
    const answered = this.nodes.flatMap((node) => [...node.acknowledged]);
    for (const learner of learners) {
      if (learner.options.from !== 1n) continue;
      if (learner.delivered.length < answered.length) return learner.name;
      const delivered = new Set(
        learner.delivered.map(({ client, sequence }) =>
          `${client}/${sequence}`
        ),
      );
      const missing = answered.find((key) => !delivered.has(key));
      if (missing !== undefined) return `${missing} at ${learner.name}`;
    }
  }

  /**
   * Everything that must hold at any time: integrity, order, no duplicates, agreement, and that
   * learners that began at the same instance delivered prefixes of one sequence.
   */
  checkSafety(): void {
    const places = new Map<string, string>();
    let longest: readonly string[] = [];
    for (const node of this.nodes) {
      const seen = new Set<string>();
      const sequence: string[] = [];
      let before = { instance: 0, index: 0 };
      for (const value of node.delivered) {
        const { instance, index, client, sequence: number } = value;
        const place = `${instance}.${index}`;
        const key = `${client}/${number}`;
        if (!value.text.startsWith(key)) {
          this.fail(`${node.name} delivered "${value.text}" as ${key}`);
        }
        if (seen.has(key)) this.fail(`${node.name} delivered ${key} twice`);
        seen.add(key);
        if (
          instance < before.instance ||
          (instance === before.instance && index <= before.index &&
            sequence.length > 0)
        ) {
          this.fail(`${node.name} delivered ${place} out of order`);
        }
        before = value;
        const agreed = places.get(place);
        if (agreed !== undefined && agreed !== key) {
          this.fail(`${node.name} delivered ${key} at ${place}, not ${agreed}`);
        }
        places.set(place, key);
        sequence.push(`${place} ${key}`);
      }
      if (node.options.from !== 1n) continue;
      const common = Math.min(longest.length, sequence.length);
      for (let i = 0; i < common; i++) {
        if (longest[i] === sequence[i]) continue;
        this.fail(
          `${node.name} delivered ${sequence[i]} after ${i} values, ` +
            `another learner ${longest[i]}`,
        );
      }
      if (sequence.length > longest.length) longest = sequence;
    }
  }

  /** No node sent what another may not take. */
  checkFrames(): void {
    for (const node of this.nodes) {
      for (const counter of BAD) {
        if (node.counter(counter) === 0) continue;
        this.fail(`${node.name} counted ${Counter[counter]}`);
      }
    }
  }

  /** Runs until everything is answered and delivered, then checks all there is to check. */
  finish(limit_us: number): void {
    if (!this.run(limit_us, () => this.finished())) {
      this.checkSafety();
      const missing = this.#missing(this.living(Role.learner));
      this.fail(
        `not finished within ${limit_us / 1e6} virtual seconds` +
          (missing === undefined ? "" : `; missing: ${missing}`),
      );
    }
    this.checkSafety();
    this.checkFrames();
  }
}
