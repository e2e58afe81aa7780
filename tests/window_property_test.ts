/**
 * The window against a model: whatever a sound cluster says about some instances, in whatever order
 * and however often it is heard, what the window calls decided is what was chosen, it never changes,
 * and it is not lost.
 *
 * The cluster is played by the rules of "Paxos Made Simple" (2.2): acceptors promise and accept, each
 * ballot proposes for an instance what phase 1 brought up. Everything it ever said may be heard at any time.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { cases, SEED } from "./effort.ts";
import { openUnits } from "./units.ts";

fc.configureGlobal({ seed: SEED });

/** Instances that the cluster decides; the last two share slots of the window with the first. */
const INSTANCES = [1, 2, 3, 2049, 2050];

/** A value is a number; 0 is the no-op. */
type Value = number;

/** Values differ in length, and none is as long as the no-op. */
function bytesOf(value: Value): number {
  return value === 0 ? 0 : 8 + value % 7 * 8;
}

interface Accepted {
  readonly ballot: number;
  readonly value: Value;
}

/** What nodes say. */
type Said =
  /** 2A. */
  | { type: "value"; instance: number; ballot: number; value: Value }
  /** 2B. */
  | { type: "vote"; instance: number; ballot: number; acceptor: number }
  /** All that an acceptor accepted for an instance that is decided. */
  | { type: "told"; instance: number; acceptor: number; accepted?: Accepted }
  /** What an acceptor knows to be chosen. */
  | { type: "known"; instance: number; accepted: Accepted }
  /** The leader of a ballot: all below are decided. */
  | { type: "word"; ballot: number; decided: number };

/** A ballot and what its proposer may do in it. */
interface Leader {
  readonly ballot: number;
  /** What phase 1 brought up, by instance. */
  readonly found: Map<number, Value>;
  readonly proposed: Map<number, Value>;
  /** All below were decided before phase 1. */
  readonly base: number;
}

/** Acceptors, leaders and all that they said. */
class PlayedCluster {
  readonly said: Said[] = [];
  readonly quorum: number;
  /** Of every majority one is among so many. */
  readonly blocking: number;
  readonly #promised: number[];
  readonly #accepted: Map<number, Accepted>[];
  readonly #leaders: Leader[] = [];
  /** Acceptors that accepted, by instance and ballot. */
  readonly #votes = new Map<string, Set<number>>();
  readonly #chosen = new Map<number, Accepted>();
  #values = 0;

  constructor(acceptors: number) {
    this.quorum = Math.floor(acceptors / 2) + 1;
    this.blocking = acceptors - this.quorum + 1;
    this.#promised = new Array(acceptors).fill(0);
    this.#accepted = this.#promised.map(() => new Map());
  }

  chosen(instance: number): Value | undefined {
    return this.#chosen.get(instance)?.value;
  }

  /**
   * Phase 1 of a new ballot with the acceptors of `mask`; nothing if these are no majority. Its
   * proposer knows of all decided instances, or of none.
   */
  prepare(mask: number, knows: boolean): void {
    const promising = this.#members(mask);
    if (promising.length < this.quorum) return;
    const ballot = this.#leaders.length + 1;
    const found = new Map<number, Value>();
    for (const instance of INSTANCES) {
      const highest = promising
        .map((acceptor) => this.#accepted[acceptor].get(instance))
        .filter((accepted) => accepted !== undefined)
        .sort((a, b) => b.ballot - a.ballot)[0];
      if (highest !== undefined) found.set(instance, highest.value);
    }
    for (const acceptor of promising) this.#promised[acceptor] = ballot;
    const open = INSTANCES.find((instance) => !this.#chosen.has(instance));
    this.#leaders.push({
      ballot,
      found,
      proposed: new Map(),
      base: knows ? open ?? Infinity : 1,
    });
  }

