/**
 * Deliberate bugs of what the host does with records: what is stored where, group commit, recovery. The
 * core's own are in `mutants.ts`.
 *
 * A mutated copy of the sources is run in place of those that ship; nothing in them knows of it.
 */
import { fileURLToPath } from "node:url";
import type * as Draw from "../sim/draw.ts";
import type * as Simulate from "../sim/simulate.ts";
import type { Property } from "../sim/violation.ts";

/** A place in a source file, and what stands there in the broken one. `find` occurs once. */
interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A deliberate bug. */
export interface StorageMutation {
  readonly name: string;
  /** What is broken, and what that costs. */
  readonly why: string;
  /** What it violates; any one of them shows it. */
  readonly violates: readonly Property[];
  readonly edits: readonly Edit[];
}

const COMMITTER = "storage/committer.ts";
const RECOVERY = "storage/recovery.ts";

export const STORAGE_MUTATIONS: readonly StorageMutation[] = [
  {
    name: "promise not put",
    why: "A restarted acceptor knows no promise but those of what it accepted.",
    violates: ["durability", "promise"],
    edits: [{
      file: COMMITTER,
      find: "this.#promised = getNumber(view, at + RECORD_BALLOT);",
      replace: "this.#promised = getNumber(view, at + RECORD_BALLOT); return;",
    }],
  },
  {
    name: "acceptance without its promise",
    why:
      "What was accepted in a ballot nobody promised is no promise any more once it is removed.",
    violates: ["durability", "invariant"],
    edits: [{
      file: COMMITTER,
      find: "if (ballot <= this.#promised) return;",
      replace: "if (ballot > 0) return;",
    }],
  },
  {
    name: "older record wins",
    why: "Of two acceptances of an instance in one commit the first is kept.",
    violates: ["durability"],
    edits: [{
      file: COMMITTER,
      find: "for (let n = this.done + 1; n <= upTo; n++) this.#take(n);",
      replace: "for (let n = upTo; n > this.done; n--) this.#take(n);",
    }],
  },
  {
    name: "last record of a commit left out",
    why: "What is told to be durable is not all there.",
    violates: ["durability"],
    edits: [{
      file: COMMITTER,
      find: "for (let n = this.done + 1; n <= upTo; n++) this.#take(n);",
      replace: "for (let n = this.done + 1; n < upTo; n++) this.#take(n);",
    }],
  },
  {
    name: "failed commit counts",
    why:
      "A commit that failed is told to be durable, so a vote leaves that is nowhere.",
    violates: ["durability"],
    edits: [{
      file: COMMITTER,
      find: "      this.#undo(error);\n      return false;",
      replace:
        "      this.#undo(error);\n      this.condition = 0;\n      this.done = upTo;\n      return true;",
    }],
  },
  {
    name: "half of a failed commit stays",
    why: "A transaction that failed is not taken back.",
    violates: ["durability"],
    edits: [{
      file: COMMITTER,
      find: "      this.#store.abort();",
      replace: "      (this.#store as unknown as { finish(): void }).finish();",
    }],
  },
  {
    name: "failed commit leaves its counts",
    why:
      "What must be there is counted twice after a commit that is tried again.",
    violates: ["durability"],
    edits: [{
      file: COMMITTER,
      find: "    this.#present.copy(this.#before);",
      replace: "",
    }],
  },
  {
    name: "what was fetched is forgotten",
    why:
      "After a restart an acceptor that lost its disk has only what it accepted since.",
    violates: ["durability"],
    edits: [{
      file: RECOVERY,
      find: "  giveState(StateKey.refilled);\n",
      replace: "",
    }],
  },
  {
    name: "trim point not stored",
    why: "After a restart nobody knows that what was removed was ever there.",
    violates: ["trim", "durability"],
    edits: [{
      file: COMMITTER,
      find:
        "    this.#put(sealRecord(makeRecord({ kind: RecordKind.trim, instance: low })));",
      replace: "",
    }],
  },
  {
    name: "trimmed beyond the stored watermark",
    why:
      "What is removed is not known to be decided after a restart, and looks as if it never was accepted.",
    violates: ["trim", "durability"],
    edits: [{
      file: COMMITTER,
      find: "const limit = Math.min(trimLimit, this.#present.decided);",
      replace: "const limit = this.#store.last(Table.log) ?? 1;",
    }],
  },
  {
    name: "damage read as absence",
    why:
      "A value whose checksum does not match is left out, as if it had never been stored.",
    violates: ["durability"],
    edits: [{
      file: RECOVERY,
      find: "if (flaw !== undefined) throw damaged(name, table, key, flaw);",
      replace: "if (flaw !== undefined) return true;",
    }, {
      file: RECOVERY,
      find:
        'if (instance > due) throw damaged(name, Table.log, due, "it is missing");',
      replace: "if (instance > due) due = Infinity;",
    }, {
      file: RECOVERY,
      find:
        'if (due !== Infinity) throw damaged(name, Table.log, due, "it is missing");',
      replace: "",
    }],
  },
  {
    name: "lost instance not missed",
    why: "An instance that was accepted and is gone looks as if it never was.",
    violates: ["durability"],
    edits: [{
      file: RECOVERY,
      find:
        'if (instance > due) throw damaged(name, Table.log, due, "it is missing");',
      replace: "if (instance > due) due = Infinity;",
    }, {
      file: RECOVERY,
      find:
        'if (due !== Infinity) throw damaged(name, Table.log, due, "it is missing");',
      replace: "",
    }],
  },
  {
    name: "lost state not missed",
    why: "A promise, or a session, that is gone looks as if it never was.",
    violates: ["durability", "invariant"],
    edits: [{
      file: RECOVERY,
      find:
        "    present.values !== found.values || present.low !== found.low ||\n    present.high !== found.high",
      replace: '    name === ""',
    }],
  },
  {
    name: "sessions not recovered",
    why:
      "A learner that goes on has no table, and delivers repeated values again.",
    violates: ["durability", "duplicates", "agreement", "invariant"],
    edits: [{
      file: RECOVERY,
      find: "for (const { place } of tables.sessions) {",
      replace: "for (const { place } of tables.sessions.slice(1)) {",
    }],
  },
  {
    name: "promise after what was accepted",
    why:
      "The core gets records in an order in which it cannot check one by another.",
    violates: ["durability"],
    edits: [{
      file: RECOVERY,
      find: "  giveState(StateKey.promise);\n",
      replace: "",
    }, {
      file: RECOVERY,
      find: "  giveState(StateKey.confirmed);\n",
      replace:
        "  giveState(StateKey.promise, StateKey.decided);\n  giveState(StateKey.confirmed);\n",
    }],
  },
  {
    name: "recovery begins above the watermark",
    why: "What may be undecided is left out, and the acceptor denies it.",
    violates: ["durability", "promise"],
    edits: [{
      file: RECOVERY,
      find: "if (from <= Math.max(needed, lowest)) return from;",
      replace: "return Math.max(from, last - 2);",
    }],
  },
  {
    name: "checkpoint in two commits",
    why:
      "A crash between them leaves sessions of one checkpoint and the end of another.",
    violates: ["invariant", "durability", "order"],
    edits: [{
      file: "sim/disk.ts",
      find: "this.#commit = { upTo: this.#last, due_us };",
      replace:
        "const { done } = this.#committer;\n    const upTo = this.#last - (this.#last - done >> 1);\n    this.#commit = { upTo, due_us };",
    }],
  },
];

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What is copied, and what is only linked to. */
const COPIED = ["sim", "storage"];
const LINKED = ["core", "roles", "ffi", "build", "types", "deno.json"];

