/**
 * The one-file program, however it was made: `KPAXOS_BIN`, or ./kpaxos of this tree.
 * Tests of the launcher's cache are left out for a file made by `deno compile`, which has none.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";

const binary = Deno.env.get("KPAXOS_BIN") ??
  fileURLToPath(new URL("../kpaxos", import.meta.url));
const trailerBytes = 512;
const isLauncher = readTrailer().startsWith("kpaxos-launcher ");

function readTrailer(): string {
  using file = Deno.openSync(binary);
  file.seekSync(-trailerBytes, Deno.SeekMode.End);
  const trailer = new Uint8Array(trailerBytes);
  file.readSync(trailer);
  return new TextDecoder().decode(trailer);
}

interface Options {
  program?: string;
  env?: Record<string, string>;
  cwd?: string;
}

/** Runs `program` with nothing in its environment but `env`; resolves when it ended. */
async function run(args: string[], options: Options = {}) {
  const output = await new Deno.Command(options.program ?? binary, {
    args,
    cwd: options.cwd,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", NO_COLOR: "1", ...options.env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    signal: output.signal,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

async function assertStarts(args: string[], options: Options = {}) {
  const result = await run([...args, "version"], options);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /\d+\.\d+\.\d+/);
  assert.equal(result.stderr, "");
}

/** Calls `body` with a new folder that is removed afterwards. */
async function inFolder(body: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "kpaxos-binary-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The unpacked runtimes below a cache folder. */
function runtimesIn(cache: string): string[] {
  return [...Deno.readDirSync(`${cache}/kpaxos`)].map((entry) =>
    `${cache}/kpaxos/${entry.name}/kpaxos`
  );
}

/** Starts a replica that stays, and resolves once it has logged something. */
async function startReplica(
  env: Record<string, string>,
  program = binary,
  args: string[] = [],
) {
  const child = new Deno.Command(program, {
    args: [...args, "replica", "--id", "1", "--if", "lo", "--nic", "udp"],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  const first = await reader.read();
  assert.ok(!first.done, "the replica ended without a word");
  const drained = (async () => {
    let text = new TextDecoder().decode(first.value);
    for (
      let part = await reader.read();
      !part.done;
      part = await reader.read()
    ) {
      text += new TextDecoder().decode(part.value);
    }
    return text;
  })();
  return { child, drained };
}

Deno.test("the binary prints its version", async () => {
  await assertStarts([]);
});

Deno.test("the binary answers --help itself", async () => {
  const { code, stdout } = await run(["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /kpaxos/);
  assert.doesNotMatch(stdout, /deno/i);
});

Deno.test("the binary hands arguments and exit codes through untouched", async () => {
  const { code, stderr } = await run(["no such 'command' ü"]);
  assert.equal(code, 2);
  assert.ok(stderr.includes("no such 'command' ü"), stderr);
});

Deno.test("the binary exits 3 when the interface does not exist", async () => {
  const { code, stderr } = await run([
    "replica",
    "--id",
    "1",
    "--if",
    "nosuch0",
  ]);
  assert.equal(code, 3, stderr);
});

Deno.test("the binary ignores the folder it is started in", async () => {
  await inFolder(async (folder) => {
    for (const name of ["deno.json", "deno.lock", "package.json", ".npmrc"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "{ broken");
    }
    await assertStarts([], { cwd: folder });
  });
});

Deno.test("the binary starts through a symbolic link", async () => {
  await inFolder(async (folder) => {
    await Deno.symlink(binary, `${folder}/other-name`);
    await assertStarts([], { program: `${folder}/other-name` });
  });
});

Deno.test("the binary starts without HOME and without a folder to write", async () => {
  // A user without an entry in the user namespace owns no folder anywhere.
  await assertStarts(["--user", "--", binary], { program: "unshare" });
});

Deno.test("SIGINT and SIGTERM reach the program", async () => {
  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 0]] as const) {
    const { child, drained } = await startReplica({});
    child.kill(signal);
    const status = await child.status;
    assert.equal(
      status.signal,
      null,
      `${signal} was not handled: ${await drained}`,
    );
    assert.equal(status.code, expected, `${signal}: ${await drained}`);
    await drained;
  }
});

Deno.test("eight first starts at once all work", async () => {
  await inFolder(async (cache) => {
    const env = { XDG_CACHE_HOME: cache };
    await Promise.all(
      Array.from({ length: 8 }, () => assertStarts([], { env })),
    );
    if (!isLauncher) return;
    const [runtime, ...others] = runtimesIn(cache);
    assert.equal(others.length, 0);
    const left = [...Deno.readDirSync(runtime.replace(/\/kpaxos$/, ""))];
    assert.deepEqual(left.map((entry) => entry.name).sort(), [
      "checked",
      "compiled",
      "kpaxos",
    ]);
  });
});

/** Tests of how the launcher keeps the unpacked runtime. */
function launcherTest(name: string, body: (cache: string) => Promise<void>) {
  Deno.test({ name, ignore: !isLauncher, fn: () => inFolder(body) });
}

launcherTest(
  "the launcher unpacks once and leaves nothing else behind",
  async (cache) => {
    const env = { XDG_CACHE_HOME: cache, HOME: `${cache}/home` };
    await Deno.mkdir(env.HOME);
    await assertStarts([], { env });
    const [runtime] = runtimesIn(cache);
    const before = await Deno.stat(runtime);
    assert.equal((before.mode ?? 0) & 0o077, 0);
    await assertStarts([], { env });
    assert.equal((await Deno.stat(runtime)).ino, before.ino);
    assert.deepEqual([...Deno.readDirSync(env.HOME)], []);
  },
);

launcherTest(
  "a running program is called kpaxos and runs from the cache",
  async (cache) => {
    const { child, drained } = await startReplica({ XDG_CACHE_HOME: cache });
    try {
      assert.equal(
        await Deno.readTextFile(`/proc/${child.pid}/comm`),
        "kpaxos\n",
      );
      assert.equal(
        await Deno.readLink(`/proc/${child.pid}/exe`),
        runtimesIn(cache)[0],
      );
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await drained;
    }
  },
);

const damages: [string, (runtime: string) => Promise<void>][] = [
  ["cut short", (runtime) => Deno.truncate(runtime, 4096)],
  ["empty", (runtime) => Deno.truncate(runtime, 0)],
  ["altered in one byte, its time of change set back", async (runtime) => {
    const { atime, mtime } = await Deno.stat(runtime);
    using file = await Deno.open(runtime, { read: true, write: true });
    const byte = new Uint8Array(1);
    await file.seek(50_000_000, Deno.SeekMode.Start);
    await file.read(byte);
    byte[0] ^= 1;
    await file.seek(50_000_000, Deno.SeekMode.Start);
    await file.write(byte);
    await file.utime(atime ?? 0, mtime ?? 0);
  }],
  ["writable by others", (runtime) => Deno.chmod(runtime, 0o722)],
  ["a symbolic link to another program", async (runtime) => {
    await Deno.remove(runtime);
    await Deno.symlink("/bin/false", runtime);
  }],
  ["gone", (runtime) => Deno.remove(runtime)],
];

for (const [damage, inflict] of damages) {
  launcherTest(
    `a cached runtime that is ${damage} is replaced`,
    async (cache) => {
      const env = { XDG_CACHE_HOME: cache };
      await assertStarts([], { env });
      const [runtime] = runtimesIn(cache);
      const original = await Deno.readFile(runtime);
      await inflict(runtime);
      await assertStarts([], { env });
      const file = await Deno.lstat(runtime);
      assert.ok(file.isFile);
      assert.equal((file.mode ?? 0) & 0o077, 0);
      assert.equal(Buffer.compare(original, await Deno.readFile(runtime)), 0);
    },
  );
}

launcherTest(
  "what is kept of the compiled program may be damaged, or its folder open to others",
  async (cache) => {
    const env = { XDG_CACHE_HOME: cache };
    await assertStarts([], { env });
    const compiled = runtimesIn(cache)[0].replace(/kpaxos$/, "compiled");
    const kept = [...Deno.readDirSync(compiled)].filter((it) => it.isFile);
    assert.notEqual(kept.length, 0);
    for (const { name } of kept) {
      await Deno.writeTextFile(`${compiled}/${name}`, "no database");
    }
    await assertStarts([], { env });
    await Deno.chmod(compiled, 0o777);
    await Deno.writeTextFile(`${compiled}/v8_code_cache_v2`, "planted");
    await assertStarts([], { env });
    // It was not even opened: else it would have been made anew.
    assert.equal(
      await Deno.readTextFile(`${compiled}/v8_code_cache_v2`),
      "planted",
    );
  },
);

launcherTest(
  "a left-over of an interrupted unpacking is removed",
  async (cache) => {
    const env = { XDG_CACHE_HOME: cache };
    await assertStarts([], { env });
    const [runtime] = runtimesIn(cache);
    await Deno.rename(runtime, runtime.replace(/kpaxos$/, "unpacking"));
    await assertStarts([], { env });
    await assert.rejects(
      Deno.lstat(runtime.replace(/kpaxos$/, "unpacking")),
      Deno.errors.NotFound,
    );
  },
);

launcherTest(
  "a cache folder that others can write is not used",
  async (cache) => {
    const env = { XDG_CACHE_HOME: cache };
    await assertStarts([], { env });
    const [runtime] = runtimesIn(cache);
    // Others could have put this there; if the folder were trusted, it would be unpacked over.
    await Deno.remove(runtime);
    await Deno.writeTextFile(runtime, "#!/bin/sh\necho planted\n", {
      mode: 0o755,
    });
    await Deno.chmod(`${cache}/kpaxos`, 0o777);
    await assertStarts([], { env });
    assert.match(await Deno.readTextFile(runtime), /planted/);
  },
);

launcherTest("a damaged binary says so and exits 3", async (folder) => {
  const copy = `${folder}/copy`;
  const size = (await Deno.stat(binary)).size;
  await Deno.copyFile(binary, copy);
  {
    using file = await Deno.open(copy, { write: true });
    await file.seek(size - trailerBytes - 1, Deno.SeekMode.Start);
    await file.write(new Uint8Array([0]));
  }
  const altered = await run(["version"], { program: copy });
  await Deno.truncate(copy, size - 1);
  const cutShort = await run(["version"], { program: copy });
  for (const { code, stderr } of [altered, cutShort]) {
    assert.equal(code, 3);
    assert.match(stderr, /^kpaxos: .*copy is damaged: .*Copy the file again/);
  }
});
