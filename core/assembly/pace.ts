/**
 * How much a client keeps in the network: a window of bytes. What does not fit waits at the client, where
 * it costs nobody anything: the leader's queue and everybody's receive buffers have an end, and what they
 * drop is sent again in vain.
 *
 * The window doubles with each round trip until the leader's 2A say that its queue grows. From then on it
 * grows by two frames a round trip, and shrinks by an eighth whenever the leader says so. All clients hear
 * the same word, so they come to equal shares (Chiu and Jain, "Analysis of the Increase and Decrease
 * Algorithms for Congestion Avoidance", 1989; the mark in place of a loss: RFC 3168). A loss may be chance:
 * it does not shrink the window below what any receive buffer holds.
 */
import { Counter, Gauge } from "../layout";
import { count, gauge } from "./meters";
import { mtu } from "./settings";

/** In frames: the first window, the least one, the least one after losses, and the growth in a round trip. */
const FIRST_FRAMES: u64 = 32;
const LEAST_FRAMES: u64 = 2;
const LOSSY_FRAMES: u64 = 256;
const GROWTH_FRAMES: u64 = 2;
/** The part of the window that goes when it shrinks, as a shift. */
const CUT_SHIFT: u64 = 3;

let window: u64 = 0;
/** Nobody slowed this client down yet, since it began or the leader changed. */
let starting: bool = false;
/** Answered since the window grew last. */
let answeredBytes: u64 = 0;
/** The window was full when it was asked last: else it says nothing about a larger one. */
let limited: bool = false;
/** When the window shrank last: answers to what was sent before tell of an older, larger one. */
let shrunkAt_us: u64 = 0;
/** Nothing that was sent since then is answered yet. */
let settling: bool = false;

/** Begins anew, as with a leader of which nothing is known yet. */
export function paceInit(): void {
  resize(FIRST_FRAMES * <u64>mtu);
  starting = true;
  settling = false;
}

/** Whether more may be sent while so many bytes are unanswered. */
export function paceAllows(bytes: u64): bool {
  limited = bytes >= window;
  return !limited;
}

/** So many bytes that were sent at `sentAt_us` are answered. */
export function paceAnswered(bytes: u64, sentAt_us: u64): void {
  if (settling && sentAt_us >= shrunkAt_us) settling = false;
  if (!limited || settling) return;
  if (starting) return resize(window + bytes);
  answeredBytes += bytes;
  if (answeredBytes < window) return;
  answeredBytes = 0;
  resize(window + GROWTH_FRAMES * <u64>mtu);
}

/** A 2A says that the leader's queue is long. */
export function paceMarked(now_us: u64): void {
  shrink(LEAST_FRAMES * <u64>mtu, now_us);
}

/** Something was lost. */
export function paceLost(now_us: u64): void {
  shrink(LOSSY_FRAMES * <u64>mtu, now_us);
}

function shrink(least: u64, now_us: u64): void {
  if (settling || window <= least) return;
  count(Counter.slowed);
  starting = false;
  settling = true;
  shrunkAt_us = now_us;
  answeredBytes = 0;
  resize(max(window - (window >> CUT_SHIFT), least));
}

function resize(bytes: u64): void {
  window = bytes;
  gauge(Gauge.paceBytes, bytes);
}
