/**
 * Deliberate protocol bugs. `mutant_build.ts` makes cores of them.
 *
 * A simulator is worth what it finds. Each mutation here breaks one rule that agreement, durability
 * or progress hangs on. A bug that another defence makes harmless is no use here, and is not listed.
 */
import type { Property } from "../sim/violation.ts";

/** A place in `core/assembly`, and what stands there in the broken core. */
export interface Edit {
  readonly file: string;
  /**
   * An expression; or, ending in a semicolon, a statement that declares nothing. It occurs once in
   * the file; with `after`, which then occurs once, its first occurrence behind that is meant.
   */
  readonly find: string;
  readonly after?: string;
  /** In place of an expression, one of its type; of a statement, any statements, or none. */
  readonly replace: string;
}

/** A deliberate bug. */
export interface Mutation {
  readonly name: string;
  /** What is broken, and which rule breaks with it. Sections are those of "Paxos Made Simple". */
  readonly why: string;
  /** What it violates; any one of them shows it. */
  readonly violates: readonly Property[];
  /**
   * It takes a turn of events too rare for the simulator's seeds; the explorer finds it
   * (`explorer_test.ts`), in this world: an acceptor returns, or two proposers duel.
   */
  readonly explored?: "return" | "duel";
  readonly edits: readonly Edit[];
}

const ACCEPT = "export function acceptorAccept";
const PREPARE = "export function acceptorPrepare";

const QUORUMS: readonly Mutation[] = [
  {
    name: "quorum one short",
    why:
      "One acceptor less than a majority decides, so two quorums need not meet (2.2).",
    violates: ["quorum", "agreement", "watermark", "answers"],
    edits: [{
      file: "settings.ts",
      find: "(acceptorCount >> 1) + 1",
      replace: "acceptorCount >> 1",
    }],
  },
  {
    name: "quorum of half",
    why:
      "Half of an even number of acceptors decides, so two quorums need not meet (2.2).",
    violates: ["quorum", "agreement", "watermark", "answers"],
    edits: [{
      file: "settings.ts",
      find: "(acceptorCount >> 1) + 1",
      replace: "(acceptorCount + 1) >> 1",
    }],
  },
  {
    name: "quorum one more",
    why:
      "More than a majority must vote, so a minority that is gone stops the cluster (2.2).",
    violates: ["liveness"],
    edits: [{
      file: "settings.ts",
      find: "(acceptorCount >> 1) + 1",
      replace: "min((acceptorCount >> 1) + 2, acceptorCount)",
    }],
  },
  {
    name: "frames counted as acceptors",
    why:
      "A 2B that arrives twice counts as the votes of two acceptors, so a minority decides.",
    violates: ["agreement", "watermark", "answers"],
    edits: [{
      file: "window.ts",
      find: "slot.votes |= 1 << index;",
      replace: "slot.votes = (slot.votes << 1) | 1;",
    }],
  },
  {
    name: "votes of two ballots together",
    why:
      "Votes of an older ballot still count when a newer one is seen, so none of the two has a majority.",
    violates: ["agreement", "watermark", "answers"],
    edits: [{
      file: "window.ts",
      after: "vote(instance: u64",
      find: "slot.votes = 0;",
      replace: "",
    }],
  },
  {
    name: "votes of any ballot for the leader's own",
    explored: "duel",
    why: "A leader counts late votes of other ballots for its own proposals.",
    violates: ["agreement", "watermark", "answers"],
    edits: [{ file: "proposer.ts", find: "voted != ballot", replace: "false" }],
  },
];

