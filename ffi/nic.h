/* What the parts of the shim share: the handle of one open card, the frame layout, the calls of each kind of card. */
#ifndef KP_NIC_H
#define KP_NIC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Link header, then the kpaxos header behind it (numbers of the latter are
 * little-endian). Only what a card itself has to look at is named here.
 *
 *   0           6           12          14
 *   | destination | source    | EtherType | kpaxos header ...
 *
 *   +0 version   +1 type      +2 cluster (2)
 *   +4 sender    +5 receivers +6 sender id (2)
 *   +8 receiver id (2)        +10 length (2)
 *   +12 sender incarnation (4)
 */
enum {
    LINK_DESTINATION = 0,
    LINK_SOURCE = 6,
    LINK_ETHERTYPE = 12,
    LINK_HEADER_BYTES = 14,
    LINK_ADDRESS_BYTES = 6,

    HEADER_VERSION = 0,
    HEADER_CLUSTER = 2,
    HEADER_SENDER_ROLE = 4,
    HEADER_RECEIVER_ROLES = 5,
    HEADER_SENDER_ID = 6,
    HEADER_RECEIVER_ID = 8,
    HEADER_LENGTH = 10,
    HEADER_INCARNATION = 12,
    HEADER_BYTES = 32,

    WIRE_VERSION = 1,

    /* A frame starts here within its receive slot (ffi/nic.ts says why). */
    SLOT_OFFSET = 2,
};

/* The core's memory is WebAssembly's: little-endian everywhere, and read here as it is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "kpaxos runs on little-endian machines");

enum { WAIT_FRAMES = 1, WAIT_WOKEN = 2, WAIT_DOWN = 4 };

/* How a card waits: asleep; first giving its core to whoever has work; or never asleep, on a core of its own. */
enum patience { SLEEPS, YIELDS, SPINS };

/* Most frames handed to the kernel by one sendmmsg: DESIGN measured no gain beyond. */
enum { SEND_BATCH = 64 };

/* A frame, and behind it zeros and a second message. */
enum { FRAME_PARTS = 3 };

/* A card that lost its interface looks for it this often. */
#define PROBE_INTERVAL_NS (200 * 1000 * 1000LL)

struct kp;

/* What differs between a packet card and a UDP card. */
struct kp_kind {
    int (*receive)(struct kp *card);
    /* Is it known without a system call that a frame is there? */
    bool (*is_ready)(struct kp *card);
    int (*send)(struct kp *card, uint32_t first, uint32_t count);
    /* Is the interface lost when a socket reports this errno? */
    bool (*is_lost)(struct kp *card, int error);
    /* Binds again to the interface of the same name; 0 or -errno. */
    int (*recover)(struct kp *card);
    void (*count_kernel_drops)(struct kp *card);
    void (*release)(struct kp *card);
};

/* The order is that of the u64 array which kp_stats fills. */
struct kp_counters {
    uint64_t received;
    uint64_t sent;
    uint64_t dropped_by_kernel;
    uint64_t truncated;
    uint64_t send_failures;
    uint64_t flaps;
};

struct kp_descriptor {
    uint32_t offset;
    uint32_t length;
};

struct kp_udp;

struct kp {
    const struct kp_kind *kind;
    struct kp_counters counters;

    /* The part of the core's memory that this card reads and writes. */
    uint8_t *memory;
    uint64_t memory_bytes;
    uint8_t *rx_slots;
    uint32_t rx_slot_bytes;
    uint32_t rx_capacity;
    uint32_t *rx_lengths;
    struct kp_descriptor *tx_descriptors;
    uint32_t tx_capacity;

    /* Who this node is: what the filter lets through follows from it. */
    uint16_t cluster;
    uint16_t ethertype;
    uint8_t roles;
    uint16_t id;
    uint32_t incarnation;

    char interface[IFNAMSIZ];
    int interface_index;
    uint8_t address[LINK_ADDRESS_BYTES];
    uint8_t group[LINK_ADDRESS_BYTES];

    /* sockets[1] is used by UDP only, for the group's port; -1 when there is none. */
    int sockets[2];
    int event_fd;

    /* Invariant: while down, only event_fd is polled, and nothing is sent. */
    bool down;
    int64_t next_probe_ns;
    /* What is left of the time one kp_send may wait for room in the kernel. */
    int64_t send_patience_ns;

    /* One of enum patience. */
    uint32_t patience;
    /* So many of the last waits were short, so the next one may be. */
    int32_t short_waits;
    /* LONG_WEIGHT for each yield that took long, less one for each that did not. */
    int32_t long_yields;
    /* Yields do not pay before this, after that long a pause. */
    int64_t yield_from_ns;
    int64_t yield_pause_ns;

    /* The ring of a packet card; NULL: its frames come by recvmmsg. */
    uint8_t *ring;
    size_t ring_bytes;
    uint32_t ring_place_bytes;
    uint32_t ring_places;
    /* Number of the next place, and where it is. */
    uint32_t ring_next;
    uint8_t *ring_at;

    struct mmsghdr *rx_messages;
    struct iovec *rx_parts;
    struct mmsghdr tx_messages[SEND_BATCH];
    /* Those of message i begin at FRAME_PARTS * i. */
    struct iovec tx_parts[SEND_BATCH * FRAME_PARTS];

    struct kp_udp *udp;
};

/* What kp_probe tells of an interface; drawn again in interfaces.ts. */
struct kp_interface {
    int32_t index;
    int32_t mtu;
    uint32_t flags;
    uint32_t hardware_type;
    uint8_t mac[LINK_ADDRESS_BYTES];
    uint8_t has_ipv4;
    uint8_t unused;
    uint8_t ipv4[4];
};

int kp_probe(const char *name, struct kp_interface *out);

int kp_receive(struct kp *card);
int kp_send(struct kp *card, uint32_t first, uint32_t count);
int kp_wait(struct kp *card, double timeout_us);

int kp_find_up(const struct kp *card, struct kp_interface *out);
int64_t kp_now_ns(void);
void kp_mark_down(struct kp *card);
int kp_set_buffers(int fd);
int kp_read_batch(struct kp *card, int fd, uint32_t first_slot);
bool kp_write_batch(struct kp *card, int fd, uint32_t count);

struct pollfd;
void kp_note_wait(struct kp *card, int64_t start_ns);
int kp_yield(struct kp *card, int64_t now_ns, int64_t deadline_ns);
int kp_spin(struct kp *card, struct pollfd *fds, uint32_t count, int64_t deadline_ns);

bool kp_may_share(const struct kp *card, const uint8_t *first, uint32_t first_bytes,
                  const uint8_t *second, uint32_t second_bytes);
uint32_t kp_share(struct iovec *parts, uint8_t *second, uint32_t second_bytes);
uint32_t kp_take_frame(struct kp *card, uint32_t slot, const uint8_t *frame, uint32_t bytes);

bool kp_ring_make(int fd, uint32_t slot_bytes);
bool kp_ring_map(struct kp *card, int fd);
bool kp_ring_is_ready(struct kp *card);
int kp_ring_receive(struct kp *card);
void kp_ring_close(struct kp *card);

static inline uint8_t *kp_frame(struct kp *card, uint32_t slot)
{
    return card->rx_slots + (uint64_t)slot * card->rx_slot_bytes + SLOT_OFFSET;
}

#endif
