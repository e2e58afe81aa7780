/** A short run of torture: real processes with storage, killed, frozen, cut off and without room. Times are not judged. */
import assert from "node:assert/strict";
import { inNamespaces } from "./process.ts";

const SECONDS = 20;
const SEED = 1;

Deno.test({
  name:
    `${SECONDS} seconds of everything at once lose nothing that was acknowledged, and registers stay linearizable`,
  ...inNamespaces,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "kpaxos-torture-" });
    // As in scripts/torture: what it mounts, starts and names ends with it.
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-nmpf", "--mount-proc", "--kill-child", "sh", "-c"],
        ...['mount -t tmpfs none /run && exec "$@"', "torture"],
        ...[Deno.execPath(), "run", "--allow-all", "--no-check"],
        ...["tests/torture/command.ts", "--seconds", `${SECONDS}`],
        ...["--seed", `${SEED}`, "--folder", folder, "--json"],
      ],
    }).output();
    const said = new TextDecoder().decode(stderr);
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", said);
    const { broken, figures } = JSON.parse(text);
    assert.deepEqual(broken, [], `${said}\nlogs: ${folder}`);
    assert(figures.acknowledged.values > 0 && figures.registers.operations > 0);
    await Deno.remove(folder, { recursive: true });
  },
});