const PROMISES: readonly Mutation[] = [
  {
    name: "2A below the promise accepted",
    why:
      "An acceptor accepts whatever comes, over a promise and over what it accepted later (P1a).",
    violates: ["promise", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        after: ACCEPT,
        find: "!mayTake(ballot, proposer)",
        replace: "false",
      },
      {
        file: "acceptor.ts",
        after: ACCEPT,
        find: "promise(ballot, proposer);",
        replace: "if (ballot > promised) promise(ballot, proposer);",
      },
      {
        file: "acceptor.ts",
        find:
          'assert(before == null || before.ballot < ballot, "accepted above the promise");',
        replace: "",
      },
    ],
  },
  {
    name: "2A held against what was accepted, not promised",
    why:
      "A vote after a higher promise is given where nothing was accepted in between (P1a).",
    violates: ["promise", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        after: ACCEPT,
        find: "!mayTake(ballot, proposer)",
        replace:
          "logGet(instance) != null && logGet(instance)!.ballot > ballot",
      },
      {
        file: "acceptor.ts",
        after: ACCEPT,
        find: "promise(ballot, proposer);",
        replace: "if (ballot > promised) promise(ballot, proposer);",
      },
    ],
  },
  {
    name: "promise falls",
    why:
      "An acceptor promises a ballot below the one it has promised, and goes by that (P1a).",
    violates: ["promise", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        after: PREPARE,
        find: "!mayTake(ballot, proposer)",
        replace: "false",
      },
      {
        file: "acceptor.ts",
        find: 'assert(ballot > promised, "promise falls");',
        replace: "",
      },
      {
        file: "acceptor.ts",
        find:
          'assert(before == null || before.ballot < ballot, "accepted above the promise");',
        replace: "",
      },
    ],
  },
  {
    name: "ballot shared by two incarnations",
    why:
      "A proposer that restarted without its memory takes up its old ballot and proposes other values in it.",
    violates: ["proposal", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        find: "ballot == promised && proposer == promisedIncarnation",
        replace: "ballot == promised",
      },
      {
        file: "acceptor.ts",
        find: "store<u32>(q, promisedIncarnation, PROMISE_INCARNATION);",
        replace:
          "store<u32>(q, load<u32>(p, HEADER_INCARNATION), PROMISE_INCARNATION);",
      },
    ],
  },
  {
    name: "ballot not raised",
    why:
      "A proposer campaigns in the highest round it has seen, so in its own old one too.",
    violates: ["liveness", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "ballotRound(highestBallot) + 1",
      replace: "max(ballotRound(highestBallot), 1)",
    }],
  },
];

const VOTES: readonly Mutation[] = [
  {
    name: "repeated 2B states the promised ballot",
    why:
      "A 2A of an older ballot is answered again, with the ballot promised since: a vote that was never given (as in libpaxos).",
    violates: ["proposal", "promise", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        after: ACCEPT,
        find: "!mayTake(ballot, proposer)",
        replace:
          "!mayTake(ballot, proposer) && (logGet(instance) == null || logGet(instance)!.ballot != ballot)",
      },
      {
        file: "acceptor.ts",
        find: "vote(ballot, instance);",
        replace: "vote(promised, instance);",
      },
    ],
  },
  {
    name: "first value kept in a higher ballot",
    why:
      "An acceptor votes for a higher ballot without storing its value, so phase 1 brings up the older one.",
    violates: ["durability", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "before == null || before.ballot != ballot",
      replace: "before == null",
    }],
  },
  {
    name: "another value taken for the same",
    why:
      "An acceptor that has a value for an instance keeps it in any higher ballot, and votes for the other one.",
    violates: ["proposal", "agreement"],
    edits: [
      { file: "log.ts", find: "kept.bytes == bytes", replace: "true" },
      {
        file: "log.ts",
        find: "memory.compare(kept.batch, batch, bytes) == 0",
        replace: "true",
      },
    ],
  },
  {
    name: "2B ends one too late",
    why:
      "A range of votes holds the instance behind it, which was not accepted.",
    violates: ["proposal", "durability", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "store<u64>(range, instance + 1, 8);",
      replace: "store<u64>(range, instance + 2, 8);",
    }],
  },
  {
    name: "2B closes a hole of one",
    why:
      "Two ranges with one instance between them become one, which holds that instance too.",
    violates: ["durability", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "instance == end",
      replace: "instance - end <= 1",
    }],
  },
  {
    name: "repeated 2A not answered",
    why:
      "An acceptor votes once for an instance; when that 2B is lost, it never counts.",
    violates: ["liveness"],
    edits: [{
      file: "acceptor.ts",
      find: "vote(ballot, instance);",
      replace:
        "if (before == null || before.ballot != ballot) vote(ballot, instance);",
    }],
  },
  {
    name: "vote by an acceptor whose log is full",
    why:
      "An acceptor votes for a batch that it had no room for, so phase 1 does not bring it up.",
    violates: ["promise", "agreement", "durability"],
    edits: [{
      file: "acceptor.ts",
      find: "return refuse(Event.logFull, instance, now_us);",
      replace: "return vote(ballot, instance);",
    }],
  },
];

