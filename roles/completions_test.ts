import assert from "node:assert/strict";
import { COMMAND_NAMES, commandSpec, SHELLS } from "./commands.ts";
import { completionScript } from "./completions.ts";

/** What bash offers for a line whose last word is being typed. */
async function bash(...words: string[]): Promise<string[]> {
  const script = `${completionScript("bash")}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_kpaxos
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", "kpaxos", ...words],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((it) => it !== "");
}

Deno.test("bash completes commands", async () => {
  assert.deepEqual(await bash("re"), ["replica"]);
  assert.deepEqual(await bash("c"), ["client", "check", "completions"]);
});

Deno.test("bash completes the options of the command that was typed, and no others", async () => {
  for (const name of COMMAND_NAMES) {
    assert.deepEqual(
      (await bash(name, "--")).sort(),
      [...commandSpec(name).options, "help"].map((it) => `--${it}`).sort(),
    );
  }
});

Deno.test("bash completes what may follow an option", async () => {
  assert.deepEqual(await bash("learner", "--output", ""), [
    "ndjson",
    "raw",
    "none",
  ]);
  assert.ok((await bash("client", "--if", "l")).includes("lo"));
  assert.ok(
    (await bash("client", "--conf", "/etc/host")).includes("/etc/hosts"),
  );
  assert.deepEqual(await bash("client", "--outstanding", ""), []);
});

Deno.test("bash completes the shells and the commands that help knows", async () => {
  assert.deepEqual(await bash("completions", "z"), ["zsh"]);
  assert.deepEqual(await bash("help", "dem"), ["demo"]);
});

Deno.test("each shell's script has every command and every option", () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell);
    for (const name of COMMAND_NAMES) {
      assert.ok(script.includes(name), `${shell} ${name}`);
      for (const option of commandSpec(name).options) {
        const written = shell === "fish"
          ? `'__fish_seen_subcommand_from ${name}' -l ${option} `
          : `--${option}`;
        assert.ok(script.includes(written), `${shell} ${name} ${option}`);
      }
    }
  }
});
