/** The versions that a bug report needs. */

import { WIRE_VERSION } from "../core/layout.ts";
import manifest from "../deno.json" with { type: "json" };

/** Versions of kpaxos, its wire format and what it runs on. */
export interface Versions {
  readonly kpaxos: string;
  readonly wire: number;
  readonly deno: string;
  readonly v8: string;
}

/** The versions of this build and of the runtime it is in. */
export function versions(): Versions {
  return {
    kpaxos: manifest.version,
    wire: WIRE_VERSION,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}

/** One line of text, or of JSON. */
export function formatVersions(found: Versions, json: boolean): string {
  return json
    ? JSON.stringify(found)
    : `kpaxos ${found.kpaxos} (wire format ${found.wire}, Deno ${found.deno}, V8 ${found.v8})`;
}
