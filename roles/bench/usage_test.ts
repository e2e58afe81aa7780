import assert from "node:assert/strict";
import { readMemory, readTraffic, readUsage } from "./usage.ts";

Deno.test("readUsage() tells of this process, and of none that is not there", () => {
  const usage = readUsage(Deno.pid)!;
  assert(usage.user_s + usage.system_s > 0);
  assert(usage.switches > 0);
  assert(usage.running_s > 0);
  assert(usage.ownBytes > 1 << 20);
  // Its code is in files, so there is more than what is its own.
  assert(usage.rssBytes > usage.ownBytes);
  // The kernel's own limit of process ids.
  assert.equal(readUsage(1 << 22), undefined);
  assert.equal(readMemory(1 << 22), undefined);
});

Deno.test("readTraffic() adds up what the interfaces sent, without loopback", () => {
  const file = Deno.makeTempFileSync();
  Deno.writeTextFileSync(
    file,
    `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    7000      70    0    0    0     0          0         0     3000      30    0    0    0     0       0          0
  eth1:12345678 9999999    0    0    0     0          0         0       14       2    0    0    0     0       0          0
`,
  );
  assert.deepEqual(readTraffic(file), { frames: 32, bytes: 3014 });
  Deno.removeSync(file);
});
