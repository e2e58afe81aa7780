/// <reference path="../types/assemblyscript.d.ts" />
/**
 * The numbers that the core and its host must agree on.
 *
 * This one file is compiled twice: by AssemblyScript as part of the core, and by Deno as part
 * of the host. It therefore holds nothing but constants and enumerations of small integers.
 * The wire format that the `HEADER_`, `*_BYTES` and `RUN_` constants describe is drawn in
 * `docs/wire.md`.
 */

/** Version of the wire format; frames of any other version are dropped. */
export const WIRE_VERSION: u32 = 1;

/** Roles, as bits, so that one frame can address several. */
export enum Role {
  proposer = 1,
  acceptor = 2,
  learner = 4,
  client = 8,
}

/** Message types. 1A, 1B, 2A and 2B are the names of "Paxos Made Simple". */
export enum Message {
  /** 1A, proposer to acceptors. */
  prepare = 1,
  /** 1B, acceptor to proposer: one page of what it has accepted. */
  promise = 2,
  /** 2A, proposer to everybody: one instance and its batch. */
  accept = 3,
  /** 2B, acceptor to everybody: ranges of instances accepted in one ballot. */
  accepted = 4,
  /** Acceptor to proposer: preempted, a higher ballot is promised. */
  reject = 5,
  /** Leader to everybody: I lead, and this much is decided. */
  heartbeat = 6,
  /** Client to leader: values to be decided. */
  submit = 7,
  /** Leader to client: these values are decided already. */
  answer = 8,
  /** Learner or client to everybody: I am here and have delivered this much. */
  hi = 9,
  /** Acceptor or proposer, in answer to hi; in place of a ballot, the incarnation that it answers. */
  ok = 10,
  /** Learner or client leaves. */
  bye = 11,
  /** Learner to an acceptor: send me these instances. */
  repair = 12,
  /** Acceptor to learner, in answer to repair. */
  learned = 13,
  /** Anybody to an acceptor: you are not the incarnation whose votes I know. */
  forgot = 14,
  /** Leader to an acceptor that lost its memory: from this ballot on it may take part again. */
  rejoin = 15,
  /** Client to everybody: how are you? */
  query = 16,
  /** Anybody to a client, in answer to query. */
  status = 17,
  /** Learner to clients: what became of commands that open or touch sessions. */
  session = 18,
}

/** One more than the highest message type. */
export const MESSAGE_END: u32 = 19;

/** Bytes of the link header before every kpaxos header: destination, source, EtherType. */
export const LINK_BYTES: u32 = 14;
/** Where a frame starts in its slot, so that the kpaxos header is aligned to 8 bytes. */
export const FRAME_OFFSET: u32 = 2;

/** Offsets in the header that starts every message. */
export const HEADER_VERSION: u32 = 0;
export const HEADER_TYPE: u32 = 1;
export const HEADER_CLUSTER: u32 = 2;
export const HEADER_SENDER_ROLE: u32 = 4;
export const HEADER_RECEIVER_ROLES: u32 = 5;
export const HEADER_SENDER_ID: u32 = 6;
export const HEADER_RECEIVER_ID: u32 = 8;
export const HEADER_LENGTH: u32 = 10;
export const HEADER_INCARNATION: u32 = 12;
export const HEADER_CHECKSUM: u32 = 16;
export const HEADER_BALLOT: u32 = 24;
export const HEADER_BYTES: u32 = 32;

/** Offsets in the bodies, counted from the start of the header. */
export const PREPARE_FROM: u32 = 32;
/** The acceptor that this ballot lets rejoin, which therefore does not count in its phase 1; 0: none. */
export const PREPARE_REJOINING: u32 = 40;
export const PREPARE_MEMORY: u32 = 44;
export const PREPARE_BYTES: u32 = 48;

