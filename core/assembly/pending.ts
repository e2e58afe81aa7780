/**
 * Values that wait at the leader for room in the window: a bounded ring of runs, first in, first out.
 *
 * Runs are laid one after another as on the wire and never wrap. The first run may have been used in
 * part; then its header says what is left and `headValue` points at the next value.
 */
import { Gauge, RUN_BYTES } from "../layout";
import { arenaTake } from "./arena";
import { Run } from "./batch";
import { gauge } from "./meters";

/** Bytes of the queue. */
export const QUEUE_BYTES: usize = 4 << 20;
/**
 * A queue of this length keeps the window full while clients answer to what they are told; a longer one only
 * makes values wait. The rest is for what is under way already, and for clients that have not heard.
 */
const LONG_BYTES: usize = QUEUE_BYTES >> 3;

let ring: usize = 0;
let head: usize = 0;
let tail: usize = 0;
/** End of the runs in the ring's upper part when the tail has wrapped below the head; 0: it has not. */
let wrap: usize = 0;
let headValue: usize = 0;
/** Values taken into the batch by the last `pendingTake`. */
export let takenValues: u32 = 0;

export function pendingInit(): void {
  ring = arenaTake(QUEUE_BYTES);
  pendingClear();
}

export function pendingClear(): void {
  head = ring;
  tail = ring;
  wrap = 0;
  headValue = 0;
  takenValues = 0;
  gauge(Gauge.pendingBytes, 0);
}

export function pendingEmpty(): bool {
  return head == tail && wrap == 0;
}

/** Clients should send less. */
export function pendingIsLong(): bool {
  return pendingBytes() > LONG_BYTES;
}

/** Room for a run of `bytes`, or 0 when the ring is full; `pendingPush` makes it part of the queue. */
export function pendingRoom(bytes: usize): usize {
  if (pendingEmpty()) {
    // An empty queue starts over, so that the head never stands at the end of an empty upper part.
    head = ring;
    tail = ring;
  }
  if (wrap != 0) return head - tail > bytes ? tail : 0;
  if (ring + QUEUE_BYTES - tail >= bytes) return tail;
  if (head - ring <= bytes) return 0;
  wrap = tail;
  tail = ring;
  return tail;
}

/** Adds the run that was written where `pendingRoom` said. */
export function pendingPush(end: usize): void {
  tail = end;
  measure();
}

/**
 * Moves as many values as fit into `snug` bytes at `batch`, at most `valuesMax`, or into `limit` where values
 * are so long that they would leave an eighth of the former empty; returns the bytes used.
 */
export function pendingTake(batch: usize, snug: u32, limit: u32, valuesMax: u32): u32 {
  let at: u32 = 0;
  takenValues = 0;
  while (!pendingEmpty() && takenValues < valuesMax) {
    if (headValue == 0) {
      const end = Run.end(head);
      const bytes = <u32>(end - head);
      if (at + bytes <= snug && Run.count(head) <= valuesMax - takenValues) {
        memory.copy(batch + at, head, bytes);
        takenValues += Run.count(head);
        at += bytes;
        dropHead(end);
        continue;
      }
      headValue = head + RUN_BYTES;
    }
    const taken = takePart(batch, at, snug, limit, valuesMax - takenValues);
    if (taken == 0) break;
    at += taken;
  }
  measure();
  return at;
}

/** Moves values of the first run, as a run of their own, to where `at` bytes of the batch are taken; returns its bytes. */
function takePart(batch: usize, at: u32, snug: u32, limit: u32, valuesMax: u32): u32 {
  const run = batch + at;
  const client = Run.client(head);
  const first = Run.first(head);
  const count = Run.count(head);
  let value = headValue;
  let used = at;
  let n: u32 = 0;
  const most = min(count, valuesMax);
  while (n < most) {
    const next = Run.next(value);
    const end = (n == 0 ? at + RUN_BYTES : used) + <u32>(next - value);
    const padded = <u32>Run.pad(end);
    const isSnug = used <= snug && used >= snug - (snug >> 3);
    if (padded > limit || (padded > snug && isSnug)) break;
    used = end;
    value = next;
    n++;
  }
  if (n == 0) return 0;
  memory.copy(run + RUN_BYTES, headValue, value - headValue);
  Run.set(run, client, first, n);
  takenValues += n;
  const padded = <u32>Run.pad(used);
  memory.fill(batch + used, 0, padded - used);
  if (n == count) {
    dropHead(Run.pad(value));
  } else {
    Run.set(head, client, first + n, count - n);
    headValue = value;
  }
  return padded - at;
}

function dropHead(end: usize): void {
  head = end;
  headValue = 0;
  if (head == wrap) {
    head = ring;
    wrap = 0;
  }
}

function pendingBytes(): usize {
  return wrap != 0 ? wrap - head + (tail - ring) : tail - head;
}

function measure(): void {
  gauge(Gauge.pendingBytes, pendingBytes());
}
