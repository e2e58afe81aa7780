/** What a disk reaches with no protocol: writes that are synchronised one by one, and LMDB's commits by size. */
import { MDB_NOSYNC, openLmdb } from "../../ffi/lmdb.ts";
import { openLmdbStore } from "../../storage/lmdb_store.ts";
import { Table } from "../../storage/store.ts";

const PAGE_BYTES = 4096;
const LARGE_BYTES = 256 << 10;
/** What is overwritten in place is this long. */
const PLACE_BYTES = 16 << 20;
/** A record of one value of 64 bytes. */
const RECORD_BYTES = 112;
const BATCHES = [1, 16, 64, 256, 1024] as const;
/** Part of the time that each of the measurements gets. */
const PART = 1 / (BATCHES.length + 4);
const MAP_BYTES = 4 * 2 ** 30;

/** How often a second something can be done, and how long it takes. */
export interface Repeated {
  readonly per_s: number;
  readonly p50_us: number;
}

/** Figures of one disk. */
export interface DiskFloor {
  /** A write of 4 KiB and fdatasync(2): to a file that grows by it, and over what is there. */
  readonly growing: Repeated;
  readonly inPlace: Repeated;
  /** The same with 256 KiB, as bytes a second. */
  readonly growing_bytes_per_s: number;
  readonly inPlace_bytes_per_s: number;
  /** LMDB's own synchronous commits, by how many records each puts. */
  readonly lmdb: readonly {
    readonly batch: number;
    readonly commits_per_s: number;
    readonly puts_per_s: number;
    readonly commit_p50_us: number;
  }[];
}

/** Measures for so long in a folder that exists; leaves nothing there. */
export function measureDisk(folder: string, seconds: number): DiskFloor {
  const own = Deno.makeTempDirSync({ dir: folder, prefix: "floor-" });
  const each = seconds * PART;
  try {
    return {
      growing: appends(`${own}/appended`, PAGE_BYTES, each),
      inPlace: overwrites(`${own}/written`, PAGE_BYTES, each),
      growing_bytes_per_s: LARGE_BYTES *
        appends(`${own}/appended`, LARGE_BYTES, each).per_s,
      inPlace_bytes_per_s: LARGE_BYTES *
        overwrites(`${own}/written`, LARGE_BYTES, each).per_s,
      lmdb: BATCHES.map((batch) => commits(own, batch, each)),
    };
  } finally {
    Deno.removeSync(own, { recursive: true });
  }
}

function appends(file: string, size: number, seconds: number): Repeated {
  using handle = Deno.openSync(file, { create: true, append: true });
  const bytes = new Uint8Array(size).fill(1);
  return repeated(seconds, () => {
    writeAll(handle, bytes);
    handle.syncDataSync();
  });
}

function overwrites(file: string, size: number, seconds: number): Repeated {
  using handle = Deno.openSync(file, { create: true, write: true });
  const bytes = new Uint8Array(size).fill(1);
  for (let at = 0; at < PLACE_BYTES; at += size) writeAll(handle, bytes);
  handle.syncSync();
  let at = 0;
  return repeated(seconds, () => {
    handle.seekSync(at, Deno.SeekMode.Start);
    writeAll(handle, bytes);
    handle.syncDataSync();
    at = (at + size) % PLACE_BYTES;
  });
}

function writeAll(handle: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += handle.writeSync(bytes.subarray(at));
  }
}

function commits(folder: string, batch: number, seconds: number) {
  const directory = `${folder}/${batch}`;
  Deno.mkdirSync(directory);
  const store = openLmdbStore({
    directory,
    bytesMax: MAP_BYTES,
    synchronous: false,
  });
  // LMDB's own way, which flushes twice; `LmdbStore` does with one flush.
  const { library, environment } = store.handle;
  const pointer = Deno.UnsafePointer.create(environment);
  openLmdb(library).mdb_env_set_flags(pointer, MDB_NOSYNC, 0);
  const record = new Uint8Array(RECORD_BYTES).fill(1);
  let instance = 0;
  const { per_s, p50_us } = repeated(seconds, () => {
    store.begin();
    for (let n = 0; n < batch; n++) {
      store.put(Table.log, ++instance, record, 0, record.length);
    }
    store.commit();
  });
  store.close();
  return {
    batch,
    commits_per_s: per_s,
    puts_per_s: per_s * batch,
    commit_p50_us: p50_us,
  };
}

function repeated(seconds: number, work: () => void): Repeated {
  const begun_ms = performance.now();
  const took_ms: number[] = [];
  let now_ms = begun_ms;
  while (now_ms - begun_ms < seconds * 1000) {
    const before_ms = now_ms;
    work();
    now_ms = performance.now();
    took_ms.push(now_ms - before_ms);
  }
  took_ms.sort((a, b) => a - b);
  return {
    per_s: Math.round(took_ms.length * 1000 / (now_ms - begun_ms)),
    p50_us: Math.round(took_ms[took_ms.length >> 1] * 1000),
  };
}
