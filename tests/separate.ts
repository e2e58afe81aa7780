/** A cluster whose roles are nodes of their own, at work: where acceptors alone restart, and alone forget. */
import { Event, Role } from "../core/layout.ts";
import type { Cluster, TestNode } from "./cluster.ts";

/** Values that are answered before anything happens. */
const START = 200;

/**
 * Adds acceptors, and a proposer, a learner and a client of id 1, and runs until values are decided.
 *
 * @param pace_us Time between two values of the client (default: as fast as they are answered).
 */
export function addSeparate(
  cluster: Cluster,
  { ids = [1, 2, 3], pace_us = 0 } = {},
) {
  const acceptors = ids.map((id) => cluster.add({ roles: Role.acceptor, id }));
  const proposer = cluster.add({ roles: Role.proposer, id: 1 });
  cluster.add({ roles: Role.learner, id: 1 });
  const client = cluster.add({
    roles: Role.client,
    id: 1,
    values: 1e6,
    pace_us,
  });
  cluster.must("a start", 5e6, () => client.acknowledged.size > START);
  return { acceptors, proposer, client };
}

/** Whether an acceptor that lost its memory votes again, and has fetched what it had forgotten. */
export function isBack(node: TestNode): boolean {
  return node.noted(Event.rejoined).length > 0 &&
    node.noted(Event.refilled).length > 0;
}
