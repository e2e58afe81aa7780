/** Every check that a received frame must pass before anything looks at it. */
import {
  AcceptorState,
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_CONGESTED,
  ACCEPT_DECIDED,
  ACCEPT_FLAGS,
  ACCEPT_INSTANCE,
  ACCEPT_VALUES,
  ANSWER_BYTES,
  ANSWER_COUNT,
  ANSWER_DECIDED,
  BYE_BYTES,
  COMMAND_RESERVE,
  Counter,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_FLAGS,
  ENTRY_INSTANCE,
  ENTRY_VALUES,
  FORGOT_BYTES,
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
  HEARTBEAT_BYTES,
  HEARTBEAT_DECIDED,
  HEARTBEAT_REJOINED,
  HI_BYTES,
  HI_DELIVERED,
  HI_REJOINED,
  HI_STATE,
  Item,
  ITEM_BYTES,
  ITEM_CODE,
  ITEM_KIND,
  ITEM_ROLE,
  LEARNED_BYTES,
  LEARNED_DECIDED,
  LEARNED_ENTRIES,
  LEARNED_TRIMMED,
  Message,
  MESSAGE_END,
  OK_BYTES,
  OK_DECIDED,
  OK_TRIMMED,
  PREPARE_BYTES,
  PREPARE_REJOINING,
  PROMISE_BYTES,
  PROMISE_DECIDED,
  PROMISE_ENTRIES,
  QUERY_BYTES,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  REJECT_BYTES,
  REJECT_DECIDED,
  REJOIN_BYTES,
  REJOIN_END,
  REJOIN_FROM,
  REJOINED_BALLOT,
  REJOINED_ID,
  Role,
  RUN_BYTES,
  SESSION_BYTES,
  SESSION_COUNT,
  STATUS_BYTES,
  STATUS_FIRST,
  STATUS_ITEMS,
  STATUS_ITEMS_MAX,
  STATUS_TOTAL,
  SUBMIT_BATCH_BYTES,
  SUBMIT_BYTES,
  SUBMIT_VALUES,
  Verdict,
  VERDICT_BYTES,
  VERDICT_CLIENT,
  VERDICT_FLAGS,
  VERDICT_INSTANCE,
  VERDICT_VERDICT,
  WINDOW_INSTANCES,
  WIRE_VERSION,
} from "../layout";
import { ballotId, ballotRound } from "./ballot";
import { batchValues, Run } from "./batch";
import { frameChecksum } from "./outbox";
import {
  acceptorIndex,
  batchBytesMax,
  cluster,
  incarnation,
  memoryIncarnation,
  mtu,
  proposerIndex,
  roles,
  selfId,
} from "./settings";

/** Rounds beyond cannot come from counting; they would leave no higher ballot. */
const ROUND_MAX: u64 = 1 << 46;
/** Instances beyond cannot come from counting either. */
const INSTANCE_MAX: u64 = 1 << 62;

/** 0 when the frame of `bytes` bytes at `p` is sound and meant for this node, otherwise the counter of the reason. */
export function frameFault(p: usize, bytes: u32): i32 {
  if (bytes < HEADER_BYTES) return Counter.badLength;
  if (load<u8>(p, HEADER_VERSION) != WIRE_VERSION) return Counter.badVersion;
  if (load<u16>(p, HEADER_CLUSTER) != <u16>cluster) return Counter.badCluster;
  // The header's length counts, not the frame's: Ethernet pads to 60 bytes.
  const length = <u32>load<u16>(p, HEADER_LENGTH);
  // A slot may hold a little more than the MTU, but nothing that long could be passed on.
  if (length < HEADER_BYTES || length > bytes || length > mtu) return Counter.badLength;
  if (load<u64>(p, HEADER_CHECKSUM) != frameChecksum(p, length)) return Counter.badChecksum;

  const type = <i32>load<u8>(p, HEADER_TYPE);
  if (type == 0 || <u32>type >= MESSAGE_END) return Counter.badType;
  const senderRole = <u32>load<u8>(p, HEADER_SENDER_ROLE);
  const senderId = <u32>load<u16>(p, HEADER_SENDER_ID);
  if (popcnt(senderRole) != 1 || (senderRole & sendersOf(type)) == 0) return Counter.badSender;
  if (senderId == 0 || load<u32>(p, HEADER_INCARNATION) == 0) return Counter.badSender;
  if (senderRole == Role.acceptor && acceptorIndex(senderId) < 0) return Counter.badSender;
  if (senderRole == Role.proposer && proposerIndex(senderId) < 0) return Counter.badSender;
  const own = senderRole == Role.acceptor ? memoryIncarnation : incarnation;
  if (load<u32>(p, HEADER_INCARNATION) == own) return Counter.ownEcho;
  const receiverId = <u32>load<u16>(p, HEADER_RECEIVER_ID);
  if (
    (<u32>load<u8>(p, HEADER_RECEIVER_ROLES) & roles) == 0 ||
    (receiverId != 0 && receiverId != selfId)
  ) {
    return Counter.badReceiver;
  }
  return bodySound(p, type, length) ? 0 : Counter.badBody;
}

