/**
 * What learners deliver of the chosen batches, and what they tell clients: the rules of sessions and
 * of large values, a second time. It was written from `docs/wire.md`, "Sessions", and shares nothing
 * with the core but its limits.
 */
import {
  ASSEMBLIES_MAX,
  SESSION_SEQUENCES,
  SESSION_SPAN,
  SESSIONS_MAX,
  Verdict,
} from "../core/layout.ts";
import type { Value } from "./chosen.ts";

/** What a learner tells of a command. */
export interface TableVerdict {
  readonly client: number;
  readonly verdict: Verdict;
  readonly hasRoom: boolean;
}

/** What came of an instance. */
export interface Outcome {
  /** Delivered, in order; a large value stands under its last chunk's number. */
  readonly delivered: Value[];
  /** Those whose numbers were taken: delivered, or chunks that a large value was put together from. */
  readonly taken: Value[];
  readonly refused: Value[];
  readonly verdicts: TableVerdict[];
}

/** How much a learner keeps; the defaults are those of the program. */
export interface TableLimits {
  readonly sessions?: number;
  readonly sessionSpan?: number;
  readonly assemblies?: number;
}

interface LargeValue {
  first: number;
  bytes: Uint8Array;
  filled: number;
}

interface Session {
  used: number;
  closed: boolean;
  readonly taken: Set<number>;
  highest: number;
  /** Absent: it has no assembly; an empty one has no value yet. */
  assembly?: { value?: LargeValue };
}

export class DeliveryModel {
  readonly #sessionsMost: number;
  readonly #span: number;
  readonly #assemblies: number;
  /** The least recently used first: a Map keeps the order of insertion. */
  readonly #sessions = new Map<number, Session>();
  #forgotten = 0;

  constructor(limits: TableLimits = {}) {
    this.#sessionsMost = limits.sessions ?? SESSIONS_MAX;
    this.#span = limits.sessionSpan ?? SESSION_SPAN;
    this.#assemblies = limits.assemblies ?? ASSEMBLIES_MAX;
  }

  /** Takes the values of the next instance. */
  take(instance: number, values: readonly Value[]): Outcome {
    const outcome: Outcome = {
      delivered: [],
      taken: [],
      refused: [],
      verdicts: [],
    };
    for (const value of values) {
      if (value.sequence === 0) this.#obey(instance, value, outcome);
      else this.#deliver(instance, value, outcome);
    }
    return outcome;
  }

  #obey(instance: number, { client, bytes }: Value, outcome: Outcome): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const session = this.#sessions.get(client);
    if (session !== undefined) this.#use(client, session, instance);
    if (view.getUint32(8, true) === 2) {
      if (session === undefined) return;
      session.closed = true;
      session.assembly = undefined;
      return;
    }
    const born = Number(view.getBigUint64(0, true));
    const reserves = view.getUint32(12, true) === 1;
    const verdict = this.#open(client, session, instance, born, reserves);
    const hasRoom = verdict === Verdict.open &&
      this.#sessions.get(client)!.assembly !== undefined;
    outcome.verdicts.push({ client, verdict, hasRoom });
  }

  #open(
    client: number,
    known: Session | undefined,
    instance: number,
    born: number,
    reserves: boolean,
  ): Verdict {
    if (known === undefined) {
      if (born <= this.#forgotten) return Verdict.expired;
      if (this.#sessions.size >= this.#sessionsMost) {
        const victim = this.#least((it) =>
          it.closed || instance - it.used >= this.#span
        );
        if (victim === undefined) return Verdict.full;
        this.#forget(victim);
      }
      this.#sessions.set(client, {
        used: instance,
        closed: false,
        taken: new Set(),
        highest: 0,
      });
    }
    const session = this.#sessions.get(client)!;
    if (!reserves || session.closed || session.assembly !== undefined) {
      return Verdict.open;
    }
    if (this.#reserve(session, instance)) return Verdict.open;
    if (known === undefined) this.#sessions.delete(client);
    return Verdict.full;
  }

  #reserve(session: Session, instance: number): boolean {
    const taken =
      [...this.#sessions.values()].filter((it) => it.assembly !== undefined)
        .length;
    if (taken >= this.#assemblies) {
      const victim = this.#least((it) =>
        it.assembly !== undefined && instance - it.used >= this.#span
      );
      if (victim === undefined) return false;
      this.#forget(victim);
    }
    session.assembly = {};
    return true;
  }

  #deliver(instance: number, value: Value, outcome: Outcome): void {
    const { client, sequence } = value;
    const session = this.#sessions.get(client);
    if (session === undefined) return void outcome.refused.push(value);
    this.#use(client, session, instance);
    if (
      session.taken.has(sequence) ||
      sequence <= session.highest - SESSION_SEQUENCES
    ) return;
    session.taken.add(sequence);
    session.highest = Math.max(session.highest, sequence);
    if (!value.isChunk) {
      outcome.taken.push(value);
      outcome.delivered.push(value);
      return;
    }
    const put = this.#put(session, value.bytes);
    if (put === "refused") return void outcome.refused.push(value);
    outcome.taken.push(value);
    if (put === "part") return;
    outcome.delivered.push({ ...value, bytes: put, isChunk: false });
  }

  /** Puts a chunk to the others; returns the whole when it is complete. */
  #put(session: Session, chunk: Uint8Array): Uint8Array | "part" | "refused" {
    const { assembly } = session;
    if (assembly === undefined) return "refused";
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    const total = view.getUint32(0, true);
    const offset = view.getUint32(4, true);
    const first = Number(view.getBigUint64(8, true));
    const piece = chunk.subarray(16);
    if (assembly.value === undefined || first > assembly.value.first) {
      assembly.value = { first, bytes: new Uint8Array(total), filled: 0 };
    }
    const { value } = assembly;
    if (
      first < value.first || total !== value.bytes.length ||
      value.filled + piece.length > total
    ) return "refused";
    value.bytes.set(piece, offset);
    value.filled += piece.length;
    return value.filled === total ? value.bytes.slice() : "part";
  }

  #use(client: number, session: Session, instance: number): void {
    session.used = instance;
    this.#sessions.delete(client);
    this.#sessions.set(client, session);
  }

  /** The client of the least recently used session of which this holds. */
  #least(holds: (session: Session) => boolean): number | undefined {
    for (const [client, session] of this.#sessions) {
      if (holds(session)) return client;
    }
  }

  #forget(client: number): void {
    const { used } = this.#sessions.get(client)!;
    this.#forgotten = Math.max(this.#forgotten, used);
    this.#sessions.delete(client);
  }
}
