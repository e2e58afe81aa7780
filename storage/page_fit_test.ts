import assert from "node:assert/strict";
import { batchBytesFit } from "../core/core.ts";
import { RECORD_BYTES } from "../core/layout.ts";
import { openLmdbStore } from "./lmdb_store.ts";
import { snugBatchBytes } from "./page_fit.ts";
import { Table } from "./store.ts";

const RECORDS = 600;

/** Bytes that the log takes of LMDB's pages for each byte of its records, batches being so long. */
function pageBytesPerByte(batchBytes: number): number {
  const directory = Deno.makeTempDirSync();
  const options = { directory, bytesMax: 64 << 20, synchronous: false };
  const store = openLmdbStore(options);
  try {
    const record = new Uint8Array(RECORD_BYTES + batchBytes);
    const before = store.bytes;
    // As the log grows: each commit goes on where the last one left a page that is not full.
    for (let instance = 1; instance <= RECORDS;) {
      store.begin();
      for (let n = 0; n < 50; n++) {
        store.put(Table.log, instance++, record, 0, record.length);
      }
      store.commit();
    }
    return (store.bytes - before) / (RECORDS * record.length);
  } finally {
    store.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("records of snug batches fill LMDB's pages, and longer ones do not", () => {
  for (const mtu of [1500, 9000]) {
    const most = batchBytesFit(mtu);
    const snug = snugBatchBytes(most);
    assert(snug < most, `MTU ${mtu}: ${snug}`);
    const filled = pageBytesPerByte(snug);
    assert(filled < 1.05, `MTU ${mtu}: ${filled} bytes a byte`);
    assert(pageBytesPerByte(snug + 8) > 1.3, `MTU ${mtu}: 8 bytes more`);
  }
});

Deno.test("a snug batch is at most an eighth shorter than a frame allows", () => {
  for (let mtu = 256; mtu <= 9000; mtu++) {
    const most = batchBytesFit(mtu);
    const snug = snugBatchBytes(most);
    const isFit = snug <= most && snug >= most * 7 / 8 && snug % 8 === 0;
    assert(isFit, `MTU ${mtu}: ${snug} of ${most}`);
  }
});
