/** `kpaxos inspect`: what one node keeps in its storage, for people or for a program. It changes nothing. */
import { readRecord } from "../core/core.ts";
import {
  Record as RecordKind,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_KIND,
} from "../core/layout.ts";
import { type LmdbStore, openLmdbStore } from "../storage/lmdb_store.ts";
import { bootId, readMark } from "../storage/mark.ts";
import { checkFile } from "../storage/meta_pages.ts";
import { checkPages } from "../storage/pages.ts";
import { Sealer } from "../storage/seal.ts";
import { readStamp, type Stamp } from "../storage/stamp.ts";
import { type Store, StoreError, Table } from "../storage/store.ts";
import { flawOf, getNumber } from "../storage/stored_record.ts";
import { StateKey } from "../storage/tables.ts";
import { verifyAll } from "../storage/verify.ts";
import { EXIT, UserError } from "./errors.ts";
import { ballotText } from "./events.ts";
import { inspectionText, type Run, runsOf } from "./inspect_text.ts";
import type { Console } from "./main.ts";

/** What `kpaxos inspect` is started with. */
export interface InspectOptions {
  readonly directory: string;
  /** The instance to show in full. */
  readonly instance?: number;
  readonly verify: boolean;
  readonly json: boolean;
}

/** What is kept, in the form that `--json` prints. */
export interface Inspection {
  readonly directory: string;
  readonly stamp: Stamp;
  /**
   * "closed": all of it is on disk; "open": in use, or left by a crash; "unfinished": its last commit had not ended,
   * and the next start takes it back; "damaged": its last commit was on disk, and is not whole any more; "torn":
   * the machine lost power before all was on disk.
   */
  readonly state: "closed" | "open" | "unfinished" | "damaged" | "torn";
  readonly file: {
    readonly bytes: number;
    readonly used_bytes: number;
  };
  /** null: the node is a learner. */
  readonly acceptor: Acceptor | null;
  /** null: it keeps none. */
  readonly learner:
    | { readonly next_instance: number; readonly sessions: number }
    | null;
  readonly instance?: Instance | "hole" | null;
  readonly verified?: {
    readonly values: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly damage: string | null;
  };
}

/** What an acceptor keeps. */
export interface Acceptor {
  /** ROUND.PROPOSER; null: none. */
  readonly promised: string | null;
  /** All instances below are decided, as far as storage was told. */
  readonly decided: number;
  /** All others confirmed that they know no other memory of it. */
  readonly confirmed: boolean;
  /** Where it began anew after it had lost its memory; null: it never did. */
  readonly rejoined_at: number | null;
  /** Since then it has all from this instance on, accepted or fetched from others; null: it never lost its memory. */
  readonly refilled_from: number | null;
  /** Memories of other acceptors, by id: the first one heard of, and the one that rejoined last. */
  readonly known: Readonly<Record<number, number>>;
  readonly rejoined: Readonly<Record<number, number>>;
  /** Instances below were deleted. */
  readonly low: number;
  /** Records of the log: of instances that were accepted or fetched, and of holes, where nothing was accepted. */
  readonly records: number;
  readonly ranges: readonly Range[];
  /** There are more ranges than are told. */
  readonly more_ranges: boolean;
}

/** Instances from `first` to `last`. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** One accepted instance. */
export interface Instance {
  readonly number: number;
  readonly ballot: string;
  /** It is chosen, and this acceptor got it from others: it did not vote for it. */
  readonly fetched: boolean;
  readonly proposer_incarnation: number;
  readonly bytes: number;
  readonly values: number;
  readonly runs: readonly Run[];
}

/** Ranges that are told. */
const RANGES_MAX = 20;
/** More than any node keeps: it is address space, and no memory. */
const ADDRESSES_BYTES = 2 ** 40;
/** Looks at a running node's file, which may be about to change between two of its pages. */
const LOOKS = 5;
/** How long a running node may take to seal its commit, and how often that is looked at. */
const SEALING_MS = 300;
const SEALING_LOOK_MS = 10;

/**
 * Looks at a node's directory and prints what is there.
 *
 * @returns 1 if something is damaged, else 0.
 * @throws {UserError} with exit code 3 if it is no node's storage, or cannot be read.
 */
export function runInspect(options: InspectOptions, console: Console): number {
  const inspection = inspect(options, console);
  console.out(
    options.json
      ? JSON.stringify(inspection) + "\n"
      : inspectionText(inspection),
  );
  const { verified } = inspection;
  return verified !== undefined && verified.damage !== null
    ? EXIT.failed
    : EXIT.done;
}

