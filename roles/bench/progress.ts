/** How far a bench is, and how long it will still take, on standard error. */

/** Steps with the time that each is expected to take. */
export class Progress {
  readonly #total_s: number;
  readonly #begun_ms: number = performance.now();
  readonly #rewrites: boolean = Deno.stderr.isTerminal();
  #done_s = 0;

  /** @param total_s What all steps are expected to take. */
  constructor(total_s: number) {
    this.#total_s = total_s;
  }

  /** Says what is done next. */
  say(what: string): void {
    const share = Math.round(this.#done_s * 100 / this.#total_s);
    const text = `bench: ${share} %, about ${
      clock(this.#left_s())
    } left: ${what}`;
    if (this.#rewrites) this.#write(`\r\x1b[K${text}`);
    else this.#write(`${text}\n`);
  }

  /** A step that was expected to take so long is over. */
  done(expected_s: number): void {
    this.#done_s += expected_s;
  }

  /** The line that is written again and again makes room. */
  end(): void {
    if (this.#rewrites) this.#write("\r\x1b[K");
  }

  /** At the pace of what is done; at the beginning as expected. */
  #left_s(): number {
    const took_s = (performance.now() - this.#begun_ms) / 1000;
    const pace = this.#done_s < this.#total_s / 20 ? 1 : took_s / this.#done_s;
    return Math.max(0, (this.#total_s - this.#done_s) * pace);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60
    ? `${whole} s`
    : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
