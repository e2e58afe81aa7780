/** A process with one real card, which does what its stdin says: the far side of `card_process.ts`. */
import type { ShimCard } from "../ffi/card.ts";
import { type FloorOptions, measureFloor, relay } from "../ffi/floor.ts";
import {
  openPacketNic,
  type PacketNicOptions,
  type ReservedSocket,
  reservePacketSocket,
} from "../ffi/packet.ts";
import { openUdpNic, type UdpNicOptions } from "../ffi/udp.ts";
import {
  type FrameFields,
  layOut,
  makeArea,
  makeFrame,
  received,
  type TestArea,
  textOf,
} from "./frames.ts";

/** What the process opens, as JSON in its only argument. */
export type AgentOptions =
  | {
    readonly nic: "af_packet";
    readonly options: PacketNicOptions;
    /** Its socket is made ahead, for this MTU. */
    readonly reservedMtu?: number;
  }
  | { readonly nic: "udp"; readonly options: UdpNicOptions };

/** One line of JSON on stdin. */
export type AgentRequest =
  | { readonly do: "send"; readonly frames: FrameFields[] }
  | { readonly do: "receive"; readonly count: number }
  | { readonly do: "wait"; readonly timeout_us: number }
  | { readonly do: "waitFor"; readonly bits: number }
  | { readonly do: "describe" }
  | { readonly do: "echo"; readonly seconds: number }
  | { readonly do: "floor"; readonly floor: FloorRequest };

/** `FloorOptions` as JSON can say it. */
export type FloorRequest = Omit<FloorOptions, "peer"> & {
  readonly peer: readonly number[];
};

/** A frame as the agent tells of it. */
export interface Heard {
  readonly destination: number[];
  readonly source: number[];
  readonly ethertype: number;
  readonly text: string;
}

/** After this long without what was asked for, the agent tells what it has. */
const PATIENCE_MS = 20_000;

const SLOTS_MTU = 1500;

class Agent {
  readonly #card: ShimCard;
  readonly #area: TestArea;
  readonly #incarnation: number;

  constructor(card: ShimCard, area: TestArea, incarnation: number) {
    this.#card = card;
    this.#area = area;
    this.#incarnation = incarnation;
  }

  answer(request: AgentRequest): unknown {
    const card = this.#card;
    switch (request.do) {
      case "send":
        return this.#send(request.frames);
      case "receive":
        return this.#receive(request.count);
      case "wait": {
        const start = performance.now();
        const bits = card.wait(request.timeout_us);
        return { bits, elapsed_us: (performance.now() - start) * 1000 };
      }
      case "waitFor":
        return { bits: this.#waitFor(request.bits) };
      case "describe":
        return {
          address: [...card.address],
          group: [...card.group],
          mtu: card.mtu,
          stats: card.stats(),
        };
      case "echo":
        return { echoed: relay(card, "echo", request.seconds) };
      case "floor":
        return measureFloor(card, {
          ...request.floor,
          peer: Uint8Array.from(request.floor.peer),
        });
    }
  }

  #send(frames: FrameFields[]): Record<never, never> {
    // A node waits in each turn; it is there that a lost interface is found again.
    this.#card.wait(0);
    const incarnation = this.#incarnation;
    layOut(
      this.#area,
      frames.map((fields) => makeFrame({ incarnation, ...fields })),
    );
    this.#card.send(0, frames.length);
    return {};
  }

  #receive(count: number): Heard[] {
    const heard: Heard[] = [];
    const deadline = Date.now() + PATIENCE_MS;
    while (heard.length < count && Date.now() < deadline) {
      this.#card.wait(100_000);
      for (const frame of received(this.#area, this.#card.receive())) {
        heard.push({
          destination: [...frame.slice(0, 6)],
          source: [...frame.slice(6, 12)],
          ethertype: frame[12] << 8 | frame[13],
          text: textOf(frame),
        });
      }
    }
    return heard;
  }

  #waitFor(wanted: number): number {
    const deadline = Date.now() + PATIENCE_MS;
    let bits = 0;
    while ((bits & wanted) === 0 && Date.now() < deadline) {
      bits = this.#card.wait(100_000);
    }
    return bits;
  }
}

if (import.meta.main) {
  const asked = JSON.parse(Deno.args[0]) as AgentOptions;
  const area = makeArea({ mtu: SLOTS_MTU });
  try {
    const card = asked.nic === "udp"
      ? openUdpNic(asked.options, area)
      : openPacketNic({ ...asked.options, reserved: reserve(asked) }, area);
    const agent = new Agent(card, area, asked.options.incarnation);
    reply({ ready: true });
    for (const line of lines()) reply(agent.answer(JSON.parse(line)));
    card.close();
  } catch (error) {
    reply({ error: (error as Error).message, name: (error as Error).name });
    Deno.exit(1);
  }
}

function reserve(
  { reservedMtu }: Extract<AgentOptions, { nic: "af_packet" }>,
): ReservedSocket | undefined {
  return reservedMtu === undefined
    ? undefined
    : reservePacketSocket(reservedMtu);
}

function reply(answer: unknown): void {
  const bytes = new TextEncoder().encode(JSON.stringify(answer) + "\n");
  for (let done = 0; done < bytes.length;) {
    done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

/** Lines of stdin, until it ends. */
function* lines(): Generator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let text = "";
  for (let n = 0; (n = Deno.stdin.readSync(buffer) ?? 0) > 0;) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
    const complete = text.split("\n");
    text = complete.pop()!;
    yield* complete;
  }
}
