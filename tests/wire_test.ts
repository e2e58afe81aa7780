/**
 * The wire format: the document, the core and the golden vectors say the same.
 *
 * `KPAXOS_REWRITE=1 deno test -A tests/wire_test.ts` writes the golden vectors anew.
 */
import assert from "node:assert/strict";
import * as layout from "../core/layout.ts";
import { Counter, Message, Role, StatusField } from "../core/layout.ts";
import {
  decode,
  type MessageName,
  type RoleName,
  ROLES,
  TYPES,
} from "../sim/decode.ts";
import { checksumOf, encode } from "./encode.ts";
import { bytesOf, describe, goldenFrames } from "./golden.ts";
import { Rig } from "./rig.ts";

const constants = layout as unknown as Record<string, number>;
const read = (path: string) =>
  Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));

/** The rows of the first table under a heading of the document, a string a cell. */
function table(heading: string): string[][] {
  const text = read("docs/wire.md");
  const start = text.search(new RegExp(`^#+ ${heading}$`, "m"));
  assert(start >= 0, `docs/wire.md has no heading "${heading}"`);
  const section = text.slice(start).split(/\n#+ /)[0];
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  assert(rows.length > 2, `no table under "${heading}"`);
  return rows.slice(2).map((row) =>
    row.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

/** Headings with a table of fields, and the prefix of their constants. */
const DRAWN: Record<string, string> = {
  "Header": "HEADER",
  "Run": "RUN",
  "Entry": "ENTRY",
  "Ranges": "RANGES",
  "`prepare`": "PREPARE",
  "`promise`": "PROMISE",
  "`accept`": "ACCEPT",
  "`reject`": "REJECT",
  "`heartbeat`": "HEARTBEAT",
  "`submit`": "SUBMIT",
  "`answer`": "ANSWER",
  "`hi`": "HI",
  "`ok`": "OK",
  "`learned`": "LEARNED",
  "`forgot`": "FORGOT",
  "`session`": "SESSION",
  "Verdict": "VERDICT",
  "Command": "COMMAND",
  "Chunk": "CHUNK",
  "Item": "ITEM",
  "`query`": "QUERY",
  "`status`": "STATUS",
};

/** Constants with such a prefix that are no offsets. */
const NO_OFFSETS = [
  "PROMISE_LAST",
  "ACCEPT_CONGESTED",
  "PROMISE_PAUSE",
  "ENTRY_DECIDED",
  "COMMAND_RESERVE",
  "SESSION_SEQUENCES",
  "SESSION_SPAN",
  "LEARNED_LAST",
  "STATUS_ITEMS_MAX",
  "STATUS_ANSWERS_MAX",
];

for (const [heading, prefix] of Object.entries(DRAWN)) {
  Deno.test(`the table of ${heading} in docs/wire.md is the core's layout`, () => {
    const rows = table(heading);
    const named = new Set<string>();
    let end = Number(rows[0][0]);
    for (const [offset, size, field] of rows) {
      assert.equal(Number(offset), end, `${field || "the end"} leaves no gap`);
      end += Number(size);
      assert(
        size === "" || end % Math.min(Number(size), 8) === 0,
        `${field} is aligned`,
      );
      if (field === "_reserved_") continue;
      const name = field === ""
        ? `${prefix}_BYTES`
        : `${prefix}_${
          field.replaceAll("`", "").replace(" ", "_").toUpperCase()
        }`;
      assert.equal(constants[name], Number(offset), name);
      named.add(name);
    }
    for (const name of Object.keys(constants)) {
      if (!name.startsWith(`${prefix}_`) || NO_OFFSETS.includes(name)) continue;
      assert(named.has(name), `docs/wire.md says nothing of ${name}`);
    }
  });
}

Deno.test("the types and their senders in docs/wire.md are those that the core takes", () => {
  const rows = table("Message types");
  assert.deepEqual(
    rows.map(([type, name]) => [Number(type), name]),
    TYPES.map((name, i) => [i, `\`${name}\``]).filter(([, name]) =>
      name !== "``"
    ),
  );
  assert.equal(TYPES.length, layout.MESSAGE_END);
  const frames = goldenFrames();
  const everybody = new Rig({ roles: 15, id: 3, incarnation: 0x7777 });
  for (const [type, name, , senders] of rows) {
    const message = name.replaceAll("`", "") as MessageName;
    assert.equal(Message[message], Number(type));
    const fields = decode(frames.get(message)!);
    for (const senderRole of ROLES) {
      const before = everybody.core.counter(Counter.badSender);
      everybody.feed(encode({
        ...fields,
        senderRole,
        senderId: 1,
        receiverId: 0,
        incarnation: 0x888 + Role[senderRole],
      }, fields.body));
      const refused = everybody.core.counter(Counter.badSender) > before;
      assert.equal(
        refused,
        !senders.split(", ").includes(senderRole),
        `${message} from a ${senderRole}`,
      );
    }
  }
});

Deno.test("every golden frame is meant for roles that docs/wire.md names", () => {
  const frames = goldenFrames();
  for (const [, name, , , receivers] of table("Message types")) {
    const frame = decode(frames.get(name.replaceAll("`", "") as MessageName)!);
    assert(frame.receiverRoles.length > 0);
    for (const role of frame.receiverRoles) {
      assert(
        receivers.split(", ").includes(role as RoleName),
        `${name} is sent to a ${role}`,
      );
    }
  }
});

Deno.test("the limits in docs/wire.md are the core's", () => {
  for (const [limit, value, name] of table("Limits")) {
    assert.equal(constants[name.replaceAll("`", "")], Number(value), limit);
  }
});

Deno.test("the reasons in docs/wire.md are counters of the core", () => {
  const named = new Set(
    table("What a receiver checks").map(([name]) => name.replaceAll("`", "")),
  );
  for (const name of named) assert(name in Counter, name);
  for (const name of Object.keys(Counter)) {
    if (name.startsWith("bad")) assert(named.has(name), name);
  }
});

Deno.test("the fields and counters of a status in docs/wire.md are numbered as the core's", () => {
  assert.deepEqual(
    table("Fields of a status").map(([number, field]) => [number, field]),
    Object.values(StatusField).filter((it) => typeof it === "number")
      .map((number) => [`${number}`, `\`${StatusField[number as number]}\``]),
  );
  const [, section] = read("docs/wire.md").split(/^### Counters of a status$/m);
  const names = section.split(/^#/m)[0].match(/(?<=`)\w+(?=`)/g);
  assert.deepEqual(
    names,
    Array.from({ length: Counter.end }, (_, i) => Counter[i]),
  );
});

for (const [type, frame] of goldenFrames()) {
  const path = `tests/golden/${type}.txt`;
  Deno.test(`${path} is what the core sends, byte for byte`, () => {
    if (Deno.env.get("KPAXOS_REWRITE") === "1") {
      Deno.writeTextFileSync(
        new URL(`../${path}`, import.meta.url),
        describe(frame),
      );
    }
    assert.equal(describe(frame), read(path));
  });

  Deno.test(`${path} decodes to its fields, which encode to the same bytes`, () => {
    const golden = bytesOf(read(path));
    const fields = decode(golden);
    assert.equal(fields.body.type, type);
    assert.equal(fields.length, golden.length - 14);
    assert.equal(fields.checksum, checksumOf(golden));
    assert.equal(describe(golden), read(path));
    assert.deepEqual(encode(fields, fields.body), golden);
  });
}
