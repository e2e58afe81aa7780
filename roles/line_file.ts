/** A file that is written line by line, in large pieces. */
import { EXIT, UserError } from "./errors.ts";

const BUFFER_BYTES = 256 << 10;
const NEWLINE = 10;

/** Lines on their way to a file; at most 256 KiB of them are in memory. */
export class LineFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #encoder = new TextEncoder();
  #used = 0;

  /** @throws {UserError} if the file cannot be created. An existing one is emptied. */
  constructor(path: string, purpose: string) {
    this.#path = path;
    try {
      this.#file = Deno.openSync(path, {
        write: true,
        create: true,
        truncate: true,
      });
    } catch (error) {
      throw new UserError(
        `cannot write ${purpose} to ${path}: ${
          (error as Error).message
        }; choose a file in a folder you may write to`,
        EXIT.usage,
      );
    }
  }

  /** Adds one line. */
  write(line: Uint8Array | string): void {
    const bytes = typeof line === "string" ? this.#encoder.encode(line) : line;
    if (this.#used + bytes.length + 1 > BUFFER_BYTES) this.flush();
    if (bytes.length >= BUFFER_BYTES) {
      // The file takes no shared memory.
      this.#writeAll(bytes.slice());
    } else {
      this.#buffer.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    this.#buffer[this.#used++] = NEWLINE;
  }

  /** Hands what is buffered to the kernel. */
  flush(): void {
    this.#writeAll(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  close(): void {
    this.flush();
    this.#file.close();
  }

  #writeAll(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) {
        at += this.#file.writeSync(bytes.subarray(at));
      }
    } catch (error) {
      throw new UserError(
        `cannot write to ${this.#path}: ${(error as Error).message}`,
      );
    }
  }
}
