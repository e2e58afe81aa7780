/** The card on AF_PACKET: raw Ethernet frames, no IP. */
import { type CardOptions, ShimCard } from "./card.ts";
import { packetOpenError } from "./errno.ts";
import { probeInterface } from "./interfaces.ts";
import {
  type FrameArea,
  LINK_HEADER_BYTES,
  MTU_DEFAULT,
  SLOT_OFFSET,
} from "./nic.ts";
import { cString } from "./c_string.ts";
import { shim } from "./shim.ts";

/** What an AF_PACKET card is opened with. */
export interface PacketNicOptions extends CardOptions {
  /** Name of the interface, "eth0". */
  readonly interfaceName: string;
  /** Use no more of the interface's MTU than this, in bytes (default 1500, most 9000). */
  readonly maxMtu?: number;
  /** Made ahead, with the same `maxMtu`; the card takes it over. */
  readonly reserved?: ReservedSocket;
}

/** A socket whose receive ring is there already. Threads may hand it to each other. */
export interface ReservedSocket {
  readonly fd: number;
  /** Of the receive slots that its frames fit. */
  readonly slotBytes: number;
}

/**
 * Makes the socket of a card ahead. That takes the kernel some 20 ms, in which another thread can
 * start the node.
 *
 * @param mtu Of the card to come.
 * @returns undefined if it cannot be had: opening the card then says why, or does without a ring.
 */
export function reservePacketSocket(mtu: number): ReservedSocket | undefined {
  // As the core's receive slots are.
  const slotBytes = SLOT_OFFSET + LINK_HEADER_BYTES + mtu + 63 & ~63;
  const fd = shim.kp_packet_reserve(slotBytes);
  return fd < 0 ? undefined : { fd, slotBytes };
}

/**
 * The multicast MAC of a cluster: "kpx" behind a first byte with the group bit and
 * the locally administered bit set, then the cluster's number, high byte first.
 */
export function clusterGroup(cluster: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(
    0x03,
    0x6b,
    0x70,
    0x78,
    cluster >> 8 & 0xff,
    cluster & 0xff,
  );
}

/**
 * Opens a raw socket on an interface, filtered in the kernel.
 *
 * @param area The part of the core's memory to receive into and send from.
 * @throws {UserError} if the interface cannot be used or the right to do so is missing.
 */
export function openPacketNic(
  options: PacketNicOptions,
  area: FrameArea,
): ShimCard {
  const { interfaceName, maxMtu = MTU_DEFAULT, reserved } = options;
  const { mtu } = probeInterface(interfaceName, { nic: "af_packet", maxMtu });
  const group = clusterGroup(options.cluster);
  return new ShimCard(
    area,
    options,
    group,
    mtu,
    (handle) =>
      shim.kp_packet_open(
        handle,
        cString(interfaceName),
        group,
        // If the interface's MTU has changed meanwhile, that one stays unused.
        reserved?.slotBytes === area.rxSlotBytes ? reserved.fd : -1,
      ),
    (result) => packetOpenError(result, interfaceName),
  );
}