const PHASE_1: readonly Mutation[] = [
  {
    name: "phase 1 ends one promise early",
    why:
      "A minority's promises make a leader, who then need not know of what was chosen (2.2).",
    violates: ["quorum", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "promisesLike(memories) >= quorum",
      replace: "promisesLike(memories) >= quorum - 1",
    }],
  },
  {
    name: "last page counted twice",
    why: "A promise that arrives twice counts as those of two acceptors.",
    violates: ["quorum", "proposal", "agreement"],
    edits: [
      {
        file: "proposer.ts",
        find: "load<u64>(cursor) == NEVER",
        replace: "false",
      },
      {
        file: "proposer.ts",
        find: "promisesLike(memories) >= quorum",
        replace: "promisesLike(memories) + (wanted == NEVER ? 1 : 0) >= quorum",
      },
    ],
  },
  {
    name: "promises of an earlier campaign counted",
    why:
      "A proposer that campaigns again goes on counting where it was, so fewer acceptors than a majority promise the new ballot.",
    violates: ["quorum", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find:
        "for (let i = 0; i < acceptorCount; i++) store<u64>(cursors + (<usize>i << 3), window.base);",
      replace:
        "for (let i = 0; i < acceptorCount; i++) if (load<u64>(cursors + (<usize>i << 3)) != NEVER) store<u64>(cursors + (<usize>i << 3), window.base);",
    }],
  },
  {
    name: "lost page taken for empty",
    why: "The last page completes a promise although one before it was lost.",
    violates: ["quorum", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "start > wanted && start > decided",
      replace: "false",
    }],
  },
  {
    name: "page ends one too late",
    why:
      "The next page is asked for from one instance behind where this one ended.",
    violates: ["promise", "proposal", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "store<u64>(q, instance, PROMISE_END);",
      replace: "store<u64>(q, instance + 1, PROMISE_END);",
    }],
  },
  {
    name: "first undecided instance not told",
    why: "A promise leaves out the instance that it starts with.",
    violates: ["promise", "proposal", "agreement"],
    edits: [
      {
        file: "acceptor.ts",
        find: "max(max(from, decided), logLow)",
        replace: "max(max(from, decided), logLow) + 1",
      },
      {
        file: "acceptor.ts",
        find: "store<u64>(q, instance, PROMISE_START);",
        replace: "store<u64>(q, instance - 1, PROMISE_START);",
      },
    ],
  },
  {
    name: "1B states the promised ballot",
    why:
      "Whatever was accepted is told as of the ballot promised now, so the highest cannot be told (P2c).",
    violates: ["promise", "proposal", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "at = putEntry(q, at, accepted);",
      replace:
        "const entry = at; at = putEntry(q, at, accepted); store<u64>(q + entry, promised, ENTRY_BALLOT);",
    }],
  },
  {
    name: "value of the lowest ballot proposed",
    why:
      "Of the values that phase 1 brings up, the leader takes that of the lowest ballot (P2c).",
    violates: ["proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "load<u64>(entry, ENTRY_BALLOT)",
      replace: "~load<u64>(entry, ENTRY_BALLOT)",
    }],
  },
  {
    name: "no-op over a reported value",
    why:
      "The leader fills instances with no-ops for which phase 1 brought up values (P2c).",
    violates: ["proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "slot.valueBallot != 0",
      replace: "false",
    }],
  },
  {
    name: "new value over a reported one",
    why:
      "The leader proposes what clients submit where phase 1 brought up other values (P2c).",
    violates: ["proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "if (instance >= next) next = instance + 1;",
      replace: "",
    }],
  },
  {
    name: "holes left open",
    why:
      "A new leader proposes nothing where phase 1 brought up nothing, so nothing behind is delivered (3).",
    violates: ["liveness"],
    edits: [
      {
        file: "proposer.ts",
        find: "transmit(window.slot(sent), now_us);",
        replace:
          "if (window.slot(sent).bytes != 0) transmit(window.slot(sent), now_us);",
      },
      {
        file: "proposer.ts",
        find: "if (slot.decided) continue;",
        replace: "if (slot.decided || slot.bytes == 0) continue;",
      },
    ],
  },
];

