/** When did something come to one of several files? Looks at their sizes again and again. */
import { now_ms } from "./watch.ts";

const LOOK_MS = 5;
/** A value and what is told of it are longer, a learner's word that it was started again is shorter. */
const LEAST_BYTES = 32;

/** Watches files that other processes append values to. */
export class Growth {
  /** The longest time without any growth so far, ms, and when it began, ms since 1970. */
  longest_ms = 0;
  longestFrom_ms = 0;
  readonly #sizes = new Map<string, number>();
  readonly #timer: ReturnType<typeof setInterval>;
  #last_ms = now_ms();
  #waiting: ((at_ms: number) => void)[] = [];

  /** @param files They may come later; asked at every look. */
  constructor(files: () => readonly string[]) {
    this.#timer = setInterval(() => this.#look(files()), LOOK_MS);
  }

  /** Resolves with the time of the next growth, ms since 1970. */
  next(): Promise<number> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(files: readonly string[]): void {
    let grew = false;
    for (const file of files) {
      const bytes = size(file);
      if (bytes >= (this.#sizes.get(file) ?? 0) + LEAST_BYTES) grew = true;
      this.#sizes.set(file, bytes);
    }
    const at_ms = now_ms();
    const pause_ms = at_ms - this.#last_ms;
    if (pause_ms > this.longest_ms) {
      this.longest_ms = pause_ms;
      this.longestFrom_ms = this.#last_ms;
    }
    if (!grew) return;
    this.#last_ms = at_ms;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(at_ms);
  }
}

function size(file: string): number {
  try {
    return Deno.statSync(file).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
