/**
 * Repairs of what only storage has: the host reads it after the step and hands it over, record by record.
 *
 * A node that asks for such instances gets them in frames like those that tell of the log. A step asks
 * storage for a few ranges and no more; whoever is not answered asks again. What storage does not have is
 * not told as nothing accepted, since damage must never pass for absence; a hole is, which is a record too.
 */
import {
  Counter,
  ENTRY_BYTES,
  Fetched,
  HOLE_BYTES,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Record,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_FORMAT,
  RECORD_INSTANCE,
  RECORD_KIND,
  STORAGE_FORMAT,
} from "../layout";
import { arenaTake } from "./arena";
import { count } from "./meters";
import { isRecordSound, recoveryAt } from "./records";
import { batchBytesMax, mtu, persistent } from "./settings";

/** Ranges that storage reads for one step. */
const FETCHES_MAX: i32 = 8;

/** A range that storage is to read. */
@unmanaged
export class Fetch {
  from: u64;
  end: u64;
  /** The repair that it answers, which stays where it is until the next step. */
  request: usize;
  /** Nothing further that storage has was asked for by the same repair. */
  isLast: bool;
}

let fetches: usize = 0;
/** Ranges that the last step asks storage for. */
export let fetchCount: i32 = 0;

export function fetchInit(): void {
  if (persistent) fetches = arenaTake(offsetof<Fetch>() * FETCHES_MAX);
}

/** Starts a step: the host has read what the last one asked for. */
export function fetchClear(): void {
  fetchCount = 0;
}

export function fetchAt(index: i32): Fetch {
  assert(index >= 0 && index < fetchCount, "no such fetch");
  return changetype<Fetch>(fetches + <usize>index * offsetof<Fetch>());
}

/** Has storage read what the repair asks for from `low` to before `end`. False: it asks for nothing there. */
export function fetchAsk(request: usize, low: u64, end: u64): bool {
  const ranges = load<u32>(request, RANGES_COUNT);
  let isAny = false;
  for (let r: u32 = 0; r < ranges; r++) {
    const range = request + RANGES_BYTES + <usize>r * RANGE_BYTES;
    const first = max(load<u64>(range), low);
    const last = min(load<u64>(range, 8), end);
    if (first >= last) continue;
    // It asks again for what is not told now.
    if (fetchCount == FETCHES_MAX) return true;
    if (isAny) fetchAt(fetchCount - 1).isLast = false;
    fetchCount++;
    const fetch = fetchAt(fetchCount - 1);
    fetch.from = first;
    fetch.end = last;
    fetch.request = request;
    fetch.isLast = true;
    isAny = true;
  }
  return isAny;
}

/**
 * Looks at the record at `recoveryAt`, of `bytes` bytes in all, which storage read for `fetch`. `more`: it is an
 * acceptance that was asked for, or a hole that reaches into what was; `enough`: it lies behind that.
 */
export function fetchCheck(fetch: Fetch, bytes: u32): Fetched {
  const at = recoveryAt;
  const instance = load<u64>(at, RECORD_INSTANCE);
  const kind = <i32>load<u16>(at, RECORD_KIND);
  const isHole = kind == Record.hole;
  const isSound = isRecordSound(bytes) && load<u32>(at, RECORD_FORMAT) == STORAGE_FORMAT && instance >= fetch.from &&
    (isHole ? isHoleSound() : (kind == Record.accept || kind == Record.fetched) && load<u64>(at, RECORD_BALLOT) != 0);
  if (!isSound) {
    count(Counter.damagedRecords);
    return Fetched.damaged;
  }
  if ((isHole ? holeFirst() : instance) >= fetch.end) return Fetched.enough;
  if (!isHole) fetch.from = instance + 1;
  return Fetched.more;
}

/** The first instance of the hole at `recoveryAt`. */
export function holeFirst(): u64 {
  return load<u64>(recoveryAt + RECORD_BYTES);
}

function isHoleSound(): bool {
  return load<u32>(recoveryAt, RECORD_BATCH_BYTES) == HOLE_BYTES && holeFirst() <= load<u64>(recoveryAt, RECORD_INSTANCE);
}

/** Whether a record of so many bytes in all can be told of within this MTU, which may have been larger once. */
export function fetchFits(bytes: u32): bool {
  if (bytes <= RECORD_BYTES + batchBytesMax) return true;
  count(Counter.oversizedRecords);
  return false;
}
