/**
 * What is chosen, as somebody sees it who watches every frame and knows nothing of the nodes' insides.
 *
 * It is the definition itself: a value is chosen when a majority of acceptors accepted it in one
 * ballot ("Paxos Made Simple", 2.2). From the chosen values in the order of instances follows what
 * every learner must deliver (`delivery_model.ts`).
 */
import {
  RUN_BYTES,
  RUN_SEQUENCE,
  VALUE_CHUNK,
  VALUE_HEADER_BYTES,
} from "../core/layout.ts";
import { ballotText } from "../roles/events.ts";
import {
  DeliveryModel,
  type TableLimits,
  type TableVerdict,
} from "./delivery_model.ts";
import { Violation } from "./violation.ts";

/** A value of a batch. */
export interface Value {
  readonly instance: number;
  readonly index: number;
  readonly client: number;
  /** 0: it is a command. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** A piece of a large value, behind a chunk's header. */
  readonly isChunk: boolean;
}

/** What was proposed for an instance in one ballot. */
interface Proposal {
  readonly ballot: number;
  readonly batch: Uint8Array;
  /** Bits of the acceptors that accepted it, by their place in the configuration. */
  votes: number;
  chosen: boolean;
}

/** Told of every instance when it is chosen first. */
export type OnChosen = (
  instance: number,
  ballot: number,
  values: readonly Value[],
) => void;

/** One number for a client's value; clients of a simulation stay below 2^20. */
export function valueKey(client: number, sequence: number): number {
  return client * 2 ** 32 + sequence;
}

export class Chosen {
  /** Instances below are all chosen. */
  prefix = 1;
  /** What learners deliver, in order. */
  readonly deliveries: Value[] = [];
  /** Values that learners refuse where they stand. */
  readonly refusals: Value[] = [];
  readonly #instances = new Map<number, Proposal[]>();
  readonly #quorum: number;
  readonly #onChosen?: OnChosen;
  /** Values in any chosen instance, and those in the prefix. */
  readonly #chosen = new Set<number>();
  readonly #delivered = new Set<number>();
  readonly #model: DeliveryModel;
  /** What learners tell of the commands of each instance of the prefix. */
  readonly #verdicts = new Map<number, readonly TableVerdict[]>();

  constructor(acceptors: number, onChosen?: OnChosen, limits?: TableLimits) {
    this.#quorum = Math.floor(acceptors / 2) + 1;
    this.#onChosen = onChosen;
    this.#model = new DeliveryModel(limits);
  }

  /** Whether a client's value is in a chosen instance. */
  has(client: number, sequence: number): boolean {
    return this.#chosen.has(valueKey(client, sequence));
  }

  /** What learners tell of the commands of an instance; undefined: it is not in the prefix. */
  verdicts(instance: number): readonly TableVerdict[] | undefined {
    if (instance >= this.prefix) return undefined;
    return this.#verdicts.get(instance) ?? [];
  }

  /** Whether a value, by its key, is among what learners deliver, or part of that. */
  delivers(key: number): boolean {
    return this.#delivered.has(key);
  }

  /** The chosen batch of an instance; undefined if none is yet. */
  batch(instance: number): Uint8Array | undefined {
    return this.#instances.get(instance)?.find(({ chosen }) => chosen)?.batch;
  }

  /** The batch proposed in a ballot; undefined if none was. */
  proposed(instance: number, ballot: number): Uint8Array | undefined {
    return this.#find(instance, ballot)?.batch;
  }

  /** Whether a majority accepted in this ballot. */
  isChosen(instance: number, ballot: number): boolean {
    return this.#find(instance, ballot)?.chosen ?? false;
  }

  /** A 2A was sent. */
  propose(instance: number, ballot: number, batch: Uint8Array): void {
    let proposals = this.#instances.get(instance);
    if (proposals === undefined) this.#instances.set(instance, proposals = []);
    const known = proposals.find((it) => it.ballot === ballot);
    if (known !== undefined) {
      if (sameBytes(known.batch, batch)) return;
      throw new Violation(
        "proposal",
        `two values were proposed for instance ${instance} in ballot ${
          ballotText(ballot)
        }: ${batchText(known.batch)} and ${batchText(batch)}`,
      );
    }
    const added = { ballot, batch, votes: 0, chosen: false };
    proposals.push(added);
    for (const other of proposals) {
      if (other.chosen && other.ballot < ballot) {
        mustAgree(instance, other, added);
      }
    }
  }

