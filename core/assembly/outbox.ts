/**
 * Frames on their way out: to the card, to this node's own other roles, or held for a record.
 *
 * A frame is begun, filled and finished. `finish` gives it its length and checksum and lists it
 * for the card, for this node itself, or for both. A frame of an acceptor that reveals its state
 * carries the number of the newest record; when storage is attached it is held until that record
 * is durable ("Paxos Made Simple", 2.5: stable storage before the response is sent), and so is
 * the copy for this node's own roles.
 */
import {
  Counter,
  FRAME_OFFSET,
  Gauge,
  HEADER_BALLOT,
  HEADER_BYTES,
  HEADER_CHECKSUM,
  HEADER_CLUSTER,
  HEADER_INCARNATION,
  HEADER_LENGTH,
  HEADER_RECEIVER_ID,
  HEADER_RECEIVER_ROLES,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEADER_TYPE,
  HEADER_VERSION,
  HELD_FRAMES,
  LINK_BYTES,
  Role,
  SEND_FRAMES,
  Setting,
  WIRE_VERSION,
} from "../layout";
import { arenaTake } from "./arena";
import { xxh64 } from "./checksum";
import { count, gauge, gauged } from "./meters";
import { durableRecords, records } from "./records";
import {
  cluster,
  incarnation,
  memoryIncarnation,
  mtu,
  persistent,
  roles,
  selfId,
  setting,
} from "./settings";

/** Bytes from a slot to the kpaxos header in it. */
export const PAYLOAD_OFFSET: usize = FRAME_OFFSET + LINK_BYTES;

/** Link addresses are the low 48 bits of a u64; the first byte on the wire is the lowest. */
let ownAddress: u64 = 0;
export let groupAddress: u64 = 0;
let etherTypeBytes: u16 = 0;

let slotBytes: usize = 0;
let slots: usize = 0;
let used: i32 = 0;
/** Pairs of u32 for the card: where a frame starts, and its bytes. */
export let descriptors: usize = 0;
export let descriptorCount: i32 = 0;
/** Payload pointers of frames for this node's own roles, in order. */
let own: usize = 0;
let ownHead: i32 = 0;
let ownTail: i32 = 0;

// Held frames: a ring of slots; beside each, the record it waits for and its routing.
let heldSlots: usize = 0;
let heldRecords: usize = 0;
let heldHead: u32 = 0;
let heldTail: u32 = 0;
/** Where the head was when this step began: slots from there on are still to be sent. */
let heldFloor: u32 = 0;

export function slotBytesFor(mtuBytes: u32): usize {
  return (PAYLOAD_OFFSET + mtuBytes + 63) & ~63;
}

export function outboxInit(): void {
  slotBytes = slotBytesFor(mtu);
  etherTypeBytes = bswap<u16>(<u16>setting(Setting.ethertype));
  slots = arenaTake(slotBytes * SEND_FRAMES);
  descriptors = arenaTake((SEND_FRAMES + HELD_FRAMES) * 8);
  own = arenaTake((SEND_FRAMES + HELD_FRAMES) * 4);
  if (persistent) {
    heldSlots = arenaTake(slotBytes * HELD_FRAMES);
    heldRecords = arenaTake(HELD_FRAMES * 8);
  }
}

/** Sets this node's own link address and the one that reaches everybody. */
export function outboxAddress(address: u64, group: u64): void {
  ownAddress = address;
  groupAddress = group;
}

/** Starts a step: the frames of the last one have left. */
export function outboxClear(): void {
  if (<u64>used > gauged(Gauge.outboxPeak)) gauge(Gauge.outboxPeak, used);
  used = 0;
  descriptorCount = 0;
  ownHead = 0;
  ownTail = 0;
  heldFloor = heldHead;
}

/** Frames that may still be begun in this step. */
export function outboxRoom(): i32 {
  return SEND_FRAMES - used;
}

/** True when no further frame can be held, so that no further vote may be given. */
export function heldFull(): bool {
  return persistent && heldTail - heldFloor >= HELD_FRAMES - 64;
}

/** Frames that wait for a record to become durable. */
export function heldFrames(): u32 {
  return heldTail - heldHead;
}

