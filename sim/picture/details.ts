/** All that is known of one event, as terms and texts for people. */
import { duration, seconds } from "./time.ts";
import { type Model, sendOf } from "./model.ts";

type Detail = readonly [term: string, text: string];

function placeName(model: Model, place: number): string {
  return model.recording.places[place].name;
}

/** Every field of an event; of a message, its send and what became of every copy. */
export function describe(model: Model, index: number): Detail[] {
  const event = model.events[index];
  const details: Detail[] = [["event", event.type], [
    "time",
    `${seconds(event.at_us)} s`,
  ]];
  for (const [field, value] of Object.entries(event)) {
    if (field === "type" || field === "at_us") continue;
    details.push([
      field,
      field === "place" ? placeName(model, Number(value)) : String(value),
    ]);
  }
  const sent = sendOf(model, index);
  if (sent === undefined) return details;
  if (sent !== event) {
    details.push(
      ["message", sent.message],
      ["ballot", sent.ballot ?? "none"],
      ["text", sent.text],
      [
        "sent",
        `by ${placeName(model, sent.place)} at ${seconds(sent.at_us)} s`,
      ],
    );
  }
  for (const end of model.copies.get(model.sends[index]) ?? []) {
    details.push(["to", copyText(model, end, sent.at_us)]);
  }
  return details;
}

/** Where a copy went, how long it took, and what happened to it. */
function copyText(model: Model, end: number, sent_us: number): string {
  const event = model.events[end];
  if (event.type !== "receive" && event.type !== "lose") return "";
  const fate = event.fate === undefined ? "" : `, ${event.fate}`;
  const again = event.type === "receive" && event.copy > 0
    ? `, copy ${event.copy}`
    : "";
  return `${placeName(model, event.place)} after ${
    duration(event.at_us - sent_us)
  }${again}${fate}`;
}
