/** Frames and memory for tests of cards: just enough of the header to pass or fail a filter. */
import { type FrameArea, LINK_HEADER_BYTES } from "../ffi/nic.ts";

const HEADER_BYTES = 32;

/** Memory of a core that is not there: slots, lengths, descriptors and room for frames to send. */
export interface TestArea extends FrameArea {
  /** First byte of the room for frames to send. */
  readonly txFrames: number;
}

/** Lays out an area in shared memory, as the core's is. */
export function makeArea(
  { slots = 64, mtu = 1500 }: { slots?: number; mtu?: number } = {},
): TestArea {
  const rxSlotBytes = Math.ceil((2 + LINK_HEADER_BYTES + mtu) / 64) * 64;
  const rxLengths = slots * rxSlotBytes;
  const txDescriptors = rxLengths + slots * 8;
  const txFrames = txDescriptors + slots * 8;
  const pages = Math.ceil((txFrames + slots * 16384) / 65536);
  const memory = new WebAssembly.Memory({
    initial: pages,
    maximum: pages,
    shared: true,
  });
  return {
    memory: new Uint8Array(memory.buffer),
    rxSlots: 0,
    rxSlotBytes,
    rxCapacity: slots,
    rxLengths,
    txDescriptors,
    txCapacity: slots,
    txFrames,
  };
}

/** What a test says of a frame; the rest is as it should be. */
export interface FrameFields {
  readonly destination: readonly number[];
  readonly source?: readonly number[];
  readonly ethertype?: number;
  /** Number of a VLAN whose tag goes in front of the EtherType. */
  readonly vlan?: number;
  readonly version?: number;
  readonly cluster?: number;
  readonly senderRole?: number;
  readonly receiverRoles?: number;
  readonly receiverId?: number;
  readonly incarnation?: number;
  /** Follows the header. */
  readonly text?: string;
}

/** A frame with the header's fields that a card looks at, and a text to know it by. */
export function makeFrame(fields: FrameFields): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(fields.text ?? "");
  const bytes = new Uint8Array(LINK_HEADER_BYTES + HEADER_BYTES + text.length);
  const frame = new DataView(bytes.buffer);
  bytes.set(fields.destination, 0);
  bytes.set(fields.source ?? [2, 0, 0, 0, 0, 0xff], 6);
  frame.setUint16(12, fields.ethertype ?? 0x88b5, false);
  const header = new DataView(bytes.buffer, LINK_HEADER_BYTES);
  header.setUint8(0, fields.version ?? 1);
  header.setUint16(2, fields.cluster ?? 7, true);
  header.setUint8(4, fields.senderRole ?? 0);
  header.setUint8(5, fields.receiverRoles ?? 0xff);
  header.setUint16(8, fields.receiverId ?? 0, true);
  header.setUint16(10, HEADER_BYTES + text.length, true);
  header.setUint32(12, fields.incarnation ?? 0xffff, true);
  bytes.set(text, LINK_HEADER_BYTES + HEADER_BYTES);
  if (fields.vlan === undefined) return bytes;
  // IEEE 802.1Q: 0x8100 and the number stand between the addresses and the EtherType.
  const tag = [0x81, 0x00, fields.vlan >> 8, fields.vlan & 0xff];
  return Uint8Array.of(...bytes.subarray(0, 12), ...tag, ...bytes.subarray(12));
}

/** Writes the frames into the area's room, one descriptor each from 0 on. */
export function layOut(area: TestArea, frames: readonly Uint8Array[]): void {
  const view = new DataView(area.memory.buffer);
  let offset = area.txFrames;
  frames.forEach((frame, i) => {
    area.memory.set(frame, offset);
    view.setUint32(area.txDescriptors + i * 8, offset, true);
    view.setUint32(area.txDescriptors + i * 8 + 4, frame.length, true);
    offset += frame.length;
  });
}

/** Copies of the first `count` frames received, from the link header on. */
export function received(area: FrameArea, count: number): Uint8Array[] {
  const view = new DataView(area.memory.buffer);
  return Array.from({ length: count }, (_, i) => {
    const start = area.rxSlots + i * area.rxSlotBytes + 2;
    const length = view.getUint32(area.rxLengths + i * 4, true);
    return area.memory.slice(start, start + length);
  });
}

/** The text behind a frame's header. */
export function textOf(frame: Uint8Array): string {
  const header = new DataView(
    frame.buffer,
    frame.byteOffset + LINK_HEADER_BYTES,
  );
  const end = LINK_HEADER_BYTES + header.getUint16(10, true);
  return new TextDecoder().decode(
    frame.slice(LINK_HEADER_BYTES + HEADER_BYTES, end),
  );
}
