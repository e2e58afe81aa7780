/**
 * All reachable states of a small world, found breadth first over the real core.
 *
 * The network is the set of all frames that were ever sent. Any of them may reach any node that it
 * is meant for at any time, any number of times, or never: that is loss, duplication, reordering and
 * replay at once. So a state of the world is the states of its nodes, which include what they said.
 *
 * What this leaves out: a core takes in one frame a step here, so bursts are answered one by one;
 * clocks stand still but for jumps that are longer than any wait, so timers of one node fire together;
 * and each world bounds how often nodes campaign, repeat themselves or restart, and how far
 * instances go: a step that would go beyond is not taken.
 */
import assert from "node:assert/strict";
import type { Core, CoreBuild, CoreOptions } from "../core/core.ts";
import { Role } from "../core/layout.ts";
import {
  decode,
  type FrameFields,
  type MessageName,
  typeOf,
} from "../sim/decode.ts";
import { encode, run } from "./encode.ts";
import {
  Act,
  Automaton,
  type Bounds,
  BrokenStep,
  type Ears,
} from "./explore_automaton.ts";
import { eachBit, hasBit, union, withBits, without } from "./explore_bits.ts";
import {
  Footprint,
  FrozenCore,
  type StepOutcome,
  UnknownPage,
} from "./explore_core.ts";
import { ballotName, batchName, Rules } from "./explore_rules.ts";
import { StateTable } from "./explore_table.ts";
import { GROUP, OPTIONS } from "./rig.ts";

/** The bit that tells a node's second incarnation from its first. */
const REBORN = 0x10000;

/** A node of a world; bounds that are not given are 0. */
export interface NodePlan extends Partial<Bounds> {
  readonly roles: number;
  readonly id: number;
  /** Ids of the acceptors that its configuration names, if it is wrong. */
  readonly knows?: readonly number[];
}

/** A small cluster and what may happen in it. */
export interface World {
  readonly nodes: readonly NodePlan[];
  /** Highest instance that is proposed. */
  readonly instances: number;
  /** Highest round of a ballot; any if not given. */
  readonly rounds?: number;
  /** Values, each submitted to one proposer; 0: to any. */
  readonly submits: readonly { readonly to: number; readonly value: string }[];
  /**
   * Acceptors confirmed one another before anything else happened, and their confirmations may come
   * again; otherwise the operator vouches that they are new.
   */
  readonly confirmed?: boolean;
  /** Types of frames that always get lost. */
  readonly lost?: readonly MessageName[];
  /** What happened before anything else may: actions in words, as in the path to a violation. */
  readonly prelude?: readonly string[];
  /** Frames that do not reach a node, after the prelude, though all rules hold of what they say. */
  readonly unheard?: (frame: FrameFields, node: NodePlan) => boolean;
  /** An acceptor that restarts learns at once that it had another memory. */
  readonly informed?: boolean;
}

/** What is beside a world. */
export interface ExploreOptions {
  /** Give up with more states than this. */
  readonly statesMax?: number;
  /** The shipping core unless given. */
  readonly build?: CoreBuild;
  /** How many states of each node to keep and compare with those that stand for them; `Automaton.compareTwins`. */
  readonly twins?: number;
  /** Called before each level of the search. */
  readonly onLevel?: (level: number, states: number) => void;
}

/** What exploring a world brought. */
export interface Exploration {
  /** All reachable states were seen, and no rule was broken. */
  readonly finished: boolean;
  /** The rule that was broken, and a shortest way there, one action a line. */
  readonly violation?: { readonly rule: string; readonly path: string[] };
  /** Distinct states of the world. */
  readonly states: number;
  /** Actions taken that changed a state. */
  readonly transitions: number;
  /** Most actions on a shortest way to a state. */
  readonly depth: number;
  /** Distinct states of each node, steps of its core, and those that were cut for a bound. */
  readonly nodes: readonly {
    readonly name: string;
    readonly states: number;
    readonly steps: number;
    readonly cut: number;
  }[];
  /** Distinct frames and deliveries. */
  readonly sayings: number;
  /** Steps of which pairs were compared; `ExploreOptions.twins`. */
  readonly compared: number;
  readonly seconds: number;
}

