/**
 * A window of instances with the votes and the value of each: how a value is known to be chosen.
 *
 * A value is chosen when a majority of acceptors accepted it in one ballot. Votes carry no value,
 * so a slot tallies the votes of one ballot at a time, the highest seen, and keeps the value of the
 * highest ballot seen. Once a majority of one ballot is there, the value of that ballot is chosen,
 * and so is the value of any higher one, since no proposer may propose another above a chosen one
 * ("Paxos Made Simple", P2b).
 *
 * Where an instance is known to be decided, though not with what, so many acceptors that tell what they
 * accepted are enough that the others are no majority: one of them was in the majority that chose, so the
 * highest ballot told is that of the choice or above it, and its value is the chosen one.
 */
import { WINDOW_INSTANCES } from "../layout";
import { arenaTake } from "./arena";
import { acceptorCount, quorum } from "./settings";

@unmanaged
export class Slot {
  instance: u64;
  /** Ballot whose votes are tallied, and the acceptors that voted. Invariant: frozen once `chosen`. */
  voteBallot: u64;
  votes: u32;
  bytes: u32;
  /** Where the batch lies; 0: nowhere yet. */
  batch: usize;
  /** Ballot of the value that `batch` holds; 0: no value yet. */
  valueBallot: u64;
  /** When the proposer last sent it, µs; 0: not yet. */
  sentAt_us: u64;
  values: u32;
  tries: u32;
  /** Acceptors that told what they accepted here, after the instance was decided. */
  reports: u32;
  /** A majority of `voteBallot` was seen. */
  chosen: bool;
  /** Chosen, and the value is here. Invariant: value and flag never change again. */
  decided: bool;
}

@unmanaged
export class Window {
  /** First instance of the window. Invariant: only grows. */
  base: u64;
  /** What the leader of `watermarkBallot` said: all instances below are decided. */
  watermark: u64;
  watermarkBallot: u64;
  private slots: usize;
  private batchBytes: usize;
  /**
   * Places for batches that no slot has: a stack of u32 pointers. What was given back last is used next, so
   * that the few that are in use at a time stay in the processor's cache.
   */
  private places: usize;
  private placeCount: u32;

  static make(batchBytes: usize, base: u64): Window {
    const self = changetype<Window>(arenaTake(offsetof<Window>()));
    self.slots = arenaTake(offsetof<Slot>() * WINDOW_INSTANCES);
    self.batchBytes = batchBytes;
    self.places = arenaTake(WINDOW_INSTANCES * 4);
    const batches = arenaTake(batchBytes * WINDOW_INSTANCES);
    for (let i: u32 = 0; i < WINDOW_INSTANCES; i++) self.give(batches + <usize>i * batchBytes);
    self.base = base;
    return self;
  }

  @inline end(): u64 {
    return this.base + WINDOW_INSTANCES;
  }

  @inline inside(instance: u64): bool {
    return instance - this.base < WINDOW_INSTANCES;
  }

  /** The slot of an instance inside the window, emptied if it last held another instance. */
  slot(instance: u64): Slot {
    const slot = this.slotAt(instance);
    if (slot.instance != instance) {
      const batch = slot.batch;
      memory.fill(changetype<usize>(slot), 0, offsetof<Slot>());
      slot.instance = instance;
      slot.batch = batch;
    }
    return slot;
  }

  /** The batch of an instance inside the window that has a value. */
  @inline batch(instance: u64): usize {
    return this.slot(instance).batch;
  }

  /** Where to write the batch of an instance inside the window. */
  place(instance: u64): usize {
    const slot = this.slot(instance);
    // A slot has one place at most, so there is one left.
    if (slot.batch == 0) slot.batch = <usize>load<u32>(this.places + (<usize>(--this.placeCount) << 2));
    return slot.batch;
  }

  /** Nobody needs the batch of this instance any more: another one may lie there. */
  drop(instance: u64): void {
    const slot = this.slotAt(instance);
    if (slot.instance != instance || slot.batch == 0) return;
    this.give(slot.batch);
    slot.batch = 0;
  }

  /** Forgets every slot; the base stays. */
  clear(): void {
    for (let i: u64 = 0; i < WINDOW_INSTANCES; i++) this.drop(this.slotAt(i).instance);
    memory.fill(this.slots, 0, offsetof<Slot>() * WINDOW_INSTANCES);
  }

