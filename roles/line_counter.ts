/** Counts the lines of a file that another process still writes. */

const CHUNK_BYTES = 1 << 20;
const NEWLINE = 10;

/** Complete lines of a growing file. */
export class LineCounter {
  /** Complete lines that were there at the last look. */
  lines = 0;
  readonly #file: Deno.FsFile;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);

  /** @param path A file that exists. */
  constructor(path: string) {
    this.#file = Deno.openSync(path);
  }

  /** Looks at what was added since the last look; false: nothing was. */
  advance(): boolean {
    let grew = false;
    for (;;) {
      const bytes = this.#file.readSync(this.#chunk);
      if (bytes === null) return grew;
      grew = true;
      const added = this.#chunk.subarray(0, bytes);
      let at = -1;
      while ((at = added.indexOf(NEWLINE, at + 1)) >= 0) this.lines++;
    }
  }

  close(): void {
    this.#file.close();
  }
}
