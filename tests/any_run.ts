/** What a small cluster's clients might have decided: few of them, so that sessions and room run out. */
import fc from "fast-check";
import type { RunFields } from "../sim/decode.ts";
import { chunk, command, run } from "./encode.ts";

/** A large value of two chunks, or of more that overlap. */
export const LARGE = new TextEncoder().encode("0123456789".repeat(10));

/** `bytes` bytes of the large value `whole`, from `from` on, as a chunk of the one that begins with `first`. */
export const piece = (
  client: bigint,
  sequence: number,
  first: number,
  from: number,
  bytes = 50,
  whole = LARGE,
): RunFields => chunk(client, sequence, whole, { first, offset: from, bytes });

/** Any run of six clients. */
export const anyRun: fc.Arbitrary<RunFields> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.bigInt(1n, 6n),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 3 }),
    )
      .map(([client, first, count]) =>
        run(
          client,
          first,
          ...Array.from({ length: count }, (_, i) => `${first + i}`),
        )
      ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.bigInt(1n, 6n),
      fc.boolean(),
      fc.bigInt(1n, 60n),
      fc.boolean(),
    )
      .map(([client, opens, born, reserves]) =>
        command(client, opens ? "open" : "close", {
          born,
          reserves: opens && reserves,
        })
      ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.bigInt(1n, 6n),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(0, 50),
      fc.constantFrom(50, 50, 50, 20),
    )
      .map(([client, sequence, first, from, bytes]) =>
        piece(client, sequence, first, from, bytes)
      ),
  },
);
