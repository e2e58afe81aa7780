/** What happens in a simulated run, as its trace and its picture show it. */
import type { MessageName } from "./decode.ts";

/** A place where a node runs, one incarnation after another; a line of the picture. */
export interface Place {
  /** Roles and id, as `replica 1`. */
  readonly name: string;
  /** Bits of `Role`. */
  readonly roles: number;
  readonly id: number;
}

/** Why a frame did not arrive, or not as it was sent. */
export type Fate =
  | "lost"
  | "partitioned"
  | "buffer full"
  | "node down"
  | "corrupted"
  | "truncated";

/** One event. `place` is an index into the places of the run; times are virtual, µs. */
export type SimEvent =
  & { readonly at_us: number }
  & (
    /** A node starts; `memory`: what it remembers. */
    | {
      readonly type: "start";
      readonly place: number;
      readonly incarnation: number;
      readonly memory: "new" | "recovered" | "lost";
    }
    | {
      readonly type: "stop";
      readonly place: number;
      readonly how: "crash" | "power cut" | "leave";
    }
    /** A node sends a frame; `frame` numbers the frames of the run from 1. */
    | {
      readonly type: "send";
      readonly place: number;
      readonly frame: number;
      readonly message: MessageName;
      /** ROUND.ID; absent where the message has none. */
      readonly ballot?: string;
      /** Its fields, for people. */
      readonly text: string;
    }
    /** A copy of a frame is taken in; `copy` counts from 0, replays included. */
    | {
      readonly type: "receive";
      readonly place: number;
      readonly frame: number;
      readonly copy: number;
      /** It arrived damaged. */
      readonly fate?: Fate;
    }
    /** A copy of a frame will not arrive at `place`. */
    | {
      readonly type: "lose";
      readonly place: number;
      readonly frame: number;
      readonly fate: Fate;
    }
    /** What the node's log would say. */
    | {
      readonly type: "note";
      readonly place: number;
      readonly text: string;
      readonly level: "info" | "warn" | "error";
    }
    /** A majority has accepted the value in one ballot, as seen from outside. */
    | {
      readonly type: "choose";
      readonly instance: number;
      readonly ballot: string;
      /** The values, as CLIENT/SEQUENCE, joined by commas; "no-op". */
      readonly text: string;
    }
    | {
      readonly type: "submit" | "answer";
      readonly place: number;
      readonly client: string;
      readonly sequence: number;
    }
    | {
      readonly type: "deliver";
      readonly place: number;
      readonly instance: number;
      readonly index: number;
      readonly client: string;
      readonly sequence: number;
    }
    /** Records up to this one are durable. */
    | {
      readonly type: "durable";
      readonly place: number;
      readonly record: number;
    }
    /** Something begins or ends to go wrong; without a place: in the network. */
    | {
      readonly type: "fault";
      readonly place?: number;
      readonly text: string;
      /** When it ends, unless everything heals before. */
      readonly until_us?: number;
    }
    | {
      readonly type: "violation";
      readonly property: string;
      readonly text: string;
    }
  );

/** A run to look at. */
export interface Recording {
  readonly seed: number;
  /** What runs it again (default: its seed does). */
  readonly command?: string;
  readonly places: readonly Place[];
  readonly events: readonly SimEvent[];
  /** The events from here on were left out, since there were too many; absent: none was. */
  readonly cutAt_us?: number;
}
