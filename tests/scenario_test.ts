/**
 * The scenarios of `tests/scenarios/` bring the transcripts that stand in them.
 *
 * `KPAXOS_REWRITE=1 deno test -A tests/scenario_test.ts`, or `deno test -A tests/scenario_test.ts --
 * --rewrite`, writes the transcripts anew: read the difference before you keep it.
 */
import assert from "node:assert/strict";
import { ballotOf, run } from "./encode.ts";
import { playScenario } from "./scenario.ts";
import { Choices } from "./scenario_choices.ts";
import { COMMANDS } from "./scenario_commands.ts";
import { unified } from "./scenario_diff.ts";
import { START_OPTIONS } from "./scenario_words.ts";

const IS_REWRITE = Deno.env.get("KPAXOS_REWRITE") === "1" ||
  Deno.args.includes("--rewrite");
const FOLDER = new URL("scenarios/", import.meta.url);

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".txt")).sort();

for (const name of names) {
  const path = `tests/scenarios/${name}`;
  Deno.test(`${path} brings the transcript that stands in it`, () => {
    const file = new URL(name, FOLDER);
    const { text, difference } = playScenario(
      path,
      Deno.readTextFileSync(file),
    );
    if (IS_REWRITE) Deno.writeTextFileSync(file, text);
    else if (difference !== undefined) {
      assert.fail(
        `${difference}\n\nWhat begins with "-" was expected, with "+" came. If it should have: ` +
          `KPAXOS_REWRITE=1 deno test -A tests/scenario_test.ts`,
      );
    }
  });
}

const SCENARIO = `# A scenario.

show nothing
start acceptors 1, 2, 3, proposer 1, learner 1, client 1
wait 300ms
----
at 222 ms
  ** chosen in instance 1: <open 1>, by acceptors 1, 2, 3 in 1.1

show submit
submit client 1 "x"
----
client 1 -> proposer 1: submit "x"

# Its end.

run
----
** chosen in instance 2: "x", by acceptors 1, 2, 3 in 1.1
learner 1: delivered 2: "x"
client 1: "x" decided
`;

Deno.test("a scenario that brings what stands in it is as it was", () => {
  const { text, difference } = playScenario("a.txt", SCENARIO);
  assert.equal(text, SCENARIO);
  assert.equal(difference, undefined);
});

Deno.test("what a scenario should not bring is shown as a difference, with file and line", () => {
  const wrong = SCENARIO.replace(
    '"x", by acceptors 1, 2, 3 in 1.1',
    '"x", by acceptor 1',
  )
    .replace('client 1: "x" decided\n', "");
  const { text, difference } = playScenario("a.txt", wrong);
  assert.equal(text, SCENARIO);
  assert.equal(
    difference,
    [
      "a.txt:17: run",
      '- ** chosen in instance 2: "x", by acceptor 1',
      '+ ** chosen in instance 2: "x", by acceptors 1, 2, 3 in 1.1',
      '  learner 1: delivered 2: "x"',
      '+ client 1: "x" decided',
    ].join("\n"),
  );
});

Deno.test("of several differences the first is shown, and the others are counted", () => {
  const wrong = SCENARIO.replace('submit "x"\n\n', 'submit "y"\n\n')
    .replace(/\*\* chosen in instance 2.*\n/, "");
  const { difference } = playScenario("a.txt", wrong);
  assert.match(difference!, /^a\.txt:11: submit client 1 "x"\n/);
  assert.match(difference!, /\n\(1 more differ\)$/);
});