const DECIDED: readonly Mutation[] = [
  {
    name: "watermark over holes",
    why: "A leader calls decided what lies below an instance that is.",
    violates: ["watermark", "agreement", "liveness"],
    edits: [{
      file: "proposer.ts",
      find: "if (window.vote(i, ballot, index)) chosen(i, now_us);",
      replace:
        "if (window.vote(i, ballot, index)) { chosen(i, now_us); window.advance(i + 1); }",
    }],
  },
  {
    name: "watermark of what was sent",
    why: "A heartbeat calls decided what the leader has but proposed.",
    violates: ["watermark", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "store<u64>(p, window.base, HEARTBEAT_DECIDED);",
      replace: "store<u64>(p, sent, HEARTBEAT_DECIDED);",
    }],
  },
  {
    name: "leader's word taken for others' values",
    why:
      "A learner takes the value of another ballot for decided because the leader decided the instance.",
    violates: ["agreement", "answers"],
    edits: [{
      file: "window.ts",
      find: "slot.valueBallot == ballot",
      replace: "slot.valueBallot != 0",
    }],
  },
  {
    name: "value of a lower ballot than the votes",
    why:
      "A learner takes whatever value it has for the one that a majority voted for.",
    violates: ["agreement", "answers"],
    edits: [{
      file: "window.ts",
      find: "slot.valueBallot < slot.voteBallot",
      replace: "slot.valueBallot == 0",
    }],
  },
  {
    name: "entries of other ballots marked as decided",
    why:
      "An acceptor takes what it accepted in another ballot for what the leader decided, and tells learners so.",
    violates: ["watermark", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "accepted.ballot == ballot",
      replace: "true",
    }],
  },
  {
    name: "one report decides",
    why:
      "A learner delivers what one acceptor accepted for a decided instance, though the choice may have passed it by.",
    violates: ["agreement"],
    edits: [{
      file: "window.ts",
      find: "<i32>popcnt(slot.reports) <= acceptorCount - quorum",
      replace: "false",
    }],
  },
  {
    name: "repair beyond what is decided",
    why:
      "A learner asks for undecided instances, and takes what a majority tells for the choice.",
    violates: ["agreement"],
    edits: [{
      file: "learner.ts",
      find: "min(decided, window.end())",
      replace: "window.end()",
    }],
  },
  {
    name: "learned states the promised ballot",
    why:
      "What an acceptor tells a learner counts as a vote for its promised ballot.",
    violates: ["proposal", "durability", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find:
        "at = accepted == null ? putNothing(frame, at, instance) : putEntry(frame, at, accepted);",
      replace:
        "const entry = frame + at; at = accepted == null ? putNothing(frame, at, instance) : putEntry(frame, at, accepted); if (accepted != null) store<u64>(entry, promised, ENTRY_BALLOT);",
    }],
  },
];

const AMNESIA: readonly Mutation[] = [
  {
    name: "votes of a second incarnation count",
    why:
      "Nobody minds that an acceptor's incarnation is another one, so one that forgot all votes as before.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "peers.ts",
      find: "if (peer.incarnation == 0) learnMemory(index, incarnation);",
      replace: "peer.incarnation = incarnation;",
    }],
  },
  {
    name: "vote without confirmation",
    why:
      "An acceptor votes before the others have said that they know no earlier incarnation of it.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "unconfirmed == 0 && now_us >= votesFrom_us",
      replace: "now_us >= votesFrom_us",
    }],
  },
  {
    name: "one confirmation suffices",
    why:
      "An acceptor votes when one other has confirmed it, and that one may have forgotten it too.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find:
        "unconfirmed &= ~(1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID)));",
      replace: "unconfirmed = 0;",
    }],
  },
  {
    name: "repair from a memory that forgot",
    why:
      "An acceptor that does not vote calls nothing what it does not remember, and learners believe it.",
    violates: ["amnesia", "agreement"],
    edits: [{
      file: "acceptor.ts",
      after: "export function acceptorRepair",
      find: "!mayVote(now_us)",
      replace: "false",
    }],
  },
];

