/** Compiles `units.as`, the doors to the core's insides, and opens an instance of it. */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SOURCE = `${ROOT}/tests/units.as`;
const BUILT = `${ROOT}/build/units`;

/** What `units.as` exports. u64 are bigints, booleans 0 or 1. */
export type Units = {
  begin(acceptors: number): number;
  take(bytes: number): number;
  hash(at: number, bytes: number, seed: bigint): bigint;
  sessionsMake(): void;
  sessionsHas(client: bigint, sequence: bigint): number;
  sessionsAdd(client: bigint, first: bigint, count: number): number;
  sessionsClear(): void;
  logMake(bytes: number): void;
  put(
    instance: bigint,
    ballot: bigint,
    batch: number,
    bytes: number,
    values: number,
    limit: bigint,
  ): number;
  low(): bigint;
  high(): bigint;
  getBallot(instance: bigint): bigint;
  getBatch(instance: bigint): number;
  getBytes(instance: bigint): number;
  getValues(instance: bigint): number;
  queueMake(): void;
  queueEmpty(): number;
  queuePush(run: number, bytes: number): number;
  queueTake(
    batch: number,
    snug: number,
    limit: number,
    valuesMax: number,
  ): number;
  queueTaken(): number;
  paceMake(): void;
  paceOpen(bytes: bigint): number;
  paceAnswer(bytes: bigint, sentAt_us: bigint): void;
  paceMark(now_us: bigint): void;
  paceLose(now_us: bigint): void;
  windowMake(batchBytes: number): void;
  windowOffer(
    instance: bigint,
    ballot: bigint,
    batch: number,
    bytes: number,
  ): number;
  windowVote(instance: bigint, ballot: bigint, acceptor: number): number;
  windowReport(instance: bigint, acceptor: number): number;
  windowLearn(
    instance: bigint,
    ballot: bigint,
    batch: number,
    bytes: number,
  ): number;
  windowAdvance(base: bigint): void;
  windowPlace(instance: bigint): number;
  windowDrop(instance: bigint): void;
  windowClear(): void;
  windowInside(instance: bigint): number;
  windowAnnounce(ballot: bigint, decided: bigint): void;
  windowDecided(instance: bigint): number;
  windowBatch(instance: bigint): number;
  windowBytes(instance: bigint): number;
};

/** When the newest of the files that go into the module was changed, ms. */
function newestSource_ms(): number {
  const files = [SOURCE, `${ROOT}/core/layout.ts`];
  for (const { name } of Deno.readDirSync(`${ROOT}/core/assembly`)) {
    files.push(`${ROOT}/core/assembly/${name}`);
  }
  return Math.max(...files.map((file) => Deno.statSync(file).mtime!.getTime()));
}

function builtAt_ms(): number {
  try {
    return Deno.statSync(`${BUILT}.wasm`).mtime!.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

async function build(): Promise<void> {
  // The copy is beside the core's folder, as `units.as` is, so that its imports hold; a name of its
  // own for every process lets tests run side by side.
  const unfinished = `${BUILT}.${Deno.pid}`;
  Deno.mkdirSync(`${ROOT}/build`, { recursive: true });
  Deno.copyFileSync(SOURCE, `${unfinished}.ts`);
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        `${ROOT}/node_modules/assemblyscript/bin/asc.js`,
        `${unfinished}.ts`,
        "--config",
        "none",
        "--runtime",
        "stub",
        "--importMemory",
        "--sharedMemory",
        "--initialMemory",
        "16",
        "--maximumMemory",
        "4096",
        "--enable",
        "threads,simd,bulk-memory",
        "--optimizeLevel",
        "3",
        "--outFile",
        `${unfinished}.wasm`,
      ],
      cwd: ROOT,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    Deno.renameSync(`${unfinished}.wasm`, `${BUILT}.wasm`);
  } finally {
    Deno.removeSync(`${unfinished}.ts`);
  }
}

if (builtAt_ms() <= newestSource_ms()) await build();
const module = new WebAssembly.Module(Deno.readFileSync(`${BUILT}.wasm`));

/** A fresh instance, its memory, and the offset of 64 KiB in it that are the test's own. */
export function openUnits(
  acceptors = 3,
): { units: Units; bytes: Uint8Array; scratch: number } {
  const memory = new WebAssembly.Memory({
    initial: 16,
    maximum: 4096,
    shared: true,
  });
  const instance = new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: () => {
        throw new Error("an invariant of the core does not hold");
      },
    },
  });
  const units = instance.exports as unknown as Units;
  const scratch = units.begin(acceptors);
  return {
    units,
    scratch,
    // The buffer is another object after the memory grew.
    get bytes() {
      return new Uint8Array(memory.buffer);
    },
  };
}
