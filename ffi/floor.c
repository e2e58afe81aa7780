/* What this shim reaches with no protocol at all: an echo, a relay over a cluster's hops, and what measures them. */
#include "nic.h"

#include <string.h>

/* A frame that does not come back within this time is taken for lost. */
#define PATIENCE_US 100000.0

/*
 * Behind the header, each frame has the number of the newest frame that it speaks for.
 * Its hop stands where a message type would:
 *
 *   echo:  driver --first--> echo --last--> driver
 *   relay: driver --first--> leader --spread--> acceptors, driver; acceptors --last--> everybody
 */
enum { HOP_FIRST = 0, HOP_SPREAD = 1, HOP_LAST = 2 };
enum { HEADER_TYPE = 1, NUMBER = LINK_HEADER_BYTES + HEADER_BYTES };

/* A 2B that answers for one range: header, counts, one range (docs/wire.md). */
enum { VOTE_BYTES = 56 };

/* Roles, as bits of the header (core/layout.ts). */
enum { ROLE_PROPOSER = 1, ROLE_ACCEPTOR = 2, ROLE_ANY = 0xff };

static int least(uint32_t a, uint32_t b)
{
    return (int)(a < b ? a : b);
}

/* A frame of this card that passes the filter of whoever has one of the receivers' roles. */
static void make_frame(struct kp *card, uint8_t *frame, const uint8_t *target,
                       uint8_t hop, uint8_t receivers, uint32_t length, uint64_t number)
{
    uint8_t *header = frame + LINK_HEADER_BYTES;
    uint16_t bytes = (uint16_t)(length - LINK_HEADER_BYTES);
    memset(header, 0, HEADER_BYTES);
    memcpy(frame + LINK_DESTINATION, target, LINK_ADDRESS_BYTES);
    memcpy(frame + LINK_SOURCE, card->address, LINK_ADDRESS_BYTES);
    frame[LINK_ETHERTYPE] = (uint8_t)(card->ethertype >> 8);
    frame[LINK_ETHERTYPE + 1] = (uint8_t)card->ethertype;
    header[HEADER_VERSION] = WIRE_VERSION;
    header[HEADER_TYPE] = hop;
    memcpy(header + HEADER_CLUSTER, &card->cluster, sizeof card->cluster);
    header[HEADER_SENDER_ROLE] = card->roles;
    header[HEADER_RECEIVER_ROLES] = receivers;
    memcpy(header + HEADER_SENDER_ID, &card->id, sizeof card->id);
    memcpy(header + HEADER_LENGTH, &bytes, sizeof bytes);
    memcpy(header + HEADER_INCARNATION, &card->incarnation, sizeof card->incarnation);
    memcpy(frame + NUMBER, &number, sizeof number);
}

static uint8_t hop_of(const uint8_t *frame)
{
    return frame[LINK_HEADER_BYTES + HEADER_TYPE];
}

static uint64_t number_of(const uint8_t *frame)
{
    uint64_t number;
    memcpy(&number, frame + NUMBER, sizeof number);
    return number;
}

/* Points a descriptor at a frame in the core's memory. */
static void queue(struct kp *card, uint32_t index, const uint8_t *frame, uint32_t length)
{
    card->tx_descriptors[index] =
        (struct kp_descriptor){(uint32_t)(frame - card->memory), length};
}

/* Sends a received frame on, to `target`, as a frame of this card: it keeps its bytes and its number. */
static void pass_on(struct kp *card, uint32_t index, uint32_t slot, const uint8_t *target,
                    uint8_t hop)
{
    uint8_t *frame = kp_frame(card, slot);
    make_frame(card, frame, target, hop, ROLE_ANY, card->rx_lengths[slot], number_of(frame));
    queue(card, index, frame, card->rx_lengths[slot]);
}

/* Waits until there may be frames, or spins until there are, and receives; 0 when the time was up. */
static int next_burst(struct kp *card, double timeout_us, bool spins)
{
    if (!spins) {
        int bits = kp_wait(card, timeout_us);
        return bits < 0 ? bits : kp_receive(card);
    }
    int64_t end_ns = kp_now_ns() + (int64_t)(timeout_us * 1000);
    for (;;) {
        int frames = kp_receive(card);
        if (frames != 0 || kp_now_ns() >= end_ns)
            return frames;
    }
}

/* Sends every frame back to where it came from; returns how many, or -errno. */
static int echo_burst(struct kp *card, uint32_t frames)
{
    uint8_t target[LINK_ADDRESS_BYTES];
    for (uint32_t i = 0; i < frames; i++) {
        memcpy(target, kp_frame(card, i) + LINK_SOURCE, sizeof target);
        pass_on(card, i, i, target, HOP_LAST);
    }
    int result = kp_send(card, 0, frames);
    return result < 0 ? result : (int)frames;
}

