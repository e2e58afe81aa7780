/** What a client prints: a line a second, and a summary; for people on stderr, for programs on stdout. */
import type { Figures, Summary } from "./meter.ts";

/** Prints a client's figures. */
export class ClientReport {
  readonly #json: boolean;
  #seconds = 0;

  /** @param json One JSON object a line on stdout in place of text on stderr. */
  constructor(json: boolean) {
    this.#json = json;
  }

  /** The figures of one second, and why nothing was decided in it, if that is so. */
  second(figures: Figures, unanswered: number, reason?: string): void {
    this.#seconds++;
    if (this.#json) {
      const { values, values_per_s, mbit_per_s, latency_us, retries } = figures;
      this.#printJson({
        second: this.#seconds,
        values,
        values_per_s,
        mbit_per_s,
        latency_us,
        retries,
        unanswered,
        reason,
      });
    } else if (reason === undefined) {
      this.#print(
        `${this.#clock()}  ${count(figures.values_per_s)} values/s  ` +
          `${figures.mbit_per_s.toFixed(2)} Mb/s  latency p50 ${
            duration(figures.latency_us.p50)
          } p99 ${duration(figures.latency_us.p99)}  retries ${
            count(figures.retries)
          }`,
      );
    }
    if (reason !== undefined) {
      this.#print(`${this.#clock()}  nothing decided: ${reason}`);
    }
  }

  /** The figures of the whole run. */
  summary(figures: Summary, unanswered: number, reason?: string): void {
    if (this.#json) {
      this.#printJson({ ...figures, unanswered });
    } else {
      const { latency_us: latency } = figures;
      this.#print(
        `${count(figures.values)} values decided, ${
          count(figures.values_per_s)
        } values/s, ${figures.mbit_per_s.toFixed(2)} Mb/s, retries ${
          count(figures.retries)
        }\n` +
          `latency p50 ${duration(latency.p50)}, p90 ${
            duration(latency.p90)
          }, p99 ${duration(latency.p99)}, p99.9 ${
            duration(latency.p999)
          }, max ${duration(latency.max)}`,
      );
    }
    if (unanswered > 0) {
      this.#print(
        `${count(unanswered)} values were submitted and not seen to be decided${
          reason === undefined ? "" : `: ${reason}`
        }`,
      );
    }
  }

  #clock(): string {
    return `${String(this.#seconds).padStart(3)} s`;
  }

  #print(text: string): void {
    console.error(text);
  }

  #printJson(value: unknown): void {
    console.log(JSON.stringify(value));
  }
}

/** "1,234,567". */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** A latency in the unit that suits it. */
export function duration(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(2)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}
