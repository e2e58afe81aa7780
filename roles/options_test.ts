import assert from "node:assert/strict";
import { parseCommandLine } from "./arguments.ts";
import { EXIT, UserError } from "./errors.ts";
import { describeLayout } from "./bench/matrix.ts";
import {
  benchOptions,
  demoOptions,
  type NodeKind,
  type NodeOptions,
  nodeOptions,
  statusOptions,
} from "./options.ts";

/** The options that a line asks for; CONF in it stands for a file with the text `conf`. */
function options(line: string, conf = ""): NodeOptions {
  const path = Deno.makeTempFileSync({ suffix: ".conf" });
  try {
    Deno.writeTextFileSync(path, conf);
    const request = parseCommandLine(line.replace("CONF", path).split(" "));
    assert.equal(request.kind, "command");
    const { command, values } = request as Extract<
      typeof request,
      { kind: "command" }
    >;
    return nodeOptions(command as NodeKind, values);
  } finally {
    Deno.removeSync(path);
  }
}

function refusal(line: string, conf = ""): string {
  try {
    options(line, conf);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, EXIT.usage);
    return error.message;
  }
  throw new assert.AssertionError({ message: `${line} is accepted` });
}

Deno.test("without a file every role of the default configuration can be started", () => {
  for (const kind of ["replica", "acceptor", "proposer", "learner"]) {
    for (const id of [1, 2, 3]) {
      const { configuration, ...rest } = options(`${kind} --id ${id}`);
      assert.equal(configuration.acceptors.length, 3);
      assert.equal(rest.kind, kind);
      assert.equal(rest.id, id);
      assert.equal(rest.nic, "af_packet");
      assert.equal(rest.verbosity, "info");
      assert.equal(rest.logFormat, "text");
      assert.equal(rest.interfaceName, undefined);
      assert.equal(rest.loss, 0);
    }
  }
  assert.equal(options("client").id, 0);
});

Deno.test("learners and clients need not be in the configuration", () => {
  assert.equal(options("learner --id 99").id, 99);
  assert.equal(options("client --id 99").id, 99);
});

Deno.test("an acceptor, proposer or replica that is not in the configuration is refused with those that are", () => {
  assert.match(
    refusal("acceptor --id 7"),
    /^--id 7 is no acceptor of the default configuration, which has acceptors 1, 2, 3;/,
  );
  const conf = "acceptor 1\nacceptor 2\nacceptor 3\nproposer 9\n";
  assert.match(
    refusal("proposer --id 1 --conf CONF", conf),
    /no proposer of .*, which has proposer 9;/,
  );
  assert.match(refusal("replica --id 1 --conf CONF", conf), /no proposer of/);
  assert.match(refusal("replica --id 9 --conf CONF", conf), /no acceptor of/);
  assert.equal(options("proposer --id 9 --conf CONF", conf).id, 9);
});

Deno.test("the command line overrides the file", () => {
  const conf =
    "cluster 5\nleader 2\nverbosity error\nbatching yes\nbusy-poll no\nudp-port 7500\nudp-group 239.1.1.1\n";
  const file = options("replica --id 1 --conf CONF --nic udp", conf);
  assert.equal(file.configuration.cluster, 5);
  assert.equal(file.configuration.leader, 2);
  assert.equal(file.verbosity, "error");
  assert.equal(file.configuration.batching, true);
  assert.equal(file.configuration.busyPoll, "no");
  assert.deepEqual(file.udp, { group: { address: "239.1.1.1", port: 7500 } });
  const line = options(
    "replica --id 1 --conf CONF --nic udp --cluster 6 --leader 3 --verbosity debug --batching no --busy-poll yes --udp-port 7600 --udp-group 239.2.2.2",
    conf,
  );
  assert.equal(line.configuration.cluster, 6);
  assert.equal(line.configuration.leader, 3);
  assert.equal(line.verbosity, "debug");
  assert.equal(line.configuration.batching, false);
  assert.equal(line.configuration.busyPoll, "yes");
  assert.deepEqual(line.udp, { group: { address: "239.2.2.2", port: 7600 } });
});

