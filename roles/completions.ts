/** Shell completion, written from the table in commands.ts. */

import {
  COMMAND_NAMES,
  type CommandName,
  commandSpec,
  helpOf,
  type OptionName,
  optionSpec,
  type SHELLS,
} from "./commands.ts";

/** A shell that completion can be written for. */
export type Shell = (typeof SHELLS)[number];

/** The script that completes `kpaxos` in `shell`. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bashScript();
    case "zsh":
      return zshScript();
    case "fish":
      return fishScript();
  }
}

/** What may stand after an option: nothing (a flag), one of some words, a file, an interface, or anything. */
function completionOf(
  option: OptionName,
): { kind: "flag" | "file" | "interface" | "any" } | {
  kind: "words";
  words: readonly string[];
} {
  const { kind: written } = optionSpec(option);
  const kind = written?.type === "list" ? written.of : written;
  switch (kind?.type) {
    case undefined:
      return { kind: "flag" };
    case "choice":
      return { kind: "words", words: kind.choices };
    case "yes_no":
      return { kind: "words", words: ["yes", "no"] };
    case "path":
      return { kind: "file" };
    case "interface":
      return { kind: "interface" };
    default:
      return { kind: "any" };
  }
}

function optionsOf(command: CommandName): readonly OptionName[] {
  return [...commandSpec(command).options, "help"];
}

/** Each option that takes a value, once, over all commands. */
function valueOptions(): OptionName[] {
  const names = COMMAND_NAMES.flatMap((it) => commandSpec(it).options);
  return [...new Set(names)].filter((it) => optionSpec(it).kind !== undefined);
}

// /proc/net/dev holds the interfaces of the shell's own network namespace.
const INTERFACES = "sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev";

function bashScript(): string {
  const byOption = valueOptions().map((name) => {
    const completion = completionOf(name);
    const reply = completion.kind === "words"
      ? `COMPREPLY=($(compgen -W "${completion.words.join(" ")}" -- "$word"))`
      : completion.kind === "file"
      ? `COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames 2>/dev/null`
      : completion.kind === "interface"
      ? `COMPREPLY=($(compgen -W "$(${INTERFACES})" -- "$word"))`
      : "COMPREPLY=()";
    return `    --${name}) ${reply}; return ;;`;
  });
  const byCommand = COMMAND_NAMES.map((command) => {
    const words = [
      ...optionsOf(command).map((name) => `--${name}`),
      ...commandSpec(command).operand?.choices ?? [],
    ];
    const directory = hasDirectory(command)
      ? `; COMPREPLY=($(compgen -d -- "$word")); compopt -o filenames 2>/dev/null`
      : "";
    return `    ${command}) words="${words.join(" ")}"${directory} ;;`;
  });
  const commands = COMMAND_NAMES.join(" ");
  return `# bash completion for kpaxos
_kpaxos() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands} help --help --version" -- "$word"))
    return
  fi
  case "$previous" in
${byOption.join("\n")}
  esac
  case "\${COMP_WORDS[1]}" in
    help) words="${commands}" ;;
${byCommand.join("\n")}
  esac
  COMPREPLY+=($(compgen -W "$words" -- "$word"))
}
complete -F _kpaxos kpaxos
`;
}

function zshScript(): string {
  const commands = COMMAND_NAMES.map((name) =>
    `    ${quote(`${name}:${commandSpec(name).summary}`)}`
  );
  const byCommand = COMMAND_NAMES.map((name) => {
    const { operand } = commandSpec(name);
    const specs = optionsOf(name).map((option) => zshOption(name, option));
    if (operand !== undefined) {
      const action = operand.choices === undefined
        ? "_files -/"
        : `(${operand.choices.join(" ")})`;
      specs.push(quote(`1:${operand.placeholder}:${action}`));
    }
    return `    ${name})\n      _arguments ${specs.join(" \\\n        ")} ;;`;
  });
  return `#compdef kpaxos
_kpaxos_interfaces() {
  local -a interfaces
  interfaces=($(${INTERFACES}))
  _describe interface interfaces
}
_kpaxos() {
  local -a commands
  commands=(
${commands.join("\n")}
    'help:help on kpaxos or on a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $name in
    help)
      _describe command commands ;;
${byCommand.join("\n")}
  esac
}
if [ "\${funcstack[1]}" = "_kpaxos" ]; then
  _kpaxos "$@"
else
  compdef _kpaxos kpaxos
fi
`;
}

function zshOption(command: CommandName, option: OptionName): string {
  const { placeholder, repeatable } = optionSpec(option);
  const completion = completionOf(option);
  const label = helpOf(command, option).replace(/([[\]:\\])/g, "\\$1");
  const action = completion.kind === "words"
    ? `(${completion.words.join(" ")})`
    : completion.kind === "file"
    ? "_files"
    : completion.kind === "interface"
    ? "_kpaxos_interfaces"
    : " ";
  const value = completion.kind === "flag"
    ? ""
    : `:${(placeholder ?? "").replaceAll(":", "\\:")}:${action}`;
  return quote(`${repeatable ? "*" : ""}--${option}[${label}]${value}`);
}

function fishScript(): string {
  const first = "__fish_use_subcommand";
  const lines = ["# fish completion for kpaxos", "complete -c kpaxos -f"];
  for (const name of COMMAND_NAMES) {
    const { summary, options, operand } = commandSpec(name);
    const after = `'__fish_seen_subcommand_from ${name}'`;
    lines.push(
      `complete -c kpaxos -n ${first} -a ${name} -d ${fishQuote(summary)}`,
    );
    if (operand !== undefined) {
      const words = operand.choices?.join(" ") ??
        "(__fish_complete_directories)";
      lines.push(`complete -c kpaxos -n ${after} -a '${words}'`);
    }
    for (const option of [...options, "help" as const]) {
      const completion = completionOf(option);
      const value = completion.kind === "words"
        ? ` -x -a '${completion.words.join(" ")}'`
        : completion.kind === "file"
        ? " -r -F"
        : completion.kind === "interface"
        ? ` -x -a ${fishQuote(`(${INTERFACES})`)}`
        : completion.kind === "any"
        ? " -x"
        : "";
      const help = fishQuote(helpOf(name, option));
      lines.push(
        `complete -c kpaxos -n ${after} -l ${option}${value} -d ${help}`,
      );
    }
  }
  lines.push(
    `complete -c kpaxos -n ${first} -a help -d 'help on kpaxos or on a command'`,
    `complete -c kpaxos -n '__fish_seen_subcommand_from help' -a '${
      COMMAND_NAMES.join(" ")
    }'`,
  );
  return lines.join("\n") + "\n";
}

/** Whether the command is followed by the path of a directory. */
function hasDirectory(name: CommandName): boolean {
  const { operand } = commandSpec(name);
  return operand !== undefined && operand.choices === undefined;
}

/** A word for sh and zsh that is taken as it stands. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same for fish, where a backslash counts within single quotes. */
function fishQuote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