  /** A leader sends 2A, the acceptors of `mask` that may accept it. */
  accept(choice: number, place: number, mask: number): void {
    const leader = this.#leader(choice);
    const instance = INSTANCES[place % INSTANCES.length];
    if (leader === undefined || instance < leader.base) return;
    const { ballot } = leader;
    const value = leader.proposed.get(instance) ??
      leader.found.get(instance) ?? (mask % 7 === 0 ? 0 : ++this.#values);
    leader.proposed.set(instance, value);
    this.said.push({ type: "value", instance, ballot, value });
    for (const acceptor of this.#members(mask)) {
      if (this.#promised[acceptor] > ballot) continue;
      this.#promised[acceptor] = ballot;
      this.#accepted[acceptor].set(instance, { ballot, value });
      this.said.push({ type: "vote", instance, ballot, acceptor });
      this.#tally(instance, { ballot, value }, acceptor);
    }
  }

  /** An acceptor answers a learner that asks for a decided instance. */
  tell(place: number, acceptor: number): void {
    const instance = INSTANCES[place % INSTANCES.length];
    const chosen = this.#chosen.get(instance);
    if (chosen === undefined) return;
    const at = acceptor % this.#promised.length;
    const accepted = this.#accepted[at].get(instance);
    this.said.push({ type: "told", instance, acceptor: at, accepted });
    if (accepted === undefined || accepted.ballot < chosen.ballot) return;
    this.said.push({ type: "known", instance, accepted });
  }

  /** A leader says how far all is decided: as its own ballot's votes and its phase 1 tell. */
  announce(choice: number): void {
    const leader = this.#leader(choice);
    if (leader === undefined) return;
    const open = INSTANCES.find((instance) =>
      instance >= leader.base &&
      (this.#votes.get(`${instance} ${leader.ballot}`)?.size ?? 0) < this.quorum
    );
    this.said.push({
      type: "word",
      ballot: leader.ballot,
      decided: open ?? INSTANCES.at(-1)! + 1,
    });
  }

  #leader(choice: number): Leader | undefined {
    return this.#leaders[choice % this.#leaders.length];
  }

  #members(mask: number): number[] {
    return this.#promised.map((_, acceptor) => acceptor)
      .filter((acceptor) => mask >> acceptor & 1);
  }

  #tally(instance: number, accepted: Accepted, acceptor: number): void {
    const key = `${instance} ${accepted.ballot}`;
    const votes = this.#votes.get(key) ?? new Set();
    this.#votes.set(key, votes.add(acceptor));
    if (votes.size < this.quorum) return;
    const before = this.#chosen.get(instance);
    if (before === undefined) this.#chosen.set(instance, accepted);
    else assert.equal(before.value, accepted.value, "the model keeps P2b");
  }
}

/** The window, and what it must know by what it heard. */
class Hearer {
  readonly #units: ReturnType<typeof openUnits>["units"];
  readonly #opened: ReturnType<typeof openUnits>;
  readonly #cluster: PlayedCluster;
  /** By instance, in the order in which it was heard. */
  readonly #heard = new Map<number, Said[]>();
  readonly #decided = new Map<number, Value>();
  #words: { ballot: number; decided: number }[] = [];
  #base = 1;

  constructor(acceptors: number, cluster: PlayedCluster) {
    this.#opened = openUnits(acceptors);
    this.#units = this.#opened.units;
    this.#units.windowMake(64);
    this.#cluster = cluster;
  }

  hear(said: Said): void {
    if (said.type === "word") {
      this.#units.windowAnnounce(BigInt(said.ballot), BigInt(said.decided));
      this.#words.push(said);
    } else if (this.#units.windowInside(BigInt(said.instance)) !== 0) {
      const before = this.#read(said.instance);
      const decides = this.#pass(said);
      const after = this.#read(said.instance);
      assert.equal(decides, before === undefined && after !== undefined);
      const heard = this.#heard.get(said.instance) ?? [];
      this.#heard.set(said.instance, [...heard, said]);
    }
    this.check();
  }

