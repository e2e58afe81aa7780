/** A real browser without a window, driven through the DevTools protocol: one page that tests look at. */

/** How long the browser may take for anything; a limit for a browser that hangs. */
const LIMIT_MS = 60_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--remote-debugging-port=0",
];

type Fields = Record<string, unknown>;

/** What comes over the socket: an answer, or an event of the browser. */
interface Incoming {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** What a page asked its browser for, and what the browser complained about. */
export interface Watched {
  readonly requests: string[];
  /** Errors and warnings of the console, exceptions, refusals of the policy. */
  readonly complaints: string[];
}

/** One browser with one page. Dispose of it with `await using`. */
export class Chromium implements AsyncDisposable {
  readonly watched: Watched = { requests: [], complaints: [] };
  readonly #process: Process;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, PromiseWithResolvers<Fields>>();
  readonly #events = new Map<string, PromiseWithResolvers<Fields>>();
  #commands = 0;
  #session: string | undefined;

  private constructor(
    process: Process,
    socket: WebSocket,
  ) {
    this.#process = process;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#fail("the browser closed the connection");
  }

  /**
   * Starts Chromium with an empty page.
   *
   * @throws {Error} if there is no Chromium or it does not start.
   */
  static async start(): Promise<Chromium> {
    const process = await Process.start();
    try {
      const socket = new WebSocket(await process.endpoint());
      await within("connecting", opened(socket));
      const browser = new Chromium(process, socket);
      await browser.#attach();
      return browser;
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  /** Opens a page and waits until it and its scripts are loaded. */
  async open(url: string): Promise<void> {
    const loaded = this.#event("Page.loadEventFired");
    const { errorText } = await this.command("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await within(`loading ${url}`, loaded);
    await this.painted();
  }

  /** The value of an expression in the page; of a promise, what it brings. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.command(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true },
    );
    if (exceptionDetails !== undefined) {
      throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    }
    return (result as { value: T }).value;
  }

  /** Waits until what scripts changed is painted. */
  async painted(): Promise<void> {
    await this.evaluate(
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
  }

  /** Presses and releases a key that writes one character. */
  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.command("Input.dispatchKeyEvent", {
        type,
        key,
        text: type === "keyDown" ? key : undefined,
      });
    }
    await this.painted();
  }

  /** Moves the pointer to a point of the window. */
  async point(x: number, y: number): Promise<void> {
    await this.command("Input.dispatchMouseEvent", {
      type: "mouseMoved",
      x,
      y,
    });
    await this.painted();
  }

  /** Clicks at a point of the window. */
  async click(x: number, y: number): Promise<void> {
    await this.point(x, y);
    for (const type of ["mousePressed", "mouseReleased"]) {
      const button = { button: "left", clickCount: 1 };
      await this.command("Input.dispatchMouseEvent", { type, x, y, ...button });
    }
    await this.painted();
  }

  /** Clicks in the middle of the element that a CSS selector finds. */
  async clickOn(selector: string): Promise<void> {
    const [x, y] = await this.evaluate<[number, number]>(`(() => {
      const found = document.querySelector(${JSON.stringify(selector)});
      found.scrollIntoView({ block: "nearest" });
      const { left, top, width, height } = found.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    })()`);
    await this.click(x, y);
  }

  /** What the window shows, as PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.command("Page.captureScreenshot");
    return Uint8Array.from(atob(data as string), (c) => c.charCodeAt(0));
  }

  /** Sets the window's size and whether people like it dark. */
  async look(
    { width, height, dark }: { width: number; height: number; dark: boolean },
  ): Promise<void> {
    await this.command("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.command("Emulation.setEmulatedMedia", {
      features: [{
        name: "prefers-color-scheme",
        value: dark ? "dark" : "light",
      }],
    });
  }

  /** Any other command of the protocol. */
  command(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.#commands;
    const answer = Promise.withResolvers<Fields>();
    this.#answers.set(id, answer);
    const sessionId = this.#session;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return within(method, answer.promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.onclose = null;
    this.#socket.close();
    await this.#process.end();
  }

  async #attach(): Promise<void> {
    const { targetId } = await this.command("Target.createTarget", {
      url: "about:blank",
    });
    const { sessionId } = await this.command("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    this.#session = sessionId as string;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) {
      await this.command(`${domain}.enable`);
    }
    await this.look({ width: 1280, height: 900, dark: false });
  }

  #event(method: string): Promise<Fields> {
    const event = Promise.withResolvers<Fields>();
    this.#events.set(method, event);
    return event.promise;
  }

  #take({ id, method, params = {}, result, error }: Incoming): void {
    if (id !== undefined) {
      const answer = this.#answers.get(id);
      this.#answers.delete(id);
      if (error === undefined) answer?.resolve(result ?? {});
      else answer?.reject(new Error(`The browser answers: ${error.message}`));
      return;
    }
    this.#watch(method ?? "", params);
    this.#events.get(method ?? "")?.resolve(params);
  }

  #watch(method: string, params: Fields): void {
    const { requests, complaints } = this.watched;
    const told = JSON.stringify(params);
    if (method === "Network.requestWillBeSent") {
      requests.push((params.request as { url: string }).url);
    }
    if (method === "Runtime.exceptionThrown") complaints.push(told);
    if (
      method === "Runtime.consoleAPICalled" &&
      ["error", "warning", "assert"].includes(params.type as string)
    ) complaints.push(told);
    if (method === "Log.entryAdded") complaints.push(told);
    if (method === "Page.javascriptDialogOpening") complaints.push(told);
  }

  #fail(reason: string): void {
    for (const waiting of [...this.#answers, ...this.#events]) {
      waiting[1].reject(new Error(`Chromium: ${reason}`));
    }
  }
}

/** The browser's processes, what they say, and the folder in which they write. */
class Process {
  readonly #child: Deno.ChildProcess;
  readonly #profile: string;
  #said = "";
  #listen!: (endpoint: string | undefined) => void;
  readonly #endpoint = new Promise<string | undefined>((resolve) => {
    this.#listen = resolve;
  });
  readonly #silent: Promise<void>;

  private constructor(child: Deno.ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#silent = this.#read();
  }

  static async start(): Promise<Process> {
    const profile = await Deno.makeTempDir({ prefix: "kpaxos-chromium-" });
    try {
      return new Process(spawn(profile), profile);
    } catch (cause) {
      await Deno.remove(profile);
      throw new Error(
        "Chromium could not be started; scripts/bootstrap installs it (Debian's package chromium).",
        { cause },
      );
    }
  }

  /** Where it listens, which it says on its standard error. */
  async endpoint(): Promise<string> {
    const endpoint = await within("starting", this.#endpoint);
    if (endpoint !== undefined) return endpoint;
    throw new Error(`Chromium ended instead of starting:\n${this.#said}`);
  }

  /** Ends it and removes what it wrote. */
  async end(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    // Its other processes hold the pipe, and write, a little longer.
    await within("ending", this.#silent);
    await Deno.remove(this.#profile, { recursive: true });
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stderr) {
      this.#said += decoder.decode(bytes, { stream: true });
      const found = /^DevTools listening on (ws:\S+)\s/m.exec(this.#said);
      if (found !== null) this.#listen(found[1]);
    }
    this.#listen(undefined);
  }
}

function spawn(profile: string): Deno.ChildProcess {
  return new Deno.Command("chromium", {
    args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
    // Nothing of it may stay in the home of whoever runs the tests.
    env: { HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("Chromium refuses the connection"));
  });
}

/** What a promise brings, if it does so in time. */
async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Chromium: ${what} took over ${LIMIT_MS} ms`)),
    LIMIT_MS,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