/** The roles that may send a message of this type. */
function sendersOf(type: i32): u32 {
  switch (type) {
    case Message.prepare:
    case Message.accept:
    case Message.heartbeat:
    case Message.answer:
    case Message.rejoin:
      return Role.proposer;
    case Message.promise:
    case Message.accepted:
    case Message.reject:
    case Message.learned:
      return Role.acceptor;
    case Message.submit:
      return Role.client | Role.proposer;
    case Message.hi:
      return Role.learner | Role.client | Role.acceptor | Role.proposer;
    case Message.ok:
      return Role.acceptor | Role.proposer;
    case Message.bye:
      return Role.learner | Role.client;
    case Message.repair:
      return Role.learner | Role.acceptor;
    case Message.session:
      return Role.learner;
    case Message.query:
      return Role.client;
    default:
      return Role.proposer | Role.acceptor | Role.learner | Role.client;
  }
}

function bodySound(p: usize, type: i32, length: u32): bool {
  switch (type) {
    case Message.prepare:
      return length == PREPARE_BYTES && ownBallot(p) &&
        (load<u16>(p, PREPARE_REJOINING) == 0 || acceptorIndex(load<u16>(p, PREPARE_REJOINING)) >= 0);
    case Message.promise:
      return length >= PROMISE_BYTES && ballotSound(load<u64>(p, HEADER_BALLOT)) &&
        decidedSound(load<u64>(p, PROMISE_DECIDED)) &&
        entriesSound(p, PROMISE_BYTES, <u32>load<u16>(p, PROMISE_ENTRIES), length, false);
    case Message.accept:
      return length >= ACCEPT_BYTES && ownBallot(p) &&
        decidedSound(load<u64>(p, ACCEPT_DECIDED)) &&
        // Never below the leader's first undecided instance, nor beyond what phase 1 could bring up again.
        load<u64>(p, ACCEPT_INSTANCE) - load<u64>(p, ACCEPT_DECIDED) < WINDOW_INSTANCES &&
        instanceSound(load<u64>(p, ACCEPT_INSTANCE)) &&
        (load<u16>(p, ACCEPT_FLAGS) & ~ACCEPT_CONGESTED) == 0 &&
        batchCarried(load<u32>(p, ACCEPT_BATCH_BYTES)) &&
        batchSound(
          p + ACCEPT_BYTES,
          load<u32>(p, ACCEPT_BATCH_BYTES),
          load<u16>(p, ACCEPT_VALUES),
          length - ACCEPT_BYTES,
        );
    case Message.accepted:
      return rangesSound(p, length) && ballotSound(load<u64>(p, HEADER_BALLOT));
    case Message.reject:
      return length == REJECT_BYTES && ballotSound(load<u64>(p, HEADER_BALLOT)) &&
        decidedSound(load<u64>(p, REJECT_DECIDED));
    case Message.heartbeat:
      return length == HEARTBEAT_BYTES && ownBallot(p) &&
        decidedSound(load<u64>(p, HEARTBEAT_DECIDED)) && rejoinedSound(p + HEARTBEAT_REJOINED);
    case Message.submit:
      return length > SUBMIT_BYTES &&
        batchSound(
          p + SUBMIT_BYTES,
          load<u32>(p, SUBMIT_BATCH_BYTES),
          load<u32>(p, SUBMIT_VALUES),
          length - SUBMIT_BYTES,
        );
    case Message.answer:
      return answerSound(p, length);
    case Message.hi:
      return length == HI_BYTES && load<u64>(p, HI_DELIVERED) < INSTANCE_MAX &&
        <i32>load<u16>(p, HI_STATE) <= AcceptorState.recovers && rejoinedSound(p + HI_REJOINED);
    case Message.ok:
      return length == OK_BYTES && decidedSound(load<u64>(p, OK_DECIDED)) &&
        load<u64>(p, OK_TRIMMED) < INSTANCE_MAX;
    case Message.rejoin:
      return length == REJOIN_BYTES && ownBallot(p) && decidedSound(load<u64>(p, REJOIN_FROM)) &&
        load<u64>(p, REJOIN_END) - load<u64>(p, REJOIN_FROM) <= WINDOW_INSTANCES;
    case Message.bye:
      return length == BYE_BYTES;
    case Message.repair:
      return rangesSound(p, length);
    case Message.learned:
      return length >= LEARNED_BYTES && decidedSound(load<u64>(p, LEARNED_DECIDED)) &&
        load<u64>(p, LEARNED_TRIMMED) < INSTANCE_MAX &&
        entriesSound(p, LEARNED_BYTES, load<u32>(p, LEARNED_ENTRIES), length, true);
    case Message.session:
      return verdictsSound(p, length);
    case Message.query:
      return length == QUERY_BYTES;
    case Message.status:
      return itemsSound(p, length);
    default:
      return length == FORGOT_BYTES;
  }
}

