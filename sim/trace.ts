/** A run as text, one event a line: seconds, where, what; `docs/simulation.md` explains each kind. */
import type { Place, SimEvent } from "./events.ts";

/** The line of an event, without its newline. */
export function traceLine(event: SimEvent, places: readonly Place[]): string {
  const time = (event.at_us / 1e6).toFixed(6);
  const where = "place" in event && event.place !== undefined
    ? places[event.place].name
    : "-";
  return `${time} ${where.padEnd(widest(places))} ${words(event)}`;
}

function widest(places: readonly Place[]): number {
  return Math.max(1, ...places.map(({ name }) => name.length));
}

function words(event: SimEvent): string {
  switch (event.type) {
    case "start":
      return `start   incarnation ${event.incarnation}, memory ${event.memory}`;
    case "stop":
      return `stop    ${event.how}`;
    case "send":
      return `send    #${event.frame} ${event.text}`;
    case "receive":
      return `receive #${event.frame}` +
        (event.copy > 0 ? `, copy ${event.copy + 1}` : "") +
        (event.fate === undefined ? "" : `, ${event.fate}`);
    case "lose":
      return `lose    #${event.frame}, ${event.fate}`;
    case "note":
      return `note    ${event.text}`;
    case "choose":
      return `choose  instance ${event.instance} in ballot ${event.ballot}: ${event.text}`;
    case "submit":
    case "answer":
      return `${event.type}  ${event.client}/${event.sequence}`;
    case "deliver":
      return `deliver ${event.client}/${event.sequence}, value ${event.index} of instance ${event.instance}`;
    case "durable":
      return `durable record ${event.record}`;
    case "fault":
      return `fault   ${event.text}`;
    case "violation":
      return `VIOLATION of ${event.property}: ${event.text}`;
  }
}
