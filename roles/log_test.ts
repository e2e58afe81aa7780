import assert from "node:assert/strict";
import { createLogger, formatRecord, type LogRecord } from "./log.ts";

const RECORD: LogRecord = {
  // Local time, as the text form shows it.
  time: new Date(2024, 0, 2, 12, 0, 1, 123),
  level: "info",
  node: "replica 1",
  message: "running",
  fields: {},
};

Deno.test("a text line has time, level, node, message and fields", () => {
  const fields = { if: "eth0", mtu: 1500, seed: 2n ** 63n, absent: undefined };
  assert.equal(
    formatRecord("text", { ...RECORD, fields }),
    "12:00:01.123 info  replica 1: running if=eth0 mtu=1500 seed=9223372036854775808",
  );
});

Deno.test("text that could be misread is quoted, and a line stays one line", () => {
  const fields = {
    reason: 'no "leader" heard',
    path: "a\nb\x1b[2J",
    empty: "",
  };
  assert.equal(
    formatRecord("text", { ...RECORD, message: "odd\r\n\u2028", fields }),
    "12:00:01.123 info  replica 1: odd\\u000d\\u000a\\u2028 " +
      'reason="no \\"leader\\" heard" path="a\\nb\\u001b[2J" empty=""',
  );
});

Deno.test("a JSON line holds the same, with time in UTC", () => {
  const time = new Date(Date.UTC(2024, 0, 2, 12, 0, 1, 123));
  const fields = { mtu: 1500, small: 7n, large: 2n ** 63n };
  const line = formatRecord("json", { ...RECORD, time, fields });
  assert.deepEqual(JSON.parse(line), {
    time: "2024-01-02T12:00:01.123Z",
    level: "info",
    node: "replica 1",
    message: "running",
    mtu: 1500,
    small: 7,
    large: "9223372036854775808",
  });
});

Deno.test("a field cannot take the place of what every JSON line has", () => {
  const fields = { level: "debug", node: "other" };
  const line = JSON.parse(formatRecord("json", { ...RECORD, fields }));
  assert.equal(line.level, "info");
  assert.equal(line.node, "replica 1");
});

Deno.test("the verbosity decides which levels show", () => {
  const shown = (verbosity: "quiet" | "error" | "info" | "debug") => {
    const lines: string[] = [];
    const logger = createLogger({
      node: "n",
      verbosity,
      format: "json",
      clock: () => 0,
      write: (line) => lines.push(JSON.parse(line).level),
    });
    logger.error("e");
    logger.warn("w");
    logger.info("i");
    logger.debug("d");
    return lines.join(" ");
  };
  assert.equal(shown("quiet"), "");
  assert.equal(shown("error"), "error");
  assert.equal(shown("info"), "error warn info");
  assert.equal(shown("debug"), "error warn info debug");
});

Deno.test("each record is written as one line, with the injected time", () => {
  const lines: string[] = [];
  const logger = createLogger({
    node: "learner 3",
    verbosity: "info",
    format: "json",
    clock: () => 1000,
    write: (line) => lines.push(line),
  });
  logger.warn("slow", { queue: 5 });
  assert.deepEqual(lines, [
    '{"time":"1970-01-01T00:00:01.000Z","level":"warn","node":"learner 3","message":"slow","queue":5}\n',
  ]);
});
