/**
 * What one acceptor's memory has revealed, and whether that is one story.
 *
 * A promise of ballot B that tells of an instance tells the highest ballot below B in which the
 * acceptor accepted there, or ever will. So a vote below B that the promise does not report breaks it,
 * whichever of the two is sent first: frames of one step may leave in any order.
 */
import { ballotText } from "../roles/events.ts";
import { Violation } from "./violation.ts";

/** One page of a promise (1B). */
interface Page {
  readonly ballot: number;
  readonly start: number;
  /** One past the last instance that it tells of; Infinity: it ends what was accepted. */
  readonly end: number;
  /** Ballots of what was accepted, by instance, ascending. */
  readonly accepted: ReadonlyMap<number, number>;
}

/** All pages of one ballot's promise. */
interface Promise {
  /** What was told of an instance: the ballot accepted, 0 nothing. */
  readonly told: Map<number, number>;
  /** Of this instance and all above it was told that nothing is accepted. */
  nothingFrom: number;
}

export class AcceptorModel {
  /** The incarnation in which this memory began. */
  readonly memory: number;
  /** The lowest instance that it keeps, as it told last. */
  trimmed = 1;
  /** After so many of its returns it told that it had fetched what it had forgotten. */
  refilled = 0;
  /** Instances whose chosen value it told. */
  readonly knows = new Set<number>();
  readonly #name: string;
  readonly #promises = new Map<number, Promise>();
  /** Ballots of the votes revealed, by instance. */
  readonly #votes: number[][] = [];
  #promised = 0;

  constructor(name: string, memory: number) {
    this.#name = name;
    this.memory = memory;
  }

  /** A 1B page was sent. */
  promise({ ballot, start, end, accepted }: Page): void {
    if (ballot < this.#promised) {
      throw new Violation(
        "promise",
        `${this.#name} promised ${ballotText(ballot)} after ${
          ballotText(this.#promised)
        }`,
      );
    }
    this.#promised = ballot;
    let promise = this.#promises.get(ballot);
    if (promise === undefined) {
      promise = { told: new Map(), nothingFrom: Infinity };
      this.#promises.set(ballot, promise);
    }
    let above = start;
    for (const [instance, told] of accepted) {
      this.#tell(promise, above, instance, 0);
      this.#tell(promise, instance, instance + 1, told);
      above = instance + 1;
    }
    if (end === Infinity) {
      promise.nothingFrom = Math.min(promise.nothingFrom, above);
    } else {
      this.#tell(promise, above, end, 0);
    }
    for (let i = start; i < Math.min(end, this.#votes.length); i++) {
      for (const vote of this.#votes[i] ?? []) {
        this.#compare(ballot, promise, i, vote);
      }
    }
  }

  /** A 2B was sent that tells of this instance. */
  vote(instance: number, ballot: number): void {
    const votes = this.#votes[instance] ??= [];
    if (votes.includes(ballot)) return;
    votes.push(ballot);
    for (const [promised, promise] of this.#promises) {
      this.#compare(promised, promise, instance, ballot);
    }
  }

  /** Ballots in which it is known to have accepted this instance. */
  votesFor(instance: number): readonly number[] {
    return this.#votes[instance] ?? [];
  }

  /** The first word about an instance counts: what comes later may tell of this ballot's own votes. */
  #tell(promise: Promise, from: number, to: number, told: number): void {
    for (let i = from; i < Math.min(to, promise.nothingFrom); i++) {
      if (!promise.told.has(i)) promise.told.set(i, told);
    }
  }

  #compare(
    promised: number,
    { told, nothingFrom }: Promise,
    instance: number,
    ballot: number,
  ): void {
    if (ballot >= promised) return;
    const accepted = told.get(instance) ??
      (instance >= nothingFrom ? 0 : Infinity);
    if (accepted >= ballot) return;
    throw new Violation(
      "promise",
      `${this.#name} accepted instance ${instance} in ballot ${
        ballotText(ballot)
      }, but its promise of ${ballotText(promised)} tells ${
        accepted === 0 ? "nothing" : `ballot ${ballotText(accepted)}`
      } of that instance`,
    );
  }
}
