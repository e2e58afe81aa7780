/* The card on AF_PACKET: raw Ethernet frames, chosen by a filter in the kernel. */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <unistd.h>

/* --- The filter: classic BPF, so that a foreign frame costs no wake-up and no copy. --- */

/* Classic BPF jumps forward by a count; this one stands for "to the drop at the end" until the end is known. */
enum { TO_DROP = 0xff };

struct program {
    struct sock_filter code[40];
    uint16_t length;
};

static void emit(struct program *program, uint16_t code, uint8_t if_true,
                 uint8_t if_false, uint32_t operand)
{
    program->code[program->length++] =
        (struct sock_filter){code, if_true, if_false, operand};
}

static void require_equal(struct program *program, uint16_t width,
                          uint32_t offset, uint32_t value)
{
    emit(program, BPF_LD | BPF_ABS | width, 0, 0, offset);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_DROP, value);
}

static void require_any_bit(struct program *program, uint32_t offset, uint32_t mask)
{
    emit(program, BPF_LD | BPF_ABS | BPF_B, 0, 0, offset);
    emit(program, BPF_JMP | BPF_JSET | BPF_K, 0, TO_DROP, mask);
}

static void require_zero_or(struct program *program, uint32_t offset, uint32_t value)
{
    emit(program, BPF_LD | BPF_ABS | BPF_H, 0, 0, offset);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_DROP, value);
}

static void refuse_equal(struct program *program, uint16_t width,
                         uint32_t offset, uint32_t value)
{
    emit(program, BPF_LD | BPF_ABS | width, 0, 0, offset);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, TO_DROP, 0, value);
}

static void refuse_any_bit(struct program *program, uint32_t offset, uint32_t mask)
{
    emit(program, BPF_LD | BPF_ABS | BPF_W, 0, 0, offset);
    emit(program, BPF_JMP | BPF_JSET | BPF_K, TO_DROP, 0, mask);
}

static void finish(struct program *program)
{
    emit(program, BPF_RET | BPF_K, 0, 0, UINT32_MAX);
    uint16_t drop = program->length;
    emit(program, BPF_RET | BPF_K, 0, 0, 0);
    for (uint16_t i = 0; i < drop; i++) {
        struct sock_filter *step = &program->code[i];
        if (BPF_CLASS(step->code) != BPF_JMP)
            continue;
        if (step->jt == TO_DROP)
            step->jt = (uint8_t)(drop - i - 1);
        if (step->jf == TO_DROP)
            step->jf = (uint8_t)(drop - i - 1);
    }
}

/*
 * The filter's loads are big-endian, the kpaxos header little-endian: constants
 * are swapped once here. A frame too short for a load is dropped by BPF itself.
 */
static int attach_filter(struct kp *card, int fd, bool loopback)
{
    const uint32_t header = LINK_HEADER_BYTES;
    struct program program = {.length = 0};
    require_equal(&program, BPF_H, LINK_ETHERTYPE, card->ethertype);
    require_equal(&program, BPF_B, header + HEADER_VERSION, WIRE_VERSION);
    require_equal(&program, BPF_H, header + HEADER_CLUSTER,
                  __builtin_bswap16(card->cluster));
    require_any_bit(&program, header + HEADER_RECEIVER_ROLES, card->roles);
    if (card->id != 0)
        require_zero_or(&program, header + HEADER_RECEIVER_ID,
                        __builtin_bswap16(card->id));
    /* On lo what one sends comes back; the incarnation tells it from a neighbour's. */
    refuse_equal(&program, BPF_W, header + HEADER_INCARNATION,
                 __builtin_bswap32(card->incarnation));
    /* On lo each frame passes twice, going out and coming in: keep the latter. */
    if (loopback)
        refuse_equal(&program, BPF_W, SKF_AD_OFF + SKF_AD_PKTTYPE, PACKET_OUTGOING);
    /* The kernel strips a VLAN tag before it shows the frame: another VLAN's cluster is not ours. */
    refuse_any_bit(&program, SKF_AD_OFF + SKF_AD_VLAN_TAG, 0xfff);
    finish(&program);

    struct sock_fprog attached = {.len = program.length, .filter = program.code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) < 0)
        return -errno;
    return 0;
}

/*
 * ETH_P_ALL and not just our EtherType: only the former also hears what other
 * sockets of this host send. A frame to one's own MAC never comes back from the
 * wire, so this is how several roles on one interface hear each other.
 */
static int bind_to_interface(int fd, int interface_index)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = interface_index,
    };
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return 0;
}

/* Real cards and switches pass a multicast frame only to those that joined. */
static int join_group(struct kp *card, int fd, int interface_index)
{
    struct packet_mreq request = {
        .mr_ifindex = interface_index,
        .mr_type = PACKET_MR_MULTICAST,
        .mr_alen = LINK_ADDRESS_BYTES,
    };
    memcpy(request.mr_address, card->group, LINK_ADDRESS_BYTES);
    /* Of an interface that stayed the same the membership is still there: it must not count twice. */
    setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request, sizeof request);
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0)
        return -errno;
    return 0;
}

/* Binds to the interface of the card's name; -ENETDOWN if it is down. */
static int packet_recover(struct kp *card)
{
    struct kp_interface found;
    int result = kp_find_up(card, &found);
    if (result < 0)
        return result;
    result = bind_to_interface(card->sockets[0], found.index);
    if (result < 0)
        return result;
    result = join_group(card, card->sockets[0], found.index);
    /* lo needs no membership, and may not have any. */
    if (result < 0 && !(found.flags & IFF_LOOPBACK))
        return result;
    card->interface_index = found.index;
    memcpy(card->address, found.mac, LINK_ADDRESS_BYTES);
    return 0;
}

