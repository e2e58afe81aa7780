/**
 * Is a history of reads and writes of one register linearizable? The search of Wing and Gong
 * ("Testing and Verifying Concurrent Objects", 1993): operations are put in an order one by one, a
 * next one being any that began before all that are left have ended. States that were reached
 * before are not searched again (Lowe, "Testing for Linearizability", 2017).
 */

/** What one client did, on a clock that all clients share. */
export interface Operation {
  /** For messages. */
  readonly name: string;
  readonly kind: "read" | "write";
  /** What was written, or read. A register holds undefined at first. */
  readonly value: string | undefined;
  readonly invoked: number;
  /** Absent: the client never heard, so it takes effect at any later time, or never. */
  readonly answered?: number;
}

/** What the search found. */
export type Verdict =
  | { readonly kind: "linearizable" }
  /** There is no order. `stuck`: what no order could go beyond that came furthest. */
  | { readonly kind: "violated"; readonly stuck: Operation }
  /** Given up after `steps_max` steps. */
  | { readonly kind: "undecided" };

/** Steps after which the search of one register gives up: seconds. */
const STEPS_MAX = 5_000_000;

/**
 * Searches for an order.
 *
 * @param operations Of one register, in any order.
 */
export function checkRegister(
  operations: readonly Operation[],
  steps_max: number = STEPS_MAX,
): Verdict {
  return new Search(relevant(operations)).run(steps_max);
}

/** A read that nobody got an answer to says nothing; nor does such a write of what nobody read. */
function relevant(operations: readonly Operation[]): Operation[] {
  const read = new Set<string | undefined>();
  for (const { kind, value, answered } of operations) {
    if (kind === "read" && answered !== undefined) read.add(value);
  }
  return operations.filter(({ kind, value, answered }) =>
    answered !== undefined || (kind === "write" && read.has(value))
  );
}

/** A beginning or an end, in a list that is ordered by time. */
interface Entry {
  readonly operation: Operation;
  /** Place among the operations: those with an end first, each by its beginning. */
  readonly number: number;
  readonly isEnd: boolean;
  /** The end of a beginning, if there is one. */
  end?: Entry;
  previous: Entry | undefined;
  next: Entry | undefined;
}

/** An operation that was put in the order, and what to restore should that lead nowhere. */
interface Choice {
  readonly entry: Entry;
  readonly before: string | undefined;
}

class Search {
  /** Stands before the first entry. */
  readonly #head: Entry;
  /** Operations that have an end; the others follow. */
  readonly #ended: number;
  readonly #count: number;
  /** By number: is it in the order? */
  readonly #done: Uint8Array;
  /** No operation below was left out of the order, and none from `#high` on is in it, of those with an end. */
  #low = 0;
  #high = 0;
  readonly #choices: Choice[] = [];
  readonly #seen = new Set<string>();
  #value: string | undefined;
  /** Of the longest order so far, the end that it could not pass. */
  #furthest = -1;
  #stuck?: Operation;

  constructor(operations: readonly Operation[]) {
    const sorted = operations.toSorted((a, b) =>
      Number(a.answered === undefined) - Number(b.answered === undefined) ||
      a.invoked - b.invoked
    );
    this.#count = sorted.length;
    this.#ended = sorted.filter((it) => it.answered !== undefined).length;
    this.#done = new Uint8Array(sorted.length);
    this.#head = linked(sorted);
  }

