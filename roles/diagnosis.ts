/** Why nothing is decided, as far as a client can tell. */

/** What the client heard lately. */
export interface Heard {
  /** Frames that the card handed over since the client started. */
  frames: number;
  /** µs since a leader was heard; undefined: never. */
  leaderSilence_us: number | undefined;
  /** Id of the leader heard last, or of the proposer insisted on. */
  leader: number;
  /** The client was told to use this proposer; 0: whoever leads. */
  insisted: number;
  /** Ids of the acceptors heard in the last two seconds. */
  acceptors: readonly number[];
  /** Ids of all acceptors, and how many make a majority. */
  allAcceptors: readonly number[];
  quorum: number;
  /** Virtual clients that wait for a learner's word about their session. */
  sessionsPending: number;
  /** The interface is down. */
  interfaceDown: boolean;
  interfaceName: string;
  cluster: number;
}

/** A leader that is silent for longer counts as gone, µs. */
const LEADER_SILENT_US = 1_500_000;

/** One sentence: the reason and what to do. */
export function diagnose(heard: Heard): string {
  if (heard.interfaceDown) {
    return interfaceIsDown(heard.interfaceName);
  }
  if (heard.frames === 0) {
    return noAnswer(heard.interfaceName, heard.cluster);
  }
  // Without a quorum there is no leader either, so this is the reason behind that.
  if (heard.acceptors.length < heard.quorum) {
    const missing = heard.allAcceptors.filter((id) =>
      !heard.acceptors.includes(id)
    );
    return `no quorum: ${heard.acceptors.length} of ${heard.allAcceptors.length} acceptors vote, ${heard.quorum} are needed; ` +
      `stopped, out of reach or waiting (their logs tell): ${list(missing)}`;
  }
  const silent = heard.leaderSilence_us;
  if (silent === undefined || silent > LEADER_SILENT_US) {
    const since = silent === undefined
      ? ""
      : ` for ${(silent / 1e6).toFixed(1)} s`;
    return `no leader heard${since}: ${
      silent === undefined
        ? "is a proposer running, and can it reach a majority of acceptors?"
        : `proposer ${heard.leader} led before; it or another proposer must run and reach a majority of acceptors`
    } (acceptors heard: ${list(heard.acceptors)})`;
  }
  if (heard.insisted !== 0) {
    return `proposer ${heard.insisted}, named by --proposer-id, does not answer, though proposer ${heard.leader} leads ` +
      "and a majority of acceptors is heard; leave the option out to find the leader";
  }
  if (heard.sessionsPending > 0) {
    return `no learner answered: a client begins when one that delivers every instance from the first on has opened its session; ` +
      "start a replica or a learner (without --from), or look whether theirs go on delivering";
  }
  return `leader ${heard.leader} and acceptors ${
    list(heard.acceptors)
  } are heard, but nothing is decided: kpaxos status tells why`;
}

export function interfaceIsDown(interfaceName: string): string {
  return `interface ${interfaceName} is down: ip link set ${interfaceName} up`;
}

export function noAnswer(interfaceName: string, cluster: number): string {
  return `no answer at all on ${interfaceName}: are the nodes running, on this network, in cluster ${cluster}, ` +
    "with the same EtherType and --nic?";
}

function list(ids: readonly number[]): string {
  return ids.length === 0 ? "none" : ids.join(", ");
}
