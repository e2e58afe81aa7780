import assert from "node:assert/strict";
import { COMMAND_NAMES, commandSpec } from "./commands.ts";
import { commandHelp, generalHelp } from "./help.ts";

Deno.test("the general help names every command and the exit codes", () => {
  for (const name of COMMAND_NAMES) {
    assert.match(generalHelp(), new RegExp(`^  ${name} +\\S`, "m"));
  }
  assert.match(generalHelp(), /130 interrupted/);
});

Deno.test("the help of a command names each of its options and shows its examples", () => {
  for (const name of COMMAND_NAMES) {
    const lines = commandHelp(name).split("\n");
    for (const option of [...commandSpec(name).options, "help"]) {
      assert.ok(
        lines.some((it) => it.split(" ").includes(`--${option}`)),
        `${name} --${option}`,
      );
    }
    for (const { line } of commandSpec(name).examples) {
      assert.ok(lines.some((it) => it.endsWith(`kpaxos ${line}`)), line);
    }
  }
});

Deno.test("help states ranges, defaults and what is required", () => {
  assert.match(
    commandHelp("client"),
    /another is decided\) \[1 to 8192; default 32\]/,
  );
  assert.match(
    commandHelp("replica"),
    /Usage: kpaxos replica --id N \[OPTION\.\.\.\]/,
  );
  assert.match(commandHelp("replica"), /\[1 to 65535; required\]/);
  assert.match(commandHelp("completions"), /SHELL: bash, zsh, fish/);
});

Deno.test("help says of a shared option what it means to this command", () => {
  assert.match(commandHelp("sim"), /each seed draws its own/);
  assert.doesNotMatch(commandHelp("bench"), /seed/);
  assert.match(commandHelp("client"), /stop submitting after this time/);
  assert.doesNotMatch(commandHelp("bench"), /stop submitting/);
});

Deno.test("help fits a terminal of 80 columns", () => {
  for (const help of [generalHelp(), ...COMMAND_NAMES.map(commandHelp)]) {
    for (const line of help.split("\n")) {
      // An example stays on one line, to be copied; so does a word without blanks.
      if (line.length > 80) assert.match(line, /^ {2}(sudo )?kpaxos |^\S+$/);
    }
  }
});
