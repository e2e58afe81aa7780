/** The same role on every host of a private network. */
import type { Net } from "./netns.ts";
import type { Kpaxos, Stage } from "./process.ts";

/** Hosts of nodes 1 to 3. */
export const HOSTS = ["a", "b", "c"];

/** Where a host's processes are started. */
export function on(net: Net, host: string): { prefix: string[] } {
  return { prefix: net.command(host, []) };
}

/** Starts a role on every host, with ids 1 to 3. */
export function runOnAll(
  stage: Stage,
  net: Net,
  role: string,
  options = "",
): Promise<Kpaxos[]> {
  return Promise.all(
    HOSTS.map((host, i) =>
      stage.run(`${role} --id ${i + 1} --if eth0${options}`, on(net, host))
    ),
  );
}