const DURABILITY: readonly Mutation[] = [
  {
    name: "2B before its record is durable",
    why: "A vote leaves that a crash may undo (2.5).",
    violates: ["durability"],
    edits: [{
      file: "acceptor.ts",
      find:
        "finishHeld(p, RANGES_BYTES + voteCount * RANGE_BYTES, groupAddress);",
      replace:
        "finish(p, RANGES_BYTES + voteCount * RANGE_BYTES, groupAddress);",
    }],
  },
  {
    name: "1B before its record is durable",
    why: "A promise leaves that a crash may undo (2.5).",
    violates: ["durability"],
    edits: [{
      file: "acceptor.ts",
      find: "finishHeld(q, at, sourceAddress(p));",
      replace: "finish(q, at, sourceAddress(p));",
    }],
  },
  {
    name: "repair before its record is durable",
    why:
      "A learner is told of an acceptance that a crash may undo, and counts it.",
    violates: ["durability"],
    edits: [{
      file: "acceptor.ts",
      find: "finishHeld(frame, length, sourceAddress(p));",
      replace: "finish(frame, length, sourceAddress(p));",
    }],
  },
  {
    name: "frames leave one record early",
    why: "A frame waits for the record before the one that it reveals.",
    violates: ["durability"],
    edits: [
      {
        file: "outbox.ts",
        find: "durableRecords >= records",
        replace: "durableRecords + 1 >= records",
      },
      {
        file: "outbox.ts",
        find: "load<u64>(heldRecords + (at << 3)) > durableRecords",
        replace: "load<u64>(heldRecords + (at << 3)) > durableRecords + 1",
      },
    ],
  },
  {
    name: "promise not stored",
    why: "An acceptor keeps its promises in memory alone.",
    violates: ["durability", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "appendRecord(Record.promise, ballot, proposer, 0, 0, 0, 0);",
      replace: "",
    }],
  },
  {
    name: "acceptance not stored",
    why: "An acceptor keeps what it accepts in memory alone.",
    violates: ["durability", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find:
        "appendRecord(Record.accept, ballot, proposer, instance, batch, bytes, values);",
      replace: "",
    }],
  },
  {
    name: "stored watermark beyond what is decided",
    why:
      "Storage keeps as decided all that was accepted, and an acceptor that restarts says so.",
    violates: ["watermark", "agreement", "liveness"],
    edits: [{
      file: "acceptor.ts",
      after: "function appendDecided",
      find:
        "appendRecord(Record.decided, announced >= decidedRecorded ? markedBallot : 0, 0, decidedRecorded, 0, 0, 0);",
      replace: "appendRecord(Record.decided, 0, 0, logHigh, 0, 0, 0);",
    }],
  },
  {
    name: "others' memories not stored",
    why:
      "An acceptor that restarts vouches for one that comes with an empty disk, though it knew another memory of it.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "peers.ts",
      find:
        "appendRecord(Record.known, 0, memory, acceptorId(index), 0, 0, 0);",
      replace: "",
    }],
  },
  {
    name: "checkpoint ahead of deliveries",
    why:
      "A learner stores that it delivered what its consumer did not get, and never delivers it after a crash.",
    violates: ["order"],
    edits: [{
      file: "checkpoint.ts",
      after: "export function checkpointTick",
      find: "taken < copyDelivered",
      replace: "false",
    }],
  },
  {
    name: "delivered told before the checkpoint is durable",
    why:
      "A learner tells acceptors that they may remove what it needs after a crash.",
    violates: ["durability"],
    edits: [{
      file: "learner.ts",
      find: "makesCheckpoints() ? safeInstance : window.base",
      replace: "window.base",
    }],
  },
  {
    name: "checkpoint without what sessions used",
    why:
      "A learner that goes on knows its sessions as they were opened, and delivers their values twice.",
    violates: ["invariant", "duplicates", "agreement", "durability"],
    edits: [{
      file: "session_table.ts",
      after: "function use(",
      find: "if (persistent) mark(index);",
      replace: "",
    }],
  },
  {
    name: "recovery skips promises",
    why:
      "An acceptor that restarts takes back what it accepted, and no promise beyond that.",
    violates: ["promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "if (ballot > promised) promise(ballot, proposer);",
      replace:
        "if (ballot > promised && kind != Record.promise) promise(ballot, proposer);",
    }],
  },
];

