import assert from "node:assert/strict";
import { checkRun, type Report } from "./check.ts";
import { formatReport, reportExitCode, verdict } from "./check_report.ts";
import { EXIT, UserError } from "./errors.ts";

/** A line as a learner writes it. */
function delivered(
  instance: number,
  value: string,
  seq: number,
  { index = 0, client = "c1" as string | number } = {},
): string {
  return JSON.stringify({ instance, index, client, seq, value }) + "\n";
}

/** Three values in three instances, delivered as they were proposed. */
const A = delivered(1, "a", 1);
const B = delivered(2, "b", 2);
const C = delivered(3, "c", 3);

interface Files {
  proposed?: (string | Uint8Array)[];
  learned: (string | Uint8Array)[];
  acknowledged?: string[];
}

/** What a learner writes when it was started again. */
const from = (instance: number) => `{"from":${instance}}\n`;

/** Checks texts as if they were files; names in messages are p0…, l0… and a0… */
function check(
  { proposed = ["a\nb\nc\n"], learned, acknowledged = [] }: Files,
): Report {
  const folder = Deno.makeTempDirSync();
  const put = (prefix: string) => (content: string | Uint8Array, i: number) => {
    const path = `${folder}/${prefix}${i}`;
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  };
  try {
    const report = checkRun({
      proposed: proposed.map(put("p")),
      learned: learned.map(put("l")),
      acknowledged: acknowledged.map(put("a")),
    });
    return JSON.parse(JSON.stringify(report).replaceAll(`${folder}/`, ""));
  } catch (error) {
    if (error instanceof UserError) {
      error.message = error.message.replaceAll(`${folder}/`, "");
    }
    throw error;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Text and bytes, one behind the other. */
function bytesOf(...parts: (string | Uint8Array)[]): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from(
    parts.flatMap((
      it,
    ) => [...typeof it === "string" ? encoder.encode(it) : it]),
  );
}

/** The violations as FILE:LINE property: message. */
function violations(files: Files): string[] {
  const report = check(files);
  assert.equal(
    reportExitCode(report, false),
    report.violations.length > 0 ? EXIT.failed : EXIT.done,
  );
  return report.violations.map(({ file, line, property, message }) =>
    `${file}:${line} ${property}: ${message}`
  );
}

Deno.test("a run without a fault has exactly this verdict, and exits 0", () => {
  const report = check({ learned: [A + B + C, A + B + C] });
  assert.equal(
    verdict(report),
    "agreement ok, integrity ok, no duplicates, 100% terminated",
  );
  assert.deepEqual(report, {
    proposed: 3,
    learners: [{ file: "l0", delivered: 3 }, { file: "l1", delivered: 3 }],
    violations: [],
    deliveredByAll: 3,
    terminated_percent: 100,
    warnings: [],
  });
  assert.equal(reportExitCode(report, true), EXIT.done);
});

Deno.test("values of one instance are told apart by their index, and no-ops leave gaps", () => {
  const run = delivered(1, "a", 1) + delivered(1, "b", 2, { index: 1 }) +
    delivered(9, "c", 3);
  assert.deepEqual(violations({ learned: [run, run] }), []);
});

Deno.test("what was proposed may come from several files, in any order, with or without a last newline", () => {
  const report = check({ proposed: ["c\n", "b\na"], learned: [A + B + C] });
  assert.equal(report.proposed, 3);
  assert.equal(report.terminated_percent, 100);
});

Deno.test("agreement: two values at one position", () => {
  const other = delivered(2, "c", 3);
  assert.deepEqual(violations({ learned: [A + B + C, A + other] }), [
    'l1:2 agreement: position 2/0 holds "c" (client c1, seq 3), but in l0:2 it holds "b" (client c1, seq 2)',
  ]);
});

Deno.test("agreement: the same value of another client, or of another sequence number, is another value", () => {
  const client = delivered(2, "b", 2, { client: "c2" });
  assert.match(
    violations({ learned: [A + B, A + client] })[0],
    /^l1:2 agreement/,
  );
  const seq = delivered(2, "b", 7);
  assert.match(violations({ learned: [A + B, A + seq] })[0], /^l1:2 agreement/);
});

Deno.test("agreement: a learner that leaves out a position", () => {
  assert.deepEqual(violations({ learned: [A + C, A + B + C] }), [
    "l0:2 agreement: the sequence goes on with position 3/0 without 2/0, which l1:2 has",
  ]);
});

Deno.test("agreement: a learner that begins late", () => {
  assert.deepEqual(violations({ learned: [A + B, B] }), [
    "l1:1 agreement: the sequence goes on with position 2/0 without 1/0, which l0:1 has",
  ]);
});

Deno.test("agreement: learners that part after a common beginning", () => {
  const here = A + delivered(2, "b", 2, { index: 0 });
  const there = A + delivered(2, "b", 2, { index: 1 });
  assert.match(
    violations({ learned: [here + C, there + C] })[0],
    /^l1:2 agreement: .* without 2\/0/,
  );
});

Deno.test("order: a position that falls, or comes again", () => {
  assert.deepEqual(violations({ learned: [A + C + B] }), [
    "l0:3 order: position 2/0 comes after 3/0 of l0:2, but positions must rise",
  ]);
  assert.match(
    violations({ learned: [A + delivered(1, "b", 2)] })[0],
    /^l0:2 order: position 1\/0 comes after 1\/0 of l0:1/,
  );
  const indexFalls = delivered(1, "a", 1, { index: 1 }) + delivered(1, "b", 2);
  assert.match(violations({ learned: [indexFalls] })[0], /^l0:2 order/);
});

Deno.test("order: a fault in one learner is found beside others that are right", () => {
  const found = violations({ learned: [A + B + C, A + C + B, A + B + C] });
  assert.ok(found.some((it) => it.startsWith("l1:")), found.join("\n"));
});

Deno.test("integrity: a value that nobody proposed", () => {
  assert.deepEqual(violations({ learned: [A + delivered(2, "x", 2)] }), [
    'l0:2 integrity: "x" (client c1, seq 2) was delivered, but never proposed',
  ]);
});

Deno.test("integrity: a value delivered more often than it was proposed", () => {
  const twice = A + delivered(2, "a", 2);
  assert.deepEqual(violations({ learned: [twice] }), [
    'l0:2 integrity: "a" (client c1, seq 2) was delivered 2 times, first in l0:1, but proposed 1 time',
  ]);
  assert.deepEqual(
    violations({ proposed: ["a\na\n"], learned: [twice, twice] }),
    [],
  );
  const thrice = twice + delivered(3, "a", 3);
  assert.match(
    violations({ proposed: ["a\na\n"], learned: [twice, thrice] })[0],
    /^l1:3 integrity: .* 3 times, first in l1:1, but proposed 2 times/,
  );
});

Deno.test("integrity: values that differ only in what cannot be seen differ", () => {
  for (const value of ["a ", "a\r", "\ufeffa", "A", "", "a\0"]) {
    const found = violations({ learned: [delivered(1, value, 1)] });
    assert.match(found[0], /^l0:1 integrity/, JSON.stringify(value));
  }
});

Deno.test("duplicates: one request delivered twice by one learner", () => {
  const again = A + B + delivered(3, "a", 1);
  assert.deepEqual(
    violations({ proposed: ["a\nb\na\n"], learned: [again] }),
    ['l0:3 duplicates: "a" (client c1, seq 1) was delivered 2 times, first in l0:1'],
  );
});

Deno.test("duplicates: the same sequence number of another client is no duplicate", () => {
  const run = delivered(1, "a", 1) + delivered(2, "b", 1, { client: 1 }) +
    delivered(3, "c", 1, { client: "11" });
  assert.deepEqual(violations({ learned: [run, run] }), []);
});

Deno.test("every kind of violation is told, each at its first place", () => {
  const bad = A + delivered(2, "x", 1) + delivered(1, "y", 1);
  const report = check({ learned: [A + B, bad] });
  assert.deepEqual(
    report.violations.map(({ property, line }) => `${property} ${line}`).sort(),
    ["agreement 2", "duplicates 2", "integrity 2", "order 3"],
  );
  assert.equal(
    verdict(report),
    "agreement VIOLATED, integrity VIOLATED, DUPLICATES, 33.33% terminated",
  );
});

Deno.test("a verdict names each violated property", () => {
  const order = check({ learned: [A + C + B] });
  assert.equal(
    verdict(order),
    "agreement VIOLATED, integrity ok, no duplicates, 100% terminated",
  );
  const duplicates = check({
    proposed: ["a\na\n"],
    learned: [A + delivered(2, "a", 1)],
  });
  assert.equal(
    verdict(duplicates),
    "agreement ok, integrity ok, DUPLICATES, 100% terminated",
  );
});

Deno.test("termination is what all learners delivered, and less than all is a fault only where it is required", () => {
  const report = check({ learned: [A + B + C, A + B, A] });
  assert.equal(report.deliveredByAll, 1);
  assert.equal(
    verdict(report),
    "agreement ok, integrity ok, no duplicates, 33.33% terminated",
  );
  assert.equal(reportExitCode(report, false), EXIT.done);
  assert.equal(reportExitCode(report, true), EXIT.failed);
});

Deno.test("termination counts a value as often as it was proposed", () => {
  const run = delivered(1, "a", 1) + delivered(2, "a", 2);
  const proposed = ["a\na\na\nb\n"];
  assert.equal(check({ proposed, learned: [run] }).deliveredByAll, 2);
  assert.equal(check({ proposed, learned: [run, A] }).deliveredByAll, 1);
});

Deno.test("the percentage is cut, so that one missing value of 100,000 is not 100", () => {
  const values = Array.from({ length: 100_000 }, (_, i) => `v${i}`);
  const lines = values.map((value, i) => delivered(i + 1, value, i + 1));
  const proposed = [values.join("\n") + "\n"];
  const all = lines.join("");
  const most = lines.slice(0, -1).join("");
  const report = check({ proposed, learned: [all, most] });
  assert.equal(report.deliveredByAll, 99_999);
  assert.equal(report.terminated_percent, 99.99);
  assert.equal(
    check({ proposed, learned: [all, all] }).terminated_percent,
    100,
  );
});

Deno.test("where nothing was proposed nothing is proven", () => {
  const report = check({ proposed: [""], learned: [""] });
  assert.deepEqual(report.warnings, ["nothing was proposed"]);
  assert.equal(report.terminated_percent, 0);
  assert.equal(reportExitCode(report, true), EXIT.failed);
});

Deno.test("a value that is not UTF-8 is compared by its bytes", () => {
  const line = (base64: string) =>
    `{"instance":1,"index":0,"client":5,"seq":1,"base64":"${base64}"}\n`;
  const proposed = [Uint8Array.of(0xff, 0xfe, 10)];
  assert.deepEqual(violations({ proposed, learned: [line("//4=")] }), []);
  assert.match(
    violations({ proposed, learned: [line("//8=")] })[0],
    /integrity/,
  );
});

Deno.test("text of any length and any script is compared by its bytes", () => {
  const values = [
    "ü",
    "\u2028",
    "日本語",
    '"\\',
    "x".repeat(1_000_000),
    "\ufeffBOM",
  ];
  const run = values.map((value, i) => delivered(i + 1, value, i + 1)).join("");
  const proposed = [values.join("\n") + "\n"];
  const report = check({ proposed, learned: [run, run] });
  assert.deepEqual(report.violations, []);
  assert.equal(report.terminated_percent, 100);
});

Deno.test("more learners than a word has bits are told apart", () => {
  const learned = Array.from({ length: 40 }, (_, i) => i === 35 ? A : A + B);
  const report = check({ learned });
  assert.equal(report.deliveredByAll, 1);
  const found = violations({
    learned: learned.map((it, i) => i === 37 ? A + delivered(2, "b", 1) : it),
  });
  assert.ok(found.some((it) => it.startsWith("l37:2 duplicates")));
});

Deno.test("a learner that was started again takes back, and repeats, what it delivered from an instance on", () => {
  for (
    const run of [
      A + B + from(2) + B + C,
      from(1) + A + B + C + from(1) + A + B + C,
      A + B + from(2) + from(2) + B + from(1) + A + B + C,
      A + from(1) + A + B + C + from(3) + C + from(4),
    ]
  ) {
    const report = check({ learned: [A + B + C, run] });
    assert.deepEqual(report.violations, [], run);
    assert.equal(report.terminated_percent, 100, run);
    assert.equal(report.learners[1].delivered, 3, run);
  }
});

Deno.test("what was taken back and did not come again does not count as delivered", () => {
  const report = check({ learned: [A + B + C, A + B + C + from(2) + B] });
  assert.deepEqual(report.violations, []);
  assert.equal(report.learners[1].delivered, 2);
  assert.equal(report.deliveredByAll, 2);
});

Deno.test("agreement: what was taken back must not contradict other learners either", () => {
  const other = delivered(3, "a", 9);
  assert.deepEqual(
    violations({ learned: [A + B + C, A + B + other + from(2) + B] }),
    ['l1:3 agreement: position 3/0 holds "a" (client c1, seq 9), but in l0:3 it holds "c" (client c1, seq 3)'],
  );
});

Deno.test("agreement: a restart that leaves out what was not delivered yet", () => {
  assert.match(
    violations({ learned: [A + B + C, A + from(3) + C] })[0],
    /^l1:3 agreement: the sequence goes on with position 3\/0 without 2\/0/,
  );
});

Deno.test("repetition: another value than before the restart", () => {
  const other = delivered(2, "c", 3);
  assert.deepEqual(violations({ learned: [A + B + from(2) + other] }), [
    'l0:4 repetition: position 2/0 holds "c" (client c1, seq 3), but before the restart l0:2 was position 2/0 with "b" (client c1, seq 2)',
  ]);
  const found = check({ learned: [A + B + from(2) + other] });
  assert.match(verdict(found), /^agreement VIOLATED/);
});

Deno.test("repetition: a position that is left out, or stands between", () => {
  assert.match(
    violations({ learned: [A + B + C + from(1) + A + C] })[0],
    /^l0:6 repetition: position 3\/0 .* before the restart l0:2 was position 2\/0/,
  );
  assert.match(
    violations({ learned: [A + C + from(1) + A + B + C] })[0],
    /^l0:5 repetition: position 2\/0 .* before the restart l0:2 was position 3\/0/,
  );
});

Deno.test("repetition: a later restart is compared with what an earlier one left unrepeated", () => {
  const run = A + B + C + from(2) + B + from(3) + delivered(3, "a", 7);
  assert.match(violations({ learned: [run] })[0], /^l0:7 repetition: .* l0:3/);
});

Deno.test("order: a learner that was started again and delivers from before", () => {
  assert.match(
    violations({ learned: [A + B + from(2) + A] })[0],
    /^l0:4 order: position 1\/0 comes, but this start goes on from instance 2/,
  );
  // Without a word of it, positions just fall.
  assert.match(violations({ learned: [A + B + A] })[0], /^l0:3 order/);
});

Deno.test("a line that a killed learner left unfinished is continued by its next start", () => {
  for (const length of [1, 12, B.length - 2]) {
    const cut = B.slice(0, length);
    const report = check({ learned: [A + cut + from(2) + B + C] });
    assert.deepEqual(report.violations, []);
    assert.deepEqual(report.warnings, [
      "l0:2: the line is cut off and was left out",
    ]);
    assert.equal(report.terminated_percent, 100);
  }
});

Deno.test("a value that looks like a restart is none", () => {
  const value = '{"from":1}';
  const run = A + delivered(2, value, 2);
  const report = check({ proposed: [`a\n${value}\n`], learned: [run] });
  assert.deepEqual(report.violations, []);
  assert.equal(report.learners[0].delivered, 2);
});

Deno.test("durability: an acknowledged value that one learner lacks", () => {
  const files = {
    proposed: ["a\nb\nc\nd\n"],
    learned: [A + B + C, A + B + C + from(2) + B],
  };
  assert.deepEqual(violations({ ...files, acknowledged: ["b\n", "a\n"] }), []);
  assert.deepEqual(violations({ ...files, acknowledged: ["b\nc\n"] }), [
    'a0:2 durability: "c" was acknowledged, but l1 lacks it',
  ]);
  assert.deepEqual(
    violations({ ...files, acknowledged: ["c\n", "a\nd\n"] }),
    ['a0:1 durability: "c" was acknowledged, but l1 lacks it, and so it is with 1 more'],
  );
  const report = check({ ...files, acknowledged: ["a\nc\n"] });
  assert.deepEqual(report.acknowledged, { values: 2, deliveredByAll: 1 });
  assert.equal(
    verdict(report),
    "agreement ok, integrity ok, no duplicates, durability VIOLATED, 50% terminated",
  );
});

Deno.test("durability: a value acknowledged twice is delivered twice", () => {
  const files = { proposed: ["a\na\n"], acknowledged: ["a\n", "a\n"] };
  const twice = A + delivered(2, "a", 2);
  assert.deepEqual(violations({ ...files, learned: [twice] }), []);
  assert.match(
    violations({ ...files, learned: [A] })[0],
    /^a0:1 durability: "a" was acknowledged, but l0 lacks it$/,
  );
});

Deno.test("durability: a line that a killed client left unfinished was not acknowledged", () => {
  const report = check({ learned: [A], acknowledged: ["a\nsom"] });
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.warnings, [
    "a0:2: the line is cut off and was left out",
  ]);
});

