/** Memory that a process holds and does not need: given back to the kernel. */

const libc = Deno.dlopen("libc.so.6", {
  // int madvise(void *address, size_t bytes, int advice)
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int malloc_trim(size_t pad)
  malloc_trim: { parameters: ["usize"], result: "i32" },
}).symbols;

const MADV_DONTNEED = 4;

/**
 * Takes the pages of a mapped file out of this process' memory, whichever thread uses them: what is touched
 * again is mapped again, from the page cache. It is advice, which the kernel may refuse.
 */
export function letGo(address: bigint, bytes: bigint): void {
  libc.madvise(address, bytes, MADV_DONTNEED);
}

/** Gives back what was freed, which the C library keeps for later: a start leaves some 20 MB of it. */
export function trimHeap(): void {
  libc.malloc_trim(0n);
}
