/** The core as its host sees it: one instance of the WebAssembly module, typed. */
import wasm from "../build/core.wasm" with { type: "bytes" };
import type { FrameArea } from "../ffi/nic.ts";
import {
  ASSEMBLIES_MAX,
  BATCH_OVERHEAD_BYTES,
  CHUNK_BYTES,
  COMPLETION_BYTES,
  COMPLETION_CLIENT,
  COMPLETION_LATENCY,
  COMPLETION_SEQUENCE,
  Counter,
  DELIVERY_BYTES,
  DELIVERY_CLIENT,
  DELIVERY_INDEX,
  DELIVERY_INSTANCE,
  DELIVERY_LENGTH,
  DELIVERY_POINTER,
  DELIVERY_SEQUENCE,
  type Event,
  EVENT_BYTES,
  EVENT_CODE,
  EVENT_LARGE,
  EVENT_SMALL,
  type Fetched,
  Gauge,
  HEADER_INCARNATION,
  HEADER_SENDER_ID,
  HEADER_SENDER_ROLE,
  HELD_FRAMES,
  type Item,
  ITEM_AGO,
  ITEM_BYTES,
  ITEM_CODE,
  ITEM_KIND,
  ITEM_ROLE,
  ITEM_VALUE,
  PIECE_BYTES,
  RECEIVE_FRAMES,
  Record as RecordKind,
  RECORD_BALLOT,
  RECORD_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_INCARNATION,
  RECORD_INSTANCE,
  RECORD_KIND,
  RECORD_VALUES,
  RECORDS_IN_FLIGHT,
  RecoveryFault,
  Role,
  RUN_BYTES,
  SEND_FRAMES,
  SESSION_SPAN,
  SESSIONS_MAX,
  Setting,
  STATUS_BYTES,
  STATUS_FIRST,
  STATUS_ITEMS,
  STATUS_NUMBER,
  STATUS_TOTAL,
  type StorageCondition,
  VALUE_HEADER_BYTES,
} from "./layout.ts";

/** Pages that the module declares; it grows to what `init` needs and no further. */
const PAGES_INITIAL = 16;
const PAGES_MAXIMUM = 16384;

/** What a core is made of; see `Setting` in `layout.ts` for units. */
export interface CoreOptions {
  /** Bits of `Role`. */
  readonly roles: number;
  /** 1 to 65535. */
  readonly id: number;
  /** 1 to 65535. */
  readonly cluster: number;
  /** Drawn anew by every start; 1 to 2^32 - 1. */
  readonly incarnation: number;
  readonly seed: bigint;
  /** Most bytes after the link header, 256 to 9000. */
  readonly mtu: number;
  readonly ethertype: number;
  /** Ids of all acceptors, and of all proposers, in the order of the configuration. */
  readonly acceptors: readonly number[];
  readonly proposers: readonly number[];
  /** Id of the proposer that leads, at first or always. */
  readonly leader: number;
  /** How long a leader must be silent before another proposer takes over; 0: never. */
  readonly electionTimeout_us: number;
  /** How often a leader says that it leads. */
  readonly heartbeat_us: number;
  /** Most instances in flight. */
  readonly inFlight: number;
  readonly proposerTimeout_us: number;
  readonly clientTimeout_us: number;
  /** Fraction of received frames to drop, 0 to 1. */
  readonly loss: number;
  /** Bytes of accepted values that an acceptor keeps. */
  readonly logBytes: number;
  /** How long an unheard learner holds back trimming, 100,000 µs at least; the same everywhere. */
  readonly learnerLease_us: number;
  /** How long an acceptor with a full log waits for a learner that does not go on. */
  readonly learnerPatience_us: number;
  /** First instance to deliver; 0n: the first undecided one heard of. */
  readonly from: bigint;
  /** Records become durable later than they are appended. */
  readonly persistent: boolean;
  readonly clients: number;
  readonly outstanding: number;
  /** Number of the first virtual client. */
  readonly firstClient: bigint;
  /** Proposer that the client insists on; 0: whoever leads. */
  readonly proposer: number;
  /** Most bytes of a value to submit; 0: as many as fit a frame. */
  readonly valueBytes: number;
  /** A frame, and an instance, carries as many values as it holds, and not just one (default: yes). */
  readonly batching?: boolean;
  /** No acceptor of this cluster ran before: it need not ask the others whether they know it. */
  readonly newCluster: boolean;
  /**
   * The incarnation in which the acceptor's memory began, as its storage keeps it (default: this
   * one, as it is without storage).
   */
  readonly memory?: number;
  /** Its storage knows that it lost some of what it kept (default: no): it must not vote as if it had not. */
  readonly forgot?: boolean;
  /** Sessions that learners keep at a time (default: 4,096); the same on every node, as the two that follow. */
  readonly sessions?: number;
  /** Instances after its last use for which a session that was not closed is safe (default: 2^18). */
  readonly sessionSpan?: number;
  /** Large values that learners put together at a time (default: 32). */
  readonly assemblies?: number;
  /** Length of a batch that suits the acceptors' storage, as `snugBatchBytes` says (default: what fits a frame). */
  readonly batchBytes?: number;
}

