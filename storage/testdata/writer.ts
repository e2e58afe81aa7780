/**
 * A process that accepts one instance after another and says which are durable, until it is killed; with
 * a second argument, until its disk is full, and then until there is room again.
 */
import { StorageCondition } from "../../core/layout.ts";
import { Rig } from "./rig.ts";

const [path, mode] = Deno.args;
const rig = new Rig(path, { synchronous: mode !== "async" });
const ballast = `${path}/ballast`;
if (mode === "full") {
  Deno.writeFileSync(ballast, new Uint8Array(1 << 20));
  await fillUp();
  rig.close();
  Deno.exit(0);
}
for (let next = 1;; next += 10) {
  rig.accept(next, next + 9);
  await rig.stored();
  console.log(next + 9);
}

async function fillUp(): Promise<void> {
  const { storage } = rig;
  let next = 1;
  const condition = (): StorageCondition => storage.condition;
  while (condition() === StorageCondition.sound) {
    rig.accept(next, next + 9);
    next += 10;
    await rig.until(() =>
      storage.durable === rig.journal.last ||
      storage.condition !== StorageCondition.sound
    );
  }
  console.log(`full: ${StorageCondition[storage.condition]}`);
  console.log(`durable: ${storage.durable} of ${rig.journal.last}`);
  Deno.removeSync(ballast);
  await rig.until(() =>
    rig.told.length === 2 || storage.condition === StorageCondition.failed
  );
  if (condition() === StorageCondition.sound) await rig.stored();
  rig.told.forEach((line) => console.log(line));
  console.log(`then: ${StorageCondition[storage.condition]}`);
  console.log(`durable: ${storage.durable} of ${rig.journal.last}`);
}
