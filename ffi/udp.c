/* The card on UDP: the same frames in datagrams, for routed networks and machines without privileges. */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A datagram carries what follows the link header. Of a datagram received the
 * link header is made up here, so that the core sees one layout only; a link
 * address is then IPv4 address (4) and port (2), both in network order.
 */

enum {
    UNICAST = 0,
    GROUP = 1,
    /* Bounds what a group frame can cost in unicast mode. */
    HEARD_MAX = 256,
    PEERS_MAX = 256,
};

/* Somebody not configured who was silent for so long is sent nothing more. */
#define HEARD_SILENCE_NS (10 * 1000 * 1000 * 1000LL)

static const uint8_t EVERY_NODE[LINK_ADDRESS_BYTES] = {255, 255, 255, 255, 255, 255};

struct heard {
    uint8_t address[LINK_ADDRESS_BYTES];
    int64_t last_ns;
};

struct kp_udp {
    /* Own port in network order; 0 until the kernel has chosen one. */
    uint16_t port;
    /* Multicast mode: the group and its port. Unicast mode: sin_port is 0. */
    struct sockaddr_in group;
    /* Unicast mode: the configured peers, and who else was heard from recently. */
    uint8_t peers[PEERS_MAX][LINK_ADDRESS_BYTES];
    uint32_t peer_count;
    struct heard heard[HEARD_MAX];
    uint32_t heard_count;
    /* Which socket is read first; they take turns, so that neither starves the other. */
    int turn;
    int64_t next_check_ns;
    /* Drops of sockets that were closed when the interface was lost. */
    uint64_t earlier_drops;
    struct sockaddr_in *rx_sources;
    struct sockaddr_in tx_targets[SEND_BATCH];
};

static bool multicast_mode(const struct kp_udp *udp)
{
    return udp->group.sin_port != 0;
}

static void to_link_address(uint8_t *out, const struct sockaddr_in *address)
{
    memcpy(out, &address->sin_addr, 4);
    memcpy(out + 4, &address->sin_port, 2);
}

static void from_link_address(struct sockaddr_in *out, const uint8_t *address)
{
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    memcpy(&out->sin_addr, address, 4);
    memcpy(&out->sin_port, address + 4, 2);
}

static bool same_address(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, LINK_ADDRESS_BYTES) == 0;
}

static uint16_t read_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t read_u32(const uint8_t *bytes)
{
    return read_u16(bytes) | (uint32_t)read_u16(bytes + 2) << 16;
}

/* --- Sockets --- */

/* The socket from which everything is sent, so that its address is this node's one link address. */
static int open_unicast(struct kp *card, const struct kp_interface *found)
{
    struct kp_udp *udp = card->udp;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = udp->port};
    memcpy(&own.sin_addr, found->ipv4, 4);
    struct ip_mreqn interface = {.imr_ifindex = found->index};
    interface.imr_address = own.sin_addr;
    /* Several processes of one host hear each other only by the loop. */
    int loop = 1;
    socklen_t size = sizeof own;
    int result = kp_set_buffers(fd);
    if (result == 0 &&
        (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) < 0 ||
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop) < 0 ||
         bind(fd, (struct sockaddr *)&own, sizeof own) < 0 ||
         getsockname(fd, (struct sockaddr *)&own, &size) < 0))
        result = -errno;
    if (result < 0) {
        close(fd);
        return result;
    }
    udp->port = own.sin_port;
    to_link_address(card->address, &own);
    return fd;
}

/* The socket on the group's port, shared by all processes of the host that are members. */
static int open_group(struct kp *card, const struct kp_interface *found)
{
    const struct kp_udp *udp = card->udp;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ip_mreqn membership = {
        .imr_multiaddr = udp->group.sin_addr,
        .imr_ifindex = found->index,
    };
    int reuse = 1;
    /* Without this a socket also hears groups that other processes joined on other interfaces. */
    int all = 0;
    int result = kp_set_buffers(fd);
    if (result == 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) < 0 ||
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &all, sizeof all) < 0 ||
         bind(fd, (const struct sockaddr *)&udp->group, sizeof udp->group) < 0 ||
         setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) < 0))
        result = -errno;
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