  /** Keeps the value of `ballot`, unless one of a higher ballot, or a decided one, is there. True if this decides it. */
  offer(instance: u64, ballot: u64, batch: usize, bytes: u32, values: u32): bool {
    const slot = this.slot(instance);
    if (slot.decided || ballot <= slot.valueBallot) return false;
    this.keep(slot, ballot, batch, bytes, values);
    if (this.covers(instance, ballot)) return this.decideNow(slot);
    return this.settle(slot);
  }

  /** Counts the vote of the acceptor at `index`. True if this decides the instance. */
  vote(instance: u64, ballot: u64, index: i32): bool {
    const slot = this.slot(instance);
    if (slot.chosen || ballot < slot.voteBallot) return false;
    if (ballot > slot.voteBallot) {
      slot.voteBallot = ballot;
      slot.votes = 0;
    }
    slot.votes |= 1 << index;
    if (<i32>popcnt(slot.votes) < quorum) return false;
    slot.chosen = true;
    return this.settle(slot);
  }

  /**
   * The acceptor at `index` told all that it accepted for this instance, which was decided when it
   * was asked; what it told was offered before. True if this decides the instance.
   */
  report(instance: u64, index: i32): bool {
    const slot = this.slot(instance);
    if (slot.decided) return false;
    slot.reports |= 1 << index;
    if (<i32>popcnt(slot.reports) <= acceptorCount - quorum || slot.valueBallot == 0) return false;
    return this.decideNow(slot);
  }

  /** Takes a value of which an acceptor knows that it is chosen. */
  learn(instance: u64, ballot: u64, batch: usize, bytes: u32, values: u32): bool {
    const slot = this.slot(instance);
    if (slot.decided) return false;
    this.keep(slot, ballot, batch, bytes, values);
    return this.decideNow(slot);
  }

  /**
   * Takes the word of the leader of `ballot` that all instances below `decided` are decided. Its own
   * values among them are then the chosen ones; values of other ballots need not be.
   */
  announce(ballot: u64, decided: u64): void {
    if (ballot < this.watermarkBallot) return;
    if (ballot == this.watermarkBallot && decided <= this.watermark) return;
    let from = ballot == this.watermarkBallot ? this.watermark : this.base;
    this.watermarkBallot = ballot;
    this.watermark = decided;
    if (from < this.base) from = this.base;
    const to = min(decided, this.end());
    for (let i = from; i < to; i++) {
      const slot = this.slot(i);
      if (!slot.decided && slot.valueBallot == ballot) this.decideNow(slot);
    }
  }

  /** Moves the base up. */
  advance(base: u64): void {
    if (base > this.base) this.base = base;
  }

  /** Readies a slot for a proposal of one's own in `ballot`; the batch is in place. */
  propose(instance: u64, ballot: u64, bytes: u32, values: u32): Slot {
    const slot = this.slot(instance);
    assert(!slot.decided, "proposal for a decided instance");
    slot.valueBallot = ballot;
    slot.voteBallot = ballot;
    slot.votes = 0;
    slot.chosen = false;
    slot.bytes = bytes;
    slot.values = values;
    slot.sentAt_us = 0;
    slot.tries = 0;
    return slot;
  }

  @inline private covers(instance: u64, ballot: u64): bool {
    return ballot == this.watermarkBallot && instance < this.watermark;
  }

  private keep(slot: Slot, ballot: u64, batch: usize, bytes: u32, values: u32): void {
    assert(<usize>bytes <= this.batchBytes, "batch larger than its slot");
    slot.valueBallot = ballot;
    slot.bytes = bytes;
    slot.values = values;
    if (bytes > 0) memory.copy(this.place(slot.instance), batch, bytes);
  }

  /** The slot that an instance has in common with all others that are a multiple of the window away. */
  @inline private slotAt(instance: u64): Slot {
    const index = <usize>(instance & (WINDOW_INSTANCES - 1));
    return changetype<Slot>(this.slots + index * offsetof<Slot>());
  }

  @inline private give(place: usize): void {
    store<u32>(this.places + (<usize>(this.placeCount++) << 2), <u32>place);
  }

  private settle(slot: Slot): bool {
    if (!slot.chosen || slot.valueBallot < slot.voteBallot) return false;
    return this.decideNow(slot);
  }

  private decideNow(slot: Slot): bool {
    slot.chosen = true;
    slot.decided = true;
    return true;
  }
}
