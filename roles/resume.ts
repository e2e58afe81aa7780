/** Where a learner begins to hand out values when it starts again, and how one that is behind goes on. */
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

/**
 * What a learner that is behind is to be started with. Whatever `--from` says, one with a checkpoint goes on
 * there, and asks for what nobody has: only without its directory it begins elsewhere.
 *
 * @param lowest The lowest instance to be had.
 * @param directory Of its storage; absent: it has none.
 */
export function wayOn(lowest: number | string, directory?: string): string {
  return "To go on without the values before it" +
    (directory === undefined
      ? ""
      : `, move ${directory} away, whose checkpoint lies before it, and start this learner again`) +
    `: --from ${lowest}, or --from 0 for what is decided from now on`;
}
