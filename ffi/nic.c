/* The life of a card whatever its kind: opening, waiting, losing and finding its interface, counting, closing. */
#include "nic.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/*
 * Every function returns >= 0 or -errno, prints nothing and never exits. There is
 * no static state: each thread of a process may load its own copy of this library.
 */

/* Bursts of a whole cluster must fit while this node computes or writes to disk. */
#define RECEIVE_BUFFER_BYTES (8 * 1024 * 1024)
/* One outbox of the core (hundreds of full frames) must fit without waiting. */
#define SEND_BUFFER_BYTES (2 * 1024 * 1024)
/* A full card is waited for this long in one kp_send; then frames are dropped, as a switch would. */
#define SEND_PATIENCE_NS (10 * 1000 * 1000LL)
/* A full queue of the interface gives no event to wait for, so it is tried again after this. */
#define QUEUE_RETRY_NS (100 * 1000LL)

int64_t kp_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Monotonic time in µs. The runtime's own clock costs the node's thread three times as much. */
double kp_now_us(void)
{
    return (double)kp_now_ns() / 1000;
}

/* The interface's index, MTU, flags and addresses; -ENODEV if there is none of that name. */
int kp_probe(const char *name, struct kp_interface *out)
{
    struct ifreq request;
    if (strlen(name) >= sizeof request.ifr_name)
        return -ENODEV;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    memset(out, 0, sizeof *out);
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, name);

    int result = 0;
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) {
        result = -errno;
        goto done;
    }
    out->index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFMTU, &request) < 0) {
        result = -errno;
        goto done;
    }
    out->mtu = request.ifr_mtu;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
        result = -errno;
        goto done;
    }
    out->flags = (uint16_t)request.ifr_flags;
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) {
        result = -errno;
        goto done;
    }
    out->hardware_type = request.ifr_hwaddr.sa_family;
    memcpy(out->mac, request.ifr_hwaddr.sa_data, sizeof out->mac);
    if (ioctl(fd, SIOCGIFADDR, &request) == 0) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)&request.ifr_addr;
        memcpy(out->ipv4, &ipv4->sin_addr, sizeof out->ipv4);
        out->has_ipv4 = 1;
    }
done:
    close(fd);
    return result;
}

/* Looks at the interface of the card's name again; -ENETDOWN if it is down. */
int kp_find_up(const struct kp *card, struct kp_interface *out)
{
    int result = kp_probe(card->interface, out);
    if (result < 0)
        return result;
    return out->flags & IFF_UP ? 0 : -ENETDOWN;
}

/* Writes the names of this namespace's interfaces, "lo, eth0", cut at `capacity`; returns the bytes written. */
int kp_interfaces(char *out, uint32_t capacity)
{
    struct if_nameindex *list = if_nameindex();
    if (!list)
        return -errno;
    uint32_t used = 0;
    for (struct if_nameindex *entry = list; entry->if_index != 0; entry++) {
        uint32_t need = strlen(entry->if_name) + (used ? 2 : 0);
        if (used + need > capacity)
            break;
        if (used) {
            memcpy(out + used, ", ", 2);
            used += 2;
        }
        memcpy(out + used, entry->if_name, strlen(entry->if_name));
        used += strlen(entry->if_name);
    }
    if_freenameindex(list);
    return (int)used;
}

/* A card without a socket yet, over the given part of the core's memory; NULL if memory is short. */
struct kp *kp_new(uint8_t *memory, double memory_bytes, uint32_t rx_slots,
                  uint32_t rx_slot_bytes, uint32_t rx_capacity,
                  uint32_t rx_lengths, uint32_t tx_descriptors,
                  uint32_t tx_capacity)
{
    struct kp *card = calloc(1, sizeof *card);
    if (!card)
        return NULL;
    card->memory = memory;
    card->memory_bytes = (uint64_t)memory_bytes;
    card->rx_slots = memory + rx_slots;
    card->rx_slot_bytes = rx_slot_bytes;
    card->rx_capacity = rx_capacity;
    card->rx_lengths = (uint32_t *)(memory + rx_lengths);
    card->tx_descriptors = (struct kp_descriptor *)(memory + tx_descriptors);
    card->tx_capacity = tx_capacity;
    card->sockets[0] = card->sockets[1] = -1;
    card->rx_messages = calloc(rx_capacity, sizeof *card->rx_messages);
    card->rx_parts = calloc(rx_capacity, sizeof *card->rx_parts);
    card->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!card->rx_messages || !card->rx_parts || card->event_fd < 0) {
        if (card->event_fd >= 0)
            close(card->event_fd);
        free(card->rx_messages);
        free(card->rx_parts);
        free(card);
        return NULL;
    }
    for (uint32_t i = 0; i < SEND_BATCH; i++) {
        card->tx_messages[i].msg_hdr.msg_iov = &card->tx_parts[i * FRAME_PARTS];
        card->tx_messages[i].msg_hdr.msg_iovlen = 1;
    }
    return card;
}

