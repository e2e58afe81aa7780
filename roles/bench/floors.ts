/** What the same hops and the same disk take with no protocol, measured by processes of the bench's own. */
import type { Floor, RelayRole } from "../../ffi/floor.ts";
import type { LocalProcess } from "../local_process.ts";
import { selfCommand } from "../self.ts";
import type { DiskFloor } from "./disk_floor.ts";
import type { Flow } from "./flow.ts";
import { type Part, PART_VARIABLE } from "./part.ts";
import { median } from "./spread.ts";
import { CLIENT_HOST, type Stage } from "./stage.ts";

/** How long each half of a measurement takes: one frame at a time, then many. */
const HALF_S = 0.3;
/**
 * Processes that were just started carry up to twice of what the same ones carry a second later,
 * and differ by a third; so each size has its own, so often, and the best count.
 */
const ROUNDS = 2;
/** What processes take to start and to say where they are. */
const START_S = 0.4;
const DISK_S = 2.5;
/** About how long it all takes, with the starts of the processes. */
export const DISK_TAKES_S: number = DISK_S + 0.3;

/** Frames under way in the measurement of throughput. */
const WINDOW = 128;
/** A submission of one value of 64 bytes (docs/wire.md). */
const LONE_BYTES = 122;

/** One way over the network. */
export interface WayFloor {
  /** Of one frame at a time. */
  readonly p50_us: number;
  readonly p99_us: number;
  /** Frames of the MTU's size, with many under way. */
  readonly frames_per_s: number;
}

/** What the network reaches. */
export interface NetworkFloor {
  /** Client, leader, acceptors, client, the three hops of a decision, by processes that wait as nodes do by default. */
  readonly relay: WayFloor;
  /** The same by processes that sleep between frames, as with busy-poll no. */
  readonly relayAsleep: WayFloor;
  /** Two processes, one frame to and fro: asleep between frames, and spinning on a core each. */
  readonly asleep: WayFloor;
  readonly spinning: WayFloor;
}

type Way = Pick<Flow, "hops" | "busyPoll">;

const WAYS: Readonly<Record<keyof NetworkFloor, Way>> = {
  relay: { hops: "relay", busyPoll: "auto" },
  relayAsleep: { hops: "relay", busyPoll: "no" },
  asleep: { hops: "echo", busyPoll: "no" },
  spinning: { hops: "echo", busyPoll: "yes" },
};

/** About how long `measureNetwork` takes with so many flows. */
export function networkTakes_s(flows: number): number {
  const sizes = Object.keys(WAYS).length + flows;
  return sizes * ROUNDS * (START_S + 2 * HALF_S);
}

/**
 * Measures the network with this MTU.
 *
 * @param flows Of this MTU; what is told of each is its frames a second.
 */
export async function measureNetwork(
  stage: Stage,
  mtu: number,
  flows: readonly Flow[],
): Promise<{ network: NetworkFloor; flows_per_s: ReadonlyMap<Flow, number> }> {
  await stage.connect(mtu);
  const flows_per_s = new Map<Flow, number>();
  const measure = async (way: Way): Promise<WayFloor> => {
    const own = flows.filter(({ hops, busyPoll }) =>
      hops === way.hops && busyPoll === way.busyPoll
    );
    const sizes = [mtu, ...own.map(({ frameBytes }) => frameBytes)];
    const floors = sizes.map((): Floor[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, bytes] of sizes.entries()) {
        floors[i].push(await driven(stage, mtu, way, bytes));
      }
    }
    const [full_per_s, ...others_per_s] = floors.map((of) =>
      Math.max(...of.map(({ frames_per_s }) => frames_per_s))
    );
    own.forEach((flow, i) => flows_per_s.set(flow, others_per_s[i]));
    const lone = floors.flat().map(({ latency_us }) => latency_us);
    return {
      p50_us: median(lone.map(({ p50 }) => p50)),
      p99_us: median(lone.map(({ p99 }) => p99)),
      frames_per_s: full_per_s,
    };
  };
  const network = {
    relay: await measure(WAYS.relay),
    relayAsleep: await measure(WAYS.relayAsleep),
    asleep: await measure(WAYS.asleep),
    spinning: await measure(WAYS.spinning),
  };
  return { network, flows_per_s };
}

/** Measures the disk of the stage's folder. */
export async function measureDiskOf(stage: Stage): Promise<DiskFloor> {
  const { folder } = stage;
  const process = startPart(stage, "disk", [], {
    kind: "disk",
    folder,
    seconds: DISK_S,
  });
  const [line] = await stage.finish(process);
  return JSON.parse(line);
}

/** Who handles frames, one a host from the first on; the first is the one that is spoken to. */
const RELAYS = {
  relay: ["leader", "acceptor", "acceptor"],
  echo: ["echo"],
} as const satisfies Record<Flow["hops"], readonly RelayRole[]>;

/** Drives relays: one frame at a time, then many of this size. */
async function driven(
  stage: Stage,
  mtu: number,
  { hops, busyPoll }: Way,
  payloadBytes: number,
): Promise<Floor> {
  const hosts = stage.hosts(mtu);
  const relays = RELAYS[hops].map((role, i) =>
    startPart(stage, `relay ${role}`, hosts[i].command([]), {
      kind: "relay",
      role,
      mtu,
      busyPoll,
      seconds: 60,
    })
  );
  try {
    // They have their address when they listen.
    const [leader] = await Promise.all(
      relays.map((it) => stage.firstLine(it)),
    );
    const driver = startPart(
      stage,
      "the relay's client",
      hosts[CLIENT_HOST].command([]),
      {
        kind: "drive",
        peer: leader,
        mtu,
        busyPoll,
        loneBytes: LONE_BYTES,
        payloadBytes,
        window: WINDOW,
        seconds: HALF_S,
      },
    );
    const [line] = await stage.finish(driver);
    return JSON.parse(line);
  } finally {
    // They sleep in a system call, and hold nothing that must be put in order.
    relays.forEach((relay) => relay.signal("SIGKILL"));
    await Promise.all(relays.map((relay) => relay.ended));
  }
}

function startPart(
  stage: Stage,
  name: string,
  prefix: readonly string[],
  part: Part,
): LocalProcess {
  return stage.start({
    name,
    argv: [...prefix, ...selfCommand(), "bench"],
    env: { ...Deno.env.toObject(), [PART_VARIABLE]: JSON.stringify(part) },
  });
}
