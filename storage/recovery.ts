/**
 * Recovery: reads what a node stored, makes sure that it is all there and as it was written, and hands it
 * to the core.
 *
 * Damage must never pass for absence: an acceptor that took it so could break a promise that it does
 * not know any more. So every record that is read is checked, and all together must be what `present`
 * says. Of the log only its end is read, as much as the core's own log holds.
 */
import {
  Record as RecordKind,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INSTANCE,
  RECORD_KIND,
} from "../core/layout.ts";
import { counts, Present, sumAt } from "./present.ts";
import { damageText, StorageError } from "./storage.ts";
import { type Store, Table } from "./store.ts";
import { flawOf, getNumber } from "./stored_record.ts";
import { keyText, StateKey } from "./tables.ts";

/** Who gets back what was stored. */
export interface RecoveryTarget {
  /** Takes a record as it was stored. False: it is damaged. */
  recoverBytes(record: Uint8Array): boolean;
  /** Whether a record of the log has the right checksum, if it can tell that faster. */
  isSound?(record: Uint8Array): boolean;
}

/** What recovery must know of the node. */
export interface RecoveryOptions {
  /** What the storage is called where people read of it: its directory. */
  readonly name: string;
  /** Bytes of the core's own log. */
  readonly logBytes: number;
}

/** What was recovered. */
export interface Recovered {
  /** Ballot that is promised; 0: none. */
  readonly promised: number;
  /** All instances below were decided, as far as storage knows. */
  readonly decided: number;
  /** Lowest instance that storage keeps. */
  readonly low: number;
  /** Lowest from which on that is all there was: below, a memory that was lost may have left something. */
  readonly lowest: number;
  /** How many accepted instances the core was given, the first of them, and one past the last. */
  readonly instances: number;
  readonly from: number;
  readonly to: number;
  /** Next instance that the learner delivers; undefined: it has no checkpoint. */
  readonly checkpoint?: number;
}

/** What a copy in the core's log takes besides its batch, and what its batch is rounded up to. */
const COPY_HEADER_BYTES = 24;
const COPY_ALIGN_BYTES = 8;
/** Instances that the core's log can hold at least, and bytes of it for each further one. */
const SLOTS_LEAST = 4096;
const BYTES_PER_SLOT = 256;

/** Everything but the log, checked. */
export interface Tables {
  readonly present: Present;
  /** Records of `Table.state`, by key. */
  readonly state: ReadonlyMap<number, Uint8Array>;
  /** Places of sessions that are taken, with when they were used last. */
  readonly sessions: readonly {
    readonly place: number;
    readonly use: number;
  }[];
}

/**
 * Hands the core what the store holds; before its first step.
 *
 * @throws {StorageError} if something is damaged or missing, or does not fit the core's log. The node
 *   must not run with it.
 * @throws {StoreError} if the store cannot be read.
 */
export function recover(
  store: Store,
  core: RecoveryTarget,
  options: RecoveryOptions,
): Recovered {
  const { name } = options;
  const tables = readTables(store, name);
  const { present, state } = tables;
  const give = (table: Table, key: number, record: Uint8Array) => {
    if (!core.recoverBytes(record)) throw damaged(name, table, key, WRONG_SUM);
  };
  const giveState = (first: number, end = first + 1) => {
    for (const [key, record] of state) {
      if (key >= first && key < end) give(Table.state, key, record);
    }
  };
  giveState(StateKey.known, StateKey.assembly);
  giveState(StateKey.rejoined, StateKey.known);
  giveState(StateKey.promise);
  giveState(StateKey.rejoin);
  giveState(StateKey.refilled);
  giveState(StateKey.decided);
  giveState(StateKey.led, Infinity);
  const low = numberIn(state.get(StateKey.trim), RECORD_INSTANCE) ?? 1;
  const rejoined = numberIn(state.get(StateKey.rejoin), RECORD_INSTANCE) ?? 1;
  // Below where it rejoined all is decided, and it knows of that what it fetched since.
  const needed = Math.max(present.decided, rejoined, low);
  const lowest = Math.max(
    low,
    numberIn(state.get(StateKey.refilled), RECORD_INSTANCE) ?? rejoined,
  );
  const from = firstThatFits(store, lowest, needed, options);
  const { instances, to } = readLog(
    store,
    from,
    present,
    name,
    (instance, record) => give(Table.log, instance, record),
    core.isSound && ((record) => core.isSound!(record)),
  );
  giveState(StateKey.confirmed);
  giveState(StateKey.assembly, StateKey.led);
  store.walk(Table.pieces, 0, (key, record) => {
    give(Table.pieces, key, record);
    return true;
  });
  for (const { place } of tables.sessions) {
    give(Table.sessions, place, store.get(Table.sessions, place)!);
  }
  giveState(StateKey.checkpoint);
  return {
    promised: numberIn(state.get(StateKey.promise), RECORD_BALLOT) ?? 0,
    decided: present.decided,
    low,
    lowest,
    instances,
    from,
    to,
    checkpoint: numberIn(state.get(StateKey.checkpoint), RECORD_INSTANCE),
  };
}

const WRONG_SUM = "its checksum does not match";

/**
 * Reads and checks all tables but the log.
 *
 * @param visit Sees each value.
 * @throws {StorageError} if something is damaged or missing.
 */
