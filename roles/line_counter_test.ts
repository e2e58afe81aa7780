import assert from "node:assert/strict";
import { LineCounter } from "./line_counter.ts";

Deno.test("LineCounter counts what was added since its last look, and complete lines only", () => {
  const path = Deno.makeTempFileSync();
  const counter = new LineCounter(path);
  try {
    assert.equal(counter.advance(), false);
    Deno.writeTextFileSync(path, "one\ntwo\nthr", { append: true });
    assert.equal(counter.advance(), true);
    assert.equal(counter.lines, 2);
    Deno.writeTextFileSync(path, "ee\n\n", { append: true });
    assert.equal(counter.advance(), true);
    assert.equal(counter.lines, 4);
    assert.equal(counter.advance(), false);
  } finally {
    counter.close();
    Deno.removeSync(path);
  }
});
