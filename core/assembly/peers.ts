/**
 * What is known of the configured acceptors and proposers: link address, incarnation, last heard.
 *
 * Addresses come from the configuration or from the frames themselves. Until one is known, a frame
 * for that node goes to the whole group with the node's id in it.
 *
 * An acceptor without stable storage that restarts has forgotten its promises. Its votes would be
 * those of another acceptor under the same name, so only its first incarnation counts.
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
  Role,
} from "../layout";
import { arenaTake } from "./arena";
import { count, gauge, gauged, note } from "./meters";
import { begin, finish, groupAddress } from "./outbox";
import { acceptorCount, acceptorId, proposerCount, proposerId, roles } from "./settings";
import { statusPeer } from "./status";

@unmanaged
class Peer {
  address: u64;
  /** 0: never heard. */
  heardAt_us: u64;
  incarnation: u32;
  known: bool;
  /** It was noted that another incarnation votes in its name. */
  forgot: bool;
}

let acceptors: usize = 0;
let proposers: usize = 0;

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
  if (peer.incarnation == 0) peer.incarnation = incarnation;
  if (peer.incarnation != incarnation) {
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
  peer.address = address;
  peer.known = true;
  peer.heardAt_us = now_us;
  gauge(Gauge.acceptorsHeard, gauged(Gauge.acceptorsHeard) | (1 << index));
  return true;
}

function sendForgot(id: u32, known: u32, refused: u32, address: u64): void {
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

/** When the acceptor was last heard, µs; 0: never. */
export function acceptorHeard(index: i32): u64 {
  return acceptor(index).heardAt_us;
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
