/** What `perf script` prints, as trees of calls: one for each process. */

/** Where a function lives. */
export type Kind = "kernel" | "core" | "script" | "native";

/** A function in a place of the call tree, and how often it or what it called was seen running. */
export interface Call {
  readonly name: string;
  readonly kind: Kind;
  samples: number;
  readonly calls: Map<string, Call>;
}

/** A tree for each process id; its root is the process itself. */
export function treesOf(text: string): Map<number, Call> {
  const trees = new Map<number, Call>();
  for (const sample of text.split("\n\n")) {
    const [head, ...lines] = sample.split("\n").filter((line) => line !== "");
    const named = /^(.*\S)\s+(\d+)\s*$/.exec(head ?? "");
    if (named === null) continue;
    const [, thread, id] = named;
    const pid = Number(id);
    const root = trees.get(pid) ?? call("all", "native");
    trees.set(pid, root);
    add(root, [{ name: thread, kind: "native" }, ...framesOf(lines)]);
  }
  return trees;
}

/** Seen running itself, not what it called. */
export function ownSamples({ samples, calls }: Call): number {
  return [...calls.values()].reduce((own, it) => own - it.samples, samples);
}

/** Functions with the samples that they themselves were seen running in, the most first. */
export function ownByFunction(root: Call): [name: string, samples: number][] {
  const own = new Map<string, number>();
  const visit = (it: Call) => {
    own.set(it.name, (own.get(it.name) ?? 0) + ownSamples(it));
    it.calls.forEach(visit);
  };
  visit(root);
  return [...own].filter(([, samples]) => samples > 0)
    .sort(([, a], [, b]) => b - a);
}

function call(name: string, kind: Kind): Call {
  return { name, kind, samples: 0, calls: new Map() };
}

function add(root: Call, path: readonly { name: string; kind: Kind }[]): void {
  root.samples++;
  let at = root;
  for (const { name, kind } of path) {
    const next = at.calls.get(name) ?? call(name, kind);
    at.calls.set(name, next);
    next.samples++;
    at = next;
  }
}

/** The callers first. What nobody has a name for, the runtime's own functions, is one frame. */
function framesOf(lines: readonly string[]): { name: string; kind: Kind }[] {
  const frames = lines.toReversed().flatMap((line) => {
    const parts = /^\s*[0-9a-f]+ (.*?) \((\/.*|\[.*)\)$/.exec(line);
    return parts === null ? [] : [frameOf(parts[1], parts[2])];
  });
  return frames.filter(({ name }, i) => name !== frames[i - 1]?.name);
}

function frameOf(symbol: string, object: string): { name: string; kind: Kind } {
  const name = symbol.replace(/\+0x[0-9a-f]+$/, "");
  if (object.startsWith("[kernel")) {
    return {
      name: name.replace(/\.(isra|part|constprop|cold)\.\d+/g, ""),
      kind: "kernel",
    };
  }
  const core = /^JS:core\/assembly\/(.*)-\d+-\w+$/.exec(name);
  if (core !== null) return { name: core[1], kind: "core" };
  const script = /^JS:\S*?([\w#$.]*) (?:\S*\/)?([^/\s]+?):\d+:\d+$/.exec(name);
  if (script !== null) {
    return {
      name: `${script[1] || "(anonymous)"} ${script[2]}`,
      kind: "script",
    };
  }
  if (
    /^(JS|Stub|Builtin|Handler|BytecodeHandler|RegExp|Script|Function|Eval):/
      .test(name)
  ) {
    return { name, kind: "script" };
  }
  const file = object.replace(" (deleted)", "").split("/").at(-1)!
    .replace("memfd:", "");
  return { name: name === "[unknown]" ? file : name, kind: "native" };
}
