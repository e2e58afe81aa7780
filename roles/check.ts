/** Did the learners deliver what Paxos promises? Compares what was proposed with what they delivered. */

import {
  comparePositions,
  describe,
  type Final,
  place,
  readFinal,
  sameDelivery,
} from "./deliveries.ts";
import { Digest } from "./digest.ts";
import { EXIT, UserError } from "./errors.ts";
import { type Delivered, isResumed, readLearned } from "./learned.ts";
import { readLines } from "./lines.ts";
import { excerpt } from "./printable.ts";
import { Tally } from "./tally.ts";

/** What can be violated; order and repetition are told apart from agreement because their cause lies in one learner. */
export type Property =
  | "agreement"
  | "order"
  | "repetition"
  | "integrity"
  | "duplicates"
  | "durability";

/** A property that does not hold, at the first place where it does not. */
export interface Violation {
  readonly property: Property;
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** Both sides. */
  readonly message: string;
}

/** What a comparison found. */
export interface Report {
  /** Number of proposed values. */
  readonly proposed: number;
  readonly learners: readonly {
    readonly file: string;
    readonly delivered: number;
  }[];
  /** The first violation of each property, in the order in which they were found. */
  readonly violations: readonly Violation[];
  /** Number of acknowledged values, and how many of them every learner delivered; absent: nobody asked. */
  readonly acknowledged?: {
    readonly values: number;
    readonly deliveredByAll: number;
  };
  /** Proposed values that every learner delivered. */
  readonly deliveredByAll: number;
  /** Percentage of the proposed values, cut (not rounded) to two decimals; 0 when nothing was proposed. */
  readonly terminated_percent: number;
  readonly warnings: readonly string[];
}

/**
 * Checks a run.
 *
 * - *agreement*: no position (instance, index) holds two values, and each
 *   learner's sequence is a prefix of the longest;
 * - *order*: positions rise within a learner, from its start to the next;
 * - *repetition*: what a learner that was started again delivers again is what
 *   it delivered before;
 * - *integrity*: a learner delivers nothing that was not proposed, and nothing
 *   more often than it was proposed;
 * - *duplicates*: no (client, seq) twice in one learner;
 * - *durability*: every acknowledged value is delivered by every learner;
 * - *termination*: how much of what was proposed every learner delivered.
 *
 * The learners' files are read side by side, in step, so that memory grows only
 * with the number of values: at most about 100 bytes for each, and more for what
 * is repeated. The file of a learner that was started again is read twice.
 *
 * @param files.proposed Text, one value a line.
 * @param files.learned NDJSON as `kpaxos learner` writes it, one file per learner.
 * @param files.acknowledged Text, one value a line; a last line that was cut off is left out.
 * @throws {UserError} if a file cannot be read, is named twice, or holds a malformed line.
 */
export function checkRun(
  files: {
    readonly proposed: readonly string[];
    readonly learned: readonly string[];
    readonly acknowledged?: readonly string[];
  },
): Report {
  const { proposed, learned, acknowledged = [] } = files;
  const all = [...proposed, ...learned, ...acknowledged];
  for (const path of all) {
    const times = all.filter((it) => it === path).length;
    if (times > 1) {
      throw new UserError(
        `${path} is named ${times} times, expected each file once`,
        EXIT.usage,
      );
    }
  }
  const checker = new Checker(learned);
  for (const path of proposed) checker.propose(path);
  for (const path of acknowledged) checker.acknowledge(path);
  checker.compare();
  return checker.report();
}

/** One learner's file and how far it was read. */
interface Learner {
  readonly file: string;
  readonly number: number;
  readonly deliveries: Generator<Final, void, undefined>;
  /** The next delivery; absent: none is left. */
  head?: Final;
  delivered: number;
}

class Checker {
  readonly #learners: Learner[];
  readonly #values: Tally;
  readonly #requests: Tally;
  readonly #acknowledged: Tally;
  readonly #acknowledgedFiles: string[] = [];
  readonly #digest = new Digest();
  readonly #encoder = new TextEncoder();
  readonly #violations = new Map<Property, Violation>();
  readonly #warnings: string[] = [];
  #proposed = 0;

