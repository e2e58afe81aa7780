/** Delivered values on their way out of the program: to standard output, or to all readers of a socket. */
import type { DeliveryReader } from "./delivery.ts";
import { EXIT, UserError } from "./errors.ts";

/** A reader that takes nothing for so long is cut off, so that it does not hold up the others for ever. */
const STUCK_MS = 10_000;

/** Where formatted values go. */
export interface Outlet {
  /** Resolves when the bytes are taken; false: nobody is left to take any more. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
  close(): void;
}

/** Moves everything from the ring to the outlets, until it ends or an outlet says so. */
export async function publish(
  reader: DeliveryReader,
  outlets: readonly Outlet[],
): Promise<void> {
  while (!reader.ended) {
    const bytes = reader.take();
    if (bytes.length > 0) {
      const open = await Promise.all(
        outlets.map((outlet) => outlet.write(bytes)),
      );
      if (open.includes(false)) break;
    }
    reader.done();
    if (bytes.length === 0) await reader.readable();
  }
  outlets.forEach((outlet) => outlet.close());
}

/** Standard output. */
export class StandardOutput implements Outlet {
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) {
        at += await Deno.stdout.write(bytes.subarray(at));
      }
      return true;
    } catch (error) {
      // The program that read this has gone: as for any filter, that is the end.
      if (error instanceof Deno.errors.BrokenPipe) return false;
      throw new UserError(
        `cannot write to standard output: ${(error as Error).message}`,
      );
    }
  }

  close(): void {}
}

/** A Unix socket: every program that connects gets what is delivered from then on. */
export class SocketOutlet implements Outlet {
  readonly #listener: Deno.UnixListener;
  readonly #path: string;
  readonly #connections = new Set<Deno.UnixConn>();
  readonly #onCutOff: () => void;

  /**
   * @param onCutOff Called when a reader was cut off because it took nothing.
   * @throws {UserError} if the socket cannot be made, or another process serves it.
   */
  static async open(path: string, onCutOff: () => void): Promise<SocketOutlet> {
    await removeStale(path);
    try {
      return new SocketOutlet(
        Deno.listen({ transport: "unix", path }),
        path,
        onCutOff,
      );
    } catch (error) {
      throw new UserError(
        `cannot make the socket ${path}: ${
          (error as Error).message
        }; choose a path in a folder you may write to`,
        EXIT.environment,
      );
    }
  }

  private constructor(
    listener: Deno.UnixListener,
    path: string,
    onCutOff: () => void,
  ) {
    this.#listener = listener;
    this.#path = path;
    this.#onCutOff = onCutOff;
    this.#accept();
  }

  /** Programs that read now. */
  get readers(): number {
    return this.#connections.size;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    await Promise.all(
      [...this.#connections].map((connection) => this.#send(connection, bytes)),
    );
    return true;
  }

  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Somebody else tidied up.
    }
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
    }
  }

  async #send(
    connection: Deno.UnixConn,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#sendSome(connection, bytes.subarray(at));
      }
    } catch {
      // The reader has gone, or was cut off.
      if (this.#connections.delete(connection)) connection.close();
    }
  }

  async #sendSome(
    connection: Deno.UnixConn,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<number> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stuck = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#onCutOff();
        reject(new Error("stuck"));
      }, STUCK_MS);
    });
    try {
      return await Promise.race([connection.write(bytes), stuck]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Removes a socket that a process left behind when it died. */
async function removeStale(path: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch {
    return;
  }
  if (!info.isSocket) {
    throw new UserError(
      `${path} is there and is no socket; choose another path for --socket`,
      EXIT.usage,
    );
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch {
    await Deno.remove(path);
    return;
  }
  throw new UserError(
    `another process serves the socket ${path}; stop it, or choose another path for --socket`,
    EXIT.environment,
  );
}