/* Who this node is; to be told before the card is opened, as the filter is made from it. */
int kp_identify(struct kp *card, uint32_t cluster, uint32_t ethertype,
                uint32_t roles, uint32_t id, uint32_t incarnation)
{
    card->cluster = (uint16_t)cluster;
    card->ethertype = (uint16_t)ethertype;
    card->roles = (uint8_t)roles;
    card->id = (uint16_t)id;
    card->incarnation = incarnation;
    return 0;
}

/* The *FORCE options pass net.core.[rw]mem_max but need CAP_NET_ADMIN; without it, take what is allowed. */
int kp_set_buffers(int fd)
{
    int receive = RECEIVE_BUFFER_BYTES, send = SEND_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) < 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send) < 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send) < 0)
        return -errno;
    return 0;
}

/* The interface is gone or down. The first probe comes at once: it may be back already. */
void kp_mark_down(struct kp *card)
{
    card->down = true;
    card->next_probe_ns = kp_now_ns();
}

/*
 * One recvmmsg into the slots from `first_slot` on. Returns how many messages it
 * took (cut ones too: their MSG_TRUNC is set), 0 when there are none, or -errno.
 */
int kp_read_batch(struct kp *card, int fd, uint32_t first_slot)
{
    int taken = recvmmsg(fd, card->rx_messages + first_slot,
                         card->rx_capacity - first_slot, MSG_DONTWAIT, NULL);
    if (taken >= 0)
        return taken;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    int error = errno;
    if (card->kind->is_lost(card, error)) {
        kp_mark_down(card);
        return 0;
    }
    /* What the network reported about an earlier datagram disturbs no later one. */
    if (error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
        error == ENETDOWN)
        return 0;
    return -error;
}

/* Waits for room to send, within what is left of this kp_send's patience; false when that is over. */
static bool wait_for_room(struct kp *card, int fd, int error)
{
    if (card->send_patience_ns <= 0)
        return false;
    int64_t start = kp_now_ns();
    if (error == ENOBUFS) {
        struct timespec pause = {.tv_nsec = QUEUE_RETRY_NS};
        nanosleep(&pause, NULL);
    } else {
        struct timespec limit = {.tv_nsec = card->send_patience_ns};
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        ppoll(&poll_fd, 1, &limit, NULL);
    }
    card->send_patience_ns -= kp_now_ns() - start;
    return true;
}

/* A frame alone goes by the call that has the least to read. */
static int send_some(struct kp *card, int fd, uint32_t first, uint32_t count)
{
    struct msghdr *message = &card->tx_messages[first].msg_hdr;
    if (count > 1 || message->msg_name || message->msg_iovlen > 1)
        return sendmmsg(fd, card->tx_messages + first, count, MSG_DONTWAIT);
    ssize_t sent = send(fd, message->msg_iov->iov_base, message->msg_iov->iov_len, MSG_DONTWAIT);
    return sent < 0 ? -1 : 1;
}

/*
 * Sends tx_messages 0 to count-1 in order; one that cannot be sent is counted and
 * skipped. Returns false when the interface was lost: nothing more can be sent now.
 */
bool kp_write_batch(struct kp *card, int fd, uint32_t count)
{
    uint32_t done = 0;
    while (done < count) {
        int sent = send_some(card, fd, done, count - done);
        if (sent > 0) {
            done += (uint32_t)sent;
            card->counters.sent += (uint32_t)sent;
            continue;
        }
        int error = errno;
        if (error == EINTR)
            continue;
        if ((error == EAGAIN || error == ENOBUFS) && wait_for_room(card, fd, error))
            continue;
        if (card->kind->is_lost(card, error)) {
            card->counters.send_failures += count - done;
            kp_mark_down(card);
            return false;
        }
        card->counters.send_failures++;
        done++;
    }
    return true;
}

/* Fills receive slots from 0 on with whole frames meant for this node; returns how many. */
int kp_receive(struct kp *card)
{
    int taken = card->kind->receive(card);
    if (taken > 0)
        card->counters.received += (uint32_t)taken;
    return taken;
}

/* Sends the frames of descriptors first to first+count-1; -EINVAL if one lies outside of the core's memory. */
int kp_send(struct kp *card, uint32_t first, uint32_t count)
{
    if (first > card->tx_capacity || count > card->tx_capacity - first)
        return -EINVAL;
    for (uint32_t i = first; i < first + count; i++) {
        struct kp_descriptor frame = card->tx_descriptors[i];
        if (frame.length < LINK_HEADER_BYTES ||
            (uint64_t)frame.offset + frame.length > card->memory_bytes)
            return -EINVAL;
    }
    if (card->down) {
        card->counters.send_failures += count;
        return 0;
    }
    card->send_patience_ns = SEND_PATIENCE_NS;
    return card->kind->send(card, first, count);
}

