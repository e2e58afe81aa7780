/** The states of a world in the order in which they were found: each a row of node states, found once. */

/** Rows are compared number by number; the hash only says where to look. */
export class StateTable {
  readonly #width: number;
  #rows: Uint32Array;
  /** Row from which each was reached; of the first one itself. */
  #parents: Uint32Array;
  /** Row numbers plus one, by hash; 0: free. At most half is used. */
  #index: Uint32Array;
  #count = 0;

  /** @param width Numbers in a row. */
  constructor(width: number) {
    this.#width = width;
    this.#rows = new Uint32Array(width << 12);
    this.#parents = new Uint32Array(1 << 12);
    this.#index = new Uint32Array(1 << 13);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a row, reached from `parent`. Returns whether it is new; then its number is the highest. */
  add(row: ArrayLike<number>, parent: number): boolean {
    if (this.#count === this.#parents.length) this.#grow();
    const at = this.#find(row);
    if (this.#index[at] !== 0) return false;
    this.#rows.set(row, this.#count * this.#width);
    this.#parents[this.#count] = parent;
    this.#index[at] = ++this.#count;
    return true;
  }

  /** Copies row `n` to `row`. */
  read(n: number, row: Uint32Array): void {
    const from = n * this.#width;
    for (let i = 0; i < this.#width; i++) row[i] = this.#rows[from + i];
  }

  /** The rows from the first one to row `n`, each reached from the one before. */
  path(n: number): Uint32Array[] {
    const row = new Uint32Array(this.#width);
    this.read(n, row);
    return n === 0 ? [row] : [...this.path(this.#parents[n]), row];
  }

  /** Where the row stands in the index, or may be put. */
  #find(row: ArrayLike<number>): number {
    const width = this.#width;
    const mask = this.#index.length - 1;
    let hash = 0;
    for (let i = 0; i < width; i++) {
      hash = Math.imul(hash ^ row[i], 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const found = this.#index[at];
      if (found === 0) return at;
      const from = (found - 1) * width;
      let i = 0;
      while (i < width && this.#rows[from + i] === row[i]) i++;
      if (i === width) return at;
    }
  }

  #grow(): void {
    const rows = new Uint32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
    const parents = new Uint32Array(this.#parents.length * 2);
    parents.set(this.#parents);
    this.#parents = parents;
    this.#index = new Uint32Array(this.#index.length * 2);
    for (let n = 0; n < this.#count; n++) {
      const from = n * this.#width;
      const at = this.#find(rows.subarray(from, from + this.#width));
      this.#index[at] = n + 1;
    }
  }
}
