/**
 * Networks for many nodes on this one machine, without root: network namespaces joined by a bridge,
 * or loopback where namespaces are not to be had.
 *
 *   this process ── holder: user namespace, and a network namespace with the bridge br0
 *                     │ port1        │ port2        │ port3
 *                     │ eth0         │ eth0         │ eth0     each node: a network namespace of its own
 *                   node 1         node 2         node 3
 *
 * Nothing is named outside of these processes, no file is made and nothing is mounted: when the last
 * of them has ended, the kernel has removed everything (namespaces(7), veth(4)).
 */

import { MTU_DEFAULT } from "../ffi/nic.ts";

/** Where nodes can be started. */
export interface LocalNetwork {
  readonly kind: "namespaces" | "loopback";
  /** Options that every node needs to be on it. */
  readonly nodeOptions: readonly string[];
  /** The command line that runs `argv` as node number `node`, from 1 on; each number once. */
  command(node: number, argv: readonly string[]): string[];
  /** Removes it; the nodes must have ended. */
  close(): Promise<void>;
}

/** A node's place for several processes, one after another or at once. */
export interface Host {
  /** The command line that runs `argv` there, as often as one likes. */
  command(argv: readonly string[]): string[];
  /** The kernel's table of the host's interfaces and what went over them: proc_pid_net(5). */
  readonly countersPath: string;
  /** Its processes must have ended. */
  close(): Promise<void>;
}

/** Namespaces that could not be made, and why. */
export class NoNamespaces extends Error {
  override name = "NoNamespaces";
}

/** Debian keeps ip(8) in sbin, which is not on everybody's path. */
const PATH = `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;

/**
 * What the holder does: builds the bridge and a cable for each node, says so, and keeps the
 * namespaces until its input ends, which it does with this process at the latest.
 */
const HOLDER = `
trap '' INT TERM
command -v ip >/dev/null || { echo 'ip(8) is not installed; Debian has it in iproute2' >&2; exit 1; }
ip link add br0 type bridge && ip link set br0 up || exit 1
node=1
while [ $node -le $1 ]; do
  ip link add port$node mtu $2 type veth peer name node$node mtu $2 &&
    ip link set port$node master br0 up || exit 1
  node=$((node + 1))
done
echo ready
read -r _
`;

/** What a node does in its new namespace: takes its end of the cable, and becomes the program. */
const NODE = `
ip link set lo up &&
nsenter -t "$1" -n ip link set "node$2" netns $$ name eth0 &&
ip link set eth0 up || exit 3
shift 2
exec "$@"
`;

/** What a host does: keeps its namespace until its input ends. */
const KEEPER = "trap '' INT TERM; echo ready; read -r _";

/**
 * Makes network namespaces for so many nodes, joined by a bridge.
 *
 * @param mtu Of every interface, in bytes.
 * @throws {NoNamespaces} with the reason if this system does not let this user.
 */
export async function openNamespaces(
  nodes: number,
  mtu = MTU_DEFAULT,
): Promise<Namespaces> {
  // Root needs no user namespace, and where it has one, its sockets get smaller buffers.
  const ways = Deno.uid() === 0 ? [[], ["-U", "-r"]] : [["-U", "-r"]];
  let failure: unknown;
  for (const way of ways) {
    try {
      return await Namespaces.open(nodes, mtu, way);
    } catch (error) {
      if (!(error instanceof NoNamespaces)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** Network namespaces, joined by a bridge; see `openNamespaces`. */
export class Namespaces implements LocalNetwork {
  readonly kind = "namespaces";
  readonly nodeOptions: readonly string[] = ["--if", "eth0"];
  readonly #holder: Deno.ChildProcess;
  readonly #hasUserNamespace: boolean;

  /** Only for `openNamespaces`. */
  static async open(
    nodes: number,
    mtu: number,
    way: readonly string[],
  ): Promise<Namespaces> {
    let holder: Deno.ChildProcess;
    try {
      holder = new Deno.Command("unshare", {
        args: [
          ...[...way, "-n", "--", "sh", "-c", HOLDER],
          ...["sh", String(nodes), String(mtu)],
        ],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        env: { PATH },
      }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new NoNamespaces(
        "unshare(1) is not installed; Debian has it in util-linux",
      );
    }
    const complaint = new Response(holder.stderr).text();
    const output = holder.stdout.getReader();
    const { done } = await output.read();
    await output.cancel();
    if (done) {
      await holder.stdin.close().catch(() => {
        // It has ended and reads no more.
      });
      await holder.status;
      const reason = (await complaint).trim().replaceAll("\n", "; ");
      throw new NoNamespaces(
        // unshare(1) itself speaks when the kernel, or a container's policy, refuses.
        reason.startsWith("unshare:")
          ? `namespaces are forbidden here: ${reason}${
            Deno.uid() === 0 ? "" : "; root may be allowed more"
          }`
          : reason,
      );
    }
    return new Namespaces(holder, way.length > 0);
  }

  private constructor(holder: Deno.ChildProcess, hasUserNamespace: boolean) {
    this.#holder = holder;
    this.#hasUserNamespace = hasUserNamespace;
  }

  command(node: number, argv: readonly string[]): string[] {
    return [
      // Where there is one, it is what gives the right to the cable.
      ...(this.#hasUserNamespace ? this.#enter(this.#holder.pid) : []),
      ...["unshare", "-n", "--", "env", `PATH=${PATH}`, "sh", "-c", NODE, "sh"],
      ...[String(this.#holder.pid), String(node), ...argv],
    ];
  }

  /** Makes a node a host. */
  async openHost(node: number): Promise<Host> {
    const [program, ...args] = this.command(node, ["sh", "-c", KEEPER]);
    const keeper = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = keeper.stdout.getReader();
    const { done } = await output.read();
    await output.cancel();
    const close = async () => {
      await keeper.stdin.close().catch(() => {
        // It has ended already.
      });
      await keeper.status;
    };
    if (done) {
      await close();
      throw new NoNamespaces(`the namespace of node ${node} was not made`);
    }
    return {
      command: (argv) => [...this.#enter(keeper.pid), ...argv],
      countersPath: `/proc/${keeper.pid}/net/dev`,
      close,
    };
  }

  #enter(pid: number): string[] {
    return this.#hasUserNamespace
      ? [
        ...["nsenter", "-t", String(pid), "-U", "-n"],
        ...["--preserve-credentials", "--"],
      ]
      : ["nsenter", "-t", String(pid), "-n", "--"];
  }

  async close(): Promise<void> {
    await this.#holder.stdin.close().catch(() => {
      // It has ended already.
    });
    await this.#holder.status;
  }
}

/** UDP multicast on loopback, with a port and a cluster of its own, so that it meets no other nodes. */
export function openLoopback(): LocalNetwork {
  const [port, cluster] = crypto.getRandomValues(new Uint16Array(2));
  return {
    kind: "loopback",
    nodeOptions: [
      ...["--nic", "udp", "--if", "lo"],
      // Below the ports that Linux gives to whoever asks for any.
      ...["--udp-port", String(10_000 + port % 20_000)],
      ...["--cluster", String(Math.max(cluster, 1))],
    ],
    command: (_node, argv) => [...argv],
    close: () => Promise.resolve(),
  };
}
