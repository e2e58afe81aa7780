/** What the host reads about the node: counters, gauges and a few events a step. */
import {
  Counter,
  EVENT_BYTES,
  EVENT_CODE,
  EVENT_LARGE,
  EVENT_SMALL,
  EVENTS_MAX,
  Gauge,
} from "../layout";

export const counters = memory.data(128 * 8, 8);
export const gauges = memory.data(64 * 8, 8);
export const events = memory.data(EVENTS_MAX * EVENT_BYTES, 8);
export let eventCount: i32 = 0;

export function metersReset(): void {
  memory.fill(counters, 0, <usize>Counter.end * 8);
  memory.fill(gauges, 0, <usize>Gauge.end * 8);
  eventCount = 0;
}

export function count(counter: i32, by: u64 = 1): void {
  const at = counters + (<usize>counter << 3);
  store<u64>(at, load<u64>(at) + by);
}

export function counted(counter: i32): u64 {
  return load<u64>(counters + (<usize>counter << 3));
}

export function gauge(key: i32, value: u64): void {
  store<u64>(gauges + (<usize>key << 3), value);
}

export function gauged(key: i32): u64 {
  return load<u64>(gauges + (<usize>key << 3));
}

/** Notes an event for the host; the newest are lost when it does not read them every step. */
export function note(code: i32, small: u32, large: u64): void {
  if (eventCount == EVENTS_MAX) return;
  const at = events + <usize>(eventCount++ * EVENT_BYTES);
  store<u32>(at + EVENT_CODE, code);
  store<u32>(at + EVENT_SMALL, small);
  store<u64>(at + EVENT_LARGE, large);
}

export function eventsClear(): void {
  eventCount = 0;
}
