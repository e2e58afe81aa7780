/**
 * Large values that are put together from their chunks.
 *
 * Chunks may come in any order, each once. A client has one large value under way at a time, and its
 * next one begins with a higher sequence number; so a chunk of a newer value ends an older one that
 * was given up, and a chunk of an older one comes too late. What no chunk brought is 0, whatever the memory
 * held before: a value is a function of its chunks.
 */
import {
  ASSEMBLIES_MAX,
  CHUNK_BYTES,
  CHUNK_FIRST,
  CHUNK_OFFSET,
  CHUNK_TOTAL,
  KEPT_ASSEMBLY_BYTES,
  KEPT_ASSEMBLY_FILLED,
  KEPT_ASSEMBLY_FIRST,
  KEPT_ASSEMBLY_RESERVED,
  KEPT_ASSEMBLY_TOTAL,
  KEPT_ASSEMBLY_TOUCHED,
  LARGE_BYTES_MAX,
  PIECE_BYTES,
  RecoveryFault,
} from "../layout";
import { arenaTake } from "./arena";
import { persistent } from "./settings";

/** No room was reserved. */
export const NO_ASSEMBLY: u32 = 0xffffffff;
/** Pieces of one assembly: a bit each. */
export const PIECES: u64 = 64;

@unmanaged
class Assembly {
  /** Sequence number of the first chunk of the value under way; 0: none is. */
  first: u64;
  total: u32;
  /** Bytes that came. */
  filled: u32;
  reserved: bool;
  /** Bits of the pieces, `PIECE_BYTES` each, that chunks of the value under way have touched. */
  touched: u64;
  /** Those of them that changed since the last checkpoint; after one is taken back, those that were. With storage only. */
  dirty: u64;
}

let assemblies: usize = 0;
let buffers: usize = 0;
export let assembliesMost: u32 = 0;
/** Bits of the assemblies that changed since the last checkpoint, and pieces of all that did. With storage only. */
export let dirtyAssemblies: u32 = 0;
export let dirtyPieces: u32 = 0;

export function assembliesInit(most: u32): void {
  assert(most <= ASSEMBLIES_MAX, "assemblies out of range");
  assembliesMost = most;
  assemblies = arenaTake(offsetof<Assembly>() * <usize>most);
  buffers = arenaTake(<usize>LARGE_BYTES_MAX * <usize>most);
}

/** Reserves room for one large value at a time; NO_ASSEMBLY: there is none. */
export function assemblyReserve(): u32 {
  for (let index: u32 = 0; index < assembliesMost; index++) {
    const assembly = at(index);
    if (assembly.reserved) continue;
    assembly.reserved = true;
    assembly.first = 0;
    clear(index);
    return index;
  }
  return NO_ASSEMBLY;
}

export function assemblyRelease(index: u32): void {
  if (index == NO_ASSEMBLY) return;
  at(index).reserved = false;
  clear(index);
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
    clear(index);
  }
  const piece = bytes - CHUNK_BYTES;
  if (first < assembly.first || total != assembly.total || piece > total - assembly.filled) return false;
  const offset = load<u32>(chunk, CHUNK_OFFSET);
  touch(index, offset, offset + piece);
  memory.copy(assemblyBuffer(index) + offset, chunk + CHUNK_BYTES, piece);
  assembly.filled += piece;
  return true;
}

/** Bytes of the value, if all of it is there, to be delivered at once; else 0. */
export function assemblyWhole(index: u32): u32 {
  const assembly = at(index);
  if (assembly.filled != assembly.total) return 0;
  // Chunks that overlap have left others out.
  touch(index, 0, assembly.total);
  clear(index);
  return assembly.total;
}

export function assemblyBuffer(index: u32): usize {
  return buffers + <usize>index * LARGE_BYTES_MAX;
}

/** Whether the assembly is there, and somebody's. */
export function assemblyIsReserved(index: u32): bool {
  return index < assembliesMost && at(index).reserved;
}

