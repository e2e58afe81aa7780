/** Batches: runs of one client's consecutive values, as `docs/wire.md` draws them. */
import {
  CHUNK_BYTES,
  CHUNK_FIRST,
  CHUNK_OFFSET,
  CHUNK_TOTAL,
  Command,
  COMMAND_BORN,
  COMMAND_BYTES,
  COMMAND_FLAGS,
  COMMAND_KIND,
  COMMAND_RESERVE,
  LARGE_BYTES_MAX,
  RUN_BYTES,
  RUN_CLIENT,
  RUN_SEQUENCE,
  VALUE_CHUNK,
  VALUE_HEADER_BYTES,
} from "../layout";

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
  /** Bytes of the value at `value`, without its length. */
  @inline static bytes(value: usize): u32 {
    return <u32>load<u16>(value) & ~VALUE_CHUNK;
  }
  @inline static isChunk(value: usize): bool {
    return (<u32>load<u16>(value) & VALUE_CHUNK) != 0;
  }
  /** The value behind the one at `value`. */
  @inline static next(value: usize): usize {
    return value + VALUE_HEADER_BYTES + <usize>Run.bytes(value);
  }
  @inline static pad(at: usize): usize {
    return (at + 7) & ~7;
  }
  /** Whether one of its values is a chunk. */
  static hasChunk(run: usize): bool {
    let value = run + RUN_BYTES;
    for (let n = Run.count(run); n > 0; n--) {
      if (Run.isChunk(value)) return true;
      value = Run.next(value);
    }
    return false;
  }
  /** Where the run ends, padding included. */
  static end(run: usize): usize {
    let value = run + RUN_BYTES;
    for (let n = Run.count(run); n > 0; n--) value = Run.next(value);
    return Run.pad(value);
  }
}

/** Whether the only value of a run without a sequence number is a command. */
function commandSound(value: usize): bool {
  if (load<u16>(value) != COMMAND_BYTES) return false;
  const command = value + VALUE_HEADER_BYTES;
  const kind = load<u32>(command, COMMAND_KIND);
  if (load<u64>(command, COMMAND_BORN) == 0) return false;
  if (kind == Command.open) return load<u32>(command, COMMAND_FLAGS) <= COMMAND_RESERVE;
  return kind == Command.close && load<u32>(command, COMMAND_FLAGS) == 0;
}

/** Whether the chunk at `value` lies within its large value, and that within the limit. */
function chunkSound(value: usize): bool {
  const bytes = Run.bytes(value);
  if (bytes <= CHUNK_BYTES) return false;
  const chunk = value + VALUE_HEADER_BYTES;
  const total = load<u32>(chunk, CHUNK_TOTAL);
  const offset = load<u32>(chunk, CHUNK_OFFSET);
  return total <= LARGE_BYTES_MAX && offset <= total && bytes - CHUNK_BYTES <= total - offset &&
    load<u64>(chunk, CHUNK_FIRST) != 0;
}

/**
 * The number of values of a batch, or -1 when it is malformed: a run that has no values, no client,
 * sequence numbers beyond 2^48 - 1, or 0 but for one command; values that reach beyond `bytes`, or
 * chunks beyond their large value.
 */
export function batchValues(batch: usize, bytes: u32): i32 {
  let values: u32 = 0;
  let run = batch;
  const end = batch + bytes;
  while (run < end) {
    if (end - run < RUN_BYTES) return -1;
    const count = Run.count(run);
    const first = Run.first(run);
    if (count == 0 || Run.client(run) == 0) return -1;
    if (first == 0 ? count != 1 : !Run.countable(first, count)) return -1;
    let value = run + RUN_BYTES;
    for (let n = count; n > 0; n--) {
      if (value + VALUE_HEADER_BYTES > end) return -1;
      const next = Run.next(value);
      if (next > end || (Run.isChunk(value) && !chunkSound(value))) return -1;
      value = next;
    }
    if (first == 0 && !commandSound(run + RUN_BYTES)) return -1;
    run = Run.pad(value);
    if (run > end) return -1;
    values += count;
  }
  return values;
}
