/**
 * The configuration's parser, fuzzed: sound files in any layout are read as they were meant, one wrong
 * line is named by its number, and whatever the bytes, there is a configuration or a `UserError`.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Configuration,
  defaultConfiguration,
  type Member,
  parseConfiguration,
} from "../roles/config.ts";
import { EXIT, UserError } from "../roles/errors.ts";
import { cases, SEED } from "./effort.ts";

fc.configureGlobal({ seed: SEED });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A line as it is written, and what it sets. */
interface Line {
  readonly word: string;
  readonly value: string;
  readonly sets: Partial<Configuration>;
}

function line<K extends keyof Configuration>(
  word: string,
  key: K,
  values: fc.Arbitrary<readonly [string, Configuration[K]]>,
): fc.Arbitrary<Line> {
  return values.map(([value, set]) => ({ word, value, sets: { [key]: set } }));
}

function integer(min: number, max: number): fc.Arbitrary<[string, number]> {
  return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max }))
    .map((value) => [`${value}`, value]);
}

const ethertype = fc.tuple(
  fc.integer({ min: 0x600, max: 0xffff }),
  fc.nat({ max: 2 }),
)
  .map(([value, way]): [string, number] => {
    const hex = value.toString(16);
    return [[`${value}`, `0x${hex}`, `0X${hex.toUpperCase()}`][way], value];
  });

const duration_ms = fc.tuple(
  fc.integer({ min: 1, max: 3600 }),
  fc.constantFrom(["", 1000], ["s", 1000], ["ms", 1]),
).filter(([count, [, unit]]) => count * Number(unit) >= 10)
  .map(([count, [unit, ms]]): [string, number] => [
    `${count}${unit}`,
    count * Number(ms),
  ]);

const logBytes = fc.tuple(fc.integer({ min: 1, max: 512 }), fc.boolean())
  .map(([mb, plain]): [string, number] => [
    plain ? `${mb * 2 ** 20}` : `${mb}MB`,
    mb * 2 ** 20,
  ]);

const verbosity = fc.constantFrom("quiet", "error", "info", "debug")
  .map((
    it,
  ): [string, Configuration["verbosity"]] => [it.toUpperCase(), it as "info"]);

const group = fc.tuple(fc.integer({ min: 224, max: 239 }), fc.nat({ max: 255 }))
  .map(([first, last]): [string, string] => {
    const address = `${first}.0.1.${last}`;
    return [address, address];
  });

const options = fc.tuple(
  line("verbosity", "verbosity", verbosity),
  line("cluster", "cluster", integer(1, 65535)),
  line("ethertype", "ethertype", ethertype),
  line("proposer-timeout", "proposerTimeout_ms", duration_ms),
  line("proposer-preexec-window", "preexecWindow", integer(1, 2048)),
  line(
    "learner-catch-up",
    "learnerCatchUp",
    fc.constantFrom(["yes", true] as const, ["No", false] as const),
  ),
  line("client-timeout", "clientTimeout_ms", duration_ms),
  line("acceptor-log-size", "acceptorLogBytes", logBytes),
  line(
    "batching",
    "batching",
    fc.constantFrom(["yes", true] as const, ["no", false] as const),
  ),
  line(
    "busy-poll",
    "busyPoll",
    fc.constantFrom(["yes", "yes"] as const, ["auto", "auto"] as const),
  ),
  line("udp-port", "udpPort", integer(1, 65535)),
  line("udp-group", "udpGroup", group),
).chain((lines) => fc.subarray(lines));

/** Where a node is, as it is written and as it is read. */
const place = fc.oneof(
  fc.constant({ text: "", read: {} }),
  fc.tuple(
    fc.uint8Array({ minLength: 6, maxLength: 6 }),
    fc.constantFrom(":", "-"),
  )
    .map(([bytes, separator]) => {
      // Nobody's own address is a group's or all zero.
      const address = Uint8Array.of(bytes[0] & 0xfe | 2, ...bytes.subarray(1));
      const text = [...address].map((byte) => byte.toString(16)).join(
        separator,
      );
      return { text, read: { address } };
    }),
  fc.tuple(
    fc.ipV4(),
    fc.integer({ min: 1, max: 65535 }),
    fc.constantFrom(":", " "),
  )
    .map(([host, port, separator]) => ({
      text: `${host}${separator}${port}`,
      read: { endpoint: { host, port } },
    })),
);

/** Lines of members of one kind, ids apart. */
function memberLines(word: string, least: number) {
  return fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), {
    minLength: least,
    maxLength: 9,
  }).chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        place.map(({ text, read }) => ({ word, id, text, read }))
      ),
    )
  );
}

const members = fc.oneof(
  memberLines("replica", 1),
  fc.tuple(
    memberLines("acceptor", 1),
    memberLines("proposer", 1),
    memberLines("learner", 0),
  ).map((lists) => lists.flat()),
);

/** A file: its lines, and what it means. */
interface Sound {
  readonly lines: readonly string[];
  readonly means: Partial<Configuration>;
}