/** Writes what a checkpoint keeps of an assembly besides its pieces: `KEPT_ASSEMBLY_BYTES`. */
export function assemblyKeep(index: u32, to: usize): void {
  const assembly = at(index);
  store<u64>(to, assembly.first, KEPT_ASSEMBLY_FIRST);
  store<u64>(to, assembly.touched, KEPT_ASSEMBLY_TOUCHED);
  store<u32>(to, assembly.total, KEPT_ASSEMBLY_TOTAL);
  store<u32>(to, assembly.filled, KEPT_ASSEMBLY_FILLED);
  store<u32>(to, assembly.reserved ? 1 : 0, KEPT_ASSEMBLY_RESERVED);
  store<u32>(to, 0, KEPT_ASSEMBLY_RESERVED + 4);
}

/** Bits of the pieces that changed, all of which a checkpoint now keeps. */
export function assemblyTakeDirty(index: u32): u64 {
  const pieces = at(index).dirty;
  at(index).dirty = 0;
  dirtyPieces -= <u32>popcnt(pieces);
  dirtyAssemblies &= ~(1 << index);
  return pieces;
}

/** Takes back what `assemblyKeep` wrote. */
export function assemblyRestore(index: u64, kept: usize, bytes: u32): i32 {
  if (index >= assembliesMost) return RecoveryFault.limits;
  const assembly = at(<u32>index);
  assembly.first = load<u64>(kept, KEPT_ASSEMBLY_FIRST);
  assembly.touched = load<u64>(kept, KEPT_ASSEMBLY_TOUCHED);
  assembly.total = load<u32>(kept, KEPT_ASSEMBLY_TOTAL);
  assembly.filled = load<u32>(kept, KEPT_ASSEMBLY_FILLED);
  assembly.reserved = load<u32>(kept, KEPT_ASSEMBLY_RESERVED) != 0;
  const isSound = bytes == KEPT_ASSEMBLY_BYTES && assembly.total <= LARGE_BYTES_MAX &&
    assembly.filled <= assembly.total;
  return isSound ? RecoveryFault.none : RecoveryFault.assembly;
}

/** Takes back a piece; its assembly was taken back before. */
export function assemblyRestorePiece(key: u64, piece: usize, bytes: u32): i32 {
  const index = <u32>(key / PIECES);
  if (key / PIECES >= assembliesMost) return RecoveryFault.limits;
  if (bytes != PIECE_BYTES) return RecoveryFault.piece;
  const bit = <u64>1 << (key % PIECES);
  // One of a value that is over.
  if ((at(index).touched & bit) == 0) return RecoveryFault.none;
  at(index).dirty |= bit;
  memory.copy(assemblyBuffer(index) + <usize>(key % PIECES) * PIECE_BYTES, piece, PIECE_BYTES);
  return RecoveryFault.none;
}

/** Whether all pieces were taken back, and the bits are those of the assemblies that are somebody's. */
export function assembliesRestored(reserved: u32): bool {
  for (let index: u32 = 0; index < assembliesMost; index++) {
    const assembly = at(index);
    if (assembly.dirty != assembly.touched || assembly.reserved != ((reserved & (1 << index)) != 0)) return false;
    assembly.dirty = 0;
  }
  return true;
}

/** Nothing that the assembly holds is needed any more. */
function clear(index: u32): void {
  const assembly = at(index);
  assembly.touched = 0;
  if (!persistent) return;
  dirtyPieces -= <u32>popcnt(assembly.dirty);
  assembly.dirty = 0;
  dirtyAssemblies |= 1 << index;
}

/** Readies the pieces of the range for a chunk. */
function touch(index: u32, from: u32, end: u32): void {
  const assembly = at(index);
  for (let piece = from / PIECE_BYTES; piece * PIECE_BYTES < end; piece++) {
    const bit = <u64>1 << piece;
    if ((assembly.touched & bit) == 0) {
      assembly.touched |= bit;
      memory.fill(assemblyBuffer(index) + <usize>piece * PIECE_BYTES, 0, PIECE_BYTES);
    }
    if (!persistent || (assembly.dirty & bit) != 0) continue;
    assembly.dirty |= bit;
    dirtyPieces++;
  }
  if (persistent) dirtyAssemblies |= 1 << index;
}

@inline
function at(index: u32): Assembly {
  return changetype<Assembly>(assemblies + <usize>index * offsetof<Assembly>());
}
