/** One side of the echo measurement: `echo IFACE SECONDS`, or `measure IFACE SECONDS ADDRESS`. */
import { echo, measureFloor } from "../ffi/floor.ts";
import type { FrameArea } from "../ffi/nic.ts";
import { openPacketNic } from "../ffi/packet.ts";

const SLOT_BYTES = 2048;
const SLOTS = 256;
const SLOTS_AT = 4096;
/** A 2A with 21 values of 64 bytes is 1,464 bytes; a 2B is 56. */
const PAYLOAD_BYTES = 1464;
const WINDOW = 32;

const [role, interfaceName, seconds, peer] = Deno.args;
const area: FrameArea = {
  memory: new Uint8Array(SLOTS_AT + SLOTS * SLOT_BYTES),
  rxSlots: SLOTS_AT,
  rxSlotBytes: SLOT_BYTES,
  rxCapacity: SLOTS,
  rxLengths: 0,
  txDescriptors: SLOTS * 4,
  txCapacity: SLOTS,
};
const card = openPacketNic({
  interfaceName,
  cluster: 1,
  roles: 0xff,
  id: 0,
  incarnation: crypto.getRandomValues(new Uint32Array(1))[0],
  ethertype: 0x88b5,
}, area);
if (role === "echo") {
  console.log(card.address.toHex());
  echo(card, Number(seconds));
} else {
  const floor = measureFloor(card, {
    peer: Uint8Array.fromHex(peer),
    seconds: Number(seconds),
    window: WINDOW,
    payloadBytes: PAYLOAD_BYTES,
  });
  console.log(JSON.stringify(floor));
}
card.close();