  constructor(learned: readonly string[]) {
    this.#learners = learned.map((file, number) => ({
      file,
      number,
      deliveries: readFinal(file, {
        onCutOff: (line) => this.#cutOff(file, line),
        onViolation: (property, line, message) =>
          this.#violated(property, file, line, message),
      }),
      delivered: 0,
    }));
    this.#values = new Tally(learned.length);
    this.#requests = new Tally(learned.length);
    this.#acknowledged = new Tally(learned.length);
  }

  propose(path: string): void {
    for (const { bytes } of readLines(path)) {
      this.#digest.update(bytes);
      this.#values.expect(this.#values.insert(this.#digest));
      this.#proposed++;
    }
  }

  /** A client that was killed may have left its last line unfinished. */
  acknowledge(path: string): void {
    this.#acknowledgedFiles.push(path);
    for (const { bytes, number, complete } of readLines(path)) {
      if (!complete) {
        this.#cutOff(path, number);
        continue;
      }
      this.#digest.update(bytes);
      this.#acknowledged.expect(this.#acknowledged.insert(this.#digest));
    }
  }

  /** Reads all learners in step: always those whose next position is the lowest. */
  compare(): void {
    for (const learner of this.#learners) this.#advance(learner);
    for (;;) {
      const lowest = this.#lowest();
      if (lowest === undefined) return;
      this.#checkAgreement(lowest);
      const position = lowest.head!;
      for (const learner of this.#learners) {
        if (learner.head === undefined) continue;
        if (comparePositions(learner.head, position) !== 0) continue;
        if (!learner.head.isVoid) {
          this.#checkIntegrity(learner, learner.head);
          this.#checkDuplicate(learner, learner.head);
        }
        this.#advance(learner);
      }
    }
  }

  report(): Report {
    let deliveredByAll = 0;
    for (let entry = 0; entry < this.#values.size; entry++) {
      let least = this.#values.expected(entry);
      for (const { number } of this.#learners) {
        least = Math.min(least, this.#values.seen(entry, number));
      }
      deliveredByAll += least;
    }
    const acknowledged = this.#acknowledgedFiles.length === 0
      ? undefined
      : this.#checkDurability();
    const warnings = [...this.#warnings];
    if (this.#proposed === 0) warnings.push("nothing was proposed");
    return {
      proposed: this.#proposed,
      learners: this.#learners.map(({ file, delivered }) => ({
        file,
        delivered,
      })),
      violations: [...this.#violations.values()],
      acknowledged,
      deliveredByAll,
      terminated_percent: this.#proposed === 0
        ? 0
        : Math.floor(deliveredByAll * 10_000 / this.#proposed) / 100,
      warnings,
    };
  }

  #advance(learner: Learner): void {
    const next = learner.deliveries.next();
    learner.head = next.done === true ? undefined : next.value;
    if (learner.head?.isVoid === false) learner.delivered++;
  }

  #lowest(): Learner | undefined {
    let lowest: Learner | undefined;
    for (const learner of this.#learners) {
      if (learner.head === undefined) continue;
      if (
        lowest === undefined ||
        comparePositions(learner.head, lowest.head!) < 0
      ) {
        lowest = learner;
      }
    }
    return lowest;
  }

  #checkAgreement(lowest: Learner): void {
    // Out of order, or out of step, files are no longer read side by side at the same place.
    if (this.#violations.has("agreement") || this.#violations.has("order")) {
      return;
    }
    const expected = lowest.head!;
    for (const learner of this.#learners) {
      const { head } = learner;
      if (head === undefined || learner === lowest) continue;
      if (comparePositions(head, expected) !== 0) {
        this.#violated(
          "agreement",
          learner.file,
          head.line,
          `the sequence goes on with position ${place(head)} ` +
            `without ${
              place(expected)
            }, which ${lowest.file}:${expected.line} has`,
        );
      } else if (!sameDelivery(head, expected)) {
        this.#violated(
          "agreement",
          learner.file,
          head.line,
          `position ${place(head)} holds ${describe(head)}, but in ` +
            `${lowest.file}:${expected.line} it holds ${describe(expected)}`,
        );
      }
    }
  }

  #checkIntegrity(learner: Learner, delivered: Delivered): void {
    const entry = this.#values.find(delivered.digest);
    if (entry < 0) {
      this.#violated(
        "integrity",
        learner.file,
        delivered.line,
        `${describe(delivered)} was delivered, but never proposed`,
      );
      return;
    }
    const acknowledged = this.#acknowledged.find(delivered.digest);
    if (acknowledged >= 0) this.#acknowledged.see(acknowledged, learner.number);
    const times = this.#values.see(entry, learner.number);
    const expected = this.#values.expected(entry);
    if (times <= expected || this.#violations.has("integrity")) return;
    const { digest } = delivered;
    const earlier = firstLine(
      learner.file,
      (it) => it.digest.low === digest.low && it.digest.high === digest.high,
    );
    this.#violated(
      "integrity",
      learner.file,
      delivered.line,
      `${describe(delivered)} was delivered ${times} times${earlier}, ` +
        `but proposed ${expected} ${expected === 1 ? "time" : "times"}`,
    );
  }

  #checkDuplicate(learner: Learner, delivered: Delivered): void {
    const { client, seq } = delivered;
    this.#digest.update(this.#encoder.encode(`${seq} ${client}`));
    const entry = this.#requests.insert(this.#digest);
    const times = this.#requests.see(entry, learner.number);
    if (times === 1 || this.#violations.has("duplicates")) return;
    const earlier = firstLine(
      learner.file,
      (it) => it.client === client && it.seq === seq,
    );
    this.#violated(
      "duplicates",
      learner.file,
      delivered.line,
      `${describe(delivered)} was delivered ${times} times${earlier}`,
    );
  }

  /** Counts the acknowledged values that all delivered, and names the first that one did not. */
  #checkDurability(): { values: number; deliveredByAll: number } {
    const tally = this.#acknowledged;
    let [values, deliveredByAll] = [0, 0];
    for (let entry = 0; entry < tally.size; entry++) {
      const expected = tally.expected(entry);
      values += expected;
      deliveredByAll += Math.min(
        expected,
        ...this.#learners.map(({ number }) => tally.seen(entry, number)),
      );
    }
    if (deliveredByAll < values) this.#nameLost(values - deliveredByAll);
    return { values, deliveredByAll };
  }

  #nameLost(lost: number): void {
    for (const file of this.#acknowledgedFiles) {
      for (const { bytes, number } of readLines(file)) {
        this.#digest.update(bytes);
        const entry = this.#acknowledged.find(this.#digest);
        const expected = entry < 0 ? 0 : this.#acknowledged.expected(entry);
        const without = this.#learners.find((learner) =>
          entry >= 0 &&
          this.#acknowledged.seen(entry, learner.number) < expected
        );
        if (without === undefined) continue;
        const value = excerpt(new TextDecoder().decode(bytes));
        return this.#violated(
          "durability",
          file,
          number,
          `${value} was acknowledged, but ${without.file} lacks it` +
            (lost === 1 ? "" : `, and so it is with ${lost - 1} more`),
        );
      }
    }
  }

  #cutOff(file: string, line: number): void {
    this.#warnings.push(
      `${file}:${line}: the line is cut off and was left out`,
    );
  }

  #violated(
    property: Property,
    file: string,
    line: number,
    message: string,
  ): void {
    if (this.#violations.has(property)) return;
    this.#violations.set(property, { property, file, line, message });
  }
}

/** ", first in FILE:LINE", read again because what was delivered is not kept; empty for a pipe. */
function firstLine(
  file: string,
  isIt: (delivered: Delivered) => boolean,
): string {
  for (const delivered of readLearned(file, () => {})) {
    if (isResumed(delivered)) continue;
    if (isIt(delivered)) return `, first in ${file}:${delivered.line}`;
  }
  return "";
}
