/**
 * One node of a world as an automaton: its states, and where each frame and each timer takes it.
 *
 * What a node does depends on its own state and on the frame alone, so every pair of the two is
 * stepped through the core once and remembered. A node's state is the state of its core, what it may
 * still do of its own accord, and all that it ever said: so the states of all nodes together say
 * which frames there are.
 */
import { Role } from "../core/layout.ts";
import { eachBit, hasBit, withBits } from "./explore_bits.ts";
import {
  type CoreState,
  type FrozenCore,
  hashOf,
  START_US,
  type StepOutcome,
} from "./explore_core.ts";

/** What passes when a node's timers fire, µs: more than any wait of proposer or acceptor lasts. */
const JUMP_US = 10_000_000;
/** From the start until an acceptor votes, µs; a proposer listens for longer. */
const LISTENED_US = 110_000;

const FOLLOWER = 0;
const PREPARING = 1;
const LEADING = 2;

/** Things that a node does without a frame; a frame's action is its number. */
export const Act = {
  /** The core asked to turn again at once. */
  turn: -1,
  /** Time passes until all timers are due. */
  wait: -2,
  /** The process is killed and started again; without its memory. */
  restart: -3,
} as const;

/** How often a node may do what it could do for ever. */
export interface Bounds {
  /** As proposer: begin phase 1. */
  readonly campaigns: number;
  /** As leader: let time pass, so that heartbeat and unanswered 2A are repeated. */
  readonly beats: number;
  /** Without the proposer's role: let time pass. */
  readonly waits: number;
  readonly restarts: number;
}

/** One state of a node, with what is known of where it leads. */
export interface NodeState {
  readonly core: CoreState;
  readonly clock_us: number;
  readonly left: Bounds;
  /** Numbers of what it said; of one object for equal sets. */
  readonly said: Uint32Array;
  /** What tells it apart; `keyOf`. */
  readonly key: Int32Array;
  /** Action to the state it leads to; a frame that changes nothing is in `idle` instead. */
  readonly leads: Map<number, number>;
  /** Frames that are known to change nothing. */
  idle: Uint32Array;
}

/** Where what a node says is written down, and what a world leaves out. */
export interface Ears {
  /** Numbers of what a step said; undefined: it goes beyond the world's bounds. */
  hear(outcome: StepOutcome): number[] | undefined;
  frame(number: number): Uint8Array<ArrayBuffer>;
}

/** A step that a core refused: one of its own invariants does not hold. */
export class BrokenStep extends Error {}

/** All states of one node that were found so far, and the ways between them. */
export class Automaton {
  readonly name: string;
  readonly roles: number;
  readonly id: number;
  readonly states: NodeState[] = [];
  /** Steps of the core, and those of them that led out of bounds. */
  steps = 0;
  cut = 0;
  readonly #core: FrozenCore;
  readonly #ears: Ears;
  readonly #ids = new Map<number, number[]>();
  readonly #said = new Map<string, Uint32Array>();
  /** States that are not equal to the one with the same key, beside its number. */
  readonly #twins = new Map<string, [number, Candidate]>();
  readonly #twinsMax: number;
  /** What the process is after a restart. */
  readonly #restarted: CoreState | undefined;
  /** The frame that it receives at once after a restart; undefined: none. */
  #forgot: number | undefined;

  /**
   * @param twinsMax How many states to keep for `compareTwins`.
   * @param reborn The core of a later incarnation, if the node may restart.
   */
  constructor(
    name: string,
    core: FrozenCore,
    ears: Ears,
    twinsMax: number,
    reborn?: FrozenCore,
  ) {
    this.name = name;
    this.roles = core.options.roles;
    this.id = core.options.id;
    this.#core = core;
    this.#ears = ears;
    this.#twinsMax = twinsMax;
    this.#restarted = reborn && core.adopt(reborn);
  }

