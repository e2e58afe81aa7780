/** What one learner delivered in the end, over all its starts: what a restart took back is left out, and compared with what came again. */

import {
  type Delivered,
  isResumed,
  parseResumed,
  readLearned,
} from "./learned.ts";
import { readLines } from "./lines.ts";
import { excerpt, printable } from "./printable.ts";
import { UserError } from "./errors.ts";

/** A delivery, and whether it still counts. */
export interface Final extends Delivered {
  /** Taken back by a restart and never delivered again: it may contradict others, and is no more. */
  readonly isVoid: boolean;
}

/** What is to be told while a file is read. */
export interface Listener {
  /** A line that was cut off and is left out. */
  onCutOff(line: number): void;
  /** What one learner alone does wrong. */
  onViolation(
    property: "order" | "repetition",
    line: number,
    message: string,
  ): void;
}

/**
 * Reads a learner's file: every position once, ascending as far as the file is right; those that
 * are void come last. What a later `{"from":N}` takes back is kept, and only that, until it came again.
 *
 * @throws {UserError} if the file cannot be read, holds a malformed line, or is a pipe with restarts.
 */
export function* readFinal(
  path: string,
  listener: Listener,
): Generator<Final, void, undefined> {
  const starts = restarts(path);
  let takenBack: Delivered[] = [];
  let stretch = new Stretch(0, takenBack, path, listener);
  // What all restarts that are still to come leave alone is final.
  let finalBelow = Math.min(...starts);
  for (
    const entry of readLearned(path, (line) => listener.onCutOff(line))
  ) {
    if (isResumed(entry)) {
      if (starts.shift() === undefined) throw unforeseen(path, entry.line);
      takenBack = stretch.end();
      stretch = new Stretch(entry.from, takenBack, path, listener);
      finalBelow = Math.min(...starts);
      continue;
    }
    const isFinal = entry.instance < finalBelow;
    stretch.take(entry, isFinal);
    if (isFinal) yield { ...entry, isVoid: false };
  }
  for (const entry of stretch.end()) yield { ...entry, isVoid: true };
}

/** What a learner delivers from one start to the next. */
class Stretch {
  readonly #from: number;
  readonly #before: readonly Delivered[];
  readonly #path: string;
  readonly #listener: Listener;
  /** To be compared with what comes again after later restarts; ascending. */
  readonly #kept: Delivered[];
  /** Of `before`, the next one that should come again. */
  #next: number;
  #last?: Delivered;

  /** @param before What was taken back so far, ascending: it must come again. */
  constructor(
    from: number,
    before: readonly Delivered[],
    path: string,
    listener: Listener,
  ) {
    this.#from = from;
    this.#before = before;
    this.#path = path;
    this.#listener = listener;
    const next = before.findIndex(({ instance }) => instance >= from);
    this.#next = next < 0 ? before.length : next;
    this.#kept = before.slice(0, this.#next);
  }

  take(entry: Delivered, isFinal: boolean): void {
    const last = this.#last;
    this.#last = entry;
    if (!isFinal) this.#kept.push(entry);
    if (last !== undefined && comparePositions(last, entry) >= 0) {
      this.#listener.onViolation(
        "order",
        entry.line,
        `position ${place(entry)} comes after ${place(last)} ` +
          `of ${this.#path}:${last.line}, but positions must rise`,
      );
    } else if (entry.instance < this.#from) {
      this.#listener.onViolation(
        "order",
        entry.line,
        `position ${place(entry)} comes, but this start goes on ` +
          `from instance ${this.#from}`,
      );
    } else this.#compare(entry);
  }

  /** What may have to be compared after the next restart. */
  end(): Delivered[] {
    return [...this.#kept, ...this.#before.slice(this.#next)];
  }

  #compare(entry: Delivered): void {
    const expected = this.#before.at(this.#next);
    if (this.#next >= this.#before.length || expected === undefined) return;
    this.#next++;
    if (
      comparePositions(expected, entry) === 0 && sameDelivery(expected, entry)
    ) return;
    this.#listener.onViolation(
      "repetition",
      entry.line,
      `position ${place(entry)} holds ${describe(entry)}, but before the ` +
        `restart ${this.#path}:${expected.line} was position ` +
        `${place(expected)} with ${describe(expected)}`,
    );
    // From here on the two are out of step.
    this.#next = this.#before.length;
  }
}

/** The instances from which a learner went on after its restarts, in the order of the file; none for a pipe, which can be read once. */
function restarts(path: string): number[] {
  const starts: number[] = [];
  if (!isFile(path)) return starts;
  for (const { bytes } of readLines(path)) {
    const resumed = parseResumed(bytes);
    if (resumed !== undefined) starts.push(resumed.from);
  }
  return starts;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // Whoever reads it says what is wrong.
    return false;
  }
}

function unforeseen(path: string, line: number): UserError {
  return new UserError(
    `${path}:${line}: this learner was started again, so what it delivered must be read twice; ` +
      "give a file that nobody writes any more, not a pipe",
  );
}

/** Order of two positions: below 0, 0, above 0. */
export function comparePositions(a: Delivered, b: Delivered): number {
  return a.instance - b.instance || a.index - b.index;
}

/** Whether two are the same value of the same client, wherever they stand. */
export function sameDelivery(a: Delivered, b: Delivered): boolean {
  return a.client === b.client && a.seq === b.seq &&
    a.digest.low === b.digest.low && a.digest.high === b.digest.high;
}

/** A position as people read it: instance and index. */
export function place({ instance, index }: Delivered): string {
  return `${instance}/${index}`;
}

/** A value and whose it is. */
export function describe({ value, client, seq }: Delivered): string {
  return `${excerpt(value)} (client ${printable(client)}, seq ${seq})`;
}
