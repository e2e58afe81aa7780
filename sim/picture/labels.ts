/** What stands beside the lines of the picture: what happened at a place in one instant, in a few words. */
import { kindOf, shortName } from "./filter.ts";
import { type Model, type SendEvent, sendOf } from "./model.ts";

/** One line of text; events that read alike share it. */
export interface Label {
  /** The first of its events. */
  readonly event: number;
  /** Names its colour. */
  readonly tone: string;
  readonly head: string;
  /** What several events say after the same head. */
  readonly items: string[];
  count: number;
  /** Further labels of the place and instant, for which there is no room. */
  more: number;
}

/** Most lines of text for what one place does in one instant. */
const LABELS_MAX = 6;

/** The text of a label. */
export function labelText({ head, items, count, more }: Label): string {
  const listed = items.length > 0 ? ` ${items.join(", ")}` : "";
  const times = items.length === 0 && count > 1 ? ` ×${count}` : "";
  return (more > 0 ? `(+${more}) ` : "") + head + listed + times;
}

type Words = readonly [tone: string, head: string, item?: string];

/** Tone, head and item of an event's label; none for a message that arrives as it should. */
export function wordsOf(model: Model, index: number): Words | undefined {
  const event = model.events[index];
  const sent = sendOf(model, index);
  const message = sent === undefined ? "frame" : shortName(sent.message);
  switch (event.type) {
    case "start": {
      const memory = {
        new: "",
        recovered: ", recovered",
        lost: ", memory lost",
      };
      return ["note", `starts${memory[event.memory]}`];
    }
    case "stop":
      return ["violation", `✕ ${event.how}`];
    case "send":
      return [kindOf(model, index) ?? "muted", sendText(event)];
    case "receive":
      if (event.fate !== undefined) {
        return ["fault", `${message} ${event.fate}`];
      }
      return event.copy > 0 ? ["muted", `${message} again`] : undefined;
    case "lose":
      return ["fault", `${message} ${event.fate}`];
    case "note":
      return [event.level === "info" ? "note" : "fault", event.text];
    case "choose":
      return [
        "chosen",
        `◆ ${event.instance} in ${event.ballot}: ${event.text}`,
      ];
    case "submit":
      return ["client", "new value", `${event.client}/${event.sequence}`];
    case "answer":
      return ["client", "✓ answered", `${event.client}/${event.sequence}`];
    case "deliver":
      return [
        "deliver",
        `▶ delivers ${event.instance}:`,
        `${event.client}/${event.sequence}`,
      ];
    case "durable":
      return ["durable", `durable to ${event.record}`];
    case "fault":
      return ["fault", `⚠ ${event.text}`];
    case "violation":
      return ["violation", `VIOLATION of ${event.property}: ${event.text}`];
  }
}

/** What every message says of how far its sender is: too much for a label. */
const PROGRESS = / \([\d-]+ (?:decided|trimmed|delivered)\)/g;

/** A message in few words: its short name, ballot and fields. */
function sendText({ message, ballot, text }: SendEvent): string {
  const short = shortName(message);
  const brief = text.replace(PROGRESS, "");
  if (brief.startsWith(`${short} ${message}`)) {
    return short + brief.slice(short.length + 1 + message.length);
  }
  if (brief.startsWith(short)) return brief;
  return [short, ballot ?? "", brief].filter(Boolean).join(" ");
}

/** Adds an event to the labels of its place and instant. */
export function addLabel(labels: Label[], model: Model, event: number): void {
  const words = wordsOf(model, event);
  if (words === undefined) return;
  const [tone, head, item] = words;
  const same = labels.find((label) =>
    label.tone === tone && label.head === head
  );
  if (same !== undefined) {
    same.count++;
    if (item !== undefined) same.items.push(item);
  } else if (labels.length < LABELS_MAX) {
    const items = item === undefined ? [] : [item];
    labels.push({ event, tone, head, items, count: 1, more: 0 });
  } else labels[LABELS_MAX - 1].more++;
}
