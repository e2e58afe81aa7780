/** The system's error numbers as messages: name, meaning, and what the user can do. */
import { EXIT, UserError } from "../roles/errors.ts";

/** Linux's numbers, those that a card can meet (errno(3)). */
export const ERRNO = {
  EPERM: 1,
  ENOMEM: 12,
  EACCES: 13,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
} as const;

const MEANING: Readonly<Record<number, string>> = {
  [ERRNO.EPERM]: "operation not permitted",
  [ERRNO.ENOMEM]: "out of memory",
  [ERRNO.EACCES]: "permission denied",
  [ERRNO.ENODEV]: "no such device",
  [ERRNO.EINVAL]: "invalid argument",
  [ERRNO.EMFILE]: "too many open files",
  [ERRNO.EAFNOSUPPORT]: "address family not supported",
  [ERRNO.EADDRINUSE]: "address already in use",
  [ERRNO.EADDRNOTAVAIL]: "cannot assign requested address",
  [ERRNO.ENETDOWN]: "network is down",
};

const NAME: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(ERRNO).map(([name, number]) => [number, name]),
);

/** "EPERM, operation not permitted" for -1 or 1; "errno 71" where no name is known. */
function describeErrno(result: number): string {
  const errno = Math.abs(result);
  return errno in NAME ? `${NAME[errno]}, ${MEANING[errno]}` : `errno ${errno}`;
}

/** An error that is not the user's to mend: "Cannot wake the node: errno 9". */
export function systemError(result: number, doing: string): Error {
  return new Error(`Cannot ${doing}: ${describeErrno(result)}`);
}

/** There is no interface of that name; `present` lists those there are. */
export function noSuchInterface(name: string, present: string): UserError {
  return new UserError(
    `No such interface "${name}"; there are: ${present}`,
    EXIT.environment,
  );
}

/** The interface exists but is switched off. */
export function interfaceDown(name: string): UserError {
  return new UserError(
    `Interface "${name}" is down: run \`sudo ip link set ${name} up\``,
    EXIT.environment,
  );
}

/** What can keep a raw socket from opening, with the remedy. */
export function packetOpenError(result: number, name: string): Error {
  switch (-result) {
    case ERRNO.EPERM:
    case ERRNO.EACCES:
      return new UserError(
        `No permission for raw frames on "${name}" (CAP_NET_RAW is missing): run with sudo, ` +
          "or `sudo setcap cap_net_raw+ep ./kpaxos`, or use --nic udp",
        EXIT.environment,
      );
    case ERRNO.EAFNOSUPPORT:
      return new UserError(
        "This kernel has no packet sockets (CONFIG_PACKET): use --nic udp",
        EXIT.environment,
      );
    case ERRNO.ENETDOWN:
      return interfaceDown(name);
    default:
      return systemError(result, `open "${name}" for raw frames`);
  }
}

/** What can keep the UDP sockets from opening, with the remedy. */
export function udpOpenError(
  result: number,
  name: string,
  ports: string,
): Error {
  switch (-result) {
    case ERRNO.EADDRINUSE:
      return new UserError(
        `UDP ${ports} on "${name}" is in use by another program: end that, or configure another port`,
        EXIT.environment,
      );
    case ERRNO.EACCES:
    case ERRNO.EPERM:
      return new UserError(
        `No permission for UDP ${ports} on "${name}": use a port from 1024 on`,
        EXIT.environment,
      );
    case ERRNO.ENETDOWN:
      return interfaceDown(name);
    default:
      return systemError(result, `open UDP ${ports} on "${name}"`);
  }
}
