/**
 * The seal of the last commit, and which of its two last commits a database goes on from.
 *
 * A synchronous commit goes to disk with one flush: its pages, the first page that refers to them, and beside
 * that a hash of them all, in any order. So the last commit counts only if its seal matches. If not, it had not
 * ended, and nobody heard of it: the one before was on disk before it began, and LMDB used none of its pages
 * again (ffi/seal.c).
 *
 * Damage would look the same, so what was brought to disk is noted beside the other commit, and goes there with
 * the next flush, or by and by. What is known to have been there must be there.
 */
import { cString } from "../ffi/c_string.ts";
import { lmdbError } from "../ffi/lmdb.ts";
import { shim } from "../ffi/shim.ts";
import { StoreError } from "./store.ts";

const EBADMSG = 74;

// Of each of the two: | transaction u64 | known u64 | is sealed u8 | is blank u8 | is whole u8 | unused 5 |
const STATE_BYTES = 24;
const KNOWN = 8;
const IS_SEALED = 16;
const IS_BLANK = 17;
const IS_WHOLE = 18;

interface State {
  readonly transaction: bigint;
  /** This commit, by what stands here, is on disk; 0: none. */
  readonly known: bigint;
  readonly isSealed: boolean;
  readonly isBlank: boolean;
  /** Of the newer one of two that are sealed: its pages are all there. */
  readonly isWhole: boolean;
}

/** What is to be done with a database whose commits are sealed, or were never. */
export type Verdict =
  /** Its last commit is there. */
  | { readonly kind: "whole" }
  /** Its last commit did not end: the one in this slot is the last. */
  | { readonly kind: "go back"; readonly slot: 0 | 1 };

/** Seals the commits of one database. */
export class Sealer {
  /** For `Sealer.at`, in another thread of this process. */
  readonly address: bigint;
  readonly #path: string;
  readonly #pointer: Deno.PointerValue;

  private constructor(address: bigint, path: string) {
    this.address = address;
    this.#path = path;
    this.#pointer = Deno.UnsafePointer.create(address);
  }

  /**
   * Opens the file at `path` beside LMDB.
   *
   * @throws {StoreError} if it cannot be opened.
   */
  static open(path: string, mayWrite: boolean): Sealer {
    const out = new BigUint64Array(1);
    const result = shim.kp_seal_open(cString(path), mayWrite ? 1 : 0, out);
    if (result < 0) throw failure(result, `open ${path}`);
    return new Sealer(out[0], path);
  }

  /** The sealer that another thread opened. */
  static at(address: bigint, path: string): Sealer {
    return new Sealer(address, path);
  }

  /**
   * Seals the newest commit and brings it to disk.
   *
   * @throws {StoreError} "failed", or "damaged"; never "full", as LMDB has made the commit already: the next
   *   one would be made upon it, and it counts for nothing. A start from what is on disk goes on.
   */
  seal(): void {
    const result = shim.kp_seal(this.#pointer);
    if (result < 0) throw failure(result, `bring to disk ${this.#path}`);
  }

  /**
   * Judges the commits of a database that nobody writes to, and that was never written asynchronously
   * without being sealed since.
   *
   * @throws {StoreError} "damaged" if a commit that was on disk is not there.
   */
  judge(): Verdict {
    const states = this.#look();
    // Written by a version that flushed twice, of which the newer first page tells the truth.
    if (states === undefined || states.every(({ isBlank }) => isBlank)) {
      return { kind: "whole" };
    }
    const [a, b] = states;
    const slot = newestSealed(a, b);
    if (slot === undefined) {
      throw new StoreError("damaged", "neither of its last commits is sealed");
    }
    const [last, other] = slot === 0 ? [a, b] : [b, a];
    const known = a.known > b.known ? a.known : b.known;
    if (other.isSealed && !last.isWhole) {
      // What is newer was not on disk; what is older was, before the newer one began.
      if (known < last.transaction) {
        return { kind: "go back", slot: other === a ? 0 : 1 };
      }
    } else if (known <= last.transaction) {
      const isBefore = other.transaction === last.transaction - 1n;
      return isBefore ? { kind: "whole" } : { kind: "go back", slot };
    }
    throw new StoreError(
      "damaged",
      `commit ${known} was on disk, and is not whole any more`,
    );
  }

  /** Makes the commit in this slot the last one, durably. */
  goBack(slot: 0 | 1): void {
    const result = shim.kp_seal_go_back(this.#pointer, slot);
    if (result < 0) throw failure(result, `write to ${this.#path}`);
  }

  /** No thread may use it any more. */
  close(): void {
    shim.kp_seal_close(this.#pointer);
  }

  /** Undefined: the file is too short to be looked at. */
  #look(): [State, State] | undefined {
    const view = new DataView(new ArrayBuffer(2 * STATE_BYTES));
    const bytes = new Uint8Array(view.buffer);
    const result = shim.kp_seal_look(this.#pointer, bytes);
    if (result === -EBADMSG) return undefined;
    if (result < 0) throw failure(result, `read ${this.#path}`);
    return [stateAt(view, 0), stateAt(view, STATE_BYTES)];
  }
}

/** The slot of the newest commit with a seal of its own, whatever its pages are like. */
function newestSealed(a: State, b: State): 0 | 1 | undefined {
  if (!a.isSealed && !b.isSealed) return undefined;
  if (a.isSealed && b.isSealed) return b.transaction > a.transaction ? 1 : 0;
  return a.isSealed ? 0 : 1;
}

function stateAt(view: DataView, at: number): State {
  return {
    transaction: view.getBigUint64(at, true),
    known: view.getBigUint64(at + KNOWN, true),
    isSealed: view.getUint8(at + IS_SEALED) === 1,
    isBlank: view.getUint8(at + IS_BLANK) === 1,
    isWhole: view.getUint8(at + IS_WHOLE) === 1,
  };
}

function failure(result: number, doing: string): StoreError {
  if (result === -EBADMSG) {
    return new StoreError(
      "damaged",
      `cannot ${doing}: pages of its last commit cannot be followed`,
    );
  }
  return new StoreError("failed", lmdbError(-result, doing).message);
}
