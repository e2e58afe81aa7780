/**
 * XXH64 (xxHash specification 0.1.1) outside of the core: over the records that storage reads or makes.
 *
 * A number of 64 bits is two halves of 32 here; BigInt would take three times as long.
 */

/** Halves of the specification's primes. */
const [P1H, P1L] = [0x9e3779b1 | 0, 0x85ebca87 | 0];
const [P2H, P2L] = [0xc2b2ae3d | 0, 0x27d4eb4f];
const [P3H, P3L] = [0x165667b1, 0x9e3779f9 | 0];
const [P4H, P4L] = [0x85ebca77 | 0, 0xc2b2ae63 | 0];
const [P5H, P5L] = [0x27d4eb2f, 0x165667c5];

/** So many bytes at a time go through four lanes. */
const STRIPE_BYTES = 32;
/** How far each lane is turned when they are put together. */
const LANE_TURNS = [1, 7, 12, 18];

/** The number at hand. */
let high = 0;
let low = 0;
/** Low and high half of each lane. */
const lanes = new Int32Array(8);

/**
 * The XXH64 of `length` bytes of `view` from `from` on, with seed 0.
 *
 * @param into Takes the low half, then the high one.
 */
export function xxh64(
  view: DataView,
  from: number,
  length: number,
  into: Uint32Array,
): void {
  const end = from + length;
  let at = from;
  set(P5H, P5L);
  if (length >= STRIPE_BYTES) {
    beginLanes();
    for (; at + STRIPE_BYTES <= end; at += STRIPE_BYTES) {
      for (let lane = 0; lane < 8; lane += 2) turnLane(lane, view, at);
    }
    joinLanes();
  }
  add(0, length);
  for (; at + 8 <= end; at += 8) {
    const [h, l] = [high, low];
    set(view.getInt32(at + 4, true), view.getInt32(at, true));
    enter();
    exclusiveOr(h, l);
    rotate(27);
    multiply(P1H, P1L);
    add(P4H, P4L);
  }
  if (at + 4 <= end) {
    takeTail(view.getInt32(at, true), P1H, P1L, 23, P2H, P2L);
    add(P3H, P3L);
    at += 4;
  }
  for (; at < end; at++) {
    takeTail(view.getUint8(at), P5H, P5L, 11, P1H, P1L);
  }
  avalanche();
  into[0] = low;
  into[1] = high;
}

function beginLanes(): void {
  set(P1H, P1L);
  add(P2H, P2L);
  keepLane(0);
  set(P2H, P2L);
  keepLane(2);
  set(0, 0);
  keepLane(4);
  // Minus the first prime.
  set(~P1H, ~P1L);
  add(0, 1);
  keepLane(6);
}

function keepLane(lane: number): void {
  lanes[lane] = low;
  lanes[lane + 1] = high;
}

/** Takes a lane's eight bytes of the stripe at `at`. */
function turnLane(lane: number, view: DataView, at: number): void {
  set(
    view.getInt32(at + lane * 4 + 4, true),
    view.getInt32(at + lane * 4, true),
  );
  multiply(P2H, P2L);
  add(lanes[lane + 1], lanes[lane]);
  rotate(31);
  multiply(P1H, P1L);
  keepLane(lane);
}

function joinLanes(): void {
  let [h, l] = [0, 0];
  for (let lane = 0; lane < 4; lane++) {
    set(lanes[lane * 2 + 1], lanes[lane * 2]);
    rotate(LANE_TURNS[lane]);
    add(h, l);
    [h, l] = [high, low];
  }
  for (let lane = 0; lane < 4; lane++) {
    [h, l] = [high, low];
    set(lanes[lane * 2 + 1], lanes[lane * 2]);
    enter();
    exclusiveOr(h, l);
    multiply(P1H, P1L);
    add(P4H, P4L);
  }
}

/** One round upon an empty lane. */
function enter(): void {
  multiply(P2H, P2L);
  rotate(31);
  multiply(P1H, P1L);
}

/** Takes what is left at the end, times one prime; turned, and times another. */
function takeTail(
  input: number,
  h: number,
  l: number,
  by: number,
  nextH: number,
  nextL: number,
): void {
  const [keptH, keptL] = [high, low];
  set(0, input);
  multiply(h, l);
  exclusiveOr(keptH, keptL);
  rotate(by);
  multiply(nextH, nextL);
}

function avalanche(): void {
  low ^= high >>> 1;
  multiply(P2H, P2L);
  low ^= low >>> 29 | high << 3;
  high ^= high >>> 29;
  multiply(P3H, P3L);
  low ^= high;
}

function set(h: number, l: number): void {
  high = h;
  low = l;
}

function exclusiveOr(h: number, l: number): void {
  high ^= h;
  low ^= l;
}

function add(h: number, l: number): void {
  const sum = (low >>> 0) + (l >>> 0);
  high = high + h + (sum > 0xffffffff ? 1 : 0) | 0;
  low = sum | 0;
}

function rotate(by: number): void {
  const h = high;
  high = h << by | low >>> (32 - by);
  low = low << by | h >>> (32 - by);
}

/** By digits of 16 bits, whose products and sums a double holds exactly. */
function multiply(h: number, l: number): void {
  const [a, b] = [low & 0xffff, low >>> 16];
  const [c, d] = [l & 0xffff, l >>> 16];
  const ac = Math.imul(a, c) >>> 0;
  const middle = (Math.imul(a, d) >>> 0) + (ac >>> 16);
  const cross = (Math.imul(b, c) >>> 0) + (middle & 0xffff);
  const carry = Math.floor(middle / 65536) + Math.floor(cross / 65536);
  high = Math.imul(b, d) + carry + Math.imul(high, l) + Math.imul(low, h) | 0;
  low = cross << 16 | ac & 0xffff;
}