/* Datagrams that one socket dropped since it was opened. */
static uint64_t socket_drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

static void close_sockets(struct kp *card)
{
    for (int i = 0; i < 2; i++) {
        card->udp->earlier_drops += socket_drops(card->sockets[i]);
        if (card->sockets[i] >= 0)
            close(card->sockets[i]);
        card->sockets[i] = -1;
    }
}

/* Opens the sockets anew on the interface of the card's name; the own port stays the same. */
static int udp_recover(struct kp *card)
{
    struct kp_interface found;
    int result = kp_find_up(card, &found);
    if (result < 0)
        return result;
    if (!found.has_ipv4)
        return -EADDRNOTAVAIL;
    close_sockets(card);
    result = open_unicast(card, &found);
    if (result < 0)
        return result;
    card->sockets[UNICAST] = result;
    if (multicast_mode(card->udp)) {
        result = open_group(card, &found);
        if (result < 0) {
            close_sockets(card);
            return result;
        }
        card->sockets[GROUP] = result;
    }
    card->interface_index = found.index;
    return 0;
}

/*
 * One peer without a route looks like a lost interface, so look at the interface
 * itself, but not for each of many failing datagrams.
 */
static bool udp_is_lost(struct kp *card, int error)
{
    if (error != ENETUNREACH && error != ENETDOWN && error != ENODEV &&
        error != EADDRNOTAVAIL && error != EINVAL)
        return false;
    int64_t now = kp_now_ns();
    if (now < card->udp->next_check_ns)
        return false;
    card->udp->next_check_ns = now + PROBE_INTERVAL_NS;
    struct kp_interface found;
    return kp_probe(card->interface, &found) < 0 || !(found.flags & IFF_UP) ||
        !found.has_ipv4 || found.index != card->interface_index ||
        memcmp(found.ipv4, card->address, 4) != 0;
}

/* --- Receiving --- */

static bool is_peer(const struct kp_udp *udp, const uint8_t *address)
{
    for (uint32_t i = 0; i < udp->peer_count; i++)
        if (same_address(udp->peers[i], address))
            return true;
    return false;
}

/* Unicast mode: who is heard from gets group frames too. A full table takes nobody in until one falls silent. */
static void note_heard(struct kp_udp *udp, const uint8_t *address, int64_t now)
{
    for (uint32_t i = 0; i < udp->heard_count; i++) {
        if (same_address(udp->heard[i].address, address)) {
            udp->heard[i].last_ns = now;
            return;
        }
    }
    if (udp->heard_count == HEARD_MAX || is_peer(udp, address))
        return;
    struct heard *entry = &udp->heard[udp->heard_count++];
    memcpy(entry->address, address, LINK_ADDRESS_BYTES);
    entry->last_ns = now;
}

static void forget_silent(struct kp_udp *udp, int64_t now)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < udp->heard_count; i++)
        if (now - udp->heard[i].last_ns < HEARD_SILENCE_NS)
            udp->heard[kept++] = udp->heard[i];
    udp->heard_count = kept;
}

/* From our cluster, of our version, and not from ourselves. */
static bool is_ours(const struct kp *card, const uint8_t *header, uint32_t length)
{
    return length >= HEADER_INCARNATION + 4 && header[HEADER_VERSION] == WIRE_VERSION &&
        read_u16(header + HEADER_CLUSTER) == card->cluster &&
        read_u32(header + HEADER_INCARNATION) != card->incarnation;
}

/* Meant for a role and the id of this node. */
static bool is_for_us(const struct kp *card, const uint8_t *header)
{
    uint16_t receiver = read_u16(header + HEADER_RECEIVER_ID);
    return (header[HEADER_RECEIVER_ROLES] & card->roles) != 0 &&
        (card->id == 0 || receiver == 0 || receiver == card->id);
}