export const PROMISE_START: u32 = 32;
export const PROMISE_END: u32 = 40;
export const PROMISE_DECIDED: u32 = 48;
export const PROMISE_ENTRIES: u32 = 56;
export const PROMISE_FLAGS: u32 = 58;
export const PROMISE_INCARNATION: u32 = 60;
/** Stands for all that the acceptor knows of which acceptor lost its memory, and when it rejoined. */
export const PROMISE_MEMORIES: u32 = 64;
export const PROMISE_BYTES: u32 = 72;
/** This page ends what the acceptor has accepted. */
export const PROMISE_LAST: u32 = 1;
/** The acceptor sends no further page before it is asked. */
export const PROMISE_PAUSE: u32 = 2;

export const ACCEPT_DECIDED: u32 = 32;
export const ACCEPT_INSTANCE: u32 = 40;
export const ACCEPT_BATCH_BYTES: u32 = 48;
export const ACCEPT_VALUES: u32 = 52;
export const ACCEPT_FLAGS: u32 = 54;
export const ACCEPT_BYTES: u32 = 56;
/** The leader's queue is long: clients should send less. */
export const ACCEPT_CONGESTED: u32 = 1;

/** Both accepted (2B) and repair carry ranges of instances. */
export const RANGES_COUNT: u32 = 32;
export const RANGES_BYTES: u32 = 40;
/** One range: first instance, and one past the last; u64 each. */
export const RANGE_BYTES: u32 = 16;

export const REJECT_REJECTED: u32 = 32;
export const REJECT_DECIDED: u32 = 40;
export const REJECT_BYTES: u32 = 48;

export const HEARTBEAT_DECIDED: u32 = 32;
export const HEARTBEAT_NEXT: u32 = 40;
/** One acceptor that rejoined: in which ballot, its id, and the incarnation of its memory; ballot 0: none. */
export const HEARTBEAT_REJOINED: u32 = 48;
export const HEARTBEAT_BYTES: u32 = 64;

export const SUBMIT_BATCH_BYTES: u32 = 32;
export const SUBMIT_VALUES: u32 = 36;
export const SUBMIT_BYTES: u32 = 40;

export const ANSWER_COUNT: u32 = 32;
/** All that is answered was decided in instances below. */
export const ANSWER_DECIDED: u32 = 40;
export const ANSWER_BYTES: u32 = 48;

export const HI_DELIVERED: u32 = 32;
/** Of an acceptor: as in a heartbeat, one acceptor that rejoined. */
export const HI_REJOINED: u32 = 40;
/** Of an acceptor: what it does, one of `AcceptorState`. */
export const HI_STATE: u32 = 56;
export const HI_BYTES: u32 = 64;

/** An acceptor that rejoined, in hi and heartbeat: ballot u64, id u16, incarnation of its memory u32. */
export const REJOINED_BALLOT: u32 = 0;
export const REJOINED_ID: u32 = 8;
export const REJOINED_MEMORY: u32 = 12;

export const OK_DECIDED: u32 = 32;
export const OK_TRIMMED: u32 = 40;
export const OK_NEXT: u32 = 48;
/** Of an acceptor: the highest ballot it promised, and for how long it has heard no leader, µs. */
export const OK_PROMISED: u32 = 56;
export const OK_SILENCE: u32 = 64;
export const OK_BYTES: u32 = 72;

export const BYE_BYTES: u32 = 32;

/** The incarnation known before, and the one that is refused. */
export const FORGOT_KNOWN: u32 = 32;
export const FORGOT_REFUSED: u32 = 36;
export const FORGOT_BYTES: u32 = 40;

/** The acceptor's memory that is meant; what phase 1 of the ballot brought up. */
export const REJOIN_MEMORY: u32 = 32;
export const REJOIN_FROM: u32 = 40;
export const REJOIN_END: u32 = 48;
export const REJOIN_BYTES: u32 = 56;
/** Drawn by who asks; the answers repeat it. */
export const QUERY_NUMBER: u32 = 32;
export const QUERY_BYTES: u32 = 40;

/** Items of the whole answer, the place of this frame's first one, and how many follow. */
export const STATUS_NUMBER: u32 = 32;
export const STATUS_TOTAL: u32 = 36;
export const STATUS_FIRST: u32 = 38;
export const STATUS_ITEMS: u32 = 40;
export const STATUS_BYTES: u32 = 48;

