/**
 * Everything that must hold at any time in a run, watched from outside: frames on the wire, what
 * hosts see of their own node, what storage is given. It throws a `Violation` where it sees one.
 */
import type { CoreEvent, CoreRecord, Delivery } from "../core/core.ts";
import {
  ACCEPT_BATCH_BYTES,
  ACCEPT_BYTES,
  ACCEPT_DECIDED,
  ACCEPT_INSTANCE,
  AcceptorState,
  ANSWER_BYTES,
  ANSWER_COUNT,
  CHUNK_BYTES,
  ENTRY_BALLOT,
  ENTRY_BATCH_BYTES,
  ENTRY_BYTES,
  ENTRY_DECIDED,
  ENTRY_FLAGS,
  ENTRY_INSTANCE,
  Event,
  HEADER_BALLOT,
  HEADER_BYTES,
  HEADER_INCARNATION,
  HEADER_RECEIVER_ID,
  HEADER_RECEIVER_ROLES,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HEADER_TYPE,
  HEARTBEAT_DECIDED,
  HEARTBEAT_REJOINED,
  HI_BYTES,
  HI_DELIVERED,
  HI_REJOINED,
  HI_STATE,
  LEARNED_BYTES,
  LEARNED_DECIDED,
  LEARNED_ENTRIES,
  LEARNED_TRIMMED,
  LINK_BYTES,
  Message,
  OK_DECIDED,
  OK_TRIMMED,
  PREPARE_BYTES,
  PREPARE_MEMORY,
  PREPARE_REJOINING,
  PROMISE_BYTES,
  PROMISE_DECIDED,
  PROMISE_END,
  PROMISE_ENTRIES,
  PROMISE_FLAGS,
  PROMISE_INCARNATION,
  PROMISE_LAST,
  PROMISE_MEMORIES,
  PROMISE_START,
  RANGE_BYTES,
  RANGES_BYTES,
  RANGES_COUNT,
  Record as RecordKind,
  REJECT_DECIDED,
  REJOIN_BYTES,
  REJOIN_END,
  REJOIN_FROM,
  REJOIN_MEMORY,
  REJOINED_BALLOT,
  REJOINED_ID,
  REJOINED_MEMORY,
  Role,
  RUN_BYTES,
  RUN_SEQUENCE,
  SESSION_BYTES,
  SESSION_COUNT,
  StorageCondition,
  Verdict,
  VERDICT_BYTES,
  VERDICT_CLIENT,
  VERDICT_FLAGS,
  VERDICT_INSTANCE,
  VERDICT_VERDICT,
} from "../core/layout.ts";
import { ballotText } from "../roles/events.ts";
import { AcceptorModel } from "./acceptor_model.ts";
import {
  batchText,
  Chosen,
  type OnChosen,
  sameBytes,
  u64,
  type Value,
  valueKey,
  valuesOf,
} from "./chosen.ts";
import type { TableLimits, TableVerdict } from "./delivery_model.ts";
import type { Disk } from "./disk.ts";
import { JournalModel } from "./journal_model.ts";
import { MemoriesModel } from "./memories_model.ts";
import type { Recovered } from "../storage/recovery.ts";
import type { NodeWatch, SimNode } from "./node.ts";
import { RecoveryModel } from "./recovery_model.ts";
import { RefillModel } from "./refill_model.ts";
import { RegistryModel } from "./registry_model.ts";
import { StorageModel } from "./storage_model.ts";
import { Violation } from "./violation.ts";

const text = new TextDecoder();
const NOTHING = new Uint8Array();

/** An accepted instance that a frame told of. */
interface Entry {
  readonly instance: number;
  readonly ballot: number;
  readonly decided: boolean;
  readonly batch: Uint8Array;
}

/** What learners' hosts were given so far. */
interface Learner {
  /** How much of what is to be delivered came; -1: it began later, and is compared by place only. */
  position: number;
  /** Its position when it began. */
  began: number;
  readonly node: SimNode;
  instance: number;
  index: number;
  /** Values delivered, by their key, with their instance. */
  readonly seen: Map<number, number>;
}

