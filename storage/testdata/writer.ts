/**
 * A process that accepts one instance after another and says which are durable, until it is killed. Or,
 * with "full", until its disk is full, and then until there is room again; with "broken", until its disk
 * fails it.
 */
import { StorageCondition } from "../../core/layout.ts";
import { Rig } from "./rig.ts";

const [path, mode] = Deno.args;
const rig = new Rig(path, { synchronous: mode !== "async" });
const condition = (): StorageCondition => rig.storage.condition;
const ballast = `${path}/ballast`;
if (mode === "full") {
  Deno.writeFileSync(ballast, new Uint8Array(1 << 20));
  await fillUp();
  rig.close();
  Deno.exit(0);
}
if (mode === "broken") {
  await acceptUntilStopped();
  rig.accept(1, 10);
  await rig.until(() => rig.told.length === 1);
  rig.told.forEach((line) => console.log(line));
  rig.close();
  console.log(`durable: ${rig.storage.durable} of ${rig.journal.last}`);
  Deno.exit(0);
}
for (let next = 1;; next += 10) {
  rig.accept(next, next + 9);
  await rig.stored();
  console.log(next + 9);
}

async function acceptUntilStopped(): Promise<void> {
  const { storage } = rig;
  let next = 1;
  while (condition() === StorageCondition.sound) {
    rig.accept(next, next + 9);
    next += 10;
    await rig.until(() =>
      storage.durable === rig.journal.last ||
      condition() !== StorageCondition.sound
    );
  }
  console.log(`condition: ${StorageCondition[condition()]}`);
  console.log(`durable: ${storage.durable} of ${rig.journal.last}`);
}

async function fillUp(): Promise<void> {
  const { storage } = rig;
  await acceptUntilStopped();
  Deno.removeSync(ballast);
  await rig.until(() =>
    rig.told.length === 2 || condition() === StorageCondition.failed
  );
  if (condition() === StorageCondition.sound) await rig.stored();
  rig.told.forEach((line) => console.log(line));
  console.log(`condition: ${StorageCondition[condition()]}`);
  console.log(`durable: ${storage.durable} of ${rig.journal.last}`);
}
