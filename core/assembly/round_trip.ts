/**
 * How long an answer may take: smoothed round trip and deviation (Jacobson, "Congestion Avoidance and
 * Control", 1988); and what was lost for certain enough to be repeated before that: what was sent
 * clearly before something that is answered already (RACK, RFC 8985).
 */
import { arenaTake } from "./arena";

/** Answers that overtake each other by less than this say nothing. */
const REORDERING_US: u64 = 200;
const DOUBLINGS_MAX: u32 = 5;
const PROBE_MIN_US: u64 = 1_000;

@unmanaged
export class RoundTrip {
  private smoothed_us: u64;
  private deviation_us: u64;
  /** When the newest of all that was answered was sent. */
  private newest_us: u64;

  static make(): RoundTrip {
    return changetype<RoundTrip>(arenaTake(offsetof<RoundTrip>()));
  }

  /** What was sent last at `sentAt_us` is answered. */
  answered(sentAt_us: u64, tries: u32, now_us: u64): void {
    const sample_us = now_us - sentAt_us;
    // An answer that comes at once is one to an earlier try.
    if (sentAt_us > this.newest_us && (tries == 1 || sample_us >= this.smoothed_us >> 1)) {
      this.newest_us = sentAt_us;
    }
    // Which of several tries was answered nobody knows (Karn's rule).
    if (tries != 1) return;
    if (this.smoothed_us == 0) {
      this.smoothed_us = sample_us;
      this.deviation_us = sample_us >> 1;
      return;
    }
    const error = sample_us > this.smoothed_us
      ? sample_us - this.smoothed_us
      : this.smoothed_us - sample_us;
    this.deviation_us = (this.deviation_us * 3 + error) >> 2;
    this.smoothed_us = (this.smoothed_us * 7 + sample_us) >> 3;
  }

  /** Whether what was sent last at `sentAt_us` is lost, or its answer is; the more tries, the less sure. */
  overtaken(sentAt_us: u64, tries: u32): bool {
    const reordering_us = max(this.smoothed_us >> 1, REORDERING_US);
    return this.newest_us > sentAt_us + (reordering_us << min(tries - 1, DOUBLINGS_MAX));
  }

  /** After how long to try whether the oldest was lost: `first_us` while nothing was measured. */
  probe_us(first_us: u64): u64 {
    return this.smoothed_us == 0 ? first_us : max(this.smoothed_us << 1, PROBE_MIN_US);
  }

  /** After how long to repeat what is unanswered: `first_us` while nothing was measured, and never outside the bounds. */
  timeout_us(first_us: u64, least_us: u64, most_us: u64): u64 {
    if (this.smoothed_us == 0) return min(first_us, most_us);
    return min(max(this.smoothed_us * 2 + this.deviation_us * 4, least_us), most_us);
  }
}