/** One item of a status. */
export const ITEM_KIND: u32 = 0;
export const ITEM_ROLE: u32 = 1;
export const ITEM_CODE: u32 = 2;
export const ITEM_AGO: u32 = 4;
export const ITEM_VALUE: u32 = 8;
export const ITEM_BYTES: u32 = 16;
/** How long ago a peer was heard that never was. */
export const AGO_NEVER: u32 = 0xffffffff;

export const SESSION_COUNT: u32 = 32;
export const SESSION_BYTES: u32 = 40;

/** What became of one command; a session message carries several. */
export const VERDICT_CLIENT: u32 = 0;
export const VERDICT_INSTANCE: u32 = 8;
export const VERDICT_VERDICT: u32 = 16;
/** COMMAND_RESERVE: the client has room to put a large value together. */
export const VERDICT_FLAGS: u32 = 20;
export const VERDICT_BYTES: u32 = 24;

/** What becomes of a command that opens or touches a session. */
export enum Verdict {
  /** The client has a session, and what the command reserves. */
  open = 1,
  /** It had one once, which was forgotten. */
  expired,
  /** No session that may be forgotten makes room. */
  full,
}

export const LEARNED_TRIMMED: u32 = 32;
export const LEARNED_DECIDED: u32 = 40;
export const LEARNED_ENTRIES: u32 = 48;
export const LEARNED_FLAGS: u32 = 52;
export const LEARNED_BYTES: u32 = 56;
/** No further frame answers the same repair. */
export const LEARNED_LAST: u32 = 1;

/**
 * An accepted instance within a promise or learned message; its batch follows, padded to 8. In a
 * learned message, ballot 0 and no batch say that the acceptor has accepted nothing there.
 */
export const ENTRY_INSTANCE: u32 = 0;
export const ENTRY_BALLOT: u32 = 8;
export const ENTRY_BATCH_BYTES: u32 = 16;
export const ENTRY_VALUES: u32 = 20;
export const ENTRY_FLAGS: u32 = 22;
export const ENTRY_BYTES: u32 = 24;
/** The acceptor knows that this value is chosen. */
export const ENTRY_DECIDED: u32 = 1;

/**
 * A run of one client's consecutive values: client (u64), then first sequence number in the low
 * 48 bits and count in the high 16, then each value as u16 length and bytes; padded to 8.
 * A batch is a sequence of runs; a no-op is an empty batch.
 */
export const RUN_CLIENT: u32 = 0;
export const RUN_SEQUENCE: u32 = 8;
export const RUN_BYTES: u32 = 16;
/** Bytes before each value: its length. */
export const VALUE_HEADER_BYTES: u32 = 2;
/** Bit of the length: this value is a chunk of a large one. */
export const VALUE_CHUNK: u32 = 0x8000;

/** A chunk: bytes of the large value (u32), where in it this piece lies (u32), sequence number of its first chunk (u64). */
export const CHUNK_TOTAL: u32 = 0;
export const CHUNK_OFFSET: u32 = 4;
export const CHUNK_FIRST: u32 = 8;
export const CHUNK_BYTES: u32 = 16;
/** Most bytes of a large value. */
export const LARGE_BYTES_MAX: u32 = 1 << 20;
/** Large values that learners put together at a time. */
export const ASSEMBLIES_MAX: u32 = 32;

/** A command about a client's session: the only value of a run whose sequence number is 0. */
export const COMMAND_BORN: u32 = 0;
export const COMMAND_KIND: u32 = 8;
export const COMMAND_FLAGS: u32 = 12;
export const COMMAND_BYTES: u32 = 16;
/** Reserve room to put a large value together. */
export const COMMAND_RESERVE: u32 = 1;

/** What a command does. */
export enum Command {
  /** Opens the session, or touches it if it is open. */
  open = 1,
  /** The client leaves: its session may be forgotten. */
  close,
}

/**
 * No leader proposes an instance this far or further beyond the first undecided one it
 * announces; so a proposer's window of this size holds all that phase 1 can bring up.
 */
export const WINDOW_INSTANCES: u32 = 2048;

