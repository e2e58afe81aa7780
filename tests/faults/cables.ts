/** Faults of a private network's cables: who hears whom, and how much is lost, by nft(8) in the bridge. */
import type { Net } from "../netns.ts";

const BRIDGE = "bridge";

/** The cables between the nodes of a network. All are whole at first. */
export class Cables {
  readonly #net: Net;

  constructor(net: Net) {
    this.#net = net;
  }

  /** Frames pass within a group alone; nodes that no group names are alone. */
  split(groups: readonly (readonly string[])[]): void {
    const pairs = groups.flatMap((group) =>
      group.map((from) => {
        const reached = group.filter((to) => to !== from);
        return reached.length === 0
          ? ""
          : `iifname ${this.#port(from)} oifname ${this.#set(reached)} accept`;
      })
    ).filter((rule) => rule !== "");
    this.#rules([...pairs, "drop"]);
  }

  /** What leaves these nodes reaches nobody, though they still hear. */
  mute(nodes: readonly string[]): void {
    this.#rules([`iifname ${this.#set(nodes)} drop`]);
  }

  /** Loses a fraction of all frames, 0 to 1. */
  lose(fraction: number): void {
    this.#rules([
      `numgen random mod 1000 < ${Math.round(fraction * 1000)} drop`,
    ]);
  }

  /** Makes all cables whole again. */
  heal(): void {
    this.#rules([]);
  }

  /** In one transaction, so that there is no moment with half of the rules. */
  #rules(rules: readonly string[]): void {
    this.#net.exec(
      BRIDGE,
      "nft",
      [
        // Deleting needs it to be there.
        "add table bridge faults",
        "delete table bridge faults",
        "table bridge faults {",
        "chain forward { type filter hook forward priority 0; policy accept;",
        ...rules,
        "}",
        "}",
        "",
      ].join("\n"),
    );
  }

  #port(node: string): string {
    return `port${this.#net.nodes.indexOf(node)}`;
  }

  #set(nodes: readonly string[]): string {
    return `{ ${nodes.map((node) => this.#port(node)).join(", ")} }`;
  }
}