/** Pages that cores of some roles change, learnt once for all worlds. */
const footprints = new Map<number, Footprint>();

function footprintOf(roles: number): Footprint {
  const known = footprints.get(roles);
  if (known !== undefined) return known;
  const footprint = new Footprint();
  footprints.set(roles, footprint);
  return footprint;
}

/** Visits all states of a world that can be reached, and checks `Rules` in each. */
export function explore(
  world: World,
  options: ExploreOptions = {},
): Exploration {
  for (;;) {
    try {
      return new Explorer(world, options).run();
    } catch (error) {
      if (!(error instanceof UnknownPage)) throw error;
    }
  }
}

/** One search. */
class Explorer implements Ears {
  readonly #world: World;
  readonly #options: ExploreOptions;
  readonly #rules: Rules;
  readonly #automata: Automaton[];
  readonly #table: StateTable;
  /** By number of saying; a delivery has no frame. */
  readonly #frames: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  readonly #numbers = new Map<string, number>();
  /** By node, the frames that are meant for it. */
  readonly #meant: Uint32Array[];
  /** What clients said, and what the opening left to be heard again. */
  #background: Uint32Array = new Uint32Array(1);
  /** Nothing gets lost before the search begins. */
  #opening = true;
  /** The prelude is over. */
  #began = false;
  #transitions = 0;
  #violation: Exploration["violation"];

  constructor(world: World, options: ExploreOptions) {
    this.#world = world;
    this.#options = options;
    this.#rules = new Rules(idsOf(world, Role.acceptor).length);
    this.#automata = world.nodes.map((plan) => this.#automatonOf(plan));
    this.#meant = world.nodes.map(() => new Uint32Array(1));
    this.#table = new StateTable(world.nodes.length);
  }

