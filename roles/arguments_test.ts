import assert from "node:assert/strict";
import { parseCommandLine } from "./arguments.ts";
import {
  COMMAND_NAMES,
  commandSpec,
  type OptionName,
  optionSpec,
} from "./commands.ts";
import { EXIT, UserError } from "./errors.ts";

/** The command that `line` asks for. */
function parse(line: string) {
  const request = parseCommandLine(line.split(" "));
  assert.equal(request.kind, "command");
  return request as Extract<typeof request, { kind: "command" }>;
}

/** The message with which `args` is refused. */
function refusal(args: string | string[]): string {
  const list = typeof args === "string" ? args.split(" ") : args;
  try {
    parseCommandLine(list);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, EXIT.usage);
    assert.ok(!error.message.includes("\n"));
    return error.message;
  }
  throw new assert.AssertionError({ message: `${list.join(" ")} is accepted` });
}

Deno.test("every example in the table is accepted as it stands", () => {
  for (const name of COMMAND_NAMES) {
    const { examples } = commandSpec(name);
    assert.ok(examples.length > 0, name);
    for (const { line } of examples) {
      assert.equal(parse(line.replace(/ [<>|].*/, "")).command, name);
    }
  }
});

Deno.test("every default in the table is a good value of an option of its command", () => {
  for (const name of COMMAND_NAMES) {
    const { defaults = {}, options } = commandSpec(name);
    for (const option of Object.keys(defaults)) {
      assert.ok(options.includes(option as OptionName), `${name} ${option}`);
    }
  }
  const { values } = parse("client");
  assert.deepEqual(values, {
    nic: "af_packet",
    loss: 0,
    "log-format": "text",
    outstanding: 32,
    "value-size": 64,
    clients: 1,
    "warm-up": 0,
  });
});

Deno.test("options are read into typed values", () => {
  const { values } = parse(
    "client --id 9 --if=eth0 --loss 0.25 --lifetime 500ms --seed 0xff --outstanding 128 " +
      "--seconds 2 --json --nic udp --udp-peers 10.0.0.1:7400 --verbosity DEBUG",
  );
  assert.equal(values.id, 9);
  assert.equal(values.if, "eth0");
  assert.equal(values.loss, 0.25);
  assert.equal(values.lifetime, 500);
  assert.equal(values.seed, 255n);
  assert.equal(values.outstanding, 128);
  assert.equal(values.seconds, 2000);
  assert.equal(values.json, true);
  assert.deepEqual(values["udp-peers"], [{ host: "10.0.0.1", port: 7400 }]);
  assert.equal(values.verbosity, "debug");
});

Deno.test("an option that may be repeated gathers its values", () => {
  const { values } = parse("check --proposed a --proposed=b --learned c");
  assert.deepEqual(values.proposed, ["a", "b"]);
  assert.deepEqual(values.learned, ["c"]);
});

Deno.test("the same option has another default in another command", () => {
  assert.equal(parse("replica --id 1").values.output, "none");
  assert.equal(parse("learner --id 1").values.output, "ndjson");
});

Deno.test("help is found in every form, also on a line that is otherwise wrong", () => {
  assert.deepEqual(parseCommandLine([]), { kind: "usage" });
  for (const line of ["help", "-h", "--help"]) {
    assert.deepEqual(parseCommandLine(line.split(" ")), { kind: "help" });
  }
  for (
    const line of [
      "help client",
      "client --help",
      "client -h --outstanding",
      "client --nope --help",
    ]
  ) {
    assert.deepEqual(parseCommandLine(line.split(" ")), {
      kind: "help",
      command: "client",
    });
  }
  assert.equal(parse("--version --json").command, "version");
});

Deno.test("an unknown command is named, with the nearest one and how to get help", () => {
  assert.equal(
    refusal("relpica --id 1"),
    "unknown command \"relpica\"; did you mean replica? (see 'kpaxos help')",
  );
  assert.match(refusal("constructor"), /^unknown command "constructor" \(see/);
  assert.match(refusal("help clinet"), /did you mean client\?/);
  assert.match(
    refusal("--id 1 replica"),
    /option --id stands before the command/,
  );
});

Deno.test("an unknown option is named, with the nearest one of its command", () => {
  assert.equal(
    refusal("client --outstandin 3"),
    "unknown option --outstandin for client; did you mean --outstanding? (see 'kpaxos client --help')",
  );
  assert.match(
    refusal("client -if eth0"),
    /unknown option -if .*did you mean --if\?/,
  );
  assert.match(refusal("client --no-json"), /unknown option --no-json/);
  assert.match(refusal("client --__proto__ x"), /unknown option --__proto__/);
  assert.match(refusal("client --a.b=1"), /unknown option --a\.b/);
});

Deno.test("an option of another command is not taken for a typing error", () => {
  assert.match(
    refusal("replica --id 1 --stats f"),
    /^replica has no option --stats; client has it/,
  );
});

Deno.test("a missing value is named", () => {
  assert.match(refusal("client --conf"), /--conf needs a value: a path/);
  assert.match(refusal("client --conf="), /--conf needs a value/);
  assert.match(refusal(["client", "--conf", ""]), /--conf needs a value/);
  assert.match(
    refusal("client --seed -5"),
    /--seed needs a value.*but -5 follows/,
  );
  assert.match(refusal("client --conf --json"), /but --json follows/);
});

Deno.test("a flag takes no value", () => {
  assert.match(refusal("client --json=yes"), /--json takes no value/);
  assert.match(refusal("client --json false"), /unexpected argument "false"/);
});

Deno.test("a value out of range is refused with the range, at both ends of every range", () => {
  for (const name of COMMAND_NAMES) {
    for (const option of commandSpec(name).options) {
      const { kind } = optionSpec(option);
      if (kind?.type !== "integer") continue;
      const required = (commandSpec(name).required ?? [])
        .filter((it) => it !== option)
        .map((it) => `--${it} 1`);
      for (const value of [kind.min - 1, kind.max + 1]) {
        const line = [name, ...required, `--${option}`, value].join(" ");
        assert.match(refusal(line), new RegExp(`--${option} `), line);
      }
    }
  }
  assert.match(refusal("client --outstanding 8193"), /from 1 to 8192/);
});

Deno.test("what is given twice, left over or missing is refused", () => {
  assert.match(refusal("replica --id 1 --id 1"), /--id is given 2 times/);
  assert.match(refusal("client --json --json"), /--json is given 2 times/);
  assert.match(refusal("client now"), /unexpected argument "now"/);
  assert.match(refusal("version -- now"), /unexpected argument "now"/);
  assert.match(refusal("replica"), /--id is missing/);
  assert.match(refusal("check --proposed a"), /--learned is missing/);
  assert.match(
    refusal("completions"),
    /SHELL is missing: one of bash, zsh, fish/,
  );
  assert.match(refusal("completions bsah"), /did you mean bash\?/);
  assert.match(refusal("completions bash zsh"), /unexpected argument "zsh"/);
});

Deno.test("an option that the others leave without a meaning is refused", () => {
  assert.match(
    refusal("client --stdin --count 5"),
    /--count means nothing beside --stdin/,
  );
  assert.match(
    refusal("client --stdin --value-size 5"),
    /--value-size means nothing beside --stdin/,
  );
  assert.match(
    refusal("client --udp-port 5"),
    /--udp-port means nothing without --nic udp/,
  );
  assert.match(
    refusal("client --nic udp --udp-group 239.0.0.1 --udp-peers 10.0.0.1:5"),
    /--udp-group means nothing beside --udp-peers/,
  );
});
