/**
 * Large values that are put together from their chunks.
 *
 * Chunks may come in any order, each once. A client has one large value under way at a time, and its
 * next one begins with a higher sequence number; so a chunk of a newer value ends an older one that
 * was given up, and a chunk of an older one comes too late.
 */
import {
  ASSEMBLIES_MAX,
  CHUNK_BYTES,
  CHUNK_FIRST,
  CHUNK_OFFSET,
  CHUNK_TOTAL,
  LARGE_BYTES_MAX,
} from "../layout";
import { arenaTake } from "./arena";

/** No room was reserved. */
export const NO_ASSEMBLY: u32 = 0xffffffff;

@unmanaged
class Assembly {
  /** Sequence number of the first chunk of the value under way; 0: none is. */
  first: u64;
  total: u32;
  /** Bytes that came. */
  filled: u32;
  reserved: bool;
}

let assemblies: usize = 0;
let buffers: usize = 0;
let assemblyCount: u32 = 0;

export function assembliesInit(assembliesMost: u32): void {
  assert(assembliesMost <= ASSEMBLIES_MAX, "assemblies out of range");
  assemblyCount = assembliesMost;
  assemblies = arenaTake(offsetof<Assembly>() * <usize>assembliesMost);
  buffers = arenaTake(<usize>LARGE_BYTES_MAX * <usize>assembliesMost);
}

/** Reserves room for one large value at a time; NO_ASSEMBLY: there is none. */
export function assemblyReserve(): u32 {
  for (let index: u32 = 0; index < assemblyCount; index++) {
    const assembly = at(index);
    if (assembly.reserved) continue;
    assembly.reserved = true;
    assembly.first = 0;
    return index;
  }
  return NO_ASSEMBLY;
}

export function assemblyRelease(index: u32): void {
  if (index != NO_ASSEMBLY) at(index).reserved = false;
}

/** Takes a chunk of `bytes` bytes, which is sound. Returns whether it belongs there. */
export function assemblyPut(index: u32, chunk: usize, bytes: u32): bool {
  const assembly = at(index);
  const first = load<u64>(chunk, CHUNK_FIRST);
  const total = load<u32>(chunk, CHUNK_TOTAL);
  if (first > assembly.first) {
    assembly.first = first;
    assembly.total = total;
    assembly.filled = 0;
  }
  const piece = bytes - CHUNK_BYTES;
  if (first < assembly.first || total != assembly.total || piece > total - assembly.filled) return false;
  memory.copy(assemblyBuffer(index) + load<u32>(chunk, CHUNK_OFFSET), chunk + CHUNK_BYTES, piece);
  assembly.filled += piece;
  return true;
}

/** Bytes of the value, if all of it is there; else 0. */
export function assemblyWhole(index: u32): u32 {
  const assembly = at(index);
  return assembly.filled == assembly.total ? assembly.total : 0;
}

export function assemblyBuffer(index: u32): usize {
  return buffers + <usize>index * LARGE_BYTES_MAX;
}

@inline
function at(index: u32): Assembly {
  return changetype<Assembly>(assemblies + <usize>index * offsetof<Assembly>());
}
