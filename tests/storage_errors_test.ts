/** What a node says when it cannot have its storage; and that one without storage loads no database. */
import assert from "node:assert/strict";
import { LocalProcess } from "../roles/local_process.ts";
import { StorageDirectory } from "../storage/directory.ts";
import { KPAXOS } from "./process.ts";

const OPTIONS = {
  kind: "acceptor",
  id: 1,
  cluster: 1,
  bytesMax: 1 << 24,
  synchronous: true,
  trash: false,
  incarnation: 5,
};

/** Starts acceptor 1 with its storage in `path`, which must be refused, and returns what it says. */
function refusal(path: string, ...more: string[]): string {
  const [program, ...first] = KPAXOS;
  const { code, stderr } = new Deno.Command(program, {
    args: [
      ...first,
      "acceptor",
      "--id=1",
      "--if=lo",
      "--nic=udp",
      // So that one that is not refused ends all the same.
      "--lifetime=1",
      "--storage-backend=lmdb",
      `--lmdb-env-path=${path}`,
      ...more,
    ],
  }).outputSync();
  const text = new TextDecoder().decode(stderr);
  assert.equal(code, 3, text);
  return text;
}

function withPath(test: (path: string) => void): void {
  const path = Deno.makeTempDirSync();
  try {
    test(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

Deno.test("a second process is refused with the number of the first", () => {
  withPath((path) => {
    const directory = StorageDirectory.open({ ...OPTIONS, path });
    assert.match(
      refusal(path),
      new RegExp(
        `^kpaxos: ${path}/acceptor-1 is in use by process ${Deno.pid}: end that first`,
      ),
    );
    directory.close();
  });
});

Deno.test("another cluster's storage is refused, and so is a folder that cannot be made", () => {
  withPath((path) => {
    StorageDirectory.open({ ...OPTIONS, path }).close();
    assert.match(
      refusal(path, "--cluster=2"),
      /^kpaxos: .*acceptor-1 holds what acceptor 1 of cluster 1 stored, and this is acceptor 1 of cluster 2: give/,
    );
    Deno.writeTextFileSync(`${path}/file`, "");
    assert.match(
      refusal(`${path}/file/deeper`),
      /^kpaxos: cannot make or write .*file\/deeper\/acceptor-1: .*make the folder for this user, or choose another/,
    );
  });
});

Deno.test("damaged storage is refused with what to do, and stays as it is", () => {
  withPath((path) => {
    StorageDirectory.open({ ...OPTIONS, path }).close();
    const file = `${path}/acceptor-1/data.mdb`;
    const whole = Deno.readFileSync(file);
    Deno.truncateSync(file, whole.length / 2);
    const text = refusal(path);
    assert.match(text, /^kpaxos: the storage in .*acceptor-1 is damaged: /);
    assert.match(text, /Move .*acceptor-1 away and start again/);
    assert.deepEqual(
      Deno.readFileSync(file),
      whole.subarray(0, whole.length / 2),
    );
  });
});

Deno.test("LMDB is loaded where storage is asked for, and nowhere else", async () => {
  const path = Deno.makeTempDirSync();
  try {
    for (const backend of ["memory", "lmdb"]) {
      const node = new LocalProcess({
        name: backend,
        argv: [
          ...KPAXOS,
          "acceptor",
          "--id=1",
          "--if=lo",
          "--nic=udp",
          `--storage-backend=${backend}`,
          ...backend === "lmdb" ? [`--lmdb-env-path=${path}`] : [],
        ],
      });
      assert.ok(await node.errors.find(/ running /), backend);
      const maps = Deno.readTextFileSync(`/proc/${node.pid}/maps`);
      assert.match(maps, /libkpnic/);
      assert.equal(/liblmdb/.test(maps), backend === "lmdb", backend);
      assert.equal((await node.leave(20_000)).code, 0);
    }
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