export class Checker implements NodeWatch {
  readonly chosen: Chosen;
  /** Values submitted, by their key. */
  readonly submittedValues = new Map<number, string>();
  readonly answeredValues = new Set<number>();
  readonly #acceptors: readonly number[];
  readonly #recovery: RecoveryModel;
  /** By acceptor's id: what its present process knows of who rejoined, and which process that is. */
  readonly #memories = new Map<number, MemoriesModel>();
  readonly #remembering = new Map<number, SimNode>();
  /** By acceptor's id: one for each memory that spoke under its name, the latest last. */
  readonly #models = new Map<number, AcceptorModel[]>();
  readonly #journals = new Map<SimNode, JournalModel>();
  readonly #disks = new Map<Disk, StorageModel>();
  readonly #diskUsers = new Map<Disk, SimNode>();
  readonly #learners = new Map<SimNode, Learner>();
  /** Of the latest process that delivered something and has this disk. */
  readonly #consumers = new Map<Disk, Learner>();
  /** By acceptor's id: what the disk that it had last was refilled with, and that disk. */
  readonly #refills = new Map<number, { disk: Disk; model: RefillModel }>();
  readonly #registries = new Map<SimNode, RegistryModel>();
  /** What learners told the acceptor whose turn is under way. */
  readonly #heard: (() => void)[] = [];
  /** Acceptances given to storage in the turn under way. */
  readonly #stored: Entry[] = [];
  /** Claims of the turn under way; they are looked at when all its frames are out. */
  #decidedClaim = 0;
  readonly #decidedEntries: Entry[] = [];
  readonly #answers: [client: number, sequence: number][] = [];
  readonly #refusedKeys = new Set<number>();
  readonly #verdicts: (TableVerdict & { readonly instance: number })[] = [];
  /** Large values submitted, by the keys of all their chunks. */
  readonly #largeValues = new Map<number, string>();
  /** Deliveries that were compared with what was submitted, and refusals with what was answered. */
  #compared = 0;
  #refused = 0;

  /**
   * @param acceptors Ids of all acceptors.
   * @param limits Of the learners' tables.
   */
  constructor(
    acceptors: readonly number[],
    onChosen?: OnChosen,
    limits?: TableLimits,
  ) {
    this.#acceptors = acceptors;
    this.chosen = new Chosen(
      acceptors.length,
      (instance, ballot, values) => {
        for (const value of values) this.#mustBeSubmitted(value);
        onChosen?.(instance, ballot, values);
      },
      limits,
    );
    this.#recovery = new RecoveryModel(acceptors, () => this.chosen.prefix);
  }

  /** `node` sent a frame, or was killed when it was about to. */
  sent(node: SimNode, frame: Uint8Array, now_us: number): void {
    const view = viewOf(frame);
    if (view.byteLength < HEADER_BYTES) {
      throw new Violation("frames", `${node.name} sent a cut frame`);
    }
    if (view.getUint8(HEADER_SENDER_ROLE) === Role.acceptor) {
      this.#sentByAcceptor(node, view, now_us);
    } else {
      this.#sentByOther(node, view);
      // Its own acceptor takes what its learner says without the network.
      this.#hearLearner(node, view, now_us);
    }
  }

  submitted(
    _node: SimNode,
    client: number,
    sequence: number,
    value: string,
    whole?: string,
  ): void {
    const key = valueKey(client, sequence);
    this.submittedValues.set(key, value);
    if (whole !== undefined) this.#largeValues.set(key, whole);
  }

  /** A frame that nothing happened to was taken in by `node`. */
  received(node: SimNode, frame: Uint8Array, now_us: number): void {
    const view = viewOf(frame);
    if ((node.options.roles & Role.acceptor) !== 0) {
      this.#hearRejoined(node, view, true);
    }
    this.#hearLearner(node, view, now_us);
  }