static bool packet_is_ready(struct kp *card)
{
    return card->ring && kp_ring_is_ready(card);
}

static int packet_receive(struct kp *card)
{
    if (card->ring)
        return kp_ring_receive(card);
    /* Half of the slots, since each frame may have two messages. */
    uint32_t first = card->rx_capacity / 2;
    int taken = kp_read_batch(card, card->sockets[0], first);
    uint32_t kept = 0;
    for (uint32_t i = first; taken > 0 && i < first + (uint32_t)taken; i++) {
        struct mmsghdr *message = &card->rx_messages[i];
        /* The core sees whole frames only. */
        if (message->msg_hdr.msg_flags & MSG_TRUNC)
            card->counters.truncated++;
        else
            kept += kp_take_frame(card, kept, kp_frame(card, i), message->msg_len);
    }
    return taken < 0 ? taken : (int)kept;
}

/* Makes message `index` of the batch of descriptor `at`, and of the next one if they may share a frame; returns how many it took. */
static uint32_t put_frame(struct kp *card, uint32_t index, uint32_t at, uint32_t end)
{
    struct kp_descriptor frame = card->tx_descriptors[at];
    struct iovec *parts = &card->tx_parts[index * FRAME_PARTS];
    struct msghdr *message = &card->tx_messages[index].msg_hdr;
    uint8_t *bytes = card->memory + frame.offset;
    /* An interface that was made anew may have another MAC than the core was told. */
    memcpy(bytes + LINK_SOURCE, card->address, LINK_ADDRESS_BYTES);
    parts[0] = (struct iovec){bytes, frame.length};
    message->msg_iovlen = 1;
    if (at + 1 == end)
        return 1;
    struct kp_descriptor next = card->tx_descriptors[at + 1];
    uint8_t *second = card->memory + next.offset;
    if (!kp_may_share(card, bytes, frame.length, second, next.length))
        return 1;
    message->msg_iovlen = kp_share(parts, second, next.length);
    return 2;
}

static int packet_send(struct kp *card, uint32_t first, uint32_t count)
{
    uint32_t at = first, end = first + count;
    while (at < end) {
        uint32_t batch = 0;
        while (at < end && batch < SEND_BATCH)
            at += put_frame(card, batch++, at, end);
        if (!kp_write_batch(card, card->sockets[0], batch)) {
            card->counters.send_failures += end - at;
            break;
        }
    }
    return 0;
}

/* packet(7): ENETDOWN may mean down or gone; ENXIO and ENODEV: bound to nothing any more. */
static bool packet_is_lost(struct kp *card, int error)
{
    (void)card;
    return error == ENETDOWN || error == ENXIO || error == ENODEV;
}

/* PACKET_STATISTICS starts from zero after each read. */
static void packet_count_kernel_drops(struct kp *card)
{
    struct tpacket_stats since;
    socklen_t size = sizeof since;
    if (getsockopt(card->sockets[0], SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0)
        card->counters.dropped_by_kernel += since.tp_drops;
}

static void packet_release(struct kp *card)
{
    kp_ring_close(card); /* kp_close closes the socket, and with it goes the membership. */
}

static const struct kp_kind PACKET = {
    .receive = packet_receive,
    .is_ready = packet_is_ready,
    .send = packet_send,
    .is_lost = packet_is_lost,
    .recover = packet_recover,
    .count_kernel_drops = packet_count_kernel_drops,
    .release = packet_release,
};

/* A socket that hears nothing yet: with protocol 0 the filter is in place before the first frame can be. */
static int make_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/*
 * Makes ahead what takes long: a socket with a ring for slots of `slot_bytes`. Any
 * thread may do it, for the kp_packet_open of another; -errno if it cannot be had.
 */
int kp_packet_reserve(uint32_t slot_bytes)
{
    int fd = make_socket();
    if (fd < 0 || kp_ring_make(fd, slot_bytes))
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/*
 * Opens the card on the interface called `name`, as a member of the multicast MAC
 * `group`. `reserved` is a socket of kp_packet_reserve for slots of this size, or -1.
 */
int kp_packet_open(struct kp *card, const char *name, const uint8_t *group, int reserved)
{
    struct kp_interface found;
    int result = kp_probe(name, &found);
    if (result < 0)
        return result;
    strcpy(card->interface, name); /* kp_probe refused what does not fit */
    memcpy(card->group, group, LINK_ADDRESS_BYTES);
    for (uint32_t i = 0; i < card->rx_capacity; i++) {
        card->rx_parts[i] =
            (struct iovec){kp_frame(card, i), card->rx_slot_bytes - SLOT_OFFSET};
        card->rx_messages[i].msg_hdr.msg_iov = &card->rx_parts[i];
        card->rx_messages[i].msg_hdr.msg_iovlen = 1;
    }
    int fd = reserved >= 0 ? reserved : make_socket();
    if (fd < 0)
        return fd;
    card->sockets[0] = fd;
    card->kind = &PACKET;
    result = attach_filter(card, fd, found.flags & IFF_LOOPBACK);
    if (result < 0)
        return result;
    result = kp_set_buffers(fd);
    if (result < 0)
        return result;
    if (reserved >= 0 || kp_ring_make(fd, card->rx_slot_bytes))
        kp_ring_map(card, fd);
    return packet_recover(card);
}