const DELIVERY: readonly Mutation[] = [
  {
    name: "gap of one skipped",
    why:
      "A learner goes over an undecided instance when the next one is decided.",
    violates: ["order", "agreement"],
    edits: [{
      file: "learner.ts",
      find: "!slot.decided",
      after: "export function learnerDeliver",
      replace: "!(slot.decided || window.slot(window.base + 1).decided)",
    }],
  },
  {
    name: "trimmed instances skipped",
    why:
      "A learner that fell behind goes on in silence where an acceptor's log begins.",
    violates: ["order", "agreement"],
    edits: [{
      file: "learner.ts",
      find: "trimmedBy |= bit;",
      replace: "window.advance(to);",
    }],
  },
  {
    name: "no look at the session table",
    why: "A value that was decided twice is delivered twice.",
    violates: ["duplicates", "agreement"],
    edits: [{
      file: "learner.ts",
      find: "!sessionTake(session, sequence)",
      replace: "false",
    }],
  },
  {
    name: "every client taken for one with a session",
    why:
      "The values of a client whose session was forgotten are delivered by who makes it a new one, maybe again.",
    violates: ["duplicates", "agreement"],
    edits: [{
      file: "session_table.ts",
      find: "return complete ? NO_SESSION : insert(client, first, instance);",
      replace: "return insert(client, first, instance);",
    }],
  },
  {
    name: "old command brings a forgotten client back",
    why:
      "A client touches its session after it was forgotten, and gets a new one that knows none of its values.",
    violates: ["sessions", "duplicates", "agreement"],
    edits: [{
      file: "session_table.ts",
      find: "load<u64>(command, COMMAND_BORN) <= forgotten",
      replace: "false",
    }],
  },
  {
    name: "session in use forgotten",
    why:
      "A client whose session was used a moment ago loses it to a new client, and its values are answered and never delivered.",
    violates: ["sessions", "answers", "liveness"],
    edits: [{
      file: "session_table.ts",
      find: "!at(index).closed && !isIdle(index, instance)",
      replace: "false",
    }],
  },
  {
    name: "values do not use their session",
    why:
      "A session that is used by values alone is forgotten when it was opened long ago.",
    violates: ["sessions", "answers", "liveness", "agreement"],
    edits: [{
      file: "session_table.ts",
      find: "  use(index, instance);\n  return index;",
      replace: "  return index;",
    }],
  },
  {
    name: "closed session stays",
    why: "A table that is full of clients that left takes no new one.",
    violates: ["sessions"],
    edits: [{
      file: "session_table.ts",
      find: "standing.closed = true;",
      replace: "standing.closed = false;",
    }],
  },
  {
    name: "chunks put where they come",
    why:
      "Chunks of a large value are put together in the order in which they were decided.",
    violates: ["agreement"],
    edits: [{
      file: "assembly.ts",
      find: "load<u32>(chunk, CHUNK_OFFSET)",
      replace: "assembly.filled",
    }],
  },
  {
    name: "large value ends the step no more",
    why:
      "A client's next large value overwrites the one that the host is about to take.",
    violates: ["agreement"],
    edits: [{
      file: "learner.ts",
      find: "wholeDelivered = true;",
      replace: "wholeDelivered = false;",
    }],
  },
  {
    name: "session begins with the first number seen",
    why:
      "Values that a client's later ones overtook are taken for duplicates, answered, and never delivered.",
    violates: ["answers", "liveness"],
    edits: [{
      file: "sessions.ts",
      find:
        "sequence < SESSION_SEQUENCES ? 0 : sequence - SESSION_SEQUENCES + 1",
      replace: "sequence",
    }],
  },
  {
    name: "batch given back under its delivery",
    why:
      "A learner lets another batch lie where values lie that the host has not taken yet.",
    violates: ["agreement", "integrity"],
    edits: [{
      file: "learner.ts",
      find: "window.advance(window.base + 1);",
      replace: "window.drop(window.base); window.advance(window.base + 1);",
    }],
  },
  {
    name: "place of a batch given to two",
    why: "What is given back stays with its instance too.",
    violates: ["answers", "agreement", "integrity", "proposal"],
    edits: [{
      file: "window.ts",
      after: "drop(instance: u64)",
      find: "slot.batch = 0;",
      replace: "",
    }],
  },
  {
    name: "rest of a split run renumbered",
    why:
      "Values that did not fit a batch go into the next one under the sequence numbers of those before.",
    violates: ["integrity", "answers", "liveness"],
    edits: [{
      file: "pending.ts",
      find: "Run.set(head, client, first + n, count - n);",
      replace: "Run.set(head, client, first, count - n);",
    }],
  },
  {
    name: "checksum not looked at",
    why: "A frame that was damaged on its way is believed.",
    violates: ["integrity", "agreement", "proposal", "promise", "invariant"],
    edits: [{
      file: "frame.ts",
      find: "load<u64>(p, HEADER_CHECKSUM) != frameChecksum(p, length)",
      replace: "false",
    }],
  },
];

const ANSWERS: readonly Mutation[] = [
  {
    name: "answer before the decision",
    why:
      "A leader answers a repeated value that it has only queued or proposed.",
    violates: ["answers"],
    edits: [{
      file: "proposer.ts",
      find: "answered.has(client, sequence)",
      replace: "true",
    }],
  },
  {
    name: "client sure of its session for ever",
    why:
      "A client that was away for long takes values for delivered that learners refused, since its session was forgotten.",
    violates: ["answers", "liveness"],
    edits: [{
      file: "client_session.ts",
      find: "instance < session.used + span",
      replace: "true",
    }],
  },
  {
    name: "client content with one vote",
    why:
      "A client takes its value for decided when the first acceptor votes for it.",
    violates: ["answers"],
    edits: [{
      file: "client.ts",
      find: "if (window.vote(i, ballot, index)) complete(i, now_us);",
      replace: "window.vote(i, ballot, index); complete(i, now_us);",
    }],
  },
];

