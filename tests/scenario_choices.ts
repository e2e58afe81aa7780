/**
 * What is chosen, seen from outside: a value is chosen when a majority of acceptors has accepted it
 * in one ballot ("Paxos Made Simple", 2.1), whether or not any node knows it yet.
 */
import type { FrameFields, RunFields } from "../sim/decode.ts";
import { ballotText } from "../roles/events.ts";
import { type Accepted, acceptedText, batchText } from "../sim/message_text.ts";

/** Of the three acceptors of every scenario. */
const MAJORITY = 2;

/** A chosen value, and who had accepted it when it was. */
export interface Choice extends Accepted {
  readonly acceptors: readonly number[];
}

/** What acceptors have accepted of one instance in one ballot. */
interface Proposal extends Accepted {
  readonly acceptors: Set<number>;
}

/** Follows 2A and 2B, as they are sent. */
export class Choices {
  readonly #proposals = new Map<string, Proposal>();
  readonly #chosen = new Map<bigint, Choice>();
  /** By acceptor and instance. */
  readonly #accepted = new Map<number, Map<bigint, Proposal>>();
  /** Those that got votes since the last look. */
  readonly #fresh = new Set<Proposal>();

  /**
   * Takes note of a message.
   *
   * @throws {Error} if it says what Paxos forbids: a second value in one ballot, or a vote for none.
   */
  see({ senderId, ballot, body }: FrameFields): void {
    if (body.type === "accept") {
      this.#propose(body.instance, ballot, body.batch);
    } else if (body.type === "accepted") {
      for (const { first, end } of body.ranges) {
        for (let instance = first; instance < end; instance++) {
          this.#vote(senderId, instance, ballot);
        }
      }
    }
  }

  /**
   * What was chosen since the last call.
   *
   * @throws {Error} if a second value was chosen for an instance.
   */
  take(): Choice[] {
    const choices: Choice[] = [];
    for (const proposal of this.#fresh) {
      if (proposal.acceptors.size < MAJORITY) continue;
      const choice = { ...proposal, acceptors: [...proposal.acceptors].sort() };
      const before = this.#chosen.get(proposal.instance);
      if (before === undefined) {
        this.#chosen.set(proposal.instance, choice);
        choices.push(choice);
      } else {
        mustBeSame("agreement is broken, chosen are", before, choice);
      }
    }
    this.#fresh.clear();
    return choices;
  }

  /** What an acceptor has accepted since it started, in the order of instances. */
  acceptedBy(id: number): Accepted[] {
    return [...this.#accepted.get(id)?.values() ?? []]
      .sort((a, b) => Number(a.instance - b.instance));
  }

  /** An acceptor has lost its memory. What was chosen with its help stays chosen. */
  forget(id: number): void {
    this.#accepted.delete(id);
  }

  #propose(instance: bigint, ballot: bigint, batch: readonly RunFields[]) {
    const key = `${instance} ${ballot}`;
    const proposal = { instance, ballot, batch, acceptors: new Set<number>() };
    const before = this.#proposals.get(key);
    if (before === undefined) this.#proposals.set(key, proposal);
    else mustBeSame("one ballot proposes two values", before, proposal);
  }

  #vote(id: number, instance: bigint, ballot: bigint): void {
    const proposal = this.#proposals.get(`${instance} ${ballot}`);
    if (proposal === undefined) {
      throw new Error(
        `acceptor ${id} accepted in ${ballotText(ballot)} what nobody ` +
          `proposed there for instance ${instance}`,
      );
    }
    proposal.acceptors.add(id);
    this.#fresh.add(proposal);
    const accepted = this.#accepted.get(id) ?? new Map();
    this.#accepted.set(id, accepted.set(instance, proposal));
  }
}

function mustBeSame(rule: string, one: Accepted, other: Accepted): void {
  if (batchText(one.batch) === batchText(other.batch)) return;
  throw new Error(
    `${rule}: ${acceptedText(one)}, and ${acceptedText(other)}`,
  );
}
