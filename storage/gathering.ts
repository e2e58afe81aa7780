/**
 * When the next commit should begin.
 *
 * Whoever was just answered comes back soon. A commit that begins at once takes only what came during the
 * last one, so those that were answered wait for it and then for their own: two groups take turns, and each
 * waits for two commits. To wait for them a little makes one group of both. It ends when as many records
 * are there as were under way, and after half of what a commit takes; where that is in vain, as with
 * values that come evenly, it is tried ever more seldom.
 */

/** Of the time that the last commit took. */
const WAIT_PART = 0.5;
const WAIT_MS_MAX = 2;
/** Commits that begin at once after waits in vain: at most. */
const SKIPS_MAX = 64;

export class Gathering {
  /** Records that were under way when the last commit ended, and the one before it. */
  #underWay = 0;
  #underWayBefore = 0;
  #until_ms = 0;
  /** The last commit ended with a wait of which nobody knows yet whether it is in vain. */
  #isOpen = false;
  #skips = 0;
  #skipsLeft = 0;

  /**
   * A commit ended.
   *
   * @param stored Records that it made durable.
   * @param waiting Records that gathered meanwhile.
   */
  ended(
    now_ms: number,
    took_ms: number,
    stored: number,
    waiting: number,
  ): void {
    this.#underWayBefore = this.#underWay;
    this.#underWay = stored + waiting;
    this.#isOpen = this.#skipsLeft-- <= 0;
    const wait_ms = Math.min(WAIT_PART * took_ms, WAIT_MS_MAX);
    this.#until_ms = this.#isOpen ? now_ms + wait_ms : 0;
  }

  /**
   * When `waiting` records, of which there is one at least, should be committed: now, or at the time
   * returned if no more come.
   */
  due_ms(now_ms: number, waiting: number): number {
    if (!this.#isOpen) return now_ms;
    const isAll = waiting >= Math.min(this.#underWay, this.#underWayBefore);
    if (!isAll && now_ms < this.#until_ms) return this.#until_ms;
    this.#isOpen = false;
    this.#skips = isAll ? 0 : Math.min(2 * this.#skips + 1, SKIPS_MAX);
    this.#skipsLeft = this.#skips;
    return now_ms;
  }
}