/*
 * What the packet card's filter does, after receiving: a datagram that a socket
 * filter drops counts as an error of the whole host and hides real losses.
 * Returns the number of slots in use, those before `first` included.
 */
static int receive_from(struct kp *card, int fd, uint32_t first, int64_t now)
{
    struct kp_udp *udp = card->udp;
    for (uint32_t i = first; i < card->rx_capacity; i++)
        card->rx_messages[i].msg_hdr.msg_namelen = sizeof *udp->rx_sources;
    int taken = kp_read_batch(card, fd, first);
    if (taken < 0)
        return taken;
    uint32_t kept = first;
    for (uint32_t i = first; i < first + (uint32_t)taken; i++) {
        struct mmsghdr *message = &card->rx_messages[i];
        uint8_t *frame = kp_frame(card, i);
        const uint8_t *header = frame + LINK_HEADER_BYTES;
        if (message->msg_hdr.msg_flags & MSG_TRUNC) {
            card->counters.truncated++;
            continue;
        }
        if (!is_ours(card, header, message->msg_len))
            continue;
        to_link_address(frame + LINK_SOURCE, &udp->rx_sources[i]);
        if (!multicast_mode(udp))
            note_heard(udp, frame + LINK_SOURCE, now);
        if (!is_for_us(card, header))
            continue;
        memcpy(frame + LINK_DESTINATION, card->address, LINK_ADDRESS_BYTES);
        frame[LINK_ETHERTYPE] = (uint8_t)(card->ethertype >> 8);
        frame[LINK_ETHERTYPE + 1] = (uint8_t)card->ethertype;
        uint32_t length = LINK_HEADER_BYTES + message->msg_len;
        /* Close the gaps: the core sees only frames meant for it. */
        if (kept != i)
            memcpy(kp_frame(card, kept), frame, length);
        card->rx_lengths[kept++] = length;
    }
    return (int)kept;
}

/* What a socket has, only a system call tells. */
static bool udp_is_ready(struct kp *card)
{
    (void)card;
    return false;
}

static int udp_receive(struct kp *card)
{
    struct kp_udp *udp = card->udp;
    int64_t now = multicast_mode(udp) ? 0 : kp_now_ns();
    int kept = 0;
    udp->turn ^= 1;
    for (int i = 0; i < 2; i++) {
        int fd = card->sockets[udp->turn ^ i];
        if (fd < 0 || kept == (int)card->rx_capacity)
            continue;
        kept = receive_from(card, fd, (uint32_t)kept, now);
        if (kept < 0)
            return kept;
    }
    return kept;
}

/* --- Sending --- */

/* Adds a datagram to the batch, which is sent when full; false when the interface was lost. */
static bool add(struct kp *card, uint32_t *batch, struct kp_descriptor frame,
                const struct sockaddr_in *target)
{
    card->udp->tx_targets[*batch] = *target;
    card->tx_parts[*batch * FRAME_PARTS] = (struct iovec){
        card->memory + frame.offset + LINK_HEADER_BYTES,
        frame.length - LINK_HEADER_BYTES,
    };
    if (++*batch < SEND_BATCH)
        return true;
    *batch = 0;
    return kp_write_batch(card, card->sockets[UNICAST], SEND_BATCH);
}

static bool add_to_address(struct kp *card, uint32_t *batch,
                           struct kp_descriptor frame, const uint8_t *address)
{
    struct sockaddr_in target;
    from_link_address(&target, address);
    return add(card, batch, frame, &target);
}

static bool add_to_everybody(struct kp *card, uint32_t *batch, struct kp_descriptor frame)
{
    struct kp_udp *udp = card->udp;
    if (multicast_mode(udp))
        return add(card, batch, frame, &udp->group);
    for (uint32_t i = 0; i < udp->peer_count; i++)
        if (!same_address(udp->peers[i], card->address) &&
            !add_to_address(card, batch, frame, udp->peers[i]))
            return false;
    for (uint32_t i = 0; i < udp->heard_count; i++)
        if (!add_to_address(card, batch, frame, udp->heard[i].address))
            return false;
    return true;
}

