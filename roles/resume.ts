/** Where a learner with storage begins to hand out values when it starts again. */
import { EXIT, UserError } from "./errors.ts";

/**
 * The first instance of which values are handed out.
 *
 * @param checkpoint The instance at which the learner goes on.
 * @param from What `--from` asks for; absent, or 0n: nothing in particular.
 * @throws {UserError} if that was delivered before and is not to be had from this learner any more.
 */
export function resumeFrom(checkpoint: number, from?: bigint): number {
  if (from === undefined || from === 0n) return checkpoint;
  if (from >= BigInt(checkpoint)) return Number(from);
  throw new UserError(
    `--from ${from}: this learner's storage goes on at instance ${checkpoint}, and what is below was delivered before. ` +
      `Leave --from out, or give ${checkpoint} or more; to have it all again, start a learner with another --id, which begins without storage`,
    EXIT.usage,
  );
}
