/** One frame of every message type, made by cores with fixed seeds; and how a frame is written to be read. */
import type { CoreOptions } from "../core/core.ts";
import { Role } from "../core/layout.ts";
import {
  decode,
  type FrameFields,
  type MessageName,
  typeOf,
} from "../sim/decode.ts";
import { ballotOf, command, encode, run } from "./encode.ts";
import { fromAcceptor, leading, preparing, promise } from "./leader.ts";
import { Rig } from "./rig.ts";
import { verdicts } from "./verdicts.ts";

const bytes = new TextEncoder();

function fromProposer(id: number, ballot: bigint) {
  return {
    senderRole: "proposer",
    senderId: id,
    incarnation: 200 + id,
    ballot,
    source: `02:00:00:00:01:0${id}`,
  } as const;
}

const LEARNER = {
  senderRole: "learner",
  senderId: 9,
  incarnation: 909,
  source: "02:00:00:00:04:09",
} as const;

/** An acceptor that has accepted instances 1, 2 and 4 in ballot 1.1, of which the first is decided. */
function acceptor(options: Partial<CoreOptions> = {}): Rig {
  const rig = new Rig({
    roles: Role.acceptor,
    id: 2,
    incarnation: 0x2222,
    ...options,
  });
  rig.feed();
  rig.wait(100_000);
  const accept = (instance: bigint, decided: bigint, ...values: string[]) =>
    encode(fromProposer(1, ballotOf(1, 1)), {
      type: "accept",
      decided,
      instance,
      batch: values.length === 0 ? [] : [run(1000n, instance, ...values)],
    });
  rig.feed(accept(1n, 1n, "one"), accept(2n, 1n, "two", "and a half"));
  rig.feed(accept(4n, 2n));
  return rig;
}

/** A client that knows the leader and has two virtual clients. */
function client(): Rig {
  const rig = new Rig({
    roles: Role.client,
    id: 5,
    incarnation: 0x5555,
    clients: 2,
  });
  rig.feed(encode(fromProposer(1, ballotOf(1, 1)), {
    type: "heartbeat",
    decided: 1n,
    next: 1n,
  }));
  rig.feed(verdicts(1000n, { clients: 2 }));
  return rig;
}

const SUBMIT = encode({
  senderRole: "client",
  senderId: 5,
  incarnation: 0x5555,
  source: "02:00:00:00:08:05",
}, {
  type: "submit",
  batch: [run(1000n, 1, "alpha", "beta"), run(1001n, 7, "")],
});

const SCENES: Record<MessageName, () => Uint8Array[]> = {
  prepare() {
    const { rig } = preparing();
    return rig.wait(1_000_000);
  },
  promise: () =>
    acceptor().feed(encode(fromProposer(3, ballotOf(2, 3)), {
      type: "prepare",
      from: 1n,
    })),
  accept: () => leading().rig.feed(SUBMIT),
  accepted: () =>
    acceptor().feed(
      ...[6n, 7n, 9n].map((instance) =>
        encode(fromProposer(1, ballotOf(1, 1)), {
          type: "accept",
          decided: 3n,
          instance,
          batch: [],
        })
      ),
    ),
  reject() {
    const rig = acceptor();
    rig.feed(encode(fromProposer(3, ballotOf(2, 3)), {
      type: "prepare",
      from: 1n,
    }));
    return rig.feed(encode(fromProposer(1, ballotOf(1, 1)), {
      type: "prepare",
      from: 1n,
    }));
  },
  heartbeat() {
    const { rig } = leading();
    rig.feed(SUBMIT);
    return rig.wait(50_000);
  },
  submit() {
    const rig = client();
    for (const [number, value] of [[0, "alpha"], [0, "beta"], [1, ""]]) {
      rig.core.submit(number as number, bytes.encode(`${value}`), rig.now_us);
    }
    return rig.feed();
  },
  answer() {
    const { rig, ballot } = leading();
    rig.feed(SUBMIT);
    for (const id of [2, 3]) {
      rig.feed(encode(fromAcceptor(id, ballot), {
        type: "accepted",
        ranges: [{ first: 1n, end: 2n }],
      }));
    }
    return rig.feed(SUBMIT);
  },
  hi: () => new Rig({ roles: Role.learner, id: 9, from: 42n }).feed(),
  ok: () => acceptor().feed(encode(LEARNER, { type: "hi", delivered: 1n })),
  bye() {
    const rig = new Rig({ roles: Role.learner, id: 9 });
    rig.feed();
    rig.core.leave();
    return rig.sent();
  },
  repair() {
    const rig = new Rig({ roles: Role.learner, id: 9, incarnation: 0x9999 });
    const ballot = ballotOf(1, 1);
    // Instances 3 and 4 are known, 1, 2 and 5 are not.
    rig.feed(...[3n, 4n].map((instance) =>
      encode(fromProposer(1, ballot), {
        type: "accept",
        decided: 1n,
        instance,
        batch: [],
      })
    ));
    rig.feed(encode(fromProposer(1, ballot), {
      type: "heartbeat",
      decided: 6n,
      next: 6n,
    }));
    return rig.wait(5000);
  },
  learned: () =>
    acceptor().feed(encode(LEARNER, {
      type: "repair",
      ranges: [{ first: 1n, end: 2n }, { first: 3n, end: 5n }],
    })),
  forgot() {
    const rig = new Rig({ roles: Role.learner, id: 9, incarnation: 0x9999 });
    const hi = (incarnation: number) =>
      encode({
        ...fromAcceptor(2),
        incarnation,
        source: "02:00:00:00:02:02",
      }, { type: "hi", delivered: 1n });
    rig.feed(hi(0xaaaa));
    return rig.feed(hi(0xbbbb));
  },
  rejoin() {
    const { rig, ballot } = leading();
    rig.feed(encode(fromAcceptor(3, ballot), {
      type: "hi",
      delivered: 1n,
      state: "recovers",
    }));
    const next = ballotOf((ballot >> 16n) + 1n, 1);
    rig.wait(1000);
    return rig.feed(...[1, 2].map((id) => promise(id, next)));
  },
  session: () =>
    new Rig({ roles: Role.learner, id: 9, incarnation: 0x9999 }).feed(
      encode(fromProposer(1, ballotOf(1, 1)), {
        type: "accept",
        decided: 1n,
        instance: 1n,
        batch: [
          command(1000n),
          command(1001n, "open", { reserves: true }),
        ],
      }),
      encode(fromProposer(1, ballotOf(1, 1)), {
        type: "heartbeat",
        decided: 2n,
        next: 2n,
      }),
    ),
  query() {
    const rig = client();
    rig.core.query(0x1234);
    return rig.feed();
  },
  /** The first of two frames. */
  status: () =>
    acceptor({ mtu: 256 }).feed(encode({
      senderRole: "client",
      senderId: 5,
      incarnation: 0x5555,
      source: "02:00:00:00:08:05",
    }, { type: "query", number: 0x1234 })),
};

