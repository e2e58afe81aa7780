/** What `kpaxos inspect` prints for people, and the values of a batch in words. */
import {
  CHUNK_BYTES,
  CHUNK_OFFSET,
  CHUNK_TOTAL,
  RUN_BYTES,
  VALUE_CHUNK,
  VALUE_HEADER_BYTES,
} from "../core/layout.ts";
import type { Acceptor, Inspection, Instance } from "./inspect.ts";
import { excerpt } from "./printable.ts";

/** One client's consecutive values. */
export interface Run {
  readonly client: string;
  /** Sequence number of the first; 0: a command about the client's session. */
  readonly first: number;
  readonly values: readonly {
    readonly bytes: number;
    /** UTF-8, or base64 where it is none. */
    readonly text?: string;
    readonly base64?: string;
    /** A piece of a large value: where in it, and the bytes of all. */
    readonly offset?: number;
    readonly total?: number;
  }[];
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The runs of a batch that an acceptor took, so that it is sound. */
export function runsOf(batch: Uint8Array): Run[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const runs: Run[] = [];
  for (let at = 0; at < batch.length; at = (at + 7) & ~7) {
    const client = view.getBigUint64(at, true);
    const word = view.getBigUint64(at + 8, true);
    at += RUN_BYTES;
    const values: Run["values"][number][] = [];
    for (let n = word >> 48n; n > 0n; n--) {
      const length = view.getUint16(at, true);
      const bytes = length & (VALUE_CHUNK - 1);
      at += VALUE_HEADER_BYTES;
      const isChunk = (length & VALUE_CHUNK) !== 0;
      values.push(
        isChunk
          ? {
            bytes: bytes - CHUNK_BYTES,
            offset: view.getUint32(at + CHUNK_OFFSET, true),
            total: view.getUint32(at + CHUNK_TOTAL, true),
          }
          : { bytes, ...content(batch.subarray(at, at + bytes)) },
      );
      at += bytes;
    }
    const first = Number(word & 0xffff_ffff_ffffn);
    runs.push({ client: `${client}`, first, values });
  }
  return runs;
}

function content(value: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: decoder.decode(value) };
  } catch {
    return { base64: value.toBase64() };
  }
}

const STATE_TEXT = {
  closed: "all of it on disk",
  open: "in use, or left by a crash",
  unfinished: "its last commit had not ended: the next start takes that back",
  damaged: "its last commit is damaged: not to be trusted",
  torn: "left by a machine that lost power: not to be trusted",
} as const;

/** The inspection for people. */
export function inspectionText(inspection: Inspection): string {
  const { directory, stamp, file, acceptor, learner } = inspection;
  const { instance, verified } = inspection;
  const lines = [
    `${directory}: ${stamp.kind} ${stamp.id} of cluster ${stamp.cluster}, format ${stamp.format}`,
    `memory ${hex(stamp.memory)}${
      stamp.forgot ? " (an earlier one was lost)" : ""
    }, lmdb-sync ${stamp.synchronous ? "yes" : "no"}, ${
      STATE_TEXT[inspection.state]
    }`,
    `file ${megabytes(file.bytes)}, of which ${
      megabytes(file.used_bytes)
    } in use`,
    ...acceptor === null ? [] : acceptorLines(acceptor),
    learner === null
      ? "learner: no checkpoint"
      : `learner: delivers instance ${learner.next_instance} next, ${learner.sessions} sessions`,
  ];
  if (instance !== undefined) lines.push(...instanceLines(instance));
  if (verified !== undefined) {
    const { values, bytes, seconds, damage } = verified;
    lines.push(
      `verified ${values} values, ${megabytes(bytes)}, in ${seconds} s: ${
        damage ?? "every checksum matches, and nothing is missing"
      }`,
    );
  }
  return lines.join("\n") + "\n";
}

function acceptorLines(acceptor: Acceptor): string[] {
  const { promised, decided, confirmed, rejoined_at, refilled_from } = acceptor;
  const { low, records } = acceptor;
  const ranges = acceptor.ranges.map(({ first, last }) =>
    first === last ? `${first}` : `${first}-${last}`
  );
  if (acceptor.more_ranges) ranges.push("…");
  const tables = (["known", "rejoined"] as const).flatMap((name) => {
    const memories = Object.entries(acceptor[name])
      .map(([id, memory]) => `${id} ${hex(memory)}`);
    return memories.length === 0
      ? []
      : [`acceptors ${name}: ${memories.join(", ")}`];
  });
  return [
    `acceptor: promised ${
      promised ?? "nothing"
    }, all below ${decided} decided, ${
      confirmed ? "votes" : "not confirmed yet"
    }`,
    ...rejoined_at === null ? [] : [
      `began anew at instance ${rejoined_at}, after its memory was lost; has all from ${
        refilled_from ?? rejoined_at
      } on`,
    ],
    `log: ${records} records of instances: ${ranges.join(", ") || "none"}${
      low > 1 ? `; deleted below ${low}` : ""
    }`,
    ...tables,
  ];
}

function instanceLines(instance: Instance | "hole" | null): string[] {
  if (instance === null) return ["that instance is not there"];
  if (instance === "hole") {
    return ["nothing was accepted for that instance, which is decided"];
  }
  const { number, ballot, fetched, values, bytes, runs } = instance;
  return [
    `instance ${number}: ${
      fetched ? "fetched after a loss," : "accepted in"
    } ballot ${ballot}, ${values} values, ${bytes} bytes`,
    ...runs.flatMap(({ client, first, values }) =>
      values.map((value, i) => {
        const what = value.text !== undefined
          ? excerpt(value.text)
          : value.base64 !== undefined
          ? `base64 ${value.base64}`
          : `from ${value.offset} of ${value.total} bytes of a large value`;
        const place = first === 0 ? "command" : `${first + i}`;
        return `  client ${client} ${place}: ${value.bytes} bytes, ${what}`;
      })
    ),
  ];
}

function hex(memory: number): string {
  return memory.toString(16).padStart(8, "0");
}

function megabytes(bytes: number): string {
  return bytes < 1e5
    ? `${(bytes / 1e3).toFixed(1)} kB`
    : `${(bytes / 1e6).toFixed(1)} MB`;
}