Deno.test("a leader and a client's proposer must be proposers", () => {
  assert.match(
    refusal("replica --id 1 --leader 4"),
    /--leader 4 is no proposer of .* proposers 1, 2, 3/,
  );
  assert.match(
    refusal("client --proposer-id 4"),
    /--proposer-id 4 is no proposer/,
  );
  assert.equal(options("client --proposer-id 3").client?.proposerId, 3);
});

Deno.test("every option of a client is passed on", () => {
  const { client, lifetime_s, seed, mtu } = options(
    "client --outstanding 128 --value-size 100 --clients 4 --warm-up 200ms --seconds 500ms --count 9 --json " +
      "--stats s --submitted v --acknowledged w --lifetime 1m --seed 7 --mtu 9000",
  );
  assert.deepEqual(client, {
    outstanding: 128,
    valueBytes: 100,
    clients: 4,
    warmUp_s: 0.2,
    seconds: 0.5,
    count: 9,
    proposerId: undefined,
    stdin: false,
    json: true,
    statsFile: "s",
    submittedFile: "v",
    acknowledgedFile: "w",
  });
  assert.equal(lifetime_s, 60);
  assert.equal(seed, 7n);
  assert.equal(mtu, 9000);
  assert.equal(options("client --stdin").client?.stdin, true);
  assert.match(
    refusal("client --acknowledged a --acknowledged b"),
    /--acknowledged is given 2 times; a client writes one file/,
  );
});

Deno.test("a learner delivers as NDJSON, a replica nothing unless it is told to", () => {
  assert.deepEqual(options("learner --id 1 --from 5 --socket /s").learner, {
    from: 5n,
    output: "ndjson",
    socket: "/s",
  });
  assert.deepEqual(options("replica --id 1 --output raw").learner, {
    from: undefined,
    output: "raw",
    socket: undefined,
  });
  assert.equal(options("acceptor --id 1").learner, undefined);
  assert.equal(options("client").learner, undefined);
});

Deno.test("with peers on the command line a member has the configured port, a client any", () => {
  const peers = "--nic udp --udp-peers 10.0.0.1:7400,10.0.0.2:7400";
  const expected = [
    { host: "10.0.0.1", port: 7400 },
    { host: "10.0.0.2", port: 7400 },
  ];
  const replica = options(`replica --id 1 ${peers}`).udp;
  assert.deepEqual(replica.peers, expected);
  assert.equal(replica.bind, 7400);
  assert.equal(
    options(`replica --id 1 ${peers} --udp-port 7401`).udp.bind,
    7401,
  );
  assert.equal(options(`client ${peers}`).udp.bind, undefined);
  assert.equal(options(`learner --id 1 ${peers}`).udp.bind, undefined);
});

Deno.test("addresses in the file are the peers, and a node's own is where it listens", () => {
  const conf =
    "replica 1 127.0.0.1 8801\nreplica 2 127.0.0.1 8802\nreplica 3 127.0.0.1 8803\n";
  const { udp, configuration } = options(
    "replica --id 2 --conf CONF --nic udp",
    conf,
  );
  assert.equal(udp.bind, 8802);
  assert.deepEqual(udp.peers?.map(({ port }) => port), [8801, 8802, 8803]);
  assert.deepEqual(configuration.warnings, []);
  assert.match(
    options("replica --id 2 --conf CONF", conf).configuration.warnings[0],
    /IP addresses are used with --nic udp only/,
  );
});

Deno.test("a replica that the file gives two addresses is refused, its roles one by one are not", () => {
  const conf = "acceptor 1 127.0.0.1 8801\nproposer 1 127.0.0.1 8802\n";
  assert.match(
    refusal("replica --id 1 --conf CONF --nic udp", conf),
    /gives replica 1 two addresses/,
  );
  assert.equal(
    options("acceptor --id 1 --conf CONF --nic udp", conf).udp.bind,
    8801,
  );
  assert.equal(
    options("proposer --id 1 --conf CONF --nic udp", conf).udp.bind,
    8802,
  );
});

