/** Batches: runs of one client's consecutive values, as `docs/wire.md` draws them. */
import { RUN_BYTES, RUN_CLIENT, RUN_SEQUENCE, VALUE_HEADER_BYTES } from "../layout";

const SEQUENCE_BITS = 48;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;
/** Most values of one run. */
export const RUN_VALUES_MAX: u32 = 0xffff;

export class Run {
  @inline static client(run: usize): u64 {
    return load<u64>(run, RUN_CLIENT);
  }
  @inline static first(run: usize): u64 {
    return load<u64>(run, RUN_SEQUENCE) & SEQUENCE_MASK;
  }
  @inline static count(run: usize): u32 {
    return <u32>(load<u64>(run, RUN_SEQUENCE) >> SEQUENCE_BITS);
  }
  @inline static set(run: usize, client: u64, first: u64, count: u32): void {
    store<u64>(run, client, RUN_CLIENT);
    store<u64>(run, first | (<u64>count << SEQUENCE_BITS), RUN_SEQUENCE);
  }
  /** Whether a run of so many values stays within the sequence numbers there are. */
  @inline static countable(first: u64, count: u32): bool {
    return first + count - 1 <= SEQUENCE_MASK;
  }
  /** The value behind the one at `value`. */
  @inline static next(value: usize): usize {
    return value + VALUE_HEADER_BYTES + <usize>load<u16>(value);
  }
  @inline static pad(at: usize): usize {
    return (at + 7) & ~7;
  }
  /** Where the run ends, padding included. */
  static end(run: usize): usize {
    let value = run + RUN_BYTES;
    for (let n = Run.count(run); n > 0; n--) value = Run.next(value);
    return Run.pad(value);
  }
}

/**
 * The number of values of a batch, or -1 when it is malformed: a run that has no values, no client,
 * sequence numbers outside 1 to 2^48 - 1, or values that reach beyond `bytes`.
 */
export function batchValues(batch: usize, bytes: u32): i32 {
  let values: u32 = 0;
  let run = batch;
  const end = batch + bytes;
  while (run < end) {
    if (end - run < RUN_BYTES) return -1;
    const count = Run.count(run);
    const first = Run.first(run);
    if (count == 0 || first == 0 || Run.client(run) == 0) return -1;
    if (!Run.countable(first, count)) return -1;
    let value = run + RUN_BYTES;
    for (let n = count; n > 0; n--) {
      if (value + VALUE_HEADER_BYTES > end) return -1;
      value = Run.next(value);
    }
    run = Run.pad(value);
    if (run > end) return -1;
    values += count;
  }
  return values;
}
