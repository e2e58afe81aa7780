/** A core's whole state, its memory and globals, kept to be compared with later. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Counter } from "../core/layout.ts";
import type { Rig } from "./rig.ts";

/** Bytes of memory, from one to before another. */
interface Area {
  readonly from: number;
  readonly to: number;
}

/** What a core was when `keep` was called; received frames, their lengths and counters are left out. */
export class State {
  readonly #rig: Rig;
  readonly #kept: Buffer;
  readonly #now: Buffer;
  readonly #looked: Area[] = [];
  #globals: string[] = [];

  /** Keeps the present state. The rig has stepped at its present time, so that no timer is due. */
  constructor(rig: Rig) {
    this.#rig = rig;
    const { memory, rxSlots, rxSlotBytes, rxCapacity, rxLengths } =
      rig.core.area;
    this.#now = Buffer.from(memory.buffer);
    this.#kept = Buffer.alloc(memory.length);
    const counters = this.#findCounters();
    const free: Area[] = [
      { from: rxSlots, to: rxSlots + rxCapacity * rxSlotBytes },
      { from: rxLengths, to: rxLengths + rxCapacity * 4 },
      { from: counters, to: counters + Counter.end * 8 },
      { from: memory.length, to: memory.length },
    ];
    let from = 0;
    for (const area of free.sort((a, b) => a.from - b.from)) {
      this.#looked.push({ from, to: area.from });
      from = area.to;
    }
    this.keep();
  }

  /** From now on the present state is the one to compare with. */
  keep(): void {
    this.#now.copy(this.#kept);
    this.#globals = this.#readGlobals();
  }

  /** Where the state differs from the one that was kept; undefined if nowhere. */
  difference(): string | undefined {
    const globals = this.#readGlobals();
    const changed = globals.filter((line, i) => line !== this.#globals[i]);
    if (changed.length > 0) return `now ${changed.join(", ")}`;
    for (const { from, to } of this.#looked) {
      const kept = this.#kept.subarray(from, to);
      const now = this.#now.subarray(from, to);
      if (Buffer.compare(kept, now) === 0) continue;
      const at = kept.findIndex((byte, i) => byte !== now[i]);
      return `memory at ${from + at}: ${kept[at]} to ${now[at]}`;
    }
  }

  #readGlobals(): string[] {
    return [...this.#rig.core.globals]
      .map(([name, { value }]) => `${name} ${value}`);
  }

  /** Where the counters begin: the only place where all of them stand in order. */
  #findCounters(): number {
    const counters = Array.from(
      { length: Counter.end },
      (_, counter) => BigInt(this.#rig.core.counter(counter)),
    );
    const bytes = Buffer.from(BigUint64Array.from(counters).buffer);
    const at = this.#now.indexOf(bytes);
    assert(at >= 0, "the counters are somewhere");
    assert.equal(this.#now.indexOf(bytes, at + 1), -1, "and nowhere else");
    return at;
  }
}
