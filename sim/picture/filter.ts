/** Which events of a run are looked at: kinds, places, text and time. */
import type { SimEvent } from "../events.ts";
import { type Model, sendOf } from "./model.ts";

/** What can be shown or hidden as one; `key` also names its colour. */
export interface Kind {
  readonly key: string;
  readonly label: string;
  /** Message names, or event types. */
  readonly members: readonly string[];
  /** Whether it is shown before anybody chooses. */
  readonly shown: boolean;
}

export const MESSAGE_KINDS: readonly Kind[] = [
  { key: "prepare", label: "1A prepare", members: ["prepare"], shown: true },
  { key: "promise", label: "1B promise", members: ["promise"], shown: true },
  { key: "accept", label: "2A accept", members: ["accept"], shown: true },
  { key: "accepted", label: "2B accepted", members: ["accepted"], shown: true },
  { key: "reject", label: "reject", members: ["reject"], shown: true },
  {
    key: "request",
    label: "submit, answer",
    members: ["submit", "answer"],
    shown: true,
  },
  {
    key: "repair",
    label: "repair, learned",
    members: ["repair", "learned"],
    shown: true,
  },
  {
    key: "heartbeat",
    label: "heartbeat",
    members: ["heartbeat"],
    shown: false,
  },
  {
    key: "chatter",
    label: "hi, ok, bye, forgot, status",
    members: ["hi", "ok", "bye", "forgot", "query", "status"],
    shown: false,
  },
];

export const EVENT_KINDS: readonly Kind[] = [
  { key: "chosen", label: "◆ chosen", members: ["choose"], shown: true },
  { key: "fault", label: "⚠ faults", members: ["fault"], shown: true },
  { key: "deliver", label: "▶ deliveries", members: ["deliver"], shown: true },
  {
    key: "client",
    label: "client's view",
    members: ["submit", "answer"],
    shown: true,
  },
  { key: "note", label: "notes", members: ["note"], shown: true },
  { key: "durable", label: "durable", members: ["durable"], shown: false },
];

function keysByMember(kinds: readonly Kind[]): Map<string, string> {
  return new Map(
    kinds.flatMap(({ key, members }) => members.map((name) => [name, key])),
  );
}

const MESSAGE_KEYS = keysByMember(MESSAGE_KINDS);
const EVENT_KEYS = keysByMember(EVENT_KINDS);

/** What the literature calls a message. */
export function shortName(message: string): string {
  const names: Record<string, string> = {
    prepare: "1A",
    promise: "1B",
    accept: "2A",
    accepted: "2B",
  };
  return names[message] ?? message;
}

/** The kind of an event; none for what is always shown: starts, stops and violations. */
export function kindOf(model: Model, index: number): string | undefined {
  const sent = sendOf(model, index);
  if (sent !== undefined) return MESSAGE_KEYS.get(sent.message);
  return EVENT_KEYS.get(model.events[index].type);
}

export interface Filter {
  /** Keys of kinds. */
  readonly kinds: ReadonlySet<string>;
  readonly places: ReadonlySet<number>;
  /** Text that a shown event must contain; empty: any. */
  readonly query: string;
  /** Events before are hidden; a message counts with all its copies when it is sent. */
  readonly from_us: number;
  /** Events after are hidden. */
  readonly to_us: number;
}

/** The words by which an event can be found. */
export function searchText(model: Model, event: SimEvent): string {
  const place = "place" in event && event.place !== undefined
    ? model.recording.places[event.place].name
    : "";
  switch (event.type) {
    case "send":
      return [
        place,
        shortName(event.message),
        event.ballot ?? "",
        event.message,
        event.text,
      ].join(" ");
    case "choose":
      return `chosen instance ${event.instance} ${event.ballot} ${event.text}`;
    case "deliver":
      return `${place} delivers instance ${event.instance} ${event.client}/${event.sequence}`;
    case "submit":
    case "answer":
      return `${place} ${event.type} ${event.client}/${event.sequence}`;
    case "note":
    case "fault":
      return `${place} ${event.text}`;
    default:
      return place;
  }
}

/** Instances that a message lists, as `instances 3, 5-9`. */
const LISTS = /(?:instances?|repair) (\d[\d, -]*)/g;

function lists(text: string, instance: number): boolean {
  return Array.from(text.matchAll(LISTS)).some(([, list]) =>
    list.split(",").some((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return first <= instance && instance <= last;
    })
  );
}

/** The words of a query; a whole number belongs to the word before, as in `instance 7`. */
const WORDS = /[a-z]+ \d+(?![\d.])|\S+/g;

/**
 * A test of texts for all words of `query`. A number or ballot is found only as a whole (7 is not
 * in 17, nor 1.2 in 11.2), an instance also within a list, as `instances 3, 5-9`.
 */
export function matcher(query: string): (text: string) => boolean {
  const tests = (query.toLowerCase().match(WORDS) ?? []).map(wordMatcher);
  return (text) => {
    const lower = text.toLowerCase();
    return tests.every((test) => test(lower));
  };
}

function wordMatcher(word: string): (text: string) => boolean {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const before = /^\d/.test(word) ? "(?<![\\d.])" : "";
  const after = /\d$/.test(word) ? "(?!\\d|\\.\\d)" : "";
  const pattern = new RegExp(before + escaped + after);
  const number = /^(?:instance )?(\d+)$/.exec(word);
  return (text) =>
    pattern.test(text) || (number !== null && lists(text, Number(number[1])));
}

/** One byte an event: 1 if the filter lets it pass. */
export function select(model: Model, filter: Filter): Uint8Array {
  const { events } = model;
  const matches = matcher(filter.query);
  const shown = new Uint8Array(events.length);
  events.forEach((event, i) => {
    const placed = !("place" in event) || event.place === undefined ||
      filter.places.has(event.place);
    if (!placed) return;
    if (event.type === "receive" || event.type === "lose") {
      if (model.sends[i] >= 0) shown[i] = shown[model.sends[i]];
      return;
    }
    if (event.at_us < filter.from_us || event.at_us > filter.to_us) return;
    const kind = kindOf(model, i);
    if (kind === undefined) shown[i] = 1;
    else if (filter.kinds.has(kind)) {
      shown[i] = matches(searchText(model, event)) ? 1 : 0;
    }
  });
  return shown;
}
