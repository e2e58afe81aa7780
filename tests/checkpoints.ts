/** A learner with storage on the bench: the log is given to it instance by instance, and a store keeps its records. */
import type { CoreOptions, CoreRecord } from "../core/core.ts";
import { Record, Role, Verdict } from "../core/layout.ts";
import { decode, type RunFields } from "../sim/decode.ts";
import { ballotOf, encode } from "./encode.ts";
import { Rig } from "./rig.ts";

const LEADER = {
  senderRole: "proposer",
  senderId: 1,
  incarnation: 201,
  ballot: ballotOf(1, 1),
} as const;

/** Limits under which sessions expire and large values wait for room. */
export const LIMITS = { sessions: 3, sessionSpan: 10, assemblies: 2 };

/** The kinds of a checkpoint's records, in the order in which they are handed back. */
const KINDS = [
  Record.assembly,
  Record.piece,
  Record.session,
  Record.checkpoint,
];

/** What a learner's storage holds: the newest record of each kind and key, but one checkpoint. */
export class Kept {
  readonly #records = new Map<string, CoreRecord>();

  put(record: CoreRecord): void {
    const { kind, instance } = record;
    const key = kind === Record.checkpoint ? 0 : instance;
    this.#records.set(`${kind} ${key}`, {
      ...record,
      batch: record.batch.slice(),
    });
  }

  /** The records in the order of recovery. */
  get records(): CoreRecord[] {
    return [...this.#records.values()].sort((a, b) =>
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.instance - b.instance
    );
  }

  copy(): Kept {
    const copy = new Kept();
    for (const record of this.#records.values()) copy.put(record);
    return copy;
  }
}

/** The leader's proposal for an instance, with its word that all below is decided. */
export function accepted(instance: number, ...batch: readonly RunFields[]) {
  return encode(LEADER, {
    type: "accept",
    decided: BigInt(instance),
    instance: BigInt(instance),
    batch: [...batch],
  });
}

/** The leader's word that all below is decided. */
export function watermark(decided: number) {
  const next = BigInt(decided);
  return encode(LEADER, { type: "heartbeat", decided: next, next });
}

/** What came of some steps. */
export interface Outcome {
  /** `instance.index client/sequence "text"` of each value. */
  readonly delivered: string[];
  /** `client verdict` of each verdict, with its instance. */
  readonly told: string[];
}

export class LearnerBench {
  readonly rig: Rig;
  readonly kept: Kept;
  next = 1;
  /** Records that are not durable yet. */
  readonly #pending: CoreRecord[] = [];

  /** @param kept What an earlier process' storage held. */
  constructor(options: Partial<CoreOptions> = {}, kept = new Kept()) {
    this.rig = new Rig({
      roles: Role.learner,
      id: 9,
      persistent: true,
      ...LIMITS,
      ...options,
    });
    this.kept = kept;
    for (const record of kept.records) this.rig.core.recover(record);
    this.rig.feed();
  }

  /** Decides a batch, and turns as long as the learner wants to turn at once. */
  decide(...batch: readonly RunFields[]): Outcome {
    const instance = this.next++;
    return this.feed(accepted(instance, ...batch), watermark(instance + 1));
  }

  /** Receives these frames, and turns as `decide` does. */
  feed(...frames: readonly Uint8Array[]): Outcome {
    return this.#turns(this.rig.feed(...frames));
  }

  /** Lets time pass. */
  wait(us: number): Outcome {
    return this.#turns(this.rig.wait(us));
  }

  /** All records so far become durable, or the first `count` of those that wait; then the learner turns. */
  commit(count = this.#pending.length): Outcome {
    const left = this.#pending.length - count;
    for (const record of this.#pending.splice(0, count)) this.kept.put(record);
    this.rig.durable = this.rig.core.lastRecord - left;
    return this.#turns(this.rig.feed());
  }

  /** Lets the learner make a checkpoint of where it is, and that become durable. */
  checkpoint(): void {
    this.wait(100_000);
    while (this.#pending.length > 0) this.commit();
  }

  /** Records that wait for storage. */
  get pending(): readonly CoreRecord[] {
    return this.#pending;
  }

  #turns(sent: Uint8Array[]): Outcome {
    const { core } = this.rig;
    const outcome: Outcome = { delivered: [], told: [] };
    for (let turns = 0;; turns++) {
      if (turns > 1000) throw new Error("the learner turns without end");
      for (let i = 0; i < core.recordCount; i++) {
        const record = core.record(i);
        this.#pending.push({ ...record, batch: record.batch.slice() });
      }
      for (let i = 0; i < core.deliveryCount; i++) {
        const { instance, index, client, sequence, value } = core.delivery(i);
        outcome.delivered.push(
          `${instance}.${index} ${client}/${sequence} "${
            new TextDecoder().decode(value.slice())
          }"`,
        );
      }
      for (const frame of sent) {
        const { body } = decode(frame);
        if (body.type !== "session") continue;
        for (const { client, verdict, hasRoom, instance } of body.verdicts) {
          outcome.told.push(
            `${instance} ${client} ${Verdict[verdict]}${
              hasRoom ? " with room" : ""
            }`,
          );
        }
      }
      if (this.rig.due_us > this.rig.now_us) return outcome;
      sent = this.rig.feed();
    }
  }
}
