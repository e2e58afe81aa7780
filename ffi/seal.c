/*
 * Seals of LMDB's commits: after a power cut a seal tells whether all pages of a commit reached the disk.
 *
 * LMDB flushes a commit's pages and then the first page (0 or 1) that refers to them, so that it never refers to
 * what is not there. Here both go to disk with one flush, in any order, and the seal beside the reference
 * is a hash of all of them: where it does not match, the commit did not end.
 *
 * A commit goes into the first page that its lowest bit says. LMDB writes its first 152 bytes; of the same
 * sector, so that they get to the disk with it or not at all, these are ours:
 *
 *   256  magic u64 | hash of the pages that the commit wrote u64 | hash of bytes 0 to 152 and of these two u64
 *   320  number of the commit before, which is on disk u64 | hash of it u64
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define SEAL_AT 256
#define KNOWN_AT 320
#define SEAL_MAGIC 0x31006c6165736b70 /* "kpseal", version 1 */
#define LMDB_MAGIC 0xbeefc0de
#define NO_PAGE UINT64_MAX
#define DEPTH_MAX 32
#define PAGE_BYTES_MAX 65536

enum page_kind { BRANCH = 1, LEAF = 2, BIG = 4 };
enum node_flag { BIG_VALUE = 1, SUBTREE = 2 };

/* The description of a tree of pages. */
struct tree {
    uint32_t page_bytes;
    uint16_t flags;
    uint16_t depth;
    uint64_t counts[4];
    uint64_t root;
};

struct page {
    uint64_t number;
    uint16_t unused;
    uint16_t kind;
    uint16_t lower; /* With upper: of a big value, how many pages it has. */
    uint16_t upper;
    uint16_t nodes[];
};

/* What LMDB writes of a first page. */
struct meta {
    uint8_t header[16];
    uint32_t magic;
    uint32_t version;
    uint64_t address;
    uint64_t map_bytes;
    struct tree free;
    struct tree main;
    uint64_t last_page;
    uint64_t transaction;
};

struct node {
    uint16_t low;
    uint16_t high;
    uint16_t flags;
    uint16_t key_bytes;
    uint8_t key[];
};

struct seal {
    uint64_t magic;
    uint64_t pages;
    uint64_t whole;
};

struct known {
    uint64_t transaction;
    uint64_t check;
};

/* The first sector of a first page. */
struct slot {
    struct meta meta;
    uint8_t unused[SEAL_AT - sizeof(struct meta)];
    struct seal seal;
    uint8_t unused_too[KNOWN_AT - SEAL_AT - sizeof(struct seal)];
    struct known known;
    uint8_t rest[SECTOR_BYTES - KNOWN_AT - sizeof(struct known)];
};

_Static_assert(sizeof(struct slot) == SECTOR_BYTES, "a slot is a sector");
_Static_assert(sizeof(struct meta) == 152, "as LMDB lays it out");

/* Numbers of pages. */
struct list {
    uint64_t *items;
    size_t count;
    size_t capacity;
};

/* A set of them: open addressing, 0 is free, as no tree has page 0. */
struct set {
    uint64_t *places;
    size_t mask;
    size_t capacity;
};

/* Pages of trees, by their height: leaves are of height 1. */
struct forest {
    struct list heights[DEPTH_MAX + 1];
    /* First pages of big values. */
    struct list big;
};

struct kp_sealer {
    int fd;
    uint32_t page_bytes;
    uint64_t last_page;
    uint64_t pages_read;
    uint64_t hash;
    /* Of the table of tables, then of the tables: what one commit has, and what the one before it had. */
    struct forest main[2];
    struct forest tables[2];
    struct list shared;
    struct set set;
    uint8_t *page;
};

/* ---- XXH64 of bytes whose count is a multiple of 8 ---- */

#define PRIME_1 0x9E3779B185EBCA87
#define PRIME_2 0xC2B2AE3D27D4EB4F
#define PRIME_3 0x165667B19E3779F9
#define PRIME_4 0x85EBCA77C2B2AE63
#define PRIME_5 0x27D4EB2F165667C5

static inline uint64_t turn(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t round_of(uint64_t lane, uint64_t word)
{
    return turn(lane + word * PRIME_2, 31) * PRIME_1;
}

static inline uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ round_of(0, lane)) * PRIME_1 + PRIME_4;
}

