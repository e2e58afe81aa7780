/** The core is closed: it imports its memory and a way to fail, and holds no allocator. */
import assert from "node:assert/strict";
import { coreModule } from "../core/core.ts";
import { RECEIVE_FRAMES, Role } from "../core/layout.ts";
import { encode } from "./encode.ts";
import { Rig } from "./rig.ts";

Deno.test("the core imports a memory and abort, and nothing else", () => {
  assert.deepEqual(
    WebAssembly.Module.imports(coreModule()).map(({ module, name, kind }) =>
      `${module}.${name}: ${kind}`
    ).sort(),
    ["env.abort: function", "env.memory: memory"],
  );
});

Deno.test("the core holds no allocator, and grows its memory in one place", async () => {
  const text = await Deno.readTextFile(
    new URL("../build/core.wat", import.meta.url),
  );
  for (
    const allocator of ["__new", "__alloc", "__renew", "__free", "~lib/rt"]
  ) {
    assert(!text.includes(allocator), `${allocator} in core.wat`);
  }
  const functions = text.split(/^ \(func /m).slice(1);
  const growing = functions.filter((body) => body.includes("memory.grow"));
  assert.equal(text.split("memory.grow").length - 1, 1);
  assert.match(growing[0], /^\$[\w/~]*arenaTake/);
});

Deno.test("only init takes memory: no step does", async () => {
  const text = await Deno.readTextFile(
    new URL("../build/core.wat", import.meta.url),
  );
  const bodies = new Map(
    text.split(/^ \(func /m).slice(1).map((body) =>
      [body.match(/^\$\S+/)![0], body] as const
    ),
  );
  const reached = new Set<string>();
  const visit = (name: string) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (
      const [, callee] of bodies.get(name)!.matchAll(/call (\$\S+?)[\s)]/g)
    ) {
      if (bodies.has(callee)) visit(callee);
    }
  };
  const entry = (name: string) =>
    text.match(new RegExp(`\\(export "${name}" \\(func (\\$\\S+?)\\)`))![1];
  visit(entry("init"));
  const takers = [...reached].filter((name) => name.includes("arenaTake"));
  assert.equal(takers.length, 1, "init takes memory");
  reached.clear();
  for (const name of ["step", "leave", "clientSubmit", "address", "preset"]) {
    visit(entry(name));
  }
  assert(reached.size > 20, `${reached.size} functions`);
  assert.deepEqual(
    [...reached].filter((name) => bodies.get(name)!.includes("arenaTake")),
    [],
  );
});

Deno.test("options out of range are refused before the node says a word", () => {
  const wrong = [
    { incarnation: 0 },
    { acceptors: [] },
    { mtu: 255 },
    { mtu: 9001 },
    { roles: Role.client, outstanding: 0 },
    { roles: Role.client, clients: 0 },
    { roles: Role.proposer, inFlight: 0 },
    { roles: Role.proposer, inFlight: 2049 },
    { acceptors: Array.from({ length: 32 }, (_, i) => i + 1) },
    { proposers: [0] },
  ];
  for (const options of wrong) {
    assert.throws(
      () => new Rig({ roles: Role.acceptor, ...options }),
      /invariant/,
      JSON.stringify(options),
    );
  }
});

Deno.test("one step takes in as many frames as there are slots", () => {
  const rig = new Rig({ roles: Role.acceptor, id: 2 });
  rig.feed();
  rig.wait(100_000);
  const frames = Array.from(
    { length: RECEIVE_FRAMES },
    (_, i) =>
      encode({ senderRole: "learner", senderId: 1 + i, incarnation: 900 + i }, {
        type: "hi",
        delivered: 0n,
      }),
  );
  assert.equal(rig.feed(...frames).length, RECEIVE_FRAMES);
});
