/** How long an answer may take: smoothed round trip and deviation (Jacobson, "Congestion Avoidance and Control", 1988). */
import { arenaTake } from "./arena";

@unmanaged
export class RoundTrip {
  private smoothed_us: u64;
  private deviation_us: u64;

  static make(): RoundTrip {
    return changetype<RoundTrip>(arenaTake(offsetof<RoundTrip>()));
  }

  /** Takes the round trip of what was sent once; what was sent twice says nothing (Karn's rule). */
  measure(sample_us: u64): void {
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

  /** After how long to repeat what is unanswered: `first_us` while nothing was measured, and never outside the bounds. */
  timeout_us(first_us: u64, least_us: u64, most_us: u64): u64 {
    if (this.smoothed_us == 0) return min(first_us, most_us);
    return min(max(this.smoothed_us * 2 + this.deviation_us * 4, least_us), most_us);
  }
}
