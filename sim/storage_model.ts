/**
 * What a node's disk must hold, told by the records that reached it; and whether a new process gets back
 * just that. It knows nothing of tables, transactions or checksums.
 */
import type { CoreRecord } from "../core/core.ts";
import { Record as RecordKind } from "../core/layout.ts";
import { sameBytes, u64 } from "./chosen.ts";
import { Violation } from "./violation.ts";

/** A record with bytes of its own. */
export interface KeptRecord extends CoreRecord {
  readonly batch: Uint8Array;
}

/** The order in which a core must get its records back. */
const ORDER: readonly RecordKind[] = [
  RecordKind.known,
  RecordKind.rejoined,
  RecordKind.promise,
  RecordKind.rejoin,
  RecordKind.refilled,
  RecordKind.decided,
  RecordKind.led,
  RecordKind.accept,
  RecordKind.confirmed,
  RecordKind.assembly,
  RecordKind.piece,
  RecordKind.session,
  RecordKind.checkpoint,
];

/** Kinds of which there is one for each acceptor, instance, session and so on; of the others there is one. */
const MANY = new Set([
  RecordKind.known,
  RecordKind.rejoined,
  RecordKind.led,
  RecordKind.accept,
  RecordKind.assembly,
  RecordKind.piece,
  RecordKind.session,
]);

