/** Structured log lines: one record, one line, for people or for programs. */

import { printable, quoted } from "./printable.ts";

/** How much is logged: nothing, errors, also warnings and information, everything. */
export type Verbosity = "quiet" | "error" | "info" | "debug";

/** Form of a log line. */
export type LogFormat = "text" | "json";

/** What a record is. Warnings show wherever information does. */
export type Level = "error" | "warn" | "info" | "debug";

/** Named values of a record. */
export type LogFields = Readonly<
  Record<string, string | number | bigint | boolean | undefined>
>;

/** One thing to log. */
export interface LogRecord {
  readonly time: Date;
  readonly level: Level;
  /** Who says it: "replica 1". */
  readonly node: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Where and how to log. */
export interface LoggerOptions {
  /** Who logs: "replica 1". */
  readonly node: string;
  readonly verbosity: Verbosity;
  readonly format: LogFormat;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
}

/** One method a level. */
export type Logger = Readonly<
  Record<Level, (message: string, fields?: LogFields) => void>
>;

const SHOWN: Readonly<Record<Verbosity, readonly Level[]>> = {
  quiet: [],
  error: ["error"],
  info: ["error", "warn", "info"],
  debug: ["error", "warn", "info", "debug"],
};

/** Makes a logger. It writes at once and holds no line back. */
export function createLogger(options: LoggerOptions): Logger {
  const { node, verbosity, format, clock, write } = options;
  const at = (level: Level) => (message: string, fields: LogFields = {}) => {
    if (!SHOWN[verbosity].includes(level)) return;
    const time = new Date(clock());
    write(formatRecord(format, { time, level, node, message, fields }) + "\n");
  };
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
  };
}

/**
 * Writes a record as one line without its newline.
 *
 * Text: `12:00:01.123 info  replica 1: message key=value`, in local time.
 * JSON: `{"time":…,"level":…,"node":…,"message":…}` and the fields, in UTC.
 */
export function formatRecord(format: LogFormat, record: LogRecord): string {
  return format === "json" ? formatJson(record) : formatText(record);
}

function formatText({ time, level, node, message, fields }: LogRecord): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${
    two(time.getSeconds())
  }.${String(time.getMilliseconds()).padStart(3, "0")}`;
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${textValue(String(value))}`);
  const head = `${clock} ${level.padEnd(5)} ${node}`;
  return `${head}: ${printable(message)}${pairs.join("")}`;
}

function formatJson({ time, level, node, message, fields }: LogRecord): string {
  const line: Record<string, unknown> = {
    time: time.toISOString(),
    level,
    node,
    message,
  };
  for (const [key, value] of Object.entries(fields)) {
    // What every line has must mean the same in every line.
    if (Object.hasOwn(line, key)) continue;
    line[key] = typeof value === "bigint" ? jsonInteger(value) : value;
  }
  return JSON.stringify(line);
}

/** Every reader of JSON takes a number up to 2^53 exactly; beyond that only text is safe. */
function jsonInteger(value: bigint): number | string {
  const isSafe = value <= BigInt(Number.MAX_SAFE_INTEGER) &&
    value >= BigInt(Number.MIN_SAFE_INTEGER);
  return isSafe ? Number(value) : value.toString();
}

function textValue(text: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : quoted(text);
}
