import assert from "node:assert/strict";
import manifest from "../deno.json" with { type: "json" };
import { EXIT } from "./errors.ts";
import { main } from "./main.ts";

/** Runs a command; what it printed and its exit code. */
async function run(...args: string[]) {
  const printed = { out: "", err: "" };
  const code = await main(args, {
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
  });
  return { code, ...printed };
}

Deno.test("kpaxos alone prints help on standard error and exits 2", async () => {
  const { code, out, err } = await run();
  assert.equal(code, EXIT.usage);
  assert.equal(out, "");
  assert.match(err, /^kpaxos: Multi-Paxos/);
});

Deno.test("help that was asked for is on standard output and exits 0", async () => {
  for (
    const args of [["help"], ["-h"], ["help", "client"], ["client", "--help"]]
  ) {
    const { code, out, err } = await run(...args);
    assert.equal(code, EXIT.done);
    assert.match(out, /Usage: kpaxos /);
    assert.equal(err, "");
  }
});

Deno.test("what the user can mend is one line without a stack, and exits 2", async () => {
  assert.deepEqual(await run("client", "--outstandign", "3"), {
    code: EXIT.usage,
    out: "",
    err:
      "kpaxos: unknown option --outstandign for client; did you mean --outstanding? (see 'kpaxos client --help')\n",
  });
  const noFile = await run("replica", "--id", "1", "--conf", "/nonexistent");
  assert.equal(noFile.code, EXIT.usage);
  assert.match(noFile.err, /^kpaxos: \/nonexistent: no such file.*\n$/);
});

Deno.test("each error of a configuration is a line of its own", async () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "replica 1\nfoo\ncluster 0\n");
    const { code, err } = await run("replica", "--id", "1", "--conf", path);
    assert.equal(code, EXIT.usage);
    assert.deepEqual(
      err.split("\n").map((it) => it.slice(0, `kpaxos: ${path}:2:`.length)),
      [`kpaxos: ${path}:2:`, `kpaxos: ${path}:3:`, ""],
    );
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("anything else is a bug, with a stack, and exits 1", async () => {
  let err = "";
  const code = await main(["version"], {
    out: () => {
      throw new RangeError("out of luck");
    },
    err: (text) => {
      err += text;
    },
  });
  assert.equal(code, EXIT.failed);
  assert.match(err, /^kpaxos: this is a bug.*\nRangeError: out of luck\n +at /);
});

Deno.test("a reader that has gone is no bug", async () => {
  let err = "";
  const code = await main(["help"], {
    out: () => {
      throw new Deno.errors.BrokenPipe("broken");
    },
    err: (text) => {
      err += text;
    },
  });
  assert.equal(code, EXIT.failed);
  assert.equal(err, "");
});

Deno.test("version names kpaxos, the wire format and the runtime", async () => {
  const text = await run("version");
  assert.equal(text.code, EXIT.done);
  assert.match(
    text.out,
    new RegExp(`^kpaxos ${manifest.version} \\(wire format 1, Deno `),
  );
  assert.deepEqual(JSON.parse((await run("version", "--json")).out), {
    kpaxos: manifest.version,
    wire: 1,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  });
});

Deno.test("completions are printed for the shell that was named", async () => {
  assert.match((await run("completions", "zsh")).out, /^#compdef kpaxos/);
});

Deno.test("check prints its verdict and exits as it says", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const line = '{"instance":1,"index":0,"client":1,"seq":1,"value":"a"}\n';
    Deno.writeTextFileSync(`${folder}/proposed`, "a\nb\n");
    Deno.writeTextFileSync(`${folder}/good`, line);
    Deno.writeTextFileSync(`${folder}/bad`, line.replace('"a"', '"x"'));
    const check = (file: string, ...more: string[]) =>
      run(
        "check",
        "--proposed",
        `${folder}/proposed`,
        "--learned",
        `${folder}/${file}`,
        ...more,
      );
    const good = await check("good");
    assert.equal(good.code, EXIT.done);
    assert.equal(
      good.out,
      "agreement ok, integrity ok, no duplicates, 50% terminated\n",
    );
    assert.equal(
      (await check("good", "--require-termination")).code,
      EXIT.failed,
    );
    const bad = await check("bad");
    assert.equal(bad.code, EXIT.failed);
    assert.match(bad.out, /integrity VIOLATED/);
    assert.match(bad.err, /bad:1: integrity: "x"/);
    assert.equal(JSON.parse((await check("bad", "--json")).out).ok, false);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
