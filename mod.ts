/** kpaxos as a library: run nodes, check runs, simulate clusters, or drive the core yourself. */
export { Core, valueBytesFit } from "./core/core.ts";
export type {
  CoreEvent,
  CoreOptions,
  CoreRecord,
  Delivery,
} from "./core/core.ts";
export {
  Counter,
  Event,
  Gauge,
  Message,
  Role,
  StorageCondition,
} from "./core/layout.ts";
export type { FrameArea, Nic, NicStats } from "./ffi/nic.ts";
export { WAIT } from "./ffi/nic.ts";
export { openPacketNic } from "./ffi/packet.ts";
export { openUdpNic } from "./ffi/udp.ts";
export { EXIT, UserError } from "./roles/errors.ts";
export { Node } from "./roles/node.ts";
export type { NodeParts, Sink, Workload } from "./roles/node.ts";
export { runNode } from "./roles/run.ts";
export type { NodeOptions } from "./roles/options.ts";
export { drawPlan } from "./sim/draw.ts";
export type { Plan, PlanEvent, PlanNode } from "./sim/plan.ts";
export { simulate } from "./sim/simulate.ts";
export type { Result, RunOptions, RunWatch } from "./sim/simulate.ts";
export type { Property } from "./sim/violation.ts";
export { MemoryStorage } from "./storage/memory.ts";
export type {
  Snapshot,
  SnapshotSource,
  SnapshotTarget,
} from "./storage/snapshot.ts";
export { StorageError } from "./storage/storage.ts";
export type { Records, Storage } from "./storage/storage.ts";
