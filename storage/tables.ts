/**
 * Where each record is stored. Storage keeps state by key, and no history: a new promise takes the
 * place of the last one, and an instance that is accepted again the place of what was accepted before.
 */
import { Record as RecordKind } from "../core/layout.ts";
import { Table } from "./store.ts";

/** Keys of `Table.state`. */
export enum StateKey {
  /** What the directory says of itself; no record. */
  stamp = 0,
  promise = 1,
  decided = 2,
  confirmed = 3,
  rejoin = 4,
  checkpoint = 5,
  present = 6,
  trim = 7,
  refilled = 8,
  /** The first of each: an acceptor's id, the index of a large value, or a place in a ring, is added. */
  rejoined = 0x10000,
  known = 0x20000,
  assembly = 0x30000,
  led = 0x40000,
}

/** The table in which records of a kind are stored; undefined: there is no such kind. */
export function tableOf(kind: RecordKind): Table | undefined {
  switch (kind) {
    case RecordKind.accept:
    case RecordKind.fetched:
    case RecordKind.hole:
      return Table.log;
    case RecordKind.session:
      return Table.sessions;
    case RecordKind.piece:
      return Table.pieces;
    default:
      return RecordKind[kind] === undefined ? undefined : Table.state;
  }
}

/** The key under which a record is stored. @param instance What stands in `RECORD_INSTANCE`. */
export function keyOf(kind: RecordKind, instance: number): number {
  switch (kind) {
    case RecordKind.accept:
    case RecordKind.fetched:
    case RecordKind.hole:
    case RecordKind.session:
    case RecordKind.piece:
      return instance;
    case RecordKind.rejoined:
      return StateKey.rejoined + instance;
    case RecordKind.known:
      return StateKey.known + instance;
    case RecordKind.assembly:
      return StateKey.assembly + instance;
    case RecordKind.led:
      return StateKey.led + instance;
    case RecordKind.promise:
      return StateKey.promise;
    case RecordKind.decided:
      return StateKey.decided;
    case RecordKind.confirmed:
      return StateKey.confirmed;
    case RecordKind.rejoin:
      return StateKey.rejoin;
    case RecordKind.checkpoint:
      return StateKey.checkpoint;
    case RecordKind.present:
      return StateKey.present;
    case RecordKind.trim:
      return StateKey.trim;
    case RecordKind.refilled:
      return StateKey.refilled;
  }
}

/** A key as people read it: `instance 7`, `session 3`, `the promise`. */
export function keyText(table: Table, key: number): string {
  if (table === Table.log) return `instance ${key}`;
  if (table === Table.sessions) return `session ${key}`;
  if (table === Table.pieces) {
    return `piece ${key % 64} of large value ${Math.floor(key / 64)}`;
  }
  if (key >= StateKey.led) return `past leader ${key - StateKey.led}`;
  if (key >= StateKey.assembly) return `large value ${key - StateKey.assembly}`;
  if (key >= StateKey.known) {
    return `the first memory of acceptor ${key - StateKey.known}`;
  }
  if (key >= StateKey.rejoined) {
    return `the return of acceptor ${key - StateKey.rejoined}`;
  }
  const name = StateKey[key];
  return name === undefined ? `state ${key}` : `the ${name} record`;
}