  run(): Exploration {
    const start_ms = performance.now();
    this.#table.add(this.#open(), 0);
    const depth = this.#search();
    for (const automaton of this.#automata) automaton.verify();
    const compared = this.#automata.map((automaton, n) =>
      automaton.compareTwins(this.#meant[n])
    );
    return {
      finished: depth.finished && this.#violation === undefined,
      violation: this.#violation,
      states: this.#table.count,
      transitions: this.#transitions,
      depth: depth.level,
      nodes: this.#automata.map(({ name, states, steps, cut }) => ({
        name,
        states: states.length,
        steps,
        cut,
      })),
      sayings: this.#frames.length,
      compared: compared.reduce((sum, pairs) => sum + pairs, 0),
      seconds: (performance.now() - start_ms) / 1000,
    };
  }

  hear({ sent, delivered }: StepOutcome): number[] | undefined {
    const { instances, rounds = Infinity } = this.#world;
    const lost = this.#opening ? [] : this.#world.lost ?? [];
    for (const frame of sent) {
      const { body, ballot } = decode(frame);
      if (body.type === "accept" && body.instance > instances) return undefined;
      if (body.type === "prepare" && ballot >> 16n > rounds) return undefined;
    }
    const numbers = sent.filter((frame) => !lost.includes(typeOf(frame)))
      .map((frame) => this.#number(frame));
    for (const value of delivered) {
      const { instance, client, sequence } = value;
      const name = `delivered ${instance} ${client} ${sequence}`;
      let number = this.#numbers.get(name);
      if (number === undefined) {
        number = this.#frames.push(undefined) - 1;
        this.#numbers.set(name, number);
        this.#rules.addDelivery(value);
      }
      numbers.push(number);
    }
    return numbers;
  }

  frame(number: number): Uint8Array<ArrayBuffer> {
    const frame = this.#frames[number];
    assert(frame !== undefined, "a delivery cannot be received");
    return frame;
  }

  #automatonOf(plan: NodePlan): Automaton {
    const { roles, id } = plan;
    const { build, twins = 0 } = this.#options;
    const core = (incarnation: number) =>
      new FrozenCore(
        this.#coreOptions(plan, incarnation),
        (core) => this.#introduce(core, plan),
        footprintOf(roles),
        this.#stampsMatter(plan),
        build,
      );
    const incarnation = roles << 8 | id;
    return new Automaton(
      nodeName(roles, id),
      core(incarnation),
      this,
      twins,
      (plan.restarts ?? 0) > 0 ? core(incarnation | REBORN) : undefined,
    );
  }

  /**
   * A learner asks how long ago it heard an acceptor, and a leader asks that of one that lost its memory,
   * before it campaigns again to let it rejoin.
   */
  #stampsMatter({ roles, campaigns = 0 }: NodePlan): boolean {
    const forgets = this.#world.nodes.some(({ restarts = 0 }) => restarts > 0);
    return (roles & Role.learner) !== 0 || forgets && campaigns > 1;
  }

  #coreOptions(
    { roles, id, knows }: NodePlan,
    incarnation: number,
  ): CoreOptions {
    const first = incarnation < REBORN;
    return {
      ...OPTIONS,
      roles,
      id,
      incarnation,
      leader: id,
      mtu: 256,
      logBytes: 4096,
      acceptors: knows ?? idsOf(this.#world, Role.acceptor),
      proposers: idsOf(this.#world, Role.proposer),
      newCluster: first && !this.#world.confirmed,
    };
  }

  /** Tells a core its own address and those of all nodes that it knows. */
  #introduce(core: Core, { roles, id, knows }: NodePlan): void {
    core.setAddress(addressOf(roles, id), GROUP);
    for (const node of this.#world.nodes) {
      const address = addressOf(node.roles, node.id);
      if ((node.roles & Role.proposer) !== 0) {
        core.preset(Role.proposer, node.id, address);
      }
      if ((node.roles & Role.acceptor) === 0) continue;
      if (knows?.includes(node.id) ?? true) {
        core.preset(Role.acceptor, node.id, address);
      }
    }
  }

  #number(frame: Uint8Array<ArrayBuffer>): number {
    const name = String.fromCharCode(...frame);
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#frames.push(frame) - 1;
    this.#numbers.set(name, number);
    this.#rules.addFrame(frame);
    this.#address(decode(frame), number);
    return number;
  }

  /** Writes down for whom a frame is meant. */
  #address(fields: FrameFields, number: number): void {
    const { receiverRoles, receiverId } = fields;
    const { unheard, nodes } = this.#world;
    const roles = receiverRoles.reduce((mask, role) => mask | Role[role], 0);
    this.#automata.forEach((automaton, n) => {
      if (!automaton.receives(roles, receiverId)) return;
      if (this.#began && unheard?.(fields, nodes[n])) {
        this.#meant[n] = without(this.#meant[n], number);
      } else this.#meant[n] = withBits(this.#meant[n], [number]);
    });
  }

  /** Starts all nodes, and lets them hear one another until nobody says anything new. */
  #open(): number[] {
    const states = this.#automata.map((automaton) => automaton.start());
    for (let before = -1; before !== this.#frames.length;) {
      before = this.#frames.length;
      for (let n = 0; n < states.length; n++) {
        eachBit(this.#meant[n], (frame) => {
          states[n] = this.#automata[n].follow(states[n], frame);
        });
      }
    }
    if (this.#world.confirmed) {
      const confirmations = this.#frames.flatMap((frame, number) =>
        frame !== undefined && typeOf(frame) === "ok" ? [number] : []
      );
      this.#background = withBits(this.#background, confirmations);
    }
    if (this.#world.informed) this.#inform();
    this.#world.submits.forEach((submit, i) => {
      const number = this.#number(submitFrame(submit, i + 1));
      this.#background = withBits(this.#background, [number]);
    });
    this.#opening = false;
    const row = states.map((id, n) => {
      const { campaigns = 0, beats = 0, waits = 0, restarts = 0 } =
        this.#world.nodes[n];
      const bounds = { campaigns, beats, waits, restarts };
      return this.#automata[n].pristine(id, bounds);
    });
    for (const words of this.#world.prelude ?? []) this.#act(row, words);
    this.#began = true;
    this.#frames.forEach((frame, number) => {
      if (frame !== undefined) this.#address(decode(frame), number);
    });
    return row;
  }

  /** Takes the action of these words. */
  #act(row: number[], words: string): void {
    const heard = this.#heard(Uint32Array.from(row));
    for (let node = 0; node < row.length; node++) {
      const automaton = this.#automata[node];
      const actions = automaton.acts(row[node]);
      eachBit(heard, (frame) => {
        if (hasBit(this.#meant[node], frame)) actions.push(frame);
      });
      for (const action of actions) {
        if (this.#describe(node, action) !== words) continue;
        row[node] = automaton.follow(row[node], action);
        return;
      }
    }
    throw new Error(`The prelude has "${words}", which cannot happen there.`);
  }

  /** Has acceptors that restart receive what tells them so. */
  #inform(): void {
    const [first, ...others] = this.#world.nodes.filter(({ roles }) =>
      (roles & Role.acceptor) !== 0
    );
    this.#world.nodes.forEach((plan, n) => {
      if ((plan.restarts ?? 0) === 0) return;
      const from = plan === first ? others[0] : first;
      const frame = forgotFrame(plan, from.id, from.roles << 8 | from.id);
      this.#automata[n].inform(this.#number(frame));
    });
  }

  #search(): { level: number; finished: boolean } {
    const table = this.#table;
    const { statesMax = Infinity, onLevel } = this.#options;
    const row = new Uint32Array(this.#automata.length);
    let levelEnd = 1;
    let level = 0;
    for (let n = 0; n < table.count; n++) {
      if (n === levelEnd) {
        level++;
        levelEnd = table.count;
        onLevel?.(level, table.count);
      }
      table.read(n, row);
      this.#expand(n, row);
      if (this.#violation !== undefined || table.count > statesMax) {
        return { level, finished: false };
      }
    }
    return { level, finished: true };
  }

  /** Takes every action that is possible in state `n`. */
  #expand(n: number, row: Uint32Array): void {
    const heard = this.#heard(row);
    for (let node = 0; node < row.length; node++) {
      const automaton = this.#automata[node];
      const from = row[node];
      for (const act of automaton.acts(from)) {
        this.#take(n, row, node, act, heard);
      }
      const { idle } = automaton.states[from];
      const meant = this.#meant[node];
      const words = Math.min(meant.length, heard.length);
      for (let i = 0; i < words; i++) {
        let bits = meant[i] & heard[i] & ~(idle[i] ?? 0);
        for (; bits !== 0; bits &= bits - 1) {
          const frame = (i << 5) + 31 - Math.clz32(bits & -bits);
          this.#take(n, row, node, frame, heard);
        }
      }
    }
  }

  /** Everything that was said up to a state. */
  #heard(row: Uint32Array): Uint32Array {
    const said = [this.#background];
    for (let node = 0; node < row.length; node++) {
      said.push(this.#automata[node].states[row[node]].said);
    }
    return union(said);
  }

  #take(
    n: number,
    row: Uint32Array,
    node: number,
    action: number,
    heard: Uint32Array,
  ): void {
    if (this.#violation !== undefined) return;
    const automaton = this.#automata[node];
    const from = row[node];
    let to: number;
    try {
      to = automaton.follow(from, action);
    } catch (error) {
      if (!(error instanceof BrokenStep)) throw error;
      const last = this.#describe(node, action);
      this.#violation = {
        rule: error.message,
        path: [...this.#path(n), last],
      };
      return;
    }
    if (to === from) return;
    this.#transitions++;
    row[node] = to;
    const fresh = this.#table.add(row, n);
    row[node] = from;
    if (!fresh) return;
    const { said } = automaton.states[to];
    if (said === automaton.states[from].said) return;
    const rule = this.#rules.broken(union([heard, said]));
    if (rule === undefined) return;
    this.#violation = { rule, path: this.#path(this.#table.count - 1) };
  }

  /** The actions that lead to state `n`, in words. */
  #path(n: number): string[] {
    const rows = this.#table.path(n);
    return rows.slice(1).map((row, i) => {
      const before = rows[i];
      const node = row.findIndex((id, at) => id !== before[at]);
      const { leads } = this.#automata[node].states[before[node]];
      const heard = this.#heard(before);
      for (const [action, to] of leads) {
        if (to !== row[node] || action >= 0 && !hasBit(heard, action)) continue;
        return this.#describe(node, action);
      }
      assert.fail(`no action leads from state ${i} of the path to the next`);
    });
  }

  #describe(node: number, action: number): string {
    const { name } = this.#automata[node];
    if (action === Act.turn) return `${name} goes on`;
    if (action === Act.wait) return `${name} waits`;
    if (action === Act.restart) return `${name} is killed and starts anew`;
    return `${name} receives ${frameName(decode(this.frame(action)))}`;
  }
}

