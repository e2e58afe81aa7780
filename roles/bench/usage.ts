/** What processes and interfaces have used so far, as the kernel counts it (proc(5)). */

/** What a process has in memory. */
export interface Memory {
  /** Resident set, pages shared with others included (VmRSS). */
  readonly rssBytes: number;
  /** What of it is nobody else's and in no file (RssAnon). */
  readonly ownBytes: number;
}

/** A process since its start. */
export interface Usage extends Memory {
  readonly user_s: number;
  readonly system_s: number;
  /** Time on a core, in nanoseconds' steps; those above come in ticks. Of all its threads that still run. */
  readonly running_s: number;
  /** How often one of them got a core: whoever had it gave it away or lost it. */
  readonly switches: number;
}

/** An interface since it was made. */
export interface Traffic {
  readonly frames: number;
  readonly bytes: number;
}

/** Linux tells programs times in this unit on every machine that kpaxos runs on (USER_HZ). */
const TICKS_PER_S = 100;

/** @returns undefined if there is no such process any more. */
export function readUsage(pid: number): Usage | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const memory = readMemory(pid);
  if (stat === undefined || memory === undefined) return undefined;
  // The program's name, in brackets, may hold anything; what follows does not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    ...memory,
    ...readThreads(pid),
    user_s: Number(fields[11]) / TICKS_PER_S,
    system_s: Number(fields[12]) / TICKS_PER_S,
  };
}

/** @returns undefined if there is no such process any more. */
export function readMemory(pid: number): Memory | undefined {
  const status = read(`/proc/${pid}/status`);
  // Of a process that has ended and waits for its parent there is no such line.
  if (status === undefined || !status.includes("VmRSS:")) return undefined;
  return {
    rssBytes: numberOf(status, /^VmRSS:\s+(\d+) kB/m) * 1024,
    ownBytes: numberOf(status, /^RssAnon:\s+(\d+) kB/m) * 1024,
  };
}

/** Adds up what the scheduler counts of each thread: time on a core, time of waiting for one, turns. */
function readThreads(pid: number): { running_s: number; switches: number } {
  let [running_ns, switches] = [0, 0];
  for (const thread of threadsOf(pid)) {
    const counts = read(`/proc/${pid}/task/${thread}/schedstat`)?.split(" ");
    running_ns += Number(counts?.[0] ?? 0);
    switches += Number(counts?.[2] ?? 0);
  }
  return { running_s: running_ns / 1e9, switches };
}

function threadsOf(pid: number): string[] {
  try {
    return Array.from(Deno.readDirSync(`/proc/${pid}/task`), (it) => it.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** @returns undefined if the process or thread is gone. */
function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** What the interfaces of a network namespace have sent, loopback left out. */
export function readTraffic(countersPath: string): Traffic {
  let frames = 0;
  let bytes = 0;
  for (const line of Deno.readTextFileSync(countersPath).split("\n")) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === "lo") continue;
    // Eight counters of what came in, then those of what went out.
    const counts = match[2].trim().split(/\s+/).map(Number);
    bytes += counts[8];
    frames += counts[9];
  }
  return { frames, bytes };
}

function numberOf(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** ENOENT before the file is opened, ESRCH when its process ends meanwhile. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error as { code?: string }).code === "ESRCH";
}