export function readTables(
  store: Store,
  name: string,
  visit?: (value: Uint8Array) => void,
): Tables {
  const state = new Map<number, Uint8Array>();
  const sessions: { place: number; use: number }[] = [];
  const found = new Present();
  for (const table of [Table.state, Table.sessions, Table.pieces]) {
    walkChecked(store, table, 0, name, (key, value) => {
      visit?.(value);
      const view = viewOf(value);
      if (counts(table, key)) found.count(sumAt(view, 0), 1);
      if (table === Table.state) state.set(key, value.slice());
      // The core counts the uses of sessions; an empty place has no payload.
      const isTaken = view.getUint32(RECORD_BATCH_BYTES, true) > 0;
      if (table === Table.sessions && isTaken) {
        sessions.push({ place: key, use: getNumber(view, RECORD_BALLOT) });
      }
    });
  }
  const record = state.get(StateKey.present);
  if (record === undefined) {
    if (found.values === 0 && store.count(Table.log) === 0) {
      return { present: found, state, sessions };
    }
    throw damaged(name, Table.state, StateKey.present, "it is missing");
  }
  const present = Present.read(record);
  if (
    present.values !== found.values || present.low !== found.low ||
    present.high !== found.high
  ) {
    throw new StorageError(
      damageText(
        name,
        `it should hold ${present.values} values besides its log, and holds ${found.values}, or older ones`,
      ),
    );
  }
  const decided = numberIn(state.get(StateKey.decided), RECORD_INSTANCE) ?? 1;
  if (decided !== present.decided) {
    throw damaged(name, Table.state, StateKey.decided, "it is another one");
  }
  sessions.sort((a, b) => a.use - b.use);
  return { present, state, sessions };
}

/**
 * Reads and checks the log from an instance on, and that of what `present` says nothing is missing.
 *
 * @param isSound As `flawOf` has it.
 * @returns how many instances there are from `from` on, and one past the last.
 * @throws {StorageError} if an instance is damaged or missing.
 */
export function readLog(
  store: Store,
  from: number,
  present: Present,
  name: string,
  visit: (instance: number, record: Uint8Array) => void,
  isSound?: (record: Uint8Array) => boolean,
): { instances: number; to: number } {
  const { ranges } = present;
  let instances = 0;
  let to = from;
  let range = 0;
  let due = ranges.count > 0 ? ranges.first(0) : Infinity;
  const begin = Math.min(from, present.decided);
  const take = (instance: number, record: Uint8Array) => {
    if (instance > due) throw damaged(name, Table.log, due, "it is missing");
    if (instance === due) {
      due++;
      if (due === ranges.end(range)) {
        due = ++range < ranges.count ? ranges.first(range) : Infinity;
      }
    } else if (instance >= present.decided) {
      throw damaged(name, Table.log, instance, "it was never accepted");
    }
    if (instance < from) return;
    visit(instance, record);
    const kind: RecordKind = viewOf(record).getUint16(RECORD_KIND, true);
    if (kind !== RecordKind.hole) instances++;
    to = instance + 1;
  };
  walkChecked(store, Table.log, begin, name, take, isSound);
  if (due !== Infinity) throw damaged(name, Table.log, due, "it is missing");
  return { instances, to };
}

/** The lowest instance from `lowest` on with which all that follows fits the core's log. */
function firstThatFits(
  store: Store,
  lowest: number,
  needed: number,
  { name, logBytes }: RecoveryOptions,
): number {
  const last = store.last(Table.log) ?? 0;
  let slots = SLOTS_LEAST;
  while (slots < logBytes / BYTES_PER_SLOT) slots *= 2;
  let from = Math.max(lowest, last - slots + 1);
  const instances: number[] = [];
  const sizes: number[] = [];
  store.walk(Table.log, from, (instance, { length }) => {
    const batch = (length - RECORD_BYTES) / COPY_ALIGN_BYTES;
    instances.push(instance);
    sizes.push(COPY_HEADER_BYTES + Math.ceil(batch) * COPY_ALIGN_BYTES);
    return true;
  });
  // What is put into an empty log in order lies without a gap: it holds again all that it ever held.
  let rest = Math.floor(logBytes / COPY_ALIGN_BYTES) * COPY_ALIGN_BYTES;
  for (let i = instances.length - 1; i >= 0; i--) {
    rest -= sizes[i];
    if (rest >= 0) continue;
    from = instances[i] + 1;
    break;
  }
  if (from <= Math.max(needed, lowest)) return from;
  throw new StorageError(
    `What ${name} holds of instances that may be undecided does not fit into a log of ${logBytes} bytes: it was written with a larger one. Give this node as much memory for its log as before.`,
  );
}

/** Walks a table, whose keys must ascend and whose records must be sound, until `visit` returns false. */
export function walkChecked(
  store: Store,
  table: Table,
  from: number,
  name: string,
  visit: (key: number, value: Uint8Array) => boolean | void,
  isSound?: (record: Uint8Array) => boolean,
): void {
  let above = -1;
  store.walk(table, from, (key, value) => {
    if (table === Table.state && key === StateKey.stamp) return true;
    const flaw = key <= above
      ? "it is not in its place"
      : flawOf(table, key, value, isSound);
    if (flaw !== undefined) throw damaged(name, table, key, flaw);
    above = key;
    return visit(key, value) !== false;
  });
}

function damaged(
  name: string,
  table: Table,
  key: number,
  flaw: string,
): StorageError {
  return new StorageError(
    damageText(name, `${keyText(table, key)}: ${flaw}`),
  );
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.length);
}

/** A u64 of a record, if there is one. */
function numberIn(record: Uint8Array | undefined, at: number) {
  return record === undefined ? undefined : getNumber(viewOf(record), at);
}