/** Bytes of a frame beyond its batch that every message must leave room for: 1B with one entry. */
export const BATCH_OVERHEAD_BYTES: u32 = 96;

/** Most acceptors: their votes are bits of one 32-bit word. */
export const ACCEPTORS_MAX: u32 = 31;
/** Most proposers. */
export const PROPOSERS_MAX: u32 = 31;
/** Most learners whose delivery holds back the trimming of the acceptors' log. */
export const REGISTRATIONS_MAX: u32 = 64;
/** Most frames that one step takes in. */
export const RECEIVE_FRAMES: u32 = 256;
/** Most frames that one step puts out. */
export const SEND_FRAMES: u32 = 512;
/** Most frames that wait for a record to become durable. */
export const HELD_FRAMES: u32 = 1024;
/** Sequence numbers that one client may have between its oldest unanswered value and its newest. */
export const SESSION_SEQUENCES: u32 = 16384;
/** Clients that have a session at a time. */
export const SESSIONS_MAX: u32 = 4096;
/** Instances without a use after which a session that was not closed may be forgotten. */
export const SESSION_SPAN: u32 = 1 << 18;
/** Most delivered values in one step, and their bytes after which a step delivers no further instance. */
export const DELIVERIES_MAX: u32 = 8192;
export const DELIVERY_STEP_BYTES: u32 = 1 << 20;
/** Most items of a status: all fields, all counters and all peers. */
export const STATUS_ITEMS_MAX: u32 = 256;
/** Answers to queries that one node gives in 100 ms. */
export const STATUS_ANSWERS_MAX: u32 = 4;
/** Events kept for the host between two steps. */
export const EVENTS_MAX: u32 = 64;

/** One delivered value: instance u64, client u64, sequence u64, pointer u32, bytes u32, index u32. */
export const DELIVERY_INSTANCE: u32 = 0;
export const DELIVERY_CLIENT: u32 = 8;
export const DELIVERY_SEQUENCE: u32 = 16;
export const DELIVERY_POINTER: u32 = 24;
export const DELIVERY_LENGTH: u32 = 28;
export const DELIVERY_INDEX: u32 = 32;
export const DELIVERY_BYTES: u32 = 40;

/** One completed value: sequence u64, virtual client u32, latency in µs u32. */
export const COMPLETION_SEQUENCE: u32 = 0;
export const COMPLETION_CLIENT: u32 = 8;
export const COMPLETION_LATENCY: u32 = 12;
export const COMPLETION_BYTES: u32 = 16;

/** Whether an acceptor takes part. */
export enum AcceptorState {
  votes = 0,
  /** It has just started, and asks whether anybody knows an earlier memory under its name. */
  asks,
  /** Somebody does: it lost its memory, and waits for a leader to let it rejoin. */
  recovers,
}

/** What a record in stable storage says about an acceptor, or about a learner. */
export enum Record {
  /** It promised the ballot to this incarnation of its proposer. */
  promise = 1,
  /** It promised so, and accepted the batch for this instance in that ballot. */
  accept,
  /** All other acceptors confirmed that they know no other memory under its name, or the operator vouched for that. */
  confirmed,
  /** All instances below this one are decided. */
  decided,
  /** It begins anew in this ballot, with this instance, and is not `confirmed` before it has all it may have forgotten. */
  rejoin,
  /** Another acceptor, whose id stands in place of an instance, rejoined in this ballot with this memory. */
  rejoined,
  /** The first memory that was heard of another acceptor, whose id stands in place of an instance. */
  known,
  /** Of a learner's checkpoint: the session at a place of its table, which stands in place of an instance. */
  session,
  /** Of a learner's checkpoint: how far a large value is put together. */
  assembly,
  /** Of a learner's checkpoint: `PIECE_BYTES` of a large value that is being put together. */
  piece,
  /** Ends a learner's checkpoint: all below `RECORD_INSTANCE` was delivered. */
  checkpoint,
  /** Made by storage: ranges of accepted instances that are not below the stored decided watermark. */
  present,
  /** Made by storage: the lowest accepted instance that it keeps. */
  trim,
  /** A leader that another one followed, at a place of a ring: its ballot, and below where it called all decided (u64). */
  led,
  /** Fetched after a loss: this batch is chosen for this instance; the ballot is one in which it was accepted. No vote. */
  fetched,
  /** After a loss, storage has from this instance on all that was accepted since, or fetched; follows each `rejoin`. */
  refilled,
  /**
   * Nothing was accepted from the payload's instance (u64) up to this one, which are decided, nor ever will be. In
   * place of a ballot that of the acceptor's last return before; 0: none.
   */
  hole,
}

