/** The journal: what waits for storage stays as it was, however often the ring comes round, and storage may be slow. */
import assert from "node:assert/strict";
import { recordBytes } from "../core/core.ts";
import { JOURNAL_BYTES_MIN, Role } from "../core/layout.ts";
import { sameBytes } from "../sim/chosen.ts";
import { typeOf } from "../sim/decode.ts";
import { Random } from "../sim/random.ts";
import { ballotOf, encode, run } from "./encode.ts";
import { Rig } from "./rig.ts";

const LEADER = {
  senderRole: "proposer",
  senderId: 1,
  incarnation: 101,
  ballot: ballotOf(1, 1),
} as const;
/** How often the ring comes round. */
const ROUNDS = 4;
/** What a batch, or a value in it, has besides its text; a record has less. */
const HEADERS_BYTES = 64;

/** A 2A; all before it are decided, but for a few. */
function accept(instance: number, bytes: number): Uint8Array {
  return encode(LEADER, {
    type: "accept",
    decided: BigInt(Math.max(1, instance - 8)),
    instance: BigInt(instance),
    batch: [run(5n, instance, "x".repeat(bytes))],
  });
}

/** What waits for storage is as it was. */
function lookAt(
  waiting: ReadonlyMap<number, Uint8Array>,
  { core, durable }: Rig,
  where: string,
): void {
  for (const [n, record] of waiting) {
    assert(
      sameBytes(recordBytes(core.journal, n), record),
      `${where}: record ${n} changed when ${durable} was durable`,
    );
  }
}

for (const persistence of ["quick", "slow"]) {
  Deno.test(`records stay untouched in the journal until they are durable, with ${persistence} storage`, () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = new Random(seed);
      const rig = new Rig({
        roles: Role.acceptor,
        id: 2,
        persistent: true,
        mtu: 9000,
        logBytes: 1 << 22,
      });
      const { core } = rig;
      rig.wait(100_000);
      /** Copies of what waits, as it was when it was appended. */
      const waiting = new Map<number, Uint8Array>();
      let appended = 0;
      let refused = 0;
      for (let instance = 1; appended < ROUNDS * JOURNAL_BYTES_MIN;) {
        const before = core.lastRecord;
        const bytes = random.between(0, 8000);
        rig.feed(accept(instance, bytes));
        for (let n = before + 1; n <= core.lastRecord; n++) {
          const record = recordBytes(core.journal, n).slice();
          waiting.set(n, record);
          appended += record.length;
        }
        // A 2A that finds no room is not answered, and comes again.
        if (core.lastRecord > before) instance++;
        else refused++;
        // Looking at all of them each time would take long.
        if (random.chance(0.05)) lookAt(waiting, rig, `seed ${seed}`);
        if (persistence === "quick" || core.lastRecord === before) {
          rig.durable = random.between(rig.durable, core.lastRecord);
        }
        for (const n of waiting.keys()) {
          if (n <= rig.durable) waiting.delete(n);
        }
      }
      // Slow storage fills the journal: it must have been full, and not for good.
      if (persistence === "slow") assert(refused > 0, `seed ${seed}`);
    }
  });
}

Deno.test("an acceptor whose storage stands still accepts until the journal is full, and no vote leaves", () => {
  const rig = new Rig({
    roles: Role.acceptor,
    id: 2,
    persistent: true,
    mtu: 9000,
    logBytes: 1 << 23,
  });
  rig.wait(100_000);
  rig.durable = rig.core.lastRecord;
  const sent: Uint8Array[] = [];
  let accepted = 0;
  const bytes = 8000;
  for (let instance = 1; instance <= 400; instance++) {
    const before = rig.core.lastRecord;
    sent.push(...rig.feed(accept(instance, bytes)));
    if (rig.core.lastRecord > before) accepted++;
  }
  assert(accepted > JOURNAL_BYTES_MIN / (bytes + HEADERS_BYTES) - 20);
  assert(accepted * bytes < JOURNAL_BYTES_MIN);
  assert(!sent.map(typeOf).includes("accepted"));
  rig.durable = rig.core.lastRecord;
  assert(rig.feed().map(typeOf).includes("accepted"));
});