/** A ballot of the proposer that sends it. */
function ownBallot(p: usize): bool {
  const ballot = load<u64>(p, HEADER_BALLOT);
  return ballotSound(ballot) && ballotId(ballot) == <u32>load<u16>(p, HEADER_SENDER_ID);
}

function ballotSound(ballot: u64): bool {
  const round = ballotRound(ballot);
  return round > 0 && round < ROUND_MAX && proposerIndex(ballotId(ballot)) >= 0;
}

/** An acceptor that rejoined, or none. */
function rejoinedSound(at: usize): bool {
  const ballot = load<u64>(at, REJOINED_BALLOT);
  return ballot == 0 || (ballotSound(ballot) && acceptorIndex(load<u16>(at, REJOINED_ID)) >= 0);
}

function instanceSound(instance: u64): bool {
  return instance > 0 && instance < INSTANCE_MAX;
}

/** A first undecided instance. */
function decidedSound(decided: u64): bool {
  return decided > 0 && decided < INSTANCE_MAX;
}

/** Whether this node could pass the batch on in any message, within its own MTU. */
function batchCarried(bytes: u32): bool {
  return bytes <= batchBytesMax;
}

function batchSound(batch: usize, bytes: u32, values: u32, room: u32): bool {
  if (bytes != room || (bytes & 7) != 0) return false;
  const found = batchValues(batch, bytes);
  // A batch that is none must not pass for one of 2^32 - 1 values.
  return found >= 0 && <u32>found == values;
}

/** Ranges ascend, do not touch backwards, and are not empty; so together they are no longer than the instances they span. */
function rangesSound(p: usize, length: u32): bool {
  if (length < RANGES_BYTES) return false;
  const ranges = load<u32>(p, RANGES_COUNT);
  if (ranges == 0 || ranges > 0xffff || length != RANGES_BYTES + ranges * RANGE_BYTES) return false;
  let before: u64 = 0;
  for (let r: u32 = 0; r < ranges; r++) {
    const range = p + RANGES_BYTES + <usize>r * RANGE_BYTES;
    const first = load<u64>(range);
    const end = load<u64>(range, 8);
    if (!instanceSound(first) || !instanceSound(end) || first < before || end <= first) return false;
    before = end;
  }
  return true;
}