  /** The number of the state after the first step, when an acceptor has listened and a proposer still does. */
  start(): number {
    const left = { campaigns: 0, beats: 0, waits: 0, restarts: 0 };
    const initial = this.#intern({
      core: this.#core.initial,
      clock_us: START_US,
      left,
      said: new Uint32Array(1),
    });
    const clock_us = START_US + LISTENED_US;
    return this.#intern(
      this.#step(this.states[initial], Act.turn, clock_us, left),
    );
  }

  /** The number of an equal state that has said nothing and may do what `left` says. */
  pristine(id: number, left: Bounds): number {
    return this.#intern({
      ...this.states[id],
      left,
      said: new Uint32Array(1),
    });
  }

  /** After a restart it receives this frame at once, and lets time pass to say what it learned. */
  inform(forgot: number): void {
    this.#forgot = forgot;
  }

  /** Whether the node is one that a frame is meant for. */
  receives(roles: number, id: number): boolean {
    return (roles & this.roles) !== 0 && (id === 0 || id === this.id);
  }

  /** What the node may do in a state without a frame. */
  acts(id: number): number[] {
    const { core, left } = this.states[id];
    const acts: number[] = [];
    if (core.due) acts.push(Act.turn);
    else if (this.#mayWait(core, left)) acts.push(Act.wait);
    if (left.restarts > 0) acts.push(Act.restart);
    return acts;
  }

  /**
   * The number of the state that an action leads to.
   *
   * @throws {BrokenStep} if the core refuses.
   */
  follow(id: number, action: number): number {
    const state = this.states[id];
    const known = state.leads.get(action);
    if (known !== undefined) return known;
    if (action >= 0 && hasBit(state.idle, action)) return id;
    const next = this.#intern(this.#act(state, action));
    if (next === id && action >= 0) {
      state.idle = withBits(state.idle, [action]);
    } else state.leads.set(action, next);
    return next;
  }

  /** Verifies that no state lacks a part; see `FrozenCore.verify`. */
  verify(): void {
    this.#core.verify();
  }

  #mayWait({ proposerState }: CoreState, left: Bounds): boolean {
    if ((this.roles & Role.proposer) === 0) return left.waits > 0;
    if (proposerState === FOLLOWER) return left.campaigns > 0;
    // A repeated 1A is no other frame than the first one.
    return proposerState === LEADING && left.beats > 0;
  }

  /** What an action makes of a state; the state itself where it leads out of bounds. */
  #act(state: NodeState, action: number): Candidate {
    const { left, clock_us } = state;
    if (action === Act.restart) return this.#restart(state);
    if (action !== Act.wait) return this.#step(state, action, clock_us, left);
    const spent = (this.roles & Role.proposer) === 0
      ? { ...left, waits: left.waits - 1 }
      : state.core.proposerState === LEADING
      ? { ...left, beats: left.beats - 1 }
      : left;
    return this.#step(state, action, clock_us + JUMP_US, spent);
  }

  #restart({ left, said }: NodeState): Candidate {
    const core = this.#restarted!;
    // To hear whether it may vote, it must be able to wait once more.
    const waits = left.waits + (this.#forgot === undefined ? 1 : 0);
    const reborn = {
      core,
      clock_us: START_US,
      left: { ...left, restarts: left.restarts - 1, waits },
      said,
    };
    if (this.#forgot === undefined) return reborn;
    const told = this.#step(reborn, this.#forgot, START_US, reborn.left);
    return this.#step(told, Act.wait, START_US + JUMP_US, reborn.left);
  }

  #step(
    state: Candidate,
    action: number,
    clock_us: number,
    left: Bounds,
  ): Candidate {
    this.steps++;
    const outcome = this.#stepCore(state, action, clock_us);
    const core = outcome.state;
    const campaigned = core.proposerState === PREPARING &&
      state.core.proposerState !== PREPARING;
    const campaigns = left.campaigns - (campaigned ? 1 : 0);
    const said = campaigns < 0 ? undefined : this.#ears.hear(outcome);
    if (said === undefined) {
      this.cut++;
      return state;
    }
    return {
      core,
      clock_us,
      left: { ...left, campaigns },
      said: withBits(state.said, said),
    };
  }

  #stepCore(state: Candidate, action: number, clock_us: number): StepOutcome {
    const frame = action >= 0 ? this.#ears.frame(action) : undefined;
    try {
      return this.#core.step(state.core, frame, clock_us);
    } catch (error) {
      if (!(error instanceof Error && /invariant/.test(error.message))) {
        throw error;
      }
      throw new BrokenStep(error.message);
    }
  }

  #intern(candidate: Candidate): number {
    const key = keyOf(candidate);
    const hash = hashOf(key);
    const ids = this.#ids.get(hash) ?? [];
    for (const id of ids) {
      if (!equal(key, this.states[id].key)) continue;
      this.#keepTwin(id, candidate);
      return id;
    }
    const name = candidate.said.join();
    const said = this.#said.get(name) ?? candidate.said;
    this.#said.set(name, said);
    const id = this.states.length;
    const fresh = { key, said, leads: new Map(), idle: new Uint32Array(1) };
    this.states.push({ ...candidate, ...fresh });
    this.#ids.set(hash, [...ids, id]);
    return id;
  }

  /** Keeps a state that is not equal to the one that stands for it, unless it was met before. */
  #keepTwin(id: number, candidate: Candidate): void {
    const name = (core: CoreState) =>
      `${id} ${core.words.join()} ${core.globals.join()}`;
    if (this.#twins.size === this.#twinsMax) return;
    const twin = name(candidate.core);
    if (twin === name(this.states[id].core)) return;
    this.#twins.set(twin, [id, candidate]);
  }

  /**
   * Tries the claim that states with equal keys behave alike, on some that are not equal: every
   * action must lead both to states with equal keys, and make them say the same.
   *
   * @param meant Numbers of the frames to try besides.
   * @returns How many pairs of steps were compared.
   * @throws {Error} if two states with equal keys differ.
   */
  compareTwins(meant: Uint32Array): number {
    let compared = 0;
    for (const [id, twin] of this.#twins.values()) {
      const actions = this.acts(id);
      eachBit(meant, (frame) => actions.push(frame));
      for (const action of actions) {
        const one = this.#act(this.states[id], action);
        const other = this.#act({ ...this.states[id], ...twin }, action);
        compared++;
        if (equal(keyOf(one), keyOf(other))) continue;
        throw new Error(
          `${this.name}: two states with equal keys differ after action ${action}`,
        );
      }
    }
    return compared;
  }
}

type Candidate = Pick<NodeState, "core" | "clock_us" | "left" | "said">;

/** All that tells states of a node apart. */
function keyOf({ core, clock_us, left, said }: Candidate): Int32Array {
  const { campaigns, beats, waits, restarts } = left;
  const clock_ms = (clock_us - START_US) / 1000;
  const rest = [clock_ms, campaigns, beats, waits, restarts];
  // The last number says where the parts of different length meet.
  rest.push(...said, said.length);
  const key = new Int32Array(core.key.length + rest.length);
  key.set(core.key);
  key.set(rest, core.key.length);
  return key;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}
