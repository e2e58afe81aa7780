import assert from "node:assert/strict";
import { excerpt, printable, quoted } from "./printable.ts";

Deno.test("control characters of every kind are escaped", () => {
  assert.equal(
    printable("a\n\x1b[2J\x7f\x9b\u2028ü"),
    "a\\u000a\\u001b[2J\\u007f\\u009b\\u2028ü",
  );
});

Deno.test("quoted text reads back as JSON", () => {
  const text = 'a "b"\n\x7f\\';
  assert.equal(JSON.parse(quoted(text)), text);
});

Deno.test("an excerpt is cut after 40 characters", () => {
  assert.equal(excerpt("x".repeat(40)), `"${"x".repeat(40)}"`);
  assert.equal(excerpt("x".repeat(41)), `"${"x".repeat(40)}…"`);
});
