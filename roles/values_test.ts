import assert from "node:assert/strict";
import {
  describeValue,
  formatBytes,
  readValue,
  type ValueKind,
} from "./values.ts";

/** For each kind: texts with the value they are, and texts that are none. */
const CASES: {
  kind: ValueKind;
  good: Record<string, unknown>;
  bad: string[];
}[] = [
  {
    kind: { type: "integer", min: 1, max: 65535 },
    good: { "1": 1, "65535": 65535, "007": 7 },
    bad: [
      "",
      "0",
      "65536",
      "-1",
      "+1",
      "1.0",
      "1e3",
      "0x10",
      " 1",
      "one",
      "9".repeat(400),
    ],
  },
  {
    kind: { type: "integer", min: 0x600, max: 0xffff, hexadecimal: true },
    good: { "0x88B5": 0x88b5, "0X88b5": 0x88b5, "34997": 34997 },
    bad: ["0x5ff", "0x10000", "88B5", "0x"],
  },
  {
    kind: { type: "wide", min: 0n, max: 0xffff_ffff_ffff_ffffn },
    good: {
      "0": 0n,
      "18446744073709551615": 0xffff_ffff_ffff_ffffn,
      "0xff": 255n,
    },
    bad: ["", "-1", "18446744073709551616", "1n", "0xfffffffffffffffff"],
  },
  {
    kind: { type: "fraction" },
    good: { "0": 0, "0.1": 0.1, ".5": 0.5, "1": 1, "1.0": 1 },
    bad: ["", ".", "1.1", "-0.1", "10%", "NaN", "1e-1", "0,1"],
  },
  {
    kind: { type: "duration", min_ms: 10, max_ms: 3_600_000 },
    good: { "1": 1000, "500ms": 500, "1h": 3_600_000 },
    bad: ["0", "9ms", "2h", "soon"],
  },
  {
    kind: { type: "bytes", min: 1 << 20, max: 512 << 20 },
    good: { "64mb": 64 << 20, "1048576": 1 << 20, "2048KB": 2 << 20 },
    bad: ["1", "1gb", "64 mb", "64m", "1.5mb", ""],
  },
  {
    kind: { type: "choice", choices: ["ndjson", "raw"] },
    good: { raw: "raw", NDJSON: "ndjson" },
    bad: ["", "rawr", "constructor"],
  },
  {
    kind: { type: "yes_no" },
    good: { yes: true, No: false },
    bad: ["", "true", "1"],
  },
  { kind: { type: "path" }, good: { "/a b#c": "/a b#c" }, bad: ["", "a\0b"] },
  {
    kind: { type: "interface" },
    good: { eth0: "eth0", "br-lan.7": "br-lan.7" },
    bad: ["", ".", "..", "a/b", "a b", "eth0:1", "sixteen_letters_"],
  },
  {
    kind: { type: "group" },
    good: { "239.75.112.1": "239.75.112.1" },
    bad: ["10.0.0.1", "240.0.0.1", "239.75.112", "239.75.112.256", "ff02::1"],
  },
  {
    kind: { type: "endpoints" },
    good: {
      "10.0.0.1:7400,10.0.0.2:7401": [
        { host: "10.0.0.1", port: 7400 },
        { host: "10.0.0.2", port: 7401 },
      ],
    },
    bad: [
      "",
      "10.0.0.1",
      "10.0.0.1:0",
      "10.0.0.1:65536",
      "10.0.0.300:1",
      "10.0.0.1:1,",
      "host:1",
      "[::1]:1",
    ],
  },
];

for (const { kind, good, bad } of CASES) {
  Deno.test(`a value of type ${kind.type} is read: ${describeValue(kind)}`, () => {
    for (const [text, value] of Object.entries(good)) {
      assert.deepEqual(readValue(kind, text), value, text);
    }
    for (const text of bad) {
      assert.equal(readValue(kind, text), undefined, JSON.stringify(text));
    }
  });
}

Deno.test("a size is written in its largest whole unit", () => {
  assert.equal(formatBytes(64 << 20), "64mb");
  assert.equal(formatBytes(1025), "1025");
});
