/** What a disk reaches with no protocol: appends that are synchronised one by one, and LMDB's commits by size. */
import { openLmdbStore } from "../storage/lmdb_store.ts";
import { Table } from "../storage/store.ts";

const APPEND_BYTES = 4096;
/** A record of one value of 64 bytes. */
const RECORD_BYTES = 112;
const BATCHES = [1, 16, 64, 256, 1024] as const;
/** Part of the time that each of the measurements gets. */
const PART = 1 / (BATCHES.length + 1);
const MAP_BYTES = 4 * 2 ** 30;

/** Figures of one disk. */
export interface DiskFloor {
  /** fdatasync(2) after each append of 4 KiB. */
  readonly fdatasyncs_per_s: number;
  readonly fdatasync_p50_us: number;
  /** Synchronous commits, by how many records each puts. */
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
  try {
    const { per_s, p50_us } = appends(`${own}/appended`, seconds * PART);
    return {
      fdatasyncs_per_s: per_s,
      fdatasync_p50_us: p50_us,
      lmdb: BATCHES.map((batch) => commits(own, batch, seconds * PART)),
    };
  } finally {
    Deno.removeSync(own, { recursive: true });
  }
}

function appends(file: string, seconds: number): Repeated {
  using handle = Deno.openSync(file, { create: true, append: true });
  const bytes = new Uint8Array(APPEND_BYTES).fill(1);
  return repeated(seconds, () => {
    handle.writeSync(bytes);
    handle.syncDataSync();
  });
}

function commits(folder: string, batch: number, seconds: number) {
  const directory = `${folder}/${batch}`;
  Deno.mkdirSync(directory);
  const store = openLmdbStore({
    directory,
    bytesMax: MAP_BYTES,
    synchronous: true,
  });
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

interface Repeated {
  readonly per_s: number;
  readonly p50_us: number;
}

/** How often a second something can be done, and how long it takes. */
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
