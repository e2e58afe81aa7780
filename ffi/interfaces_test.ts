/** What is told of an interface, and the errors that need no namespace. */
import assert from "node:assert/strict";
import { EXIT } from "../roles/errors.ts";
import { interfaceNames, probeInterface } from "./interfaces.ts";

Deno.test("interfaceNames() lists lo", () => {
  assert(interfaceNames().split(", ").includes("lo"));
});

Deno.test("probeInterface() tells of lo, with the MTU that a card will have", () => {
  const lo = probeInterface("lo");
  assert.equal(lo.index, 1);
  assert.equal(lo.mtu, 1500);
  assert.equal(lo.loopback, true);
  assert.equal(lo.up, true);
  assert.deepEqual([...lo.address], [0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...lo.ipv4!], [127, 0, 0, 1]);
  assert.equal(probeInterface("lo", { maxMtu: 9000 }).mtu, 9000);
  assert.equal(probeInterface("lo", { nic: "udp" }).mtu, 1472);
});

Deno.test("probeInterface() refuses a missing interface and lists those there are", () => {
  for (const name of ["eth9", "", "a-name-that-is-too-long-for-linux"]) {
    assert.throws(() => probeInterface(name), {
      name: "UserError",
      exitCode: EXIT.environment,
      message: `No such interface "${name}"; there are: ${interfaceNames()}`,
    });
  }
});

Deno.test("probeInterface() refuses an MTU out of range", () => {
  for (const maxMtu of [575, 9001]) {
    assert.throws(() => probeInterface("lo", { maxMtu }), {
      name: "UserError",
      exitCode: EXIT.usage,
      message: `MTU ${maxMtu} is out of range: it must be from 576 to 9000`,
    });
  }
});
