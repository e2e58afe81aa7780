/**
 * What an acceptor may know of which acceptors rejoined, from the frames that it took in; and whether the
 * `memories` of its promises stand for that. Drawn from `docs/wire.md`.
 *
 * Of some frames it is not known whether they counted, or whether they did so before a promise of the same
 * turn was written. What they tell may be known, and what the others tell must be.
 */
import { Violation } from "./violation.ts";

/** A return: the ballot of it, and the memory. */
interface Return {
  readonly ballot: number;
  readonly memory: number;
}

/** What is known of one acceptor. */
interface Peer {
  /** The latest return that must be known; ballot 0: none. */
  sure: Return;
  /** Later ones that may be known. */
  maybe: Return[];
  /** Ballot of a return that the promise at hand must know of, or of a later one. */
  least: number;
  /** The latest return that was told in the turn under way. */
  told?: Return;
}

/** What a promise said. */
interface Promised {
  readonly memories: bigint;
  readonly ballot: number;
  readonly rejoining: number;
}

const NONE: Return = { ballot: 0, memory: 0 };

export class MemoriesModel {
  /** Promises of the turn under way; they are looked at when all that it heard is known. */
  readonly #promises: Promised[] = [];
  /** Memories that said in this turn that they recover; of one acceptor an old frame may bring a second one. */
  readonly #recovering: { readonly id: number; readonly memory: number }[] = [];
  /** In the order of the configuration, which gives acceptors their places. */
  readonly #peers: Peer[];
  readonly #acceptors: readonly number[];
  readonly #name: string;
  /** Whether what a turn told must be known after it: not so where it can be lost with records on their way to a disk. */
  readonly #keeps: boolean;

  constructor(
    name: string,
    acceptors: readonly number[],
    keeps: boolean,
  ) {
    this.#name = name;
    this.#acceptors = acceptors;
    this.#keeps = keeps;
    this.#peers = acceptors.map(() => ({
      sure: NONE,
      maybe: [],
      least: 0,
    }));
  }

  /** The process of a persistent acceptor started anew: what had not reached its disk is forgotten. */
  restart(): void {
    for (const peer of this.#peers) {
      if (peer.told !== undefined) peer.maybe.push(peer.told);
      peer.told = undefined;
    }
  }

  /** It was told that an acceptor rejoined; `isSure`: surely so. */
  tell(id: number, ballot: number, memory: number, isSure: boolean): void {
    const peer = this.#peers[this.#acceptors.indexOf(id)];
    const told = { ballot, memory };
    if (peer === undefined || !isLater(told, peer.sure)) return;
    if (isSure && this.#keeps) {
      if (peer.told === undefined || isLater(told, peer.told)) {
        if (peer.told !== undefined) peer.maybe.push(peer.told);
        peer.told = told;
        return;
      }
    }
    const isKnown = peer.maybe.some((it) =>
      it.ballot === ballot && it.memory === memory
    );
    if (!isKnown) peer.maybe.push(told);
  }

  /** A turn is over: what it told is known. */
  turned(): void {
    for (const it of this.#promises.splice(0)) this.#check(it);
    this.#recovering.length = 0;
    for (const peer of this.#peers) {
      if (peer.told === undefined) continue;
      this.#settle(peer, peer.told);
      peer.told = undefined;
    }
  }

  /** An acceptor said that it recovers. */
  recovers(id: number, memory: number): void {
    this.#recovering.push({ id, memory });
  }

  /** The proposer in the same process began phase 1, maybe to let one of those rejoin that recover. */
  prepares(ballot: number): void {
    for (const { id, memory } of this.#recovering) {
      this.tell(id, ballot, memory, false);
    }
  }

  /** The `memories` of a promise of `ballot`; its 1A told that `rejoining`, an acceptor's id, rejoins in it (0: nobody does). */
  promise(memories: bigint, ballot = 0, rejoining = 0): void {
    this.#promises.push({ memories, ballot, rejoining });
  }

  #check({ memories, ballot, rejoining }: Promised): void {
    for (const [place, peer] of this.#peers.entries()) {
      peer.least = this.#acceptors[place] === rejoining ? ballot : 0;
    }
    const choice = this.#explain(memories, 0);
    if (choice === undefined) {
      throw new Violation(
        "quorum",
        `${this.#name} promised with memories ${
          memories.toString(16)
        }, which stand for nothing that it can know: ${this.#text()}`,
      );
    }
    choice.forEach((it, place) => this.#settle(this.#peers[place], it));
  }

  /** Returns that may be known, one of each acceptor from `place` on, whose hashes give `rest`. */
  #explain(rest: bigint, place: number): Return[] | undefined {
    const peer = this.#peers[place];
    if (peer === undefined) return rest === 0n ? [] : undefined;
    const { sure, told, maybe } = peer;
    const candidates = told === undefined ? [sure] : [sure, told];
    for (const it of [...candidates, ...maybe]) {
      if (it.ballot < peer.least) continue;
      const others = this.#explain(rest ^ hashOf(it, place), place + 1);
      if (others !== undefined) return [it, ...others];
    }
    return undefined;
  }

  #settle(peer: Peer, known: Return): void {
    if (!isLater(known, peer.sure)) return;
    peer.sure = known;
    if (peer.maybe.length === 0) return;
    peer.maybe = peer.maybe.filter((it) => isLater(it, known));
  }

  #text(): string {
    return this.#peers.map(({ sure, told, maybe }, place) =>
      `acceptor ${this.#acceptors[place]}: ${
        [sure, ...told === undefined ? [] : [told], ...maybe].map((it) =>
          `${it.memory} in ${it.ballot}`
        ).join(" or ")
      }`
    ).join("; ");
  }
}

/** Two incarnations of a proposer may have begun with the same ballot: then the larger memory counts. */
function isLater(a: Return, b: Return): boolean {
  return a.ballot > b.ballot || a.ballot === b.ballot && a.memory > b.memory;
}

const WORD = (1n << 64n) - 1n;

/** The finalizer of MurmurHash3 over ballot, memory and place. */
function hashOf({ ballot, memory }: Return, place: number): bigint {
  if (ballot === 0) return 0n;
  let hash = BigInt(ballot) ^ BigInt(memory) << 32n ^
    BigInt(place + 1) * 0x9e3779b97f4a7c15n & WORD;
  hash = (hash ^ hash >> 33n) * 0xff51afd7ed558ccdn & WORD;
  hash = (hash ^ hash >> 33n) * 0xc4ceb9fe1a85ec53n & WORD;
  return hash ^ hash >> 33n;
}
