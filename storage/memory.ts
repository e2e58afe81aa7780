/** Storage that lives and dies with the process: a record counts as durable as soon as it is taken. */
import type { Storage } from "./storage.ts";

/** See `docs/operations.md` for what an acceptor without stable storage must not do after a restart. */
export class MemoryStorage implements Storage {
  readonly persistent = false;
  durable = 0;

  persist(last: number): void {
    this.durable = last;
  }

  close(): void {}
}
