/**
 * A simulated disk whose transactions also go to a real database, of which a power cut leaves what a real
 * one may leave: all that was synced, and of the sectors written since any.
 *
 * A synchronous commit writes its pages, one of the two first pages and its seal, and syncs them all at once. So
 * one that was under way leaves any of them; only the other first page is as it was, which is written once
 * the sync has ended, to say so. One that had ended leaves all, and that first page as it was or as it is.
 * Without synchronous commits nothing was synced since the last time that somebody asked for it.
 */
import { Disk } from "../sim/disk.ts";
import type { Random } from "../sim/random.ts";
import { StorageDirectory } from "../storage/directory.ts";
import { Table } from "../storage/store.ts";
import { StateKey } from "../storage/tables.ts";

const PAGE_BYTES = 4096;
/** What a disk writes as a whole, or not at all. */
const SECTOR_BYTES = 512;
/** In a first page: the number of its commit. */
const TRANSACTION = 144;
/** How many commits an asynchronous store makes between two syncs. */
const COMMITS_PER_SYNC = 8;
const TABLES = [Table.state, Table.log, Table.sessions, Table.pieces];

/** Whose disk it is, and how it is written. */
export interface RealDiskOptions {
  /** The folder for all nodes. */
  readonly path: string;
  readonly id: number;
  readonly synchronous: boolean;
  /** Which start of the machine. */
  readonly boot: number;
  /** The memory that begins if nothing is there. */
  readonly incarnation: number;
}

export class RealDisk extends Disk {
  /** What was said when it was opened. */
  readonly warning?: string;
  /** Commits so far. */
  commits = 0;
  readonly #options: RealDiskOptions;
  readonly #directory: StorageDirectory;
  /** What the transaction does, for the database. */
  #calls: (() => void)[] = [];
  /** The file before the last commit, after it, and when it was synced last. */
  #before: Uint8Array;
  #after: Uint8Array;
  #synced: Uint8Array;
  #isCut = false;

  /** @throws {UserError} if the database is damaged. */
  static open(options: RealDiskOptions): RealDisk {
    const directory = StorageDirectory.open({
      ...options,
      kind: "acceptor",
      cluster: 1,
      bytesMax: 1 << 26,
      trash: false,
      boot: `boot ${options.boot}`,
    });
    return new RealDisk(options, directory);
  }

  private constructor(options: RealDiskOptions, directory: StorageDirectory) {
    const { stamp, store, warning } = directory;
    const hasBegun = [StateKey.confirmed, StateKey.rejoin]
      .some((key) => store.get(Table.state, key) !== undefined);
    const commit_us = { least: 100, most: 2000 };
    super(stamp.memory, commit_us, stamp.forgot && !hasBegun);
    this.warning = warning;
    this.#options = options;
    this.#directory = directory;
    super.begin();
    for (const table of TABLES) {
      store.walk(table, 0, (key, value) => {
        const isStamp = table === Table.state && key === StateKey.stamp;
        if (!isStamp) super.put(table, key, value, 0, value.length);
        return true;
      });
    }
    super.commit();
    this.#before = this.#after = this.#synced = this.#read();
  }

  override begin(): void {
    super.begin();
    this.#calls = [];
  }

  override put(
    table: Table,
    key: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    super.put(table, key, bytes, offset, length);
    const copy = bytes.slice(offset, offset + length);
    this.#calls.push(() =>
      this.#directory.store.put(table, key, copy, 0, length)
    );
  }

  override remove(table: Table, key: number): void {
    super.remove(table, key);
    this.#calls.push(() => this.#directory.store.remove(table, key));
  }

  override removeBelow(table: Table, end: number, most: number): number {
    this.#calls.push(() => this.#directory.store.removeBelow(table, end, most));
    return super.removeBelow(table, end, most);
  }

  override commit(): void {
    const { store } = this.#directory;
    store.begin();
    for (const call of this.#calls) call();
    store.commit();
    super.commit();
    this.commits++;
    this.#before = this.#after;
    this.#after = this.#read();
    if (this.#options.synchronous) this.#synced = this.#after;
    else if (this.commits % COMMITS_PER_SYNC === 0) {
      store.sync();
      this.#synced = this.#after;
    }
  }

  /**
   * The machine loses power and starts again. The process is gone already.
   *
   * @param isUnderWay Its last commit had not ended yet: nothing that hangs on it has left the node.
   * @param incarnation The memory that begins if this one is lost.
   * @throws {UserError} if what is left is damaged.
   */
  powerCut(random: Random, isUnderWay: boolean, incarnation: number): RealDisk {
    this.#directory.abandon();
    this.#isCut = true;
    const { synchronous } = this.#options;
    const left = synchronous
      ? leftOf(this.#before, this.#after, isUnderWay, random)
      : torn(this.#synced, this.#after, random);
    Deno.writeFileSync(this.#file, left);
    const boot = this.#options.boot + 1;
    return RealDisk.open({ ...this.#options, boot, incarnation });
  }

  /** Lets go of the database. */
  release(): void {
    if (!this.#isCut) this.#directory.abandon();
  }

  get #file(): string {
    return `${this.#directory.path}/data.mdb`;
  }

  #read(): Uint8Array {
    return Deno.readFileSync(this.#file);
  }
}

/** What a synchronous commit leaves that led from one content of the file to the other. */
function leftOf(
  before: Uint8Array,
  after: Uint8Array,
  isUnderWay: boolean,
  random: Random,
): Uint8Array {
  const left = isUnderWay ? torn(before, after, random) : after.slice();
  const view = new DataView(after.buffer);
  const [a, b] = [0, PAGE_BYTES].map((at) =>
    view.getBigUint64(at + TRANSACTION, true)
  );
  const other = a > b ? PAGE_BYTES : 0;
  if (isUnderWay || random.chance(0.5)) {
    left.set(before.subarray(other, other + PAGE_BYTES), other);
  }
  return left;
}

/**
 * The file of which some sectors were written, and others not yet: of one page in four none, and of one all. It
 * may also not have grown yet.
 */
function torn(
  before: Uint8Array,
  after: Uint8Array,
  random: Random,
): Uint8Array {
  const left = after.slice();
  for (let page = 0; page < after.length; page += PAGE_BYTES) {
    const isOld = [0, 0.5, 0.5, 1][random.between(0, 3)];
    for (let at = page; at < page + PAGE_BYTES; at += SECTOR_BYTES) {
      if (!random.chance(isOld)) continue;
      // Where nothing was written, a file that has grown holds zeros.
      left.fill(0, at, at + SECTOR_BYTES);
      left.set(before.subarray(at, at + SECTOR_BYTES), at);
    }
  }
  return random.chance(0.2) ? left.subarray(0, before.length) : left;
}
