/** A set of whole numbers, kept as ranges. Most sets here are one range that grows at its end. */

export class Ranges {
  /** Beginnings and ends in turn. Invariant: ascending, none equal. */
  readonly #bounds: number[] = [];

  /** How many ranges there are. */
  get count(): number {
    return this.#bounds.length / 2;
  }

  /** First number of range `i`. */
  first(i: number): number {
    return this.#bounds[2 * i];
  }

  /** One past the last number of range `i`. */
  end(i: number): number {
    return this.#bounds[2 * i + 1];
  }

  add(number: number): void {
    const bounds = this.#bounds;
    let at = bounds.length;
    while (at > 0 && bounds[at - 1] > number) at--;
    // Between a beginning and its end: it is there.
    if (at % 2 === 1) return;
    const grows = at > 0 && bounds[at - 1] === number;
    const meets = at < bounds.length && bounds[at] === number + 1;
    if (grows && meets) bounds.splice(at - 1, 2);
    else if (grows) bounds[at - 1]++;
    else if (meets) bounds[at]--;
    else bounds.splice(at, 0, number, number + 1);
  }

  /** Adds the numbers from `first` to one below `end`; none of them, nor of their neighbours, is there. */
  addRange(first: number, end: number): void {
    const { length } = this.#bounds;
    let at = length;
    while (at > 0 && this.#bounds[at - 1] > first) at--;
    this.#bounds.splice(at, 0, first, end);
  }

  /** Removes all numbers below `limit`. */
  removeBelow(limit: number): void {
    const bounds = this.#bounds;
    while (bounds.length > 0 && bounds[1] <= limit) bounds.splice(0, 2);
    if (bounds.length > 0 && bounds[0] < limit) bounds[0] = limit;
  }

  /** Becomes what `other` is. */
  copy(other: Ranges): void {
    this.#bounds.length = other.#bounds.length;
    for (let i = 0; i < this.#bounds.length; i++) {
      this.#bounds[i] = other.#bounds[i];
    }
  }
}
