/** The configuration file: the grammar of libpaxos and Kernel Paxos, read strictly. */

import { ACCEPTORS_MAX, PROPOSERS_MAX } from "../core/layout.ts";
import type { BusyPoll } from "../ffi/nic.ts";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import {
  MEMBER_WORDS,
  OBSOLETE_WORDS,
  type Word,
  WORDS,
  type WordSpec,
} from "./config_words.ts";
import { EXIT, UserError } from "./errors.ts";
import type { Verbosity } from "./log.ts";
import { excerpt } from "./printable.ts";
import { nearest } from "./suggest.ts";
import {
  describeValue,
  type Endpoint,
  makeEndpoint,
  parseEndpoint,
  readValue,
  type ValueOf,
} from "./values.ts";

/** A node that the configuration names. */
export interface Member {
  /** 1 to 65535, unique within its role, as written. */
  readonly id: number;
  /** MAC address, 6 bytes; absent: discovered. */
  readonly address?: Uint8Array;
  /** Where it is reached over UDP in unicast mode. */
  readonly endpoint?: Endpoint;
}

/** Who takes part, and how. */
export interface Configuration {
  /** The file's path as given, or what stands for it in messages. */
  readonly source: string;
  /** What is accepted but should be looked at, one line each. */
  readonly warnings: readonly string[];
  /** Sorted by id, 1 to 31 of them. */
  readonly acceptors: readonly Member[];
  /** Sorted by id, 1 to 31 of them. */
  readonly proposers: readonly Member[];
  /** Sorted by id; learners need not be named to take part. */
  readonly learners: readonly Member[];
  /** Id of the proposer that leads: at first, or always. */
  readonly leader: number;
  /** How long a leader must be silent before another takes over; 0: never. */
  readonly electionTimeout_ms: number;
  readonly heartbeat_ms: number;
  readonly cluster: number;
  readonly ethertype: number;
  /** Longest wait before an unanswered 1A or 2A is repeated. */
  readonly proposerTimeout_ms: number;
  /** Instances in flight; 0: as many as suit the storage. */
  readonly preexecWindow: number;
  /** Does a learner begin with the first instance, or with the first it hears of? */
  readonly learnerCatchUp: boolean;
  /** How long an unheard learner holds back the trimming of acceptors' logs. */
  readonly learnerLease_ms: number;
  /** How long an acceptor with a full log waits for a learner that does not go on. */
  readonly learnerPatience_ms: number;
  /** Longest wait before an unanswered value is sent again. */
  readonly clientTimeout_ms: number;
  /** Memory for an acceptor's log. */
  readonly acceptorLogBytes: number;
  readonly verbosity: Verbosity;
  /** A frame carries as many values as it holds, and not just one. */
  readonly batching: boolean;
  /** How nodes wait for frames. */
  readonly busyPoll: BusyPoll;
  readonly udpPort: number;
  readonly udpGroup: string;
  readonly storageBackend: "memory" | "lmdb";
  /** The folder in which each node has a directory for its database. */
  readonly lmdbPath: string;
  /** A vote leaves when its commit is on disk. */
  readonly lmdbSync: boolean;
  /** How often commits are brought to disk without `lmdbSync`. */
  readonly lmdbSyncPeriod_ms: number;
  /** Most bytes of a database. */
  readonly lmdbBytes: number;
  /** What earlier runs stored is thrown away. */
  readonly trashFiles: boolean;
  /** Each word that has an effect with storage-backend lmdb only: `paxos.conf:7: lmdb-sync`. */
  readonly lmdbWords: readonly string[];
}

/** Votes are bits of one word, and so is what is known of proposers. */
const MEMBERS_MAX = Math.min(ACCEPTORS_MAX, PROPOSERS_MAX);
const FILE_BYTES_MAX = 1 << 20;
const LINE_BYTES_MAX = 1024;
const ERRORS_MAX = 20;

/** Three replicas, ids 1 to 3, addresses discovered, every word at its default. */
export function defaultConfiguration(): Configuration {
  return parseConfiguration(new Uint8Array(), "the default configuration");
}

/**
 * Reads a configuration file.
 *
 * @param path The file, or a pipe.
 * @throws {UserError} with exit code 2 if it cannot be read, or with every error in it, at most 20.
 */
export function readConfiguration(path: string): Configuration {
  return parseConfiguration(readFile(path), path);
}

