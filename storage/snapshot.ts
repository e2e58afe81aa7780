/**
 * Snapshots: what an application must bring so that a learner can go on where acceptors have trimmed.
 *
 * This is the contract alone; nothing in kpaxos calls it yet. A learner that is behind
 * (`Event.behindTrim`) ends, and its operator starts it anew with `--from` and an application that has
 * the state of that instance from elsewhere.
 *
 * What a learner delivers is a function of the log, so its state at an instance is the application's
 * state and the table of sessions, and both must be of the same instance: with an older table it would
 * deliver a repeated value again, with a newer one it would drop a value that was never delivered.
 */

/** A learner's state between two instances. */
export interface Snapshot {
  /** Next instance to deliver: all below is in the state, nothing of this one or behind it is. */
  readonly instance: number;
  /**
   * The learner's table of sessions at that instance, as its core wrote it: which values of which
   * clients were delivered. Opaque to the application, which keeps it beside its state, byte for byte.
   */
  readonly sessions: Uint8Array;
  /** The application's state, which only the application can read. */
  readonly state: ReadableStream<Uint8Array>;
}

/** Where snapshots come from: another learner's host, a disk, an object store. */
export interface SnapshotSource {
  /**
   * The newest snapshot there is.
   *
   * @param lowest Lowest instance that an acceptor still has: a snapshot of an instance below it helps
   *   nobody, since what follows it is not to be had.
   * @returns undefined if there is none of `lowest` or above.
   * @throws {StorageError} if it is damaged. It must not be taken for absent, nor half of it for all.
   */
  newest(lowest: number): Promise<Snapshot | undefined>;
}

/** An application whose state can be taken and put back. */
export interface SnapshotTarget {
  /**
   * Takes the state after the last value of instance `instance - 1` was delivered and before the first
   * one of `instance`. What is delivered meanwhile must not change what the stream brings.
   */
  take(instance: number): ReadableStream<Uint8Array>;
  /**
   * Puts a state in place of the application's own, all of it or, if this throws, nothing. When it has
   * resolved, a learner begins at `snapshot.instance` (as with `--from`) with `snapshot.sessions` for
   * its table, and what it delivers next follows this state.
   */
  restore(snapshot: Snapshot): Promise<void>;
}