Deno.test("the demo has three replicas, five seconds and 32 values in flight by default", () => {
  const request = parseCommandLine(["demo"]);
  assert.equal(request.kind, "command");
  const { values } = request as Extract<typeof request, { kind: "command" }>;
  assert.deepEqual(demoOptions(values), {
    replicas: 3,
    seconds: 5,
    outstanding: 32,
    keep: false,
    json: false,
  });
});

Deno.test("kpaxos status asks as a client, for a second unless told otherwise", () => {
  const parsed = (line: string) => {
    const request = parseCommandLine(line.split(" "));
    assert.equal(request.kind, "command");
    return statusOptions(
      (request as Extract<typeof request, { kind: "command" }>).values,
    );
  };
  const { node, wait_ms, json } = parsed("status --if eth0 --cluster 3");
  assert.equal(node.kind, "client");
  assert.equal(node.interfaceName, "eth0");
  assert.equal(node.nic, "af_packet");
  assert.equal(node.configuration.cluster, 3);
  assert.equal(wait_ms, 1000);
  assert.equal(json, false);
  const other = parsed("status --wait 250ms --json --nic udp --udp-port 7500");
  assert.equal(other.wait_ms, 250);
  assert.equal(other.json, true);
  assert.equal(other.node.nic, "udp");
  assert.equal(other.node.udp.group.port, 7500);
});

Deno.test("what a node stores, and how, stands in the file or on the command line", () => {
  const conf = "storage-backend lmdb\nlmdb-env-path /srv/a\nlmdb-sync no\n";
  const stored = {
    path: "/srv/a",
    synchronous: false,
    syncPeriod_ms: 100,
    bytesMax: 1 << 30,
    trash: false,
  };
  for (const kind of ["replica", "acceptor", "learner"]) {
    assert.equal(options(`${kind} --id 1`).storage, undefined);
    assert.deepEqual(
      options(`${kind} --id 1 --conf CONF`, conf).storage,
      stored,
    );
    assert.deepEqual(
      options(
        `${kind} --id 1 --storage-backend lmdb --lmdb-env-path /srv/a --lmdb-sync no`,
      ).storage,
      stored,
    );
    const over = options(
      `${kind} --id 1 --conf CONF --lmdb-sync yes --lmdb-mapsize 2gb --lmdb-sync-period 5ms --acceptor-trash-files yes`,
      conf,
    );
    assert.deepEqual(over.storage, {
      path: "/srv/a",
      synchronous: true,
      syncPeriod_ms: 5,
      bytesMax: 2 ** 31,
      trash: true,
    });
    const memory = `${kind} --id 1 --conf CONF --storage-backend memory`;
    assert.equal(options(memory, conf).storage, undefined);
  }
  assert.equal(options("proposer --id 1 --conf CONF", conf).storage, undefined);
  assert.equal(options("client --conf CONF", conf).storage, undefined);
});

Deno.test("a database that could not hold what waits for it is refused, with how large it must be", () => {
  const conf = "storage-backend lmdb\nlmdb-mapsize 159mb\n";
  assert.equal(
    refusal("replica --id 1 --conf CONF", conf),
    "lmdb-mapsize 159mb is too small: with acceptor-log-size 48mb expected 160mb or more, or a full database might never have room again",
  );
  assert.match(
    refusal("learner --id 9 --storage-backend lmdb --lmdb-mapsize 1mb"),
    /1mb is too small/,
  );
  const least = (line: string) =>
    options("acceptor --id 1 --conf CONF", `storage-backend lmdb\n${line}\n`);
  assert.equal(least("lmdb-mapsize 160mb").storage?.bytesMax, 160 << 20);
  least("acceptor-log-size 1mb\nlmdb-mapsize 66mb");
  // The journal grows no further, so that the default is always enough.
  least("acceptor-log-size 512mb");
  // What is not used need not be right.
  options("proposer --id 1 --conf CONF", conf);
  options("replica --id 1 --conf CONF --storage-backend memory", conf);
});

