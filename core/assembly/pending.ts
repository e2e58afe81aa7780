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

/** Moves as many values as fit into `limit` bytes at `batch`; returns the bytes used. */
export function pendingTake(batch: usize, limit: u32): u32 {
  let at: u32 = 0;
  takenValues = 0;
  while (!pendingEmpty()) {
    if (headValue == 0) {
      const end = Run.end(head);
      const bytes = <u32>(end - head);
      if (at + bytes <= limit) {
        memory.copy(batch + at, head, bytes);
        takenValues += Run.count(head);
        at += bytes;
        dropHead(end);
        continue;
      }
      headValue = head + RUN_BYTES;
    }
    const taken = takePart(batch + at, limit - at);
    if (taken == 0) break;
    at += taken;
  }
  measure();
  return at;
}

/** Moves values of the first run, one by one, as a run of their own. */
function takePart(batch: usize, limit: u32): u32 {
  const client = Run.client(head);
  const first = Run.first(head);
  const count = Run.count(head);
  let value = headValue;
  let to = batch + RUN_BYTES;
  let n: u32 = 0;
  while (n < count) {
    const next = Run.next(value);
    const bytes = next - value;
    if (<u32>(Run.pad(to + bytes) - batch) > limit) break;
    memory.copy(to, value, bytes);
    to += bytes;
    value = next;
    n++;
  }
  if (n == 0) return 0;
  Run.set(batch, client, first, n);
  takenValues += n;
  const padded = Run.pad(to);
  memory.fill(to, 0, padded - to);
  if (n == count) {
    dropHead(Run.pad(value));
  } else {
    Run.set(head, client, first + n, count - n);
    headValue = value;
  }
  return <u32>(padded - batch);
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
