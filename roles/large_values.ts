/** Large values on their way: each is cut into chunks, which are submitted as there is room for them. */
import type { Core } from "../core/core.ts";

/** Chunks of one large value in flight: enough for a fast network, and other values still get their turn. */
export const CHUNKS_IN_FLIGHT = 64;

/** A large value of one virtual client. */
interface LargeValue {
  readonly bytes: Uint8Array;
  readonly begun_us: number;
  /** Bytes submitted so far. */
  sent: number;
  /** When each chunk that is not answered yet was submitted, by its sequence number. */
  readonly chunks: Map<number, number>;
}

/**
 * At most one large value for each virtual client of a process. Other values may be submitted
 * between its chunks.
 */
export class LargeValues {
  readonly #pieceBytes: number;
  readonly #chunksMost: number;
  readonly #underWay = new Map<number, LargeValue>();

  /**
   * @param pieceBytes Most bytes of a value that one chunk carries; see `chunkBytesFit`.
   * @param chunksMost Most chunks of a value that are in flight.
   */
  constructor(pieceBytes: number, chunksMost: number = CHUNKS_IN_FLIGHT) {
    this.#pieceBytes = pieceBytes;
    this.#chunksMost = chunksMost;
  }

  /** No large value is under way. */
  get idle(): boolean {
    return this.#underWay.size === 0;
  }

  /** A large value of this virtual client is not decided yet. */
  isBusy(client: number): boolean {
    return this.#underWay.has(client);
  }

  /** Takes a value, and keeps a copy. The client must have none under way, and `hasLargeRoom`. */
  begin(client: number, value: Uint8Array, now_us: number): void {
    if (this.isBusy(client)) {
      throw new Error(`Virtual client ${client} has a large value under way`);
    }
    this.#underWay.set(client, {
      bytes: value.slice(),
      begun_us: now_us,
      sent: 0,
      chunks: new Map(),
    });
  }

  /**
   * Submits the next chunks of a client's large value, as far as there is room.
   *
   * @param onSubmit Called with each chunk's sequence number, its piece, and the whole value.
   * @returns How many were submitted.
   */
  submit(
    core: Core,
    client: number,
    now_us: number,
    onSubmit?: (
      sequence: number,
      piece: Uint8Array,
      whole: Uint8Array,
    ) => void,
  ): number {
    const large = this.#underWay.get(client);
    if (large === undefined) return 0;
    const { bytes, chunks } = large;
    let submitted = 0;
    for (
      let room = Math.min(
        core.clientRoom(client),
        this.#chunksMost - chunks.size,
      );
      room > 0 && large.sent < bytes.length;
      room--
    ) {
      const offset = large.sent;
      const piece = bytes.subarray(offset, offset + this.#pieceBytes);
      const sequence = core.submitChunk(
        client,
        piece,
        bytes.length,
        offset,
        now_us,
      );
      chunks.set(sequence, now_us);
      large.sent += piece.length;
      submitted++;
      onSubmit?.(sequence, piece, bytes);
    }
    return submitted;
  }

  /**
   * A value of the client was answered, `latency_us` after it was submitted.
   *
   * @returns The latency of the large value that this completes; undefined: it was a chunk of one
   *   that is not complete; `latency_us` itself: it was no chunk.
   */
  complete(
    client: number,
    sequence: number,
    latency_us: number,
  ): number | undefined {
    if (this.idle) return latency_us;
    const large = this.#underWay.get(client);
    const submitted_us = large?.chunks.get(sequence);
    if (large === undefined || submitted_us === undefined) return latency_us;
    large.chunks.delete(sequence);
    if (large.chunks.size > 0 || large.sent < large.bytes.length) {
      return undefined;
    }
    this.#underWay.delete(client);
    return Math.round(submitted_us - large.begun_us) + latency_us;
  }
}
