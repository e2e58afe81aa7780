/* How a card waits before it sleeps, or in place of sleeping. */
#include "nic.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

/*
 * To sleep costs this thread some 20 µs until it runs again, and whoever wakes it
 * an interrupt of another core: several times what a frame costs otherwise. So a
 * card whose last waits were short gives its core away instead, again and again, to
 * whoever has work, and looks for a frame in between. It sleeps when none came for
 * YIELD_NS. An idle node, whose waits are long, costs nothing.
 */
#define YIELD_NS (50 * 1000LL)
#define SHORT_NS (1000 * 1000LL)
/* So many one after another: the few frames of an idle cluster come in twos and threes. */
#define SHORT_WAITS 4
/*
 * A core that is away for so long may be in the hands of a program that computes
 * all the time, which a sleeper would interrupt. Where that happens more often than
 * one time in LONG_WEIGHT, a card sleeps at once for a while, and longer each time
 * it finds the core as busy as before.
 */
#define LONG_NS (2000 * 1000LL)
#define LONG_WEIGHT 8
#define LONG_MOST (4 * LONG_WEIGHT)
#define PAUSE_NS_MIN (20 * 1000 * 1000LL)
#define PAUSE_NS_MAX (1280 * 1000 * 1000LL)
#define PAUSE_AGAIN_NS (100 * 1000 * 1000LL)
/*
 * Looks of a busy wait at its card's own memory, some 50 µs together, before it asks
 * the kernel for all else. While it asks, it sees no frame, and holds up who sends it one.
 */
#define LOOKS 1024

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The core was away for long; pauses when that is the rule. */
static void yielded_long(struct kp *card, int64_t now_ns)
{
    card->long_yields += LONG_WEIGHT;
    if (card->long_yields <= LONG_MOST)
        return;
    /* After the pause the next one is enough. */
    card->long_yields = LONG_MOST;
    bool again = now_ns - card->yield_from_ns < PAUSE_AGAIN_NS;
    card->yield_pause_ns = again ? card->yield_pause_ns * 2 : PAUSE_NS_MIN;
    if (card->yield_pause_ns > PAUSE_NS_MAX)
        card->yield_pause_ns = PAUSE_NS_MAX;
    card->yield_from_ns = now_ns + card->yield_pause_ns;
}

/* What a wait that slept from `start_ns` on tells of the next. */
void kp_note_wait(struct kp *card, int64_t start_ns)
{
    if (kp_now_ns() - start_ns >= SHORT_NS)
        card->short_waits = 0;
    else if (card->short_waits < SHORT_WAITS)
        card->short_waits++;
}

/* Yields for a while from `now_ns` on, where that may pay; returns WAIT_ bits, 0: nothing came. */
int kp_yield(struct kp *card, int64_t now_ns, int64_t deadline_ns)
{
    /* Without a ring only a system call tells whether a frame is there. */
    if (card->patience != YIELDS || !card->ring || card->short_waits < SHORT_WAITS ||
        now_ns < card->yield_from_ns)
        return 0;
    int64_t end_ns = now_ns + YIELD_NS;
    if (deadline_ns >= 0 && deadline_ns < end_ns)
        end_ns = deadline_ns;
    while (now_ns < end_ns) {
        int64_t before_ns = now_ns;
        sched_yield();
        now_ns = kp_now_ns();
        bool was_long = now_ns - before_ns > LONG_NS;
        if (was_long)
            yielded_long(card, now_ns);
        if (card->kind->is_ready(card)) {
            if (!was_long && card->long_yields > 0)
                card->long_yields--;
            return WAIT_FRAMES;
        }
        uint64_t wakes;
        if (read(card->event_fd, &wakes, sizeof wakes) > 0)
            return WAIT_WOKEN;
    }
    return 0;
}

/*
 * As ppoll, without a sleep, until `deadline_ns` (negative: for ever). A frame that
 * the card saw by itself is told as one of fds[1], its socket.
 */
int kp_spin(struct kp *card, struct pollfd *fds, uint32_t count, int64_t deadline_ns)
{
    static const struct timespec AT_ONCE;
    for (;;) {
        for (int i = 0; i < LOOKS; i++) {
            if (card->kind->is_ready(card)) {
                fds[1].revents = POLLIN;
                return 1;
            }
            relax();
        }
        int ready = ppoll(fds, count, &AT_ONCE, NULL);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 || (deadline_ns >= 0 && kp_now_ns() >= deadline_ns))
            return ready > 0 ? ready : 0;
    }
}
