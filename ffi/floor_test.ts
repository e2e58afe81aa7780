/** The echo floor, measured over a bridge. */
import assert from "node:assert/strict";
import { CardProcess } from "../tests/card_process.ts";
import { makeArea } from "../tests/frames.ts";
import { canMakeNamespaces, createNet } from "../tests/netns.ts";
import type { AgentOptions } from "../tests/card_agent.ts";
import { measureFloor } from "./floor.ts";
import { openUdpNic } from "./udp.ts";

const IDENTITY = {
  interfaceName: "eth0",
  cluster: 7,
  roles: 0xff,
  id: 0,
  ethertype: 0x88b5,
};

for (const nic of ["af_packet", "udp"] as const) {
  Deno.test({
    name: `measureFloor() counts what comes back from an echo over ${nic}`,
    ignore: !canMakeNamespaces,
    fn: async () => {
      await using net = await createNet({ nodes: ["a", "b"] });
      const open = (node: string, incarnation: number) =>
        CardProcess.open(
          net,
          node,
          { nic, options: { ...IDENTITY, incarnation } } as AgentOptions,
        );
      await using a = await open("a", 1);
      await using b = await open("b", 2);
      const { address } = await b.describe();
      // It echoes for longer than both measurements take.
      const echoing = b.echo(1);
      const floor = await a.floor({
        peer: address,
        seconds: 0.2,
        window: 16,
        payloadBytes: 100,
        loneBytes: 60,
        spins: false,
      });
      const { p50, p90, p99, max } = floor.latency_us;
      assert(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max);
      assert(floor.roundTrips_per_s > 0);
      assert(floor.frames_per_s > 0);
      const returned = 0.2 * (floor.roundTrips_per_s + floor.frames_per_s);
      const echoed = await echoing;
      assert(
        echoed >= Math.floor(returned),
        `${echoed} echoed, ${returned} back`,
      );
    },
  });
}

Deno.test("measureFloor() refuses a window or payload that does not fit, and silence", () => {
  const card = openUdpNic(
    { ...IDENTITY, interfaceName: "lo", incarnation: 1, peers: [] },
    makeArea({ slots: 16 }),
  );
  const options = {
    peer: card.address,
    seconds: 0.01,
    window: 16,
    payloadBytes: 100,
    loneBytes: 60,
    spins: false,
  };
  assert.throws(
    () => measureFloor(card, { ...options, window: 17 }),
    RangeError,
  );
  assert.throws(
    () => measureFloor(card, { ...options, payloadBytes: 1473 }),
    RangeError,
  );
  assert.throws(() => measureFloor(card, options), /no frame came back/);
  card.close();
});
