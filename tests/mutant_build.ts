/**
 * A build of the core that holds every deliberate bug of `mutants.ts`.
 *
 * Each stands behind a switch, the imported constant `mutation`. All else is made from the shipping
 * sources, so that number 0 is the shipping core.
 */
import { fileURLToPath } from "node:url";
import type { CoreBuild } from "../core/core.ts";
import { type Edit, MUTATIONS } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILT = `${ROOT}build/mutants/core.wasm`;
/** What the compiler reads, besides the folder of the core's sources. */
const INPUTS = [
  "core/layout.ts",
  "core/asconfig.json",
  "core/export_globals.mjs",
  "package-lock.json",
];
const ASSEMBLY = "core/assembly";

/** A stretch of a source, and the statements or expressions that mutations put there. */
interface Place {
  readonly from: number;
  readonly to: number;
  readonly replacements: { readonly number: number; readonly text: string }[];
}

/** Where the only `text` in `source` begins, or -1 if it is not there once. */
function onlyPlace(source: string, text: string): number {
  const at = source.indexOf(text);
  return at === source.lastIndexOf(text) ? at : -1;
}

/**
 * Where the `find` of an edit begins.
 *
 * @throws {Error} if it does not stand there once; it names the mutation.
 */
export function placeOf(source: string, edit: Edit, name: string): number {
  const { file, find, after } = edit;
  const anchor = after ?? find;
  let at = onlyPlace(source, anchor);
  if (at >= 0 && after !== undefined) at = source.indexOf(find, at);
  if (at >= 0) return at;
  throw new Error(
    `Mutation "${name}": ${file} does not hold "${anchor}" once` +
      (after === undefined ? "" : `, with "${find}" behind it`) +
      `. The source has changed: say in tests/mutants.ts what stands there now.`,
  );
}

/** The places of all edits of one file, in their order. Edits of one place share it. */
function placesIn(source: string, file: string): Place[] {
  const places = new Map<string, Place>();
  MUTATIONS.forEach(({ name, edits }, i) => {
    for (const edit of edits) {
      if (edit.file !== file) continue;
      const from = placeOf(source, edit, name);
      const to = from + edit.find.length;
      const place = places.get(`${from} ${to}`) ??
        { from, to, replacements: [] };
      place.replacements.push({ number: i + 1, text: edit.replace });
      places.set(`${from} ${to}`, place);
    }
  });
  const sorted = [...places.values()].sort((a, b) => a.from - b.from);
  sorted.forEach(({ from, replacements }, i) => {
    if (i === 0 || sorted[i - 1].to <= from) return;
    const [one, other] = [sorted[i - 1].replacements, replacements].map(
      ([{ number }]) => `"${MUTATIONS[number - 1].name}"`,
    );
    throw new Error(
      `Mutations ${one} and ${other} overlap in ${file}: let them replace the same text.`,
    );
  });
  return sorted;
}

/** The sound text and the broken ones, of which `mutation` chooses. */
function guarded(sound: string, { replacements }: Place): string {
  if (sound.endsWith(";")) {
    const broken = replacements.map(({ number, text }) =>
      `if (mutation == ${number}) { ${text} } else `
    );
    return `{ ${broken.join("")}{ ${sound} } }`;
  }
  const broken = replacements.map(({ number, text }) =>
    `mutation == ${number} ? (${text}) : `
  );
  return `(${broken.join("")}(${sound}))`;
}

/** A source with all its mutations in it, each behind its number. Line numbers stay. */
function mutated(source: string, file: string): string {
  const places = placesIn(source, file);
  if (places.length === 0) return source;
  let text = 'import { mutation } from "./mutation"; ';
  let at = 0;
  for (const place of places) {
    text += source.slice(at, place.from) +
      guarded(source.slice(place.from, place.to), place);
    at = place.to;
  }
  return text + source.slice(at);
}

/** Writes the sources of the mutated core into `folder`, which is laid out as `core` is. */
function writeSources(folder: string): void {
  Deno.mkdirSync(`${folder}/assembly`, { recursive: true });
  for (const { name } of Deno.readDirSync(`${ROOT}${ASSEMBLY}`)) {
    const source = Deno.readTextFileSync(`${ROOT}${ASSEMBLY}/${name}`);
    Deno.writeTextFileSync(
      `${folder}/assembly/${name}`,
      mutated(source, name),
    );
  }
  Deno.writeTextFileSync(
    `${folder}/assembly/mutation.ts`,
    '@external("env", "mutation")\nexport declare const mutation: i32;\n',
  );
  for (const name of ["layout.ts", "asconfig.json"]) {
    Deno.copyFileSync(`${ROOT}core/${name}`, `${folder}/${name}`);
  }
}

/** Compiles all mutations into one module, as the shipping core is compiled. */
function build(): void {
  for (const { edits } of MUTATIONS) {
    for (const { file } of edits) Deno.statSync(`${ROOT}${ASSEMBLY}/${file}`);
  }
  // A name of its own for every process lets tests run side by side.
  const unfinished = `${ROOT}build/mutants/unfinished.${Deno.pid}`;
  try {
    writeSources(unfinished);
    const { success, stderr } = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "node_modules/assemblyscript/bin/asc.js",
        "--config",
        `${unfinished}/asconfig.json`,
        "--transform",
        "./core/export_globals.mjs",
        "--outFile",
        `${unfinished}/core.wasm`,
        "--textFile",
        `${unfinished}/core.wat`,
      ],
      cwd: ROOT,
    }).outputSync();
    if (!success) {
      throw new Error(
        `The mutated core does not compile:\n${
          new TextDecoder().decode(stderr)
        }`,
      );
    }
    Deno.renameSync(`${unfinished}/core.wasm`, BUILT);
  } finally {
    Deno.removeSync(unfinished, { recursive: true });
  }
}

function modified_ms(path: string): number {
  return Deno.statSync(path).mtime!.getTime();
}

/** Whether the module is there and newer than all that goes into it. */
function isBuilt(): boolean {
  const files = [
    ...INPUTS.map((name) => `${ROOT}${name}`),
    ...Deno.readDirSync(`${ROOT}${ASSEMBLY}`).map(({ name }) =>
      `${ROOT}${ASSEMBLY}/${name}`
    ),
    fileURLToPath(import.meta.url),
    fileURLToPath(new URL("mutants.ts", import.meta.url)),
  ];
  try {
    const built_ms = modified_ms(BUILT);
    return files.every((file) => modified_ms(file) < built_ms);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

let compiled: WebAssembly.Module | undefined;

/**
 * The core with one deliberate bug, or, without a name, the same build with none.
 *
 * @throws {Error} if there is no such mutation, or the core's sources no longer hold what one replaces.
 */
export function mutantBuild(name?: string): CoreBuild {
  const index = MUTATIONS.findIndex((mutation) => mutation.name === name);
  if (name !== undefined && index < 0) {
    throw new Error(`No mutation is named "${name}"; see tests/mutants.ts.`);
  }
  if (compiled === undefined) {
    if (!isBuilt()) build();
    compiled = new WebAssembly.Module(Deno.readFileSync(BUILT));
  }
  return { module: compiled, imports: { mutation: index + 1 } };
}
