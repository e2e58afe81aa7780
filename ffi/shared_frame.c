/* Two messages in one frame: what two roles of a node say to the same address at once. */
#include "nic.h"

#include <string.h>

/*
 * A frame costs its sender and the network far more than the bytes of a short
 * message, and what a leader proposes its own acceptor votes for in the same turn:
 *
 *   | link header | message | zeros up to a multiple of 8 | message |
 *
 * Each message has its own header, and is checked by itself; to the core it comes as a
 * frame of its own. Messages of one role are not put together: how many values go into
 * a frame is the proposer's to decide.
 */

static uint16_t u16_at(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 7) & ~7u;
}

/* May the message in the frame `second` go behind that in `first`? */
bool kp_may_share(const struct kp *card, const uint8_t *first, uint32_t first_bytes,
                  const uint8_t *second, uint32_t second_bytes)
{
    /* A slot is an MTU and what aligns it, so this much surely fits the MTU. */
    const uint32_t most = card->rx_slot_bytes - SLOT_OFFSET - 63;
    const uint8_t *a = first + LINK_HEADER_BYTES, *b = second + LINK_HEADER_BYTES;
    if (first_bytes < LINK_HEADER_BYTES + HEADER_BYTES ||
        second_bytes < LINK_HEADER_BYTES + HEADER_BYTES ||
        padded(first_bytes - LINK_HEADER_BYTES) + second_bytes > most)
        return false;
    /* Filters look at the first message alone: it must be meant for all whom the second is meant for. */
    return memcmp(first + LINK_DESTINATION, second + LINK_DESTINATION, LINK_ADDRESS_BYTES) == 0 &&
           memcmp(first + LINK_ETHERTYPE, second + LINK_ETHERTYPE, 2) == 0 &&
           u16_at(a + HEADER_LENGTH) == first_bytes - LINK_HEADER_BYTES &&
           a[HEADER_SENDER_ROLE] != b[HEADER_SENDER_ROLE] &&
           (b[HEADER_RECEIVER_ROLES] & ~a[HEADER_RECEIVER_ROLES]) == 0 &&
           u16_at(a + HEADER_RECEIVER_ID) == 0 && u16_at(b + HEADER_RECEIVER_ID) == 0;
}

/* Adds a second message to the parts of a frame; returns how many there are. */
uint32_t kp_share(struct iovec *parts, uint8_t *second, uint32_t second_bytes)
{
    static uint8_t zeros[8];
    uint32_t first = (uint32_t)parts[0].iov_len - LINK_HEADER_BYTES;
    uint32_t used = 1;
    if (padded(first) > first)
        parts[used++] = (struct iovec){zeros, padded(first) - first};
    parts[used++] = (struct iovec){second + LINK_HEADER_BYTES, second_bytes - LINK_HEADER_BYTES};
    return used;
}

/* Where in a received frame a second message for this node begins; 0: there is none. */
static uint32_t second_at(const struct kp *card, const uint8_t *frame, uint32_t bytes)
{
    if (bytes < LINK_HEADER_BYTES + HEADER_BYTES)
        return 0;
    uint32_t at = LINK_HEADER_BYTES + padded(u16_at(frame + LINK_HEADER_BYTES + HEADER_LENGTH));
    /* What else may stand there is what Ethernet pads with. */
    if (at + HEADER_BYTES > bytes || frame[at + HEADER_VERSION] != WIRE_VERSION)
        return 0;
    return frame[at + HEADER_RECEIVER_ROLES] & card->roles ? at : 0;
}

/*
 * Lays the messages of a received frame into receive slots from `slot` on, each behind
 * the frame's link header; returns how many, 0 if there are too few slots left.
 */
uint32_t kp_take_frame(struct kp *card, uint32_t slot, const uint8_t *frame, uint32_t bytes)
{
    uint32_t second = second_at(card, frame, bytes);
    if (second == 0) {
        memmove(kp_frame(card, slot), frame, bytes);
        card->rx_lengths[slot] = bytes;
        return 1;
    }
    if (slot + 1 == card->rx_capacity)
        return 0;
    memmove(kp_frame(card, slot), frame, second);
    card->rx_lengths[slot] = second;
    uint8_t *own = kp_frame(card, slot + 1);
    /* It may lie in that very slot. */
    memmove(own + LINK_HEADER_BYTES, frame + second, bytes - second);
    memcpy(own, kp_frame(card, slot), LINK_HEADER_BYTES);
    card->rx_lengths[slot + 1] = bytes - second + LINK_HEADER_BYTES;
    return 2;
}
