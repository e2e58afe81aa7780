/** When did a learner deliver? Every pause between two deliveries, as seen at the learner's standard output. */

/** What the thread that reads is started with. */
export interface WatchStart {
  /** A named pipe that the learner writes to. */
  readonly pipe: string;
  /** What was read is written here, for `kpaxos check`. */
  readonly file: string;
  /** Shorter pauses are not told. */
  readonly shortest_ms: number;
  /** Three f64: lines so far; when the last one came, ms; longest time between two reads that was spent on writing, ms. */
  readonly shared: SharedArrayBuffer;
}

/** A time without deliveries, in ms since 1970. */
export interface Pause {
  readonly from_ms: number;
  readonly to_ms: number;
}

const SHORTEST_MS = 2;

/** The clock of the stamps: milliseconds since 1970, monotonic, with fractions. */
export function now_ms(): number {
  return performance.timeOrigin + performance.now();
}

/** Watches what one learner delivers. */
export class Watch {
  /** The learner's standard output must go here. */
  readonly pipe: string;
  /** What it delivered. */
  readonly file: string;
  /** Pauses of 2 ms and longer, ascending. */
  readonly pauses: Pause[] = [];
  readonly #state = new Float64Array(new SharedArrayBuffer(24));
  readonly #worker: Worker;

  /** @param file Is made; the pipe beside it too. */
  constructor(file: string) {
    this.file = file;
    this.pipe = `${file}.pipe`;
    const { success } = new Deno.Command("mkfifo", { args: [this.pipe] })
      .outputSync();
    if (!success) throw new Error(`cannot make the pipe ${this.pipe}`);
    this.#worker = new Worker(import.meta.resolve("./watch_worker.ts"), {
      type: "module",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Pause>) => {
      this.pauses.push(data);
    };
    const start: WatchStart = {
      pipe: this.pipe,
      file,
      shortest_ms: SHORTEST_MS,
      shared: this.#state.buffer as SharedArrayBuffer,
    };
    this.#worker.postMessage(start);
  }

  /** Values delivered so far. */
  get delivered(): number {
    return this.#state[0];
  }

  /** The longest that the reader itself was away from the pipe: by so much a pause may be too long. */
  get away_ms(): number {
    return this.#state[2];
  }

  /** The longest pause between these times; what of a pause lies outside does not count, one that still lasts does. */
  longest(from_ms: number, to_ms: number): Pause {
    const last_ms = this.#state[1];
    const lasting: Pause = { from_ms: last_ms, to_ms: Infinity };
    let longest: Pause = { from_ms, to_ms: from_ms };
    for (const pause of [...this.pauses, lasting]) {
      const part = {
        from_ms: Math.max(pause.from_ms, from_ms),
        to_ms: Math.min(pause.to_ms, to_ms),
      };
      if (length_ms(part) > length_ms(longest)) longest = part;
    }
    return longest;
  }

  /** Ends the reader, also one whose learner never wrote. */
  close(): void {
    this.#worker.terminate();
    Deno.removeSync(this.pipe);
  }
}

/** How long a pause lasted. */
export function length_ms({ from_ms, to_ms }: Pause): number {
  return to_ms - from_ms;
}
