/**
 * What must hold of everything that was ever said in a world: Paxos, seen from outside.
 *
 * The model knows the frames that were sent and the values that were delivered, in no order, and
 * nothing of what the cores think. All its rules are of the kind "never were both said", so that a
 * world that breaks one stays broken whatever follows ("Paxos Made Simple", 2.2 and 2.3).
 */
import {
  type Body,
  decode,
  type EntryFields,
  type FrameFields,
  type RangeFields,
  type RunFields,
} from "../sim/decode.ts";
import { eachBit } from "./explore_bits.ts";
import type { DeliveredValue } from "./explore_core.ts";

/** An instance in one ballot: what is proposed there, and who accepted it. */
interface Place {
  readonly instance: number;
  readonly ballot: number;
}

/** An acceptor said that it accepted this value in this ballot; perhaps that it is the chosen one. */
interface Report {
  readonly place: number;
  readonly value: string;
  readonly decided: boolean;
}

/** A page of a promise. */
interface Promised {
  readonly acceptor: number;
  /** Its incarnation: what another one accepted it need not know. */
  readonly memory: number;
  readonly ballot: number;
  /** Instances that the page covers: from here up to, but without, `end`. */
  readonly start: number;
  readonly end: number;
  /** Instance to the highest ballot in which the acceptor accepted there. */
  readonly accepted: ReadonlyMap<number, number>;
}

/** What one frame, or one delivered value, says. */
interface Saying {
  readonly proposal?: { readonly place: number; readonly value: string };
  /** Places at which the acceptor `voter` accepted, in this incarnation. */
  readonly votes?: readonly number[];
  readonly voter?: number;
  readonly memory?: number;
  readonly promise?: Promised;
  readonly reports?: readonly Report[];
  /** All instances below are decided. */
  readonly decided?: number;
  /** This value is decided, in this instance or (0) in any. */
  readonly settled?: readonly {
    readonly instance: number;
    readonly value: string;
  }[];
}

const text = new TextDecoder();

/** A batch in words: its values with client and sequence, or that it is a no-op. */
export function batchName(batch: readonly RunFields[]): string {
  return batch.flatMap(({ client, first, values }) =>
    values.map((value, i) =>
      `${text.decode(value)} (${client}/${first + BigInt(i)})`
    )
  ).join(" + ") || "no-op";
}

/** The sayings of one world, and whether some of them can stand together. */
export class Rules {
  readonly #quorum: number;
  readonly #sayings: Saying[] = [];
  readonly #places: Place[] = [];
  readonly #placeIds = new Map<string, number>();
  // Of the set that is checked. By place: the value proposed there, and bits of who accepted it.
  #values: (string | undefined)[] = [];
  #voters: number[] = [];
  /** By place: the incarnations that accepted it. */
  #memories: number[][] = [];
  /** By instance: the place of the lowest ballot in which a value was chosen. */
  #chosen: (number | undefined)[] = [];

  /** @param acceptors How many there are. */
  constructor(acceptors: number) {
    this.#quorum = Math.floor(acceptors / 2) + 1;
  }

  /** Adds what a frame says; sayings are numbered from 0. */
  addFrame(frame: Uint8Array): void {
    this.#sayings.push(this.#sayingOf(decode(frame)));
  }

