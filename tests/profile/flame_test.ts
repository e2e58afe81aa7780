import assert from "node:assert/strict";
import { drawFlame } from "./flame.ts";
import type { Call } from "./stacks.ts";

function call(name: string, samples: number, ...calls: Call[]): Call {
  return {
    name,
    kind: "core",
    samples,
    calls: new Map(calls.map((it) => [it.name, it])),
  };
}

/** Place and width of the bar of a function. */
function barOf(svg: string, name: string) {
  const bar = new RegExp(
    `<title>${name}: ([^<]*)</title><rect x="([^"]*)" y="([^"]*)" width="([^"]*)"`,
  ).exec(svg);
  if (bar === null) return undefined;
  const [, shares, ...numbers] = bar;
  const [x, y, width] = numbers.map(Number);
  return { shares, x, y, width };
}

Deno.test("a bar is as wide as its share, above its caller, beside its sisters", () => {
  const svg = drawFlame(
    "leader",
    call("all", 100, call("b", 25), call("a", 50, call("c", 50))),
  );
  const [all, a, b, c] = ["all", "a", "b", "c"].map((name) =>
    barOf(svg, name)!
  );
  assert.equal(all.shares, "100.0 %, itself 25.0 %");
  assert.equal(a.shares, "50.0 %, itself 0.0 %");
  assert.deepEqual([all.x, a.x, b.x, c.x], [0, 0, 600, 0]);
  assert.deepEqual([all.width, a.width, b.width], [1199.6, 599.6, 299.6]);
  assert.ok(c.y < a.y && a.y === b.y && b.y < all.y);
});

Deno.test("bars too thin to be seen are left out, and keep their place", () => {
  const svg = drawFlame(
    "leader",
    call("all", 10_000, call("a", 4), call("b", 5_000)),
  );
  assert.equal(barOf(svg, "a"), undefined);
  assert.equal(barOf(svg, "b")!.x, 0.5);
});

Deno.test("names that mean something in XML are escaped, and long ones cut", () => {
  const svg = drawFlame(
    "a<b",
    call("all", 100, call("operator<<&", 5), call("long".repeat(20), 10)),
  );
  assert.ok(svg.includes(">a&lt;b</text>"));
  assert.ok(svg.includes("<title>operator&lt;&lt;&amp;: 5.0 %"));
  assert.ok(svg.includes(">longlonglonglong…</text>"), svg);
});
