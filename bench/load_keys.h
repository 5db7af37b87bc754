/* Which keys exist, which of them a connection may name, and in what order it draws them.
 *
 * A space is the keys prefix + 12 digits for 0..n-1, the form redis-benchmark gives them. With
 * --cluster the numbers are grouped by the node that owns their slot, so a connection draws from
 * its node's group without trial and error. A set is the part of a group that one connection draws
 * from: all of it, or, when the order of writes per key matters, every k-th key of it. */
#ifndef BENCH_LOAD_KEYS_H
#define BENCH_LOAD_KEYS_H

#include "bench/load_random.h"
#include "core/base.h"

#define LOAD_KEY_DIGITS 12
#define LOAD_KEY_PREFIX_MAX 128
#define LOAD_SLOTS 16384
#define LOAD_NODES_MAX 256
/* With --cluster each key costs four bytes here. */
#define LOAD_CLUSTER_KEYS_MAX (1ULL << 28)

enum load_order {
    LOAD_ORDER_UNIFORM,
    LOAD_ORDER_ZIPF,
    LOAD_ORDER_SEQUENTIAL,
};

struct load_space {
    const char *prefix;
    uint64_t n;
    uint32_t *ids;                         /* grouped by node; NULL: one group, 0..n-1 */
    uint64_t group_at[LOAD_NODES_MAX + 1]; /* where a node's group starts in ids */
};

struct load_set {
    const uint32_t *ids; /* NULL: the index is the key's number */
    uint64_t first, stride, n;
    enum load_order order;
    uint64_t next; /* sequential */
    struct load_zipf zipf;
};

/* The slot of a key as Redis Cluster defines it: CRC16 (XMODEM) of the key, or of what stands
 * between the first '{' and the next '}' if that is not empty, modulo 16384. */
unsigned load_slot_of(const char *key, size_t n);

/* `node_of_slot` is NULL without --cluster. `prefix` must stay. 0 or -ENOMEM. */
int load_space_init(struct load_space *sp, const char *prefix, uint64_t n,
                    const uint8_t *node_of_slot, unsigned nodes);
void load_space_fini(struct load_space *sp);

/* The keys of `node`, or the `part`-th of `parts` equal portions of them. -ENOENT if that is no key
 * at all. */
int load_set_init(struct load_set *set, const struct load_space *sp, unsigned node, unsigned part,
                  unsigned parts, enum load_order order, double theta);

static inline uint64_t
load_set_draw(struct load_set *set, struct load_rng *rng)
{
    uint64_t r;

    if (likely(set->order == LOAD_ORDER_UNIFORM)) {
        r = load_rng_below(rng, set->n);
    } else if (set->order == LOAD_ORDER_ZIPF) {
        r = load_zipf_next(&set->zipf, rng);
    } else {
        r = set->next;
        set->next = r + 1 == set->n ? 0 : r + 1;
    }
    r = set->first + r * set->stride;
    return set->ids ? set->ids[r] : r;
}

/* Writes the low `width` decimal digits of v, zero padded. */
static inline void
load_put_digits(char *p, unsigned width, uint64_t v)
{
    unsigned pair;

    for (; width >= 2; width -= 2, v /= 100) {
        pair = (unsigned)(v % 100);
        p[width - 1] = (char)('0' + pair % 10);
        p[width - 2] = (char)('0' + pair / 10);
    }
    if (width)
        p[0] = (char)('0' + v % 10);
}

#endif
