/**
 * What keeps an idle node asleep: what it costs is how often it wakes up, not what it does then.
 *
 * What a node says again and again and nobody waits for is said this much before it is due, if the
 * node is awake anyway. That is a little more than the default heartbeat interval: so followers say
 * all they have to say when a heartbeat comes, and a leader when it sends one.
 */
export const SLACK_US: u64 = 30_000;
