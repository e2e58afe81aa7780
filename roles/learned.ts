/** What a learner delivered, as it wrote it: NDJSON, one value a line. */

import { Digest } from "./digest.ts";
import { UserError } from "./errors.ts";
import { readLines } from "./lines.ts";

/** One delivered value, read from a line. */
export interface Delivered {
  readonly line: number;
  readonly instance: number;
  readonly index: number;
  /** A number is written in decimal. */
  readonly client: string;
  readonly seq: number;
  readonly digest: Digest;
  /** Text or base64, to be shown. */
  readonly value: string;
}

/** A learner was started again: what it delivered of instances from `from` on is void, and follows again. */
export interface Resumed {
  readonly line: number;
  readonly from: number;
}

/** Was the learner started again here? */
export function isResumed(entry: Delivered | Resumed): entry is Resumed {
  return "from" in entry;
}

/** Behind what a killed process left unfinished, the next one's first line stands on the same. */
const RESUMED = /\{"from":(\d{1,16})\}$/;
/** A line about a restart ends within so many bytes. */
const RESUMED_BYTES = 32;

const EXPECTED =
  'expected {"instance":N,"index":N,"client":"TEXT" or N,"seq":N,"value":"TEXT" or "base64":"…"}';

/**
 * Reads what one learner delivered. A last line that was cut off, as a killed
 * process leaves it, is left out; so is one that a restarted learner continued.
 *
 * @param onCutOff Called with the number of such a line.
 * @throws {UserError} `FILE:LINE: …` if any other line is malformed.
 */
export function* readLearned(
  path: string,
  onCutOff: (line: number) => void,
): Generator<Delivered | Resumed, void, undefined> {
  // A BOM at the start of a line is part of nothing JSON knows; within a value it is kept anyway.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const encoder = new TextEncoder();
  for (const { bytes, number, complete } of readLines(path)) {
    const resumed = parseResumed(bytes);
    if (resumed !== undefined) {
      if (!resumed.isWhole) onCutOff(number);
      yield { line: number, from: resumed.from };
      continue;
    }
    const parsed = parse(decoder, bytes);
    if (typeof parsed === "object") {
      const { value, isBase64, ...rest } = parsed;
      const digest = new Digest();
      digest.update(
        isBase64 ? Uint8Array.fromBase64(value) : encoder.encode(value),
      );
      yield { ...rest, line: number, value, digest };
    } else if (complete) {
      throw new UserError(`${path}:${number}: ${parsed}, ${EXPECTED}`);
    } else onCutOff(number);
  }
}

/**
 * The instance of a line that ends with `{"from":N}`. It cannot be the end of a value, whose quotes
 * JSON escapes.
 */
export function parseResumed(
  bytes: Uint8Array,
): { from: number; isWhole: boolean } | undefined {
  // Nearly every line ends with a value, whose quote is before the brace.
  if (bytes.at(-1) !== BRACE || bytes.at(-2) === QUOTE) return undefined;
  const end = new TextDecoder("latin1").decode(bytes.slice(-RESUMED_BYTES));
  const match = RESUMED.exec(end);
  if (match === null) return undefined;
  return {
    from: Number(match[1]),
    isWhole: match[0].length === bytes.length,
  };
}

const BRACE = "}".charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);

type Parsed =
  & Pick<Delivered, "instance" | "index" | "client" | "seq" | "value">
  & { readonly isBase64: boolean };

/** The fields of a line, or what is wrong with it. */
function parse(decoder: TextDecoder, bytes: Uint8Array): Parsed | string {
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes));
  } catch {
    return bytes.length === 0 ? "an empty line" : "not JSON";
  }
  if (typeof json !== "object" || json === null) return "no JSON object";
  const { instance, index, client, seq, value, base64 } = json as Record<
    string,
    unknown
  >;
  if (!isCount(instance)) return `bad "instance"`;
  if (!isCount(index)) return `bad "index"`;
  if (!isCount(seq)) return `bad "seq"`;
  if (!isCount(client) && (typeof client !== "string" || client === "")) {
    return `bad "client"`;
  }
  if ((value === undefined) === (base64 === undefined)) {
    return `neither or both of "value" and "base64"`;
  }
  const text = value ?? base64;
  if (typeof text !== "string") return `bad "value"`;
  const isBase64 = base64 !== undefined;
  if (isBase64 && !isBase64Text(text)) return `bad "base64"`;
  return {
    instance,
    index,
    client: String(client),
    seq,
    value: text,
    isBase64,
  };
}

/** Beyond 2^53 JSON numbers are rounded, and two that differ could look the same. */
function isCount(it: unknown): it is number {
  return Number.isSafeInteger(it) && (it as number) >= 0;
}

function isBase64Text(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
