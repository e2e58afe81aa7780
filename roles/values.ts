/** Kinds of value that options and configuration words take: one reader and one description for each. */

import { formatDuration, parseDuration_ms } from "./duration.ts";

/** Where a node is reached over UDP. */
export interface Endpoint {
  /** Dotted IPv4 address. */
  readonly host: string;
  readonly port: number;
}

/** What a value must look like. Bounds are inclusive. */
export type ValueKind =
  | {
    readonly type: "integer";
    readonly min: number;
    readonly max: number;
    /** Read and described as 0x…; decimal is read too. */
    readonly hexadecimal?: true;
    /** `auto` is read too, as 0, which is not in the range. */
    readonly auto?: true;
  }
  | { readonly type: "wide"; readonly min: bigint; readonly max: bigint }
  | { readonly type: "fraction" }
  | {
    readonly type: "duration";
    readonly min_ms: number;
    readonly max_ms: number;
  }
  | { readonly type: "bytes"; readonly min: number; readonly max: number }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  | { readonly type: "yes_no" }
  | { readonly type: "path" }
  | { readonly type: "interface" }
  | { readonly type: "group" }
  | { readonly type: "endpoints" }
  | { readonly type: "list"; readonly of: ValueKind };

/** What a value of a kind becomes: durations are milliseconds, sizes bytes. */
export type ValueOf<K extends ValueKind> = K extends { type: "wide" } ? bigint
  : K extends { type: "integer" | "fraction" | "duration" | "bytes" } ? number
  : K extends { type: "choice"; choices: readonly (infer C)[] } ? C
  : K extends { type: "yes_no" } ? boolean
  : K extends { type: "endpoints" } ? Endpoint[]
  : K extends { type: "list"; of: infer O extends ValueKind } ? ValueOf<O>[]
  : string;

/**
 * Reads a value.
 *
 * @returns The value, or undefined when `text` is not of this kind or out of its range.
 */
export function readValue<K extends ValueKind>(
  kind: K,
  text: string,
): ValueOf<K> | undefined;
export function readValue(kind: ValueKind, text: string): unknown {
  switch (kind.type) {
    case "integer": {
      if (kind.auto && text.toLowerCase() === "auto") return 0;
      const pattern = kind.hexadecimal
        ? /^(\d{1,16}|0x[0-9a-f]{1,12})$/i
        : /^\d{1,16}$/;
      return pattern.test(text)
        ? within(Number(text), kind.min, kind.max)
        : undefined;
    }
    case "wide": {
      if (!/^(\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text)) return undefined;
      const value = BigInt(text);
      return value >= kind.min && value <= kind.max ? value : undefined;
    }
    case "fraction":
      return /^(\d+(\.\d*)?|\.\d+)$/.test(text)
        ? within(Number(text), 0, 1)
        : undefined;
    case "duration":
      return within(parseDuration_ms(text), kind.min_ms, kind.max_ms);
    case "bytes":
      return within(parseBytes(text), kind.min, kind.max);
    case "choice": {
      const word = text.toLowerCase();
      return kind.choices.includes(word) ? word : undefined;
    }
    case "yes_no": {
      const word = text.toLowerCase();
      return word === "yes" ? true : word === "no" ? false : undefined;
    }
    case "path":
      return text.length > 0 && !text.includes("\0") ? text : undefined;
    case "interface":
      // The kernel's rule: 1 to 15 bytes, no slash, colon or blank, and not a folder's name.
      return /^[^/:\s\0]{1,15}$/.test(text) && text !== "." && text !== ".."
        ? text
        : undefined;
    case "group": {
      const bytes = parseIpv4(text);
      return bytes !== undefined && bytes[0] >= 224 && bytes[0] <= 239
        ? text
        : undefined;
    }
    case "endpoints": {
      const endpoints = text.split(",").map(parseEndpoint);
      return endpoints.every((it) => it !== undefined) ? endpoints : undefined;
    }
    case "list": {
      const values = text.split(",").map((it) => readValue(kind.of, it));
      return values.every((it) => it !== undefined) ? values : undefined;
    }
  }
}

/** Says what a value of this kind looks like, to follow "expected". */
export function describeValue(kind: ValueKind): string {
  switch (kind.type) {
    case "integer":
      return kind.hexadecimal
        ? `a number from ${hexadecimal(kind.min)} to ${hexadecimal(kind.max)}`
        : `${
          kind.auto ? "auto, or " : ""
        }a whole number from ${kind.min} to ${kind.max}`;
    case "wide":
      return `a whole number from ${kind.min} to ${kind.max}`;
    case "fraction":
      return "a fraction from 0 to 1 (0.1 for 10 %)";
    case "duration":
      return `a duration from ${formatDuration(kind.min_ms)} to ${
        formatDuration(kind.max_ms)
      } (2 for two seconds, or 500ms, 2s, 1m)`;
    case "bytes":
      return `a size from ${formatBytes(kind.min)} to ${
        formatBytes(kind.max)
      } (bytes, or with kb, mb or gb)`;
    case "choice":
      return kind.choices.length > 1
        ? `${kind.choices.slice(0, -1).join(", ")} or ${kind.choices.at(-1)}`
        : kind.choices[0];
    case "yes_no":
      return "yes or no";
    case "path":
      return "a path";
    case "interface":
      return "the name of a network interface (at most 15 characters)";
    case "group":
      return "an IPv4 multicast address (224.0.0.0 to 239.255.255.255)";
    case "endpoints":
      return "ADDRESS:PORT[,ADDRESS:PORT...] with IPv4 addresses";
    case "list":
      return `${describeValue(kind.of)}, or several with commas between`;
  }
}

/** Reads ADDRESS:PORT with an IPv4 address; undefined when it is not one. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return undefined;
  return makeEndpoint(text.slice(0, colon), text.slice(colon + 1));
}

/** Joins an IPv4 address and a port; undefined when either is not one. */
export function makeEndpoint(host: string, port: string): Endpoint | undefined {
  const portNumber = readValue({ type: "integer", min: 1, max: 65535 }, port);
  return parseIpv4(host) !== undefined && portNumber !== undefined
    ? { host, port: portNumber }
    : undefined;
}

/** Writes a size in the largest unit that needs no fraction. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of Object.entries(UNIT_BYTES)) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}

/** Largest first, for `formatBytes`. Powers of 1024, as in libpaxos. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  gb: 1024 ** 3,
  mb: 1024 ** 2,
  kb: 1024,
};

function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15})(kb|mb|gb|)$/i.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (UNIT_BYTES[match[2].toLowerCase()] ?? 1);
}

function parseIpv4(text: string): number[] | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function within(
  value: number | undefined,
  min: number,
  max: number,
): number | undefined {
  return value !== undefined && value >= min && value <= max
    ? value
    : undefined;
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(4, "0")}`;
}
