/** `kpaxos status`: asks every node of a cluster how it is, over the network that they use themselves. */
import { Core } from "../core/core.ts";
import { probeInterface } from "../ffi/interfaces.ts";
import { type Nic, WAIT } from "../ffi/nic.ts";
import { EXIT } from "./errors.ts";
import { createLogger } from "./log.ts";
import type { Console } from "./main.ts";
import type { StatusOptions } from "./options.ts";
import { onlyInterface } from "./run.ts";
import { Answers } from "./status_answers.ts";
import { statusJson, statusText } from "./status_text.ts";
import { judge } from "./status_verdict.ts";
import {
  coreOptions,
  type NodeStart,
  openNic,
  presetAddresses,
} from "./thread.ts";

/** Times that the question is repeated: a lost frame is no node that is gone, and two answers show what moves. */
const QUERIES = 4;
/** Longest sleep, µs. */
const WAIT_US_MAX = 20_000;

/**
 * Asks, waits, and prints what was answered.
 *
 * @returns 0 if there is a leader and a majority of acceptors votes, else 1.
 * @throws {UserError} if the interface cannot be used.
 */
export function runStatus(
  { node, wait_ms, json }: StatusOptions,
  console: Console,
): number {
  const logger = createLogger({
    node: "status",
    verbosity: node.verbosity,
    format: "text",
    clock: Date.now,
    write: console.err,
  });
  for (const warning of node.configuration.warnings) logger.warn(warning);
  const { acceptors, proposers, cluster } = node.configuration;
  const interfaceName = node.interfaceName ?? onlyInterface(node, logger);
  const start = startOf(node, interfaceName);
  const { mtu } = probeInterface(interfaceName, {
    nic: node.nic,
    maxMtu: node.mtu,
  });
  const core = new Core(coreOptions(start, mtu), now());
  const nic = openNic(start, core.area);
  core.setAddress(nic.address, nic.group);
  if (node.nic === "af_packet") presetAddresses(core, node.configuration);
  const { answers, down } = ask(core, nic, wait_ms * 1000);
  nic.close();
  const look = {
    nodes: answers.nodes(),
    acceptors: acceptors.map(({ id }) => id),
    proposers: proposers.map(({ id }) => id),
    cluster,
    interfaceName,
    interfaceDown: down,
  };
  const verdict = judge(look);
  console.out((json ? statusJson : statusText)(look, verdict));
  return verdict.ok ? EXIT.done : EXIT.failed;
}

/** Monotonic time in µs. */
function now(): number {
  return performance.now() * 1000;
}

function startOf(
  node: StatusOptions["node"],
  interfaceName: string,
): NodeStart {
  const random = crypto.getRandomValues(new BigUint64Array(2));
  return {
    options: { ...node, id: Number(random[0] % 0xffffn) + 1, interfaceName },
    incarnation: Number(random[0] >> 32n) || 1,
    firstClient: 1n,
    seed: random[1],
    stop: new SharedArrayBuffer(4),
  };
}

/** Turns a node's cycle for so long, and asks now and then. */
function ask(
  core: Core,
  nic: Nic,
  wait_us: number,
): { answers: Answers; down: boolean } {
  const answers = new Answers();
  const begin_us = now();
  let asked = 0;
  let down = false;
  for (;;) {
    const now_us = now();
    const passed_us = now_us - begin_us;
    if (passed_us >= wait_us) return { answers, down };
    // The last question leaves time for its answers.
    if (asked < QUERIES && passed_us >= wait_us * asked / QUERIES) {
      core.query(++asked);
    }
    core.step(nic.receive(), now_us, 0, false);
    for (const part of core.statuses()) answers.add(part, now_us);
    if (core.sendCount > 0) nic.send(0, core.sendCount);
    const left_us = begin_us + wait_us - now();
    down =
      (nic.wait(Math.max(0, Math.min(left_us, WAIT_US_MAX))) & WAIT.down) !== 0;
  }
}
