/** A simulated cluster for tests: every failure of its assertions names the seed. */
import assert from "node:assert/strict";
import type { CoreOptions } from "../core/core.ts";
import { Counter, Gauge, Role } from "../core/layout.ts";
import { SimCluster } from "../sim/cluster.ts";
import type { SimNode } from "../sim/node.ts";
import { REFUSALS } from "../sim/simulate.ts";

export { REPLICA } from "../sim/cluster.ts";
export { valueOf } from "../sim/node.ts";
export type { Delivered, NodeSpec } from "../sim/node.ts";
export type { SimNode as TestNode };

export class Cluster extends SimCluster {
  /** @param options Of every node, unless the node's own say otherwise. */
  constructor(seed: number, options: Partial<CoreOptions> = {}) {
    super(seed, { options });
  }

  /** As `run`, and fails if it is not done within the limit. */
  must(what: string, limit_us: number, done: () => boolean): void {
    if (this.run(limit_us, done)) return;
    this.fail(`${what}: not within ${limit_us / 1e6} virtual seconds`);
  }

  /** In a cluster without learners: one stays until all clients have their sessions. */
  openSessions(): void {
    const teller = this.add({
      roles: Role.learner,
      id: 999,
      keepsNothing: true,
    });
    this.must(
      "clients have their sessions",
      5_000_000,
      () =>
        this.living(Role.client).every((client) =>
          client.gauge(Gauge.sessionsPending) === 0
        ),
    );
    teller.leave();
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
    return clients.every((client) => client.unanswered === 0) &&
      this.#missing(learners) === undefined;
  }

  /** A value that was answered and not delivered by one of these learners. */
  #missing(learners: readonly SimNode[]): string | undefined {
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
      for (const counter of REFUSALS) {
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
