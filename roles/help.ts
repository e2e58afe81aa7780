/** Help, general and per command, written from the table in commands.ts. */

import {
  COMMAND_NAMES,
  type CommandName,
  commandSpec,
  helpOf,
  kindOf,
  type OptionName,
  optionSpec,
} from "./commands.ts";

const COLUMNS = 80;

/** Help on kpaxos as a whole: the commands, where to begin, and the exit codes. */
export function generalHelp(): string {
  const width = Math.max(...COMMAND_NAMES.map((name) => name.length));
  const commands = COMMAND_NAMES.map((name) =>
    entry(name.padEnd(width), commandSpec(name).summary)
  );
  return [
    "kpaxos: Multi-Paxos over bare Ethernet frames",
    "",
    "Usage: kpaxos COMMAND [OPTION...]",
    "",
    "Commands:",
    ...commands,
    entry("help".padEnd(width), "help on kpaxos or on a command"),
    "",
    "Examples:",
    "  kpaxos demo",
    "      a whole cluster on this machine, checked, without root",
    "  sudo kpaxos replica --id 1 --if eth0",
    "      one of three replicas; run the others with --id 2 and --id 3",
    "  sudo kpaxos client --outstanding 32",
    "      load, measured every second",
    "",
    "Exit codes: 0 done, 1 failed, 2 bad arguments or configuration,",
    "3 environment (no permission, no interface), 130 interrupted.",
    "",
    "See 'kpaxos help COMMAND' for the options of a command.",
    "",
  ].join("\n");
}

/** Help on one command: usage, options with ranges and defaults, examples. */
export function commandHelp(name: CommandName): string {
  const { summary, description, options, operand, examples } = commandSpec(
    name,
  );
  const lines = [`kpaxos ${name}: ${summary}`, ""];
  lines.push(...wrap(usage(name), "", "    "), "");
  if (description !== undefined) lines.push(...wrap(description, "", ""), "");
  if (operand !== undefined) {
    const what = operand.choices?.join(", ") ?? "path of a directory";
    lines.push(`${operand.placeholder}: ${what}`, "");
  }
  lines.push("Options:");
  for (const option of [...options, "help" as const]) {
    lines.push(...optionHelp(name, option));
  }
  lines.push("", "Examples:");
  for (const { line, does, privileged } of examples) {
    lines.push(`  ${privileged ? "sudo " : ""}kpaxos ${line}`, `      ${does}`);
  }
  return lines.join("\n") + "\n";
}

function usage(name: CommandName): string {
  const { required = [], options, operand } = commandSpec(name);
  const parts = [`Usage: kpaxos ${name}`];
  for (const option of required) {
    const { repeatable } = optionSpec(option);
    parts.push(withPlaceholder(option) + (repeatable ? "..." : ""));
  }
  if (options.length > required.length) parts.push("[OPTION...]");
  if (operand !== undefined) parts.push(operand.placeholder);
  return parts.join(" ");
}

function optionHelp(command: CommandName, option: OptionName): string[] {
  const { repeatable, needs, excludes = [] } = optionSpec(option);
  const { required = [], defaults = {}, options } = commandSpec(command);
  const notes: string[] = [];
  const written = kindOf(command, option);
  const kind = written?.type === "list" ? written.of : written;
  if (kind?.type === "integer" && kind.max < Number.MAX_SAFE_INTEGER) {
    notes.push(`${kind.min} to ${kind.max}`);
  }
  if (kind?.type === "fraction") notes.push("0 to 1");
  if (kind?.type === "duration") notes.push("seconds, or 500ms, 2s, 1m");
  if (kind?.type === "choice") notes.push(kind.choices.join(", "));
  if (written?.type === "list") notes.push("or several, as A,B");
  if (needs !== undefined) notes.push(`with --${needs.option} ${needs.value}`);
  const others = excludes.filter((it) =>
    (options as readonly string[]).includes(it)
  );
  if (others.length > 0) {
    notes.push(`not with ${others.map((it) => `--${it}`).join(", ")}`);
  }
  if (repeatable) notes.push("may be repeated");
  if (required.includes(option)) notes.push("required");
  if (defaults[option] !== undefined) notes.push(`default ${defaults[option]}`);
  const note = notes.length > 0 ? ` [${notes.join("; ")}]` : "";
  return [
    `  ${withPlaceholder(option)}`,
    ...wrap(helpOf(command, option) + note, "      "),
  ];
}

function withPlaceholder(option: OptionName): string {
  const { placeholder } = optionSpec(option);
  return placeholder === undefined
    ? `--${option}`
    : `--${option} ${placeholder}`;
}

function entry(label: string, text: string): string {
  return `  ${label}  ${text}`;
}

/** Breaks `text` between words so that no line is longer than a terminal is wide. */
function wrap(text: string, first: string, others: string = first): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = others;
      isEmpty = true;
    }
    line += (isEmpty ? "" : " ") + word;
    isEmpty = false;
  }
  lines.push(line);
  return lines;
}