/**
 * One record, as it lies in the journal and is stored: checksum u64 (XXH64 of all behind it), instance or
 * another key u64, ballot u64, incarnation u32, payload bytes u32, kind u16, values u16, format u16, 0 u16,
 * then the payload: of an accepted instance, its batch.
 */
export const RECORD_CHECKSUM: u32 = 0;
export const RECORD_INSTANCE: u32 = 8;
export const RECORD_BALLOT: u32 = 16;
export const RECORD_INCARNATION: u32 = 24;
export const RECORD_BATCH_BYTES: u32 = 28;
export const RECORD_KIND: u32 = 32;
export const RECORD_VALUES: u32 = 34;
export const RECORD_FORMAT: u32 = 36;
export const RECORD_BYTES: u32 = 40;
/** What `RECORD_FORMAT` says of records as above. */
export const STORAGE_FORMAT: u32 = 1;
/** Bytes of the payload of a hole's record. */
export const HOLE_BYTES: u32 = 8;
/** Bytes of the pieces in which a large value that is being put together is stored. */
export const PIECE_BYTES: u32 = 1 << 14;
/** Records that wait for storage at a time; a power of 2. */
export const RECORDS_IN_FLIGHT: u32 = 1 << 14;

/**
 * What the payload of a session's record says; one without a payload says that its place is empty. In
 * place of a ballot stands the number of its last use, counting all uses of sessions.
 */
export const KEPT_SESSION_CLIENT: u32 = 0;
export const KEPT_SESSION_BASE: u32 = 8;
/** Instance of its last use. */
export const KEPT_SESSION_USED: u32 = 16;
export const KEPT_SESSION_ASSEMBLY: u32 = 24;
export const KEPT_SESSION_FLAGS: u32 = 28;
/**
 * Which sequence numbers from the base on were seen: those that were not, as ranges of u16 distance from
 * the base and u16 count; or, where that is longer, a bit for each, at its number modulo the width.
 */
export const KEPT_SESSION_SEEN: u32 = 32;
export const KEPT_SESSION_CLOSED: u32 = 1;
export const KEPT_SESSION_BITS: u32 = 2;

/** What the payload of an assembly's record says. */
export const KEPT_ASSEMBLY_FIRST: u32 = 0;
/** Bits of the pieces that the value under way has touched: only these count. */
export const KEPT_ASSEMBLY_TOUCHED: u32 = 8;
export const KEPT_ASSEMBLY_TOTAL: u32 = 16;
export const KEPT_ASSEMBLY_FILLED: u32 = 20;
export const KEPT_ASSEMBLY_RESERVED: u32 = 24;
export const KEPT_ASSEMBLY_BYTES: u32 = 32;

/** What the payload of a checkpoint's record says; the next instance stands in place of an instance. */
export const CHECKPOINT_USES: u32 = 0;
export const CHECKPOINT_FORGOTTEN: u32 = 8;
export const CHECKPOINT_SPAN: u32 = 16;
export const CHECKPOINT_CAPACITY: u32 = 24;
export const CHECKPOINT_ASSEMBLIES: u32 = 28;
/** Sessions that there are. */
export const CHECKPOINT_SESSIONS: u32 = 32;
/** 1: the learner knows the log from its start. */
export const CHECKPOINT_COMPLETE: u32 = 36;
export const CHECKPOINT_BYTES: u32 = 40;

/** Why a record of a learner's checkpoint cannot be taken back. */
export enum RecoveryFault {
  none = 0,
  /** A record that contradicts itself, or another one. */
  session,
  assembly,
  piece,
  checkpoint,
  /** The checkpoint lacks sessions, or pieces of large values, that it had when it was written. */
  incomplete,
  /** It was written with other limits on sessions and large values. */
  limits,
}