  /** The base moves over what is decided here or was called decided, as nodes move it. */
  advance(): void {
    const most = Math.max(1, ...this.#words.map(({ decided }) => decided));
    const open = INSTANCES.find((it) =>
      it >= this.#base && !this.#decided.has(it)
    );
    this.#base = Math.max(this.#base, most, open ?? 2051);
    this.#units.windowAdvance(BigInt(this.#base));
    // Their batches are needed no more.
    for (const instance of INSTANCES) {
      if (instance < this.#base) this.#units.windowDrop(BigInt(instance));
    }
  }

  /** What is decided is chosen and as before; what must be decided is. */
  check(): void {
    for (const instance of INSTANCES) {
      if (this.#units.windowInside(BigInt(instance)) === 0) continue;
      const value = this.#read(instance);
      const before = this.#decided.get(instance);
      if (before !== undefined) {
        assert.equal(value, before, `${instance} changed`);
      }
      if (value !== undefined) {
        assert.equal(
          value,
          this.#cluster.chosen(instance),
          `instance ${instance}`,
        );
        this.#decided.set(instance, value);
      } else {
        assert(!this.#mustBeDecided(instance), `instance ${instance} was lost`);
      }
    }
  }

  #pass(said: Exclude<Said, { type: "word" }>): boolean {
    const units = this.#units;
    const instance = BigInt(said.instance);
    switch (said.type) {
      case "vote":
        return units.windowVote(
          instance,
          BigInt(said.ballot),
          said.acceptor,
        ) !== 0;
      case "value":
        return this.#offer(instance, said);
      case "told": {
        // As a learner does with an entry of an answer.
        let decides = false;
        if (said.accepted !== undefined) {
          const ballot = BigInt(said.accepted.ballot);
          decides = this.#offer(instance, said.accepted);
          decides = units.windowVote(instance, ballot, said.acceptor) !== 0 ||
            decides;
        }
        return units.windowReport(instance, said.acceptor) !== 0 || decides;
      }
      case "known": {
        const { ballot, value } = said.accepted;
        const bytes = this.#lay(value);
        const { scratch } = this.#opened;
        return units.windowLearn(instance, BigInt(ballot), scratch, bytes) !==
          0;
      }
    }
  }

  #offer(instance: bigint, { ballot, value }: Accepted): boolean {
    const { scratch } = this.#opened;
    const bytes = this.#lay(value);
    return this.#units.windowOffer(instance, BigInt(ballot), scratch, bytes) !==
      0;
  }

  /** Lays a value out; returns its bytes. */
  #lay(value: Value): number {
    const { bytes, scratch } = this.#opened;
    bytes.fill(value, scratch, scratch + bytesOf(value));
    return bytesOf(value);
  }

  /** The decided value, if there is one. */
  #read(instance: number): Value | undefined {
    const key = BigInt(instance);
    if (this.#units.windowDecided(key) === 0) return undefined;
    const bytes = this.#units.windowBytes(key);
    const at = this.#units.windowBatch(key);
    const value = bytes === 0 ? 0 : this.#opened.bytes[at];
    assert.equal(bytes, bytesOf(value));
    return value;
  }

  /** Whether what was heard of an instance is enough to know what was chosen. */
  #mustBeDecided(instance: number): boolean {
    const heard = this.#heard.get(instance) ?? [];
    const values = heard.flatMap((said) =>
      said.type === "value"
        ? [said.ballot]
        : said.type === "told" && said.accepted
        ? [said.accepted.ballot]
        : []
    );
    const highest = Math.max(0, ...values);
    const reports = new Set(
      heard.map((said) => said.type === "told" ? said.acceptor : -1),
    );
    reports.delete(-1);
    const word = this.#words.reduce(
      (best, it) =>
        it.ballot > best.ballot ||
          (it.ballot === best.ballot && it.decided > best.decided)
          ? it
          : best,
      { ballot: 0, decided: 0 },
    );
    return heard.some(({ type }) => type === "known") ||
      (reports.size >= this.#cluster.blocking && highest > 0) ||
      (word.decided > instance && word.ballot === highest) ||
      majorityAt(heard, this.#cluster.quorum) <= highest;
  }
}

/** The ballot of the first majority that is complete while no vote of a higher ballot was heard; Infinity if none is. */
function majorityAt(heard: readonly Said[], quorum: number): number {
  let ballot = 0;
  let votes = new Set<number>();
  for (const said of heard) {
    const voted = said.type === "vote"
      ? said.ballot
      : said.type === "told"
      ? said.accepted?.ballot
      : undefined;
    if (voted === undefined || voted < ballot) continue;
    if (voted > ballot) votes = new Set();
    ballot = voted;
    votes.add((said as { acceptor: number }).acceptor);
    if (votes.size >= quorum) return ballot;
  }
  return Infinity;
}

const small = fc.nat({ max: 7 });
/** Mostly the first instance, so that much happens to one. */
const place = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: small },
);
const mask = fc.nat({ max: 31 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("prepare" as const),
      mask,
      knows: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("accept" as const),
      leader: small,
      place,
      mask,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("tell" as const),
      place,
      acceptor: small,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("announce" as const),
      leader: small,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("hear" as const),
      which: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("advance" as const) }),
  },
);

for (const acceptors of [1, 3, 4, 5]) {
  Deno.test(`whatever is heard of a cluster of ${acceptors}, what is decided was chosen, stays, and is not lost`, () => {
    const property = fc.property(
      fc.array(step, { minLength: 10, maxLength: 150, size: "max" }),
      (steps) => {
        const cluster = new PlayedCluster(acceptors);
        const hearer = new Hearer(acceptors, cluster);
        // Every cluster has a first leader.
        cluster.prepare(31, true);
        for (const step of steps) {
          if (step.type === "prepare") cluster.prepare(step.mask, step.knows);
          else if (step.type === "accept") {
            cluster.accept(step.leader, step.place, step.mask);
          } else if (step.type === "tell") {
            cluster.tell(step.place, step.acceptor);
          } else if (step.type === "announce") cluster.announce(step.leader);
          else if (step.type === "advance") hearer.advance();
          else if (cluster.said.length > 0) {
            hearer.hear(cluster.said[step.which % cluster.said.length]);
          }
        }
        // In the end all arrives, what was said last first.
        for (const said of cluster.said.toReversed()) hearer.hear(said);
      },
    );
    fc.assert(property, { numRuns: cases(1000) });
  });
}
