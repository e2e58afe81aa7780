/** A real card in a process of its own, in a namespace of a test network. */
import { fileURLToPath } from "node:url";
import type { Floor } from "../ffi/floor.ts";
import type { NicStats } from "../ffi/nic.ts";
import type {
  AgentOptions,
  AgentRequest,
  FloorRequest,
  Heard,
} from "./card_agent.ts";
import type { FrameFields } from "./frames.ts";
import type { Net } from "./netns.ts";

const AGENT = fileURLToPath(new URL("./card_agent.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../deno.json", import.meta.url));

/** What a card tells of itself. */
export interface CardDescription {
  readonly address: number[];
  readonly group: number[];
  readonly mtu: number;
  readonly stats: NicStats;
}

/** The near side of `card_agent.ts`. */
export class CardProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /**
   * Opens a card in a node's namespace.
   *
   * @param prefix A command that runs the process, such as one that takes rights away.
   * @throws {Error} with the message of the process if it cannot open the card.
   */
  static async open(
    net: Net,
    node: string,
    options: AgentOptions,
    prefix: readonly string[] = [],
  ): Promise<CardProcess> {
    const argv = [...prefix, Deno.execPath(), "run", "-A", "--no-check"];
    argv.push("--config", CONFIG, AGENT, JSON.stringify(options));
    const child = net.spawn(node, argv, { stdin: "piped", stdout: "piped" });
    const card = new CardProcess(child);
    try {
      await card.#answer();
    } catch (error) {
      await card[Symbol.asyncDispose]();
      throw error;
    }
    return card;
  }

  /** Sends frames from this card, in order. */
  async send(...frames: FrameFields[]): Promise<void> {
    await this.#request({ do: "send", frames });
  }

  /** Waits until at least `count` frames were heard. */
  receive(count: number): Promise<Heard[]> {
    return this.#request({ do: "receive", count }) as Promise<Heard[]>;
  }

  /** The texts of at least `count` frames. */
  async texts(count: number): Promise<string[]> {
    return (await this.receive(count)).map(({ text }) => text);
  }

  /** One wait of the card: what it returned and how long it took. */
  wait(timeout_us: number): Promise<{ bits: number; elapsed_us: number }> {
    return this.#request({ do: "wait", timeout_us }) as Promise<
      { bits: number; elapsed_us: number }
    >;
  }

  /** Waits again and again until one of these bits was returned; returns the last answer. */
  async waitFor(bits: number): Promise<number> {
    const answer = await this.#request({ do: "waitFor", bits });
    return (answer as { bits: number }).bits;
  }

  describe(): Promise<CardDescription> {
    return this.#request({ do: "describe" }) as Promise<CardDescription>;
  }

  /** Sends every frame back for `seconds`; returns how many. */
  async echo(seconds: number): Promise<number> {
    const answer = await this.#request({ do: "echo", seconds });
    return (answer as { echoed: number }).echoed;
  }

  floor(floor: FloorRequest): Promise<Floor> {
    return this.#request({ do: "floor", floor }) as Promise<Floor>;
  }

  /** Lets the process end by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {
      // It has ended already.
    });
    await this.#output.cancel();
    await this.#child.status;
  }

  async #request(request: AgentRequest): Promise<unknown> {
    await this.#input.write(
      new TextEncoder().encode(JSON.stringify(request) + "\n"),
    );
    return await this.#answer();
  }

  async #answer(): Promise<unknown> {
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error("The card's process ended without an answer");
      this.#text += value;
    }
    const end = this.#text.indexOf("\n");
    const answer = JSON.parse(this.#text.slice(0, end));
    this.#text = this.#text.slice(end + 1);
    if (answer.error !== undefined) {
      throw Object.assign(new Error(answer.error), { name: answer.name });
    }
    return answer;
  }
}

let untilHeard = 0;

/**
 * Sends a new frame to the group again and again, as the protocol does, until the other card heard it.
 *
 * @throws {Error} if it is not heard for a long time.
 */
export async function sendUntilHeard(
  from: CardProcess,
  to: CardProcess,
  group: readonly number[],
): Promise<void> {
  const text = `until heard ${untilHeard++}`;
  let listening = true;
  const listen = async () => {
    try {
      for (;;) {
        // Others may still be under way.
        const heard = await to.texts(1);
        if (heard.includes(text)) return;
        if (heard.length === 0) throw new Error("Nothing is heard");
      }
    } finally {
      listening = false;
    }
  };
  const heard = listen();
  while (listening) await from.send({ destination: group, text });
  await heard;
}
