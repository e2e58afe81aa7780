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
  /** When something was sent that was sent before too, and is answered; and when that was. 0: none. */
  private doubtful_us: u64;
  private doubtfulAt_us: u64;

  static make(): RoundTrip {
    return changetype<RoundTrip>(arenaTake(offsetof<RoundTrip>()));
  }

  /** What was sent last at `sentAt_us` is answered. */
  answered(sentAt_us: u64, tries: u32, now_us: u64): void {
    if (tries != 1) {
      // Which of several tries was answered nobody knows (Karn's rule). If it was an early one, the answers
      // to what was sent after that follow within a round trip.
      if (this.doubtful_us == 0) {
        this.doubtful_us = sentAt_us;
        this.doubtfulAt_us = now_us;
      }
      return;
    }
    if (sentAt_us > this.newest_us) this.newest_us = sentAt_us;
    const sample_us = now_us - sentAt_us;
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
  overtaken(sentAt_us: u64, tries: u32, now_us: u64): bool {
    if (now_us >= this.certainAt_us()) {
      this.newest_us = max(this.newest_us, this.doubtful_us);
      this.doubtful_us = 0;
    }
    const reordering_us = max(this.smoothed_us >> 1, REORDERING_US);
    return this.newest_us > sentAt_us + (reordering_us << min(tries - 1, DOUBLINGS_MAX));
  }

  /** When a doubtful answer counts, and so more may turn out to be lost. */
  certainAt_us(): u64 {
    return this.doubtful_us == 0 ? u64.MAX_VALUE : this.doubtfulAt_us + max(this.smoothed_us, REORDERING_US);
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
