/** A process of the bench's own: one side of a relay, what drives it, or what measures the disk. */
import { measureFloor, relay, type RelayRole } from "../../ffi/floor.ts";
import type { ShimCard } from "../../ffi/card.ts";
import type { BusyPoll, FrameArea } from "../../ffi/nic.ts";
import { openPacketNic } from "../../ffi/packet.ts";
import type { Console } from "../main.ts";
import { EXIT } from "../errors.ts";
import { measureDisk } from "./disk_floor.ts";

/** The bench starts itself again with this variable, which holds a `Part` as JSON. */
export const PART_VARIABLE = "KPAXOS_BENCH_PART";

/** What a process is to do. */
export type Part =
  | {
    /** Prints its link address, then handles frames. */
    readonly kind: "relay";
    readonly role: RelayRole;
    readonly mtu: number;
    readonly busyPoll: BusyPoll;
    readonly seconds: number;
  }
  | {
    /** Prints a `Floor`. */
    readonly kind: "drive";
    /** Link address in hexadecimal. */
    readonly peer: string;
    readonly mtu: number;
    readonly busyPoll: BusyPoll;
    readonly loneBytes: number;
    readonly payloadBytes: number;
    readonly window: number;
    readonly seconds: number;
  }
  | {
    /** Prints a `DiskFloor`. */
    readonly kind: "disk";
    readonly folder: string;
    readonly seconds: number;
  };

const SLOTS = 256;
const SLOTS_AT = 4096;

/** Does it; returns the exit code. */
export function runPart(part: Part, console: Console): number {
  if (part.kind === "disk") {
    const floor = measureDisk(part.folder, part.seconds);
    console.out(JSON.stringify(floor) + "\n");
    return EXIT.done;
  }
  const card = openCard(part.mtu, part.busyPoll);
  // A loop of its own asks sooner than a wait that polls.
  const spins = part.busyPoll === "yes";
  if (part.kind === "relay") {
    console.out(card.address.toHex() + "\n");
    relay(card, part.role, part.seconds, spins);
  } else {
    const floor = measureFloor(card, {
      ...part,
      spins,
      peer: Uint8Array.fromHex(part.peer),
    });
    console.out(JSON.stringify(floor) + "\n");
  }
  card.close();
  return EXIT.done;
}

/** A card that takes part in nothing but this. */
function openCard(mtu: number, busyPoll: BusyPoll): ShimCard {
  // A frame, where it starts in its slot, and a multiple of 8.
  const slotBytes = (mtu + 32) & ~7;
  const area: FrameArea = {
    memory: new Uint8Array(SLOTS_AT + SLOTS * slotBytes),
    rxSlots: SLOTS_AT,
    rxSlotBytes: slotBytes,
    rxCapacity: SLOTS,
    rxLengths: 0,
    txDescriptors: SLOTS * 4,
    txCapacity: SLOTS,
  };
  return openPacketNic({
    interfaceName: "eth0",
    cluster: 1,
    roles: 0xff,
    id: 0,
    incarnation: crypto.getRandomValues(new Uint32Array(1))[0],
    ethertype: 0x88b5,
    maxMtu: mtu,
    busyPoll,
  }, area);
}