function inspect(options: InspectOptions, console: Console): Inspection {
  const { directory } = options;
  let store: LmdbStore | undefined;
  try {
    const state = stateOf(directory);
    const { bytes } = checkedFile(directory, state);
    store = openLmdbStore({
      directory,
      bytesMax: ADDRESSES_BYTES,
      synchronous: true,
      readOnly: true,
    });
    // A running node goes on meanwhile, and what is told must belong together.
    const found = store.snapshot(() => look(store!, state, bytes, options));
    if (!options.verify) return found;
    return { ...found, verified: verified(store, directory, console) };
  } catch (error) {
    throw explained(error, directory);
  } finally {
    store?.close();
  }
}

function look(
  store: Store,
  state: Inspection["state"],
  bytes: number,
  { directory, instance }: InspectOptions,
): Inspection {
  const stamp = readStamp(store);
  return {
    directory,
    stamp,
    state,
    file: { bytes, used_bytes: store.bytes },
    acceptor: stamp.kind === "learner" ? null : acceptorOf(store),
    learner: learnerOf(store),
    ...instance === undefined ? {} : { instance: instanceOf(store, instance) },
  };
}

function acceptorOf(store: Store): Acceptor {
  const promise = recordAt(store, StateKey.promise);
  const rejoin = recordAt(store, StateKey.rejoin);
  const { ranges, more } = rangesOf(store);
  return {
    promised: promise === undefined ? null : ballotText(promise.ballot),
    decided: recordAt(store, StateKey.decided)?.instance ?? 1,
    confirmed: recordAt(store, StateKey.confirmed) !== undefined,
    rejoined_at: rejoin?.instance ?? null,
    refilled_from: recordAt(store, StateKey.refilled)?.instance ?? null,
    known: memories(store, StateKey.known, StateKey.assembly),
    rejoined: memories(store, StateKey.rejoined, StateKey.known),
    low: recordAt(store, StateKey.trim)?.instance ?? 1,
    records: store.count(Table.log),
    ranges,
    more_ranges: more,
  };
}

function learnerOf(store: Store): Inspection["learner"] {
  const checkpoint = recordAt(store, StateKey.checkpoint);
  if (checkpoint === undefined) return null;
  let sessions = 0;
  store.walk(Table.sessions, 0, (_, value) => {
    if (viewOf(value).getUint32(RECORD_BATCH_BYTES, true) > 0) sessions++;
    return true;
  });
  return { next_instance: checkpoint.instance, sessions };
}

/** One instance; "hole": nothing was accepted for it; null: it is not there. */
function instanceOf(store: Store, number: number): Instance | "hole" | null {
  let key = number;
  let value: Uint8Array | undefined;
  // A hole lies under its last instance.
  store.walk(Table.log, number, (found, record) => {
    if (found > number && (firstOf(record) ?? found) > number) return false;
    key = found;
    value = record.slice();
    return false;
  });
  if (value === undefined) return null;
  const flaw = flawOf(Table.log, key, value);
  if (flaw !== undefined) {
    throw new StoreError("damaged", `instance ${key}: ${flaw}`);
  }
  if (firstOf(value) !== undefined) return "hole";
  const { kind, ballot, incarnation, values, batch } = readRecord(value);
  return {
    number,
    ballot: ballotText(ballot),
    fetched: kind === RecordKind.fetched,
    proposer_incarnation: incarnation,
    bytes: batch.length,
    values,
    runs: runsOf(batch),
  };
}

function verified(
  store: LmdbStore,
  directory: string,
  console: Console,
): Inspection["verified"] {
  const begin_ms = performance.now();
  let told_ms = begin_ms;
  // While a snapshot lasts, no commit of a running node takes pages that it can see.
  store.snapshot(() => {
    const file = `${directory}/data.mdb`;
    checkPages(file, { ...checkFile(file), tailBytes: Infinity });
  });
  const { values, bytes, damage } = verifyAll(store, directory, (n, read) => {
    if (performance.now() - told_ms < 1000) return;
    told_ms = performance.now();
    console.err(`inspect: ${n} values, ${Math.round(read / 1e6)} MB checked\n`);
  });
  return {
    values,
    bytes,
    seconds: Math.round(performance.now() - begin_ms) / 1000,
    damage: damage?.message ?? null,
  };
}