/** The frame of each type. */
export function goldenFrames(): Map<MessageName, Uint8Array<ArrayBuffer>> {
  const types = Object.keys(SCENES) as MessageName[];
  return new Map(types.map((type) => {
    const frame = SCENES[type]().find((sent) => typeOf(sent) === type);
    if (frame === undefined) throw new Error(`no ${type} was sent`);
    return [type, Uint8Array.from(frame)];
  }));
}

const hex = (value: number | bigint, digits: number) =>
  value.toString(16).padStart(digits, "0");

function ballotText(ballot: bigint): string {
  return ballot === 0n ? "none" : `${ballot >> 16n}.${ballot & 0xffffn}`;
}

/** One field a line; what is within is indented. */
function lines(name: string, value: unknown, indent: string): string[] {
  if (value instanceof Uint8Array) {
    return [`${indent}${name}: "${new TextDecoder().decode(value)}"`];
  }
  if (Array.isArray(value)) {
    return value.length === 0
      ? [`${indent}${name}: none`]
      : value.flatMap((item, i) => lines(`${name}[${i}]`, item, indent));
  }
  if (typeof value === "object") {
    return [
      `${indent}${name}`,
      ...Object.entries(value!).flatMap(([key, item]) =>
        lines(key, item, `${indent}  `)
      ),
    ];
  }
  const shown = typeof value === "bigint" &&
      (name === "ballot" || name === "rejected")
    ? ballotText(value)
    : `${value}`;
  return [`${indent}${name}: ${shown}`];
}

/** A frame as text: its fields, then its bytes in hexadecimal, sixteen to a line. */
export function describe(frame: Uint8Array): string {
  const fields: FrameFields = decode(frame);
  const { body: { type, ...body }, ...header } = fields;
  const shown = {
    ...header,
    // What stands there in an ok is the incarnation that it answers.
    ballot: type === "ok" ? `0x${hex(header.ballot, 16)}` : header.ballot,
    ethertype: `0x${hex(header.ethertype, 4)}`,
    receiverRoles: header.receiverRoles.join(", "),
    incarnation: `0x${hex(header.incarnation, 8)}`,
    checksum: `0x${hex(header.checksum, 16)}`,
  };
  const rows: string[] = [];
  for (let at = 0; at < frame.length; at += 16) {
    const row = Array.from(frame.subarray(at, at + 16), (byte) => hex(byte, 2));
    rows.push(`${hex(at, 4)}  ${row.join(" ")}`);
  }
  return [
    type,
    "",
    ...lines("header", shown, ""),
    ...lines("body", body, ""),
    "",
    ...rows,
    "",
  ].join("\n");
}

/** The bytes of a frame that was written by `describe`. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const rows = text.matchAll(/^[0-9a-f]{4} {2}((?:[0-9a-f]{2} ?)+)$/gm);
  return Uint8Array.from(
    [...rows].flatMap(([, row]) =>
      row.split(" ").map((byte) => parseInt(byte, 16))
    ),
  );
}