  /** Adds that a learner delivered a value. */
  addDelivery({ instance, client, sequence }: DeliveredValue): void {
    this.#sayings.push({
      settled: [{ instance, value: `(${client}/${sequence})` }],
    });
  }

  /** The rule that the sayings of a set break, in words; undefined if they keep all. */
  broken(set: Uint32Array): string | undefined {
    const sayings: Saying[] = [];
    eachBit(set, (id) => sayings.push(this.#sayings[id]));
    return this.#proposals(sayings) ?? this.#choices() ??
      this.#claims(sayings) ?? this.#promises(sayings);
  }

  #sayingOf({ body, ballot, senderId, incarnation }: FrameFields): Saying {
    switch (body.type) {
      case "accept": {
        const place = this.#place(body.instance, ballot);
        const proposal = { place, value: batchName(body.batch) };
        return { proposal, decided: Number(body.decided) };
      }
      case "accepted":
        return {
          voter: senderId,
          memory: incarnation,
          votes: this.#placesOf(body.ranges, ballot),
        };
      case "promise":
        return {
          promise: promiseOf(body, senderId, incarnation, Number(ballot)),
          reports: this.#reports(body.entries),
          decided: Number(body.decided),
        };
      case "learned":
        return {
          reports: this.#reports(body.entries),
          decided: Number(body.decided),
        };
      case "answer":
        return {
          settled: body.answered.map(({ client, first }) => ({
            instance: 0,
            value: `(${client}/${first})`,
          })),
        };
      case "heartbeat":
      case "reject":
      case "ok":
        return { decided: Number(body.decided) };
      case "hi":
        return { decided: Number(body.delivered) };
      case "rejoin":
        return { decided: Number(body.from) };
      default:
        return {};
    }
  }

  #placesOf(ranges: readonly RangeFields[], ballot: bigint): number[] {
    const places: number[] = [];
    for (const { first, end } of ranges) {
      for (let i = first; i < end; i++) places.push(this.#place(i, ballot));
    }
    return places;
  }

  #place(instance: bigint, ballot: bigint): number {
    const name = `${instance} ${ballot}`;
    let place = this.#placeIds.get(name);
    if (place === undefined) {
      place = this.#places.length;
      this.#placeIds.set(name, place);
      this.#places.push({ instance: Number(instance), ballot: Number(ballot) });
    }
    return place;
  }

  #reports(entries: readonly EntryFields[]): Report[] {
    return entries.filter(({ ballot }) => ballot !== 0n).map((entry) => ({
      place: this.#place(entry.instance, entry.ballot),
      value: batchName(entry.batch),
      decided: entry.decided,
    }));
  }

  /** Gathers proposals and votes: a ballot has one value for an instance. */
  #proposals(sayings: readonly Saying[]): string | undefined {
    this.#values = this.#places.map(() => undefined);
    this.#voters = this.#places.map(() => 0);
    this.#memories = this.#places.map(() => []);
    for (const { proposal, votes, voter, memory } of sayings) {
      for (const place of votes ?? []) {
        this.#voters[place] |= 1 << voter!;
        this.#memories[place].push(memory!);
      }
      if (proposal === undefined) continue;
      const { place, value } = proposal;
      const other = this.#values[place] ??= value;
      if (other !== value) {
        return `${this.#name(place)} was proposed as ${other} and as ${value}`;
      }
    }
    return undefined;
  }

  /** One value is chosen for an instance, and later ballots carry it. */
  #choices(): string | undefined {
    this.#chosen = [];
    for (let place = 0; place < this.#places.length; place++) {
      if (bitCount(this.#voters[place]) < this.#quorum) continue;
      if (this.#values[place] === undefined) {
        return `${this.#name(place)} was accepted, never proposed`;
      }
      const { instance, ballot } = this.#places[place];
      const other = this.#chosen[instance];
      if (other === undefined || ballot < this.#places[other].ballot) {
        this.#chosen[instance] = place;
      }
    }
    for (let place = 0; place < this.#places.length; place++) {
      const value = this.#values[place];
      const { instance, ballot } = this.#places[place];
      const first = this.#chosen[instance];
      if (value === undefined || first === undefined) continue;
      if (ballot < this.#places[first].ballot) continue;
      if (value === this.#values[first]) continue;
      return `${this.#name(place)} was proposed as ${value}, though ${
        this.#values[first]
      } was chosen as ${this.#name(first)}`;
    }
    return undefined;
  }

  /** What is called decided is chosen, what is reported was proposed. */
  #claims(sayings: readonly Saying[]): string | undefined {
    for (const { decided, settled, reports } of sayings) {
      for (let i = 1; i < (decided ?? 1); i++) {
        if (this.#chosen[i] === undefined) {
          return `instance ${i} was called decided and is not`;
        }
      }
      const fault = (reports && this.#reported(reports)) ??
        (settled && this.#settled(settled));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #valueOf(instance: number): string | undefined {
    const place = this.#chosen[instance];
    return place === undefined ? undefined : this.#values[place];
  }

  #reported(reports: readonly Report[]): string | undefined {
    for (const { place, value, decided } of reports) {
      if (this.#values[place] !== value) {
        return `${value} was reported for ${this.#name(place)}, where ${
          this.#values[place]
        } was proposed`;
      }
      const { instance } = this.#places[place];
      if (decided && this.#valueOf(instance) !== value) {
        return `${value} was called chosen for instance ${instance} and is not`;
      }
    }
    return undefined;
  }

  #settled(settled: NonNullable<Saying["settled"]>): string | undefined {
    for (const { instance, value } of settled) {
      const chosen = instance === 0
        ? this.#chosen.map((_, i) => this.#valueOf(i))
        : [this.#valueOf(instance)];
      if (chosen.some((batch) => batch?.includes(value))) continue;
      return `value ${value} was answered or delivered and is not chosen` +
        (instance === 0 ? "" : ` for instance ${instance}`);
    }
    return undefined;
  }

  /** What an acceptor accepts below a ballot that it promises, its promise tells. */
  #promises(sayings: readonly Saying[]): string | undefined {
    for (const { promise } of sayings) {
      if (promise === undefined) continue;
      const { acceptor, memory, ballot, start, end, accepted } = promise;
      for (let place = 0; place < this.#places.length; place++) {
        if (!this.#memories[place].includes(memory)) continue;
        const { instance, ballot: voted } = this.#places[place];
        if (voted >= ballot || instance < start || instance >= end) continue;
        if ((accepted.get(instance) ?? 0) >= voted) continue;
        return `acceptor ${acceptor} accepted ${this.#name(place)}, which ` +
          `its promise of ballot ${ballotName(ballot)} does not tell`;
      }
    }
    return undefined;
  }

  #name(place: number): string {
    const { instance, ballot } = this.#places[place];
    return `instance ${instance} in ballot ${ballotName(ballot)}`;
  }
}

function promiseOf(
  body: Extract<Body, { type: "promise" }>,
  acceptor: number,
  memory: number,
  ballot: number,
): Promised {
  const accepted = body.entries.map((entry) =>
    [Number(entry.instance), Number(entry.ballot)] as const
  );
  return {
    acceptor,
    memory,
    ballot,
    start: Number(body.start),
    end: body.last ? Infinity : Number(body.end),
    accepted: new Map(accepted),
  };
}

/** A ballot as round.id. */
export function ballotName(ballot: number | bigint): string {
  return `${Math.floor(Number(ballot) / 0x10000)}.${Number(ballot) % 0x10000}`;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let left = bits; left !== 0; left &= left - 1) count++;
  return count;
}
