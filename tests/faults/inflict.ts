/** What can happen to one member of a cluster, and to its cables: it is done, lasts, and is undone. */
import type { Random } from "../../sim/random.ts";
import { type Site, sleep } from "./site.ts";

export const FAULTS = [
  "kill",
  "kill leader",
  "freeze",
  "unplug",
  "lose",
  "split",
] as const;
export type Fault = (typeof FAULTS)[number];

/** How long one lasts. */
export const FAULT_MS = [100, 3_000] as const;

/**
 * Does one thing to one member, and undoes it.
 *
 * @param mortal Members that may be killed.
 */
export async function inflict(
  site: Site,
  fault: Fault,
  random: Random,
  mortal: readonly string[],
): Promise<void> {
  const leader = await site.led();
  const victim = fault === "kill leader" && mortal.includes(leader)
    ? leader
    : random.pick(fault.startsWith("kill") ? mortal : site.members);
  const host = site.host(victim);
  const lasts_ms = random.between(...FAULT_MS);
  const last = () => sleep(lasts_ms);
  switch (fault) {
    case "kill":
    case "kill leader":
      site.kill(victim);
      await site.process(victim).ended;
      await last();
      return await site.restart(victim);
    case "freeze":
      site.note(`${victim} frozen for ${lasts_ms} ms`);
      site.process(victim).signal("SIGSTOP");
      await last();
      return site.process(victim).signal("SIGCONT");
    case "unplug":
      site.link(host, "down");
      await last();
      return site.link(host, "up");
    case "lose": {
      const percent = random.between(5, 30);
      site.note(`${percent}% of all frames lost for ${lasts_ms} ms`);
      site.cables.lose(percent / 100);
      await last();
      return site.cables.heal();
    }
    case "split": {
      const small = [host, "c1"];
      site.note(`${small.join(" ")} cut off for ${lasts_ms} ms`);
      site.cables.split([
        small,
        site.net.nodes.filter((it) => !small.includes(it)),
      ]);
      await last();
      return site.cables.heal();
    }
  }
}
