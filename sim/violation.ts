/** A promise of the protocol that did not hold. */

/** What may be violated; see `docs/simulation.md`. */
export type Property =
  | "agreement"
  | "promise"
  | "proposal"
  | "durability"
  | "watermark"
  | "trim"
  | "integrity"
  | "order"
  | "duplicates"
  | "answers"
  | "sessions"
  | "memory"
  | "amnesia"
  | "quorum"
  | "frames"
  | "invariant"
  | "liveness"
  | "determinism";

/** Thrown where a violation is seen; it ends the run. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly property: Property;

  constructor(property: Property, message: string) {
    super(message);
    this.property = property;
  }
}
