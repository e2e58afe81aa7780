/**
 * What is known of the configured acceptors and proposers: link address, incarnation, last heard.
 *
 * Addresses come from the configuration or from the frames themselves. Until one is known, a frame
 * for that node goes to the whole group with the node's id in it.
 *
 * An acceptor that lost its memory has forgotten its promises. Its votes would be those of another
 * acceptor under the same name, so they count only after a leader let it rejoin. Who rejoined, in which
 * ballot and with which memory, is told on and on, in `hi` and heartbeats; a newer ballot replaces an
 * older one. So all of it together is a vector as that of Michael et al. ("Recovering Shared Objects
 * Without Stable Storage", DISC 2017), and two nodes that know the same have the same `memories`.
 */
import {
  ACCEPTORS_MAX,
  Counter,
  Event,
  FORGOT_BYTES,
  FORGOT_KNOWN,
  FORGOT_REFUSED,
  Gauge,
  HEADER_INCARNATION,
  HEADER_SENDER_ID,
  HEADER_TYPE,
  Message,
  PROPOSERS_MAX,
  Record,
  REJOINED_BALLOT,
  REJOINED_ID,
  REJOINED_MEMORY,
  Role,
} from "../layout";
import { arenaTake } from "./arena";
import { count, gauge, gauged, note } from "./meters";
import { begin, finish, groupAddress } from "./outbox";
import { appendRecord, journalRoom } from "./records";
import {
  acceptorCount,
  acceptorId,
  acceptorIndex,
  memoryIncarnation,
  persistent,
  proposerCount,
  proposerId,
  roles,
  selfId,
} from "./settings";
import { statusPeer } from "./status";

@unmanaged
class Peer {
  address: u64;
  /** 0: never heard. */
  heardAt_us: u64;
  /** Ballot in which it rejoined with this incarnation; 0: its first memory, as far as was heard. */
  rejoinedIn: u64;
  incarnation: u32;
  known: bool;
  /** It was noted that another incarnation votes in its name. */
  forgot: bool;
}

let acceptors: usize = 0;
let proposers: usize = 0;
/** Stands for which acceptors rejoined, in which ballots and with which memories; 0: none did. */
export let memories: u64 = 0;
/** Another memory rejoined under the name of this node's acceptor. */
export let isReplaced: bool = false;
/** The acceptor that is told of next, if it rejoined. */
let toldNext: i32 = 0;

export function peersInit(): void {
  acceptors = arenaTake(offsetof<Peer>() * ACCEPTORS_MAX);
  proposers = arenaTake(offsetof<Peer>() * PROPOSERS_MAX);
}

@inline
function acceptor(index: i32): Peer {
  return changetype<Peer>(acceptors + <usize>index * offsetof<Peer>());
}

@inline
function proposer(index: i32): Peer {
  return changetype<Peer>(proposers + <usize>index * offsetof<Peer>());
}

/** The address given in the configuration. */
export function presetAddress(role: u32, index: i32, address: u64): void {
  const peer = role == Role.acceptor ? acceptor(index) : proposer(index);
  peer.address = address;
  peer.known = true;
}

/**
 * Takes note of a frame from an acceptor. False when it must not count as that acceptor's: another
 * incarnation was heard before, and the sender is told so; but not in answer to `forgot`, since two
 * acceptors that both forgot would answer each other for ever.
 */
export function hearAcceptor(index: i32, p: usize, address: u64, now_us: u64): bool {
  const id = <u32>load<u16>(p, HEADER_SENDER_ID);
  const incarnation = load<u32>(p, HEADER_INCARNATION);
  const peer = acceptor(index);
  if (peer.incarnation == 0) learnMemory(index, incarnation);
  if (peer.incarnation != incarnation && incarnation != memoryIncarnation) {
    count(Counter.forgottenVotes);
    if (!peer.forgot) {
      peer.forgot = true;
      note(Event.acceptorForgot, id, incarnation);
    }
    if (load<u8>(p, HEADER_TYPE) != Message.forgot) {
      sendForgot(id, peer.incarnation, incarnation, address);
    }
    return false;
  }
  hearRecovering(index, address);
  peer.heardAt_us = now_us;
  gauge(Gauge.acceptorsHeard, gauged(Gauge.acceptorsHeard) | (1 << index));
  return true;
}

/** The acceptor at `index` is heard for the first time, with this memory. */
function learnMemory(index: i32, memory: u32): void {
  acceptor(index).incarnation = memory;
  // Who vouches for others must know them after a crash too, when they may come with empty disks.
  if (persistent && (roles & Role.acceptor) != 0 && acceptorId(index) != selfId) {
    appendRecord(Record.known, 0, memory, acceptorId(index), 0, 0, 0);
  }
}

/** As `learnMemory`, for what storage kept; who left the configuration since is not remembered. */
export function setMemory(index: i32, memory: u32): void {
  if (index >= 0 && acceptor(index).incarnation == 0) acceptor(index).incarnation = memory;
}

/** Takes note of where an acceptor is that lost its memory and says so: nothing else counts yet. */
export function hearRecovering(index: i32, address: u64): void {
  const peer = acceptor(index);
  peer.address = address;
  peer.known = true;
}