static uint64_t hash_of(const void *bytes, size_t count, uint64_t seed)
{
    const uint8_t *at = bytes, *end = at + count;
    uint64_t hash = seed + PRIME_5;
    if (count >= 32) {
        uint64_t a = seed + PRIME_1 + PRIME_2, b = seed + PRIME_2, c = seed, d = seed - PRIME_1;
        for (; end - at >= 32; at += 32) {
            uint64_t words[4];
            memcpy(words, at, sizeof words);
            a = round_of(a, words[0]);
            b = round_of(b, words[1]);
            c = round_of(c, words[2]);
            d = round_of(d, words[3]);
        }
        hash = turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18);
        hash = merge(merge(merge(merge(hash, a), b), c), d);
    }
    hash += count;
    for (; at < end; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = turn(hash ^ round_of(0, word), 27) * PRIME_1 + PRIME_4;
    }
    hash = (hash ^ hash >> 33) * PRIME_2;
    hash = (hash ^ hash >> 29) * PRIME_3;
    return hash ^ hash >> 32;
}

/* ---- lists and sets of pages ---- */

static int add(struct list *list, uint64_t item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        uint64_t *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return 0;
}

static size_t place_of(const struct set *set, uint64_t item)
{
    size_t at = item * PRIME_1 >> 32 & set->mask;
    while (set->places[at] && set->places[at] != item)
        at = (at + 1) & set->mask;
    return at;
}

static int fill(struct set *set, const struct list *list)
{
    size_t size = 64;
    while (size < 2 * list->count)
        size *= 2;
    if (size > set->capacity) {
        uint64_t *places = realloc(set->places, size * sizeof *places);
        if (!places)
            return -ENOMEM;
        set->places = places;
        set->capacity = size;
    }
    memset(set->places, 0, size * sizeof *set->places);
    set->mask = size - 1;
    for (size_t i = 0; i < list->count; i++)
        set->places[place_of(set, list->items[i])] = list->items[i];
    return 0;
}

/* Keeps of a list what the set has not; what it has is added to `shared`, if that is given. */
static int leave_out(struct list *list, const struct set *set, struct list *shared)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        uint64_t item = list->items[i];
        if (!set->places[place_of(set, item)])
            list->items[kept++] = item;
        else if (shared && add(shared, item) < 0)
            return -ENOMEM;
    }
    list->count = kept;
    return 0;
}

/* Takes out of two lists what both have. */
static int cancel(struct kp_sealer *sealer, struct list *fresh, struct list *gone)
{
    if (fresh->count == 0 || gone->count == 0)
        return 0;
    sealer->shared.count = 0;
    if (fill(&sealer->set, gone) < 0 || leave_out(fresh, &sealer->set, &sealer->shared) < 0 ||
        fill(&sealer->set, &sealer->shared) < 0)
        return -ENOMEM;
    return leave_out(gone, &sealer->set, NULL);
}

/* ---- pages ---- */

/* Reads exactly so many bytes; -EBADMSG: the file ends before. */
static int read_at(const struct kp_sealer *sealer, void *to, size_t bytes, uint64_t at)
{
    ssize_t count;
    do
        count = pread(sealer->fd, to, bytes, (off_t)at);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    return (size_t)count == bytes ? 0 : -EBADMSG;
}

static int write_at(const struct kp_sealer *sealer, const void *from, size_t bytes, uint64_t at)
{
    ssize_t count;
    do
        count = pwrite(sealer->fd, from, bytes, (off_t)at);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    return (size_t)count == bytes ? 0 : -EIO;
}

/* Reads a page that must be of one of these kinds. */
static int read_page(struct kp_sealer *sealer, uint64_t number, int kinds)
{
    const struct page *page = (const struct page *)sealer->page;
    if (number < 2 || number > sealer->last_page || ++sealer->pages_read > 2 * sealer->last_page)
        return -EBADMSG;
    int result = read_at(sealer, sealer->page, sealer->page_bytes, number * sealer->page_bytes);
    if (result < 0)
        return result;
    return page->number == number && page->kind & kinds ? 0 : -EBADMSG;
}

static void hash_page(struct kp_sealer *sealer)
{
    sealer->hash = hash_of(sealer->page, sealer->page_bytes, sealer->hash);
}

