/** Errors that are the user's to mend, with the exit code that a shell sees. */

/** Exit codes of every kpaxos command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  environment: 3,
  interrupted: 130,
} as const;

/**
 * An error that names the thing, the reason and the remedy.
 * It is printed without a stack trace and ends the process with `exitCode`.
 */
export class UserError extends Error {
  /** What a shell sees. */
  readonly exitCode: number;

  constructor(
    message: string,
    exitCode: number = EXIT.failed,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "UserError";
    this.exitCode = exitCode;
  }
}