/* Ends the wait of the card with this event fd; callable from any thread and any copy of this library. */
int kp_wake(int event_fd)
{
    uint64_t one = 1;
    /* EAGAIN: the counter is full, so the sleeper will wake anyhow. */
    if (write(event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}

static void drain_event(int event_fd)
{
    uint64_t count;
    if (read(event_fd, &count, sizeof count) < 0)
        return; /* EAGAIN: another wait was quicker. */
}

/* ppoll until `deadline_ns` (negative: for ever); returns ppoll's result, 0 if a signal came. */
static int poll_until(struct pollfd *fds, uint32_t count, int64_t deadline_ns)
{
    struct timespec limit, *limit_pointer = NULL;
    if (deadline_ns >= 0) {
        int64_t left = deadline_ns - kp_now_ns();
        if (left < 0)
            left = 0;
        limit.tv_sec = left / 1000000000LL;
        limit.tv_nsec = left % 1000000000LL;
        limit_pointer = &limit;
    }
    int ready = ppoll(fds, count, limit_pointer, NULL);
    return ready < 0 ? (errno == EINTR ? 0 : -errno) : ready;
}

/*
 * The wait of a card without interface: only the event fd is polled, so that a
 * socket in error cannot make it spin, and each PROBE_INTERVAL_NS the interface is
 * looked for. Returns 0 as soon as it is back.
 */
static int wait_down(struct kp *card, int64_t deadline_ns)
{
    for (;;) {
        int64_t now = kp_now_ns();
        if (now >= card->next_probe_ns) {
            card->next_probe_ns = now + PROBE_INTERVAL_NS;
            if (card->kind->recover(card) == 0) {
                card->down = false;
                card->counters.flaps++;
                return 0;
            }
        }
        int64_t until = card->next_probe_ns;
        if (deadline_ns >= 0 && deadline_ns < until)
            until = deadline_ns;
        struct pollfd event = {.fd = card->event_fd, .events = POLLIN};
        int ready = poll_until(&event, 1, until);
        if (ready < 0)
            return ready;
        if (ready > 0) {
            drain_event(card->event_fd);
            return WAIT_WOKEN | WAIT_DOWN;
        }
        if (deadline_ns >= 0 && kp_now_ns() >= deadline_ns)
            return WAIT_DOWN;
    }
}

/* Reads and so clears a socket's pending error; true if it means that the interface is lost. */
static bool socket_lost(struct kp *card, int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return error != 0 && card->kind->is_lost(card, error);
}

/* Sleeps until a frame, a wake, the loss or return of the interface, or the time; returns WAIT_ bits. */
int kp_wait(struct kp *card, double timeout_us)
{
    int64_t start_ns = kp_now_ns();
    int64_t deadline_ns = timeout_us < 0 ? -1 : start_ns + (int64_t)(timeout_us * 1000);
    if (card->down)
        return wait_down(card, deadline_ns);
    /* A card that is lost has no frames for long, so that is found out nevertheless. */
    if (card->kind->is_ready(card))
        return WAIT_FRAMES;
    int bits = kp_yield(card, start_ns, deadline_ns);
    if (bits != 0)
        return bits;

    struct pollfd fds[3] = {
        {.fd = card->event_fd, .events = POLLIN},
        {.fd = card->sockets[0], .events = POLLIN},
        {.fd = card->sockets[1], .events = POLLIN}, /* -1 is ignored by ppoll */
    };
    int ready = card->patience == SPINS ? kp_spin(card, fds, 3, deadline_ns)
                                        : poll_until(fds, 3, deadline_ns);
    kp_note_wait(card, start_ns);
    if (ready <= 0)
        return ready;
    if (fds[0].revents) {
        drain_event(card->event_fd);
        bits |= WAIT_WOKEN;
    }
    for (int i = 1; i <= 2; i++) {
        if (fds[i].revents & POLLIN)
            bits |= WAIT_FRAMES;
        if ((fds[i].revents & ~POLLIN) && socket_lost(card, fds[i].fd)) {
            kp_mark_down(card);
            bits |= WAIT_DOWN;
        }
    }
    return bits;
}

/* Writes the counters, u64 each, in the order of struct kp_counters. */
int kp_stats(struct kp *card, uint64_t *out)
{
    card->kind->count_kernel_drops(card);
    memcpy(out, &card->counters, sizeof card->counters);
    return 0;
}

/* How the card waits from now on: one of enum patience. */
int kp_set_patience(struct kp *card, uint32_t patience)
{
    card->patience = patience;
    return 0;
}

int kp_event_fd(struct kp *card)
{
    return card->event_fd;
}

/* Writes the card's own link address; it may change when the interface was made anew. */
int kp_address(struct kp *card, uint8_t *out)
{
    memcpy(out, card->address, LINK_ADDRESS_BYTES);
    return 0;
}

int kp_close(struct kp *card)
{
    if (card->kind)
        card->kind->release(card);
    for (int i = 0; i < 2; i++)
        if (card->sockets[i] >= 0)
            close(card->sockets[i]);
    close(card->event_fd);
    free(card->rx_messages);
    free(card->rx_parts);
    free(card);
    return 0;
}