  run(steps_max: number): Verdict {
    let entry = this.#head.next;
    for (let steps = 0; steps < steps_max; steps++) {
      // What is left has no end, so it need not take effect.
      if (entry === undefined) return { kind: "linearizable" };
      if (!entry.isEnd) {
        entry = this.#choose(entry) ? this.#head.next : entry.next;
        continue;
      }
      this.#note(entry);
      const choice = this.#choices.pop();
      if (choice === undefined) {
        return { kind: "violated", stuck: this.#stuck! };
      }
      this.#undo(choice);
      entry = choice.entry.next;
    }
    return { kind: "undecided" };
  }

  /** Puts an operation next in the order, if it fits there and that was not tried before. */
  #choose(entry: Entry): boolean {
    const { kind, value } = entry.operation;
    if (kind === "read" && value !== this.#value) return false;
    const before = this.#value;
    this.#mark(entry.number, 1);
    if (kind === "write") this.#value = value;
    const state = this.#state();
    if (this.#seen.has(state)) {
      this.#mark(entry.number, 0);
      this.#value = before;
      return false;
    }
    this.#seen.add(state);
    this.#choices.push({ entry, before });
    unlink(entry);
    if (entry.end !== undefined) unlink(entry.end);
    return true;
  }

  #undo({ entry, before }: Choice): void {
    if (entry.end !== undefined) link(entry.end);
    link(entry);
    this.#mark(entry.number, 0);
    this.#value = before;
  }

  #note({ operation }: Entry): void {
    if (this.#choices.length <= this.#furthest) return;
    this.#furthest = this.#choices.length;
    this.#stuck = operation;
  }

  #mark(number: number, done: 0 | 1): void {
    this.#done[number] = done;
    if (number >= this.#ended) return;
    if (done === 1) {
      this.#high = Math.max(this.#high, number + 1);
      while (this.#low < this.#ended && this.#done[this.#low] === 1) {
        this.#low++;
      }
    } else {
      this.#low = Math.min(this.#low, number);
      while (this.#high > this.#low && this.#done[this.#high - 1] === 0) {
        this.#high--;
      }
    }
  }

  /** The set of what is in the order, as short as it can be said, and what the register holds then. */
  #state(): string {
    let text = `${this.#low}:`;
    for (let i = this.#low; i < this.#high; i++) text += this.#done[i];
    text += ":";
    for (let i = this.#ended; i < this.#count; i++) text += this.#done[i];
    return `${text}:${this.#value ?? ""}:${this.#value === undefined}`;
  }
}

/** The list of all beginnings and ends; at the same time beginnings come first: those overlap. */
function linked(operations: readonly Operation[]): Entry {
  const none = { previous: undefined, next: undefined };
  const entries = operations.flatMap((operation, number): Entry[] => {
    const begin: Entry = { operation, number, isEnd: false, ...none };
    if (operation.answered === undefined) return [begin];
    begin.end = { operation, number, isEnd: true, ...none };
    return [begin, begin.end];
  });
  const time = ({ isEnd, operation }: Entry) =>
    isEnd ? operation.answered! : operation.invoked;
  entries.sort((a, b) =>
    time(a) - time(b) || Number(a.isEnd) - Number(b.isEnd)
  );
  const head: Entry = { ...entries[0], ...none };
  let last = head;
  for (const entry of entries) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function unlink({ previous, next }: Entry): void {
  previous!.next = next;
  if (next !== undefined) next.previous = previous;
}

/** Puts an entry back where it was; what was unlinked last comes back first. */
function link(entry: Entry): void {
  entry.previous!.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}

/** An operation and its place in the log. */
export interface Placed {
  readonly operation: Operation;
  /** Ascending. */
  readonly place: number;
}

/**
 * Does the log's order respect real time? What was answered before another began must stand before it.
 *
 * @returns The first pair that does not, the one that was answered earlier first.
 */
export function checkRealTime(
  placed: readonly Placed[],
): [Operation, Operation] | undefined {
  // Of all that stand behind, the one that was answered first.
  let earliest: Operation | undefined;
  let found: [Operation, Operation] | undefined;
  const descending = placed.toSorted((a, b) => b.place - a.place);
  for (const { operation } of descending) {
    const { answered } = operation;
    if (earliest !== undefined && earliest.answered! < operation.invoked) {
      found = [earliest, operation];
    }
    if (answered === undefined) continue;
    if (earliest === undefined || answered < earliest.answered!) {
      earliest = operation;
    }
  }
  return found;
}