/** Bytes of the journal: an eighth of the acceptor's log, within these bounds. */
export const JOURNAL_BYTES_MIN: u32 = 2 << 20;
export const JOURNAL_BYTES_MAX: u32 = 16 << 20;

/** One event: code u32, argument u32, argument u64. */
export const EVENT_CODE: u32 = 0;
export const EVENT_SMALL: u32 = 4;
export const EVENT_LARGE: u32 = 8;
export const EVENT_BYTES: u32 = 16;

/** What the host sets before `init`. Every one is a number; times are in µs. */
export enum Setting {
  /** Bits of `Role`. */
  roles = 0,
  id,
  cluster,
  /** Drawn anew by every start of a process; never 0. */
  incarnation,
  seedLow,
  seedHigh,
  /** Most bytes after the link header. */
  mtu,
  ethertype,
  /** The proposer that leads. */
  leader,
  /** Most instances that a leader has in flight. */
  inFlight,
  /** Longest wait before an unanswered 1A or 2A is repeated. */
  proposerTimeout_us,
  /** Longest wait before an unanswered value is sent again. */
  clientTimeout_us,
  /** Fraction of received frames to drop, times 2^32. */
  loss,
  /** Bytes of accepted values that an acceptor keeps. */
  logBytes,
  /** First instance that the learner delivers; 0: the first undecided one it hears of. */
  fromLow,
  fromHigh,
  /** 1: records become durable later, and votes wait for that. */
  persistent,
  /** Virtual clients in this process, and the values each may have in flight. */
  clients,
  outstanding,
  /** Client number of the first virtual client; the others follow. */
  clientLow,
  clientHigh,
  /** Proposer that the client insists on; 0: whoever leads. */
  proposer,
  /** Most bytes of a value that the client submits; 0: as many as fit a frame. */
  valueBytes,
  /** 1: the operator vouches that no acceptor of this cluster ran before. */
  newCluster,
  /**
   * The incarnation in which the acceptor's memory began: its storage may be older than the process.
   * The acceptor's frames carry it in place of the incarnation.
   */
  memory,
  /** How long a leader must be silent before another proposer takes over; 0: only `leader` ever leads. */
  electionTimeout_us,
  /** How often a leader says that it leads. */
  heartbeat_us,
  /** Sessions that learners keep at a time, and instances for which each is safe; the same on every node. */
  sessions,
  sessionSpan,
  /** Large values that learners put together at a time; the same on every node. */
  assemblies,
  /** An unheard learner holds back trimming for so long. */
  learnerLease_us,
  /** An acceptor with a full log waits so long for a learner that does not go on. */
  learnerPatience_us,
  /** 1: the acceptor's storage knows that it lost some of what it kept. */
  forgot,
  /** Bytes of a batch beyond which a leader adds nothing if that leaves little of them empty; 0: as many as fit a frame. */
  batchBytes,
  /** 0: a client's frame carries one value, and so does an instance. */
  batching,
  end,
}

/** What the core counts. u64 each. */
export enum Counter {
  received = 0,
  receivedBytes,
  sent,
  sentBytes,
  /** Frames dropped, by reason. */
  badLength,
  badVersion,
  badCluster,
  badType,
  badSender,
  badReceiver,
  badChecksum,
  badBody,
  ownEcho,
  lossInjected,
  /** Votes of an acceptor that restarted and so forgot its promises. */
  forgottenVotes,
  /** Frames that did not fit into the outbox, or the ring of held frames. */
  outboxFull,
  heldFull,
  /** Submitted values dropped because the leader's queue was full, or no leader was known. */
  pendingFull,
  noLeader,
  /** Submitted values too large for a batch within this leader's MTU. */
  tooLarge,
  /** Submitted values that were already proposed or decided. */
  duplicateSubmits,
  forwarded,
  proposed,
  retransmitted,
  /** 2A dropped because the acceptor's log was full of what may not be trimmed. */
  logFull,
  accepted,
  rejected,
  decidedInstances,
  deliveredValues,
  duplicateValues,
  /** Decided values of clients without a session, or chunks without room reserved, which no learner delivers. */
  refusedValues,
  repairs,
  /** Promised instances beyond what the window holds, which no sound leader proposes. */
  beyondWindow,
  /** 2A that a learner could not take because it has not delivered enough. */
  windowFull,
  submitted,
  completed,
  retries,
  /** Queries that were not answered, since others had been just before. */
  unansweredQueries,
  /** Accepted instances that were read back from storage for others. */
  fetched,
  /** Records so read that were not as they had been written; and such as are too large for this MTU. */
  damagedRecords,
  oversizedRecords,
  /** 2A by which the leader told clients that its queue is long; and how often a client sent less for that, or for losses. */
  congested,
  slowed,
  end,
}