const sound: fc.Arbitrary<Sound> = fc.tuple(options, members, fc.boolean())
  .chain(([set, declared, leads]) => {
    const of = (...words: string[]): Member[] =>
      declared.filter(({ word }) => words.includes(word))
        .map(({ id, read }) => ({ id, ...read }))
        .sort((a, b) => a.id - b.id);
    const proposers = of("replica", "proposer");
    const leader = proposers[leads ? proposers.length - 1 : 0].id;
    const lines = [
      ...set.map(({ word, value }) => `${word} ${value}`),
      ...declared.map(({ word, id, text }) => `${word} ${id} ${text}`),
      ...leads ? [`leader ${leader}`] : [],
    ];
    const means = Object.assign({
      acceptors: of("replica", "acceptor"),
      proposers,
      learners: of("replica", "learner"),
      leader,
    }, ...set.map(({ sets }) => sets));
    return fc.shuffledSubarray(lines, { minLength: lines.length })
      .map((shuffled) => ({ lines: shuffled, means }));
  });

/** How a file may be laid out without meaning anything else. */
const layout = fc.record({
  indent: fc.constantFrom("", " ", "\t", " \t "),
  blank: fc.constantFrom(" ", "\t", "   "),
  comment: fc.constantFrom("", " # a comment", "\t#", " "),
  end: fc.constantFrom("\n", "\r\n", "\n\n", "\n# a comment # more\n \t\n"),
  upper: fc.boolean(),
  underscores: fc.boolean(),
  mark: fc.boolean(),
  open: fc.boolean(),
});

type Layout = typeof layout extends fc.Arbitrary<infer T> ? T : never;

function print(lines: readonly string[], how: Layout): Uint8Array {
  const text = lines.map((it) => {
    const [word, ...rest] = it.split(" ");
    const cased = how.upper ? word.toUpperCase() : word;
    const joined = how.underscores ? cased.replaceAll("-", "_") : cased;
    return how.indent + [joined, ...rest].join(how.blank) + how.comment;
  }).join(how.end);
  return encoder.encode(
    (how.mark ? "\ufeff" : "") + text + (how.open ? "" : how.end),
  );
}

Deno.test("a sound file in any order and layout is read as it was meant", () => {
  const property = fc.property(sound, layout, ({ lines, means }, how) => {
    const { warnings, ...read } = parseConfiguration(
      print(lines, how),
      "paxos.conf",
    );
    assert.deepEqual(read, {
      ...withoutWarnings(defaultConfiguration()),
      source: "paxos.conf",
      ...means,
    });
    const even = read.acceptors.length % 2 === 0;
    assert.equal(warnings.length, even ? 1 : 0, warnings.join("\n"));
  });
  fc.assert(property, { numRuns: cases(1500) });
});

function withoutWarnings({ warnings: _, ...rest }: Configuration) {
  return rest;
}

/** Lines that no file may hold, whatever else is in it, and what their errors say. */
const wrongLine = fc.oneof(
  fc.constantFrom<[string, string]>(
    ["replica", "without an id"],
    ["acceptor 0", "from 1 to 65535"],
    ["proposer 65536", "from 1 to 65535"],
    ["learner 1x", "from 1 to 65535"],
    ["learner 60001 01:00:00:00:00:01", "is a group address"],
    ["learner 60001 00:00:00:00:00:00", "is all zero"],
    ["learner 60001 02:00:00:00:00", "expected a MAC address"],
    ["learner 60001 10.0.0.1:0", "expected a MAC address"],
    ["learner 60001 10.0.0.256 5", "an IPv4 address and a port"],
    ["learner 60001 10.0.0.1 5 6", "expected nothing more"],
    ["lmdb-sync maybe", "expected yes or no"],
    ["storage-backend disk", "expected memory or lmdb"],
    ["lmdb-sync-period 0", "expected a duration from 1ms to 1m"],
    ["storage-backend", "without a value"],
    ["lmdb-mapsize 1", "expected a size"],
    ["acceptor-trash-files yes no", "expected one value"],
    ["cluster 0", "from 1 to 65535"],
    ["leader 0", "from 1 to 65535"],
    ["ethertype 0x5ff", "from 0x0600 to 0xFFFF"],
    ["proposer-preexec-window 2049", "from 1 to 2048"],
    ["proposer-timeout 9ms", "expected a duration"],
    ["client-timeout 3601", "expected a duration"],
    ["acceptor-log-size 513mb", "expected a size"],
    ["udp-group 223.0.0.1", "expected an IPv4 multicast address"],
    ["udp-port 7e3", "from 1 to 65535"],
    ["cluste 1", "did you mean cluster?"],
    ["constructor 1", "unknown word"],
    ["__proto__ 1", "unknown word"],
    ["lmdb-env-path /tmp/\u0007", "control character"],
  ),
  fc.stringMatching(/^[a-z]{12,20}$/)
    .map((word): [string, string] => [`${word} 1`, "unknown word"]),
  fc.integer({ min: 1025, max: 3000 })
    .map((length): [string, string] => ["#".repeat(length), "in one line"]),
).map(([text, says]) => ({ bytes: encoder.encode(text), says }));

