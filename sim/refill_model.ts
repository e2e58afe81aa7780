/**
 * What an acceptor that refills its disk after a loss may leave out: what the others cannot tell either.
 *
 * It fetches range by range, downwards, and a record says from where on it has all. An instance that it left
 * out then must be one that the others could not have told when it began with that range.
 */
import type { CoreRecord } from "../core/core.ts";
import { Record as RecordKind } from "../core/layout.ts";
import { Violation } from "./violation.ts";

/** Instances below the last record that it may ask for next. */
const RANGE = 64;

export class RefillModel {
  readonly #name: string;
  /** Whether the other acceptors can tell what is chosen for an instance. */
  readonly #canTell: (instance: number) => boolean;
  #low = Infinity;
  readonly #fetched = new Set<number>();
  readonly #leftOut = new Set<number>();
  /** Instances that the others could tell when it began with the range that is under way. */
  #tellable: number[] = [];

  constructor(name: string, canTell: (instance: number) => boolean) {
    this.#name = name;
    this.#canTell = canTell;
  }

  /** Whether it went on without this instance. */
  leftOut(instance: number): boolean {
    return this.#leftOut.has(instance);
  }

  /** Its process appends a record. */
  append({ kind, instance }: CoreRecord): void {
    if (kind === RecordKind.fetched) {
      this.#fetched.add(instance);
      this.#leftOut.delete(instance);
    } else if (kind === RecordKind.rejoin) this.#reset(Infinity);
    else if (kind === RecordKind.refilled) {
      const isBegun = this.#low !== Infinity && instance <= this.#low;
      if (isBegun) this.#reach(instance);
      else this.#reset(instance);
    }
  }

  /** A new process gets back a record. */
  recover({ kind, instance }: CoreRecord): void {
    if (kind !== RecordKind.refilled) return;
    for (const i of this.#leftOut) if (i < instance) this.#leftOut.delete(i);
    this.#begin(instance);
  }

  #reset(low: number): void {
    this.#fetched.clear();
    this.#leftOut.clear();
    this.#begin(low);
  }

  #reach(low: number): void {
    for (let i = low; i < this.#low; i++) {
      if (this.#fetched.has(i)) continue;
      if (this.#tellable.includes(i) && this.#canTell(i)) {
        throw new Violation(
          "liveness",
          `${this.#name} left out instance ${i}, which the other acceptors can tell`,
        );
      }
      this.#leftOut.add(i);
    }
    this.#begin(low);
  }

  #begin(low: number): void {
    this.#low = low;
    this.#tellable = [];
    if (low === Infinity) return;
    for (let i = Math.max(1, low - RANGE); i < low; i++) {
      if (this.#canTell(i)) this.#tellable.push(i);
    }
  }
}