/** The acceptor at `index` rejoined, or may rejoin, in `ballot` with this memory. */
export function learnRejoined(index: i32, ballot: u64, memory: u32): void {
  if (!setRejoined(index, ballot, memory)) return;
  // What a promise says of this must be known after a crash too.
  if ((roles & Role.acceptor) != 0) {
    appendRecord(Record.rejoined, ballot, memory, acceptorId(index), 0, 0, 0);
  }
}

/** As `learnRejoined`, for what storage kept. True if it is news. */
export function setRejoined(index: i32, ballot: u64, memory: u32): bool {
  if (index < 0) return false;
  const peer = acceptor(index);
  // Two incarnations of a proposer may have begun with the same ballot: all must take the same one's word.
  if (ballot < peer.rejoinedIn || (ballot == peer.rejoinedIn && memory <= peer.incarnation)) return false;
  memories ^= entryHash(index, peer) ^ entryHashOf(index, ballot, memory);
  peer.rejoinedIn = ballot;
  peer.incarnation = memory;
  peer.forgot = false;
  toldNext = index;
  if (memory != memoryIncarnation && (roles & Role.acceptor) != 0 && acceptorId(index) == selfId) {
    isReplaced = true;
    note(Event.recovering, selfId, 0);
  }
  return true;
}

/** This node's acceptor rejoins under its own memory. */
export function clearReplaced(): void {
  isReplaced = false;
}

/** Reads what a frame tells at `at` of an acceptor that rejoined. */
export function hearRejoined(at: usize): void {
  const ballot = load<u64>(at, REJOINED_BALLOT);
  // It is told again, when storage has room for the record.
  if (ballot == 0 || (persistent && journalRoom() == 0)) return;
  learnRejoined(acceptorIndex(load<u16>(at, REJOINED_ID)), ballot, load<u32>(at, REJOINED_MEMORY));
}

/** Writes one acceptor that rejoined into a frame at `at`: the one learned last first, then one after another. */
export function tellRejoined(at: usize): void {
  memory.fill(at, 0, 16);
  for (let tries = 0; tries < acceptorCount; tries++) {
    const index = toldNext;
    toldNext = (index + 1) % acceptorCount;
    const peer = acceptor(index);
    if (peer.rejoinedIn == 0) continue;
    store<u64>(at, peer.rejoinedIn, REJOINED_BALLOT);
    store<u16>(at, acceptorId(index), REJOINED_ID);
    store<u32>(at, peer.incarnation, REJOINED_MEMORY);
    return;
  }
}

function entryHash(index: i32, peer: Peer): u64 {
  return peer.rejoinedIn == 0 ? 0 : entryHashOf(index, peer.rejoinedIn, peer.incarnation);
}

/** The finalizer of MurmurHash3, over index, ballot and memory. */
function entryHashOf(index: i32, ballot: u64, memory: u32): u64 {
  let hash = ballot ^ (<u64>memory << 32) ^ ((<u64>index + 1) * 0x9e3779b97f4a7c15);
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

/** Tells an acceptor that asks for its past of its return, if there was one. True if it was told. */
export function sendForgotReturn(p: usize): bool {
  const id = <u32>load<u16>(p, HEADER_SENDER_ID);
  const peer = acceptor(acceptorIndex(id));
  if (peer.rejoinedIn == 0) return false;
  sendForgot(id, peer.incarnation, load<u32>(p, HEADER_INCARNATION), peer.address);
  return true;
}

/** Tells an acceptor that a frame of its came from another memory than the one that counts. */
export function sendForgot(id: u32, known: u32, refused: u32, address: u64): void {
  const role = roles & (0 - roles);
  const p = begin(Message.forgot, role, Role.acceptor, id, 0);
  if (p == 0) return;
  store<u32>(p, known, FORGOT_KNOWN);
  store<u32>(p, refused, FORGOT_REFUSED);
  finish(p, FORGOT_BYTES, address);
}

export function hearProposer(index: i32, address: u64, now_us: u64): void {
  const peer = proposer(index);
  peer.address = address;
  peer.known = true;
  peer.heardAt_us = now_us;
}

/** The incarnation of the acceptor's memory whose votes count; 0: never heard. */
export function acceptorMemory(index: i32): u32 {
  return acceptor(index).incarnation;
}

/** The ballot in which the acceptor rejoined; 0: its first memory, as far as was heard. */
export function acceptorRejoinedIn(index: i32): u64 {
  return acceptor(index).rejoinedIn;
}

/** Whether the acceptor was heard less than `within_us` ago. */
export function isAcceptorHeard(index: i32, now_us: u64, within_us: u64): bool {
  const heardAt_us = acceptor(index).heardAt_us;
  return heardAt_us != 0 && now_us - heardAt_us < within_us;
}

/** Where a frame for this acceptor goes. */
export function acceptorAddress(index: i32): u64 {
  const peer = acceptor(index);
  return peer.known ? peer.address : groupAddress;
}

/** Where a frame for this proposer goes. */
export function proposerAddress(index: i32): u64 {
  const peer = proposer(index);
  return peer.known ? peer.address : groupAddress;
}

/** Tells of every configured acceptor and proposer when it was heard. */
export function peersStatus(now_us: u64): void {
  for (let i = 0; i < acceptorCount; i++) {
    statusPeer(Role.acceptor, acceptorId(i), acceptor(i).heardAt_us, now_us, 0);
  }
  for (let i = 0; i < proposerCount; i++) {
    statusPeer(Role.proposer, proposerId(i), proposer(i).heardAt_us, now_us, 0);
  }
}
