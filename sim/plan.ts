/**
 * A plan: everything that a simulated run does not leave to chance. It is plain data, so that it can
 * be written to a file, replayed, and made smaller.
 */
import type { Range } from "./random.ts";

/** Shapes of a cluster that a plan may have. */
export const TOPOLOGIES = ["replicas", "roles", "mixed"] as const;
export type Topology = typeof TOPOLOGIES[number];

/** A node from its first start on. */
export interface PlanNode {
  /** Bits of `Role`. */
  readonly roles: number;
  readonly id: number;
  /** When it starts first. */
  readonly start_us: number;
  /** Proposer that this node holds for the leader; a proposer that names itself campaigns. */
  readonly leader: number;
  /** What it must find again is kept on a disk whose commits take so long, µs; absent: in memory only. */
  readonly commit_us?: Range;
  /** Its commits wait for the kernel alone: a crash of the process loses nothing, and a power cut the disk. */
  readonly asynchronous?: boolean;
  /** Most bytes that its disk may hold; absent: there is no limit. */
  readonly diskBytes?: number;
  /** Most frames that wait in its card. */
  readonly queueFrames: number;
  /** Speed of its clock; 1 is right. */
  readonly clockRate: number;
  /** First instance that a learner delivers; 0: the first that is decided from then on. */
  readonly from?: number;
  /** How long a learner's consumer takes for a value, µs; a crash loses what it has not taken. Absent: nothing is lost. */
  readonly lag_us?: number;
  /** Of a client. */
  readonly client?: {
    readonly clients: number;
    readonly outstanding: number;
    readonly values: number;
    readonly pace_us: number;
    readonly padBytes: number;
    /** Each virtual client's values of which the number is a multiple of `every` are large; absent: none. */
    readonly large?: { readonly every: number; readonly bytes: number };
    /** Proposer that it insists on; 0: whoever leads. */
    readonly proposer: number;
  };
}

/** What goes wrong on the network for a while. */
export interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly corruption: number;
  readonly truncation: number;
  readonly replay: number;
  readonly delay_us: Range;
}

/** Something that happens at a time; `node` is an index into the plan's nodes. */
export type PlanEvent =
  & { readonly at_us: number }
  & (
    /** The process dies, in the middle of sending when so many more frames have left; it starts anew after a while. */
    | {
      readonly kind: "crash";
      readonly node: number;
      readonly afterFrames?: number;
      readonly down_us: number;
    }
    /** Several machines lose power at once. */
    | {
      readonly kind: "power cut";
      readonly nodes: readonly number[];
      readonly down_us: number;
    }
    /** The process leaves with a goodbye. */
    | {
      readonly kind: "leave";
      readonly node: number;
      readonly down_us: number;
    }
    /** The process does not run, as under SIGSTOP. */
    | { readonly kind: "pause"; readonly node: number; readonly for_us: number }
    /** The clock jumps ahead. */
    | { readonly kind: "jump"; readonly node: number; readonly by_us: number }
    /** Nobody reads what a learner delivers. */
    | {
      readonly kind: "unread";
      readonly node: number;
      readonly for_us: number;
    }
    /** Frames from one node to another are cut off, pair by pair. */
    | {
      readonly kind: "partition";
      readonly cuts: readonly (readonly [from: number, to: number])[];
      readonly for_us: number;
    }
    /** The network changes. */
    | {
      readonly kind: "weather";
      readonly weather: Weather;
      readonly for_us: number;
    }
    | {
      readonly kind: "slow disk";
      readonly node: number;
      readonly commit_us: Range;
      readonly for_us: number;
    }
    /**
     * Calls fail; the acceptor that meets one is mute until it starts anew. Or nothing more fits, and it
     * accepts nothing new until something does.
     */
    | {
      readonly kind: "failing disk" | "full disk";
      readonly node: number;
      readonly for_us: number;
    }
    /** A bit of what a disk keeps flips; who reads it must not start. */
    | { readonly kind: "bit flip"; readonly node: number }
    /** A disk loses a key that must be there; who looks for it must not start. */
    | { readonly kind: "lost key"; readonly node: number }
    /** Frames from one node to another are cut off and let through in turn. */
    | {
      readonly kind: "flap";
      readonly cuts: readonly (readonly [from: number, to: number])[];
      readonly every_us: number;
      readonly for_us: number;
    }
    /** Whoever leads then is cut off: what it sends, what it should hear, or both. Nobody leads: nothing happens. */
    | {
      readonly kind: "isolate leader";
      readonly ways: "from" | "to" | "both";
      readonly for_us: number;
    }
    /** Whoever leads then dies, and starts anew after a while. */
    | { readonly kind: "kill leader"; readonly down_us: number }
    /** The process of whoever leads then does not run. */
    | { readonly kind: "pause leader"; readonly for_us: number }
  );

export interface Plan {
  readonly seed: number;
  readonly topology: string;
  readonly mtu: number;
  readonly logBytes: number;
  readonly inFlight: number;
  /** Frames and instances carry as many values as they hold, and not just one; absent: they do. */
  readonly batching?: boolean;
  readonly proposerTimeout_us: number;
  readonly clientTimeout_us: number;
  /** How long full logs wait for a learner that does not go on (default: 10 s, as in a cluster). */
  readonly learnerPatience_us?: number;
  /** Sessions that learners keep, and instances for which each is safe after a use; absent: as the program has it. */
  readonly sessions?: number;
  readonly sessionSpan?: number;
  /** How long a leader is silent before others campaign, µs; absent or 0: there are no elections. */
  readonly electionTimeout_us?: number;
  /** Time between two heartbeats, µs; absent: 50,000. */
  readonly heartbeat_us?: number;
  /** Its maker vouches that no acceptor ran before. */
  readonly newCluster: boolean;
  /**
   * An acceptor without a disk stops only while at least so many others have their memory, and nobody who
   * was vouched for does; absent or 0: it stops whenever the plan says so.
   */
  readonly leastMemories?: number;
  /** Who finds its disk damaged gets an empty one, while at least so many others have their memory; absent: it stays down. */
  readonly replacesDisks?: boolean;
  readonly nodes: readonly PlanNode[];
  readonly weather: Weather;
  /** In the order of time. */
  readonly events: readonly PlanEvent[];
  /** From here on nothing goes wrong any more. */
  readonly heal_us: number;
}

/** Most instances in flight that such a log is sure to hold, with copies of other ballots. */
export function inFlightFit(logBytes: number, mtu: number): number {
  return Math.floor(logBytes / mtu / 4);
}

/** A network in which nothing goes wrong. */
export const CALM: Weather = {
  loss: 0,
  duplication: 0,
  corruption: 0,
  truncation: 0,
  replay: 0,
  delay_us: { least: 20, most: 60 },
};
