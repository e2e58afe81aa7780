/** What each command of a scenario does; `scenarios/README.md` says what it is for. */
import { Gauge } from "../core/layout.ts";
import { copyLines, linesOf } from "./scenario_lines.ts";
import { ballotText } from "../roles/events.ts";
import { acceptedText, messageOf } from "../sim/message_text.ts";
import {
  durationOf,
  MESSAGES,
  quotedOf,
  takeCopies,
  takeFilter,
  takeNames,
  takeOptions,
  takeSide,
  takeStations,
  Words,
} from "./scenario_words.ts";
import {
  type Happening,
  nameOf,
  type Station,
  World,
} from "./scenario_world.ts";

/** All instances below a gauge's. */
function upTo(what: string, next: number): string {
  if (next <= 1) return `nothing ${what}`;
  return `${next === 2 ? "1" : `1-${next - 1}`} ${what}`;
}

const PROPOSER_STATES = ["follower", "preparing", "leading"];

/** Where a node stands. What an acceptor has accepted is what it said so far. */
function statusOf(station: Station, world: World): string {
  const { kind, id, rig: { core } } = station;
  const isIn = (...kinds: string[]) => kinds.includes(kind);
  const next = (gauge: Gauge) => core.gauge(gauge);
  const ballot = (gauge: Gauge) => {
    const value = BigInt(core.gauge(gauge));
    return value === 0n ? "nothing" : ballotText(value);
  };
  const parts: string[] = [];
  if (isIn("proposer", "replica")) {
    const state = PROPOSER_STATES[core.gauge(Gauge.proposerState)];
    parts.push(
      `${state}, leader's ballot heard last: ${ballot(Gauge.leaderBallot)}`,
      upTo("decided", next(Gauge.decided)),
    );
  }
  if (isIn("acceptor", "replica")) {
    const accepted = world.choices.acceptedBy(id)
      .filter(({ instance }) => instance >= core.gauge(Gauge.trimmed))
      .map(acceptedText);
    parts.push(
      `promised ${ballot(Gauge.promised)}`,
      `accepted ${accepted.join(", ") || "nothing"}`,
      upTo("trimmed", next(Gauge.trimmed)),
    );
  }
  if (isIn("learner", "replica")) {
    parts.push(upTo("delivered", next(Gauge.delivered)));
  }
  if (isIn("client")) {
    parts.push(`values unanswered: ${core.gauge(Gauge.inFlightValues)}`);
  }
  return `${nameOf(station)}: ${parts.join("; ")}`;
}

/** What a transcript may leave out. */
const EVERYTHING: readonly string[] = [...MESSAGES, "notes"];

/** One scenario while it is played. */
export class Session {
  readonly world = new World((wave, at_us) => this.#hear(wave, at_us));
  /** Names of the messages that the transcript tells of, and "notes". */
  shown: ReadonlySet<string> = new Set(EVERYTHING);
  /** Time may pass in the present command, so the transcript says when things happen. */
  isTimed = false;
  #transcript: string[] = [];
  #saidAt = "";

  /** Adds a line to the transcript. */
  say(line: string): void {
    this.#transcript.push(line);
  }

  /**
   * Obeys a command.
   *
   * @returns What it brought, a string a line.
   * @throws {Error} if it makes no sense.
   */
  obey(line: string): string[] {
    const words = new Words(line);
    const command = words.must(
      `one of ${Object.keys(COMMANDS).join(", ")}`,
      (word) => COMMANDS[word],
    );
    const act = command(words, this);
    words.end();
    this.#transcript = [];
    this.#saidAt = "";
    this.isTimed = false;
    act();
    return this.#transcript;
  }

  #hear(wave: readonly Happening[], at_us: number): void {
    const lines = linesOf(wave.filter((happening) => this.#isShown(happening)));
    const at = `at ${Math.floor(at_us / 1000)} ms`;
    if (this.isTimed && lines.length > 0 && at !== this.#saidAt) {
      this.say(at);
      this.#saidAt = at;
    }
    for (const line of lines) this.say(this.isTimed ? `  ${line}` : line);
  }

  #isShown(happening: Happening): boolean {
    if (happening.type === "note") return this.shown.has("notes");
    if (happening.type !== "send") return true;
    return this.shown.has(happening.fields.body.type);
  }
}

/** Reads the words that follow the command's own; returns what is to be done. */
type Command = (words: Words, session: Session) => () => void;

/** All commands, by their first word. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  start(words, { world }) {
    const names = takeNames(words);
    const options = takeOptions(words);
    return () => {
      for (const { kind, id } of names) world.start(kind, id, options);
    };
  },

  crash(words, { world }) {
    const stations = takeStations(words, world);
    return () => stations.forEach((station) => world.crash(station));
  },

  restart(words, { world }) {
    const names = takeNames(words);
    return () => {
      for (const { kind, id } of names) world.restart(kind, id);
    };
  },

  stop(words, { world }) {
    const stations = takeStations(words, world);
    return () => stations.forEach((station) => world.leave(station));
  },

  submit(words, { world }) {
    const [station] = takeStations(words, world);
    const values = words.takeAll(quotedOf);
    if (station.kind !== "client" || values.length === 0) {
      throw new Error('say: submit client 1 "a value" "another one"');
    }
    return () => world.submit(station, values);
  },

  run: (_, { world }) => () => world.run(),

  wait(words, session) {
    const duration_us = words.must("a duration such as 50ms", durationOf);
    return () => {
      session.isTimed = true;
      session.world.wait(duration_us);
    };
  },

  deliver(words, { world }) {
    const copies = takeCopies(words, world);
    return () => world.deliver(copies);
  },

  drop(words, { world }) {
    const copies = takeCopies(words, world);
    return () => world.drop(copies);
  },

  duplicate(words, { world }) {
    const copies = takeCopies(words, world);
    return () => world.duplicate(copies);
  },

  hold(words, { world }) {
    const isHeld = takeFilter(words, world);
    return () => world.hold(isHeld);
  },

  release: (_, { world }) => () => world.hold(() => false),

  cut(words, { world }) {
    const some = takeSide(words);
    if (!words.skip("from")) throw new Error("say: cut NODES from NODES");
    const others = takeSide(words);
    return () => world.cut(some, others);
  },

  heal: (_, { world }) => () => world.heal(),

  pending(words, session) {
    const isListed = takeFilter(words, session.world);
    return () =>
      copyLines(session.world.underWay.filter(isListed))
        .forEach((line) => session.say(line));
  },

  status(words, session) {
    const { world } = session;
    const stations = words.isEmpty
      ? world.stations
      : takeStations(words, world);
    return () =>
      stations.forEach((station) => session.say(statusOf(station, world)));
  },

  show(words, session) {
    const shown = words.skip("all")
      ? EVERYTHING
      : words.takeAll((word) =>
        word === "notes" ? word : messageOf(word, MESSAGES)
      );
    if (!words.skip("nothing") && shown.length === 0) {
      throw new Error("say: show MESSAGES, notes, all or nothing");
    }
    return () => session.shown = new Set(shown);
  },
};
