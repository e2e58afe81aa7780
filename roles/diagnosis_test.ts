import assert from "node:assert/strict";
import { diagnose, type Heard } from "./diagnosis.ts";

const WELL: Heard = {
  frames: 100,
  leaderSilence_us: 20_000,
  leader: 1,
  insisted: 0,
  acceptors: [1, 2, 3],
  allAcceptors: [1, 2, 3],
  sessionsPending: 0,
  quorum: 2,
  interfaceDown: false,
  interfaceName: "eth0",
  cluster: 1,
};

Deno.test("diagnose() names an interface that is down before anything else", () => {
  assert.match(
    diagnose({ ...WELL, interfaceDown: true, frames: 0 }),
    /^interface eth0 is down/,
  );
});

Deno.test("diagnose() tells silence from a missing leader and a missing quorum", () => {
  assert.match(
    diagnose({ ...WELL, frames: 0, acceptors: [] }),
    /^no answer at all on eth0/,
  );
  assert.match(
    diagnose({ ...WELL, leaderSilence_us: undefined }),
    /^no leader heard: is a proposer running/,
  );
  assert.match(
    diagnose({ ...WELL, leaderSilence_us: 4_200_000 }),
    /^no leader heard for 4.2 s: proposer 1 led before/,
  );
  const noQuorum =
    "no quorum: 1 of 3 acceptors vote, 2 are needed; stopped, out of reach or waiting (their logs tell): 1, 3";
  assert.equal(diagnose({ ...WELL, acceptors: [2] }), noQuorum);
  assert.equal(
    diagnose({ ...WELL, acceptors: [2], leaderSilence_us: undefined }),
    noQuorum,
  );
});

Deno.test("diagnose() names a proposer that was insisted on and is silent", () => {
  assert.match(
    diagnose({ ...WELL, insisted: 3 }),
    /^proposer 3, named by --proposer-id, does not answer/,
  );
});

Deno.test("diagnose() admits when all seems well", () => {
  assert.match(diagnose(WELL), /kpaxos status tells why$/);
});
