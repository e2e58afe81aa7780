import assert from "node:assert/strict";
import { type Call, ownByFunction, ownSamples, treesOf } from "./stacks.ts";

const PRINTED = `worker-1    41 
	ffffffff82152d55 tpacket_rcv.isra.0+0x1f ([kernel.kallsyms])
	           d4ad7 __GI___sendmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
	            1a2b [unknown] (/memfd:libkpnic.so (deleted))
	    7f085808139b JS:+'#step file:///home/a/roles/node.ts:63:8 (/tmp/perf-41.map)
	         360ef7a [unknown] (/home/a/deno)
	         35da2e7 [unknown] (/home/a/deno)

worker-1    41 
	    31b7cf13a7e4 JS:core/assembly/window/Window#offer-10-turbofan (/tmp/perf-41.map)
	    31b7cf1394b2 JS:core/assembly/index/drain-66-turbofan (/tmp/perf-41.map)
	    7f08580266c1 Stub:js-to-wasm:iddi:d (/tmp/perf-41.map)
	    7f085808139b JS:+'#step file:///home/a/roles/node.ts:63:8 (/tmp/perf-41.map)
	         360ef7a [unknown] (/home/a/deno)

V8 DefaultWorker    41 
	         403d115 [unknown] (/home/a/deno)

swapper     0 
	ffffffff82153000 default_idle ([kernel.kallsyms])
`;

/** A tree as lines: depth, name, kind and samples. */
function lines(call: Call, depth = 0): string[] {
  const { name, kind, samples, calls } = call;
  return [
    `${" ".repeat(depth)}${name} ${kind} ${samples}`,
    ...[...calls.values()].flatMap((it) => lines(it, depth + 1)),
  ];
}

Deno.test("samples become a tree of calls for each process, callers first", () => {
  const trees = treesOf(PRINTED);
  assert.deepEqual([...trees.keys()], [41, 0]);
  assert.deepEqual(lines(trees.get(41)!), [
    "all native 3",
    " worker-1 native 2",
    "  deno native 2",
    "   #step node.ts script 2",
    "    libkpnic.so native 1",
    "     __GI___sendmmsg native 1",
    "      tpacket_rcv kernel 1",
    "    Stub:js-to-wasm:iddi:d script 1",
    "     index/drain core 1",
    "      window/Window#offer core 1",
    " V8 DefaultWorker native 1",
    "  deno native 1",
  ]);
  assert.deepEqual(lines(trees.get(0)!), [
    "all native 1",
    " swapper native 1",
    "  default_idle kernel 1",
  ]);
});

Deno.test("what a function was seen running itself counts over all places that called it", () => {
  const tree = treesOf(PRINTED).get(41)!;
  assert.equal(ownSamples(tree), 0);
  assert.deepEqual(ownByFunction(tree), [
    ["deno", 1],
    ["tpacket_rcv", 1],
    ["window/Window#offer", 1],
  ]);
});

Deno.test("output without samples is no tree", () => {
  assert.equal(treesOf("").size, 0);
  assert.equal(treesOf("\n\n# nothing was recorded\n").size, 0);
});
