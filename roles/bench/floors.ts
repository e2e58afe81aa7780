/** What the same hops and the same disk take with no protocol, measured by processes of the bench's own. */
import type { Floor, RelayRole } from "../../ffi/floor.ts";
import type { BusyPoll } from "../../ffi/nic.ts";
import type { LocalProcess } from "../local_process.ts";
import { selfCommand } from "../self.ts";
import type { DiskFloor } from "./disk_floor.ts";
import type { Flow } from "./flow.ts";
import { type Part, PART_VARIABLE } from "./part.ts";
import { CLIENT_HOST, type Stage } from "./stage.ts";

/** How long each half of a measurement takes. */
const HALF_S = 0.5;
const DISK_S = 2.5;
/** About how long it all takes, with the starts of the processes. */
export const RELAY_TAKES_S: number = HALF_S * 8 + 2;
export const FLOW_TAKES_S: number = HALF_S * 2 + 0.5;
export const DISK_TAKES_S: number = DISK_S + 0.3;

/** Frames under way in the measurement of throughput. */
const WINDOW = 128;
/** A submission of one value of 64 bytes (docs/wire.md). */
const LONE_BYTES = 122;

/** What the network reaches. */
export interface NetworkFloor {
  /** Client, leader, acceptors, client, the three hops of a decision, by processes that wait as nodes do by default. */
  readonly relay: Floor;
  /** The same by processes that sleep between frames, as with busy-poll no. */
  readonly relayAsleep: Floor;
  /** Two processes, one frame to and fro: asleep between frames, and spinning on a core each. */
  readonly asleep: Floor;
  readonly spinning: Floor;
}

/** Measures the network with this MTU. */
export async function measureNetwork(
  stage: Stage,
  mtu: number,
): Promise<NetworkFloor> {
  await stage.connect(mtu);
  return {
    relay: await driven(stage, mtu, "auto", "relay", mtu),
    relayAsleep: await driven(stage, mtu, "no", "relay", mtu),
    asleep: await driven(stage, mtu, "no", "echo", mtu),
    spinning: await driven(stage, mtu, "yes", "echo", mtu),
  };
}

/** Measures how many frames of a flow the network takes a second. */
export async function measureFlow(
  stage: Stage,
  { mtu, busyPoll, hops, frameBytes }: Flow,
): Promise<number> {
  await stage.connect(mtu);
  const floor = await driven(stage, mtu, busyPoll, hops, frameBytes);
  return floor.frames_per_s;
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

/** Drives relays: one frame at a time, then many of `payloadBytes`. */
async function driven(
  stage: Stage,
  mtu: number,
  busyPoll: BusyPoll,
  hops: Flow["hops"],
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
        window: WINDOW,
        loneBytes: LONE_BYTES,
        payloadBytes,
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
