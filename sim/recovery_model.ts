/**
 * Who may speak as an acceptor when acceptors lose their memory and rejoin, and who may lead: drawn from
 * `docs/wire.md` (`prepare`, `promise`, `rejoin`), seen from outside.
 *
 * A proposer leads only in a ballot that a majority promised, to this incarnation of it and with equal
 * `memories`. Where the ballot was made to let an acceptor rejoin, that one does not count among them.
 *
 * Under an acceptor's name speaks the first memory that ever did, and later only one that such a leader
 * let rejoin. That one votes in the ballot of its return, and in others, or promises, only when it has
 * accepted or knows decided all that the ballot's phase 1 brought up. The memory before it never speaks
 * again.
 */
import { ballotText } from "../roles/events.ts";
import { Violation } from "./violation.ts";

/** One page of a promise (1B). */
export interface PromisePage {
  readonly ballot: number;
  readonly start: number;
  /** One past the last instance that it tells of; Infinity: it ends what was accepted. */
  readonly end: number;
  readonly decided: number;
  /** Ballots of what was accepted, by instance, ascending. */
  readonly accepted: ReadonlyMap<number, number>;
  /** Incarnation of the proposer to which the ballot is promised. */
  readonly proposer: number;
  readonly memories: bigint;
}

/** What one acceptor promised in one ballot. */
interface Promised {
  /** It told of all instances below; Infinity: of all that it accepted. */
  covered: number;
  /** One past the highest instance of which it told. */
  next: number;
  /** What it said of others' memories when its promise was complete. */
  readonly memories: Set<bigint>;
}

/** Phase 1 of a ballot, of one incarnation of its proposer. */
interface Phase1 {
  readonly proposer: number;
  /** Id and memory of the acceptor that it lets rejoin; 0: none. */
  readonly rejoining: number;
  readonly memory: number;
  /** By acceptor's id. */
  readonly promised: Map<number, Promised>;
  /** A majority was seen. */
  leads: boolean;
}

/** A leader let an acceptor rejoin in this ballot. */
interface Return {
  readonly ballot: number;
  /** What phase 1 brought up; empty where that stayed inside one process. */
  from: number;
  end: number;
  /** It may have to fetch instances below. */
  readonly fetchedTo: number;
}

/** What spoke under an acceptor's name. */
interface Name {
  /** Who speaks now. */
  memory: number;
  /** It rejoined; the first memory did not. */
  returned: boolean;
  readonly gone: Set<number>;
  /** Returns that leaders allowed, by memory. */
  readonly returns: Map<number, Return[]>;
  /** Ballots of the votes of who speaks now, the highest of each instance. */
  votes: number[];
}

export class RecoveryModel {
  readonly #quorum: number;
  readonly #names: ReadonlyMap<number, Name>;
  readonly #phases = new Map<number, Phase1[]>();
  /** All instances below are chosen, as seen from outside. */
  readonly #prefix: () => number;

