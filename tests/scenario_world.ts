/**
 * The world of a scenario: cores joined by a network in which nothing moves, and a clock that
 * stands still, unless a command says otherwise.
 */
import type { CoreEvent, CoreOptions } from "../core/core.ts";
import { RECEIVE_FRAMES, Role } from "../core/layout.ts";
import { decode, type FrameFields } from "../sim/decode.ts";
import { type Choice, Choices } from "./scenario_choices.ts";
import { Rig } from "./rig.ts";

/** What a node can be, and the bits of its roles. */
export const KINDS: Readonly<Record<string, number>> = {
  acceptor: Role.acceptor,
  proposer: Role.proposer,
  learner: Role.learner,
  client: Role.client,
  replica: Role.proposer | Role.acceptor | Role.learner,
};

/** When a scenario begins on the cores' clock, to which time 0 means "never". */
const START_US = 1_000_000;
/** A world that is not quiet after so many rounds of messages never will be. */
const WAVES_MAX = 1000;

const bytes = new TextEncoder();
const text = new TextDecoder();

/** One incarnation of one node. */
export interface Station {
  readonly kind: string;
  readonly id: number;
  readonly rig: Rig;
  /** Texts of the values that this client submitted, by sequence number. */
  readonly submitted: Map<number, string>;
}

/** One receiver's copy of a frame that is under way. */
export interface Copy {
  readonly from: Station;
  readonly to: Station;
  readonly fields: FrameFields;
  readonly bytes: Uint8Array;
}

/** What a transcript may tell of. */
export type Happening =
  | {
    readonly type: "send";
    readonly from: Station;
    readonly fields: FrameFields;
    /** Those who would hear it if nothing were cut off from the sender, and those who are. */
    readonly receivers: readonly Station[];
    readonly unreached: readonly Station[];
  }
  | { readonly type: "lose"; readonly copy: Copy }
  | { readonly type: "note"; readonly at: Station; readonly event: CoreEvent }
  | {
    readonly type: "deliver";
    readonly at: Station;
    readonly instance: number;
    readonly values: readonly string[];
  }
  | {
    readonly type: "complete";
    readonly at: Station;
    readonly values: readonly string[];
  }
  | { readonly type: "choose"; readonly choice: Choice };

/** Hears what happens: all that happens at once together, at µs since the scenario began. */
export type Listener = (wave: readonly Happening[], at_us: number) => void;

/** How a node is called. */
export function nameOf({ kind, id }: Pick<Station, "kind" | "id">): string {
  return `${kind} ${id}`;
}

export class World {
  /** Living nodes, in the order of their first starts. */
  readonly stations: Station[] = [];
  /** What is under way, in the order of sending. */
  underWay: Copy[] = [];
  readonly choices = new Choices();
  readonly #listen: Listener;
  #now_us = START_US;
  #starts = 0;
  #isHeld: (copy: Copy) => boolean = () => false;
  /** Pairs of nodes between which nothing passes, as `from>to`. */
  readonly #cuts = new Set<string>();
  /** What those that crashed were made of. */
  readonly #crashed = new Map<string, Partial<CoreOptions>>();
  #wave: Happening[] = [];

  constructor(listen: Listener) {
    this.#listen = listen;
  }

  /** The living node of this name; undefined: there is none. */
  find(kind: string, id: number): Station | undefined {
    return this.stations.find((station) =>
      station.kind === kind && station.id === id
    );
  }

