/** What processes and interfaces have used so far, as the kernel counts it (proc(5)). */

/** A process since its start. */
export interface Usage {
  readonly user_s: number;
  readonly system_s: number;
  /** Context switches of all its threads that still run, whether it gave the core away or lost it. */
  readonly switches: number;
  /** Resident set, pages shared with others included. */
  readonly rssBytes: number;
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
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The program's name, in brackets, may hold anything; what follows does not.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      user_s: Number(fields[11]) / TICKS_PER_S,
      system_s: Number(fields[12]) / TICKS_PER_S,
      switches: switchesOf(pid),
      rssBytes: numberOf(status, /^VmRSS:\s+(\d+) kB/m) * 1024,
    };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function switchesOf(pid: number): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
      sum += numberOf(status, /^voluntary_ctxt_switches:\s+(\d+)/m) +
        numberOf(status, /^nonvoluntary_ctxt_switches:\s+(\d+)/m);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return sum;
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
