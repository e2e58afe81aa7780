import assert from "node:assert/strict";
import { formatDuration, parseDuration_ms } from "./duration.ts";

Deno.test("a plain number is seconds", () => {
  assert.equal(parseDuration_ms("2"), 2000);
  assert.equal(parseDuration_ms("0.5"), 500);
});

Deno.test("a unit may follow", () => {
  assert.equal(parseDuration_ms("500ms"), 500);
  assert.equal(parseDuration_ms("2s"), 2000);
  assert.equal(parseDuration_ms("1m"), 60_000);
  assert.equal(parseDuration_ms("1.5h"), 5_400_000);
});

Deno.test("what is no duration is undefined", () => {
  for (
    const text of ["", "s", "-1", "+1", "1e3", "1 s", " 1", "1d", ".5", "1."]
  ) {
    assert.equal(parseDuration_ms(text), undefined, text);
  }
});

Deno.test("a duration is written as it is read", () => {
  for (const duration_ms of [1, 999, 1000, 60_000, 90_000, 7_200_000]) {
    assert.equal(parseDuration_ms(formatDuration(duration_ms)), duration_ms);
  }
  assert.equal(formatDuration(7_200_000), "2h");
});
