/** Arguments of a command line turned into values, by the table in commands.ts. */

// @ts-types="../types/std_cli.d.ts"
import { parseArgs } from "@std/cli";
import {
  COMMAND_NAMES,
  type CommandName,
  commandSpec,
  isCommand,
  kindOf,
  type OptionName,
  OPTIONS,
  optionSpec,
  type OptionValues,
} from "./commands.ts";
import { EXIT, UserError } from "./errors.ts";
import { excerpt, printable } from "./printable.ts";
import { nearest } from "./suggest.ts";
import { describeValue, readValue } from "./values.ts";

/** What the user asked for. */
export type Request =
  | { readonly kind: "help"; readonly command?: CommandName }
  | { readonly kind: "usage" }
  | {
    readonly kind: "command";
    readonly command: CommandName;
    readonly values: OptionValues;
    readonly operand?: string;
  };

/**
 * Reads the arguments after `kpaxos`.
 *
 * @throws {UserError} with exit code 2 and one line that names the argument, the
 * nearest known word and how to get help.
 */
export function parseCommandLine(args: readonly string[]): Request {
  if (args.length === 0) return { kind: "usage" };
  const [word, ...rest] = args;
  if (word === "-h" || word === "--help") return { kind: "help" };
  if (word === "--version") return parseCommand("version", rest);
  if (word === "help") return parseHelp(rest);
  if (isCommand(word)) return parseCommand(word, rest);
  if (word.startsWith("-")) {
    throw usageError(`option ${printable(word)} stands before the command`);
  }
  throw usageError(
    `unknown command ${excerpt(word)}`,
    nearest(word, [...COMMAND_NAMES, "help"]),
  );
}

function parseHelp(args: readonly string[]): Request {
  const words = args.filter((it) => it !== "-h" && it !== "--help");
  if (words.length === 0) return { kind: "help" };
  if (words.length > 1) {
    throw usageError(`unexpected argument ${excerpt(words[1])}`);
  }
  if (!isCommand(words[0])) {
    throw usageError(
      `unknown command ${excerpt(words[0])}`,
      nearest(words[0], COMMAND_NAMES),
    );
  }
  return { kind: "help", command: words[0] };
}

function parseCommand(command: CommandName, args: readonly string[]): Request {
  const known = new Set<string>([...commandSpec(command).options, "help"]);
  const names = [...known] as OptionName[];
  const firstDoubleDash = args.indexOf("--");
  const options = firstDoubleDash < 0 ? args : args.slice(0, firstDoubleDash);

  // Help answers even where the rest of the line is wrong: that is when it is wanted.
  if (options.includes("--help") || options.includes("-h")) {
    return { kind: "help", command };
  }
  rejectLooseForms(command, options);
  const raw = parseArgs(args, {
    boolean: names.filter((name) => isFlag(name)),
    string: ["_", ...names.filter((name) => !isFlag(name))],
    collect: names,
    unknown: (argument, key) => {
      if (key === undefined) return true;
      throw unknownOption(command, argument);
    },
  });
  return {
    kind: "command",
    command,
    values: readOptions(command, raw),
    operand: readOperand(command, raw._),
  };
}

/** Refuses what the parser underneath would quietly make something else of. */
function rejectLooseForms(command: CommandName, args: readonly string[]): void {
  const known = new Set<string>(commandSpec(command).options);
  for (const [i, arg] of args.entries()) {
    if (!arg.startsWith("--")) continue;
    const equals = arg.indexOf("=");
    const name = arg.slice(2, equals < 0 ? undefined : equals);
    if (!known.has(name)) continue;
    if (isFlag(name as OptionName)) {
      if (equals >= 0) {
        throw usageError(`option --${name} takes no value`, undefined, command);
      }
      const next = args[i + 1];
      if (next === "true" || next === "false") {
        throw usageError(
          `unexpected argument ${excerpt(next)}`,
          undefined,
          command,
        );
      }
    } else if (equals === arg.length - 1) {
      throw missingValue(command, name as OptionName);
    } else if (equals < 0) {
      const next = args[i + 1];
      if (next === undefined || next === "" || next.startsWith("-")) {
        throw missingValue(command, name as OptionName, next);
      }
    }
  }
}