const noText = fc.constantFrom(
  Uint8Array.of(0xff),
  Uint8Array.of(0x23, 0xc3, 0x28),
).map((bytes) => ({ bytes, says: "not UTF-8" }));

Deno.test("one wrong line is one error, which says what is wrong with it and where it is", () => {
  const property = fc.property(
    sound,
    fc.nat(),
    fc.oneof({ weight: 9, arbitrary: wrongLine }, noText),
    ({ lines }, at, { bytes, says }) => {
      const [word] = decoder.decode(bytes).split(" ");
      fc.pre(!lines.some((it) => it.startsWith(`${word} `) && !isMember(word)));
      const place = at % (lines.length + 1);
      // Every second line is empty.
      const before = encoder.encode(
        lines.slice(0, place).map((it) => `${it}\n\n`).join(""),
      );
      const after = encoder.encode(
        lines.slice(place).map((it) => `\n${it}`).join(""),
      );
      const [only, ...more] = refusal(
        Uint8Array.of(...before, ...bytes, ...after),
      );
      assert.deepEqual(more, []);
      assert(only?.startsWith(`paxos.conf:${place * 2 + 1}: `), only);
      assert(only.includes(says), `${only}, which does not say "${says}"`);
    },
  );
  fc.assert(property, { numRuns: cases(1500) });
});

function isMember(word: string): boolean {
  return ["replica", "acceptor", "proposer", "learner"].includes(word);
}

/** The lines of the error with which a file is refused; none if it is taken. Nothing else may come of it. */
function refusal(file: Uint8Array): string[] {
  try {
    checkSense(parseConfiguration(file, "paxos.conf"));
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    assert.equal(error.exitCode, EXIT.usage);
    return error.message.split("\n");
  }
}

/** What is read is within the bounds that `conf/paxos.conf` names. */
function checkSense(read: Configuration): void {
  const within = (value: number, min: number, max: number) =>
    assert(
      value >= min && value <= max,
      `${value} is not from ${min} to ${max}`,
    );
  for (const list of [read.acceptors, read.proposers, read.learners]) {
    const ids = list.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b));
    for (const id of ids) within(id, 1, 65535);
  }
  within(read.acceptors.length, 1, 31);
  within(read.proposers.length, 1, 31);
  assert(read.proposers.some(({ id }) => id === read.leader));
  within(read.cluster, 1, 65535);
  within(read.ethertype, 0x600, 0xffff);
  within(read.proposerTimeout_ms, 10, 3_600_000);
  within(read.clientTimeout_ms, 10, 3_600_000);
  within(read.preexecWindow, 0, 2048);
  within(read.acceptorLogBytes, 2 ** 20, 2 ** 29);
  within(read.udpPort, 1, 65535);
}

/** One change to a file's bytes: where, how many go, and what comes. */
const change = fc.record({
  at: fc.nat(),
  removed: fc.oneof(fc.constant(0), fc.nat({ max: 40 })),
  added: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom(
      "\n",
      "\r",
      "#",
      "\t",
      "\u00a0",
      "\u2028",
      "0x",
      "-1",
      "99999999999999999999",
      "1e3",
      ".",
      "replica 1\n",
      "\nleader 7\n",
      "lmdb",
    ).map((text) => encoder.encode(text)),
  ),
});

const shipped = Deno.readFileSync(
  new URL("../conf/paxos.conf", import.meta.url),
);

Deno.test("a sound file with some bytes changed is a configuration or a UserError, the same each time", () => {
  const counts = { taken: 0, refused: 0 };
  const file = fc.oneof(
    fc.tuple(sound, layout).map(([{ lines }, how]) => print(lines, how)),
    fc.constant(shipped),
  );
  const property = fc.property(
    file,
    fc.array(change, { minLength: 1, maxLength: 4 }),
    (sound, changes) => {
      let bytes = sound;
      for (const { at, removed, added } of changes) {
        const from = at % (bytes.length + 1);
        bytes = Uint8Array.of(
          ...bytes.subarray(0, from),
          ...added,
          ...bytes.subarray(from + removed),
        );
      }
      const errors = refusal(bytes);
      assert.deepEqual(refusal(bytes), errors);
      counts[errors.length === 0 ? "taken" : "refused"]++;
      assert(errors.length <= 21, `${errors.length} errors`);
      const lines = bytes.filter((byte) => byte === 10).length + 1;
      for (const error of errors) {
        assert.match(error, /^paxos\.conf(:\d+)?: [^\p{Cc}\u2028\u2029]+$/u);
        const number = Number(/^paxos\.conf:(\d+)/.exec(error)?.[1] ?? 0);
        assert(number <= lines, `${error}, of ${lines} lines`);
      }
    },
  );
  fc.assert(property, { numRuns: cases(3000) });
  assert(counts.taken > 300 && counts.refused > 300, JSON.stringify(counts));
});
