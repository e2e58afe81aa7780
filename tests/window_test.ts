/** How a value is known to be chosen: votes of one ballot, and the value of that ballot or a higher one. */
import assert from "node:assert/strict";
import { openUnits } from "./units.ts";

function makeWindow(acceptors = 3) {
  const opened = openUnits(acceptors);
  const { units, scratch } = opened;
  units.windowMake(64);
  return {
    units,
    /** The value of `ballot` for instance 1 is the ballot itself. */
    offer(ballot: bigint): boolean {
      new DataView(opened.bytes.buffer).setBigUint64(scratch, ballot, true);
      return units.windowOffer(1n, ballot, scratch, 8) !== 0;
    },
    vote: (ballot: bigint, acceptor: number) =>
      units.windowVote(1n, ballot, acceptor) !== 0,
    /** The decided value, if there is one. */
    decided(): bigint | undefined {
      if (units.windowDecided(1n) === 0) return undefined;
      const view = new DataView(opened.bytes.buffer);
      return view.getBigUint64(units.windowBatch(1n), true);
    },
  };
}

Deno.test("a majority of one ballot and its value decide, in either order", () => {
  const first = makeWindow();
  assert(!first.offer(5n));
  assert(!first.vote(5n, 0));
  assert(first.vote(5n, 2));
  assert.equal(first.decided(), 5n);
  const second = makeWindow();
  assert(!second.vote(5n, 0));
  assert(!second.vote(5n, 2));
  assert(second.offer(5n));
  assert.equal(second.decided(), 5n);
});

Deno.test("one acceptor that votes again is not a majority", () => {
  const window = makeWindow();
  window.offer(5n);
  for (let n = 0; n < 5; n++) assert(!window.vote(5n, 1));
  assert.equal(window.decided(), undefined);
});

Deno.test("votes of different ballots are not a majority", () => {
  const window = makeWindow(5);
  window.offer(5n);
  window.offer(6n);
  window.vote(5n, 0);
  window.vote(5n, 1);
  window.vote(6n, 2);
  window.vote(5n, 3);
  window.vote(6n, 4);
  assert.equal(window.decided(), undefined);
  assert(window.vote(6n, 0));
  assert.equal(window.decided(), 6n);
});

Deno.test("a majority does not decide the value of a lower ballot", () => {
  const window = makeWindow();
  window.offer(5n);
  window.vote(6n, 0);
  window.vote(6n, 1);
  assert.equal(window.decided(), undefined);
  assert(window.offer(6n));
  assert.equal(window.decided(), 6n);
});

Deno.test("the value of a lower ballot does not replace that of a higher one", () => {
  const window = makeWindow();
  window.offer(6n);
  window.offer(5n);
  window.vote(6n, 0);
  assert(window.vote(6n, 1));
  assert.equal(window.decided(), 6n);
});

Deno.test("a decided value stays", () => {
  const window = makeWindow();
  window.offer(5n);
  window.vote(5n, 0);
  window.vote(5n, 1);
  window.offer(9n);
  window.vote(9n, 0);
  window.vote(9n, 1);
  window.units.windowAnnounce(9n, 100n);
  assert.equal(window.decided(), 5n);
});

Deno.test("a leader's word decides its own values and no others", () => {
  const window = makeWindow();
  window.offer(5n);
  window.units.windowAnnounce(6n, 2n);
  assert.equal(window.decided(), undefined);
  assert(window.offer(6n), "the value of the ballot that was announced");
  assert.equal(window.decided(), 6n);
  const early = makeWindow();
  early.offer(6n);
  early.units.windowAnnounce(6n, 1n);
  assert.equal(early.decided(), undefined, "instance 1 is not below 1");
  early.units.windowAnnounce(6n, 2n);
  assert.equal(early.decided(), 6n);
});

Deno.test("the word of a lower ballot is not heard after that of a higher one", () => {
  const window = makeWindow();
  window.units.windowAnnounce(6n, 1n);
  window.offer(5n);
  window.units.windowAnnounce(5n, 2n);
  assert.equal(window.decided(), undefined);
});

Deno.test("where an instance is known to be decided, a majority's reports decide the highest ballot among them", () => {
  const window = makeWindow(5);
  const report = (acceptor: number) => window.units.windowReport(1n, acceptor);
  window.offer(7n);
  for (let n = 0; n < 3; n++) report(0);
  report(1);
  assert.equal(window.decided(), undefined, "two of five, however often");
  window.offer(9n);
  window.offer(8n);
  assert.equal(report(4), 1);
  assert.equal(window.decided(), 9n);
});

Deno.test("of four acceptors, the reports of two are enough: the others are no majority", () => {
  const window = makeWindow(4);
  window.offer(7n);
  assert.equal(window.units.windowReport(1n, 0), 0);
  assert.equal(window.units.windowReport(1n, 3), 1);
  assert.equal(window.decided(), 7n);
});

Deno.test("a majority's reports that nothing was accepted decide nothing until a value comes", () => {
  const window = makeWindow();
  window.units.windowReport(1n, 0);
  window.units.windowReport(1n, 1);
  assert.equal(window.decided(), undefined);
  window.offer(5n);
  window.units.windowReport(1n, 2);
  assert.equal(window.decided(), 5n);
});

Deno.test("no two instances of a window have their batches in one place, whatever was given back before", () => {
  const { units } = makeWindow();
  const size = 2048;
  let base = 1;
  const places = () =>
    Array.from(
      { length: size },
      (_, i) => units.windowPlace(BigInt(base + i)),
    );
  const all = new Set(places());
  assert.equal(all.size, size);
  for (const [moves, dropped] of [[1, 1], [700, 300], [2048, 2048], [5, 0]]) {
    base += moves;
    units.windowAdvance(BigInt(base));
    for (let i = 0; i < dropped; i++) units.windowDrop(BigInt(base - 1 - i));
    // Some slots hold an instance below the base still, or nothing.
    const now = new Set(places());
    assert.equal(now.size, size);
    assert(now.isSubsetOf(all), "a place that the window does not have");
  }
  units.windowClear();
  assert.equal(new Set(places()).size, size);
});

Deno.test("what was given back last is used next, and what holds a later instance is not given back", () => {
  const { units } = makeWindow();
  const [first, second] = [units.windowPlace(1n), units.windowPlace(2n)];
  units.windowDrop(1n);
  assert.equal(units.windowPlace(3n), first);
  units.windowAdvance(3n);
  // It lies where instance 2 lay.
  assert.equal(units.windowPlace(2050n), second);
  units.windowDrop(2n);
  assert.equal(units.windowPlace(2050n), second);
  assert.notEqual(units.windowPlace(4n), second);
});