/**
 * Parses a configuration.
 *
 * @param bytes UTF-8 text, with or without a BOM, lines ended by LF or CRLF.
 * @param source What to call it in messages.
 * @throws {UserError} with exit code 2 and one line per error, `SOURCE:LINE: what, what was expected`.
 */
export function parseConfiguration(
  bytes: Uint8Array,
  source: string,
): Configuration {
  const parser = new Parser(source);
  parser.parse(bytes);
  return parser.finish();
}

type Role = "acceptor" | "proposer" | "learner";
type Declared = { readonly member: Member; readonly line: number };
type WordValues = { [W in Word]: ValueOf<(typeof WORDS)[W]["kind"]> };

class Parser {
  readonly #source: string;
  readonly #warnings: string[] = [];
  readonly #errors: string[] = [];
  readonly #lmdbWords: string[] = [];
  readonly #members: Record<Role, Map<number, Declared>> = {
    acceptor: new Map(),
    proposer: new Map(),
    learner: new Map(),
  };
  readonly #values = new Map<Word, unknown>();
  /** Line of each word that was seen, whether or not its value was good. */
  readonly #lines = new Map<string, number>();
  #lastLine = 0;
  #declares = false;

  constructor(source: string) {
    this.#source = source;
  }

  parse(bytes: Uint8Array): void {
    // Line by line, so that an error has its line. A BOM is taken away.
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (let from = 0; from < bytes.length;) {
      const newline = bytes.indexOf(10, from);
      const end = newline < 0 ? bytes.length : newline;
      const line = bytes.subarray(from, end);
      from = end + 1;
      this.#lastLine++;
      if (line.includes(0)) {
        // Hundreds of errors about a program or a UTF-16 text would say no more than this one.
        this.#error("a zero byte, but UTF-8 text was expected");
        return;
      }
      if (line.length > LINE_BYTES_MAX) {
        this.#error(
          `${line.length} bytes in one line, at most ${LINE_BYTES_MAX} were expected`,
        );
        continue;
      }
      try {
        this.#parseLine(decoder.decode(line));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        this.#error("bytes that are not UTF-8, but text was expected");
      }
    }
  }

  finish(): Configuration {
    if (!this.#declares) {
      for (const id of [1, 2, 3]) this.#declare("replica", { id });
    }
    const acceptors = this.#sorted("acceptor");
    const proposers = this.#sorted("proposer");
    const values = this.#allValues();
    this.#checkMembers(acceptors, proposers);
    this.#checkWords(values, proposers);
    this.#throwErrors();
    return {
      source: this.#source,
      warnings: this.#warnings,
      acceptors,
      proposers,
      learners: this.#sorted("learner"),
      leader: this.#values.has("leader") ? values.leader : proposers[0].id,
      electionTimeout_ms: values.election ? values["election-timeout"] : 0,
      heartbeat_ms: values["heartbeat-interval"],
      cluster: values.cluster,
      ethertype: values.ethertype,
      proposerTimeout_ms: values["proposer-timeout"],
      preexecWindow: values["proposer-preexec-window"],
      learnerCatchUp: values["learner-catch-up"],
      learnerLease_ms: values["learner-lease"],
      learnerPatience_ms: values["learner-patience"],
      clientTimeout_ms: values["client-timeout"],
      acceptorLogBytes: values["acceptor-log-size"],
      verbosity: values.verbosity,
      batching: values.batching,
      busyPoll: values["busy-poll"],
      udpPort: values["udp-port"],
      udpGroup: values["udp-group"],
      storageBackend: values["storage-backend"],
      lmdbPath: values["lmdb-env-path"],
      lmdbSync: values["lmdb-sync"],
      lmdbSyncPeriod_ms: values["lmdb-sync-period"],
      lmdbBytes: values["lmdb-mapsize"],
      trashFiles: values["acceptor-trash-files"],
      lmdbWords: this.#lmdbWords,
    };
  }

  #parseLine(line: string): void {
    // A # within a word is no comment, so that paths may hold one.
    const text = line.replace(/\r$/, "").replace(/(^|\s)#.*$/, "");
    const control = /[\p{Cc}]/u.exec(text.replaceAll("\t", " "));
    if (control !== null) {
      this.#error(
        `control character ${excerpt(control[0])}, but text was expected`,
      );
      return;
    }
    const [word, ...rest] = text.split(/\s+/).filter((it) => it !== "");
    if (word === undefined) return;
    const role = own(MEMBER_WORDS, word.toLowerCase());
    if (role !== undefined) this.#parseMember(role, rest);
    else this.#parseWord(word, rest);
  }

  #parseMember(
    role: "replica" | Role,
    [idText, ...address]: readonly string[],
  ): void {
    // Even a wrong line shows that members are meant to be declared here.
    this.#declares = true;
    if (idText === undefined) {
      this.#error(`${role} without an id, expected \`${role} ID [MAC]\``);
      return;
    }
    const id = readValue({ type: "integer", min: 1, max: 65535 }, idText);
    if (id === undefined) {
      const counted = /^0+$/.test(idText)
        ? " (files that count from 0 need each id raised by one)"
        : "";
      this.#error(
        `${role} id ${
          excerpt(idText)
        }, expected a whole number from 1 to 65535${counted}`,
      );
      return;
    }
    const place = this.#parseAddress(`${role} ${id}`, address);
    if (place !== undefined) this.#declare(role, { id, ...place });
  }

  #parseAddress(
    who: string,
    words: readonly string[],
  ): Omit<Member, "id"> | undefined {
    const [first, second] = words;
    if (first === undefined) return {};
    if (words.length > 2) {
      this.#error(
        `unexpected ${excerpt(words[2])} after ${who}, expected nothing more`,
      );
      return undefined;
    }
    if (second !== undefined) {
      const endpoint = makeEndpoint(first, second);
      if (endpoint !== undefined) return { endpoint };
      this.#error(
        `address ${
          excerpt(`${first} ${second}`)
        } of ${who}, expected one MAC address, or an IPv4 address and a port from 1 to 65535`,
      );
      return undefined;
    }
    const endpoint = parseEndpoint(first);
    if (endpoint !== undefined) return { endpoint };
    const address = parseMac(first);
    if (address === undefined) {
      this.#error(
        `address ${
          excerpt(first)
        } of ${who}, expected a MAC address like 02:00:00:00:00:01 or an IPv4 address and port like 10.0.0.1:7400`,
      );
      return undefined;
    }
    if ((address[0] & 1) === 1 || address.every((byte) => byte === 0)) {
      // The lowest bit of the first byte marks a group (IEEE 802-2014, 8.2.2).
      const what = address[0] & 1 ? "is a group address" : "is all zero";
      this.#error(
        `address ${
          excerpt(first)
        } of ${who} ${what}, expected a node's own MAC`,
      );
      return undefined;
    }
    return { address };
  }

  #declare(role: "replica" | Role, member: Member): void {
    const roles: readonly Role[] = role === "replica"
      ? ["proposer", "acceptor", "learner"]
      : [role];
    for (const it of roles) {
      const known = this.#members[it].get(member.id);
      if (known !== undefined) {
        this.#error(
          `${it} ${member.id} is named again (first on line ${known.line}), expected each id once in a role`,
        );
        return;
      }
    }
    for (const it of roles) {
      this.#members[it].set(member.id, { member, line: this.#lastLine });
    }
  }

  #parseWord(written: string, [text, ...rest]: readonly string[]): void {
    const word = written.toLowerCase().replaceAll("_", "-");
    const obsolete = own(OBSOLETE_WORDS, word);
    if (obsolete !== undefined) {
      this.#warn(`${word} means nothing any more: ${obsolete}`);
      return;
    }
    if (!Object.hasOwn(WORDS, word)) {
      const known = [...Object.keys(WORDS), ...Object.keys(MEMBER_WORDS)];
      const near = nearest(
        word,
        known.filter((it) => it.length > 1),
      );
      const meant = near === undefined ? "" : ` (did you mean ${near}?)`;
      this.#error(
        `unknown word ${
          excerpt(written)
        }${meant}, expected a role or an option`,
      );
      return;
    }
    const first = this.#lines.get(word);
    if (first !== undefined) {
      this.#error(
        `${word} is set again (first on line ${first}), expected it once`,
      );
      return;
    }
    this.#lines.set(word, this.#lastLine);
    this.#readWord(word as Word, text, rest);
  }

  #readWord(word: Word, text: string | undefined, rest: string[]): void {
    const { kind, only }: WordSpec = WORDS[word];
    const expected = describeValue(kind);
    if (text === undefined) {
      this.#error(`${word} without a value, expected ${expected}`);
      return;
    }
    if (rest.length > 0) {
      this.#error(
        `unexpected ${excerpt(rest[0])} after ${word} ${
          excerpt(text)
        }, expected one value`,
      );
      return;
    }
    const value = readValue(kind, text);
    if (value === undefined) {
      this.#error(`${word} ${excerpt(text)}, expected ${expected}`);
      return;
    }
    if (only === "lmdb") {
      this.#lmdbWords.push(`${this.#source}:${this.#lastLine}: ${word}`);
    }
    this.#values.set(word, value);
  }

  #checkMembers(
    acceptors: readonly Member[],
    proposers: readonly Member[],
  ): void {
    for (
      const [role, members] of [
        ["acceptor", acceptors],
        ["proposer", proposers],
      ] as const
    ) {
      if (members.length === 0) {
        this.#error(
          `no ${role}, expected at least one line \`${role} ID\` or \`replica ID\``,
        );
      }
      if (members.length > MEMBERS_MAX) {
        this.#error(
          `${members.length} ${role}s, expected at most ${MEMBERS_MAX}`,
        );
      }
    }
    if (acceptors.length > 0 && acceptors.length % 2 === 0) {
      this.#warnings.push(
        `${this.#source}: ${acceptors.length} acceptors survive no more failures than ${
          acceptors.length - 1
        }; an odd number is better`,
      );
    }
  }

  #checkWords(values: WordValues, proposers: readonly Member[]): void {
    const leads = !this.#values.has("leader") || proposers.length === 0 ||
      proposers.some(({ id }) => id === values.leader);
    if (leads) return;
    const known = proposers.map(({ id }) => id).join(", ");
    this.#error(
      `leader ${values.leader} is no proposer, expected one of ${known}`,
      this.#lines.get("leader"),
    );
  }

  #allValues(): WordValues {
    const entries = (Object.keys(WORDS) as Word[]).map((word) => {
      const { kind, default: fallback }: WordSpec = WORDS[word];
      return [word, this.#values.get(word) ?? readValue(kind, fallback)];
    });
    return Object.fromEntries(entries) as WordValues;
  }

  #sorted(role: Role): Member[] {
    return [...this.#members[role].values()]
      .map(({ member }) => member)
      .sort((a, b) => a.id - b.id);
  }

  #warn(problem: string): void {
    this.#warnings.push(`${this.#source}:${this.#lastLine}: ${problem}`);
  }

  #error(problem: string, line = this.#lastLine): void {
    this.#errors.push(`${this.#source}:${line}: ${problem}`);
  }

  #throwErrors(): void {
    if (this.#errors.length === 0) return;
    const shown = this.#errors.slice(0, ERRORS_MAX);
    const hidden = this.#errors.length - shown.length;
    if (hidden > 0) shown.push(`${this.#source}: and ${hidden} more`);
    throw new UserError(shown.join("\n"), EXIT.usage);
  }
}

