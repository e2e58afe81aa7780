/** Recordings of runs that never ran: a duel told by hand, and as many random events as a test wants. */
import { MESSAGE_NAMES, type MessageName } from "../sim/decode.ts";
import type { Fate, Place, Recording, SimEvent } from "../sim/events.ts";
import { Random } from "../sim/random.ts";

/** The places of every recording here. */
export const PLACES: readonly Place[] = [
  { name: "client 1", roles: 8, id: 1 },
  { name: "proposer 1", roles: 1, id: 1 },
  { name: "proposer 2", roles: 1, id: 2 },
  { name: "acceptor 1", roles: 2, id: 1 },
  { name: "acceptor 2", roles: 2, id: 2 },
  { name: "acceptor 3", roles: 2, id: 3 },
  { name: "learner 1", roles: 4, id: 1 },
];
const [CLIENT, FIRST, SECOND, ...ACCEPTORS] = PLACES.keys();
const LEARNER = ACCEPTORS.pop()!;

/** An event whose time is yet to be said. */
type Timeless = SimEvent extends infer E
  ? E extends SimEvent ? Omit<E, "at_us"> : never
  : never;

/** Writes events down in the order of their times. */
export class Notebook {
  readonly #events: SimEvent[] = [];
  #frames = 0;

  add(at_us: number, event: Timeless): void {
    this.#events.push({ at_us, ...event } as SimEvent);
  }

  /** One frame; a copy arrives `delay_us` later at each place, or meets its fate there. */
  send(
    at_us: number,
    place: number,
    message: MessageName,
    ballot: string | undefined,
    text: string,
    to: readonly (number | readonly [place: number, fate: Fate])[],
    delay_us = 50,
  ): void {
    const frame = ++this.#frames;
    this.add(at_us, { type: "send", place, frame, message, ballot, text });
    to.forEach((target, i) => {
      const [receiver, fate] = typeof target === "number" ? [target] : target;
      const damaged = fate === "corrupted" || fate === "truncated";
      const end = { place: receiver, frame, fate };
      this.add(
        at_us + delay_us + i,
        fate !== undefined && !damaged
          ? { type: "lose", ...end, fate }
          : { type: "receive", ...end, copy: 0 },
      );
    });
  }

  recording(seed: number): Recording {
    const events = this.#events.toSorted((a, b) => a.at_us - b.at_us);
    return { seed, places: PLACES, events };
  }
}

/** What a hostile run may say: none of it may become more than text. */
export const HOSTILE = `</script><img src="http://127.0.0.1:9/x" ` +
  `onerror="document.title='taken'"><!--<script>"&amp;\u2028{{x}}$&`;

/**
 * Two proposers that do not hear each other: the first decides instance 1 and is preempted, the
 * second decides instance 2. Then acceptor 2 crashes, and a checker complains.
 */
export function duel(): Recording {
  const book = new Notebook();
  for (const place of PLACES.keys()) {
    const incarnation = 100 + place;
    book.add(0, { type: "start", place, incarnation, memory: "new" });
  }
  book.add(100, { type: "fault", text: "a partition between the proposers" });
  decide(book, 1_000, FIRST, SECOND, "1.1", 1);
  book.send(200_000, FIRST, "heartbeat", "1.1", "", [
    ...ACCEPTORS,
    [SECOND, "partitioned"],
  ]);
  decide(book, 400_000, SECOND, FIRST, "1.2", 2);
  book.send(600_000, FIRST, "accept", "1.1", "instance 3: no-op", ACCEPTORS);
  book.send(600_100, ACCEPTORS[0], "reject", "1.2", "of 1.1", [FIRST]);
  book.add(700_000, { type: "stop", place: ACCEPTORS[1], how: "crash" });
  book.add(800_000, {
    type: "start",
    place: ACCEPTORS[1],
    incarnation: 200,
    memory: "recovered",
  });
  book.add(900_000, {
    type: "violation",
    property: "agreement",
    text: `learner 1 delivered ${HOSTILE}`,
  });
  return book.recording(7);
}

/** Phase 1 and 2 of one instance; the other proposer hears nothing of it. */
function decide(
  book: Notebook,
  at_us: number,
  proposer: number,
  other: number,
  ballot: string,
  instance: number,
): void {
  const everybody = [CLIENT, ...ACCEPTORS, LEARNER];
  const sequence = instance;
  book.send(at_us, proposer, "prepare", ballot, "from 1 on", ACCEPTORS);
  ACCEPTORS.forEach((acceptor, i) =>
    book.send(at_us + 100 + i, acceptor, "promise", ballot, HOSTILE, [proposer])
  );
  book.add(at_us + 150, {
    type: "note",
    place: proposer,
    text: `leads in ballot ${ballot} ${HOSTILE}`,
    level: "info",
  });
  book.add(at_us + 200, {
    type: "submit",
    place: CLIENT,
    client: "c1",
    sequence,
  });
  book.send(at_us + 200, CLIENT, "submit", undefined, "c1", [proposer]);
  book.send(
    at_us + 300,
    proposer,
    "accept",
    ballot,
    `instance ${instance}: c1`,
    [
      ...everybody,
      [other, "partitioned"],
    ],
  );
  ACCEPTORS.forEach((acceptor, i) =>
    book.send(
      at_us + 400 + i,
      acceptor,
      "accepted",
      ballot,
      `instance ${instance}`,
      [
        CLIENT,
        i === 2 ? [proposer, "corrupted"] : proposer,
        i === 1 ? [LEARNER, "lost"] : LEARNER,
      ],
    )
  );
  const text = `c1/${sequence}`;
  book.add(at_us + 401, { type: "choose", instance, ballot, text });
  book.add(at_us + 500, {
    type: "answer",
    place: CLIENT,
    client: "c1",
    sequence,
  });
  const value = { instance, index: 0, client: "c1", sequence };
  book.add(at_us + 510, { type: "deliver", place: LEARNER, ...value });
}

/** `frames` random frames, several events each, some of them at the same time. */
export function crowd(seed: number, frames: number): Recording {
  const random = new Random(seed);
  const book = new Notebook();
  // What is said all the time.
  const names = MESSAGE_NAMES.filter((name) =>
    !["rejoin", "query", "status", "session"].includes(name)
  );
  const fates: Fate[] = ["lost", "partitioned", "corrupted", "truncated"];
  let at_us = 0;
  for (let n = 0; n < frames; n++) {
    at_us += random.between(0, 3) * random.between(0, 30);
    const place = random.between(0, PLACES.length - 1);
    const others = [...PLACES.keys()].filter((other) =>
      other !== place && random.chance(0.5)
    );
    const message = names[random.between(0, names.length - 1)];
    const ballot = `${random.between(1, 9)}.${random.between(1, 2)}`;
    const to = others.map((other) =>
      random.chance(0.1) ? [other, fates[random.between(0, 3)]] as const : other
    );
    const delay_us = random.between(0, random.chance(0.01) ? 5000 : 100);
    book.send(at_us, place, message, ballot, `instance ${n}`, to, delay_us);
    if (random.chance(0.02)) book.add(at_us, { type: "fault", text: "wind" });
  }
  return book.recording(seed);
}
