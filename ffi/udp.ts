/** The card on UDP: the same frames in datagrams, with no privilege at all. */
import { EXIT, UserError } from "../roles/errors.ts";
import { type CardOptions, ShimCard } from "./card.ts";
import { udpOpenError } from "./errno.ts";
import { probeInterface } from "./interfaces.ts";
import { type FrameArea, MTU_DEFAULT } from "./nic.ts";
import { cString } from "./c_string.ts";
import { shim } from "./shim.ts";

/** An IPv4 endpoint. */
export interface Endpoint {
  /** Dotted IPv4 address. */
  readonly host: string;
  readonly port: number;
}

/** What a UDP card is opened with. */
export interface UdpNicOptions extends CardOptions {
  /** Name of the interface whose first IPv4 address is this node's, "eth0". */
  readonly interfaceName: string;
  /** The IP multicast group that group frames go to (default 239.75.112.1, port 7400). */
  readonly group?: { readonly address: string; readonly port: number };
  /** Own port (default: any that is free). Peers that name this node need it fixed. */
  readonly bind?: number;
  /**
   * Unicast mode, for networks without IP multicast: group frames go to each of
   * these, at most 256, and to everybody heard from in the last 10 s.
   */
  readonly peers?: readonly Endpoint[];
  /** Use no more of the interface's MTU than this, in bytes (default 1500, most 9000). */
  readonly maxMtu?: number;
}

/** Where group frames go when nothing else is configured: an administratively scoped group (RFC 2365). */
export const DEFAULT_GROUP = { address: "239.75.112.1", port: 7400 } as const;

const PEERS_MAX = 256;

/** The link address that reaches every node; no UDP endpoint has it. */
const EVERY_NODE = new Uint8Array(6).fill(0xff);

/**
 * The 6-byte link address of an endpoint: IPv4 address and port in network order.
 *
 * @throws {UserError} if the host is no dotted IPv4 address or the port is out of range.
 */
export function linkAddress({ host, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const parts = host.split(".");
  const isIpv4 = parts.length === 4 &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  if (!isIpv4) {
    throw new UserError(
      `"${host}" is no IPv4 address: four numbers from 0 to 255 were expected, as in 192.168.1.7`,
      EXIT.usage,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new UserError(
      `${port} is no UDP port: a number from 1 to 65535 was expected`,
      EXIT.usage,
    );
  }
  return Uint8Array.of(...parts.map(Number), port >> 8, port & 0xff);
}

/**
 * Opens UDP sockets on an interface's first IPv4 address: in multicast mode one
 * for the group and one from which all is sent, in unicast mode one for both.
 *
 * @param area The part of the core's memory to receive into and send from.
 * @throws {UserError} if the interface, an address or a port cannot be used.
 */
export function openUdpNic(options: UdpNicOptions, area: FrameArea): ShimCard {
  const { interfaceName, maxMtu = MTU_DEFAULT, bind = 0, peers } = options;
  const { mtu } = probeInterface(interfaceName, { nic: "udp", maxMtu });
  if (peers !== undefined && peers.length > PEERS_MAX) {
    throw new UserError(
      `${peers.length} peers are too many: at most ${PEERS_MAX} can be sent to one by one; use IP multicast`,
      EXIT.usage,
    );
  }
  const peerAddresses = new Uint8Array((peers?.length ?? 0) * 6);
  peers?.forEach((peer, i) => peerAddresses.set(linkAddress(peer), i * 6));
  const group = peers === undefined ? multicastGroup(options) : null;
  const ports = group === null
    ? `port ${bind}`
    : `port ${options.group?.port ?? DEFAULT_GROUP.port}` +
      (bind === 0 ? "" : ` or ${bind}`);
  return new ShimCard(
    area,
    options,
    EVERY_NODE.slice(),
    mtu,
    (handle) =>
      shim.kp_udp_open(
        handle,
        cString(interfaceName),
        bind,
        group,
        peerAddresses,
        peers?.length ?? 0,
      ),
    (result) => udpOpenError(result, interfaceName, ports),
  );
}

function multicastGroup(
  { group = DEFAULT_GROUP }: UdpNicOptions,
): Uint8Array<ArrayBuffer> {
  const address = linkAddress({ host: group.address, port: group.port });
  if (address[0] < 224 || address[0] > 239) {
    throw new UserError(
      `"${group.address}" is no IP multicast group: one from 224.0.0.0 to 239.255.255.255 was expected, ` +
        "best from 239.0.0.0 on",
      EXIT.usage,
    );
  }
  return address;
}
