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
 */

/* As many frames as come while this node computes or writes to disk; fewer large ones. */
#define RING_FRAMES 4096
#define RING_BYTES_MAX (32 * 1024 * 1024)
/* The kernel takes memory for a ring in pieces of this size. */
#define RING_BLOCK_BYTES (128 * 1024)
/* More than what the kernel puts before a frame, tp_mac. */
#define RING_HEAD_BYTES 128

static uint32_t place_bytes_for(uint32_t frame_bytes)
{
    uint32_t bytes = 2048; /* a power of 2, so that places fill pages */
    while (bytes < RING_HEAD_BYTES + frame_bytes)
        bytes *= 2;
    return bytes;
}

static uint32_t places_for(uint32_t place_bytes)
{
    uint32_t places = RING_BYTES_MAX / place_bytes;
    return places < RING_FRAMES ? places : RING_FRAMES;
}

/*
 * Gives the socket a ring for frames that fit slots of `slot_bytes`, before it is
 * bound; false where that cannot be had: recvmmsg does then. It takes some 20 ms, in
 * which the kernel waits for all who may look at the socket.
 */
bool kp_ring_make(int fd, uint32_t slot_bytes)
{
    uint32_t place_bytes = place_bytes_for(slot_bytes);
    uint32_t places = places_for(place_bytes);
    int version = TPACKET_V2;
    struct tpacket_req request = {
        .tp_block_size = RING_BLOCK_BYTES,
        .tp_block_nr = places * place_bytes / RING_BLOCK_BYTES,
        .tp_frame_size = place_bytes,
        .tp_frame_nr = places,
    };
    return setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0 &&
           setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0;
}

/* Maps the ring that kp_ring_make gave the socket for slots of this card's size; false: it has none any more. */
bool kp_ring_map(struct kp *card, int fd)
{
    uint32_t place_bytes = place_bytes_for(card->rx_slot_bytes);
    uint32_t places = places_for(place_bytes);
    size_t bytes = (size_t)places * place_bytes;
    void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ring == MAP_FAILED) {
        struct tpacket_req none = {0};
        setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none);
        return false;
    }
    card->ring = ring;
    card->ring_bytes = bytes;
    card->ring_place_bytes = place_bytes;
    card->ring_places = places;
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
    return (struct tpacket2_hdr *)(card->ring + (size_t)card->ring_next * card->ring_place_bytes);
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
        if (++card->ring_next == card->ring_places)
            card->ring_next = 0;
    }
    return (int)kept;
}