/** What an item of a status tells. */
export enum Item {
  /** The code is one of `StatusField`. */
  field = 1,
  /** The code is one of `Counter`; counters that are 0 are left out. */
  counter,
  /** The code is the id of a node, whose role is given too, and when it was heard. */
  peer,
}

/**
 * What a node tells of itself when it is asked. The numbers are those on the wire (`docs/wire.md`):
 * add at the end. A node leaves out what its roles do not know.
 */
export enum StatusField {
  /** Bits of `Role`. */
  roles = 1,
  /** Ballot promised by the acceptor; 0: none. */
  promised = 2,
  /** Ballot of the leader heard last, and how long ago; both are left out before one is heard. */
  leaderBallot = 3,
  leaderSilence_ms = 4,
  /** 0 follower, 1 preparing, 2 leading. */
  proposerState = 5,
  /** First undecided instance. */
  decided = 6,
  /** Next instance to propose. */
  next = 7,
  /** Next instance that the learner delivers. */
  delivered = 8,
  /** Lowest instance that the acceptor keeps. */
  trimmed = 9,
  /** The leader's instances in flight, of how many. */
  windowUsed = 10,
  windowSize = 11,
  /** The leader's queue. */
  queueBytes = 12,
  queueBytesMax = 13,
  /** What the acceptor's log may not discard yet, of how much. */
  logBytes = 14,
  logBytesMax = 15,
  logInstances = 16,
  logInstancesMax = 17,
  /** 1: the last new 2A did not fit the acceptor's log. */
  logFull = 18,
  /** The learner that has delivered least of what the log holds; 0: none. */
  logHolder = 19,
  /** Frames that wait for a record to become durable, of how many. */
  heldFrames = 20,
  heldFramesMax = 21,
  /** Most frames that one step put out so far, of how many that it may. */
  outboxPeak = 22,
  outboxFramesMax = 23,
  /** One of `Voting`. */
  voting = 24,
  /** Bits of the acceptors that have not confirmed this one, in the order of the configuration. */
  unconfirmed = 25,
  /** 1: nobody reads what the learner delivers. */
  paused = 26,
  /** 1: what the learner needs next is to be had nowhere any more. */
  behind = 27,
  /** The client's values in flight. */
  inFlightValues = 28,
  /** One of `StorageCondition`, of a node with storage. */
  storage = 29,
}

/** What a node's storage is able to do. */
export enum StorageCondition {
  sound = 0,
  /** It takes no more before something was deleted, or room made: no new instance may be accepted. */
  full,
  /** It can be neither written nor relied on any more: no vote may leave. */
  failed,
}

/** What the core says of a record that was read for it. */
export enum Fetched {
  /** It was taken, or is of no use here: the next one may follow. */
  more = 0,
  /** The answer has no room for it, nor for any further one. */
  enough,
  /** It is not what was written. */
  damaged,
}

/** Whether an acceptor votes, and if not why. */
export enum Voting {
  votes = 0,
  /** It started just now and listens first. */
  listening = 1,
  /** Not all other acceptors have confirmed yet that they know no earlier memory of it. */
  unconfirmed = 2,
  /** It lost its memory, and waits for a leader to let it rejoin. */
  recovering = 3,
  /** A leader lets it rejoin: it accepts what that one proposes, and promises nothing yet. */
  rejoining = 4,
  /** Its storage failed: it does not vote before it is started anew. */
  failed = 5,
}