  /** Starts a node that does not run. */
  start(kind: string, id: number, options: Partial<CoreOptions>): void {
    const name = nameOf({ kind, id });
    if (this.find(kind, id)) throw new Error(`${name} runs already`);
    const incarnation = ++this.#starts;
    const station: Station = {
      kind,
      id,
      rig: new Rig({
        seed: BigInt(KINDS[kind] << 8 | id),
        firstClient: BigInt(id),
        newCluster: false,
        ...options,
        roles: KINDS[kind],
        id,
        incarnation,
      }, this.#now_us),
      submitted: new Map(),
    };
    this.stations.push(station);
    this.#step(station, []);
    this.#tell();
  }

  /** Kills a node: its memory and what is under way to it are lost. */
  crash(station: Station): void {
    this.stations.splice(this.stations.indexOf(station), 1);
    this.#crashed.set(nameOf(station), station.rig.options);
    this.#remove(this.underWay.filter(({ to }) => to === station));
    if (isAcceptor(station)) this.choices.forget(station.id);
  }

  /** Starts a node that crashed, with empty hands. */
  restart(kind: string, id: number): void {
    const name = nameOf({ kind, id });
    const options = this.#crashed.get(name);
    if (!options) throw new Error(`${name} did not crash`);
    this.start(kind, id, options);
  }

  /** A node leaves as one does that was asked to stop. */
  leave(station: Station): void {
    station.rig.core.leave();
    this.#take(station, station.rig.sent());
    this.crash(station);
    this.#tell();
  }

  /** A client submits values together. */
  submit(client: Station, values: readonly string[]): void {
    const { core } = client.rig;
    for (const value of values) {
      if (core.clientRoom(0) === 0) {
        throw new Error(`${nameOf(client)} has no room for ${value}`);
      }
      const sequence = core.submit(0, bytes.encode(value), this.#now_us);
      client.submitted.set(sequence, value);
    }
    this.#step(client, []);
    this.#tell();
  }

  /** Hands over these copies, and no answers to them. */
  deliver(copies: readonly Copy[]): void {
    this.#remove(copies);
    for (const station of [...this.stations]) {
      const frames = copies.filter(({ to }) => to === station);
      if (frames.length > 0) {
        this.#step(station, frames.map(({ bytes }) => bytes));
      }
    }
    this.#tell();
  }

  /** Loses these copies. */
  drop(copies: readonly Copy[]): void {
    this.#remove(copies);
    this.#wave.push(
      ...copies.map((copy) => ({ type: "lose", copy } as const)),
    );
    this.#tell();
  }

  /** Puts a second copy of each behind all that is under way. */
  duplicate(copies: readonly Copy[]): void {
    this.underWay.push(...copies.map((copy) => ({ ...copy })));
  }

  /** From now on what this picks stays under way. */
  hold(isHeld: (copy: Copy) => boolean): void {
    this.#isHeld = isHeld;
  }

  /**
   * Nothing passes between these nodes any more, in either direction; what is under way arrives.
   * Nodes are named as `nameOf` does; "all" is everybody, those that start later too.
   */
  cut(some: readonly string[], others: readonly string[]): void {
    for (const one of some) {
      for (const other of others) {
        this.#cuts.add(`${one}>${other}`);
        this.#cuts.add(`${other}>${one}`);
      }
    }
  }

  /** All that was cut is joined again. */
  heal(): void {
    this.#cuts.clear();
  }

  /** Delivers until nothing is under way but what is held. No time passes. */
  run(): void {
    for (let wave = 0; wave < WAVES_MAX; wave++) {
      const due = this.stations.some(({ rig }) => rig.due_us <= this.#now_us);
      const moving = this.underWay.filter((copy) => !this.#isHeld(copy));
      if (!due && moving.length === 0) return;
      this.#remove(moving);
      for (const station of [...this.stations]) {
        const frames = moving.filter(({ to }) => to === station);
        if (frames.length > 0 || station.rig.due_us <= this.#now_us) {
          this.#step(station, frames.map(({ bytes }) => bytes));
        }
      }
      this.#tell();
    }
    throw new Error(`messages still beget messages after ${WAVES_MAX} rounds`);
  }

  /** Lets time pass, and delivers as `run` does whenever somebody sends. */
  wait(duration_us: number): void {
    const end_us = this.#now_us + duration_us;
    for (;;) {
      this.run();
      const next_us = Math.min(...this.stations.map(({ rig }) => rig.due_us));
      this.#now_us = Math.min(next_us, end_us);
      if (next_us > end_us) return;
    }
  }

  #remove(copies: readonly Copy[]): void {
    const gone = new Set(copies);
    this.underWay = this.underWay.filter((copy) => !gone.has(copy));
  }

  /** One step of a core, or as many as it takes to hand over the frames. */
  #step(station: Station, frames: readonly Uint8Array[]): void {
    const { rig } = station;
    rig.now_us = this.#now_us;
    let from = 0;
    do {
      const sent = rig.feed(...frames.slice(from, from + RECEIVE_FRAMES));
      this.#take(station, sent);
      from += RECEIVE_FRAMES;
    } while (from < frames.length);
  }

  /** Takes over what a step brought. */
  #take(station: Station, sent: readonly Uint8Array[]): void {
    const { core } = station.rig;
    for (const event of core.events()) {
      this.#wave.push({ type: "note", at: station, event });
    }
    this.#takeDeliveries(station);
    const completed: string[] = [];
    core.eachCompletion((_, sequence) =>
      completed.push(station.submitted.get(sequence)!)
    );
    if (completed.length > 0) {
      this.#wave.push({ type: "complete", at: station, values: completed });
    }
    for (const frame of sent) this.#send(station, frame);
  }

  #takeDeliveries(station: Station): void {
    const { core } = station.rig;
    const byInstance = new Map<number, string[]>();
    for (let i = 0; i < core.deliveryCount; i++) {
      const { instance, value } = core.delivery(i);
      const values = byInstance.get(instance) ?? [];
      byInstance.set(instance, [...values, text.decode(value.slice())]);
    }
    for (const [instance, values] of byInstance) {
      this.#wave.push({ type: "deliver", at: station, instance, values });
    }
  }

  #send(from: Station, frame: Uint8Array): void {
    const fields = decode(frame);
    const receivers = this.stations.filter((to) =>
      to !== from && hears(to, fields)
    );
    const unreached = receivers.filter((to) => this.#isCut(from, to));
    for (const to of receivers) {
      if (unreached.includes(to)) continue;
      this.underWay.push({ from, to, fields, bytes: frame });
    }
    this.#wave.push({ type: "send", from, fields, receivers, unreached });
    this.choices.see(fields);
  }

  #isCut(from: Station, to: Station): boolean {
    return [
      `${nameOf(from)}>${nameOf(to)}`,
      `${nameOf(from)}>all`,
      `all>${nameOf(to)}`,
    ]
      .some((pair) => this.#cuts.has(pair));
  }

  /** What happened at once is told at once, and then what it chose. */
  #tell(): void {
    const choices = this.choices.take().map((choice) =>
      ({ type: "choose", choice }) as const
    );
    this.#listen([...this.#wave, ...choices], this.#now_us - START_US);
    this.#wave = [];
  }
}

function isAcceptor({ kind }: Station): boolean {
  return (KINDS[kind] & Role.acceptor) !== 0;
}

/** Whether a frame gets through to a node: by link address, then by role and id. */
function hears({ rig, id, kind }: Station, fields: FrameFields): boolean {
  const first = parseInt(fields.destination.slice(0, 2), 16);
  const isGroup = (first & 1) === 1;
  const { roles } = rig.options;
  return (isGroup || fields.destination === addressOf(roles, id)) &&
    (fields.receiverId === 0 || fields.receiverId === id) &&
    fields.receiverRoles.some((role) => (Role[role] & KINDS[kind]) !== 0);
}

/** The link address that a `Rig` gives its core. */
function addressOf(roles: number, id: number): string {
  return [2, 0, 0, 0, roles, id]
    .map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
