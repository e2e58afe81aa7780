/** Where the bench runs: a private network, a folder on the disk, the processes in them, and their end. */
import { statfsSync } from "node:fs";
import { EXIT, UserError } from "../errors.ts";
import { listenForInterrupts } from "../interrupted.ts";
import { LocalProcess, type LocalProcessOptions } from "../local_process.ts";
import {
  type Host,
  type Namespaces,
  NoNamespaces,
  openNamespaces,
} from "../private_network.ts";

/** Hosts of the cluster; the one behind them is the client's. */
export const CLUSTER_HOSTS = 3;
/** Index of the client's host. */
export const CLIENT_HOST: number = CLUSTER_HOSTS;

/** How long a process may take to leave. */
const LEAVE_MS = 5_000;
/** Lines of a process that are shown when it failed. */
const SAID_LINES = 5;
/** A cell may write this much to the disk in the worst case. */
const FREE_BYTES_MIN = 4 * 2 ** 30;

interface Network {
  readonly namespaces: Namespaces;
  readonly hosts: readonly Host[];
}

/** The place of one bench. Dispose of it with `await using`. */
export class Stage implements AsyncDisposable {
  readonly folder: string;
  readonly #networks = new Map<number, Network>();
  readonly #processes = new Set<LocalProcess>();
  /** Rejects when there is no point in going on. */
  readonly #trouble: Promise<never>;
  #giveUp: (error: Error) => void = () => {};
  #stopListening: () => void;

  /**
   * @param folder Where to make a folder of its own; absent: $TMPDIR or /tmp.
   * @param storesOnDisk There must be room for databases.
   * @throws {UserError} if it cannot be made there, or too little room is left.
   */
  constructor(folder: string | undefined, storesOnDisk: boolean) {
    this.folder = makeFolder(folder);
    if (storesOnDisk) requireRoom(this.folder);
    this.#trouble = new Promise((_, reject) => this.#giveUp = reject);
    this.#trouble.catch(() => {
      // It may come while nobody waits.
    });
    this.#stopListening = this.#listen();
  }

  /** Makes the network, if there is none with this MTU yet. */
  async connect(mtu: number): Promise<void> {
    if (this.#networks.has(mtu)) return;
    try {
      const namespaces = await openNamespaces(CLUSTER_HOSTS + 1, mtu);
      const hosts: Host[] = [];
      this.#networks.set(mtu, { namespaces, hosts });
      for (let node = 1; node <= CLUSTER_HOSTS + 1; node++) {
        hosts.push(await namespaces.openHost(node));
      }
    } catch (error) {
      if (!(error instanceof NoNamespaces)) throw error;
      throw new UserError(
        `the bench needs a private network, and none can be made here: ${error.message}; ` +
          "run it as root, or allow unprivileged user namespaces",
        EXIT.environment,
      );
    }
  }

  /** The hosts with this MTU. */
  hosts(mtu: number): readonly Host[] {
    return this.#networks.get(mtu)!.hosts;
  }

  /** Starts a process; what it prints is kept. */
  start(options: LocalProcessOptions): LocalProcess {
    const process = new LocalProcess(options);
    this.#processes.add(process);
    process.ended.then(() => this.#processes.delete(process));
    return process;
  }

  /** Waits for the end of a process, which must come with exit code 0; returns what it printed. */
  async finish(process: LocalProcess): Promise<readonly string[]> {
    const status = await this.orTrouble(process.ended);
    if (!status.success) throw failure(process, status);
    return process.output.lines;
  }

  /** The first line that a process prints. */
  async firstLine(process: LocalProcess): Promise<string> {
    const line = await this.orTrouble(process.output.find(/./));
    if (line === undefined) throw failure(process, await process.ended);
    return line;
  }

  /** Ends processes that run until they are told to leave. */
  async leave(processes: readonly LocalProcess[]): Promise<void> {
    await Promise.all(processes.map((it) => it.leave(LEAVE_MS)));
  }

  /** Everything that is waited for is waited for with this, so that a signal ends it. */
  orTrouble<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#trouble]);
  }

  /** A process that should run for ever: its end is the bench's. */
  watch(process: LocalProcess, isLeaving: () => boolean): void {
    process.ended.then((status) => {
      if (!isLeaving()) this.#giveUp(failure(process, status));
    });
  }

  /** Waits. */
  pause(ms: number): Promise<void> {
    return this.orTrouble(new Promise((resolve) => setTimeout(resolve, ms)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave([...this.#processes]);
    for (const { namespaces, hosts } of this.#networks.values()) {
      await Promise.all(hosts.map((host) => host.close()));
      await namespaces.close();
    }
    await Deno.remove(this.folder, { recursive: true });
    this.#stopListening();
  }

  /** Ends in order on the first signal, and at once on the second. */
  #listen(): () => void {
    return listenForInterrupts(
      this.#giveUp,
      () => this.#processes.forEach((process) => process.signal("SIGKILL")),
    );
  }
}

function makeFolder(parent: string | undefined): string {
  try {
    return Deno.makeTempDirSync({ dir: parent, prefix: "kpaxos-bench-" });
  } catch (error) {
    throw new UserError(
      `cannot make a folder for databases: ${
        (error as Error).message
      }; give a --folder that you may write to`,
      EXIT.environment,
    );
  }
}

function requireRoom(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= FREE_BYTES_MIN) return;
  Deno.removeSync(folder);
  throw new UserError(
    `${folder} is on a disk with ${
      Math.floor(bavail * bsize / 2 ** 20)
    } MB left, and databases may need ${FREE_BYTES_MIN / 2 ** 20} MB; ` +
      "give a --folder with more room, or --storage memory",
    EXIT.environment,
  );
}

/** Why a process ended that should not have. */
function failure(
  process: LocalProcess,
  { code, signal }: Deno.CommandStatus,
): UserError {
  const end = signal === null
    ? `ended with exit code ${code}`
    : `was ended by ${signal}`;
  const said = process.errors.lines.slice(-SAID_LINES);
  return new UserError(
    [`${process.name} ${end}; it said last:`, ...said].join("\n  "),
    code === EXIT.environment ? EXIT.environment : EXIT.failed,
  );
}