Deno.test("a last line that a killed learner left unfinished is a warning", () => {
  const inLetter = new TextEncoder().encode('{"value":"ü').slice(0, -1);
  for (const rest of [B.slice(0, -2), '{"inst', inLetter, "{"]) {
    const report = check({ learned: [A + B, bytesOf(A, rest)] });
    assert.deepEqual(report.violations, []);
    assert.deepEqual(report.warnings, [
      "l1:2: the line is cut off and was left out",
    ]);
    assert.equal(report.learners[1].delivered, 1);
  }
  const whole = check({ learned: [A + B, A + B.trimEnd()] });
  assert.equal(whole.learners[1].delivered, 2);
});

for (
  const [what, line, reason] of [
    ["not JSON", "oops", /l0:2: not JSON, expected \{"instance"/],
    ["an empty line", "", /l0:2: an empty line/],
    ["an unfinished line that is not the last", '{"inst', /l0:2: not JSON/],
    ["an array", "[1]", /l0:2: bad "instance"/],
    ["null", "null", /l0:2: no JSON object/],
    [
      "a missing field",
      '{"instance":2,"client":"c","seq":1,"value":"b"}',
      /bad "index"/,
    ],
    [
      "a negative instance",
      '{"instance":-2,"index":0,"client":"c","seq":1,"value":"b"}',
      /bad "instance"/,
    ],
    [
      "a number beyond 2^53",
      '{"instance":2,"index":0,"client":9007199254740993,"seq":1,"value":"b"}',
      /bad "client"/,
    ],
    [
      "text for a number",
      '{"instance":2,"index":0,"client":"c","seq":"1","value":"b"}',
      /bad "seq"/,
    ],
    [
      "no value",
      '{"instance":2,"index":0,"client":"c","seq":1}',
      /neither or both/,
    ],
    [
      "two values",
      '{"instance":2,"index":0,"client":"c","seq":1,"value":"b","base64":""}',
      /neither or both/,
    ],
    [
      "a value that is no text",
      '{"instance":2,"index":0,"client":"c","seq":1,"value":7}',
      /bad "value"/,
    ],
    [
      "bad base64",
      '{"instance":2,"index":0,"client":"c","seq":1,"base64":"a*=="}',
      /bad "base64"/,
    ],
    [
      "bad padding",
      '{"instance":2,"index":0,"client":"c","seq":1,"base64":"AAAAA==="}',
      /bad "base64"/,
    ],
  ] as const
) {
  Deno.test(`a malformed line is an error with file and line: ${what}`, () => {
    assert.throws(
      () => check({ learned: [`${A}${line}\n${C}`] }),
      (error) =>
        error instanceof UserError && error.exitCode === EXIT.failed &&
        reason.test(error.message),
    );
  });
}

Deno.test("a file that cannot be read, or is named twice, is a bad argument", () => {
  for (
    const [files, reason] of [
      [
        { proposed: ["/nonexistent/p"], learned: ["/dev/null"] },
        /cannot read \/nonexistent\/p/,
      ],
      [
        { proposed: ["/dev/null"], learned: ["/"] },
        /cannot read \/: this is a directory/,
      ],
      [
        { proposed: ["/dev/null"], learned: ["/dev/null"] },
        /\/dev\/null is named 2 times/,
      ],
    ] as const
  ) {
    assert.throws(
      () => checkRun(files),
      (error) =>
        error instanceof UserError && error.exitCode === EXIT.usage &&
        reason.test(error.message),
    );
  }
});

Deno.test("the text report has the verdict alone on standard output", () => {
  const { out, err } = formatReport(check({ learned: [A + C + B] }), false);
  assert.equal(
    out,
    "agreement VIOLATED, integrity ok, no duplicates, 100% terminated\n",
  );
  assert.equal(
    err,
    "proposed 3; delivered: l0 3\n" +
      "l0:3: order: position 2/0 comes after 3/0 of l0:2, but positions must rise\n",
  );
});

Deno.test("the JSON report is one object with the verdict and all that led to it", () => {
  const { out, err } = formatReport(check({ learned: [A + B] }), true);
  assert.equal(err, "");
  assert.deepEqual(JSON.parse(out), {
    ok: true,
    verdict: "agreement ok, integrity ok, no duplicates, 66.66% terminated",
    proposed: 3,
    learners: [{ file: "l0", delivered: 2 }],
    violations: [],
    deliveredByAll: 2,
    terminated_percent: 66.66,
    warnings: [],
  });
});
