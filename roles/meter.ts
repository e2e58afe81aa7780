/** A client's figures: values, bytes and latencies, of the last second and of the whole run. */
import { Histogram } from "./histogram.ts";

/** Latencies in µs. */
export interface Latencies {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

/** The figures of a second, or of a whole run. */
export interface Figures {
  values: number;
  values_per_s: number;
  mbit_per_s: number;
  latency_us: Latencies;
  retries: number;
}

/** The figures of a whole run. */
export interface Summary extends Figures {
  /** Pairs of a percentile, 0 to 100, and the latency in µs that so many per cent of the values were within. */
  percentiles_us: readonly (readonly [number, number])[];
}

/** Dense where they rise steeply, as a plot against 1 / (1 - percentile) needs them. */
const PERCENTILES = [
  ...[0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75],
  ...[99.9, 99.95, 99.975, 99.99, 99.995, 99.999, 99.9999, 100],
];

/** Collects the answers of one span of time. */
class Span {
  readonly latencies = new Histogram();
  from_us: number;
  retries: number;

  constructor(now_us: number, retries: number) {
    this.from_us = now_us;
    this.retries = retries;
  }

  figures(now_us: number, retries: number, valueBytes: number): Figures {
    const seconds = Math.max((now_us - this.from_us) / 1e6, 1e-6);
    const { count, max } = this.latencies;
    const rate = count / seconds;
    const at = (percentile: number) => this.latencies.percentile(percentile);
    return {
      values: count,
      values_per_s: Math.round(rate),
      mbit_per_s: Math.round(rate * valueBytes * 8 / 1e4) / 100,
      latency_us: {
        p50: at(50),
        p90: at(90),
        p99: at(99),
        p999: at(99.9),
        max,
      },
      retries: retries - this.retries,
    };
  }

  percentiles_us(): Summary["percentiles_us"] {
    if (this.latencies.count === 0) return [];
    return PERCENTILES.map((it) => [it, this.latencies.percentile(it)]);
  }

  restart(now_us: number, retries: number): void {
    this.latencies.reset();
    this.from_us = now_us;
    this.retries = retries;
  }
}

/** Figures of the running second and of the run, with latencies in a histogram of fixed size. */
export class Meter {
  readonly #second: Span;
  readonly #run: Span;
  #bytes = 0;
  #submitted = 0;

  constructor(now_us: number) {
    this.#second = new Span(now_us, 0);
    this.#run = new Span(now_us, 0);
  }

  /** A value of so many bytes was submitted. */
  submit(bytes: number): void {
    this.#bytes += bytes;
    this.#submitted++;
  }

  /** A value was decided after so many µs. */
  record(latency_us: number): void {
    this.#second.latencies.record(Math.max(1, latency_us));
  }

  /** The figures since the last call. */
  second(now_us: number, retries: number): Figures {
    const figures = this.#second.figures(now_us, retries, this.#meanBytes());
    this.#run.latencies.add(this.#second.latencies);
    this.#second.restart(now_us, retries);
    return figures;
  }

  /** The run begins only now: what came before was warming up. */
  begin(now_us: number, retries: number): void {
    this.#run.restart(now_us, retries);
    this.#second.restart(now_us, retries);
  }

  /** The figures since the start, or since `begin`. */
  summary(now_us: number, retries: number): Summary {
    const run = this.#run;
    run.latencies.add(this.#second.latencies);
    this.#second.latencies.reset();
    return {
      ...run.figures(now_us, retries, this.#meanBytes()),
      percentiles_us: run.percentiles_us(),
    };
  }

  #meanBytes(): number {
    return this.#submitted === 0 ? 0 : this.#bytes / this.#submitted;
  }
}
