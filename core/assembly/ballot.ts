/**
 * Ballots: the round in the high 48 bits, the proposer's id in the low 16.
 *
 * So ballots order by round, then by id, no two proposers ever share one, and 0 is below them all.
 */
import { BALLOT_ID_BITS } from "../layout";

export function ballotOf(round: u64, id: u32): u64 {
  return (round << BALLOT_ID_BITS) | id;
}

export function ballotRound(ballot: u64): u64 {
  return ballot >> BALLOT_ID_BITS;
}

export function ballotId(ballot: u64): u32 {
  return <u32>(ballot & ((1 << BALLOT_ID_BITS) - 1));
}
