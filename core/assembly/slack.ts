/**
 * What keeps an idle node asleep: what it costs is how often it wakes up, not what it does then.
 *
 * What a node says again and again and nobody waits for is said this much before it is due, if the
 * node is awake anyway. That is a little more than the default heartbeat interval: so followers say
 * all they have to say when a heartbeat comes, and a leader when it sends one.
 */
const SLACK_US: u64 = 30_000;

/** How much earlier than each `period_us` something may be. Never as much as the period: it would be due at each step. */
export function slackOf(period_us: u64): u64 {
  return min(SLACK_US, period_us >> 1);
}
