/** What an acceptor may trim, by what learners told it. */
import assert from "node:assert/strict";
import { RegistryModel } from "./registry_model.ts";
import { Violation } from "./violation.ts";

const PATIENCE_US = 2_000_000;

function trimsTooFar(run: () => void): void {
  assert.throws(
    run,
    (error) => error instanceof Violation && error.property === "trim",
  );
}

Deno.test("what a learner that was heard lately has not delivered may not be trimmed", () => {
  const model = new RegistryModel("acceptor 1", PATIENCE_US);
  model.hi(1, 7, 5, 0);
  model.trim(5, 100);
  trimsTooFar(() => model.trim(6, 200));
  model.hi(1, 7, 9, 300);
  model.trim(9, 400);
  model.hi(1, 7, 6, 450);
  model.trim(9, 500);
});

Deno.test("a learner that is gone, has left, or cannot be helped holds nothing back", () => {
  const gone = new RegistryModel("acceptor 1", PATIENCE_US);
  gone.hi(1, 7, 5, 0);
  gone.trim(5, 1);
  gone.trim(9, 600_000);

  const left = new RegistryModel("acceptor 1", PATIENCE_US);
  left.hi(1, 7, 5, 0);
  left.trim(5, 1);
  left.relax(7, 0);
  left.trim(9, 2);

  const behind = new RegistryModel("acceptor 1", PATIENCE_US);
  behind.hi(1, 7, 5, 0);
  behind.trim(5, 1);
  behind.hi(1, 7, 0, 2);
  behind.trim(9, 3);

  const late = new RegistryModel("acceptor 1", PATIENCE_US);
  late.hi(1, 7, 5, 0);
  late.trim(8, 1);
  late.trim(9, 2);
});

Deno.test("an old hi that comes long after may have registered a learner far below what it delivered", () => {
  const model = new RegistryModel("acceptor 1", PATIENCE_US);
  model.hi(1, 7, 50, 0);
  model.trim(40, 1);
  model.hi(1, 7, 1, 2_000_000);
  model.trim(40, 2_000_001);
  model.trim(60, 2_000_002);
});

Deno.test("a learner may be left behind when it did not go on for long, and holds nothing back until it does", () => {
  const model = new RegistryModel("acceptor 1", PATIENCE_US);
  const heard = (from_us: number, to_us: number, delivered: number) => {
    for (let at_us = from_us; at_us <= to_us; at_us += 100_000) {
      model.hi(1, 7, delivered, at_us);
    }
  };
  heard(0, 1_000_000, 5);
  model.trim(5, 1_000_000);
  trimsTooFar(() => model.leave(1, 1_000_000));
  trimsTooFar(() => model.leave(2, 3_000_000));
  // It goes on once, so patience with it begins anew.
  heard(1_100_000, 2_000_000, 6);
  trimsTooFar(() => model.leave(1, 2_500_000));
  heard(2_100_000, 3_100_000, 6);
  trimsTooFar(() => model.trim(7, 3_100_000));
  model.leave(1, 3_100_000);
  model.trim(7, 3_150_000);
  heard(3_200_000, 3_200_000, 8);
  // What it needs next is still there, so it is kept for it again.
  model.trim(8, 3_220_000);
  trimsTooFar(() => model.trim(9, 3_250_000));
});

Deno.test("a learner that goes on too late finds that what it needs is gone, and holds nothing back", () => {
  const model = new RegistryModel("acceptor 1", PATIENCE_US);
  for (let at_us = 0; at_us <= 2_000_000; at_us += 100_000) {
    model.hi(1, 7, 5, at_us);
  }
  model.trim(5, 2_000_000);
  model.leave(1, 2_000_000);
  model.hi(1, 7, 6, 2_100_000);
  model.trim(9, 2_100_000);
  model.trim(10, 2_200_000);
});
