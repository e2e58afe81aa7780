import assert from "node:assert/strict";
import { nearest } from "./suggest.ts";

const WORDS = ["outstanding", "output", "clients", "count", "if", "id"];

Deno.test("a letter that is missing, added, replaced or swapped finds the word", () => {
  assert.equal(nearest("outstnding", WORDS), "outstanding");
  assert.equal(nearest("outstandingg", WORDS), "outstanding");
  assert.equal(nearest("outstamding", WORDS), "outstanding");
  assert.equal(nearest("outstandign", WORDS), "outstanding");
});

Deno.test("the beginning of a word finds the word", () => {
  assert.equal(nearest("outst", WORDS), "outstanding");
});

Deno.test("case does not matter", () => {
  assert.equal(nearest("CLIENTS", WORDS), "clients");
});

Deno.test("a word that is like none finds none", () => {
  assert.equal(nearest("verbosity", WORDS), undefined);
  assert.equal(nearest("", WORDS), undefined);
  assert.equal(nearest("x".repeat(100_000), WORDS), undefined);
});
