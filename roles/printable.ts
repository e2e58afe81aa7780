/** Text from outside made fit for one line of a terminal. */

const SHOWN_MAX = 40;

/** Escapes what would begin a new line or move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The text in quotes, escaped. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text));
}

/** The text in quotes, escaped, and cut where it is long: for a message that names it. */
export function excerpt(text: string): string {
  return quoted(
    text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text,
  );
}