/** The simulator, with mutated sources. */
export interface MutatedSimulator {
  readonly simulate: typeof Simulate.simulate;
  readonly drawPlan: typeof Draw.drawPlan;
}

/**
 * The simulator with one deliberate bug in the host's sources.
 *
 * @throws {Error} if a source does not hold what the mutation replaces.
 */
export async function mutatedSimulator(
  { name, edits }: StorageMutation,
): Promise<MutatedSimulator> {
  const folder = `${ROOT}build/mutants/storage.${Deno.pid}.${
    name.replaceAll(" ", "_")
  }`;
  Deno.mkdirSync(folder, { recursive: true });
  try {
    for (const link of LINKED) {
      Deno.symlinkSync(`${ROOT}${link}`, `${folder}/${link}`);
    }
    for (const part of COPIED) copySources(part, folder, name, edits);
    const load = (file: string) => import(`file://${folder}/sim/${file}`);
    const { simulate } = await load("simulate.ts");
    const { drawPlan } = await load("draw.ts");
    return { simulate, drawPlan };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function copySources(
  part: string,
  folder: string,
  name: string,
  edits: readonly Edit[],
): void {
  Deno.mkdirSync(`${folder}/${part}`);
  for (const { name: file, isFile } of Deno.readDirSync(`${ROOT}${part}`)) {
    if (!isFile || !file.endsWith(".ts") || file.endsWith("_test.ts")) continue;
    let source = Deno.readTextFileSync(`${ROOT}${part}/${file}`);
    for (const edit of edits) {
      if (edit.file === `${part}/${file}`) source = mutate(source, edit, name);
    }
    Deno.writeTextFileSync(`${folder}/${part}/${file}`, source);
  }
}

function mutate(source: string, edit: Edit, name: string): string {
  const { file, find, replace } = edit;
  const at = source.indexOf(find);
  if (at >= 0 && at === source.lastIndexOf(find)) {
    return source.slice(0, at) + replace + source.slice(at + find.length);
  }
  throw new Error(
    `Mutation "${name}": ${file} does not hold "${find}" once. The source has changed: say in tests/storage_mutants.ts what stands there now.`,
  );
}