/* Adds the root of a tree to those at its height. */
static int add_root(struct forest *forest, const struct tree *tree)
{
    if (tree->root == NO_PAGE)
        return 0;
    if (tree->depth < 1 || tree->depth > DEPTH_MAX)
        return -EBADMSG;
    return add(&forest->heights[tree->depth], tree->root);
}

/* Adds what a node of a leaf refers to: a big value, or the root of a table if this is the table of `tables`. */
static int follow_value(struct kp_sealer *sealer, uint32_t at, uint16_t flags,
                        struct forest *forest, struct forest *tables)
{
    if (flags == BIG_VALUE && at + sizeof(uint64_t) <= sealer->page_bytes) {
        uint64_t first;
        memcpy(&first, sealer->page + at, sizeof first);
        return add(&forest->big, first);
    }
    if (flags == SUBTREE && tables && at + sizeof(struct tree) <= sealer->page_bytes) {
        struct tree tree;
        memcpy(&tree, sealer->page + at, sizeof tree);
        return add_root(tables, &tree);
    }
    return flags == 0 ? 0 : -EBADMSG;
}

/* Adds what the page that was read refers to. */
static int follow(struct kp_sealer *sealer, int height, struct forest *forest, struct forest *tables)
{
    const struct page *page = (const struct page *)sealer->page;
    if (page->lower < sizeof *page || page->lower > page->upper || page->upper > sealer->page_bytes)
        return -EBADMSG;
    uint32_t count = (page->lower - (uint32_t)sizeof *page) / 2;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = page->nodes[i];
        if (at < page->upper || at % 2 || at + sizeof(struct node) > sealer->page_bytes)
            return -EBADMSG;
        const struct node *node = (const struct node *)(sealer->page + at);
        uint64_t below = node->low | (uint64_t)node->high << 16 | (uint64_t)node->flags << 32;
        uint32_t value = at + (uint32_t)sizeof *node + node->key_bytes;
        int result = height > 1 ? add(&forest->heights[height - 1], below)
                                : follow_value(sealer, value, node->flags, forest, tables);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Takes the pages at one height into the hash that the newer trees alone have, and finds those below. */
static int walk_height(struct kp_sealer *sealer, int height, struct forest forests[2],
                       struct forest tables[2])
{
    struct list *fresh = &forests[0].heights[height], *gone = &forests[1].heights[height];
    int kind = height > 1 ? BRANCH : LEAF;
    int result = cancel(sealer, fresh, gone);
    for (size_t i = 0; i < fresh->count && result == 0; i++) {
        result = read_page(sealer, fresh->items[i], kind);
        if (result < 0)
            return result;
        hash_page(sealer);
        result = follow(sealer, height, &forests[0], tables);
    }
    /* A leaf that is gone matters only for what it shared with one that is new. */
    int matters = height > 1 || tables || forests[0].big.count > 0;
    for (size_t i = 0; i < gone->count && matters && result == 0; i++) {
        result = read_page(sealer, gone->items[i], kind);
        if (result == 0)
            result = follow(sealer, height, &forests[1], tables ? &tables[1] : NULL);
    }
    return result;
}

/* Takes all pages of a big value into the hash. */
static int walk_big(struct kp_sealer *sealer, uint64_t first)
{
    const struct page *page = (const struct page *)sealer->page;
    int result = read_page(sealer, first, BIG);
    if (result < 0)
        return result;
    uint64_t count = page->lower | (uint64_t)page->upper << 16;
    if (count < 1 || first + count - 1 > sealer->last_page)
        return -EBADMSG;
    hash_page(sealer);
    for (uint64_t next = first + 1; next < first + count; next++) {
        result = read_at(sealer, sealer->page, sealer->page_bytes, next * sealer->page_bytes);
        if (result < 0)
            return result;
        hash_page(sealer);
    }
    return 0;
}

/* Takes all pages into the hash that the newer trees alone have. */
static int walk(struct kp_sealer *sealer, struct forest forests[2], struct forest tables[2])
{
    int result = 0;
    for (int height = DEPTH_MAX; height > 0 && result == 0; height--)
        result = walk_height(sealer, height, forests, tables);
    if (result == 0)
        result = cancel(sealer, &forests[0].big, &forests[1].big);
    for (size_t i = 0; i < forests[0].big.count && result == 0; i++)
        result = walk_big(sealer, forests[0].big.items[i]);
    return result;
}

static void clear(struct forest *forest)
{
    for (int height = 0; height <= DEPTH_MAX; height++)
        forest->heights[height].count = 0;
    forest->big.count = 0;
}

/*
 * Makes the hash of all pages of a commit that the one before it has not. A commit changes no page in its place, so
 * what is new hangs on what is new, and the walk descends only there. In both a page has the same height,
 * so what they share meets there and is left out.
 *
 * Returns -EBADMSG if the pages cannot be followed, or another -errno.
 */
static int hash_pages(struct kp_sealer *sealer, const struct meta *newer, const struct meta *older)
{
    const struct meta *metas[2] = {newer, older};
    sealer->last_page = newer->last_page;
    sealer->pages_read = 0;
    sealer->hash = newer->transaction;
    for (int i = 0; i < 2; i++) {
        clear(&sealer->main[i]);
        clear(&sealer->tables[i]);
        int result = add_root(&sealer->main[i], &metas[i]->main);
        if (result == 0)
            result = add_root(&sealer->tables[i], &metas[i]->free);
        if (result < 0)
            return result;
    }
    int result = walk(sealer, sealer->main, sealer->tables);
    return result < 0 ? result : walk(sealer, sealer->tables, NULL);
}

/* ---- first pages ---- */

static int read_slots(const struct kp_sealer *sealer, struct slot slots[2])
{
    int result = read_at(sealer, &slots[0], sizeof slots[0], 0);
    return result < 0 ? result : read_at(sealer, &slots[1], sizeof slots[1], sealer->page_bytes);
}

static uint64_t seal_check(const struct slot *slot)
{
    uint64_t seed = hash_of(&slot->meta, sizeof slot->meta, SEAL_MAGIC);
    return hash_of(&slot->seal, offsetof(struct seal, whole), seed);
}

/* What stands in the slot is a commit with its own seal. */
static int is_sealed(const struct slot *slot, int index)
{
    return slot->seal.magic == SEAL_MAGIC && slot->seal.whole == seal_check(slot) &&
           (slot->meta.transaction & 1) == (uint64_t)index;
}

/* The commit of which the slot says that it is on disk; 0: none. */
static uint64_t known_in(const struct slot *slot)
{
    uint64_t transaction = slot->known.transaction;
    return slot->known.check == hash_of(&transaction, sizeof transaction, SEAL_MAGIC) ? transaction : 0;
}

static int write_known(const struct kp_sealer *sealer, int index, uint64_t transaction)
{
    struct known known = {transaction, hash_of(&transaction, sizeof transaction, SEAL_MAGIC)};
    return write_at(sealer, &known, sizeof known, (uint64_t)index * sealer->page_bytes + KNOWN_AT);
}

static int write_seal(const struct kp_sealer *sealer, int index, const struct seal *seal)
{
    return write_at(sealer, seal, sizeof *seal, (uint64_t)index * sealer->page_bytes + SEAL_AT);
}

static int flush(const struct kp_sealer *sealer)
{
    return fdatasync(sealer->fd) < 0 ? -errno : 0;
}

/* Seals the newest commit, in slot `index`. */
static int seal_slot(struct kp_sealer *sealer, struct slot slots[2], int index)
{
    struct slot *slot = &slots[index];
    int result = hash_pages(sealer, &slot->meta, &slots[!index].meta);
    if (result < 0)
        return result;
    slot->seal.magic = SEAL_MAGIC;
    slot->seal.pages = sealer->hash;
    slot->seal.whole = seal_check(slot);
    return write_seal(sealer, index, &slot->seal);
}

/*
 * Seals the newest commit and brings it to disk; notes then that it is there, beside the commit before, with no flush
 * of its own: so it is known when damage and not a power cut made the seal wrong.
 *
 * Returns 0 or -errno. The commit counts for nothing then, whatever of it is on disk: it has no seal any more.
 */
int kp_seal(struct kp_sealer *sealer)
{
    struct slot slots[2];
    int result = read_slots(sealer, slots);
    if (result < 0)
        return result;
    int index = slots[1].meta.transaction > slots[0].meta.transaction;
    uint64_t transaction = slots[index].meta.transaction;
    int is_known = known_in(&slots[!index]) == transaction;
    if (!is_sealed(&slots[index], index))
        result = seal_slot(sealer, slots, index);
    if (result == 0)
        result = flush(sealer);
    if (result == 0)
        return is_known ? 0 : write_known(sealer, !index, transaction);
    if (!is_known) {
        struct seal none = {0};
        /* Where this fails too, the disk takes nothing any more, and what it has is seen after the next boot. */
        (void)write_seal(sealer, index, &none);
    }
    return result;
}

/* What kp_seal_look finds of each slot. */
struct kp_slot_state {
    uint64_t transaction;
    uint64_t known;
    uint8_t is_sealed;
    uint8_t is_blank; /* Nothing was ever written beside the commit. */
    uint8_t is_whole; /* Of the newer one of two: all its pages are there. */
    uint8_t unused[5];
};

/* Looks at both commits. Returns 0 or -errno. */
int kp_seal_look(struct kp_sealer *sealer, struct kp_slot_state states[2])
{
    static const uint8_t zeros[SECTOR_BYTES - sizeof(struct meta)];
    struct slot slots[2];
    int result = read_slots(sealer, slots);
    if (result < 0)
        return result;
    for (int i = 0; i < 2; i++) {
        states[i] = (struct kp_slot_state){
            .transaction = slots[i].meta.transaction,
            .known = known_in(&slots[i]),
            .is_sealed = (uint8_t)is_sealed(&slots[i], i),
            .is_blank = memcmp(slots[i].unused, zeros, sizeof zeros) == 0,
        };
    }
    int newer = states[1].transaction > states[0].transaction;
    if (!states[newer].is_sealed || !states[!newer].is_sealed)
        return 0;
    result = hash_pages(sealer, &slots[newer].meta, &slots[!newer].meta);
    states[newer].is_whole = result == 0 && sealer->hash == slots[newer].seal.pages;
    return result == -EBADMSG ? 0 : result;
}

/*
 * Makes the commit in slot `index` the newest one, whatever is in the other: a copy of it, with the number
 * before, takes that place. Returns 0 when that is on disk, or -errno.
 */
int kp_seal_go_back(struct kp_sealer *sealer, uint32_t index)
{
    struct slot slots[2];
    int result = read_slots(sealer, slots);
    if (result < 0)
        return result;
    struct slot copy = slots[index];
    uint64_t number = !index, transaction = copy.meta.transaction;
    memcpy(copy.meta.header, &number, sizeof number);
    copy.meta.transaction--;
    /* It has no pages of its own, so no seal either; what stands beside it tells that the newer one is on disk. */
    copy.seal = (struct seal){0};
    copy.known = (struct known){transaction, hash_of(&transaction, sizeof transaction, SEAL_MAGIC)};
    result = write_at(sealer, &copy, sizeof copy, number * sealer->page_bytes);
    return result < 0 ? result : flush(sealer);
}

/* Bytes of a page, as the database says; where it says nothing sensible, those of the system, LMDB's choice. */
static uint32_t page_bytes_of(const struct kp_sealer *sealer)
{
    struct meta meta;
    if (read_at(sealer, &meta, sizeof meta, 0) == 0 && meta.magic == LMDB_MAGIC) {
        uint32_t bytes = meta.free.page_bytes;
        if (bytes >= SECTOR_BYTES && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) == 0)
            return bytes;
    }
    return (uint32_t)sysconf(_SC_PAGESIZE);
}

void kp_seal_close(struct kp_sealer *sealer)
{
    for (int i = 0; i < 2; i++) {
        struct forest *forests[2] = {&sealer->main[i], &sealer->tables[i]};
        for (int j = 0; j < 2; j++) {
            for (int height = 0; height <= DEPTH_MAX; height++)
                free(forests[j]->heights[height].items);
            free(forests[j]->big.items);
        }
    }
    free(sealer->shared.items);
    free(sealer->set.places);
    free(sealer->page);
    close(sealer->fd);
    free(sealer);
}

/* Opens the database's file, to look only or to seal, and puts the address of the sealer into `out`. Returns 0 or -errno. */
int kp_seal_open(const char *path, uint32_t may_write, uint64_t *out)
{
    struct kp_sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer)
        return -ENOMEM;
    sealer->fd = open(path, (may_write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (sealer->fd < 0) {
        int result = -errno;
        free(sealer);
        return result;
    }
    sealer->page_bytes = page_bytes_of(sealer);
    sealer->page = aligned_alloc(64, sealer->page_bytes);
    if (!sealer->page) {
        kp_seal_close(sealer);
        return -ENOMEM;
    }
    *out = (uint64_t)(uintptr_t)sealer;
    return 0;
}
