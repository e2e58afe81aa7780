/** What a recording means: which copies belong to which frame, who was up when, and who led. */
import type { Recording, SimEvent } from "../events.ts";

export type SendEvent = Extract<SimEvent, { type: "send" }>;

/** A node is up between these two events; -1: since before, or until after, the recording. */
export interface Life {
  readonly place: number;
  readonly start: number;
  stop: number;
}

/** A proposer holds a ballot between these two events. */
export interface Reign {
  readonly place: number;
  readonly ballot: string;
  readonly start: number;
  /** From this event on it leads: phase 1 is over; -1: it never did. */
  leads: number;
  /** It stopped, was preempted or took a higher ballot; -1: not within the recording. */
  stop: number;
}

/** A fault that says when it ends. */
export interface Span {
  /** Absent: in the network. */
  readonly place?: number;
  readonly start: number;
  readonly until_us: number;
}

/** A recording with everything that follows from it. Events are named by their index. */
export interface Model {
  readonly recording: Recording;
  readonly events: readonly SimEvent[];
  /** The send that a receive or lose belongs to, the event itself for all others; -1: unknown. */
  readonly sends: Int32Array;
  /** Where the copies of a frame ended, by its send. */
  readonly copies: ReadonlyMap<number, readonly number[]>;
  readonly lives: readonly Life[];
  readonly reigns: readonly Reign[];
  readonly spans: readonly Span[];
  /** Numbers the ballots in the order in which they were first seen. */
  readonly ballots: ReadonlyMap<string, number>;
}

/** Works out all of it, in one pass for each part. */
export function createModel(recording: Recording): Model {
  const { events, places } = recording;
  const { sends, copies } = pairCopies(events);
  const ballots = new Map<string, number>();
  for (const event of events) {
    if (event.type !== "send" || event.ballot === undefined) continue;
    if (!ballots.has(event.ballot)) ballots.set(event.ballot, ballots.size);
  }
  return {
    recording,
    events,
    sends,
    copies,
    ballots,
    lives: findLives(events, places.length),
    reigns: findReigns(events, sends, places.length),
    spans: findSpans(events),
  };
}

/** The send behind a message's event. */
export function sendOf(model: Model, index: number): SendEvent | undefined {
  const event = model.events[model.sends[index]];
  return event?.type === "send" ? event : undefined;
}

function pairCopies(events: readonly SimEvent[]) {
  const sends = new Int32Array(events.length);
  const copies = new Map<number, number[]>();
  const frames = new Map<number, number>();
  events.forEach((event, i) => {
    sends[i] = i;
    if (event.type === "send") {
      frames.set(event.frame, i);
      copies.set(i, []);
    } else if (event.type === "receive" || event.type === "lose") {
      sends[i] = frames.get(event.frame) ?? -1;
      copies.get(sends[i])?.push(i);
    }
  });
  return { sends, copies };
}

function findSpans(events: readonly SimEvent[]): Span[] {
  return events.flatMap((event, start) =>
    event.type === "fault" && "until_us" in event &&
      typeof event.until_us === "number"
      ? [{ place: event.place, start, until_us: event.until_us }]
      : []
  );
}

function findLives(events: readonly SimEvent[], places: number): Life[] {
  const lives: Life[] = [];
  const current = new Array<Life | undefined>(places);
  const seen = new Set<number>();
  events.forEach((event, i) => {
    if (event.type === "start") {
      current[event.place] = { place: event.place, start: i, stop: -1 };
      lives.push(current[event.place]!);
    } else if (event.type === "stop") {
      const life = current[event.place];
      if (life !== undefined) life.stop = i;
      else if (!seen.has(event.place)) {
        lives.push({ place: event.place, start: -1, stop: i });
      }
      current[event.place] = undefined;
    } else return;
    seen.add(event.place);
  });
  for (let place = 0; place < places; place++) {
    if (!seen.has(place)) lives.push({ place, start: -1, stop: -1 });
  }
  return lives;
}

/** Whether ballot `a` (ROUND.ID) is above ballot `b`. */
function isHigher(a: string, b: string): boolean {
  const [roundA, idA] = a.split(".").map(Number);
  const [roundB, idB] = b.split(".").map(Number);
  return roundA !== roundB ? roundA > roundB : idA > idB;
}

/** Messages from whose ballot a proposer learns that it is preempted. */
const PREEMPTING = new Set(["accept", "heartbeat", "reject"]);

function findReigns(
  events: readonly SimEvent[],
  sends: Int32Array,
  places: number,
): Reign[] {
  const reigns: Reign[] = [];
  const current = new Array<Reign | undefined>(places);
  const end = (place: number, i: number) => {
    if (current[place] !== undefined) current[place].stop = i;
    current[place] = undefined;
  };
  const hold = (place: number, ballot: string, i: number): Reign => {
    if (current[place]?.ballot === ballot) return current[place];
    end(place, i);
    const reign = { place, ballot, start: i, leads: -1, stop: -1 };
    reigns.push(reign);
    return current[place] = reign;
  };
  events.forEach((event, i) => {
    if (event.type === "stop") end(event.place, i);
    else if (event.type === "send" && event.ballot !== undefined) {
      const { place, message, ballot } = event;
      if (message === "prepare") hold(place, ballot, i);
      if (message !== "accept" && message !== "heartbeat") return;
      const reign = hold(place, ballot, i);
      if (reign.leads < 0) reign.leads = i;
    } else if (event.type === "receive" && event.fate === undefined) {
      const held = current[event.place];
      const heard = events[sends[i]];
      if (held !== undefined && preempts(heard, held)) end(event.place, i);
    }
  });
  return reigns;
}

function preempts(heard: SimEvent | undefined, held: Reign): boolean {
  return heard?.type === "send" && PREEMPTING.has(heard.message) &&
    heard.ballot !== undefined && isHigher(heard.ballot, held.ballot);
}