/* As the leader does with values: every frame of the driver goes to the group. Returns how many, or -errno. */
static int spread_burst(struct kp *card, uint32_t frames)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < frames; i++)
        if (hop_of(kp_frame(card, i)) == HOP_FIRST)
            pass_on(card, count++, i, card->group, HOP_SPREAD);
    int result = kp_send(card, 0, count);
    return result < 0 ? result : (int)count;
}

/* As an acceptor does with a burst: one short frame to the group answers for all of it. */
static int vote_burst(struct kp *card, uint32_t frames)
{
    uint64_t newest = 0;
    uint32_t slot = 0;
    for (uint32_t i = 0; i < frames; i++) {
        const uint8_t *frame = kp_frame(card, i);
        if (hop_of(frame) != HOP_SPREAD || number_of(frame) <= newest)
            continue;
        newest = number_of(frame);
        slot = i;
    }
    if (newest == 0)
        return 0;
    uint8_t *vote = kp_frame(card, slot);
    uint32_t length = LINK_HEADER_BYTES + VOTE_BYTES;
    make_frame(card, vote, card->group, HOP_LAST, ROLE_ANY, length, newest);
    queue(card, 0, vote, length);
    int result = kp_send(card, 0, 1);
    return result < 0 ? result : 1;
}

/*
 * Handles what comes for that many seconds: 0 echoes, ROLE_PROPOSER relays as a leader,
 * ROLE_ACCEPTOR as an acceptor. Returns how many frames it sent, or -errno.
 */
double kp_relay(struct kp *card, uint32_t role, bool spins, double seconds)
{
    int64_t end_ns = kp_now_ns() + (int64_t)(seconds * 1e9);
    double total = 0;
    for (;;) {
        int64_t left_ns = end_ns - kp_now_ns();
        if (left_ns <= 0)
            return total;
        int frames = next_burst(card, (double)left_ns / 1000, spins);
        if (frames < 0)
            return frames;
        uint32_t burst = (uint32_t)least((uint32_t)frames, card->tx_capacity);
        int sent = role == ROLE_PROPOSER ? spread_burst(card, burst)
            : role == ROLE_ACCEPTOR      ? vote_burst(card, burst)
                                         : echo_burst(card, burst);
        if (sent < 0)
            return sent;
        total += sent;
    }
}

/* Sends frames of `length` bytes from the link header on, numbered from `first` on. */
static int serve(struct kp *card, const uint8_t *target, uint32_t length, uint64_t first,
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *frame = kp_frame(card, i);
        make_frame(card, frame, target, HOP_FIRST, ROLE_ANY, length, first + i);
        queue(card, i, frame, length);
    }
    return kp_send(card, 0, count);
}

/* The highest number that a burst answers for, at least `known`. */
static uint64_t newest_answer(struct kp *card, uint32_t frames, uint64_t known)
{
    for (uint32_t i = 0; i < frames; i++) {
        const uint8_t *frame = kp_frame(card, i);
        if (hop_of(frame) == HOP_LAST && number_of(frame) > known)
            known = number_of(frame);
    }
    return known;
}

/*
 * Keeps `window` frames under way to an echo or a relay for that many seconds. Returns
 * how many were answered, or -errno. With a window of 1, the first `sample_capacity`
 * times from sending to answer are written to `samples_ns`.
 */
double kp_drive(struct kp *card, const uint8_t *target, uint32_t length,
                uint32_t window, bool spins, double seconds, uint32_t *samples_ns,
                uint32_t sample_capacity)
{
    int64_t now = kp_now_ns();
    int64_t end_ns = now + (int64_t)(seconds * 1e9);
    int64_t sent_ns = now;
    uint64_t sent = 0, answered = 0, lost = 0;
    uint32_t samples = 0;
    while (now < end_ns) {
        if (sent - answered < window) {
            uint32_t room = window - (uint32_t)(sent - answered);
            sent_ns = kp_now_ns();
            int result = serve(card, target, length, sent + 1, room);
            if (result < 0)
                return result;
            sent += room;
        }
        int frames = next_burst(card, PATIENCE_US, spins);
        if (frames < 0)
            return frames;
        now = kp_now_ns();
        uint64_t newest = newest_answer(card, (uint32_t)frames, answered);
        if (newest > answered) {
            if (window == 1 && samples < sample_capacity)
                samples_ns[samples++] = (uint32_t)(now - sent_ns);
            answered = newest;
        } else if (now - sent_ns > PATIENCE_US * 1000) {
            lost += sent - answered;
            answered = sent;
        }
    }
    return (double)(answered - lost);
}
