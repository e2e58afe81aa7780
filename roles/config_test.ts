import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Configuration,
  defaultConfiguration,
  parseConfiguration,
  readConfiguration,
} from "./config.ts";
import { MEMBER_WORDS, OBSOLETE_WORDS, WORDS } from "./config_words.ts";
import { EXIT, UserError } from "./errors.ts";

const encoder = new TextEncoder();

function parse(text: string | Uint8Array): Configuration {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  return parseConfiguration(bytes, "paxos.conf");
}

/** The errors with which a file is refused, one per line. */
function errors(text: string | Uint8Array): string[] {
  return refusal(() => parse(text)).split("\n");
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, EXIT.usage);
    return error.message;
  }
  throw new assert.AssertionError({ message: "it is accepted" });
}

function ids(members: Configuration["acceptors"]): number[] {
  return members.map(({ id }) => id);
}

const MAC = "02:00:5e:10:00:0A";
const MAC_BYTES = Uint8Array.of(0x02, 0, 0x5e, 0x10, 0, 0x0a);

Deno.test("without a file there are three replicas, ids 1 to 3, addresses discovered", () => {
  const { acceptors, proposers, learners, ...rest } = defaultConfiguration();
  for (const members of [acceptors, proposers, learners]) {
    assert.deepEqual(members, [{ id: 1 }, { id: 2 }, { id: 3 }]);
  }
  assert.deepEqual(rest, {
    source: "the default configuration",
    warnings: [],
    leader: 1,
    electionTimeout_ms: 100,
    heartbeat_ms: 25,
    cluster: 1,
    ethertype: 0x88b5,
    proposerTimeout_ms: 1000,
    preexecWindow: 0,
    learnerCatchUp: true,
    learnerLease_ms: 1000,
    learnerPatience_ms: 10_000,
    clientTimeout_ms: 1000,
    acceptorLogBytes: 48 << 20,
    verbosity: "info",
    batching: true,
    busyPoll: "auto",
    udpPort: 7400,
    udpGroup: "239.75.112.1",
    storageBackend: "memory",
    lmdbPath: "/var/lib/kpaxos",
    lmdbSync: true,
    lmdbSyncPeriod_ms: 100,
    lmdbBytes: 1 << 30,
    trashFiles: false,
    lmdbWords: [],
  });
});

Deno.test("a file that names no member has the default ones", () => {
  assert.deepEqual(ids(parse("cluster 7\n").acceptors), [1, 2, 3]);
});