/** A record of the state table, whose checksum matches; undefined: there is none. */
function recordAt(store: Store, key: number) {
  const value = store.get(Table.state, key);
  if (value === undefined) return undefined;
  const flaw = flawOf(Table.state, key, value);
  if (flaw !== undefined) {
    throw new StoreError("damaged", `the ${StateKey[key]} record: ${flaw}`);
  }
  return readRecord(value.slice());
}

/** Memories of acceptors, by id, that records with keys from `first` to before `end` tell. */
function memories(
  store: Store,
  first: number,
  end: number,
): Record<number, number> {
  const found: Record<number, number> = {};
  store.walk(Table.state, first, (key, value) => {
    if (key >= end) return false;
    const { kind, incarnation } = readRecord(value);
    const isMemory = kind === RecordKind.known || kind === RecordKind.rejoined;
    if (isMemory) found[key - first] = incarnation;
    return true;
  });
  return found;
}

/** The first instance of a hole, which is kept under its last one; undefined: it is none. */
function firstOf(record: Uint8Array): number | undefined {
  const view = viewOf(record);
  const kind: RecordKind = view.getUint16(RECORD_KIND, true);
  return kind === RecordKind.hole ? getNumber(view, RECORD_BYTES) : undefined;
}

/**
 * The instances of which the log tells, if only that nothing was accepted, as ranges: where none is missing
 * between the ends, its keys need not be read.
 */
function rangesOf(store: Store): { ranges: Range[]; more: boolean } {
  const first = store.first(Table.log);
  const last = store.last(Table.log);
  if (first === undefined || last === undefined) {
    return { ranges: [], more: false };
  }
  if (store.count(Table.log) === last - first + 1) {
    return { ranges: [{ first, last }], more: false };
  }
  const ranges: { first: number; last: number }[] = [];
  let more = false;
  store.walk(Table.log, 0, (last, value) => {
    const range = ranges.at(-1);
    const first = firstOf(value) ?? last;
    if (range !== undefined && first === range.last + 1) range.last = last;
    else if (ranges.length < RANGES_MAX) ranges.push({ first, last });
    else more = true;
    return !more;
  });
  return { ranges, more };
}

/** Only what was not synced has a mark beside it; without one the last commit is sealed. */
function stateOf(directory: string): Inspection["state"] {
  const mark = readMark(directory);
  if (mark !== undefined) return mark.boot === bootId() ? "open" : "torn";
  return sealState(`${directory}/data.mdb`);
}

/** How the last commit is, or soon will be. */
function sealState(path: string): "closed" | "unfinished" | "damaged" {
  // Whether it is there and may be read: that has errors of its own.
  Deno.openSync(path).close();
  const sealer = Sealer.open(path, false);
  const sleeping = new Int32Array(new SharedArrayBuffer(4));
  try {
    for (let left_ms = SEALING_MS;; left_ms -= SEALING_LOOK_MS) {
      try {
        if (sealer.judge().kind === "whole") return "closed";
        if (left_ms <= 0) return "unfinished";
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // A running node may have used pages again while they were looked at.
        if (left_ms <= 0) return "damaged";
      }
      Atomics.wait(sleeping, 0, 0, SEALING_LOOK_MS);
    }
  } finally {
    sealer.close();
  }
}

/** As `checkFile`, of a file that a running node may be writing to. */
function checkedFile(
  directory: string,
  state: Inspection["state"],
): { bytes: number } {
  const path = `${directory}/data.mdb`;
  const isSound = state === "closed" || state === "open";
  for (let looks = 1;; looks++) {
    try {
      const file = checkFile(path);
      // Pages at its end that hold nothing need not be there; LMDB would not survive it if others were not.
      if (!isSound || file.bytes < file.bytesLeast) {
        checkPages(path, { ...file, tailBytes: Infinity });
      }
      return file;
    } catch (error) {
      if (!(error instanceof StoreError) || looks === LOOKS) throw error;
    }
  }
}

function explained(error: unknown, directory: string): unknown {
  if (error instanceof Deno.errors.NotFound) {
    return new UserError(
      `${directory} is no node's storage: it has no data.mdb; expected a directory such as /var/lib/kpaxos/replica-1`,
      EXIT.environment,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new UserError(
      `cannot read ${directory}: permission denied; run this as the user of the node, or with sudo`,
      EXIT.environment,
    );
  }
  if (error instanceof StoreError) {
    return new UserError(
      `the storage in ${directory} ${
        error.code === "damaged" ? "is damaged" : "cannot be read"
      }: ${error.message}`,
      error.code === "damaged" ? EXIT.failed : EXIT.environment,
      { cause: error },
    );
  }
  return error;
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.length);
}