/** What an acceptor must find again after a crash. */
export interface CoreRecord {
  readonly kind: RecordKind;
  readonly ballot: bigint;
  /** Of the ballot's proposer. */
  readonly incarnation: number;
  /** Of an accepted batch; else 0. */
  readonly instance: number;
  /** Values in the batch. */
  readonly values: number;
  readonly batch: Uint8Array;
}

/**
 * Where records lie until they are durable. Record `n` begins at the byte that stands, as a little-endian
 * u32, at `pointersAt + 4 * (n % RECORDS_IN_FLIGHT)`; its form is drawn in `layout.ts`.
 */
export interface Journal {
  /** The core's whole memory, which threads can share. */
  readonly memory: Uint8Array;
  readonly pointersAt: number;
}

/** The bytes of record `number`, which is not durable yet: a view. */
export function recordBytes(
  { memory, pointersAt }: Journal,
  number: number,
): Uint8Array {
  const view = new DataView(memory.buffer, memory.byteOffset);
  const at = view.getUint32(
    pointersAt + number % RECORDS_IN_FLIGHT * 4,
    true,
  );
  const bytes = RECORD_BYTES + view.getUint32(at + RECORD_BATCH_BYTES, true);
  return memory.subarray(at, at + bytes);
}

/** What stands in the bytes of a record, whose batch is a view of them. */
export function readRecord(bytes: Uint8Array): CoreRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    kind: view.getUint16(RECORD_KIND, true),
    ballot: view.getBigUint64(RECORD_BALLOT, true),
    incarnation: view.getUint32(RECORD_INCARNATION, true),
    instance: number64(view, RECORD_INSTANCE),
    values: view.getUint16(RECORD_VALUES, true),
    batch: bytes.subarray(RECORD_BYTES),
  };
}

/** A delivered value. `value` is a view of the core's memory, valid until the next step. */
export interface Delivery {
  instance: number;
  /** Position within the instance's batch. */
  index: number;
  client: bigint;
  sequence: number;
  value: Uint8Array;
}

/** What happened in a step that a person may want to read about. */
export interface CoreEvent {
  readonly code: Event;
  readonly small: number;
  readonly large: bigint;
}

/** One item of a status; see `Item` in `layout.ts` for what the code means. */
export interface StatusItem {
  readonly kind: Item;
  /** Of a peer: its role. */
  readonly role: number;
  readonly code: number;
  /** Of a peer: ms since it was heard; `AGO_NEVER`: never. */
  readonly ago_ms: number;
  readonly value: bigint;
}

/** One frame of a node's answer to a query. */
export interface StatusPart {
  /** One of the node's roles; it says all of them in its items. */
  readonly role: number;
  readonly id: number;
  readonly incarnation: number;
  /** Of the query. */
  readonly number: number;
  /** Items of the whole answer, and the place of this part's first. */
  readonly total: number;
  readonly first: number;
  readonly items: readonly StatusItem[];
}

