/** How this program starts itself again, whichever way it was packaged. */

import { fileURLToPath } from "node:url";

/**
 * The command that starts this same program, to which arguments are appended.
 *
 * - One file made with the launcher: that file. The launcher leaves its path in KPAXOS_EXE,
 *   since the executable that runs is then Deno's.
 * - One file made by `deno compile`: the executable itself.
 * - From source: Deno with the `cli.ts` of this tree.
 *
 * @returns The program and its first arguments, e.g. `["/usr/local/bin/kpaxos"]`.
 */
export function selfCommand(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const launcher = Deno.env.get("KPAXOS_EXE");
  if (launcher !== undefined) return [launcher];
  const cli = fileURLToPath(new URL("../cli.ts", import.meta.url));
  return [Deno.execPath(), "run", "-A", cli];
}