function readFile(path: string): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    if (fstatSync(fd).isDirectory()) {
      throw Object.assign(new Error(), { code: "EISDIR" });
    }
    // One byte more than allowed shows that there is more; a device may have no end.
    const bytes = new Uint8Array(FILE_BYTES_MAX + 1);
    let used = 0;
    for (let count = -1; count !== 0 && used < bytes.length; used += count) {
      count = readSync(fd, bytes, used, bytes.length - used, null);
    }
    if (used <= FILE_BYTES_MAX) return bytes.subarray(0, used);
  } catch (error) {
    throw new UserError(
      `${path}: ${
        whyUnreadable(error)
      }, expected a configuration file; without --conf there are three replicas, ids 1 to 3`,
      EXIT.usage,
      { cause: error },
    );
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  throw new UserError(
    `${path}: more than ${FILE_BYTES_MAX} bytes, expected a configuration file`,
    EXIT.usage,
  );
}

function whyUnreadable(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "EISDIR":
      return "this is a directory";
    case "EACCES":
    case "EPERM":
      return "permission to read it is denied";
    default:
      return message;
  }
}

/** Reads six bytes in hexadecimal with : or - between them; undefined when `text` is no MAC address. */
function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (byte) => parseInt(byte, 16));
}

/** What a record holds under `key` itself, not what every object inherits. */
function own<V>(record: Readonly<Record<string, V>>, key: string) {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