type Exports = {
  set(key: number, value: number): void;
  member(role: number, id: number): void;
  init(now_us: number): number;
  address(
    low: number,
    high: number,
    groupLow: number,
    groupHigh: number,
  ): void;
  preset(role: number, id: number, low: number, high: number): void;
  step(
    frames: number,
    now_us: number,
    durable: number,
    pause: number,
  ): number;
  leave(): void;
  recover(): RecoveryFault;
  taken(values: number): void;
  setStorage(condition: number, low: number): void;
  fetchCount(): number;
  fetchFrom(index: number): number;
  fetchEnd(index: number): number;
  fetched(index: number, bytes: number): number;
  fetchDone(index: number): void;
  recordPointersAt(): number;
  isSound(bytes: number): number;
  recordCount(): number;
  recoveryAt(): number;
  rxSlots(): number;
  rxSlotBytes(): number;
  rxLengths(): number;
  txDescriptors(): number;
  txCount(): number;
  deliveryAt(): number;
  deliveryCount(): number;
  completionAt(): number;
  completionCount(): number;
  eventAt(): number;
  eventCount(): number;
  counterAt(): number;
  gaugeAt(): number;
  stagingAt(): number;
  statusAt(): number;
  statusCount(): number;
  query(number: number): void;
  clientRoom(client: number): number;
  clientSubmit(client: number, bytes: number, now_us: number): number;
  clientSubmitChunk(
    client: number,
    bytes: number,
    total: number,
    offset: number,
    now_us: number,
  ): number;
  clientHasRoom(client: number): number;
};

let compiled: WebAssembly.Module | undefined;

/** The compiled module; the same bytes in production, in tests and in simulation. */
export function coreModule(): WebAssembly.Module {
  return compiled ??= new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
}

/** A build of the core. Simulations of cores that are broken on purpose bring their own. */
export interface CoreBuild {
  readonly module: WebAssembly.Module;
  /** What the module imports besides its memory and `abort`; the shipping build: nothing. */
  readonly imports?: Readonly<Record<string, number>>;
}

/** Most bytes of one value that fits a frame with so many bytes behind the link header. */
export function valueBytesFit(mtu: number): number {
  return batchBytesFit(mtu) - RUN_BYTES - VALUE_HEADER_BYTES;
}

/** Most bytes of a large value that one such frame carries. */
export function chunkBytesFit(mtu: number): number {
  return valueBytesFit(mtu) - CHUNK_BYTES;
}

/** Most bytes of a batch that one such frame carries. */
export function batchBytesFit(mtu: number): number {
  return (mtu - BATCH_OVERHEAD_BYTES) & ~7;
}

/** Low 32 bits of the first four bytes of a link address, and its last two, little-endian. */
function addressHalves(address: Uint8Array): [number, number] {
  const view = new DataView(address.buffer, address.byteOffset, 6);
  return [view.getUint32(0, true), view.getUint16(4, true)];
}

/**
 * One node's protocol state. It does no I/O and has no clock: the host fills the receive slots of
 * `area`, calls `step`, and sends the frames of the descriptors.
 */
export class Core {
  readonly area: FrameArea;
  /** Bytes of memory that the core took at `init`. */
  readonly memoryBytes: number;
  readonly #exports: Exports;
  readonly #batchBytes: number;
  /** Where a client's next value goes. */
  readonly #stagingAt: number;
  readonly #instance: WebAssembly.Instance;
  readonly #view: DataView;
  readonly #delivery: Delivery;
  readonly #counters: BigUint64Array;
  readonly #gauges: BigUint64Array;

