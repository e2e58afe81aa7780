/** What nodes answer when a client asks how they are: frames put together again, numbers to names. */
import type { StatusItem, StatusPart } from "../core/core.ts";
import { AGO_NEVER, Counter, Item, Role, StatusField } from "../core/layout.ts";

/** The name of a field of a status. */
export type FieldName = keyof typeof StatusField;

/** The name of a role. */
export type RoleName = keyof typeof Role;

/** A node that another one has heard, or ought to. */
export interface Peer {
  readonly role: RoleName;
  readonly id: number;
  /** Since it was heard; undefined: never. */
  readonly ago_ms?: number;
  /** Of a learner: next instance that it delivers; 0: it holds nothing back. */
  readonly delivered?: number;
}

/** What one process told of itself. */
export interface NodeStatus {
  readonly roles: readonly RoleName[];
  readonly id: number;
  readonly incarnation: number;
  /** What its roles know; see `StatusField`. */
  readonly fields: { readonly [Name in FieldName]?: number };
  /** Those that are not 0. */
  readonly counters: { readonly [name: string]: number };
  readonly peers: readonly Peer[];
}

/** A node in the first and in the last answer that it gave. */
export interface Seen {
  readonly first: NodeStatus;
  readonly last: NodeStatus;
  /** Between the two. */
  readonly elapsed_us: number;
}

/** Frames of an answer of which others are still under way. */
interface Gathered {
  readonly items: (StatusItem | undefined)[];
  missing: number;
}

/** Collects answers: of each process the first one and the last one that came whole. */
export class Answers {
  readonly #gathered = new Map<string, Gathered>();
  readonly #seen = new Map<
    string,
    {
      first: NodeStatus;
      firstAt_us: number;
      last: NodeStatus;
      lastAt_us: number;
    }
  >();

  /** Takes in one frame of an answer. */
  add(part: StatusPart, now_us: number): void {
    const node = `${part.role} ${part.id} ${part.incarnation}`;
    const key = `${node} ${part.number}`;
    let gathered = this.#gathered.get(key);
    if (gathered === undefined) {
      gathered = {
        items: Array.from({ length: part.total }, () => undefined),
        missing: part.total,
      };
      this.#gathered.set(key, gathered);
    }
    // An answer of which two frames count differently is none.
    if (gathered.items.length !== part.total) return;
    part.items.forEach((item, i) => {
      if (gathered.items[part.first + i] === undefined) gathered.missing--;
      gathered.items[part.first + i] = item;
    });
    if (gathered.missing > 0) return;
    this.#gathered.delete(key);
    const last = statusOf(part, gathered.items as StatusItem[]);
    const before = this.#seen.get(node);
    this.#seen.set(node, {
      first: before?.first ?? last,
      firstAt_us: before?.firstAt_us ?? now_us,
      last,
      lastAt_us: now_us,
    });
  }

  /** All that answered: members of the configuration first, then by id. */
  nodes(): Seen[] {
    return [...this.#seen.values()]
      .map(({ first, firstAt_us, last, lastAt_us }) => ({
        first,
        last,
        elapsed_us: lastAt_us - firstAt_us,
      }))
      .sort(({ last: a }, { last: b }) =>
        order(a) - order(b) || a.id - b.id || a.incarnation - b.incarnation
      );
  }
}

/** "replica 1", "acceptor 2", "proposer and acceptor 3". */
export function nodeName({ roles, id }: NodeStatus): string {
  const isReplica = ["proposer", "acceptor", "learner"]
    .every((role) => roles.includes(role as RoleName)) && roles.length === 3;
  return `${isReplica ? "replica" : roles.join(" and ")} ${id}`;
}

/** Instances that are decided and that the node's learner has not delivered; undefined: it has none. */
export function lagOf({ fields }: NodeStatus): number | undefined {
  const { decided, delivered } = fields;
  if (delivered === undefined) return undefined;
  return Math.max(0, (decided ?? delivered) - delivered);
}

/** Replicas and proposers, then acceptors, learners, clients. */
function order({ roles }: NodeStatus): number {
  const all: RoleName[] = ["proposer", "acceptor", "learner", "client"];
  return all.findIndex((role) => roles.includes(role));
}

function rolesOf(bits: number): RoleName[] {
  const all: RoleName[] = ["proposer", "acceptor", "learner", "client"];
  return all.filter((role) => (bits & Role[role]) !== 0);
}

function statusOf(part: StatusPart, items: readonly StatusItem[]): NodeStatus {
  const fields: { [Name in FieldName]?: number } = {};
  const counters: { [name: string]: number } = {};
  const peers: Peer[] = [];
  for (const { kind, code, role, ago_ms, value } of items) {
    if (kind === Item.field) {
      // One of a later version may tell what this one has no name for.
      const name = StatusField[code] as FieldName | undefined;
      if (name !== undefined) fields[name] = Number(value);
    } else if (kind === Item.counter) {
      counters[code < Counter.end ? Counter[code] : `counter${code}`] = Number(
        value,
      );
    } else {
      peers.push({
        role: Role[role] as RoleName,
        id: code,
        ago_ms: ago_ms === AGO_NEVER ? undefined : ago_ms,
        delivered: role === Role.learner ? Number(value) : undefined,
      });
    }
  }
  const { id, incarnation } = part;
  const roles = rolesOf(fields.roles ?? part.role);
  return { roles, id, incarnation, fields, counters, peers };
}
