/** Writes down what happens in a run, event by event, for its trace and its picture. */
import type { CoreEvent, Delivery } from "../core/core.ts";
import { ballotText } from "../roles/events.ts";
import { type Value, valuesText } from "./chosen.ts";
import type { SimCluster } from "./cluster.ts";
import { decode } from "./decode.ts";
import { eventText } from "./event_text.ts";
import type { Fate, Place, Recording, SimEvent } from "./events.ts";
import { messageText } from "./message_text.ts";
import { roleNames, type SimNode } from "./node.ts";
import type { Plan } from "./plan.ts";
import type { RunWatch } from "./simulate.ts";
import type { Violation } from "./violation.ts";

type Happening = SimEvent extends infer E
  ? E extends SimEvent ? Omit<E, "at_us"> : never
  : never;

export class Recorder implements RunWatch {
  readonly #take: (event: SimEvent) => void;
  #places: Place[] = [];
  #seed = 0;
  #cluster?: SimCluster;
  /** Copies that arrived so far, by place and frame. */
  readonly #copies = new Map<string, number>();

  /** @param take Gets every event when it happens. */
  constructor(take: (event: SimEvent) => void) {
    this.#take = take;
  }

  get places(): readonly Place[] {
    return this.#places;
  }

  /** A recording of these events, which this recorder handed out. */
  recording(
    events: readonly SimEvent[],
    more: Pick<Recording, "command" | "cutAt_us"> = {},
  ): Recording {
    return { seed: this.#seed, places: this.#places, events, ...more };
  }

  begun(cluster: SimCluster, plan: Plan): void {
    this.#cluster = cluster;
    this.#seed = plan.seed;
    this.#places = plan.nodes.map(({ roles, id }) => ({
      name: `${roleNames(roles)} ${id}`,
      roles,
      id,
    }));
  }

  started(node: SimNode, memory: "new" | "recovered" | "lost"): void {
    const { incarnation } = node.options;
    this.#note({ type: "start", place: node.place, incarnation, memory });
  }

  stopped(node: SimNode, how: "crash" | "power cut" | "leave"): void {
    this.#note({ type: "stop", place: node.place, how });
  }

  sent(node: SimNode, bytes: Uint8Array, frame: number): void {
    const fields = decode(bytes);
    const { type } = fields.body;
    const inBallot =
      !["submit", "answer", "hi", "bye", "ok", "forgot", "session"]
        .includes(type) && fields.ballot !== 0n;
    this.#note({
      type: "send",
      place: node.place,
      frame,
      message: type,
      ballot: inBallot ? ballotText(fields.ballot) : undefined,
      // Values are padded with dots to their size.
      text: messageText(fields).replaceAll(/\.+"/g, '"'),
    });
  }

  received(node: SimNode, frame: number, fate: Fate | undefined): void {
    const key = `${node.place} ${frame}`;
    const copy = this.#copies.get(key) ?? 0;
    this.#copies.set(key, copy + 1);
    this.#note({ type: "receive", place: node.place, frame, copy, fate });
  }

  lost(node: SimNode, frame: number, fate: Fate): void {
    this.#note({ type: "lose", place: node.place, frame, fate });
  }

  noted(node: SimNode, event: CoreEvent): void {
    this.#note({ type: "note", place: node.place, ...eventText(event) });
  }

  chosen(instance: number, ballot: number, values: readonly Value[]): void {
    const text = valuesText(values);
    this.#note({
      type: "choose",
      instance,
      ballot: ballotText(ballot),
      text,
    });
  }

  submitted(node: SimNode, client: number, sequence: number): void {
    this.#note({
      type: "submit",
      place: node.place,
      client: String(client),
      sequence,
    });
  }

  answered(node: SimNode, client: number, sequence: number): void {
    this.#note({
      type: "answer",
      place: node.place,
      client: String(client),
      sequence,
    });
  }

  delivered(node: SimNode, delivery: Delivery): void {
    const { instance, index, client, sequence } = delivery;
    this.#note({
      type: "deliver",
      place: node.place,
      instance,
      index,
      client: String(client),
      sequence,
    });
  }

  durable(node: SimNode, record: number): void {
    this.#note({ type: "durable", place: node.place, record });
  }

  fault(text: string, place?: number, until_us?: number): void {
    this.#note({ type: "fault", place, text, until_us });
  }

  violated({ property, message }: Violation): void {
    this.#note({ type: "violation", property, text: message });
  }

  #note(event: Happening): void {
    this.#take({ at_us: this.#cluster!.now_us, ...event } as SimEvent);
  }
}
