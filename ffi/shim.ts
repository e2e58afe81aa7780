/** The typed table of the C shim's functions, loaded once per thread. */
import library from "../build/libkpnic.so" with { type: "bytes" };
import { openEmbedded } from "./embedded.ts";
import { systemError } from "./errno.ts";

/** The shim's functions. Each returns >= 0 or -errno, if nothing else is said. */
export const shim = openEmbedded("libkpnic.so", library, {
  // double kp_now_us(void)
  kp_now_us: { parameters: [], result: "f64" },
  // int kp_probe(const char *name, struct kp_interface *out)
  kp_probe: { parameters: ["buffer", "buffer"], result: "i32" },
  // int kp_interfaces(char *out, uint32_t capacity)
  kp_interfaces: { parameters: ["buffer", "u32"], result: "i32" },
  // struct kp *kp_new(uint8_t *memory, double memory_bytes, uint32_t rx_slots,
  //   uint32_t rx_slot_bytes, uint32_t rx_capacity, uint32_t rx_lengths,
  //   uint32_t tx_descriptors, uint32_t tx_capacity): NULL if memory is short
  kp_new: {
    parameters: ["pointer", "f64", "u32", "u32", "u32", "u32", "u32", "u32"],
    result: "pointer",
  },
  // int kp_identify(struct kp *card, uint32_t cluster, uint32_t ethertype,
  //   uint32_t roles, uint32_t id, uint32_t incarnation)
  kp_identify: {
    parameters: ["pointer", "u32", "u32", "u32", "u32", "u32"],
    result: "i32",
  },
  // int kp_set_patience(struct kp *card, uint32_t patience)
  kp_set_patience: { parameters: ["pointer", "u32"], result: "i32" },
  // int kp_packet_reserve(uint32_t slot_bytes): a socket
  kp_packet_reserve: { parameters: ["u32"], result: "i32" },
  // int kp_packet_open(struct kp *card, const char *name, const uint8_t *group,
  //   int reserved)
  kp_packet_open: {
    parameters: ["pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  // int kp_udp_open(struct kp *card, const char *name, uint32_t port,
  //   const uint8_t *group, const uint8_t *peers, uint32_t peer_count)
  kp_udp_open: {
    parameters: ["pointer", "buffer", "u32", "buffer", "buffer", "u32"],
    result: "i32",
  },
  // int kp_receive(struct kp *card)
  kp_receive: { parameters: ["pointer"], result: "i32" },
  // int kp_send(struct kp *card, uint32_t first, uint32_t count)
  kp_send: { parameters: ["pointer", "u32", "u32"], result: "i32" },
  // int kp_wait(struct kp *card, double timeout_us)
  kp_wait: { parameters: ["pointer", "f64"], result: "i32" },
  // int kp_wake(int event_fd)
  kp_wake: { parameters: ["i32"], result: "i32" },
  // int kp_event_fd(struct kp *card)
  kp_event_fd: { parameters: ["pointer"], result: "i32" },
  // int kp_address(struct kp *card, uint8_t *out)
  kp_address: { parameters: ["pointer", "buffer"], result: "i32" },
  // int kp_stats(struct kp *card, uint64_t *out)
  kp_stats: { parameters: ["pointer", "buffer"], result: "i32" },
  // double kp_relay(struct kp *card, uint32_t role, bool spins, double seconds): frames sent
  kp_relay: { parameters: ["pointer", "u32", "bool", "f64"], result: "f64" },
  // double kp_drive(struct kp *card, const uint8_t *target, uint32_t length,
  //   uint32_t window, bool spins, double seconds, uint32_t *samples_ns,
  //   uint32_t sample_capacity): frames that were answered
  kp_drive: {
    parameters: [
      ...["pointer", "buffer", "u32", "u32", "bool", "f64"] as const,
      ...["buffer", "u32"] as const,
    ],
    result: "f64",
  },
  // int kp_seal_open(const char *path, uint32_t may_write, uint64_t *out)
  kp_seal_open: { parameters: ["buffer", "u32", "buffer"], result: "i32" },
  // int kp_seal(struct kp_sealer *sealer)
  kp_seal: { parameters: ["pointer"], result: "i32" },
  // int kp_seal_look(struct kp_sealer *sealer, struct kp_slot_state states[2])
  kp_seal_look: { parameters: ["pointer", "buffer"], result: "i32" },
  // int kp_seal_go_back(struct kp_sealer *sealer, uint32_t index)
  kp_seal_go_back: { parameters: ["pointer", "u32"], result: "i32" },
  // void kp_seal_close(struct kp_sealer *sealer)
  kp_seal_close: { parameters: ["pointer"], result: "void" },
  // int kp_close(struct kp *card)
  kp_close: { parameters: ["pointer"], result: "i32" },
}).symbols;

/**
 * Ends the wait of the card whose `wakeFd` this is. Any thread of the process may
 * call it; a card that is not waiting returns from its next wait at once.
 *
 * @throws {Error} if `fd` is no card's wake descriptor.
 */
export function wake(fd: number): void {
  const result = shim.kp_wake(fd);
  if (result < 0) throw systemError(result, "wake the node");
}
