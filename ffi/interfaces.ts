/** What is known of a network interface before a card is opened on it. */
import { MTU_DEFAULT, MTU_MAX, MTU_MIN } from "./nic.ts";
import { EXIT, UserError } from "../roles/errors.ts";
import { ERRNO, interfaceDown, noSuchInterface, systemError } from "./errno.ts";
import { cString } from "./c_string.ts";
import { shim } from "./shim.ts";

/** The kinds of card there are on real sockets, as `--nic` names them. */
export type NicKind = "af_packet" | "udp";

/** An interface that a card can be opened on. */
export interface InterfaceInfo {
  /** The kernel's number for it. */
  readonly index: number;
  /** Most bytes that may follow the link header on a card opened here: what `Nic.mtu` will be. */
  readonly mtu: number;
  /** MAC address; all zero on loopback and on interfaces that have none. */
  readonly address: Uint8Array;
  /** First IPv4 address, if there is one. */
  readonly ipv4?: Uint8Array;
  readonly up: boolean;
  readonly loopback: boolean;
}

/** IPv4 (20, without options) and UDP (8) in front of each datagram's payload. */
const UDP_OVERHEAD_BYTES = 28;

// struct kp_interface of nic.h:
//   0       4     8       12              16    22         24
//   | index | mtu | flags | hardware type | mac | has ipv4 | ipv4 (4) |
const INFO_BYTES = 28;
const IFF_UP = 1;
const IFF_LOOPBACK = 8;
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

/** "lo, eth0": the interfaces of this network namespace, up or down. */
export function interfaceNames(): string {
  const names = new Uint8Array(4096);
  const length = shim.kp_interfaces(names, names.length);
  if (length < 0) throw systemError(length, "list the network interfaces");
  return new TextDecoder().decode(names.subarray(0, length));
}

/**
 * Looks at the interface `name`, for a card of the given kind.
 *
 * @param options.nic Kind of card to open (default: af_packet).
 * @param options.maxMtu Use no more of the interface's MTU than this, in bytes (default 1500, most 9000).
 * @throws {UserError} if there is no such interface, or if it is down, no Ethernet
 * (af_packet), without an IPv4 address (udp), or of an MTU below 576.
 */
export function probeInterface(
  name: string,
  { nic = "af_packet", maxMtu = MTU_DEFAULT }: {
    nic?: NicKind;
    maxMtu?: number;
  } = {},
): InterfaceInfo {
  if (maxMtu < MTU_MIN || maxMtu > MTU_MAX) {
    throw new UserError(
      `MTU ${maxMtu} is out of range: it must be from ${MTU_MIN} to ${MTU_MAX}`,
      EXIT.usage,
    );
  }
  const bytes = new Uint8Array(INFO_BYTES);
  const result = shim.kp_probe(cString(name), bytes);
  if (result === -ERRNO.ENODEV) throw noSuchInterface(name, interfaceNames());
  if (result < 0) throw systemError(result, `look at interface "${name}"`);

  const info = new DataView(bytes.buffer);
  const interfaceMtu = info.getInt32(4, true);
  const flags = info.getUint32(8, true);
  const hardwareType = info.getUint32(12, true);
  const ipv4 = info.getUint8(22) === 1 ? bytes.slice(24, 28) : undefined;
  if ((flags & IFF_UP) === 0) throw interfaceDown(name);
  if (
    nic === "af_packet" && hardwareType !== ARPHRD_ETHER &&
    hardwareType !== ARPHRD_LOOPBACK
  ) {
    throw new UserError(
      `Interface "${name}" is no Ethernet interface (type ${hardwareType}): use another, or --nic udp`,
      EXIT.environment,
    );
  }
  if (nic === "udp" && ipv4 === undefined) {
    throw new UserError(
      `Interface "${name}" has no IPv4 address, which --nic udp needs: ` +
        `run \`sudo ip address add ADDRESS/LENGTH dev ${name}\``,
      EXIT.environment,
    );
  }
  if (interfaceMtu < MTU_MIN) {
    throw new UserError(
      `The MTU of interface "${name}" is ${interfaceMtu}, too small: ` +
        `run \`sudo ip link set ${name} mtu ${MTU_DEFAULT}\` (at least ${MTU_MIN})`,
      EXIT.environment,
    );
  }
  return {
    index: info.getInt32(0, true),
    mtu: Math.min(interfaceMtu, maxMtu) -
      (nic === "udp" ? UDP_OVERHEAD_BYTES : 0),
    address: bytes.slice(16, 22),
    ipv4,
    up: true,
    loopback: (flags & IFF_LOOPBACK) !== 0,
  };
}