  /**
   * @param now_us Time of the host's monotonic clock, µs.
   * @param build The shipping one unless given.
   * @throws {Error} if an option is out of range or memory is short.
   */
  constructor(
    options: CoreOptions,
    now_us: number,
    build: CoreBuild = { module: coreModule() },
  ) {
    const memory = new WebAssembly.Memory({
      initial: PAGES_INITIAL,
      maximum: PAGES_MAXIMUM,
      shared: true,
    });
    this.#instance = new WebAssembly.Instance(build.module, {
      env: {
        ...build.imports,
        memory,
        abort: (message: number, file: number, line: number) => {
          throw new Error(
            `The core's invariant "${text(memory, message)}" does not hold (${
              text(memory, file)
            }:${line}). This is a bug; the node stops rather than go on.`,
          );
        },
      },
    });
    this.#exports = this.#instance.exports as unknown as Exports;
    this.#configure(options);
    this.#batchBytes = batchBytesFit(options.mtu);
    this.memoryBytes = this.#exports.init(now_us);
    this.#stagingAt = this.#exports.stagingAt();
    const bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.area = {
      memory: bytes,
      rxSlots: this.#exports.rxSlots(),
      rxSlotBytes: this.#exports.rxSlotBytes(),
      rxCapacity: RECEIVE_FRAMES,
      rxLengths: this.#exports.rxLengths(),
      txDescriptors: this.#exports.txDescriptors(),
      txCapacity: SEND_FRAMES + HELD_FRAMES,
    };
    this.#delivery = {
      instance: 0,
      index: 0,
      client: 0n,
      sequence: 0,
      value: bytes.subarray(0, 0),
    };
    this.#counters = new BigUint64Array(
      memory.buffer,
      this.#exports.counterAt(),
      Counter.end,
    );
    this.#gauges = new BigUint64Array(
      memory.buffer,
      this.#exports.gaugeAt(),
      Gauge.end,
    );
  }

  /** Tells the core its own link address and the group's; before the first step. */
  setAddress(own: Uint8Array, group: Uint8Array): void {
    this.#exports.address(...addressHalves(own), ...addressHalves(group));
  }

  /** Gives the link address of a configured acceptor or proposer. */
  preset(role: Role, id: number, address: Uint8Array): void {
    this.#exports.preset(role, id, ...addressHalves(address));
  }

  /**
   * One turn. Descriptors, deliveries, completions and events hold what it brought.
   *
   * @param frames How many receive slots are filled.
   * @param durable Number of the last record that is durable; 0 without storage.
   * @param pause The host can take no deliveries now.
   * @returns When the next turn is due at the latest, µs.
   */
  step(
    frames: number,
    now_us: number,
    durable: number,
    pause: boolean,
  ): number {
    return this.#exports.step(frames, now_us, durable, pause ? 1 : 0);
  }

  /** The last turn: goodbyes are in the outbox. */
  leave(): void {
    this.#exports.leave();
  }

  /**
   * Hands back a record that storage kept; before the first step.
   *
   * @throws {RangeError} if its batch is larger than this MTU can carry.
   * @throws {Error} if the record cannot be one of this node's, or its log is smaller than it was.
   */
  recover(record: CoreRecord): void {
    const { batch } = record;
    this.#checkRecordBytes(record.kind, batch.length);
    const view = this.#view;
    const at = this.#exports.recoveryAt();
    view.setBigUint64(at + RECORD_INSTANCE, BigInt(record.instance), true);
    view.setBigUint64(at + RECORD_BALLOT, record.ballot, true);
    view.setUint32(at + RECORD_INCARNATION, record.incarnation, true);
    view.setUint32(at + RECORD_BATCH_BYTES, batch.length, true);
    view.setUint16(at + RECORD_KIND, record.kind, true);
    view.setUint16(at + RECORD_VALUES, record.values, true);
    this.area.memory.set(batch, at + RECORD_BYTES);
    this.#recover();
  }

  /**
   * Hands back a record as it was stored, as `recover` does. False: it is damaged, and was not taken.
   *
   * @throws as `recover`.
   */
  recoverBytes(record: Uint8Array): boolean {
    if (!this.isSound(record)) return false;
    this.#recover();
    return true;
  }

  /**
   * Whether a stored record is as it was written, by its checksum. Of a core with storage.
   *
   * @throws {RangeError} as `recover`.
   */
  isSound(record: Uint8Array): boolean {
    if (record.length < RECORD_BYTES) return false;
    const kind = record[RECORD_KIND] | record[RECORD_KIND + 1] << 8;
    this.#checkRecordBytes(kind, record.length - RECORD_BYTES);
    this.area.memory.set(record, this.#exports.recoveryAt());
    return this.#exports.isSound(record.length) !== 0;
  }

  /** Takes back the record that lies ready. */
  #recover(): void {
    const fault = this.#exports.recover();
    if (fault === RecoveryFault.none) return;
    throw new Error(
      `${
        FAULTS[fault]
      }; it could deliver a value twice, or not what others deliver: let it begin anew, with empty storage`,
    );
  }

  /**
   * Tells how many delivered values cannot be lost any more when this process ends now, of all that were
   * delivered since it started; before each step. Checkpoints wait for that. If it is never called, a
   * value counts as safe as soon as the step after its delivery begins.
   */
  taken(values: number): void {
    this.#exports.taken(values);
  }

  #checkRecordBytes(kind: RecordKind, bytes: number): void {
    const most = kind === RecordKind.accept || kind === RecordKind.fetched
      ? this.#batchBytes
      : Math.max(this.#batchBytes, PIECE_BYTES);
    if (bytes <= most) return;
    throw new RangeError(
      `A record's batch has ${bytes} bytes, and this MTU can carry ${most}: it was larger when this was accepted`,
    );
  }

  /** The journal, for whoever stores what it holds. */
  get journal(): Journal {
    return {
      memory: this.area.memory,
      pointersAt: this.#exports.recordPointersAt(),
    };
  }

  /** Number of the newest record; they count from 1. */
  get lastRecord(): number {
    return this.gauge(Gauge.records);
  }

  /** Records of this step, of which the newest has the number `lastRecord`; without storage none is kept. */
  get recordCount(): number {
    return this.#exports.recordCount();
  }

  /** The `i`th record of this step. Its batch is a view of the core's memory, valid until it is durable. */
  record(i: number): CoreRecord {
    return readRecord(
      recordBytes(this.journal, this.lastRecord - this.recordCount + 1 + i),
    );
  }

  /** Storage may delete accepted instances below. */
  get trimLimit(): number {
    return this.gauge(Gauge.trimLimit);
  }

  /** Tells the condition of storage, and the lowest accepted instance that it has not deleted. */
  setStorage(condition: StorageCondition, low: number): void {
    this.#exports.setStorage(condition, low);
  }

  /** Ranges of accepted instances that this step asks storage for. */
  get fetchCount(): number {
    return this.#exports.fetchCount();
  }

  /** The `i`th of them: first instance, and one past the last. */
  fetch(i: number): { from: number; end: number } {
    const { fetchFrom, fetchEnd } = this.#exports;
    return { from: fetchFrom(i), end: fetchEnd(i) };
  }

  /** Hands over the next record that storage has for the `i`th range, as it was stored. */
  fetched(i: number, record: Uint8Array): Fetched {
    const most = RECORD_BYTES + this.#batchBytes;
    if (record.length <= most) {
      this.area.memory.set(record, this.#exports.recoveryAt());
    }
    return this.#exports.fetched(i, record.length);
  }

  /** Storage has nothing more for the `i`th range, or enough was taken: the answer is in the outbox. */
  fetchDone(i: number): void {
    this.#exports.fetchDone(i);
  }

  /** Frames to send. */
  get sendCount(): number {
    return this.#exports.txCount();
  }

  get deliveryCount(): number {
    return this.#exports.deliveryCount();
  }

  /** The `i`th delivery of this step. The object is used again by the next call. */
  delivery(i: number): Delivery {
    const view = this.#view;
    const at = this.#exports.deliveryAt() + i * DELIVERY_BYTES;
    const delivery = this.#delivery;
    delivery.instance = number64(view, at + DELIVERY_INSTANCE);
    delivery.index = view.getUint32(at + DELIVERY_INDEX, true);
    delivery.client = view.getBigUint64(at + DELIVERY_CLIENT, true);
    delivery.sequence = number64(view, at + DELIVERY_SEQUENCE);
    const pointer = view.getUint32(at + DELIVERY_POINTER, true);
    delivery.value = this.area.memory.subarray(
      pointer,
      pointer + view.getUint32(at + DELIVERY_LENGTH, true),
    );
    return delivery;
  }

  get completionCount(): number {
    return this.#exports.completionCount();
  }

  /** Calls back with virtual client, sequence number and latency in µs of every value answered in this step. */
  eachCompletion(
    visit: (client: number, sequence: number, latency_us: number) => void,
  ): void {
    const view = this.#view;
    let at = this.#exports.completionAt();
    for (let n = this.#exports.completionCount(); n > 0; n--) {
      visit(
        view.getUint32(at + COMPLETION_CLIENT, true),
        number64(view, at + COMPLETION_SEQUENCE),
        view.getUint32(at + COMPLETION_LATENCY, true),
      );
      at += COMPLETION_BYTES;
    }
  }

  get eventCount(): number {
    return this.#exports.eventCount();
  }

  /** The events of this step, oldest first. */
  events(): CoreEvent[] {
    const view = this.#view;
    const from = this.#exports.eventAt();
    return Array.from({ length: this.eventCount }, (_, i) => {
      const at = from + i * EVENT_BYTES;
      return {
        code: view.getUint32(at + EVENT_CODE, true),
        small: view.getUint32(at + EVENT_SMALL, true),
        large: view.getBigUint64(at + EVENT_LARGE, true),
      };
    });
  }

  counter(counter: Counter): number {
    return Number(this.#counters[counter]);
  }

  gauge(gauge: Gauge): number {
    return Number(this.#gauges[gauge]);
  }

  /** Clears a gauge that collects until the host has read it. */
  clearGauge(gauge: Gauge): void {
    this.#gauges[gauge] = 0n;
  }

  /**
   * Asks every node for its status, in the next step. Of a client.
   *
   * @param number 1 to 2^32 - 1; the answers carry it.
   */
  query(number: number): void {
    this.#exports.query(number);
  }

  /** The parts of answers to queries that came in this step. */
  statuses(): StatusPart[] {
    const from = this.#exports.statusAt();
    return Array.from(
      { length: this.#exports.statusCount() },
      (_, i) => this.#status(this.#view.getUint32(from + i * 4, true)),
    );
  }

  /** How many more values a virtual client may submit now; none before it has a session. */
  clientRoom(client: number): number {
    return this.#exports.clientRoom(client);
  }

  /**
   * Submits one value; there must be room. Returns its sequence number.
   *
   * @param value At most `valueBytes` of the options, or what `valueBytesFit` says.
   */
  submit(client: number, value: Uint8Array, now_us: number): number {
    this.area.memory.set(value, this.#stagingAt);
    return this.#exports.clientSubmit(client, value.length, now_us);
  }

  /**
   * Submits the next piece of a large value; there must be room, and `hasLargeRoom`. Pieces come in
   * order, and those of one large value after those of another.
   *
   * @param piece At most `chunkBytesFit` bytes.
   * @param total Bytes of the whole value.
   * @param offset Where in it the piece lies.
   * @returns The chunk's sequence number.
   */
  submitChunk(
    client: number,
    piece: Uint8Array,
    total: number,
    offset: number,
    now_us: number,
  ): number {
    const exports = this.#exports;
    this.area.memory.set(piece, this.#stagingAt + CHUNK_BYTES);
    return exports.clientSubmitChunk(
      client,
      piece.length,
      total,
      offset,
      now_us,
    );
  }

  /** Whether learners have room for a virtual client's large values; if not, they are asked for it. */
  hasLargeRoom(client: number): boolean {
    return this.#exports.clientHasRoom(client) !== 0;
  }

  /** The module's mutable globals, which with the memory are its whole state. */
  get globals(): Map<string, WebAssembly.Global> {
    return new Map(
      Object.entries(this.#instance.exports).filter(
        (entry): entry is [string, WebAssembly.Global] =>
          entry[1] instanceof WebAssembly.Global,
      ),
    );
  }

  #status(at: number): StatusPart {
    const view = this.#view;
    return {
      role: view.getUint8(at + HEADER_SENDER_ROLE),
      id: view.getUint16(at + HEADER_SENDER_ID, true),
      incarnation: view.getUint32(at + HEADER_INCARNATION, true),
      number: view.getUint32(at + STATUS_NUMBER, true),
      total: view.getUint16(at + STATUS_TOTAL, true),
      first: view.getUint16(at + STATUS_FIRST, true),
      items: Array.from(
        { length: view.getUint32(at + STATUS_ITEMS, true) },
        (_, i) => {
          const item = at + STATUS_BYTES + i * ITEM_BYTES;
          return {
            kind: view.getUint8(item + ITEM_KIND),
            role: view.getUint8(item + ITEM_ROLE),
            code: view.getUint16(item + ITEM_CODE, true),
            ago_ms: view.getUint32(item + ITEM_AGO, true),
            value: view.getBigUint64(item + ITEM_VALUE, true),
          };
        },
      ),
    };
  }

  #configure(options: CoreOptions): void {
    const set = (key: Setting, value: number) => this.#exports.set(key, value);
    const setHalves = (low: Setting, value: bigint) => {
      set(low, Number(value & 0xffffffffn));
      set(low + 1, Number(value >> 32n & 0xffffffffn));
    };
    set(Setting.roles, options.roles);
    set(Setting.id, options.id);
    set(Setting.cluster, options.cluster);
    set(Setting.incarnation, options.incarnation);
    setHalves(Setting.seedLow, options.seed);
    set(Setting.mtu, options.mtu);
    set(Setting.ethertype, options.ethertype);
    set(Setting.leader, options.leader);
    set(Setting.electionTimeout_us, options.electionTimeout_us);
    set(Setting.heartbeat_us, options.heartbeat_us);
    set(Setting.inFlight, options.inFlight);
    set(Setting.proposerTimeout_us, options.proposerTimeout_us);
    set(Setting.clientTimeout_us, options.clientTimeout_us);
    set(Setting.loss, Math.round(options.loss * 2 ** 32));
    set(Setting.logBytes, options.logBytes);
    set(Setting.learnerLease_us, options.learnerLease_us);
    set(Setting.learnerPatience_us, options.learnerPatience_us);
    setHalves(Setting.fromLow, options.from);
    set(Setting.persistent, options.persistent ? 1 : 0);
    set(Setting.clients, options.clients);
    set(Setting.outstanding, options.outstanding);
    setHalves(Setting.clientLow, options.firstClient);
    set(Setting.proposer, options.proposer);
    set(Setting.valueBytes, options.valueBytes);
    set(Setting.batching, options.batching === false ? 0 : 1);
    set(Setting.newCluster, options.newCluster ? 1 : 0);
    set(Setting.memory, options.memory ?? options.incarnation);
    set(Setting.forgot, options.forgot === true ? 1 : 0);
    set(Setting.sessions, options.sessions ?? SESSIONS_MAX);
    set(Setting.sessionSpan, options.sessionSpan ?? SESSION_SPAN);
    set(Setting.assemblies, options.assemblies ?? ASSEMBLIES_MAX);
    set(Setting.batchBytes, options.batchBytes ?? 0);
    for (const id of options.acceptors) {
      this.#exports.member(Role.acceptor, id);
    }
    for (const id of options.proposers) {
      this.#exports.member(Role.proposer, id);
    }
  }
}

/** What is wrong with the records of a learner's checkpoint. */
const FAULTS: Record<Exclude<RecoveryFault, RecoveryFault.none>, string> = {
  [RecoveryFault.session]:
    "a session of the learner's checkpoint contradicts itself or another one",
  [RecoveryFault.assembly]:
    "what the learner's checkpoint says of a large value contradicts itself",
  [RecoveryFault.piece]:
    "a piece of a large value in the learner's checkpoint has a wrong size",
  [RecoveryFault.checkpoint]: "the learner's checkpoint contradicts itself",
  [RecoveryFault.incomplete]:
    "the learner's checkpoint lacks sessions or pieces of large values that it had when it was written",
  [RecoveryFault.limits]:
    "the learner's checkpoint was written with other limits on sessions and large values than this program has",
};

/** A u64 that is known to stay below 2^53. */
function number64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** A string of AssemblyScript: UTF-16 with its length in bytes in the word before. */
function text(memory: WebAssembly.Memory, pointer: number): string {
  if (pointer === 0) return "";
  const view = new DataView(memory.buffer);
  const length = view.getUint32(pointer - 4, true);
  let result = "";
  for (let at = 0; at < length; at += 2) {
    result += String.fromCharCode(view.getUint16(pointer + at, true));
  }
  return result;
}
