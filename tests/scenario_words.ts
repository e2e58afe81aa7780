/** The words of a scenario's commands: nodes, messages, values, durations. */
import type { CoreOptions } from "../core/core.ts";
import { parseDuration_ms } from "../roles/duration.ts";
import { MESSAGE_NAMES } from "../sim/decode.ts";
import { messageOf } from "../sim/message_text.ts";
import {
  type Copy,
  KINDS,
  nameOf,
  type Station,
  type World,
} from "./scenario_world.ts";

/** All message types. */
export const MESSAGES = MESSAGE_NAMES;

/** The words of a command line, read from left to right. */
export class Words {
  readonly #words: string[];

  constructor(line: string) {
    this.#words = line.match(/"[^"]*"|[^\s,]+/g) ?? [];
  }

  get isEmpty(): boolean {
    return this.#words.length === 0;
  }

  /** Takes the next word if it is this one. */
  skip(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.#words.shift();
    return true;
  }

  /** Takes the next word if `read` makes something of it. */
  take<T>(read: (word: string) => T | undefined): T | undefined {
    if (this.isEmpty) return undefined;
    const result = read(this.#words[0]);
    if (result !== undefined) this.#words.shift();
    return result;
  }

  /** Takes the next word, which must be there and mean something. */
  must<T>(what: string, read: (word: string) => T | undefined): T {
    const word = this.#words[0] ?? "the end of the line";
    const result = this.take(read);
    if (result === undefined) throw new Error(`${what} wanted, not ${word}`);
    return result;
  }

  /** Takes words as long as `read` makes something of them. */
  takeAll<T>(read: (word: string) => T | undefined): T[] {
    const results: T[] = [];
    for (let one = this.take(read); one !== undefined; one = this.take(read)) {
      results.push(one);
    }
    return results;
  }

  end(): void {
    if (!this.isEmpty) {
      throw new Error(`"${this.#words[0]}" is one word too many`);
    }
  }
}

/** A whole number. */
export const numberOf = (word: string) =>
  /^\d+$/.test(word) ? Number(word) : undefined;

/** What stands between quotation marks. */
export const quotedOf = (word: string) =>
  word.startsWith('"') ? word.slice(1, -1) : undefined;

const kindOf = (word: string) =>
  Object.keys(KINDS).find((kind) => word === kind || word === `${kind}s`);

/** `acceptors 1, 2 proposer 1`: kinds of nodes, each with ids. */
export function takeNames(words: Words): { kind: string; id: number }[] {
  const names: { kind: string; id: number }[] = [];
  let kind: string | undefined = words.must("a node", kindOf);
  while (kind !== undefined) {
    names.push({ kind, id: words.must("an id", numberOf) });
    for (const id of words.takeAll(numberOf)) names.push({ kind, id });
    kind = words.take(kindOf);
  }
  return names;
}

/** Nodes that live, as `takeNames`, or `all`. */
export function takeStations(words: Words, world: World): Station[] {
  if (words.skip("all")) return [...world.stations];
  return takeNames(words).map((name) => {
    const station = world.find(name.kind, name.id);
    if (!station) throw new Error(`${nameOf(name)} does not run`);
    return station;
  });
}

/** Names of nodes, those that do not run too; or `all`. */
export function takeSide(words: Words): string[] {
  return words.skip("all") ? ["all"] : takeNames(words).map(nameOf);
}

/** Options of `start`, by their words. */
export const START_OPTIONS: Readonly<
  Record<string, (words: Words) => Partial<CoreOptions>>
> = {
  "leader": (words) => ({ leader: words.must("an id", numberOf) }),
  "proposer": (words) => ({ proposer: words.must("an id", numberOf) }),
  "mtu": (words) => ({ mtu: words.must("bytes", numberOf) }),
  "log-bytes": (words) => ({ logBytes: words.must("bytes", numberOf) }),
};

/** `with mtu 256 and log-bytes 400`, or nothing. */
export function takeOptions(words: Words): Partial<CoreOptions> {
  let options: Partial<CoreOptions> = {};
  while (words.skip("with") || words.skip("and")) {
    const word = words.must(
      `one of ${Object.keys(START_OPTIONS).join(", ")}`,
      (word) => word in START_OPTIONS ? word : undefined,
    );
    options = { ...options, ...START_OPTIONS[word](words) };
  }
  return options;
}

/** Whether a message has to do with an instance. */
function concerns({ body }: Copy["fields"], instance: bigint): boolean {
  switch (body.type) {
    case "accept":
      return body.instance === instance;
    case "accepted":
    case "repair":
      return body.ranges.some(({ first, end }) =>
        first <= instance && instance < end
      );
    case "promise":
      return body.start <= instance && instance < body.end;
    case "learned":
      return body.entries.some((entry) => entry.instance === instance);
    default:
      return false;
  }
}

/** `2A of 3 from proposer 1 to acceptor 2`: which messages; each part may be left out. */
export function takeFilter(
  words: Words,
  world: World,
): (copy: Copy) => boolean {
  const types = words.takeAll((word) => messageOf(word, MESSAGES));
  const instance = words.skip("of") && words.must("an instance", numberOf);
  const from = words.skip("from") && takeStations(words, world);
  const to = words.skip("to") && takeStations(words, world);
  return (copy) =>
    (types.length === 0 || types.includes(copy.fields.body.type)) &&
    (instance === false || concerns(copy.fields, BigInt(instance))) &&
    (from === false || from.includes(copy.from)) &&
    (to === false || to.includes(copy.to));
}

/** The messages under way that a filter picks; there must be some. */
export function takeCopies(words: Words, world: World): Copy[] {
  const copies = world.underWay.filter(takeFilter(words, world));
  if (copies.length === 0) throw new Error("no such message is under way");
  return copies;
}

/** A duration such as `50ms`, in µs. */
export function durationOf(word: string): number | undefined {
  const duration_ms = parseDuration_ms(word);
  return duration_ms === undefined ? undefined : duration_ms * 1000;
}
