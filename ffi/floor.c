/* What this shim reaches with no protocol at all: an echo, and the ping-pong that measures it. */
#include "nic.h"

#include <string.h>

/* An echo that does not come within this time is taken for lost. */
#define ECHO_PATIENCE_US 100000.0

/* A frame that passes every filter of the cluster: any role, any id, from this card. */
static void make_frame(struct kp *card, uint8_t *frame, const uint8_t *target, uint32_t length)
{
    uint8_t *header = frame + LINK_HEADER_BYTES;
    uint16_t bytes = (uint16_t)(length - LINK_HEADER_BYTES);
    memset(frame, 0, length);
    memcpy(frame + LINK_DESTINATION, target, LINK_ADDRESS_BYTES);
    memcpy(frame + LINK_SOURCE, card->address, LINK_ADDRESS_BYTES);
    frame[LINK_ETHERTYPE] = (uint8_t)(card->ethertype >> 8);
    frame[LINK_ETHERTYPE + 1] = (uint8_t)card->ethertype;
    header[HEADER_VERSION] = WIRE_VERSION;
    memcpy(header + HEADER_CLUSTER, &card->cluster, sizeof card->cluster);
    header[HEADER_SENDER_ROLE] = card->roles;
    header[HEADER_RECEIVER_ROLES] = 0xff;
    memcpy(header + HEADER_SENDER_ID, &card->id, sizeof card->id);
    memcpy(header + HEADER_LENGTH, &bytes, sizeof bytes);
    memcpy(header + HEADER_INCARNATION, &card->incarnation, sizeof card->incarnation);
}

/* Points descriptor `index` at received frame `index`, turned back to its sender. */
static void turn_back(struct kp *card, uint32_t index)
{
    uint8_t *frame = kp_frame(card, index);
    memcpy(frame + LINK_DESTINATION, frame + LINK_SOURCE, LINK_ADDRESS_BYTES);
    memcpy(frame + LINK_SOURCE, card->address, LINK_ADDRESS_BYTES);
    memcpy(frame + LINK_HEADER_BYTES + HEADER_INCARNATION, &card->incarnation,
           sizeof card->incarnation);
    card->tx_descriptors[index] = (struct kp_descriptor){
        (uint32_t)(frame - card->memory), card->rx_lengths[index]};
}

static int least(uint32_t a, uint32_t b)
{
    return (int)(a < b ? a : b);
}

/* Sends every frame back to where it came from, for that many seconds; returns how many, or -errno. */
double kp_echo(struct kp *card, double seconds)
{
    int64_t end_ns = kp_now_ns() + (int64_t)(seconds * 1e9);
    double echoed = 0;
    for (;;) {
        int64_t left_ns = end_ns - kp_now_ns();
        if (left_ns <= 0)
            return echoed;
        int bits = kp_wait(card, (double)left_ns / 1000);
        if (bits < 0)
            return bits;
        int frames = kp_receive(card);
        if (frames < 0)
            return frames;
        frames = least((uint32_t)frames, card->tx_capacity);
        for (int i = 0; i < frames; i++)
            turn_back(card, (uint32_t)i);
        int result = kp_send(card, 0, (uint32_t)frames);
        if (result < 0)
            return result;
        echoed += frames;
    }
}

/* Sends `count` new frames of `length` bytes from the link header on; they share the first slot's bytes. */
static int serve(struct kp *card, const uint8_t *target, uint32_t length, uint32_t count)
{
    uint8_t *frame = kp_frame(card, 0);
    make_frame(card, frame, target, length);
    for (uint32_t i = 0; i < count; i++)
        card->tx_descriptors[i] =
            (struct kp_descriptor){(uint32_t)(frame - card->memory), length};
    return kp_send(card, 0, count);
}

/*
 * Keeps `window` frames under way to an echoing card for that many seconds.
 * Returns how many came back, or -errno. With a window of 1, the first
 * `sample_capacity` round trips are written to `samples_ns`.
 */
double kp_pingpong(struct kp *card, const uint8_t *target, uint32_t length,
                   uint32_t window, double seconds, uint32_t *samples_ns,
                   uint32_t sample_capacity)
{
    int64_t now = kp_now_ns();
    int64_t end_ns = now + (int64_t)(seconds * 1e9);
    int64_t sent_ns = now;
    double returned = 0;
    uint32_t under_way = 0, samples = 0;
    while (now < end_ns) {
        if (under_way < window) {
            sent_ns = kp_now_ns();
            int result = serve(card, target, length, window - under_way);
            if (result < 0)
                return result;
            under_way = window;
        }
        int bits = kp_wait(card, ECHO_PATIENCE_US);
        if (bits < 0)
            return bits;
        int frames = kp_receive(card);
        if (frames < 0)
            return frames;
        now = kp_now_ns();
        if (frames == 0 && now - sent_ns > ECHO_PATIENCE_US * 1000) {
            under_way = 0;
            continue;
        }
        if (frames > 0 && window == 1 && samples < sample_capacity)
            samples_ns[samples++] = (uint32_t)(now - sent_ns);
        under_way -= (uint32_t)least((uint32_t)frames, under_way);
        returned += frames;
    }
    return returned;
}