/** The payload of a new frame, its header filled but for length and checksum; 0 when there is no room. */
export function begin(
  type: i32,
  senderRole: u32,
  receiverRoles: u32,
  receiverId: u32,
  ballot: u64,
): usize {
  if (used == SEND_FRAMES) {
    count(Counter.outboxFull);
    return 0;
  }
  const p = slots + <usize>used * slotBytes + PAYLOAD_OFFSET;
  store<u8>(p, <u8>WIRE_VERSION, HEADER_VERSION);
  store<u8>(p, <u8>type, HEADER_TYPE);
  store<u16>(p, <u16>cluster, HEADER_CLUSTER);
  store<u8>(p, <u8>senderRole, HEADER_SENDER_ROLE);
  store<u8>(p, <u8>receiverRoles, HEADER_RECEIVER_ROLES);
  store<u16>(p, <u16>selfId, HEADER_SENDER_ID);
  store<u16>(p, <u16>receiverId, HEADER_RECEIVER_ID);
  store<u32>(p, senderRole == Role.acceptor ? memoryIncarnation : incarnation, HEADER_INCARNATION);
  store<u64>(p, ballot, HEADER_BALLOT);
  return p;
}

/** The check over a frame: XXH64 of all behind the checksum, seeded with that of all before it. */
export function frameChecksum(p: usize, length: u32): u64 {
  return xxh64(p + HEADER_BALLOT, length - HEADER_BALLOT, xxh64(p, HEADER_CHECKSUM, 0));
}

/** Ends the frame begun last: `length` bytes from the header on, to `address`. */
export function finish(p: usize, length: u32, address: u64): void {
  seal(p, length, address);
  used++;
  route(p);
}

/** As `finish`, for a frame that reveals an acceptor's state. */
export function finishHeld(p: usize, length: u32, address: u64): void {
  seal(p, length, address);
  if (!persistent || durableRecords >= records) {
    used++;
    route(p);
    return;
  }
  if (heldTail - heldFloor == HELD_FRAMES) {
    count(Counter.heldFull);
    return;
  }
  const at = <usize>(heldTail++ & (HELD_FRAMES - 1));
  memory.copy(heldSlots + at * slotBytes, p - PAYLOAD_OFFSET, PAYLOAD_OFFSET + length);
  store<u64>(heldRecords + (at << 3), records);
}

/** Lets go every held frame whose record is durable. Their slots stay untouched in this step. */
export function release(): void {
  while (heldHead != heldTail) {
    const at = <usize>(heldHead & (HELD_FRAMES - 1));
    if (load<u64>(heldRecords + (at << 3)) > durableRecords) break;
    heldHead++;
    route(heldSlots + at * slotBytes + PAYLOAD_OFFSET);
  }
}

function seal(p: usize, length: u32, address: u64): void {
  assert(length >= HEADER_BYTES && length <= mtu, "frame length out of range");
  store<u32>(p - LINK_BYTES, <u32>address);
  store<u16>(p - LINK_BYTES, <u16>(address >> 32), 4);
  store<u32>(p - LINK_BYTES, <u32>ownAddress, 6);
  store<u16>(p - LINK_BYTES, <u16>(ownAddress >> 32), 10);
  store<u16>(p - LINK_BYTES, etherTypeBytes, 12);
  store<u16>(p, <u16>length, HEADER_LENGTH);
  store<u64>(p, frameChecksum(p, length), HEADER_CHECKSUM);
}

/** To the card, unless only this node is meant; to this node, if one of its roles is meant. */
function route(p: usize): void {
  const receiverRoles = <u32>load<u8>(p, HEADER_RECEIVER_ROLES);
  const receiverId = <u32>load<u16>(p, HEADER_RECEIVER_ID);
  // Clients may share an id, so a client never takes a frame for its own by id.
  const mine = (receiverRoles & roles) != 0 && (receiverId == 0 || receiverId == selfId);
  if (mine) store<u32>(own + (<usize>(ownTail++) << 2), <u32>p);
  // A frame for this id alone stays inside, unless a role is meant that runs elsewhere under the same id.
  if (mine && receiverId == selfId && (receiverRoles & ~roles) == 0) return;
  const length = <u32>load<u16>(p, HEADER_LENGTH);
  const at = descriptors + (<usize>(descriptorCount++) << 3);
  store<u32>(at, <u32>(p - LINK_BYTES));
  store<u32>(at, length + LINK_BYTES, 4);
  count(Counter.sent);
  count(Counter.sentBytes, length + LINK_BYTES);
}

/** The next frame for this node's own roles, or 0. */
export function nextOwn(): usize {
  return ownHead == ownTail ? 0 : <usize>load<u32>(own + (<usize>(ownHead++) << 2));
}

/** Whether a frame waits for this node's own roles. */
export function ownWaiting(): bool {
  return ownHead != ownTail;
}

/** The link address that a received frame came from. */
export function sourceAddress(p: usize): u64 {
  return <u64>load<u32>(p - LINK_BYTES, 6) | (<u64>load<u16>(p - LINK_BYTES, 10) << 32);
}