/** `nothing`: entries may say that nothing was accepted. */
function entriesSound(p: usize, from: u32, entries: u32, length: u32, nothing: bool): bool {
  let at = from;
  let before: u64 = 0;
  for (let n: u32 = 0; n < entries; n++) {
    if (length - at < ENTRY_BYTES) return false;
    const entry = p + at;
    const bytes = load<u32>(entry, ENTRY_BATCH_BYTES);
    at += ENTRY_BYTES;
    if (bytes > length - at || !batchCarried(bytes)) return false;
    const instance = load<u64>(entry, ENTRY_INSTANCE);
    if (!instanceSound(instance) || instance <= before) return false;
    const ballot = load<u64>(entry, ENTRY_BALLOT);
    const isNothing = nothing && ballot == 0 && bytes == 0 && load<u16>(entry, ENTRY_FLAGS) == 0;
    if (!isNothing && !ballotSound(ballot)) return false;
    if (!batchSound(entry + ENTRY_BYTES, bytes, load<u16>(entry, ENTRY_VALUES), bytes)) return false;
    before = instance;
    at += bytes;
  }
  return at == length;
}

function answerSound(p: usize, length: u32): bool {
  if (length < ANSWER_BYTES) return false;
  const entries = load<u32>(p, ANSWER_COUNT);
  if (entries == 0 || entries > 0xffff || length != ANSWER_BYTES + entries * RUN_BYTES) return false;
  if (!decidedSound(load<u64>(p, ANSWER_DECIDED))) return false;
  for (let n: u32 = 0; n < entries; n++) {
    const run = p + ANSWER_BYTES + <usize>n * RUN_BYTES;
    if (Run.count(run) == 0 || Run.client(run) == 0 || Run.first(run) == 0) return false;
    if (!Run.countable(Run.first(run), Run.count(run))) return false;
  }
  return true;
}

function verdictsSound(p: usize, length: u32): bool {
  if (length < SESSION_BYTES) return false;
  const verdicts = load<u32>(p, SESSION_COUNT);
  if (verdicts == 0 || verdicts > 0xffff) return false;
  if (length != SESSION_BYTES + verdicts * VERDICT_BYTES) return false;
  for (let n: u32 = 0; n < verdicts; n++) {
    const at = p + SESSION_BYTES + <usize>n * VERDICT_BYTES;
    const verdict = <i32>load<u32>(at, VERDICT_VERDICT);
    if (verdict < Verdict.open || verdict > Verdict.full) return false;
    if (load<u32>(at, VERDICT_FLAGS) > COMMAND_RESERVE) return false;
    if (load<u64>(at, VERDICT_CLIENT) == 0 || !instanceSound(load<u64>(at, VERDICT_INSTANCE))) return false;
  }
  return true;
}

/** The items of a status are known kinds, lie within the answer that they are part of, and only peers have a role. */
function itemsSound(p: usize, length: u32): bool {
  if (length < STATUS_BYTES) return false;
  const items = load<u32>(p, STATUS_ITEMS);
  if (items == 0 || items > STATUS_ITEMS_MAX || length != STATUS_BYTES + items * ITEM_BYTES) return false;
  const total = <u32>load<u16>(p, STATUS_TOTAL);
  if (total > STATUS_ITEMS_MAX || <u32>load<u16>(p, STATUS_FIRST) + items > total) return false;
  for (let n: u32 = 0; n < items; n++) {
    const item = p + STATUS_BYTES + <usize>n * ITEM_BYTES;
    const kind = <i32>load<u8>(item, ITEM_KIND);
    const role = <u32>load<u8>(item, ITEM_ROLE);
    if (kind == Item.peer) {
      if (popcnt(role) != 1 || role > <u32>Role.client || load<u16>(item, ITEM_CODE) == 0) return false;
    } else if ((kind != Item.field && kind != Item.counter) || role != 0) {
      return false;
    }
  }
  return true;
}
