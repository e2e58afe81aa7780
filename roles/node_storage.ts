/** A node's storage on LMDB from its opening to its recovery; loaded only where there is one. */
import type { Core } from "../core/core.ts";
import { StorageDirectory } from "../storage/directory.ts";
import { LmdbStorage } from "../storage/lmdb_storage.ts";
import { recover, type Recovered } from "../storage/recovery.ts";
import { StorageError } from "../storage/storage.ts";
import { Table } from "../storage/store.ts";
import { StateKey } from "../storage/tables.ts";
import { EXIT, UserError } from "./errors.ts";
import type { Entry } from "./events.ts";
import type { NodeOptions, StorageOptions } from "./options.ts";

/** Storage that is open and not yet read. */
export class NodeStorage {
  readonly #directory: StorageDirectory;
  readonly #options: NodeOptions;
  readonly #storage: StorageOptions;
  readonly #log: (entry: Entry) => void;
  #checkpoint: number | undefined;

  /**
   * @param incarnation Of this process.
   * @throws {UserError} as `StorageDirectory.open` does.
   */
  constructor(
    options: NodeOptions & { readonly storage: StorageOptions },
    incarnation: number,
    log: (entry: Entry) => void,
  ) {
    const { kind, id, configuration, storage } = options;
    this.#options = options;
    this.#storage = storage;
    this.#log = log;
    this.#directory = StorageDirectory.open({
      ...storage,
      kind,
      id,
      cluster: configuration.cluster,
      incarnation,
      // Pages are filled to a half at least.
      tailBytes: 2 * configuration.acceptorLogBytes,
    });
    const { warning, note } = this.#directory;
    if (warning !== undefined) {
      log({ level: "warn", message: warning, fields: {} });
    }
    if (note !== undefined) log({ level: "info", message: note, fields: {} });
  }

  get path(): string {
    return this.#directory.path;
  }

  /** The incarnation in which the node's memory began. */
  get memory(): number {
    return this.#directory.stamp.memory;
  }

  /**
   * Where the learner begins, of which its consumer must be told: also an empty directory may have taken
   * the place of one from which values were delivered. Once `recover` has run.
   *
   * @param from Where it begins if it has no checkpoint; 0n: where the others are.
   * @returns 0 if it begins where the others are.
   */
  beginsAt(from: bigint): number {
    return this.#checkpoint ?? Number(from);
  }

  /** An earlier memory was lost, and the node has not begun to rejoin since. */
  get forgot(): boolean {
    const { stamp, store } = this.#directory;
    return stamp.forgot &&
      store.get(Table.state, StateKey.confirmed) === undefined &&
      store.get(Table.state, StateKey.rejoin) === undefined;
  }

  /**
   * Hands the core what was stored, and takes what it appends from now on.
   *
   * @throws {UserError} with exit code 3 if what was stored is damaged.
   */
  recover(core: Core): LmdbStorage {
    const { path, store } = this.#directory;
    const { acceptorLogBytes } = this.#options.configuration;
    const begin_ms = performance.now();
    let recovered: Recovered;
    try {
      recovered = recover(store, core, {
        name: path,
        logBytes: acceptorLogBytes,
      });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const reason = error instanceof StorageError
        ? error.message
        : `cannot go on with what is in ${path}: ${error.message}`;
      throw new UserError(reason, EXIT.environment, { cause: error });
    }
    this.#checkpoint = recovered.checkpoint;
    this.#tell(recovered, (performance.now() - begin_ms) / 1000);
    return new LmdbStorage({
      directory: this.#directory,
      journal: core.journal,
      syncPeriod_ms: this.#storage.syncPeriod_ms,
      low: recovered.low,
      onFailure: (message) =>
        this.#log({ level: "error", message, fields: {} }),
    });
  }

  #tell(recovered: Recovered, seconds: number): void {
    const { lowest, instances, from, to, checkpoint } = recovered;
    const fields: Entry["fields"] = {
      dir: this.#directory.path,
      stored_from: lowest,
      instances,
    };
    if (instances > 0) Object.assign(fields, { from, to: to - 1 });
    if (checkpoint !== undefined) fields.delivered = checkpoint;
    fields.mb = Math.ceil(this.#directory.store.bytes / 1e6);
    fields.seconds = Number(seconds.toFixed(3));
    this.#log({ level: "info", message: "recovered from storage", fields });
  }
}
