/** A disk so small that it can be filled: a file system in memory, for whoever may mount one. */

const BALLAST = "ballast";
const CHUNK_BYTES = 1 << 20;
/** The last bytes are taken in pieces of a page. */
const PAGE_BYTES = 4096;

/** A mounted disk; gone when it is disposed of. */
export class SmallDisk implements Disposable {
  readonly folder: string;

  /**
   * @param folder Is made, and the disk mounted on it.
   * @throws {Error} if that is not allowed: in a mount namespace of one's own it is (mount_namespaces(7)).
   */
  constructor(folder: string, bytes: number) {
    this.folder = folder;
    Deno.mkdirSync(folder);
    run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "none", folder);
  }

  /** Takes all that is free. */
  fill(): void {
    using file = Deno.openSync(this.#ballast, { append: true, create: true });
    for (const bytes of [CHUNK_BYTES, PAGE_BYTES]) {
      while (takes(file, new Uint8Array(bytes).fill(1)));
    }
  }

  /** Gives it back. */
  free(): void {
    Deno.removeSync(this.#ballast);
  }

  [Symbol.dispose](): void {
    // Nodes that were killed may not have let go of it yet.
    run("umount", "--lazy", this.folder);
  }

  get #ballast(): string {
    return `${this.folder}/${BALLAST}`;
  }
}

/** Whether there was room for all of it. */
function takes(file: Deno.FsFile, bytes: Uint8Array): boolean {
  try {
    return file.writeSync(bytes) === bytes.length;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOSPC") return false;
    throw error;
  }
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (success) return;
  throw new Error(
    `${program} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`,
  );
}