function readOptions(
  command: CommandName,
  raw: Record<string, unknown>,
): OptionValues {
  const { options, required = [], defaults = {} } = commandSpec(command);
  const values: Record<string, unknown> = {};
  for (const name of options) {
    const { repeatable } = optionSpec(name);
    const given = raw[name] as (string | boolean)[];
    if (given.length > 1 && !repeatable) {
      throw usageError(
        `option --${name} is given ${given.length} times`,
        undefined,
        command,
      );
    }
    const read = given.map((it) => readOption(command, name, it));
    if (read.length > 0) values[name] = repeatable ? read : read[0];
    else if (required.includes(name)) {
      throw usageError(
        `option --${name} is missing: ${optionSpec(name).help}`,
        undefined,
        command,
      );
    } else if (defaults[name] !== undefined) {
      values[name] = readOption(command, name, defaults[name]);
    }
  }
  checkCombinations(command, raw, values);
  return values as OptionValues;
}

/** An option that the others leave without a meaning is a mistake, not a detail. */
function checkCombinations(
  command: CommandName,
  raw: Record<string, unknown>,
  values: Record<string, unknown>,
): void {
  const isGiven = (name: string) => ((raw[name] as unknown[]) ?? []).length > 0;
  for (const name of commandSpec(command).options.filter(isGiven)) {
    const { excludes = [], needs } = optionSpec(name);
    const other = excludes.find(isGiven);
    if (other !== undefined) {
      throw usageError(
        `option --${name} means nothing beside --${other}`,
        undefined,
        command,
      );
    }
    if (needs !== undefined && values[needs.option] !== needs.value) {
      throw usageError(
        `option --${name} means nothing without --${needs.option} ${needs.value}`,
        undefined,
        command,
      );
    }
  }
}

function readOption(
  command: CommandName,
  name: OptionName,
  text: string | boolean,
): unknown {
  const kind = kindOf(command, name);
  if (kind === undefined || typeof text === "boolean") return text;
  const value = readValue(kind, text);
  if (value !== undefined) return value;
  const near = kind.type === "choice" ? nearest(text, kind.choices) : undefined;
  throw usageError(
    `option --${name} cannot be ${excerpt(text)}: expected ${
      describeValue(kind)
    }`,
    near,
    command,
  );
}

function readOperand(
  command: CommandName,
  positionals: readonly string[],
): string | undefined {
  const { operand } = commandSpec(command);
  const allowed = operand === undefined ? 0 : 1;
  if (positionals.length > allowed) {
    throw usageError(
      `unexpected argument ${excerpt(positionals[allowed])}`,
      undefined,
      command,
    );
  }
  if (operand === undefined) return undefined;
  const [word] = positionals;
  const { choices } = operand;
  const expected = choices === undefined
    ? "the path of a directory"
    : `one of ${choices.join(", ")}`;
  if (word === undefined) {
    if (!operand.required) return undefined;
    throw usageError(
      `${operand.placeholder} is missing: ${expected}`,
      undefined,
      command,
    );
  }
  if (choices === undefined || choices.includes(word)) return word;
  throw usageError(
    `unknown ${operand.placeholder} ${excerpt(word)}: expected ${expected}`,
    nearest(word, choices),
    command,
  );
}

function isFlag(name: OptionName): boolean {
  return optionSpec(name).kind === undefined;
}

function missingValue(
  command: CommandName,
  name: OptionName,
  next?: string,
): UserError {
  const { kind } = optionSpec(name);
  const expected = kind === undefined ? "" : `: ${describeValue(kind)}`;
  const followed = next ? `, but ${printable(next)} follows` : "";
  return usageError(
    `option --${name} needs a value${expected}${followed}`,
    undefined,
    command,
  );
}

function unknownOption(command: CommandName, argument: string): UserError {
  const equals = argument.indexOf("=");
  const written = equals < 0 ? argument : argument.slice(0, equals);
  const word = written.replace(/^-+/, "");
  const options = commandSpec(command).options;
  if (Object.hasOwn(OPTIONS, word) && written.startsWith("--")) {
    const owners = COMMAND_NAMES.filter((it) =>
      commandSpec(it).options.includes(word as OptionName)
    );
    return usageError(
      `${command} has no option --${word}; ${owners.join(", ")} ${
        owners.length > 1 ? "have" : "has"
      } it`,
      undefined,
      command,
    );
  }
  const near = nearest(word, options);
  return usageError(
    `unknown option ${printable(written)} for ${command}`,
    near === undefined ? undefined : `--${near}`,
    command,
  );
}

function usageError(
  problem: string,
  suggestion?: string,
  command?: CommandName,
): UserError {
  const meant = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
  const help = command === undefined
    ? "kpaxos help"
    : `kpaxos ${command} --help`;
  return new UserError(`${problem}${meant} (see '${help}')`, EXIT.usage);
}