const PROGRESS: readonly Mutation[] = [
  {
    name: "2A never repeated",
    why: "A leader waits for ever for the votes of a lost 2A.",
    violates: ["liveness"],
    edits: [{
      file: "proposer.ts",
      after: "function retransmit",
      find: "window.base == sent",
      replace: "true",
    }],
  },
  {
    name: "value never repeated",
    why: "A client waits for ever for the answer to a lost value.",
    violates: ["liveness"],
    edits: [{
      file: "client.ts",
      after: "function loseOvertaken",
      find: "flying.head",
      replace: "NONE",
    }, {
      file: "client.ts",
      after: "function probe",
      find: "flying.head == NONE",
      replace: "true",
    }],
  },
  {
    name: "learner never repairs",
    why: "A learner waits for ever for what it missed.",
    violates: ["liveness"],
    edits: [{
      file: "learner.ts",
      find: "!started || paused || isCrowded || more || window.base >= decided",
      replace: "true",
    }],
  },
  {
    name: "trimmed without asking the learners",
    why:
      "An acceptor gives up what is decided though a registered learner has not delivered it, so that nobody may be left to bring it.",
    violates: ["trim"],
    edits: [{
      file: "acceptor.ts",
      find: "registryLowest(lowestKept(), decided)",
      replace: "decided",
    }],
  },
  {
    name: "no patience with learners",
    why:
      "An acceptor leaves a learner behind as soon as its log is full, though it goes on.",
    violates: ["trim"],
    edits: [{
      file: "registry.ts",
      find: "now_us - entry.stuckAt_us < patience_us",
      replace: "false",
    }],
  },
];

const RETURN: readonly Mutation[] = [
  {
    name: "one that forgot votes at once",
    why:
      "An acceptor that learns that it lost its memory votes, and does not wait until a leader lets it in again.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      after: "export function acceptorForgot",
      find: "recovering = true;",
      replace: "unconfirmed = 0; votesFrom_us = 0;",
    }],
  },
  {
    name: "one that recovers votes in any ballot",
    why:
      "An acceptor accepts before it is let in again, so below what it promised and forgot.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find:
        "!mayVote(now_us) && (!isSound() || ballot != rejoinBallot || rejoinBallot == 0)",
      replace: "false",
    }],
  },
  {
    name: "rejoin meant for another memory",
    why:
      "An acceptor that forgot again is let in by a ballot that began before it did.",
    violates: ["amnesia", "promise", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "load<u32>(p, REJOIN_MEMORY) != memoryIncarnation",
      replace: "false",
    }],
  },
  {
    name: "rejoin in a ballot from before the loss",
    why:
      "A leader lets an acceptor in again without a new phase 1, so its forgotten votes in that ballot were not asked for.",
    violates: ["quorum", "amnesia", "promise", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "campaign(now_us, index, memory);",
      replace:
        "rejoinIndex = index; rejoinMemory = memory; learnRejoined(index, ballot, memory); sendRejoin();",
    }],
  },
  {
    name: "promise before the return is complete",
    why:
      "An acceptor that is let in again promises before it accepted what phase 1 brought up, and so hides what it forgot.",
    violates: ["amnesia", "promise", "proposal", "agreement"],
    explored: "return",
    edits: [{
      file: "acceptor.ts",
      find: "rejoinNext < rejoinEnd",
      replace: "false",
    }],
  },
  {
    name: "last of what phase 1 brought up not named",
    why:
      "An acceptor that is let in again need not accept the last instance that phase 1 brought up before it promises.",
    violates: ["quorum", "amnesia", "promise", "proposal", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "store<u64>(p, inheritedEnd, REJOIN_END);",
      replace:
        "store<u64>(p, max(inheritedFrom, inheritedEnd - 1), REJOIN_END);",
    }],
  },
  {
    name: "rejoin calls decided what is proposed",
    why:
      "A leader that lets an acceptor in again tells it that all that phase 1 brought up is decided.",
    violates: ["watermark", "agreement"],
    edits: [{
      file: "proposer.ts",
      find: "store<u64>(p, inheritedFrom, REJOIN_FROM);",
      replace: "store<u64>(p, inheritedEnd, REJOIN_FROM);",
    }],
  },
  {
    name: "promises of different memories together",
    why:
      "A promise that an acceptor gave and forgot counts beside one of an acceptor that knows of the loss.",
    violates: ["quorum", "amnesia", "promise", "proposal", "agreement"],
    explored: "return",
    edits: [{
      file: "proposer.ts",
      find: "load<u64>(known + at) == memories",
      replace: "true",
    }],
  },
  {
    name: "what was forgotten called nothing",
    why:
      "An acceptor tells learners that it accepted nothing where it has merely forgotten.",
    violates: ["amnesia", "agreement"],
    edits: [{
      file: "acceptor.ts",
      find: "!refillKnows(instance)",
      replace: "false",
    }],
  },
  {
    name: "holes where something was accepted",
    why:
      "An acceptor stores that it accepted nothing below the watermark, whatever it accepted.",
    violates: ["durability", "amnesia", "agreement"],
    edits: [{
      file: "acceptor.ts",
      after: "function recordHoles",
      find: "logGet(i) == null",
      replace: "true",
    }],
  },
  {
    name: "holes not stored",
    why:
      "Storage is not told where nothing was accepted, so after a restart nobody can tell that from a loss.",
    violates: ["durability", "liveness"],
    edits: [{
      file: "acceptor.ts",
      after: "function appendDecided",
      find: "recordHoles()",
      replace: "decided",
    }],
  },
  {
    name: "accepted into a hole",
    why:
      "An acceptor accepts for an instance of which its storage says that it never will.",
    violates: ["durability", "amnesia"],
    edits: [{
      file: "acceptor.ts",
      after: ACCEPT,
      find: "persistent && before == null && instance < decidedRecorded",
      replace: "false",
    }],
  },
  {
    name: "holes where it has forgotten",
    why:
      "An acceptor that returned stores holes also where phase 1 of its return brought up what it may have accepted.",
    violates: ["durability", "amnesia"],
    edits: [{
      file: "acceptor.ts",
      find: "max(decidedRecorded, max(logLow, rejoinEnd))",
      replace: "max(decidedRecorded, 1)",
    }],
  },
  {
    name: "refilled before all is stored",
    why:
      "A disk says that it has what was lost when the first answer came, whatever that held.",
    violates: ["durability"],
    edits: [{
      file: "refill.ts",
      find: "isComplete(now_us)",
      replace: "(persistent || isComplete(now_us))",
    }],
  },
  {
    name: "what one acceptor tells of what was lost is chosen",
    why:
      "An acceptor that refills its disk takes the first word of a value for the one that was chosen.",
    violates: ["watermark", "agreement"],
    edits: [{
      file: "refill.ts",
      find: "<i32>popcnt(it.by) <= acceptorCount - quorum",
      replace: "false",
    }],
  },
];