/** What tells an acceptor's second incarnation that there was a first one. */
function forgotFrame(
  { roles, id }: NodePlan,
  senderId: number,
  incarnation: number,
): Uint8Array<ArrayBuffer> {
  const known = roles << 8 | id;
  return encode(
    {
      senderRole: "acceptor",
      senderId,
      incarnation,
      receiverRoles: ["acceptor"],
      receiverId: id,
    },
    { type: "forgot", known, refused: known | REBORN },
  );
}

function idsOf(world: World, role: Role): number[] {
  return world.nodes.filter(({ roles }) => (roles & role) !== 0)
    .map(({ id }) => id);
}

function nodeName(roles: number, id: number): string {
  const names = [Role.proposer, Role.acceptor, Role.learner]
    .filter((role) => (roles & role) !== 0).map((role) => Role[role]);
  return `${names.length === 3 ? "replica" : names.join("+")} ${id}`;
}

function addressOf(roles: number, id: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, roles, id);
}

function submitFrame(
  { to, value }: World["submits"][number],
  client: number,
): Uint8Array<ArrayBuffer> {
  return encode(
    {
      senderRole: "client",
      senderId: 100 + client,
      incarnation: 0x7700 + client,
      receiverRoles: ["proposer"],
      receiverId: to,
    },
    { type: "submit", batch: [run(BigInt(client), 1, value)] },
  );
}

