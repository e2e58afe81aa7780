/** What an acceptor may trim, by what learners told it. */
import assert from "node:assert/strict";
import { RegistryModel } from "./registry_model.ts";
import { Violation } from "./violation.ts";

function trimsTooFar(run: () => void): void {
  assert.throws(
    run,
    (error) => error instanceof Violation && error.property === "trim",
  );
}

Deno.test("what a learner that was heard lately has not delivered may not be trimmed", () => {
  const model = new RegistryModel("acceptor 1");
  model.hi(7, 5, 0);
  model.trim(5, 100);
  trimsTooFar(() => model.trim(6, 200));
  model.hi(7, 9, 300);
  model.trim(9, 400);
  model.hi(7, 6, 450);
  model.trim(9, 500);
});

Deno.test("a learner that is gone, has left, or cannot be helped holds nothing back", () => {
  const gone = new RegistryModel("acceptor 1");
  gone.hi(7, 5, 0);
  gone.trim(5, 1);
  gone.trim(9, 600_000);

  const left = new RegistryModel("acceptor 1");
  left.hi(7, 5, 0);
  left.trim(5, 1);
  left.relax(7, 0);
  left.trim(9, 2);

  const behind = new RegistryModel("acceptor 1");
  behind.hi(7, 5, 0);
  behind.trim(5, 1);
  behind.hi(7, 0, 2);
  behind.trim(9, 3);

  const late = new RegistryModel("acceptor 1");
  late.hi(7, 5, 0);
  late.trim(8, 1);
  late.trim(9, 2);
});

Deno.test("an old hi that comes long after may have registered a learner far below what it delivered", () => {
  const model = new RegistryModel("acceptor 1");
  model.hi(7, 50, 0);
  model.trim(40, 1);
  model.hi(7, 1, 2_000_000);
  model.trim(40, 2_000_001);
  model.trim(60, 2_000_002);
});
