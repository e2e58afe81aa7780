import assert from "node:assert/strict";
import { EXIT, UserError } from "./errors.ts";
import { resumeFrom } from "./resume.ts";

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