Deno.test("a command that makes no sense is an error with file, line, and what was wanted", () => {
  const errors: [string, RegExp][] = [
    ["", /a\.txt:1: there is no line ---- below/],
    [
      "tarry 1s\n----\n",
      /a\.txt:4: tarry 1s\n.*one of start, crash, .* wanted/,
    ],
    ["wait long\n----\n", /a duration such as 50ms wanted, not long/],
    ["start acceptor\n----\n", /an id wanted, not the end/],
    ["start acceptor 1\n----\n", /acceptor 1 runs already/],
    ["start client 2 with salt 1\n----\n", /one of .*mtu.* wanted, not salt/],
    ["crash acceptor 7\n----\n", /acceptor 7 does not run/],
    ["restart acceptor 1\n----\n", /acceptor 1 did not crash/],
    ["drop 2A\n----\n", /no such message is under way/],
    ["run fast\n----\n", /"fast" is one word too many/],
  ];
  const start = "show submit\nstart acceptors 1, 2, 3\nwait 300ms\n";
  for (const [command, error] of errors) {
    const text = command === "" ? start : `${start}${command}`;
    assert.throws(() => playScenario("a.txt", text), error);
  }
});

Deno.test("tests/scenarios/README.md names every command and every option, and no others", () => {
  const readme = Deno.readTextFileSync(new URL("README.md", FOLDER));
  const named = (heading: string) => {
    const rows =
      readme.slice(readme.search(`\\| ${heading} `)).split("\n\n")[0];
    return [...rows.matchAll(/^\| `([\w-]+)/gm)].map(([, word]) => word).sort();
  };
  assert.deepEqual(named("command"), Object.keys(COMMANDS).sort());
  assert.deepEqual(named("option"), Object.keys(START_OPTIONS).sort());
});

/** A 2A, and a 2B of it, as far as `Choices` looks at them. */
function makeVotes() {
  const header = {
    destination: "03:6b:70:78:00:01",
    source: "02:00:00:00:00:01",
    ethertype: 0x88b5,
    version: 1,
    cluster: 1,
    receiverRoles: [],
    receiverId: 0,
    incarnation: 1,
    length: 0,
    checksum: 0n,
  };
  const choices = new Choices();
  return {
    choices,
    accept: (round: number, value: string) =>
      choices.see({
        ...header,
        senderRole: "proposer",
        senderId: 1,
        ballot: ballotOf(round, 1),
        body: {
          type: "accept",
          decided: 1n,
          instance: 1n,
          batch: [run(1n, 1, value)],
        },
      }),
    accepted: (id: number, round: number) =>
      choices.see({
        ...header,
        senderRole: "acceptor",
        senderId: id,
        ballot: ballotOf(round, 1),
        body: { type: "accepted", ranges: [{ first: 1n, end: 2n }] },
      }),
  };
}

Deno.test("a value is chosen by a majority in one ballot, and said to be once", () => {
  const { choices, accept, accepted } = makeVotes();
  accept(1, "x");
  accepted(1, 1);
  accept(2, "x");
  accepted(2, 2);
  assert.deepEqual(choices.take(), [], "one vote in each of two ballots");
  accepted(3, 2);
  assert.deepEqual(
    choices.take().map(({ ballot, acceptors }) => [ballot, acceptors]),
    [[ballotOf(2, 1), [2, 3]]],
  );
  accepted(1, 2);
  accepted(2, 1);
  assert.deepEqual(choices.take(), []);
});

Deno.test("a scenario fails when two values are chosen, proposed in one ballot, or accepted unproposed", () => {
  const { choices, accept, accepted } = makeVotes();
  accept(1, "x");
  accepted(1, 1);
  accepted(2, 1);
  choices.take();
  accept(2, "y");
  accepted(2, 2);
  choices.take();
  accepted(3, 2);
  assert.throws(
    () => choices.take(),
    /agreement is broken, chosen are: 1 "x" in 1\.1, and 1 "y" in 2\.1/,
  );
  assert.throws(
    () => accept(2, "z"),
    /one ballot proposes two values: 1 "y" in 2\.1, and 1 "z" in 2\.1/,
  );
  assert.throws(
    () => accepted(1, 3),
    /acceptor 1 accepted in 3\.1 what nobody/,
  );
});

Deno.test("a difference keeps what is common in its place", () => {
  assert.deepEqual(
    unified(["a", "b", "c", "d"], ["b", "x", "d", "e"]),
    ["- a", "  b", "- c", "+ x", "  d", "+ e"],
  );
  assert.deepEqual(unified([], ["a"]), ["+ a"]);
  assert.deepEqual(unified(["a"], []), ["- a"]);
});
