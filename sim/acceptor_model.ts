/**
 * What one acceptor's memory has revealed, and whether that is one story.
 *
 * A promise of ballot B that tells of an instance tells the highest ballot below B in which the
 * acceptor accepted there, or ever will. So a vote below B that the promise does not report breaks it,
 * whichever of the two is sent first: frames of one step may leave in any order.
 */
import { ballotText } from "./chosen.ts";
import { Violation } from "./violation.ts";

/** One page of a promise (1B). */
interface Page {
  readonly ballot: number;
  readonly start: number;
  /** One past the last instance that it tells of; Infinity: it ends what was accepted. */
  readonly end: number;
  /** Ballots of what was accepted, by instance. */
  readonly accepted: ReadonlyMap<number, number>;
}

export class AcceptorModel {
  /** The incarnation in which this memory began. */
  readonly memory: number;
  readonly #name: string;
  readonly #pages: Page[] = [];
  /** Ballots of the votes revealed, by instance, ascending. */
  readonly #votes = new Map<number, number[]>();
  #promised = 0;

  constructor(name: string, memory: number) {
    this.#name = name;
    this.memory = memory;
  }

  /** A 1B page was sent. */
  promise(page: Page): void {
    if (page.ballot < this.#promised) {
      throw new Violation(
        "promise",
        `${this.#name} promised ${ballotText(page.ballot)} after ${
          ballotText(this.#promised)
        }`,
      );
    }
    this.#promised = page.ballot;
    for (const [instance, votes] of this.#votes) {
      for (const ballot of votes) this.#compare(page, instance, ballot);
    }
    this.#pages.push(page);
  }

  /** A 2B was sent that tells of this instance. */
  vote(instance: number, ballot: number): void {
    let votes = this.#votes.get(instance);
    if (votes === undefined) this.#votes.set(instance, votes = []);
    if (votes.includes(ballot)) return;
    votes.push(ballot);
    for (const page of this.#pages) this.#compare(page, instance, ballot);
  }

  #compare(page: Page, instance: number, ballot: number): void {
    if (ballot >= page.ballot) return;
    if (instance < page.start || instance >= page.end) return;
    const told = page.accepted.get(instance);
    if (told !== undefined && told >= ballot) return;
    throw new Violation(
      "promise",
      `${this.#name} accepted instance ${instance} in ballot ${
        ballotText(ballot)
      }, but its promise of ${ballotText(page.ballot)} tells ${
        told === undefined ? "nothing" : `ballot ${ballotText(told)}`
      } of that instance`,
    );
  }
}