Deno.test("conf/paxos.conf holds every word with its default, and is the default configuration", () => {
  const path = new URL("../conf/paxos.conf", import.meta.url).pathname;
  const text = Deno.readTextFileSync(path);
  const { source: _, ...read } = readConfiguration(path);
  const { source: __, ...expected } = defaultConfiguration();
  assert.deepEqual(read, expected);
  for (const [word, spec] of Object.entries(WORDS)) {
    const lines = text.split("\n").filter((it) =>
      it.replace(/^#/, "").startsWith(`${word} `)
    );
    assert.equal(lines.length, 1, word);
    assert.equal(lines[0].replace(/^#/, ""), `${word} ${spec.default}`);
    // Only what would be warned about stands behind a #.
    assert.equal(lines[0].startsWith("#"), "only" in spec, word);
  }
  const spoken = parse(text.replaceAll(/^#(\S)/gm, "$1").replace(/^#+$/gm, ""));
  assert.deepEqual(spoken.warnings, []);
  assert.equal(spoken.lmdbWords.length, 5);
  for (const word of Object.keys(MEMBER_WORDS).filter((it) => it.length > 1)) {
    assert.match(text, new RegExp(`^(#  )?\\s*${word} 1$`, "m"));
  }
});

Deno.test("a replica is a proposer, an acceptor and a learner; its MAC address may follow", () => {
  const { acceptors, proposers, learners } = parse(`replica 7 ${MAC}`);
  for (const members of [acceptors, proposers, learners]) {
    assert.deepEqual(members, [{ id: 7, address: MAC_BYTES }]);
  }
});

Deno.test("as many instances are in flight as suit the storage, unless the file says how many", () => {
  const window = (value: string) =>
    parse(`proposer-preexec-window ${value}`).preexecWindow;
  assert.equal(window("auto"), 0);
  assert.equal(window("AUTO"), 0);
  assert.equal(window("7"), 7);
  assert.throws(() => window("0"), /expected auto, or a whole number from 1/);
});

Deno.test("ids are honoured as written, whatever the order of the lines", () => {
  const { acceptors, proposers, leader } = parse(
    "acceptor 30\nacceptor 10\nacceptor 20\nproposer 9\nproposer 4\n",
  );
  assert.deepEqual(ids(acceptors), [10, 20, 30]);
  assert.deepEqual(ids(proposers), [4, 9]);
  assert.equal(leader, 4);
});

Deno.test("tabs, comments, CRLF, empty lines, a BOM and no last newline are fine", () => {
  const { acceptors, cluster, verbosity } = parse(
    "\ufeff# kpaxos\r\n\r\n\treplica\t1 \t # the first\r\n  replica 2# \r\n"
      .replace("2#", "2 #") +
      "#replica 3\r\ncluster 5\t# five\r\n   \t \r\nverbosity debug",
  );
  assert.deepEqual(ids(acceptors), [1, 2]);
  assert.equal(cluster, 5);
  assert.equal(verbosity, "debug");
});

Deno.test("every option is read", () => {
  const read = parse(
    "verbosity error\ncluster 2\nethertype 0x9000\nproposer-timeout 250ms\n" +
      "proposer-preexec-window 128\nlearner-catch-up no\nclient-timeout 2s\nacceptor-log-size 128mb\n" +
      "batching no\nbusy-poll yes\nudp-port 9000\nudp-group 239.1.2.3\nstorage-backend memory\nleader 2\n",
  );
  assert.equal(read.verbosity, "error");
  assert.equal(read.cluster, 2);
  assert.equal(read.ethertype, 0x9000);
  assert.equal(read.proposerTimeout_ms, 250);
  assert.equal(read.preexecWindow, 128);
  assert.equal(read.learnerCatchUp, false);
  assert.equal(read.clientTimeout_ms, 2000);
  assert.equal(read.acceptorLogBytes, 128 << 20);
  assert.equal(read.batching, false);
  assert.equal(read.busyPoll, "yes");
  assert.equal(read.udpPort, 9000);
  assert.equal(read.udpGroup, "239.1.2.3");
  assert.equal(read.leader, 2);
  assert.deepEqual(read.warnings, []);
});

Deno.test("a file of Kernel Paxos is read once its ids count from 1", () => {
  const text = `acceptor 1 00:24:81:b4:1c:49
acceptor 2 00:24:81:b4:6c:20
acceptor 3 0:24:81:B4:c:7d
proposer 1 00-24-81-b4-59-ff
verbosity info
proposer-preexec-window 128
proposer-timeout 1
learner-catch-up yes
`;
  const { acceptors, proposers, preexecWindow, warnings } = parse(text);
  assert.deepEqual(
    acceptors[2].address,
    Uint8Array.of(0, 0x24, 0x81, 0xb4, 0x0c, 0x7d),
  );
  assert.deepEqual(
    proposers[0].address,
    Uint8Array.of(0, 0x24, 0x81, 0xb4, 0x59, 0xff),
  );
  assert.equal(preexecWindow, 128);
  assert.deepEqual(warnings, []);
  assert.match(
    errors("acceptor 0 00:24:81:b4:1c:49")[0],
    /^paxos.conf:1: acceptor id "0", expected a whole number from 1 to 65535 \(files that count from 0/,
  );
});

Deno.test("a file of libpaxos is read: short words, addresses with ports, old words with a warning", () => {
  const { proposers, learners, acceptors, warnings, lmdbWords } = parse(
    "r 1 127.0.0.1 8801\nREPLICA 2 127.0.0.1:8802\nreplica 3 127.0.0.1 8803\nTCP-nodelay yes\n" +
      "bdb-sync yes\nproposer_preexec_window 128\nlmdb-sync yes\nlmdb-mapsize 200mb\n",
  );
  assert.deepEqual(proposers[1], {
    id: 2,
    endpoint: { host: "127.0.0.1", port: 8802 },
  });
  assert.equal(acceptors.length, 3);
  assert.equal(learners.length, 3);
  assert.deepEqual(warnings, [
    "paxos.conf:4: tcp-nodelay means nothing any more: there is no TCP connection here",
    "paxos.conf:5: bdb-sync means nothing any more: Berkeley DB is not a storage backend here",
  ]);
  assert.deepEqual(lmdbWords, [
    "paxos.conf:7: lmdb-sync",
    "paxos.conf:8: lmdb-mapsize",
  ]);
});

Deno.test("every obsolete word is accepted with a warning, whatever follows it", () => {
  for (const word of Object.keys(OBSOLETE_WORDS)) {
    const { warnings } = parse(`${word} what ever`);
    assert.equal(warnings.length, 1, word);
  }
});

Deno.test("an even number of acceptors is warned about", () => {
  assert.match(
    parse("replica 1\nreplica 2\n").warnings[0],
    /2 acceptors survive no more failures than 1/,
  );
});

Deno.test("storage-backend lmdb is read with all that belongs to it", () => {
  const { storageBackend, lmdbPath, lmdbSync, lmdbSyncPeriod_ms, lmdbBytes } =
    parse(
      "storage-backend lmdb\nlmdb-env-path /srv/a\nlmdb-sync no\nlmdb-sync-period 2s\nlmdb-mapsize 10mb\n",
    );
  assert.deepEqual(
    [storageBackend, lmdbPath, lmdbSync, lmdbSyncPeriod_ms, lmdbBytes],
    ["lmdb", "/srv/a", false, 2000, 10 << 20],
  );
});

for (
  const [what, text, expected] of [
    [
      "an unknown word",
      "verbosty info",
      /:1: unknown word "verbosty" \(did you mean verbosity\?\)/,
    ],
    [
      "a word that is a property of every object",
      "constructor 1",
      /:1: unknown word "constructor", expected/,
    ],
    [
      "a short MAC address",
      "replica 1 02:00:00:00:01",
      /:1: address "02:00:00:00:01" of replica 1, expected a MAC/,
    ],
    [
      "a MAC address with other letters",
      "replica 1 02:00:00:00:00:0g",
      /:1: address ".*" of replica 1, expected a MAC/,
    ],
    [
      "a group's MAC address",
      "replica 1 01:00:5e:00:00:01",
      /:1: address ".*" of replica 1 is a group address/,
    ],
    [
      "a MAC address of zeros",
      "replica 1 00:00:00:00:00:00",
      /:1: address ".*" of replica 1 is all zero/,
    ],
    [
      "a host that is no address",
      "replica 1 one.example 8801",
      /:1: address "one.example 8801" of replica 1/,
    ],
    [
      "an address with too high a port",
      "replica 1 10.0.0.1 65536",
      /:1: address .* port from 1 to 65535/,
    ],
    [
      "too many words after a member",
      "replica 1 10.0.0.1 8801 now",
      /:1: unexpected "now" after replica 1/,
    ],
    ["a member without an id", "acceptor", /:1: acceptor without an id/],
    [
      "an id out of range",
      "acceptor 65536",
      /:1: acceptor id "65536", expected a whole number from 1 to 65535/,
    ],
    [
      "the same id twice in a role",
      "replica 1\nlearner 1",
      /:2: learner 1 is named again \(first on line 1\)/,
    ],
    [
      "an option set twice",
      "cluster 1\n\ncluster 1",
      /:3: cluster is set again \(first on line 1\)/,
    ],
    [
      "an option set again after a bad value",
      "cluster x\ncluster 1",
      /:2: cluster is set again/,
    ],
    [
      "an option without a value",
      "verbosity # debug",
      /:1: verbosity without a value, expected quiet, error, info or debug/,
    ],
    [
      "an option with two values",
      "cluster 1 2",
      /:1: unexpected "2" after cluster "1"/,
    ],
    [
      "a number out of range",
      "proposer-preexec-window 2049",
      /:1: .* expected auto, or a whole number from 1 to 2048/,
    ],
    [
      "an EtherType that is a length",
      "ethertype 0x05ff",
      /:1: .* expected a number from 0x0600 to 0xFFFF/,
    ],
    [
      "a size out of range",
      "acceptor-log-size 1gb",
      /:1: .* expected a size from 1mb to 512mb/,
    ],
    [
      "a bad value of a word without effect",
      "lmdb-sync maybe",
      /:1: lmdb-sync "maybe", expected yes or no/,
    ],
    [
      "a leader that is no proposer",
      "replica 1\nleader 2\n\n",
      /:2: leader 2 is no proposer, expected one of 1/,
    ],
    [
      "no acceptor",
      "proposer 1\n",
      /:1: no acceptor, expected at least one line/,
    ],
    [
      "no proposer",
      "acceptor 1\n",
      /:1: no proposer, expected at least one line/,
    ],
    ["a control character", "cluster \x1b1", /:1: control character "\\u001b"/],
    [
      "a lone carriage return",
      "cluster 1\rcluster 2",
      /:1: control character "\\r"/,
    ],
    [
      "a line that is too long",
      `\n${"# ".repeat(600)}`,
      /:2: 1200 bytes in one line, at most 1024/,
    ],
  ] as const
) {
  Deno.test(`${what} is an error with file, line and what was expected`, () => {
    const found = errors(text);
    assert.match(found.join("\n"), expected);
    for (const line of found) assert.match(line, /^paxos\.conf:\d+: /);
  });
}

Deno.test("32 acceptors are one too many", () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => `acceptor ${i + 1}\n`).join("");
  assert.equal(parse(lines(31) + "proposer 1").acceptors.length, 31);
  assert.deepEqual(errors(lines(32) + "proposer 1"), [
    "paxos.conf:33: 32 acceptors, expected at most 31",
  ]);
});

Deno.test("all errors of a file are told at once, at most 20", () => {
  assert.deepEqual(
    errors("replica x\nfoo 1\ncluster 0\n").map((it) => it.slice(0, 13)),
    [
      "paxos.conf:1:",
      "paxos.conf:2:",
      "paxos.conf:3:",
      "paxos.conf:3:",
      "paxos.conf:3:",
    ],
  );
  const many = errors("replica 1\n" + "foo\n".repeat(30));
  assert.equal(many.length, 21);
  assert.equal(many[20], "paxos.conf: and 10 more");
});

Deno.test("binary garbage is one error, and a stray byte has its line", () => {
  assert.deepEqual(errors(Uint8Array.of(10, 127, 69, 0, 0, 10, 0)), [
    "paxos.conf:2: a zero byte, but UTF-8 text was expected",
  ]);
  assert.match(
    errors(Uint8Array.of(10, 0xff, 10))[0],
    /^paxos\.conf:2: bytes that are not UTF-8/,
  );
});

Deno.test("what an error quotes is cut and escaped", () => {
  const [found] = errors(`${"x".repeat(500)} 1`);
  assert.match(found, /unknown word "x{40}…"/);
});

Deno.test("a missing file, a directory and an endless file are errors", () => {
  assert.match(
    refusal(() => readConfiguration("/nonexistent/paxos.conf")),
    /^\/nonexistent\/paxos\.conf: no such file/,
  );
  assert.match(
    refusal(() => readConfiguration("/")),
    /^\/: this is a directory/,
  );
  assert.match(
    refusal(() => readConfiguration("/dev/zero")),
    /^\/dev\/zero: more than 1048576 bytes/,
  );
});

Deno.test("a file that may not be read is an error", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "cluster 9\n");
    Deno.chmodSync(path, 0o000);
    // Root reads it all the same.
    if (Deno.uid() === 0) assert.equal(readConfiguration(path).cluster, 9);
    else {
      assert.match(
        refusal(() => readConfiguration(path)),
        /permission to read it is denied/,
      );
    }
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("whatever the bytes, the result is a configuration or a UserError with file and line", () => {
  const words = [
    ...Object.keys(WORDS),
    ...Object.keys(MEMBER_WORDS),
    ...Object.keys(OBSOLETE_WORDS),
    ...Object.values(WORDS).map((it) => it.default),
    ...[
      "0",
      "1",
      "2",
      "65535",
      "65536",
      "0x88b5",
      MAC,
      "10.0.0.1:5",
      "10.0.0.1",
      "8801",
      "no",
      "lmdb",
      "#",
      "-",
      "__proto__",
    ],
  ];
  const token = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );
  const blank = fc.constantFrom(" ", "\t", "\n", "\r\n", " # ");
  const text = fc.array(fc.tuple(token, blank), { maxLength: 60 })
    .map((pairs) => encoder.encode(pairs.flat().join("")));
  const bytes = fc.oneof(text, fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(bytes, (input) => {
      try {
        const { acceptors, proposers, leader } = parse(input);
        assert.ok(acceptors.length >= 1 && acceptors.length <= 31);
        assert.ok(proposers.some(({ id }) => id === leader));
      } catch (error) {
        assert.ok(error instanceof UserError, String(error));
        for (const line of error.message.split("\n")) {
          assert.match(line, /^paxos\.conf(:\d+)?: [^\p{Cc}]+$/u);
        }
      }
    }),
    { numRuns: 5000 },
  );
});