/** What the host may read of the state at any time, besides the counters. u64 each. */
export enum Gauge {
  /** Ballot this node last saw leading. */
  leaderBallot = 0,
  /** Ballot promised by the acceptor. */
  promised,
  /** First undecided instance, as far as the proposer or acceptor knows. */
  decided,
  /** Next instance that the learner delivers. */
  delivered,
  /** Lowest instance that the acceptor still has. */
  trimmed,
  /** 0 follower, 1 preparing, 2 leading. */
  proposerState,
  /** When a leader was last heard, µs; 0 never. */
  leaderHeard_us,
  /** Bits of the acceptors whose votes were heard since the host last cleared this. */
  acceptorsHeard,
  /** Values in flight at the client. */
  inFlightValues,
  /** Bytes waiting at the proposer. */
  pendingBytes,
  /** Records appended so far; a record is durable when the host says so. */
  records,
  /** First undecided instance, as far as the learner has heard. */
  learnerDecided,
  /** Virtual clients that wait for their session, or for a word that it is still there. */
  sessionsPending,
  /** The acceptor's log: bytes in use, and in all. */
  logFilledBytes,
  logTotalBytes,
  /** Most frames that one step put out so far. */
  outboxPeak,
  /** Accepted instances below may be removed from storage. */
  trimLimit,
  /** Where the learner would go on after a crash: the instance of its newest durable checkpoint; 0: there is none. */
  checkpoint,
  /** Bytes of values that the client keeps in the network at most. */
  paceBytes,
  end,
}

/** What happened that a person may want to read about. */
export enum Event {
  /** Small: id. Large: ballot. */
  leading = 1,
  preparing,
  preempted,
  /** Small: acceptor's id. */
  acceptorForgot,
  /** Large: lowest instance to be had. */
  behindTrim,
  /** Small: learner's id that holds back trimming, 0 none. Large: instance that did not fit. */
  logFull,
  /** Small: learner's id. */
  learnerHi,
  learnerBye,
  learnerGone,
  /** Small: proposer's id. Large: ballot. */
  leaderHeard,
  /** This acceptor restarted without its memory: it does not vote before it may rejoin. Small: id of who knew it. */
  recovering,
  /** This acceptor waits for others to confirm that it is new. Large: bits of those that are missing. */
  unconfirmed,
  /** All others confirmed that this acceptor is new: it votes. */
  confirmed,
  /** A leader lets this acceptor rejoin: it votes in its ballot. Small: the leader's id. Large: ballot. */
  rejoining,
  /** This acceptor has all that it must not hide when it promises: it votes as any other. */
  rejoined,
  /**
   * This acceptor fetched the decided instances that it may have held. Small: those of which nobody could
   * say what was decided. Large: the lowest one it has.
   */
  refilled,
  /** Phase 1 of this proposer finds no majority. Small: bits of the acceptors that recover. Large: bits of those that did not promise. */
  unpromised,
  /** This leader hears no majority of acceptors any more. */
  isolated,
  /** The learners forgot this client's session. Small: virtual client. Large: client. */
  sessionExpired,
  /** The learners have no room for this client, or for its large values. Small: virtual client. Large: client. */
  sessionFull,
  /**
   * A learner held a full log for too long without going on: nothing is kept for it any more. Small:
   * its id. Large: the instance at which it stands.
   */
  leftBehind,
  /** Storage takes no new instance. Small: learner's id that holds back trimming, 0 none. Large: the instance. */
  storageFull,
  /** Storage failed: this acceptor does not vote any more. Small: its own id. */
  storageFailed,
  /** No acceptor that is heard can tell what was decided for a learner's next instance. Large: the instance. */
  unobtainable,
  /** Storage failed: this learner goes on without checkpoints. Large: the instance of its newest durable one. */
  checkpointsFailed,
}

/** Ballots hold the round above these bits and the proposer's id in them. */
export const BALLOT_ID_BITS: u32 = 16;