export class StorageModel {
  readonly #name: string;
  /** Appended, and not on the disk yet. */
  #waiting: { number: number; record: KeptRecord }[] = [];
  /** The latest of each kind, and of each key of kinds that have many. */
  readonly #kept = new Map<RecordKind, Map<number, KeptRecord>>();
  /** Instances of which it was stored that nothing was accepted. */
  readonly #holes = new Set<number>();
  #promised = 0n;
  #low = 1;
  /** What the new process got so far. */
  #given: KeptRecord[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  append(number: number, record: KeptRecord): void {
    this.#waiting.push({ number, record });
  }

  /** Records up to this one reached the disk. */
  store(upTo: number): void {
    let stored = 0;
    for (const { number, record } of this.#waiting) {
      if (number > upTo) break;
      this.#keep(record);
      stored++;
    }
    this.#waiting.splice(0, stored);
  }

  /** The disk gave up all below; it may do so with what is decided, and known to be so after a crash. */
  trim(low: number): void {
    if (low === this.#low) return;
    if (low < this.#low || low > this.#decided()) {
      throw new Violation(
        "trim",
        `${this.#name} removed all below ${low} from its disk, after ${this.#low}, and its disk calls only those below ${this.#decided()} decided`,
      );
    }
    const log = this.#of(RecordKind.accept);
    for (let i = this.#low; i < low; i++) log.delete(i);
    this.#low = low;
  }

  /** Where the learner goes on after a crash. */
  get checkpoint(): number {
    return this.#of(RecordKind.checkpoint).get(0)?.instance ?? 1;
  }

  /** What of the log is on the disk. */
  accepted(): Iterable<KeptRecord> {
    return this.#of(RecordKind.accept).values();
  }

  /** A new process: what did not reach the disk is lost. */
  begin(): void {
    this.#waiting = [];
    this.#given = [];
  }

  give(record: KeptRecord): void {
    this.#given.push(record);
  }

  /**
   * It got all: the first instance of its log is `from`.
   *
   * @param isHarmed The disk lost something: what is decided may be missing, for others have it.
   */
  resume(from: number, isHarmed = false): void {
    let rank = 0;
    const left = new Map(
      [...this.#kept].map(([kind, records]) => [kind, new Map(records)]),
    );
    for (const record of this.#given) {
      const now = ORDER.indexOf(placeOf(record.kind));
      if (now < rank) this.#fail(`${describe(record)} too late`);
      rank = now;
      const key = keyOf(record);
      const kept = left.get(placeOf(record.kind))?.get(key);
      if (kept === undefined || !isSame(kept, record)) {
        this.#fail(
          `${describe(record)}, and stored ${
            kept === undefined ? "nothing there" : describe(kept)
          }`,
        );
      }
      left.get(placeOf(record.kind))!.delete(key);
    }
    const missed = isHarmed ? Math.max(from, this.#decided()) : from;
    this.#mustBeComplete(left, from, missed);
  }

  #mustBeComplete(
    left: ReadonlyMap<RecordKind, ReadonlyMap<number, KeptRecord>>,
    from: number,
    missed: number,
  ): void {
    const needed = Math.max(this.#decided(), this.#begin(), this.#low);
    if (from > needed) this.#fail(`nothing below ${from}, of ${needed} needed`);
    for (const [kind, records] of left) {
      for (const [key, record] of records) {
        if (kind === RecordKind.accept && key < missed) continue;
        if (kind === RecordKind.session && record.batch.length === 0) continue;
        this.#fail(`no ${describe(record)}`);
      }
    }
  }

  #keep(record: KeptRecord): void {
    const { kind, ballot, instance, incarnation } = record;
    const isBallot = kind === RecordKind.accept ||
      kind === RecordKind.promise || kind === RecordKind.rejoin;
    // What is accepted in a ballot is promised in it.
    if (isBallot && ballot > this.#promised) {
      this.#promised = ballot;
      const promise = { kind: RecordKind.promise, ballot, incarnation };
      const batch = new Uint8Array();
      const bare = { ...promise, instance: 0, values: 0, batch };
      this.#of(RecordKind.promise).set(0, bare);
    }
    if (kind === RecordKind.promise) return;
    if (placeOf(kind) === RecordKind.accept) {
      const before = this.#of(RecordKind.accept).get(instance);
      const isOlder = before !== undefined && before.ballot >= ballot;
      // What is fetched is chosen, whatever an older memory accepted, and takes the place of that.
      if (isOlder && kind === RecordKind.accept) {
        this.#fail(`${describe(record)} stored over ${describe(before)}`);
      }
      if (instance < this.#low) return;
      if (kind === RecordKind.hole) this.#mustBeHole(record);
      if (kind === RecordKind.accept && this.#holes.has(instance)) {
        this.#fail(`${describe(record)} stored in a hole`);
      }
    }
    if (kind === RecordKind.decided) this.#mustBeWhole(instance);
    if (kind === RecordKind.rejoin) {
      this.#holes.clear();
      this.#of(RecordKind.confirmed).clear();
      this.#of(RecordKind.refilled).clear();
    }
    if (kind === RecordKind.refilled) {
      this.#mustBeFetched(instance, record.values);
    }
    this.#of(placeOf(kind)).set(keyOf(record), record);
  }

  /** Where it says that it accepted nothing, that is so. */
  #mustBeHole(hole: KeptRecord): void {
    const log = this.#of(RecordKind.accept);
    const view = new DataView(hole.batch.buffer, hole.batch.byteOffset);
    for (let i = u64(view, 0); i <= hole.instance; i++) {
      const kept = log.get(i);
      // What an older memory accepted is told by nobody.
      if (kept?.kind === RecordKind.accept && i >= this.#begin()) {
        this.#fail(`${describe(kept)} where it stored a hole`);
      }
      this.#holes.add(i);
    }
  }

  /** Below the watermark it can tell of each instance what it accepted, or that it accepted nothing. */
  #mustBeWhole(decided: number): void {
    // Of what it forgot, what is fetched is another matter.
    if (this.#of(RecordKind.rejoin).size > 0) return;
    const log = this.#of(RecordKind.accept);
    for (let i = Math.max(this.#decided(), this.#low); i < decided; i++) {
      if (log.has(i) || this.#holes.has(i)) continue;
      throw new Violation(
        "durability",
        `${this.#name} stored that all below ${decided} is decided, and neither what it accepted for ${i} nor that it accepted nothing`,
      );
    }
  }

  /** Who says that it has fetched all from `from` on, but for so many, has it on its disk. */
  #mustBeFetched(from: number, missing: number): void {
    const end = this.#of(RecordKind.refilled).get(0)?.instance ?? from;
    for (let i = Math.max(from, this.#low); i < end; i++) {
      const kept = this.#of(RecordKind.accept).get(i);
      if (kept?.kind === RecordKind.fetched || missing-- > 0) continue;
      throw new Violation(
        "durability",
        `${this.#name} stored that it has fetched all from ${from} on, and not instance ${i}`,
      );
    }
  }

  #decided(): number {
    return this.#of(RecordKind.decided).get(0)?.instance ?? 1;
  }

  #begin(): number {
    return this.#of(RecordKind.rejoin).get(0)?.instance ?? 1;
  }

  #of(kind: RecordKind): Map<number, KeptRecord> {
    let records = this.#kept.get(kind);
    if (records === undefined) this.#kept.set(kind, records = new Map());
    return records;
  }

  #fail(what: string): never {
    throw new Violation(
      "durability",
      `${this.#name} got from its disk ${what}`,
    );
  }
}

/** Of an instance there is one record, of what was accepted, of what was fetched, or of a hole. */
function placeOf(kind: RecordKind): RecordKind {
  const isOfLog = kind === RecordKind.fetched || kind === RecordKind.hole;
  return isOfLog ? RecordKind.accept : kind;
}

function keyOf({ kind, instance }: CoreRecord): number {
  return MANY.has(placeOf(kind)) ? instance : 0;
}

function isSame(a: CoreRecord, b: CoreRecord): boolean {
  return a.kind === b.kind && a.ballot === b.ballot &&
    a.incarnation === b.incarnation &&
    a.instance === b.instance && a.values === b.values &&
    sameBytes(a.batch, b.batch);
}

function describe({ kind, ballot, instance, batch }: CoreRecord): string {
  return `${
    RecordKind[kind]
  } ${instance} of ballot ${ballot} (${batch.length} bytes)`;
}
