/** What a learner tells clients on the bench about their sessions. */
import { Verdict } from "../core/layout.ts";
import { encode } from "./encode.ts";

/** A message with the same verdict for some clients that follow one another. */
export function verdicts(
  firstClient: bigint,
  {
    clients = 1,
    instance = 1n,
    verdict = Verdict.open,
    hasRoom = false,
  } = {},
): Uint8Array<ArrayBuffer> {
  return encode(
    {
      senderRole: "learner",
      senderId: 77,
      incarnation: 7777,
      receiverRoles: ["client"],
    },
    {
      type: "session",
      verdicts: Array.from({ length: clients }, (_, i) => ({
        client: firstClient + BigInt(i),
        instance,
        verdict,
        hasRoom,
      })),
    },
  );
}