static int udp_send(struct kp *card, uint32_t first, uint32_t count)
{
    uint32_t batch = 0;
    if (!multicast_mode(card->udp))
        forget_silent(card->udp, kp_now_ns());
    for (uint32_t i = 0; i < count; i++) {
        struct kp_descriptor frame = card->tx_descriptors[first + i];
        const uint8_t *target = card->memory + frame.offset + LINK_DESTINATION;
        bool alive = same_address(target, EVERY_NODE)
            ? add_to_everybody(card, &batch, frame)
            : add_to_address(card, &batch, frame, target);
        if (!alive) {
            card->counters.send_failures += count - i - 1;
            return 0;
        }
    }
    if (batch > 0)
        kp_write_batch(card, card->sockets[UNICAST], batch);
    return 0;
}

/* --- Life --- */

static void udp_count_kernel_drops(struct kp *card)
{
    card->counters.dropped_by_kernel = card->udp->earlier_drops +
        socket_drops(card->sockets[UNICAST]) + socket_drops(card->sockets[GROUP]);
}

static void udp_release(struct kp *card)
{
    free(card->udp->rx_sources);
    free(card->udp);
}

static const struct kp_kind UDP = {
    .receive = udp_receive,
    .is_ready = udp_is_ready,
    .send = udp_send,
    .is_lost = udp_is_lost,
    .recover = udp_recover,
    .count_kernel_drops = udp_count_kernel_drops,
    .release = udp_release,
};

/*
 * Opens the card on the interface called `name`, on its first IPv4 address and
 * `port` (0: any). `group` is a link address: group frames go to that IP multicast
 * group, or, when it is NULL, to each of the `peer_count` link addresses at
 * `peers` and to everybody heard from recently.
 */
int kp_udp_open(struct kp *card, const char *name, uint32_t port,
                const uint8_t *group, const uint8_t *peers, uint32_t peer_count)
{
    struct kp_interface found;
    int result = kp_probe(name, &found);
    if (result < 0)
        return result;
    if (peer_count > PEERS_MAX)
        return -E2BIG;
    struct kp_udp *udp = calloc(1, sizeof *udp);
    if (!udp)
        return -ENOMEM;
    udp->rx_sources = calloc(card->rx_capacity, sizeof *udp->rx_sources);
    if (!udp->rx_sources) {
        free(udp);
        return -ENOMEM;
    }
    card->udp = udp;
    card->kind = &UDP;
    strcpy(card->interface, name); /* kp_probe refused what does not fit */
    memcpy(card->group, EVERY_NODE, LINK_ADDRESS_BYTES);
    udp->port = htons((uint16_t)port);
    if (group)
        from_link_address(&udp->group, group);
    if (peer_count > 0)
        memcpy(udp->peers, peers, peer_count * LINK_ADDRESS_BYTES);
    udp->peer_count = peer_count;
    for (uint32_t i = 0; i < card->rx_capacity; i++) {
        struct msghdr *message = &card->rx_messages[i].msg_hdr;
        card->rx_parts[i] = (struct iovec){
            kp_frame(card, i) + LINK_HEADER_BYTES,
            card->rx_slot_bytes - SLOT_OFFSET - LINK_HEADER_BYTES,
        };
        message->msg_iov = &card->rx_parts[i];
        message->msg_iovlen = 1;
        message->msg_name = &udp->rx_sources[i];
    }
    for (uint32_t i = 0; i < SEND_BATCH; i++) {
        card->tx_messages[i].msg_hdr.msg_name = &udp->tx_targets[i];
        card->tx_messages[i].msg_hdr.msg_namelen = sizeof udp->tx_targets[i];
    }
    return udp_recover(card);
}