const ELECTIONS: readonly Mutation[] = [
  {
    name: "nobody misses the leader",
    why: "A proposer never asks for the leader, so nobody follows a dead one.",
    violates: ["liveness"],
    edits: [{
      file: "election.ts",
      find: "if (now_us < waitUntil_us) return waitUntil_us;",
      replace: "return u64.MAX_VALUE;",
    }],
  },
  {
    name: "acceptors hear a leader for ever",
    why:
      "An acceptor says that it heard a leader just now, whenever it is asked, so nobody follows a dead one.",
    violates: ["liveness"],
    edits: [{
      file: "acceptor.ts",
      find: "min(now_us - leaderAt_us, u32.MAX_VALUE)",
      replace: "0",
    }],
  },
  {
    name: "every acceptor must miss the leader",
    why:
      "A proposer campaigns only if no acceptor at all hears a leader, so one that is gone keeps all from leading.",
    violates: ["liveness"],
    edits: [{
      file: "election.ts",
      find: "<i32>popcnt(silent) >= quorum",
      replace: "<i32>popcnt(silent) >= acceptorCount",
    }],
  },
  {
    name: "preempted leader goes on",
    why:
      "A proposer that is preempted stays a leader, takes values and never decides them.",
    violates: ["liveness"],
    edits: [{
      file: "proposer.ts",
      after: "function stepDown",
      find: "state = FOLLOWER;",
      replace: "",
    }],
  },
  {
    name: "values of a lost leadership taken for queued",
    why:
      "A proposer that leads again does not take what it had queued when it was preempted, and lost.",
    violates: ["liveness"],
    edits: [{
      file: "proposer.ts",
      find: "admitted.clear();",
      replace: "",
    }],
  },
];

const PACE: readonly Mutation[] = [
  {
    name: "what is answered counts as in the network",
    why:
      "A client never takes what is answered out of its window, which is full for ever in the end.",
    violates: ["liveness"],
    edits: [{
      file: "client.ts",
      find: "list.bytes -= weight(flight);",
      replace: "",
    }],
  },
  {
    name: "what is lost counts as in the network",
    why:
      "A client does not send again what was lost, since that fills its window until it is answered.",
    violates: ["liveness"],
    edits: [{
      file: "client.ts",
      find: "(paceAllows(flying.bytes) || probing)",
      replace: "(paceAllows(flying.bytes + lost.bytes) || probing)",
    }],
  },
  {
    name: "a loss shuts the window",
    why:
      "A client sends nothing after a loss until an answer opens its window, and none may be to come.",
    violates: ["liveness"],
    edits: [{
      file: "pace.ts",
      find: "shrink(LOSSY_FRAMES * <u64>mtu, now_us);",
      replace: "window = 0;",
    }],
  },
];

/** All mutations. */
export const MUTATIONS: readonly Mutation[] = [
  ...QUORUMS,
  ...PROMISES,
  ...VOTES,
  ...PHASE_1,
  ...DECIDED,
  ...AMNESIA,
  ...RETURN,
  ...ELECTIONS,
  ...DURABILITY,
  ...DELIVERY,
  ...ANSWERS,
  ...PROGRESS,
  ...PACE,
];