  #hearLearner(node: SimNode, view: DataView, now_us: number): void {
    if ((node.options.roles & Role.acceptor) === 0) return;
    if (view.getUint8(HEADER_SENDER_ROLE) !== Role.learner) return;
    const incarnation = view.getUint32(HEADER_INCARNATION, true);
    const registry = this.#registry(node);
    // What it answers in this turn it may have said before it came to this frame, or after.
    switch (view.getUint8(HEADER_TYPE)) {
      case Message.hi: {
        const id = view.getUint16(HEADER_SENDER_ID, true);
        const delivered = u64(view, HI_DELIVERED);
        registry.relax(incarnation, delivered);
        this.#heard.push(() => registry.hi(id, incarnation, delivered, now_us));
        break;
      }
      case Message.bye:
        registry.relax(incarnation, 0);
        this.#heard.push(() => registry.relax(incarnation, 0));
    }
  }

  /** A damaged frame was taken in by `node`: what it tells may count, if only its link header is damaged. */
  receivedDamaged(node: SimNode, frame: Uint8Array): void {
    if ((node.options.roles & Role.acceptor) === 0) return;
    if (frame.length < LINK_BYTES + HEADER_BYTES) return;
    const view = viewOf(frame);
    const type: Message = view.getUint8(HEADER_TYPE);
    const whole = type === Message.prepare
      ? PREPARE_BYTES
      : type === Message.rejoin
      ? REJOIN_BYTES
      : HI_BYTES;
    if (view.byteLength >= whole) this.#hearRejoined(node, view, false);
  }

  /** An acceptor says that it leaves a learner behind. */
  leftBehind(node: SimNode, id: number, now_us: number): void {
    this.#registry(node).leave(id, now_us);
  }

  /** From now on nobody knows which learners are registered with this acceptor. */
  loseSightOfLearners(node: SimNode): void {
    this.#registry(node).blind = true;
  }

  answered(node: SimNode, client: number, sequence: number): void {
    const key = valueKey(client, sequence);
    this.answeredValues.add(key);
    if (this.#refusedKeys.has(key)) this.#mustBeDelivered(key);
    if (this.chosen.has(client, sequence)) return;
    throw new Violation(
      "answers",
      `${node.name} took ${client}/${sequence} for decided, which is not chosen`,
    );
  }

  delivered(node: SimNode, delivery: Delivery): void {
    const learner = this.#learner(node);
    if (learner.position >= 0) {
      this.#compareNext(node, delivery, learner.position++);
    } else {
      this.#comparePlace(node, delivery, learner);
    }
  }

  #learner(node: SimNode): Learner {
    let learner = this.#learners.get(node);
    if (learner === undefined) {
      const position = node.options.from === 1n ? 0 : -1;
      const seen = new Map<number, number>();
      learner = { position, began: 0, node, instance: 0, index: 0, seen };
      this.#learners.set(node, learner);
      if (node.disk !== undefined) this.#consumers.set(node.disk, learner);
    }
    return learner;
  }

  appended(node: SimNode, number: number, record: CoreRecord): void {
    this.#journal(node).append(number, record);
    const batch = record.batch.slice();
    this.#disk(node).append(number, { ...record, batch });
    if (this.#isAcceptor(node)) this.#refill(node).append(record);
    const isFetched = record.kind === RecordKind.fetched;
    if (record.kind !== RecordKind.accept && !isFetched) return;
    const { instance, ballot } = record;
    // The 2A of a replica leaves after its record was given to storage.
    this.#stored.push({
      instance,
      ballot: Number(ballot),
      decided: isFetched,
      batch,
    });
  }

  noted(node: SimNode, { code, large }: CoreEvent): void {
    if (code !== Event.preparing) return;
    this.#memories.get(node.options.id)?.prepares(Number(large));
  }

  recovered(node: SimNode, record: CoreRecord): void {
    this.#journal(node).append(0, record);
    this.#disk(node).give({ ...record, batch: record.batch.slice() });
    if (this.#isAcceptor(node)) this.#refill(node).recover(record);
  }

  /** A new process got back what its disk holds: it goes on where its learner was, and leaves out nothing. */
  resumed(node: SimNode, { from, checkpoint }: Recovered): void {
    const disk = this.#disk(node);
    disk.resume(from, node.disk!.isHarmed);
    // What its disk keeps besides it may read, and tell of.
    for (const record of disk.accepted()) this.#journal(node).append(0, record);
    const before = this.#consumers.get(node.disk!);
    if (checkpoint !== undefined) this.#goOn(node, checkpoint, before);
  }

  /** Its learner goes on between two instances: its consumer must have all before, and gets all from there on again. */
  #goOn(node: SimNode, checkpoint: number, before?: Learner): void {
    const learner = this.#learner(node);
    if (learner.position >= 0) {
      const { deliveries } = this.chosen;
      const next = deliveries.findIndex((it) => it.instance >= checkpoint);
      learner.position = next < 0 ? deliveries.length : next;
      learner.began = learner.position;
      const taken = before === undefined ? 0 : before.began + before.node.taken;
      if (learner.position > taken) {
        throw new Violation(
          "order",
          `${node.name} goes on with instance ${checkpoint}, and of the ${learner.position} values before that its consumer has ${taken}`,
        );
      }
    } else if (before !== undefined && before.seen.size > 0) {
      this.#mustBeNext(node, { instance: checkpoint, index: 0 }, before);
    }
    learner.instance = checkpoint - 1;
    learner.index = Infinity;
    for (const [key, instance] of before?.seen ?? []) {
      if (instance < checkpoint) learner.seen.set(key, instance);
    }
  }

  stored(node: SimNode, number: number): void {
    this.#disk(node).store(number);
  }

  durable(node: SimNode, number: number): void {
    this.#journal(node).durable = number;
  }

  /** All frames of a turn are out: what they claim must be so. */
  turned(node: SimNode): void {
    if (this.#decidedClaim > this.chosen.prefix) {
      throw new Violation(
        "watermark",
        `${node.name} called all instances below ${this.#decidedClaim} decided, ` +
          `but ${this.chosen.prefix} is not chosen`,
      );
    }
    this.#decidedClaim = 0;
    if (node.disk !== undefined) this.#disk(node).trim(node.storage.low);
    this.#memories.get(node.options.id)?.turned();
    for (const hear of this.#heard.splice(0)) hear();
    for (const entry of this.#stored.splice(0)) {
      this.#mustBeProposed(node, entry);
      if (entry.decided) this.#decidedEntries.push(entry);
    }
    for (const { instance, ballot, batch } of this.#decidedEntries.splice(0)) {
      const chosen = this.chosen.batch(instance);
      if (chosen !== undefined && sameBytes(chosen, batch)) continue;
      throw new Violation(
        "watermark",
        `${node.name} called ${batchText(batch)} of ballot ${
          ballotText(ballot)
        } decided for instance ${instance}, where ${
          chosen === undefined ? "nothing" : batchText(chosen)
        } is chosen`,
      );
    }
    for (const told of this.#verdicts.splice(0)) this.#mustBeTold(node, told);
    this.#compareLargeValues();
    this.#lookAtRefusals();
    for (const [client, sequence] of this.#answers.splice(0)) {
      if (this.chosen.has(client, sequence)) continue;
      throw new Violation(
        "answers",
        `${node.name} answered ${client}/${sequence}, which is not chosen`,
      );
    }
  }

  /** How many values a learner that began with the first instance was given. */
  deliveredBy(node: SimNode): number {
    return this.#learners.get(node)?.position ?? 0;
  }

  /**
   * Whether these acceptors can tell what is chosen for an instance: one of them knows, or one has it and so
   * many tell what they accepted, or that it was nothing, that the others are no majority.
   */
  canTell(acceptors: readonly number[], instance: number): boolean {
    const keeping = acceptors.filter((id) => {
      const model = this.#models.get(id)?.at(-1);
      const refill = this.#refills.get(id);
      return model !== undefined && instance >= model.trimmed &&
        !refill?.disk.isHarmed && !refill?.model.leftOut(instance);
    });
    const all = this.#acceptors.length;
    const enough = keeping.length >= all - Math.floor(all / 2);
    return keeping.some((id) =>
      this.#models.get(id)!.at(-1)!.knows.has(instance) ||
      enough && this.#holds(id, instance)
    );
  }

  #holds(acceptor: number, instance: number): boolean {
    const model = this.#models.get(acceptor)!.at(-1)!;
    if (instance < this.#recovery.returns(acceptor).fetchedTo) return true;
    const chosen = this.chosen.batch(instance);
    return chosen !== undefined && model.votesFor(instance).some((ballot) => {
      const voted = this.chosen.proposed(instance, ballot);
      return voted !== undefined && sameBytes(voted, chosen);
    });
  }

  /** What a learner tells of a command follows from the log. */
  #mustBeTold(
    node: SimNode,
    told: TableVerdict & { readonly instance: number },
  ): void {
    const { instance, client, verdict, hasRoom } = told;
    const due = this.chosen.verdicts(instance);
    const right = due?.some((it) =>
      it.client === client && it.verdict === verdict && it.hasRoom === hasRoom
    );
    if (right) return;
    throw new Violation(
      "sessions",
      `${node.name} told client ${client} of its command in instance ${instance}: ${
        Verdict[verdict]
      }${hasRoom ? " with room" : ""}; it should be told ${
        JSON.stringify(due?.filter((it) => it.client === client))
      }`,
    );
  }

  /** No client takes for delivered what learners refuse. */
  #lookAtRefusals(): void {
    const { refusals } = this.chosen;
    for (; this.#refused < refusals.length; this.#refused++) {
      const { client, sequence } = refusals[this.#refused];
      const key = valueKey(client, sequence);
      this.#refusedKeys.add(key);
      if (this.answeredValues.has(key)) this.#mustBeDelivered(key);
    }
  }

  #mustBeDelivered(key: number): void {
    if (this.chosen.delivers(key)) return;
    throw new Violation(
      "answers",
      `${Math.floor(key / 2 ** 32)}/${
        key % 2 ** 32
      } was answered, and learners refuse it`,
    );
  }

  /** Large values come out as they were submitted. */
  #compareLargeValues(): void {
    const { deliveries } = this.chosen;
    for (; this.#compared < deliveries.length; this.#compared++) {
      const { instance, client, sequence, bytes } = deliveries[this.#compared];
      const whole = this.#largeValues.get(valueKey(client, sequence));
      if (whole === undefined || text.decode(bytes) === whole) continue;
      throw new Violation(
        "integrity",
        `the large value that chunk ${client}/${sequence} of instance ${instance} completes is not what was submitted`,
      );
    }
  }

  #mustBeSubmitted(
    { instance, client, sequence, bytes, isChunk }: Value,
  ): void {
    if (sequence === 0) return;
    const content = text.decode(bytes.slice(isChunk ? CHUNK_BYTES : 0));
    const submitted = this.submittedValues.get(valueKey(client, sequence));
    if (content === submitted) return;
    throw new Violation(
      "integrity",
      `"${content}" is chosen as ${client}/${sequence} in instance ${instance}; nobody submitted that`,
    );
  }

  #journal(node: SimNode): JournalModel {
    let journal = this.#journals.get(node);
    if (journal === undefined) {
      this.#journals.set(node, journal = new JournalModel(node.name));
    }
    return journal;
  }

  /** The model of the disk on which this process keeps its records; a process that is new begins there. */
  #disk(node: SimNode): StorageModel {
    const disk = node.disk!;
    let model = this.#disks.get(disk);
    if (model === undefined) {
      this.#disks.set(disk, model = new StorageModel(node.name));
    }
    if (this.#diskUsers.get(disk) !== node) model.begin();
    this.#diskUsers.set(disk, node);
    return model;
  }

  #isAcceptor(node: SimNode): boolean {
    return (node.options.roles & Role.acceptor) !== 0;
  }

  #refill(node: SimNode): RefillModel {
    const { id } = node.options;
    const disk = node.disk!;
    let refill = this.#refills.get(id);
    if (refill?.disk !== disk) {
      const others = this.#acceptors.filter((it) => it !== id);
      const model = new RefillModel(
        node.name,
        (instance) => this.canTell(others, instance),
      );
      this.#refills.set(id, refill = { disk, model });
    }
    return refill.model;
  }

  #sentByAcceptor(node: SimNode, view: DataView, now_us: number): void {
    const ballot = u64(view, HEADER_BALLOT);
    const journal = node.options.persistent ? this.#journal(node) : undefined;
    switch (view.getUint8(HEADER_TYPE)) {
      case Message.promise:
        this.#claim(u64(view, PROMISE_DECIDED));
        journal?.revealPromise(ballot);
        return this.#promise(node, view, ballot, journal);
      case Message.accepted:
        return this.#accepted(node, view, ballot, journal);
      case Message.reject:
        this.#model(node, view);
        this.#claim(u64(view, REJECT_DECIDED));
        return journal?.revealPromise(ballot);
      case Message.hi:
        return this.#claim(u64(view, HI_DELIVERED));
      case Message.ok:
        this.#claim(u64(view, OK_DECIDED));
        // Acceptors that ask one another need no memory to answer.
        if (view.getUint8(HEADER_RECEIVER_ROLES) === Role.acceptor) return;
        this.#model(node, view);
        // A proposer is told from where on the acceptor votes; what is below storage may hold.
        if (view.getUint8(HEADER_RECEIVER_ROLES) === Role.proposer) {
          return this.#claim(u64(view, OK_TRIMMED));
        }
        return this.#trimmed(node, view, u64(view, OK_TRIMMED), now_us);
      case Message.learned:
        this.#model(node, view);
        this.#claim(u64(view, LEARNED_DECIDED));
        this.#trimmed(node, view, u64(view, LEARNED_TRIMMED), now_us);
        this.#entries(node, view, LEARNED_BYTES, LEARNED_ENTRIES, journal);
    }
  }

  /** What a frame tells of who rejoined. */
  #hearRejoined(node: SimNode, view: DataView, isSound: boolean): void {
    const type = view.getUint8(HEADER_TYPE);
    const id = view.getUint16(HEADER_SENDER_ID, true);
    const { id: own, roles } = node.options;
    const receiver = view.getUint16(HEADER_RECEIVER_ID, true);
    const isMeant = (view.getUint8(HEADER_RECEIVER_ROLES) & roles) !== 0 &&
      (receiver === 0 || receiver === own);
    if (!isMeant) return;
    const memories = this.#memoriesOf(node);
    const tell = (
      acceptor: number,
      ballot: number,
      memory: number,
      isSure: boolean,
    ) => {
      // What damage made up was not taken in.
      const isTrue = isSound ||
        this.#recovery.isMeant(ballot, acceptor, memory);
      if (isTrue) memories.tell(acceptor, ballot, memory, isSure);
    };
    let at = HEARTBEAT_REJOINED;
    if (view.getUint8(HEADER_SENDER_ROLE) === Role.acceptor) {
      if (
        type === Message.hi &&
        view.getUint16(HI_STATE, true) === AcceptorState.recovers
      ) {
        const memory = view.getUint32(HEADER_INCARNATION, true);
        return memories.recovers(id, memory);
      }
      at = HI_REJOINED;
    }
    if (type === Message.rejoin) {
      const memory = view.getUint32(REJOIN_MEMORY, true);
      return tell(own, u64(view, HEADER_BALLOT), memory, false);
    }
    if (type === Message.prepare) {
      const rejoining = view.getUint16(PREPARE_REJOINING, true);
      const memory = view.getUint32(PREPARE_MEMORY, true);
      return tell(rejoining, u64(view, HEADER_BALLOT), memory, false);
    }
    if (type !== Message.hi && type !== Message.heartbeat) return;
    const rejoined = view.getUint16(at + REJOINED_ID, true);
    const memory = view.getUint32(at + REJOINED_MEMORY, true);
    tell(rejoined, u64(view, at + REJOINED_BALLOT), memory, isSound);
  }

  /** What an acceptor's process knows of who rejoined. */
  #memoriesOf(node: SimNode): MemoriesModel {
    const { id, persistent } = node.options;
    let memories = this.#memories.get(id);
    const before = this.#remembering.get(id);
    const isNew = before !== node;
    this.#remembering.set(id, node);
    const keeps = persistent && before?.disk === node.disk;
    if (memories === undefined || isNew && !keeps) {
      memories = new MemoriesModel(node.name, this.#acceptors, !persistent);
      this.#memories.set(id, memories);
    } else if (isNew) memories.restart();
    return memories;
  }

  /** What acceptors may remove once they hear this: not what its learner needs when it goes on after a crash. */
  #mustBeKept(node: SimNode, delivered: number): void {
    if (node.disk === undefined || node.options.from !== 1n) return;
    // Whose storage failed makes no checkpoint any more, and holds nothing back.
    if (node.storage.condition === StorageCondition.failed) return;
    const { checkpoint } = this.#disk(node);
    if (delivered <= checkpoint) return;
    throw new Violation(
      "durability",
      `${node.name} tells that it delivered all below ${delivered}, and its disk only knows that of those below ${checkpoint}`,
    );
  }

  #sentByOther(node: SimNode, view: DataView): void {
    const ballot = u64(view, HEADER_BALLOT);
    const incarnation = view.getUint32(HEADER_INCARNATION, true);
    const { roles, id } = node.options;
    const own = (roles & Role.acceptor) !== 0 ? id : 0;
    switch (view.getUint8(HEADER_TYPE)) {
      case Message.prepare: {
        const rejoining = view.getUint16(PREPARE_REJOINING, true);
        const memory = view.getUint32(PREPARE_MEMORY, true);
        // The acceptor in the same process knows at once.
        if (own !== 0 && rejoining !== 0) {
          this.#memoriesOf(node).tell(rejoining, ballot, memory, true);
        }
        return this.#recovery.prepare(ballot, incarnation, rejoining, memory);
      }
      case Message.rejoin: {
        const from = u64(view, REJOIN_FROM);
        this.#claim(from);
        return this.#recovery.rejoin(
          node.name,
          view.getUint16(HEADER_RECEIVER_ID, true),
          view.getUint32(REJOIN_MEMORY, true),
          { ballot, from, end: u64(view, REJOIN_END) },
          incarnation,
          own,
        );
      }
      case Message.accept: {
        this.#recovery.leads(node.name, ballot, incarnation, own);
        this.#claim(u64(view, ACCEPT_DECIDED));
        const bytes = view.getUint32(ACCEPT_BATCH_BYTES, true);
        const batch = bytesOf(view, ACCEPT_BYTES, bytes);
        const instance = u64(view, ACCEPT_INSTANCE);
        return this.chosen.propose(instance, ballot, batch);
      }
      case Message.heartbeat:
        this.#recovery.leads(node.name, ballot, incarnation, own);
        return this.#claim(u64(view, HEARTBEAT_DECIDED));
      case Message.hi:
        return this.#mustBeKept(node, u64(view, HI_DELIVERED));
      case Message.ok:
        return this.#claim(u64(view, OK_DECIDED));
      case Message.answer:
        for (let n = 0; n < view.getUint32(ANSWER_COUNT, true); n++) {
          const at = ANSWER_BYTES + n * RUN_BYTES;
          const sequence = view.getUint32(at + RUN_SEQUENCE, true);
          this.#answers.push([u64(view, at), sequence]);
        }
        return;
      case Message.session:
        for (let n = 0; n < view.getUint32(SESSION_COUNT, true); n++) {
          const at = SESSION_BYTES + n * VERDICT_BYTES;
          this.#verdicts.push({
            client: u64(view, at + VERDICT_CLIENT),
            instance: u64(view, at + VERDICT_INSTANCE),
            verdict: view.getUint32(at + VERDICT_VERDICT, true),
            hasRoom: view.getUint32(at + VERDICT_FLAGS, true) === 1,
          });
        }
    }
  }

  /** What is trimmed is decided, and no learner that the acceptor knows of still needs it. */
  #trimmed(
    node: SimNode,
    view: DataView,
    trimmed: number,
    now_us: number,
  ): void {
    this.#claim(trimmed);
    const model = this.#model(node, view);
    const id = view.getUint16(HEADER_SENDER_ID, true);
    model.trimmed = trimmed;
    const { count, fetchedTo } = this.#recovery.returns(id);
    if (trimmed < fetchedTo) model.refilled = count;
    // Who lost its memory gives nothing up when it does not have yet what it must fetch.
    if (count > model.refilled && trimmed <= fetchedTo) {
      this.#registry(node).beginAnew();
    } else this.#registry(node).trim(trimmed, now_us);
  }

  #registry(node: SimNode): RegistryModel {
    let registry = this.#registries.get(node);
    if (registry === undefined) {
      registry = new RegistryModel(
        node.name,
        node.options.learnerPatience_us,
      );
      this.#registries.set(node, registry);
    }
    return registry;
  }

  #claim(decided: number): void {
    this.#decidedClaim = Math.max(this.#decidedClaim, decided);
  }

  /** The model of the acceptor that sent this; its memory must be one that may speak under its name. */
  #model(node: SimNode, view: DataView): AcceptorModel {
    const id = view.getUint16(HEADER_SENDER_ID, true);
    const memory = view.getUint32(HEADER_INCARNATION, true);
    let models = this.#models.get(id);
    if (models === undefined) this.#models.set(id, models = []);
    if (this.#recovery.speak(node.name, id, memory)) {
      models.push(new AcceptorModel(node.name, memory));
    }
    return models.at(-1)!;
  }

  #promise(
    node: SimNode,
    view: DataView,
    ballot: number,
    journal: JournalModel | undefined,
  ): void {
    const entries = this.#entries(
      node,
      view,
      PROMISE_BYTES,
      PROMISE_ENTRIES,
      journal,
    );
    const last = (view.getUint16(PROMISE_FLAGS, true) & PROMISE_LAST) !== 0;
    const page = {
      ballot,
      start: u64(view, PROMISE_START),
      end: last ? Infinity : u64(view, PROMISE_END),
      decided: u64(view, PROMISE_DECIDED),
      accepted: new Map(entries.map((it) => [it.instance, it.ballot])),
      proposer: view.getUint32(PROMISE_INCARNATION, true),
      memories: view.getBigUint64(PROMISE_MEMORIES, true),
    };
    this.#model(node, view).promise(page);
    const id = view.getUint16(HEADER_SENDER_ID, true);
    this.#recovery.promise(node.name, id, page);
    const rejoining = this.#recovery.rejoining(ballot, page.proposer);
    this.#memoriesOf(node).promise(page.memories, ballot, rejoining);
  }

  #accepted(
    node: SimNode,
    view: DataView,
    ballot: number,
    journal: JournalModel | undefined,
  ): void {
    const model = this.#model(node, view);
    const id = view.getUint16(HEADER_SENDER_ID, true);
    const index = this.#acceptors.indexOf(id);
    const ranges = view.getUint32(RANGES_COUNT, true);
    for (let r = 0; r < ranges; r++) {
      const at = RANGES_BYTES + r * RANGE_BYTES;
      const end = u64(view, at + 8);
      for (let instance = u64(view, at); instance < end; instance++) {
        this.chosen.vote(instance, ballot, index);
        model.vote(instance, ballot);
        this.#recovery.vote(node.name, id, instance, ballot);
        journal?.revealAccepted(instance, ballot);
      }
    }
  }

  /** What a promise or an answer to a repair tells; each must have been proposed so. */
  #entries(
    node: SimNode,
    view: DataView,
    start: number,
    counter: number,
    journal: JournalModel | undefined,
  ): Entry[] {
    const entries: Entry[] = [];
    let at = start;
    for (let n = view.getUint16(counter, true); n > 0; n--) {
      const bytes = view.getUint32(at + ENTRY_BATCH_BYTES, true);
      const flags = view.getUint16(at + ENTRY_FLAGS, true);
      const entry = {
        instance: u64(view, at + ENTRY_INSTANCE),
        ballot: u64(view, at + ENTRY_BALLOT),
        decided: (flags & ENTRY_DECIDED) !== 0,
        batch: bytesOf(view, at + ENTRY_BYTES, bytes),
      };
      at += ENTRY_BYTES + bytes;
      if (entry.ballot === 0) {
        this.#mustBeNothing(node, view, entry.instance);
        continue;
      }
      entries.push(entry);
      this.#mustBeProposed(node, entry);
      const id = view.getUint16(HEADER_SENDER_ID, true);
      // What it fetched after a loss others accepted, and it is decided: it was given to no storage here.
      const isFetched = entry.decided &&
        entry.instance < this.#recovery.returns(id).fetchedTo;
      if (!isFetched) journal?.revealAccepted(entry.instance, entry.ballot);
      if (entry.decided) {
        this.#decidedEntries.push(entry);
        this.#model(node, view).knows.add(entry.instance);
      }
    }
    return entries;
  }

  /**
   * Of an instance that is decided, an acceptor tells that it accepted nothing only if it is so. What it
   * accepted and forgot, it must not have helped to choose.
   */
  #mustBeNothing(node: SimNode, view: DataView, instance: number): void {
    const id = view.getUint16(HEADER_SENDER_ID, true);
    const present = this.#model(node, view);
    for (const model of this.#models.get(id)!) {
      const lie = model.votesFor(instance).find((ballot) =>
        model === present || this.chosen.isChosen(instance, ballot)
      );
      if (lie === undefined) continue;
      throw new Violation(
        "amnesia",
        `${node.name} told that it accepted nothing for instance ${instance}, and it voted for it in ballot ${
          ballotText(lie)
        }`,
      );
    }
  }

  #mustBeProposed(node: SimNode, { instance, ballot, batch }: Entry): void {
    const proposed = this.chosen.proposed(instance, ballot);
    if (proposed !== undefined && sameBytes(proposed, batch)) return;
    throw new Violation(
      "proposal",
      `${node.name} told that it accepted ${
        batchText(batch)
      } for instance ${instance} in ballot ${ballotText(ballot)}, in which ${
        proposed === undefined ? "nothing" : batchText(proposed)
      } was proposed`,
    );
  }

  /** A learner that began with the first instance delivers what follows from the log, and nothing else. */
  #compareNext(node: SimNode, delivery: Delivery, position: number): void {
    const expected = this.chosen.deliveries[position];
    const { instance, index, client, sequence, value } = delivery;
    if (
      expected !== undefined && expected.instance === instance &&
      expected.index === index && BigInt(expected.client) === client &&
      expected.sequence === sequence && sameBytes(expected.bytes, value)
    ) {
      return;
    }
    const due = expected === undefined
      ? `nothing beyond instance ${this.chosen.prefix - 1} is chosen`
      : `${expected.client}/${expected.sequence} of instance ${expected.instance} is next`;
    throw new Violation(
      "agreement",
      `${node.name} delivered ${client}/${sequence} of instance ${instance}, but ${due}`,
    );
  }

  /** Any other learner delivers chosen values in order, none twice, and leaves none out once it began. */
  #comparePlace(node: SimNode, delivery: Delivery, learner: Learner): void {
    const { instance, index, client, sequence } = delivery;
    const batch = this.chosen.batch(instance) ?? NOTHING;
    const value = valuesOf(instance, batch)[index];
    const key = valueKey(Number(client), sequence);
    if (
      value === undefined || BigInt(value.client) !== client ||
      value.sequence !== sequence ||
      !(value.isChunk
        ? text.decode(delivery.value.slice()) === this.#largeValues.get(key)
        : sameBytes(value.bytes, delivery.value))
    ) {
      throw new Violation(
        "agreement",
        `${node.name} delivered ${client}/${sequence} as value ${index} of instance ${instance}, where ${
          batchText(batch)
        } is chosen`,
      );
    }
    if (learner.seen.size > 0) this.#mustBeNext(node, delivery, learner);
    if (learner.seen.has(key)) {
      throw new Violation(
        "duplicates",
        `${node.name} delivered ${client}/${sequence} twice`,
      );
    }
    learner.seen.set(key, instance);
    const before = learner.instance < instance ||
      (learner.instance === instance && learner.index < index) ||
      learner.seen.size === 1;
    if (!before) {
      throw new Violation(
        "order",
        `${node.name} delivered instance ${instance} after ${learner.instance}`,
      );
    }
    learner.instance = instance;
    learner.index = index;
  }

  /** Between the last value and this one stands nothing but what came before. */
  #mustBeNext(
    node: SimNode,
    delivery: Pick<Delivery, "instance" | "index">,
    learner: Learner,
  ): void {
    for (let i = learner.instance; i <= delivery.instance; i++) {
      for (const value of valuesOf(i, this.chosen.batch(i) ?? NOTHING)) {
        if (i === learner.instance && value.index <= learner.index) continue;
        if (i === delivery.instance && value.index >= delivery.index) return;
        const { client, sequence, isChunk } = value;
        // Of a large value it may have missed the beginning.
        if (sequence === 0 || isChunk) continue;
        if (learner.seen.has(valueKey(client, sequence))) continue;
        throw new Violation(
          "agreement",
          `${node.name} left out ${client}/${sequence} of instance ${i}`,
        );
      }
    }
  }
}

function viewOf(frame: Uint8Array): DataView {
  const bytes = Math.max(0, frame.length - LINK_BYTES);
  return new DataView(frame.buffer, frame.byteOffset + LINK_BYTES, bytes);
}

function bytesOf(view: DataView, at: number, bytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, bytes);
}
