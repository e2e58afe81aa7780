/* A stage for ffi/patience.c: one card whose clock, whose yields and whose frames are what a test says. */
#define sched_yield staged_yield
#include "../patience.c"
#undef sched_yield

#include <string.h>

static int64_t clock_ns;
/* What each yield takes, and the yield of a wait after which there is a frame; 0: after none. */
static int64_t yield_ns;
static uint32_t frame_after;
/* Yields of the last wait. */
static uint32_t yields;
static struct kp card;

int64_t kp_now_ns(void)
{
    return clock_ns;
}

int staged_yield(void)
{
    yields++;
    clock_ns += yield_ns;
    return 0;
}

static bool is_ready(struct kp *unused)
{
    (void)unused;
    return frame_after != 0 && yields >= frame_after;
}

static const struct kp_kind STAGED = {.is_ready = is_ready};

/* A card as it is when it was opened, on a machine that runs for an hour. */
void stage_open(uint32_t patience, bool has_ring)
{
    static uint8_t ring;
    memset(&card, 0, sizeof card);
    card.kind = &STAGED;
    card.patience = patience;
    card.ring = has_ring ? &ring : NULL;
    card.event_fd = -1;
    clock_ns = 3600 * 1000000000LL;
}

/* From now on. */
void stage_yields(double takes_us, uint32_t has_frame_after)
{
    yield_ns = (int64_t)(takes_us * 1000);
    frame_after = has_frame_after;
}

void stage_pass(double us)
{
    clock_ns += (int64_t)(us * 1000);
}

/* A wait slept for so long. */
void stage_slept(double us)
{
    int64_t start_ns = clock_ns;
    stage_pass(us);
    kp_note_wait(&card, start_ns);
}

/* A wait that may last `most_us` (negative: for ever) begins: the bits with which it need not sleep, or 0. */
int stage_wait(double most_us)
{
    yields = 0;
    return kp_yield(&card, clock_ns, most_us < 0 ? -1 : clock_ns + (int64_t)(most_us * 1000));
}

/* Yields of the last wait. */
uint32_t stage_yielded(void)
{
    return yields;
}

double stage_now_us(void)
{
    return (double)clock_ns / 1000;
}