/** A frame in words. */
function frameName(
  { body, ballot, senderRole, senderId }: FrameFields,
): string {
  const by = `of ${senderRole} ${senderId}`;
  const b = ballotName(ballot);
  switch (body.type) {
    case "prepare":
      return `1A ${b} ${by}` +
        (body.rejoining === 0
          ? ""
          : `, lets acceptor ${body.rejoining} rejoin`);
    case "promise": {
      const told = body.entries.map((entry) =>
        `${entry.instance}: ${batchName(entry.batch)} in ${
          ballotName(entry.ballot)
        }${entry.decided ? ", chosen" : ""}`
      );
      return `1B ${b} ${by}, decided ${body.decided}, [${told.join("; ")}]`;
    }
    case "accept":
      return `2A ${b} ${by}, decided ${body.decided}, ` +
        `instance ${body.instance}: ${batchName(body.batch)}`;
    case "accepted":
      return `2B ${b} ${by}, ` +
        body.ranges.map(({ first, end }) =>
          end === first + 1n
            ? `instance ${first}`
            : `instances ${first}..${end}`
        ).join(", ");
    case "reject":
      return `reject ${by}: ${ballotName(body.rejected)} is below ${b}, ` +
        `decided ${body.decided}`;
    case "heartbeat":
      return `heartbeat ${b} ${by}, decided ${body.decided}, next ${body.next}`;
    case "hi":
      return `hi ${by}` +
        (body.state === "votes" ? "" : `, which ${body.state}`);
    case "rejoin":
      return `rejoin ${b} ${by}, from ${body.from} to ${body.end}`;
    case "submit":
      return `submit ${by}: ${batchName(body.batch)}`;
    default:
      return `${body.type} ${by}`;
  }
}
