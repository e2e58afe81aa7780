/** A node's storage on LMDB with its thread, and a journal in place of the core. */
import { Record as RecordKind } from "../../core/layout.ts";
import { type DirectoryOptions, StorageDirectory } from "../directory.ts";
import { LmdbStorage } from "../lmdb_storage.ts";
import { TestJournal } from "../testing.ts";

export class Rig {
  readonly storage: LmdbStorage;
  readonly journal: TestJournal = new TestJournal();
  /** What the storage thread said. */
  readonly told: string[] = [];
  trimLimit = 0;
  readonly #worker: Worker;

  constructor(path: string, options: Partial<DirectoryOptions> = {}) {
    this.storage = new LmdbStorage({
      directory: StorageDirectory.open({
        path,
        kind: "acceptor",
        id: 1,
        cluster: 1,
        bytesMax: 1 << 26,
        synchronous: true,
        trash: false,
        incarnation: 1,
        ...options,
      }),
      journal: this.journal,
      syncPeriod_ms: 1,
      low: 1,
      onFailure: (message) => this.told.push(`error: ${message}`),
    });
    const url = new URL("./storage_worker.ts", import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<string>) => {
      this.told.push(data);
    };
    this.#worker.postMessage(this.storage.start(-1));
  }

  /** Instances from `first` to `last` are accepted, each with 1,000 bytes. */
  accept(first: number, last: number): void {
    for (let instance = first; instance <= last; instance++) {
      this.journal.append(
        RecordKind.accept,
        { instance, ballot: 0x10001, incarnation: 7 },
        `${instance}`.padEnd(1000),
      );
    }
    this.persist();
  }

  /** All below are decided, and may be removed. */
  decide(instance: number): void {
    this.journal.append(RecordKind.decided, { instance });
    this.trimLimit = instance;
    this.persist();
  }

  persist(): void {
    this.storage.persist({
      lastRecord: this.journal.last,
      recordCount: 0,
      record: () => {
        throw new Error("Storage takes records from the journal");
      },
      trimLimit: this.trimLimit,
    });
  }

  /** Waits, as long as it takes, until something is so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async stored(): Promise<void> {
    await this.until(() => this.storage.durable === this.journal.last);
  }

  close(): void {
    this.storage.close();
    this.#worker.terminate();
  }
}
