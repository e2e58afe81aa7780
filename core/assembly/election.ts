/**
 * When a proposer that does not lead should campaign.
 *
 * It waits until it has heard no leader for a random time of more than one election timeout. Then it asks
 * the acceptors, and campaigns only when a majority of them has heard none for a whole timeout either: who
 * alone does not hear the leader must not disturb it. An acceptor counts a promise as hearing a leader, so a
 * campaign under way has a timeout to succeed. Timeouts differ by chance, so seldom do two begin at once
 * (the idea of Raft's election timeouts and its pre-vote: Ongaro, "Consensus: Bridging Theory and
 * Practice", 2014, 3.4 and 9.6).
 */
import {
  HEADER_BALLOT,
  HEADER_SENDER_ID,
  HI_BYTES,
  HI_DELIVERED,
  Message,
  OK_PROMISED,
  OK_SILENCE,
  Role,
  Setting,
} from "../layout";
import { begin, finish, groupAddress } from "./outbox";
import { isAcceptorHeard } from "./peers";
import { randomBelow } from "./random";
import { acceptorCount, acceptorIndex, incarnation, leaderSetting, quorum, selfId, settingU32 } from "./settings";

/** A new proposer listens for this long, and as much again by chance. */
const LISTEN_US: u64 = 120_000;
/** Acceptors say hi more often than this; a leader that hears no majority of them for so long does not lead. */
const ISOLATED_US: u64 = 350_000;

/** How long a leader must be silent; 0: there are no elections. */
export let electionTimeout_us: u64 = 0;
/** Until then no leader is missed. */
let waitUntil_us: u64 = 0;
/** The acceptors are being asked: when again, and who said what. */
let asking: bool = false;
let askAt_us: u64 = 0;
let silent: u32 = 0;
let hearing: u32 = 0;

export function electionInit(now_us: u64): void {
  electionTimeout_us = settingU32(Setting.electionTimeout_us);
  if (electionTimeout_us == 0) return;
  waitUntil_us = now_us + LISTEN_US + randomBelow(LISTEN_US);
}

/** A leader is heard, or the acceptors hear one. */
export function electionWait(now_us: u64): void {
  if (electionTimeout_us == 0) return;
  const quarter_us = electionTimeout_us >> 2;
  electionAfter(now_us + electionTimeout_us + quarter_us + randomBelow(electionTimeout_us));
}

/** Does not campaign before `at_us`. */
export function electionAfter(at_us: u64): void {
  waitUntil_us = at_us;
  asking = false;
}

/** Asks the acceptors when it is time to. Returns when to look again. */
export function electionDue(now_us: u64): u64 {
  if (now_us < waitUntil_us) return waitUntil_us;
  if (!asking) {
    asking = true;
    askAt_us = now_us;
    silent = 0;
    hearing = 0;
  }
  if (now_us >= askAt_us) {
    ask();
    askAt_us = now_us + (electionTimeout_us >> 1);
  }
  return askAt_us;
}

/** Takes an acceptor's answer. True when a majority of them misses a leader: now it is time to campaign. */
export function electedBy(p: usize, now_us: u64): bool {
  if (!asking || load<u64>(p, HEADER_BALLOT) != incarnation) return false;
  const bit = 1 << acceptorIndex(load<u16>(p, HEADER_SENDER_ID));
  // Where nobody ever led, who is to lead at first need not wait, and the others wait until it had its chance.
  const first = load<u64>(p, OK_PROMISED) == 0;
  const least_us = !first ? electionTimeout_us : leaderSetting == selfId ? 0 : electionTimeout_us + LISTEN_US * 2;
  const isSilent = load<u32>(p, OK_SILENCE) >= least_us;
  silent = isSilent ? silent | bit : silent & ~bit;
  hearing = isSilent ? hearing & ~bit : hearing | bit;
  if (<i32>popcnt(silent) >= quorum) {
    asking = false;
    return true;
  }
  if (<i32>popcnt(hearing) > acceptorCount - quorum) electionWait(now_us);
  return false;
}

/** Whether a majority of acceptors was heard lately. */
export function hearsMajority(now_us: u64): bool {
  const lately_us = max(ISOLATED_US, electionTimeout_us * 3);
  let heard = 0;
  for (let i = 0; i < acceptorCount; i++) {
    if (isAcceptorHeard(i, now_us, lately_us)) heard++;
  }
  return heard >= quorum;
}

function ask(): void {
  const p = begin(Message.hi, Role.proposer, Role.acceptor, 0, 0);
  if (p == 0) return;
  memory.fill(p + HI_DELIVERED, 0, HI_BYTES - HI_DELIVERED);
  finish(p, HI_BYTES, groupAddress);
}
