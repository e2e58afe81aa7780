/** The folder of a run: what is large in it goes when all was well. */

/** Removes storage, submitted and delivered values below a folder: they can be large. */
export function removeValues(folder: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory && name === "storage") {
      Deno.removeSync(path, { recursive: true });
    } else if (isDirectory) removeValues(path);
    else if (/^(submitted|acknowledged)-.*\.txt$|\.ndjson$/.test(name)) {
      Deno.removeSync(path);
    }
  }
}
