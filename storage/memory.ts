/** Storage that lives and dies with the process: a record counts as durable as soon as it is taken. */
import { StorageCondition } from "../core/layout.ts";
import type { Records, Storage } from "./storage.ts";

/** See `docs/operations.md` for what an acceptor without stable storage must not do after a restart. */
export class MemoryStorage implements Storage {
  readonly persistent = false;
  readonly condition = StorageCondition.sound;
  readonly low = 1;
  durable = 0;

  persist(records: Records): void {
    this.durable = records.lastRecord;
  }

  read(): void {}

  close(): void {}
}
