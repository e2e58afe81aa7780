/* The receive ring of a packet card: memory that the kernel lays frames into, so that taking one costs no call. */
#include "nic.h"

#include <linux/if_packet.h>
#include <stddef.h>
#include <sys/mman.h>

/*
 * Documentation/networking/packet_mmap.rst. TPACKET_V2, since it hands over each
 * frame as it comes; V3 hands over blocks by a timer, which costs latency.
 *
 * A place of the ring:
 *
 *   | struct tpacket2_hdr | sockaddr_ll | gap | frame from its link header on
 *   0                     32            52    tp_mac
 *
 * Places fill blocks, and what is left of a block is left free.
 */

/*
 * As many frames as come while this node does not run for some milliseconds; fewer
 * large ones. Not more: a ring is used from end to end, so one that is larger than
 * the processor's cache costs a miss for every 64 bytes of every frame, twice.
 */
#define RING_FRAMES 1024
#define RING_BYTES_MAX (4 * 1024 * 1024)
/* The kernel takes memory for a ring in pieces of this size. */
#define RING_BLOCK_BYTES (128 * 1024)
/*
 * More than what the kernel puts before a frame, tp_mac. With slots, which are
 * multiples of 64, it makes places of whole lines of the cache; and no power of 2,
 * of which all begin in the same few places of the cache.
 */
#define RING_HEAD_BYTES 128

static uint32_t block_places(uint32_t place_bytes)
{
    return RING_BLOCK_BYTES / place_bytes;
}

static uint32_t blocks_for(uint32_t place_bytes)
{
    uint32_t most = RING_BYTES_MAX / RING_BLOCK_BYTES;
    uint32_t blocks = (RING_FRAMES + block_places(place_bytes) - 1) / block_places(place_bytes);
    return blocks < most ? blocks : most;
}

/*
 * Gives the socket a ring for frames that fit slots of `slot_bytes`, before it is
 * bound; false where that cannot be had: recvmmsg does then. It takes some 20 ms, in
 * which the kernel waits for all who may look at the socket.
 */
bool kp_ring_make(int fd, uint32_t slot_bytes)
{
    uint32_t place_bytes = RING_HEAD_BYTES + slot_bytes;
    int version = TPACKET_V2;
    struct tpacket_req request = {
        .tp_block_size = RING_BLOCK_BYTES,
        .tp_block_nr = blocks_for(place_bytes),
        .tp_frame_size = place_bytes,
        .tp_frame_nr = blocks_for(place_bytes) * block_places(place_bytes),
    };
    return setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0;
}

/* Maps the ring that kp_ring_make gave the socket for slots of this card's size; false: it has none any more. */
bool kp_ring_map(struct kp *card, int fd)
{
    uint32_t place_bytes = RING_HEAD_BYTES + card->rx_slot_bytes;
    uint32_t blocks = blocks_for(place_bytes);
    size_t bytes = (size_t)blocks * RING_BLOCK_BYTES;
    void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ring == MAP_FAILED) {
        struct tpacket_req none = {0};
        setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none);
        return false;
    }
    card->ring = ring;
    card->ring_bytes = bytes;
    card->ring_place_bytes = place_bytes;
    card->ring_places = blocks * block_places(place_bytes);
    card->ring_next = 0;
    card->ring_at = card->ring;
    return true;
}

void kp_ring_close(struct kp *card)
{
    if (card->ring)
        munmap(card->ring, card->ring_bytes);
    card->ring = NULL;
}

static struct tpacket2_hdr *next_place(struct kp *card)
{
    return (struct tpacket2_hdr *)card->ring_at;
}

static void step_on(struct kp *card)
{
    card->ring_at += card->ring_place_bytes;
    if (++card->ring_next % block_places(card->ring_place_bytes) != 0)
        return;
    if (card->ring_next == card->ring_places)
        card->ring_next = 0;
    card->ring_at = card->ring +
                    (size_t)(card->ring_next / block_places(card->ring_place_bytes)) * RING_BLOCK_BYTES;
}

/* The kernel handed the next place over. */
bool kp_ring_is_ready(struct kp *card)
{
    return __atomic_load_n(&next_place(card)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* Fills receive slots from 0 on with whole frames; returns how many. */
int kp_ring_receive(struct kp *card)
{
    uint32_t kept = 0, most = card->rx_slot_bytes - SLOT_OFFSET;
    while (kept < card->rx_capacity && kp_ring_is_ready(card)) {
        struct tpacket2_hdr *place = next_place(card);
        if (place->tp_snaplen < place->tp_len || place->tp_snaplen > most) {
            card->counters.truncated++;
        } else {
            uint8_t *frame = (uint8_t *)place + place->tp_mac;
            uint32_t messages = kp_take_frame(card, kept, frame, place->tp_snaplen);
            if (messages == 0)
                break;
            kept += messages;
        }
        __atomic_store_n(&place->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        step_on(card);
    }
    return (int)kept;
}
