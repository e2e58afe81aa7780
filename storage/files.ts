/** Files and directories that must be there after a power cut: a name is on disk once its directory was synced (fsync(2)). */

/** Makes a directory and those above it, each durably in the one above. */
export function makeDirectory(path: string): void {
  if (exists(path)) return;
  const parent = path.slice(0, path.lastIndexOf("/")) ||
    (path.startsWith("/") ? "/" : ".");
  if (parent !== path) makeDirectory(parent);
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another node's process may have made the folder for both.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  syncDirectory(parent);
}

/** Makes names in a directory durable. */
export function syncDirectory(path: string): void {
  const directory = Deno.openSync(path);
  directory.syncSync();
  directory.close();
}

/** Removes a file, or a directory with all that is in it, if it is there. */
export function removeAll(path: string): void {
  if (exists(path)) Deno.removeSync(path, { recursive: true });
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