Deno.test("options of LMDB are warned about in a file, and refused on the command line, where there is no LMDB", () => {
  const conf = "lmdb-sync no\n";
  const { warnings } = options("replica --id 1 --conf CONF", conf)
    .configuration;
  assert.match(
    warnings[0],
    /:1: lmdb-sync has no effect with storage-backend memory/,
  );
  assert.deepEqual(
    options("replica --id 1 --conf CONF --storage-backend lmdb", conf)
      .configuration.warnings,
    [],
  );
  assert.match(
    refusal("replica --id 1 --lmdb-mapsize 2gb"),
    /--lmdb-mapsize means nothing .* add --storage-backend lmdb/,
  );
});

/** What `kpaxos bench` would be started with. */
function bench(line: string) {
  const request = parseCommandLine(["bench", ...line.split(" ").slice(1)]);
  assert(request.kind === "command");
  return benchOptions(request.values);
}

Deno.test("a bench measures little by default, more with --full, and what is named in any case", () => {
  const usual = bench("bench");
  assert.deepEqual([usual.seconds, usual.repeats], [1, 3]);
  assert.deepEqual(
    usual.trials.map(({ layout }) => describeLayout(layout)),
    ["memory", "lmdb-sync", "lmdb-async"].map((it) => `replicas, ${it}`),
  );
  for (const { loads } of usual.trials) {
    assert.deepEqual(
      loads,
      [1, 32, 128, 4096].map((outstanding) => ({
        ...{ outstanding, valueBytes: 64, clients: 1 },
      })),
    );
  }
  const named = bench(
    "bench --topology roles,single --storage lmdb-sync --outstanding 7,9 " +
      "--value-size 1kb --clients 2 --mtu 9000 --batching yes,no --busy-poll yes --repeats 2 --seconds 300ms",
  );
  assert.deepEqual([named.seconds, named.repeats], [0.3, 2]);
  assert.deepEqual(
    named.trials.map(({ layout }) => describeLayout(layout)),
    ["roles", "single"].flatMap((topology) =>
      ["", ", batching no"].map((it) =>
        `${topology}, lmdb-sync, MTU 9000${it}, busy-poll yes`
      )
    ),
  );
  assert.deepEqual(
    named.trials[0].loads,
    [7, 9].map((outstanding) => ({
      ...{ outstanding, valueBytes: 1024, clients: 2 },
    })),
  );
  assert.equal(bench("bench").long, undefined);
  assert.deepEqual(bench("bench --long 2m").long, {
    seconds: 120,
    count: undefined,
  });
});

Deno.test("of the full table a bench keeps what is named", () => {
  const all = bench("bench --full").trials;
  const keys = all.map(({ layout }) => describeLayout(layout));
  assert.equal(new Set(keys).size, keys.length);
  const some = bench("bench --full --storage memory --outstanding 1,32").trials;
  assert(some.length > 0);
  for (const { layout, loads } of some) {
    assert.equal(layout.storage, "memory");
    const whole = all.find((it) =>
      describeLayout(it.layout) === describeLayout(layout)
    )!;
    assert.deepEqual(
      loads,
      whole.loads.filter(({ outstanding }) => outstanding <= 32),
    );
  }
});

Deno.test("a bench refuses lists with a word that does not belong there, and charts of no form", () => {
  const refused = (line: string) => {
    try {
      bench(line);
    } catch (error) {
      assert(error instanceof UserError && error.exitCode === 2, line);
      return error.message;
    }
    assert.fail(line);
  };
  assert.match(
    refused("bench --topology replicas,mixed"),
    /--topology cannot be .*: expected replicas, roles or single, or several with commas/,
  );
  assert.match(refused("bench --storage disk"), /memory, lmdb-sync or lmdb-/);
  assert.match(refused("bench --storage memory,"), /--storage cannot be/);
  assert.match(refused("bench --outstanding 1,many"), /--outstanding cannot/);
  assert.match(refused("bench --repeats 0"), /--repeats cannot be/);
  assert.match(
    refused("bench --chart bench.png"),
    /end it with \.svg or \.html/,
  );
  assert.match(
    refused("bench --full --outstanding 7"),
    /--full measures nothing of what is named; leave out --full/,
  );
});
