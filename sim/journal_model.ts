/** What a node handed to its storage, and what of that it may reveal: durable before revealed. */
import type { CoreRecord } from "../core/core.ts";
import { Record } from "../core/layout.ts";
import { ballotText } from "../roles/events.ts";
import { Violation } from "./violation.ts";

const NO_PROMISES = new Set([Record.decided, Record.led, Record.hole]);

export class JournalModel {
  durable = 0;
  readonly #name: string;
  /** Number of the first record of each promised ballot, and of each instance's accepted ballots. */
  readonly #promises = new Map<number, number>();
  readonly #accepts = new Map<number, Map<number, number>>();

  constructor(name: string) {
    this.#name = name;
  }

  /** A record was handed over; `number` 0: it was recovered, so it is durable. */
  append(number: number, record: CoreRecord): void {
    const ballot = Number(record.ballot);
    // Leaders' words are no promises, and what a hole names is past.
    if (NO_PROMISES.has(record.kind)) return;
    if (ballot === 0) return;
    // What was fetched may be told, and is no vote.
    const isFetched = record.kind === Record.fetched;
    if (!isFetched && !this.#promises.has(ballot)) {
      this.#promises.set(ballot, number);
    }
    if (record.kind !== Record.accept && !isFetched) return;
    let ballots = this.#accepts.get(record.instance);
    if (ballots === undefined) {
      this.#accepts.set(record.instance, ballots = new Map());
    }
    if (!ballots.has(ballot)) ballots.set(ballot, number);
  }

  /** A frame reveals that this ballot is promised. */
  revealPromise(ballot: number): void {
    if (ballot === 0) return;
    this.#must(
      this.#promises.get(ballot),
      `the promise of ballot ${ballotText(ballot)}`,
    );
  }

  /** A frame reveals that this instance was accepted in this ballot. */
  revealAccepted(instance: number, ballot: number): void {
    this.#must(
      this.#accepts.get(instance)?.get(ballot),
      `the acceptance of instance ${instance} in ballot ${ballotText(ballot)}`,
    );
  }

  #must(number: number | undefined, what: string): void {
    if (number !== undefined && number <= this.durable) return;
    throw new Violation(
      "durability",
      `${this.#name} revealed ${what}, ` +
        (number === undefined
          ? "which it gave to no storage"
          : `record ${number}, when ${this.durable} was durable`),
    );
  }
}
