/** A process that this one started, and the lines that it prints. */

/** The lines of a stream, kept from the first to the last. */
export class LineReader {
  /** Complete lines so far, without their newlines. */
  readonly lines: string[] = [];
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  readonly #waiting = new Set<(line: string) => void>();

  /** @param onLine Called with every line as soon as it is complete. */
  constructor(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    onLine: (line: string) => void = () => {},
  ) {
    this.#waiting.add(onLine);
    this.ended = this.#read(stream);
  }

  /**
   * The first line that matches, of those that came and those that will.
   *
   * @returns undefined if the stream ended without one.
   */
  async find(pattern: RegExp): Promise<string | undefined> {
    const found = this.lines.find((line) => pattern.test(line));
    if (found !== undefined) return found;
    let waiting = (_line: string) => {};
    const comes = new Promise<string>((resolve) => {
      waiting = (line) => pattern.test(line) && resolve(line);
      this.#waiting.add(waiting);
    });
    const line = await Promise.race([comes, this.ended]);
    this.#waiting.delete(waiting);
    return line ?? undefined;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + text).split("\n");
      rest = pieces.pop()!;
      pieces.forEach((line) => this.#add(line));
    }
    if (rest !== "") this.#add(rest);
  }

  #add(line: string): void {
    this.lines.push(line);
    for (const waiting of this.#waiting) waiting(line);
  }
}

/** How a process is started. */
export interface LocalProcessOptions {
  /** For messages: "replica 1". */
  readonly name: string;
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Standard output goes to this file, past this process. */
  readonly outputFile?: string;
  /** Behind what is there; otherwise the file is emptied first. */
  readonly appends?: boolean;
  /** "piped": something will be written to `stdin`; otherwise it is empty. */
  readonly stdin?: "piped";
  /** Environment in place of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line on standard output and standard error. */
  readonly onOutput?: (line: string) => void;
  readonly onError?: (line: string) => void;
}

/** A process that this one started. */
export class LocalProcess {
  readonly name: string;
  readonly output: LineReader;
  readonly errors: LineReader;
  /** Resolves when the process has ended and all that it printed was read. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  #hasEnded = false;

  constructor(options: LocalProcessOptions) {
    const { name, outputFile, appends, stdin = "null", env } = options;
    const argv = outputFile === undefined ? options.argv : [
      ...["sh", "-c", `exec ${appends ? ">>" : ">"}"$0"; exec "$@"`],
      ...[outputFile, ...options.argv],
    ];
    this.name = name;
    this.#child = new Deno.Command(argv[0], {
      args: argv.slice(1),
      stdin,
      stdout: "piped",
      stderr: "piped",
      ...(env === undefined ? {} : { env, clearEnv: true }),
    }).spawn();
    this.output = new LineReader(this.#child.stdout, options.onOutput);
    this.errors = new LineReader(this.#child.stderr, options.onError);
    this.ended = this.#watch();
  }

  get pid(): number {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdin;
  }

  /** Sends a signal; does nothing to a process that has ended. */
  signal(signal: Deno.Signal): void {
    if (this.#hasEnded) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It ended, and that is about to be known here.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Asks it to leave, and kills it if it has not within this time. */
  async leave(patience_ms: number): Promise<Deno.CommandStatus> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), patience_ms);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async #watch(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.#hasEnded = true;
    await Promise.all([this.output.ended, this.errors.ended]);
    return status;
  }
}