  /** The acceptor at `index` revealed that it accepted what was proposed in `ballot`. */
  vote(instance: number, ballot: number, index: number): void {
    const proposal = this.#find(instance, ballot);
    if (proposal === undefined) {
      throw new Violation(
        "proposal",
        `an acceptor voted for instance ${instance} in ballot ${
          ballotText(ballot)
        }, in which nothing was proposed for it`,
      );
    }
    proposal.votes |= 1 << index;
    if (!proposal.chosen && bits(proposal.votes) >= this.#quorum) {
      this.#choose(instance, proposal);
    }
  }

  #find(instance: number, ballot: number): Proposal | undefined {
    return this.#instances.get(instance)?.find((it) => it.ballot === ballot);
  }

  #choose(instance: number, proposal: Proposal): void {
    const proposals = this.#instances.get(instance)!;
    const first = !proposals.some(({ chosen }) => chosen);
    proposal.chosen = true;
    for (const other of proposals) {
      // Chosen twice, or a higher ballot proposed something else (P2b).
      if (other.chosen || other.ballot > proposal.ballot) {
        mustAgree(instance, proposal, other);
      }
    }
    if (!first) return;
    const values = valuesOf(instance, proposal.batch);
    for (const { client, sequence } of values) {
      this.#chosen.add(valueKey(client, sequence));
    }
    this.#onChosen?.(instance, proposal.ballot, values);
    this.#extend();
  }

  /** Takes instances that follow the prefix into it. */
  #extend(): void {
    for (;;) {
      const batch = this.batch(this.prefix);
      if (batch === undefined) return;
      const outcome = this.#model.take(
        this.prefix,
        valuesOf(this.prefix, batch),
      );
      for (const { client, sequence } of outcome.taken) {
        this.#delivered.add(valueKey(client, sequence));
      }
      this.deliveries.push(...outcome.delivered);
      this.refusals.push(...outcome.refused);
      if (outcome.verdicts.length > 0) {
        this.#verdicts.set(this.prefix, outcome.verdicts);
      }
      this.prefix++;
    }
  }
}

/** The values of a batch, in their order. */
export function valuesOf(instance: number, batch: Uint8Array): Value[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const values: Value[] = [];
  for (let run = 0; run < batch.length;) {
    const client = u64(view, run);
    const first = view.getUint32(run + RUN_SEQUENCE, true) +
      view.getUint16(run + RUN_SEQUENCE + 4, true) * 2 ** 32;
    const count = view.getUint16(run + RUN_SEQUENCE + 6, true);
    let at = run + RUN_BYTES;
    for (let n = 0; n < count; n++) {
      const from = at + VALUE_HEADER_BYTES;
      const length = view.getUint16(at, true);
      const end = from + (length & ~VALUE_CHUNK);
      values.push({
        instance,
        index: values.length,
        client,
        sequence: first + n,
        bytes: batch.subarray(from, end),
        isChunk: (length & VALUE_CHUNK) !== 0,
      });
      at = end;
    }
    run = (at + 7) & ~7;
  }
  return values;
}

/** A batch as CLIENT/SEQUENCE, joined by commas. */
export function batchText(batch: Uint8Array): string {
  return valuesText(valuesOf(0, batch));
}

/** Values as CLIENT/SEQUENCE, joined by commas; none are a no-op. */
export function valuesText(values: readonly Value[]): string {
  if (values.length === 0) return "no-op";
  return values.map(({ client, sequence, bytes }) =>
    sequence > 0
      ? `${client}/${sequence}`
      : bytes[8] === 1
      ? `open ${client}`
      : `close ${client}`
  )
    .join(",");
}

/** A u64 that stays below 2^53 in any run. */
export function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function mustAgree(instance: number, chosen: Proposal, other: Proposal): void {
  if (sameBytes(chosen.batch, other.batch)) return;
  throw new Violation(
    "agreement",
    `instance ${instance}: ${batchText(chosen.batch)} is chosen in ballot ${
      ballotText(chosen.ballot)
    }, and ${batchText(other.batch)} is ${
      other.chosen ? "chosen" : "proposed"
    } in ballot ${ballotText(other.ballot)}`,
  );
}

function bits(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
