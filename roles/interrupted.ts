/** Ctrl-C and its like, for commands that lead other processes: the first signal ends in order, the second at once. */

/** The user wants it to end. */
export class Interrupted extends Error {}

/**
 * Listens for signals that ask to end.
 *
 * @param giveUp Called on the first one.
 * @param kill Called on each further one.
 * @returns What stops listening.
 */
export function listenForInterrupts(
  giveUp: (reason: Interrupted) => void,
  kill: () => void,
): () => void {
  let isInterrupted = false;
  const handler = () => {
    if (isInterrupted) kill();
    isInterrupted = true;
    giveUp(new Interrupted());
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  signals.forEach((signal) => Deno.addSignalListener(signal, handler));
  return () =>
    signals.forEach((signal) => Deno.removeSignalListener(signal, handler));
}
