/** What the host decided before `init`: settings, members, and what follows from them. */
import {
  ACCEPTORS_MAX,
  BATCH_OVERHEAD_BYTES,
  PROPOSERS_MAX,
  Role,
  Setting,
} from "../layout";

const values = memory.data(64 * 8, 8);
const acceptorIds = memory.data(ACCEPTORS_MAX * 4, 4);
const proposerIds = memory.data(PROPOSERS_MAX * 4, 4);

export let acceptorCount: i32 = 0;
export let proposerCount: i32 = 0;
/** Acceptors that make a majority. Two majorities always meet ("Paxos Made Simple", 2.2). */
export let quorum: i32 = 0;

export let roles: u32 = 0;
export let selfId: u32 = 0;
export let cluster: u32 = 0;
export let incarnation: u32 = 0;
/** The incarnation in which this acceptor's memory began. */
export let memoryIncarnation: u32 = 0;
export let mtu: u32 = 0;
export let leaderSetting: u32 = 0;
export let persistent: bool = false;
/** Most bytes of a batch: any message can carry it within the MTU. A multiple of 8. */
export let batchBytesMax: u32 = 0;
/** Most values of a batch that this node makes. */
export let batchValuesMax: u32 = 0;

export function setSetting(key: i32, value: f64): void {
  assert(key >= 0 && key < Setting.end, "unknown setting");
  store<f64>(values + (<usize>key << 3), value);
}

export function setting(key: i32): f64 {
  return load<f64>(values + (<usize>key << 3));
}

export function settingU32(key: i32): u32 {
  return <u32>setting(key);
}

/** A u64 that the host handed over as two halves. */
export function settingU64(low: i32): u64 {
  return (<u64>setting(low + 1) << 32) | <u64>setting(low);
}

/** Adds one acceptor or proposer, in the order of the configuration. */
export function addMember(role: u32, id: u32): void {
  assert(id > 0 && id < 0x10000, "member id out of range");
  if (role == Role.acceptor) {
    assert(<u32>acceptorCount < ACCEPTORS_MAX, "too many acceptors");
    store<u32>(acceptorIds + (<usize>(acceptorCount++) << 2), id);
  } else {
    assert(role == Role.proposer && <u32>proposerCount < PROPOSERS_MAX, "too many proposers");
    store<u32>(proposerIds + (<usize>(proposerCount++) << 2), id);
  }
}

export function acceptorId(index: i32): u32 {
  return load<u32>(acceptorIds + (<usize>index << 2));
}

export function proposerId(index: i32): u32 {
  return load<u32>(proposerIds + (<usize>index << 2));
}

/** Position of the acceptor `id` in the configuration, which is its bit in a vote; -1 if unknown. */
export function acceptorIndex(id: u32): i32 {
  for (let i = 0; i < acceptorCount; i++) if (acceptorId(i) == id) return i;
  return -1;
}

export function proposerIndex(id: u32): i32 {
  for (let i = 0; i < proposerCount; i++) if (proposerId(i) == id) return i;
  return -1;
}

/** Reads the settings into the variables above. */
export function settle(): void {
  roles = settingU32(Setting.roles);
  selfId = settingU32(Setting.id);
  cluster = settingU32(Setting.cluster);
  incarnation = settingU32(Setting.incarnation);
  memoryIncarnation = settingU32(Setting.memory);
  mtu = settingU32(Setting.mtu);
  leaderSetting = settingU32(Setting.leader);
  persistent = settingU32(Setting.persistent) != 0;
  quorum = (acceptorCount >> 1) + 1;
  assert(acceptorCount > 0, "no acceptor configured");
  assert(mtu >= 256 && mtu <= 9000, "MTU out of range");
  assert(incarnation != 0 && memoryIncarnation != 0, "incarnation is 0");
  batchBytesMax = (mtu - BATCH_OVERHEAD_BYTES) & ~7;
  batchValuesMax = settingU32(Setting.batching) != 0 ? u32.MAX_VALUE : 1;
}
