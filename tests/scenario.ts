/**
 * Scenarios: plain text in which commands stand above the transcript that they must bring.
 *
 *     submit client 1 "x"
 *     ----
 *     client 1 -> proposer 1: submit "x"
 *
 * A block is one or more commands, a line of four dashes, the transcript, and an empty line. What
 * stands between blocks is prose: lines that begin with #. `scenarios/README.md` has the commands.
 */
import { unified } from "./scenario_diff.ts";
import { Session } from "./scenario_commands.ts";

const RULE = "----";
/** The transcript of commands that bring nothing. */
const NOTHING = "(nothing)";

interface Block {
  /** Line of the first command, from 1. */
  readonly line: number;
  readonly commands: readonly string[];
  readonly expected: readonly string[];
}

/** What a scenario's file holds, in order: blocks, and lines between them. */
function parse(path: string, text: string): (Block | string)[] {
  const parts: (Block | string)[] = [];
  const lines = text.replace(/\n$/, "").split("\n");
  for (let at = 0; at < lines.length;) {
    if (lines[at] === "" || lines[at].startsWith("#")) {
      parts.push(lines[at++]);
      continue;
    }
    const line = at + 1;
    const endOf = (isEnd: (line: string) => boolean) => {
      const from = at;
      while (at < lines.length && !isEnd(lines[at])) at++;
      return lines.slice(from, at);
    };
    const commands = endOf((line) => line === RULE || line === "");
    if (lines[at] !== RULE) {
      throw new Error(
        `${path}:${line}: there is no line ${RULE} below these commands; put one there and have the transcript written`,
      );
    }
    at++;
    parts.push({ line, commands, expected: endOf((line) => line === "") });
  }
  return parts;
}

/** A line of a transcript, and which command of the block brought it, from 0. */
interface Said {
  readonly text: string;
  readonly command: number;
}

/** The transcript of a block. */
function play(path: string, { line, commands }: Block, session: Session) {
  const said = commands.flatMap((text, command): Said[] => {
    try {
      return session.obey(text).map((text) => ({ text, command }));
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`${path}:${line + command}: ${text}\n  ${message}`, {
        cause: error,
      });
    }
  });
  if (said.length > 0) return said;
  return [{ text: NOTHING, command: commands.length - 1 }];
}

/** What a block brought other than expected, to be read; undefined: nothing. */
function differenceOf(
  path: string,
  { line, commands, expected }: Block,
  said: readonly Said[],
): string | undefined {
  const actual = said.map(({ text }) => text);
  const length = Math.max(expected.length, actual.length);
  for (let i = 0; i < length; i++) {
    if (expected[i] === actual[i]) continue;
    const command = said[Math.min(i, said.length - 1)].command;
    return [
      `${path}:${line + command}: ${commands[command]}`,
      ...unified(expected, actual),
    ].join("\n");
  }
}

/** What became of a scenario. */
export interface Outcome {
  /** The scenario with the transcripts that it brought. */
  readonly text: string;
  /** The first block whose transcript is another one, to be read; undefined: all are as expected. */
  readonly difference?: string;
}

/**
 * Plays a scenario.
 *
 * @param path How messages call it.
 * @throws {Error} with file and line, if a command makes no sense or the cores break agreement.
 */
export function playScenario(path: string, text: string): Outcome {
  const session = new Session();
  const differences: string[] = [];
  const lines = parse(path, text).flatMap((part) => {
    if (typeof part === "string") return [part];
    const said = play(path, part, session);
    const difference = differenceOf(path, part, said);
    if (difference !== undefined) differences.push(difference);
    return [...part.commands, RULE, ...said.map(({ text }) => text)];
  });
  const more = differences.length - 1;
  return {
    text: `${lines.join("\n")}\n`,
    difference: more <= 0
      ? differences[0]
      : `${differences[0]}\n(${more} more differ)`,
  };
}
