/** The stamp: what a storage directory says of itself, under key 0 of the state table. */
import { createHash } from "node:crypto";
import { type Store, StoreError, Table } from "./store.ts";
import { StateKey } from "./tables.ts";

/** Version of all that is stored: 1 has no seals (seal.ts), and becomes 2 when it is opened. A newer one is refused. */
export const FORMAT_VERSION = 2;

/** Whose storage it is, and how it is written. */
export interface Stamp {
  readonly format: number;
  readonly cluster: number;
  /** "replica", "acceptor" or "learner". */
  readonly kind: string;
  readonly id: number;
  /** The incarnation in which this memory began. */
  readonly memory: number;
  /** An earlier memory of this node was lost, as its storage knows. */
  readonly forgot: boolean;
  /** Whether a commit was on disk when it was called durable. */
  readonly synchronous: boolean;
}

const CHECKSUM_BYTES = 8;

/** Puts a stamp into a store, durably. */
export function writeStamp(store: Store, stamp: Stamp): void {
  const text = new TextEncoder().encode(JSON.stringify(stamp));
  const bytes = new Uint8Array(CHECKSUM_BYTES + text.length);
  bytes.set(checksum(text));
  bytes.set(text, CHECKSUM_BYTES);
  store.begin();
  store.put(Table.state, StateKey.stamp, bytes, 0, bytes.length);
  store.commit();
  store.sync();
}

/**
 * The stamp of a store.
 *
 * @throws {StoreError} "damaged" if there is none, or its checksum does not match.
 */
export function readStamp(store: Store): Stamp {
  const bytes = store.get(Table.state, StateKey.stamp);
  if (bytes === undefined) {
    throw new StoreError("damaged", "the stamp is missing");
  }
  const text = bytes.slice(CHECKSUM_BYTES);
  const found = bytes.subarray(0, CHECKSUM_BYTES);
  if (!checksum(text).every((byte, i) => byte === found[i])) {
    throw new StoreError("damaged", "the stamp's checksum does not match");
  }
  return JSON.parse(new TextDecoder().decode(text));
}

function checksum(text: Uint8Array): Uint8Array {
  return createHash("sha256").update(text).digest().subarray(
    0,
    CHECKSUM_BYTES,
  );
}