  /** @param acceptors Ids of all acceptors. */
  constructor(acceptors: readonly number[], prefix: () => number) {
    this.#quorum = Math.floor(acceptors.length / 2) + 1;
    this.#prefix = prefix;
    this.#names = new Map(acceptors.map((id) => [id, {
      memory: 0,
      returned: false,
      gone: new Set(),
      returns: new Map(),
      votes: [],
    }]));
  }

  /** A frame was sent that only an acceptor with its memory may send. True if this memory speaks first. */
  speak(who: string, id: number, memory: number): boolean {
    const name = this.#names.get(id)!;
    if (name.memory === memory) return false;
    if (name.gone.has(memory)) {
      throw new Violation(
        "amnesia",
        `${who} spoke with a memory that another one has replaced`,
      );
    }
    if (name.memory !== 0) {
      if (!name.returns.has(memory)) {
        throw new Violation(
          "amnesia",
          `${who} voted or promised, and an earlier one did that has forgotten it; no leader let it rejoin`,
        );
      }
      name.gone.add(name.memory);
      name.returned = true;
    }
    name.memory = memory;
    name.votes = [];
    return true;
  }

  /** How often leaders let the memory that speaks under this name rejoin, and below where it may have had to fetch. */
  returns(id: number): { count: number; fetchedTo: number } {
    const { memory, returned, returns } = this.#names.get(id)!;
    if (!returned) return { count: 0, fetchedTo: 0 };
    const all = returns.get(memory)!;
    const fetchedTo = Math.max(...all.map((it) => it.fetchedTo));
    return { count: all.length, fetchedTo };
  }

  /** A 2B was sent; its memory speaks. */
  vote(who: string, id: number, instance: number, ballot: number): void {
    const name = this.#names.get(id)!;
    const { votes } = name;
    votes[instance] = Math.max(votes[instance] ?? 0, ballot);
    if (!name.returned) return;
    const returns = name.returns.get(name.memory)!;
    const may = returns.some((it) =>
      it.ballot === ballot || it.ballot < ballot && this.#hasAll(it, votes)
    );
    if (may) return;
    throw new Violation(
      "amnesia",
      `${who} lost its memory, and voted for instance ${instance} in ballot ${
        ballotText(ballot)
      } before it had rejoined`,
    );
  }

  /** A 1A was sent. */
  prepare(
    ballot: number,
    proposer: number,
    rejoining: number,
    memory: number,
  ): void {
    let phases = this.#phases.get(ballot);
    if (phases === undefined) this.#phases.set(ballot, phases = []);
    const known = phases.find((it) => it.proposer === proposer);
    if (known === undefined) {
      const promised = new Map<number, Promised>();
      phases.push({ proposer, rejoining, memory, promised, leads: false });
    } else if (known.rejoining !== rejoining || known.memory !== memory) {
      throw new Violation(
        "quorum",
        `ballot ${ballotText(ballot)} was made to let two memories rejoin`,
      );
    }
  }

  /** Whether a ballot was made to let this memory of an acceptor rejoin. */
  isMeant(ballot: number, id: number, memory: number): boolean {
    return this.#phases.get(ballot)?.some((it) =>
      it.rejoining === id && it.memory === memory
    ) ?? false;
  }

  /** Whom a ballot was made to let rejoin; 0: nobody, or no 1A of it was seen. */
  rejoining(ballot: number, proposer: number): number {
    return this.#phases.get(ballot)
      ?.find((it) => it.proposer === proposer)?.rejoining ?? 0;
  }

  /** A page of 1B was sent; its memory speaks. */
  promise(who: string, id: number, page: PromisePage): void {
    const { ballot, start, end } = page;
    const name = this.#names.get(id)!;
    if (name.returned) this.#mustHideNothing(who, name, page);
    const phase = this.#phases.get(ballot)
      ?.find((it) => it.proposer === page.proposer);
    // A promise that stayed inside one process is not seen; this one answers no 1A that was.
    if (phase === undefined) return;
    let promised = phase.promised.get(id);
    if (promised === undefined) {
      promised = { covered: 0, next: 0, memories: new Set() };
      phase.promised.set(id, promised);
    }
    if (start > Math.max(promised.covered, this.#prefix())) return;
    promised.covered = Math.max(promised.covered, end);
    for (const [instance, accepted] of page.accepted) {
      if (accepted === ballot) continue;
      promised.next = Math.max(promised.next, instance + 1);
    }
    if (end === Infinity) promised.memories.add(page.memories);
  }

  /**
   * A proposer sent what only a leader sends.
   *
   * @param own Id of the acceptor in the same process, whose promise is not seen; 0: none.
   */
  leads(who: string, ballot: number, proposer: number, own: number): Phase1 {
    let phase = this.#phases.get(ballot)
      ?.find((it) => it.proposer === proposer);
    if (phase?.leads) return phase;
    if (phase === undefined) {
      // The only acceptor is in the same process: nobody else was asked.
      const promised = new Map<number, Promised>();
      phase = { proposer, rejoining: 0, memory: 0, promised, leads: false };
      this.#phases.set(ballot, [phase]);
    }
    if (!this.#isPromised(phase, own, Infinity)) {
      throw new Violation(
        "quorum",
        `${who} leads in ballot ${
          ballotText(ballot)
        }, which no majority promised to it with equal memories`,
      );
    }
    phase.leads = true;
    // Whom it lets rejoin in its own process it tells there.
    if (phase.rejoining !== 0 && phase.rejoining === own) {
      const told = [...phase.promised.values()].map(({ next }) => next);
      const fetchedTo = Math.max(this.#prefix(), ...told);
      this.#allow(phase, { ballot, from: 0, end: 0, fetchedTo });
    }
    return phase;
  }

  /** A leader let an acceptor rejoin. */
  rejoin(
    who: string,
    id: number,
    memory: number,
    { ballot, from, end }: Omit<Return, "fetchedTo">,
    proposer: number,
    own: number,
  ): void {
    const phase = this.leads(who, ballot, proposer, own);
    const isMeant = phase.rejoining === id && phase.memory === memory;
    if (!isMeant || !this.#isPromised(phase, own, end)) {
      throw new Violation(
        "quorum",
        `${who} let acceptor ${id} rejoin in ballot ${ballotText(ballot)}, ${
          isMeant
            ? `whose phase 1 brought up more than instances below ${end}`
            : "which was not made for it"
        }`,
      );
    }
    this.#allow(phase, { ballot, from, end, fetchedTo: end });
  }

  #allow({ rejoining, memory }: Phase1, allowed: Return): void {
    const { returns } = this.#names.get(rejoining)!;
    const known = returns.get(memory);
    if (known === undefined) returns.set(memory, [allowed]);
    else if (!known.some((it) => it.ballot === allowed.ballot)) {
      known.push(allowed);
    }
  }

  /** Whether a majority promised, all with equal memories and with nothing at or above `end`. */
  #isPromised(
    { rejoining, promised }: Phase1,
    own: number,
    end: number,
  ): boolean {
    const unseen = own !== 0 && own !== rejoining && !promised.has(own) ? 1 : 0;
    if (unseen >= this.#quorum) return true;
    const counts = new Map<bigint, number>();
    for (const [id, { memories, next }] of promised) {
      if (id === rejoining || next > end) continue;
      for (const known of memories) {
        const count = (counts.get(known) ?? unseen) + 1;
        if (count >= this.#quorum) return true;
        counts.set(known, count);
      }
    }
    return false;
  }

  /** Who has forgotten what it accepted must not promise as if it had accepted nothing. */
  #mustHideNothing(who: string, name: Name, page: PromisePage): void {
    const { ballot, start, end, decided, accepted } = page;
    const returns = name.returns.get(name.memory)!;
    const isComplete = (it: Return) => {
      if (it.ballot > ballot) return false;
      const from = Math.max(it.from, start, decided);
      for (let i = from; i < Math.min(it.end, end); i++) {
        if ((accepted.get(i) ?? 0) < it.ballot) return false;
      }
      return true;
    };
    if (returns.some(isComplete)) return;
    throw new Violation(
      "amnesia",
      `${who} lost its memory, and promised ballot ${
        ballotText(ballot)
      } before it had what phase 1 of its return brought up`,
    );
  }

  #hasAll(it: Return, votes: readonly number[]): boolean {
    it.from = Math.max(it.from, Math.min(this.#prefix(), it.end));
    while (it.from < it.end && (votes[it.from] ?? 0) >= it.ballot) it.from++;
    return it.from === it.end;
  }
}
