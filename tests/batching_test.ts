/** Without batching a frame of a client carries one value, and an instance one, whatever comes together. */
import assert from "node:assert/strict";
import { Role } from "../core/layout.ts";
import { decode, type RunFields } from "../sim/decode.ts";
import { Cluster } from "./cluster.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { leading } from "./leader.ts";
import { Rig } from "./rig.ts";
import { verdicts } from "./verdicts.ts";

const text = new TextEncoder();

/** The batch of each frame of a type. */
function batches(
  frames: readonly Uint8Array[],
  type: "submit" | "accept",
): RunFields[][] {
  return frames.flatMap((frame) => {
    const { body } = decode(frame);
    return body.type === type ? [body.batch] : [];
  });
}

/** client/first+count of each run of each batch. */
function names(all: readonly RunFields[][]): string[] {
  return all.map((batch) =>
    batch.map(({ client, first, values }) =>
      `${client}/${first}+${values.length}`
    ).join(" ")
  );
}

Deno.test("a client without batching sends each value in a frame of its own", () => {
  const rig = new Rig({ roles: Role.client, id: 9, batching: false });
  const leader = {
    senderRole: "proposer",
    senderId: 1,
    incarnation: 201,
    ballot: ballotOf(1, 1),
  } as const;
  rig.feed(encode(leader, { type: "heartbeat", decided: 1n, next: 1n }));
  rig.feed(verdicts(1000n, {}));
  for (let n = 0; n < 3; n++) rig.core.submit(0, text.encode("v"), rig.now_us);
  assert.deepEqual(names(batches(rig.feed(), "submit")), [
    ...["1000/1+1", "1000/2+1", "1000/3+1"],
  ]);
});

Deno.test("a leader without batching proposes each value in an instance of its own, though they came in one frame", () => {
  const { rig } = leading({ batching: false });
  const submit = encode({ senderRole: "client", senderId: 9, incarnation: 9 }, {
    type: "submit",
    batch: [run(5n, 1, "a", "b", "c"), run(6n, 1, "d"), run(7n, 1, "e", "f")],
  });
  assert.deepEqual(names(batches(rig.feed(submit), "accept")), [
    ...["5/1+1", "5/2+1", "5/3+1", "6/1+1", "7/1+1", "7/2+1"],
  ]);
});

Deno.test("clients and leaders with and without batching work together", () => {
  for (const batching of [true, false]) {
    const cluster = new Cluster(11);
    for (const id of [1, 2, 3]) {
      cluster.add({
        roles: Role.proposer | Role.acceptor | Role.learner,
        id,
        batching,
      });
    }
    const client = cluster.add({
      roles: Role.client,
      id: 9,
      values: 300,
      batching: !batching,
    });
    cluster.finish(3_000_000);
    assert.equal(client.acknowledged.size, 300);
  }
});
