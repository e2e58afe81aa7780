import assert from "node:assert/strict";
import { EXIT, UserError } from "./errors.ts";
import { resumeFrom, wayOn } from "./resume.ts";

Deno.test("a learner hands out values from its checkpoint on, or from where it was asked to, if that is behind", () => {
  assert.equal(resumeFrom(70), 70);
  assert.equal(resumeFrom(70, 0n), 70);
  assert.equal(resumeFrom(70, 70n), 70);
  assert.equal(resumeFrom(70, 90n), 90);
});

Deno.test("an instance below the checkpoint is refused, with what to do", () => {
  assert.throws(() => resumeFrom(70, 69n), (error) => {
    assert(error instanceof UserError);
    assert.equal(error.exitCode, EXIT.usage);
    assert.match(error.message, /--from 69: .* at instance 70, .*70 or more/);
    return true;
  });
});

Deno.test("a learner that is behind is told to go on without its checkpoint, if it has one", () => {
  assert.equal(
    wayOn(500),
    "To go on without the values before it: --from 500, or --from 0 for what is decided from now on",
  );
  assert.equal(
    wayOn(500, "/var/lib/kpaxos/learner-9"),
    "To go on without the values before it, move /var/lib/kpaxos/learner-9 away, whose checkpoint lies before it, " +
      "and start this learner again: --from 500, or --from 0 for what is decided from now on",
  );
});
