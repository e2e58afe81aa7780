/** Private networks for tests on real sockets: namespaces joined by a bridge, gone when the test is over. */

/** What a test asks for. */
export interface NetOptions {
  /** Names of the nodes, "a", "b": each gets a namespace of its own. */
  readonly nodes: readonly string[];
  /** MTU of every link (default 1500). */
  readonly mtu?: number;
}

/** Namespaces need root; tests that use them are ignored without. */
export const canMakeNamespaces = Deno.uid() === 0;

/** The name of each node's interface in its own namespace. */
export const INTERFACE = "eth0";

const BRIDGE = "bridge";
/** A port of a bridge passes frames in this state (linux/if_bridge.h, BR_STATE_FORWARDING). */
const FORWARDING = "3";
const READY_PATIENCE_MS = 10_000;

let netsMade = 0;

/**
 * Makes a namespace for each node, with `eth0` up and an IPv4 address on it, `lo`
 * up, and all of them joined by a bridge in a further namespace. Use it with
 * `await using`, which ends what was spawned and removes everything.
 *
 * @throws {Error} with the output of `ip` if something cannot be made.
 */
export async function createNet(options: NetOptions): Promise<Net> {
  const net = new Net(`kpaxos-${Deno.pid}-${netsMade++}`, options);
  try {
    await net.make();
  } catch (error) {
    await net[Symbol.asyncDispose]();
    throw error;
  }
  return net;
}

/** A private network; see `createNet`. */
export class Net implements AsyncDisposable {
  readonly nodes: readonly string[];
  readonly mtu: number;
  readonly #prefix: string;
  readonly #made: string[] = [];
  readonly #children: Deno.ChildProcess[] = [];

  constructor(prefix: string, { nodes, mtu = 1500 }: NetOptions) {
    this.#prefix = prefix;
    this.nodes = nodes;
    this.mtu = mtu;
  }

  /** The namespace of a node, as `ip netns` knows it. */
  namespace(node: string): string {
    return `${this.#prefix}-${node}`;
  }

  /** IPv4 address of a node's `eth0`. */
  ipv4(node: string): string {
    return `10.75.0.${this.nodes.indexOf(node) + 1}`;
  }

  /** The command line that runs `argv` in a node's namespace. */
  command(node: string, argv: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.namespace(node), ...argv];
  }

  /**
   * Runs a command in a node's namespace until it ends; returns what it wrote to stdout.
   *
   * @throws {Error} if it does not exit with 0.
   */
  exec(node: string, ...argv: string[]): string {
    return run(...this.command(node, argv));
  }

  /** Starts a command in a node's namespace. It is killed with the network at the latest. */
  spawn(
    node: string,
    argv: readonly string[],
    options: Omit<Deno.CommandOptions, "args"> = {},
  ): Deno.ChildProcess {
    const [program, ...args] = this.command(node, argv);
    const child = new Deno.Command(program, { ...options, args }).spawn();
    this.#children.push(child);
    return child;
  }

  /** Plugs in a node's `eth0` again after the test removed it: a new device, with a new MAC. */
  async plugIn(node: string): Promise<void> {
    const [own, bridge] = [this.namespace(node), this.namespace(BRIDGE)];
    const port = `port${this.nodes.indexOf(node)}`;
    run(
      ...["ip", "link", "add", INTERFACE, "netns", own, "mtu", `${this.mtu}`],
      ...["type", "veth", "peer", "name", port, "netns", bridge],
    );
    const inBridge = ["ip", "-n", bridge, "link", "set", port];
    run(...inBridge, "mtu", `${this.mtu}`, "master", "br0");
    run(
      ...["ip", "-n", own, "address", "add", `${this.ipv4(node)}/24`],
      ...["dev", INTERFACE],
    );
    run("ip", "-n", own, "link", "set", INTERFACE, "up");
    run(...inBridge, "up");
    await this.#forwards(port);
  }

  /** Makes the namespaces and links; only for `createNet`. */
  async make(): Promise<void> {
    for (const name of [BRIDGE, ...this.nodes].map((n) => this.namespace(n))) {
      run("ip", "netns", "add", name);
      this.#made.push(name);
      run("ip", "-n", name, "link", "set", "lo", "up");
    }
    const bridge = this.namespace(BRIDGE);
    run("ip", "-n", bridge, "link", "add", "br0", "type", "bridge");
    run("ip", "-n", bridge, "link", "set", "br0", "up");
    for (const node of this.nodes) await this.plugIn(node);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It ended by itself.
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
    }
    for (const name of this.#made) run("ip", "netns", "delete", name);
  }

  /** A port takes a moment after it is up; until then the bridge drops its frames. */
  async #forwards(port: string): Promise<void> {
    const deadline = Date.now() + READY_PATIENCE_MS;
    const state = `/sys/class/net/${port}/brport/state`;
    while (this.exec(BRIDGE, "cat", state).trim() !== FORWARDING) {
      if (Date.now() > deadline) {
        throw new Error(`Bridge port ${port} does not come up`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Runs a command until it ends; returns its stdout, and throws its stderr if it fails. */
function run(...argv: string[]): string {
  const [program, ...args] = argv;
  const { success, stdout, stderr } = new Deno.Command(program, { args })
    .outputSync();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(
      `${argv.join(" ")} failed: ${decoder.decode(stderr)}`,
    );
  }
  return decoder.decode(stdout);
}
