/** A proposer on the bench that leads, and frames of its acceptors. */
import assert from "node:assert/strict";
import { Gauge, Role } from "../core/layout.ts";
import { type Body, decode, typeOf } from "../sim/decode.ts";
import { encode } from "./encode.ts";
import { OPTIONS, Rig } from "./rig.ts";

/** The header of what acceptor `id` sends. */
export function fromAcceptor(id: number, ballot = 0n) {
  return {
    senderRole: "acceptor",
    senderId: id,
    incarnation: 100 + id,
    ballot,
  } as const;
}

type Promise = Extract<Body, { type: "promise" }>;

/** The last page of a promise, of an acceptor that has accepted `entries` and knows of nothing decided. */
export function promise(
  id: number,
  ballot: bigint,
  entries: Promise["entries"] = [],
  page: Partial<Promise> = {},
): Uint8Array<ArrayBuffer> {
  return encode(
    { ...fromAcceptor(id, ballot), receiverRoles: ["proposer"], receiverId: 1 },
    {
      type: "promise",
      start: 1n,
      end: (entries.at(-1)?.instance ?? 0n) + 1n,
      decided: 1n,
      last: true,
      pause: true,
      incarnation: OPTIONS.incarnation,
      entries,
      ...page,
    },
  );
}

/** A proposer that has sent its first 1A, and the ballot of it. */
export function preparing(
  options: ConstructorParameters<typeof Rig>[0] = {},
): { rig: Rig; ballot: bigint } {
  const rig = new Rig({ roles: Role.proposer, id: 1, ...options });
  rig.feed();
  for (let n = 0; n < 100; n++) {
    const [frame] = rig.wait(10_000).filter((sent) =>
      typeOf(sent) === "prepare"
    );
    if (frame !== undefined) return { rig, ballot: decode(frame).ballot };
  }
  assert.fail("a proposer that hears nobody did not prepare within a second");
}

/** A proposer that leads, with the promises of acceptors 2 and 3. */
export function leading(
  options: ConstructorParameters<typeof Rig>[0] = {},
): { rig: Rig; ballot: bigint } {
  const { rig, ballot } = preparing(options);
  rig.feed(promise(2, ballot), promise(3, ballot));
  assert.equal(rig.core.gauge(Gauge.proposerState), 2);
  return { rig, ballot };
}
