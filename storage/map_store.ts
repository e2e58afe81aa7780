/** A store in plain memory, which tests and the simulator take for a disk: all or nothing, and nothing is lost. */
import type { Store, Table } from "./store.ts";

/** What each value takes besides its bytes, as in a real store. */
const OVERHEAD_BYTES = 16;

/** One table: values by key, and the keys in order. */
class Rows {
  readonly values = new Map<number, Uint8Array>();
  /** Invariant: ascending. */
  keys: number[] = [];

  /** Index of the first key that is not below `key`. */
  place(key: number): number {
    const { keys } = this;
    if (keys.length === 0 || keys[keys.length - 1] < key) return keys.length;
    let [low, high] = [0, keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts a value, or takes it away: undefined. Returns what was there. */
  set(key: number, value: Uint8Array | undefined): Uint8Array | undefined {
    const before = this.values.get(key);
    if (value !== undefined) {
      if (before === undefined) this.keys.splice(this.place(key), 0, key);
      this.values.set(key, value);
    } else if (before !== undefined) {
      this.keys.splice(this.place(key), 1);
      this.values.delete(key);
    }
    return before;
  }
}

/** What was there before a transaction changed it. */
interface Change {
  readonly table: Table;
  readonly key: number;
  readonly before: Uint8Array | undefined;
}

export class MapStore implements Store {
  bytesMax = Infinity;
  /** Bytes that values take, with what keeping each costs. */
  bytes = 0;
  readonly #tables = [new Rows(), new Rows(), new Rows(), new Rows()];
  /** Of the transaction under way; undefined: there is none. */
  #changes?: Change[];

  begin(): void {
    if (this.#changes !== undefined) throw new Error("begun twice");
    this.#changes = [];
  }

  put(
    table: Table,
    key: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#change(table, key, bytes.slice(offset, offset + length));
  }

  remove(table: Table, key: number): void {
    this.#change(table, key, undefined);
  }

  removeBelow(table: Table, end: number, most: number): number {
    const { keys } = this.#tables[table];
    let count = 0;
    while (count < most && count < keys.length && keys[count] < end) count++;
    for (const key of keys.slice(0, count)) this.#change(table, key, undefined);
    return count;
  }

  commit(): void {
    this.#mustBeBegun();
    this.#changes = undefined;
  }

  abort(): void {
    const changes = this.#mustBeBegun();
    for (const { table, key, before } of changes.reverse()) {
      this.#set(table, key, before);
    }
    this.#changes = undefined;
  }

  sync(): void {}

  get(table: Table, key: number): Uint8Array | undefined {
    return this.#tables[table].values.get(key);
  }

  walk(
    table: Table,
    from: number,
    visit: (key: number, value: Uint8Array) => boolean,
  ): void {
    const rows = this.#tables[table];
    for (let i = rows.place(from); i < rows.keys.length; i++) {
      const key = rows.keys[i];
      if (!visit(key, rows.values.get(key)!)) return;
    }
  }

  first(table: Table): number | undefined {
    return this.#tables[table].keys[0];
  }

  last(table: Table): number | undefined {
    return this.#tables[table].keys.at(-1);
  }

  count(table: Table): number {
    return this.#tables[table].keys.length;
  }

  close(): void {}

  /** Not a store's business, but a fault's: the table loses a key, or what it holds is another value. */
  damage(table: Table, key: number, value: Uint8Array | undefined): void {
    this.#set(table, key, value);
  }

  #change(table: Table, key: number, value: Uint8Array | undefined): void {
    const changes = this.#mustBeBegun();
    changes.push({ table, key, before: this.#set(table, key, value) });
  }

  #set(
    table: Table,
    key: number,
    value: Uint8Array | undefined,
  ): Uint8Array | undefined {
    const before = this.#tables[table].set(key, value);
    if (value !== undefined) this.bytes += value.length + OVERHEAD_BYTES;
    if (before !== undefined) this.bytes -= before.length + OVERHEAD_BYTES;
    return before;
  }

  #mustBeBegun(): Change[] {
    if (this.#changes === undefined) throw new Error("no transaction is begun");
    return this.#changes;
  }
}
