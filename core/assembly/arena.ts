/** Memory is taken once, at init, and never given back: a bump pointer from `__heap_base`. */

let top: usize = 0;

/** Begins; once, since only untouched memory is known to be zero. */
export function arenaInit(): void {
  assert(top == 0, "init was called twice");
  top = (__heap_base + 63) & ~63;
}

/**
 * Takes `bytes` of zeroed memory, aligned to 64 bytes; it costs no page of the host's until it is
 * written. Grows the memory when the pages at hand do not suffice; traps when the host's limit is
 * reached, before the node has said a word.
 */
export function arenaTake(bytes: usize): usize {
  const at = top;
  top = (at + bytes + 63) & ~63;
  const pages = <i32>((top + 0xffff) >>> 16);
  const have = memory.size();
  if (pages > have) assert(memory.grow(pages - have) >= 0, "memory limit reached");
  return at;
}

/** Bytes in use. */
export function arenaBytes(): usize {
  return top;
}
