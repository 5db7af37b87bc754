/* Encoding: see entropy.h. */
#include "shards/series/entropy.h"

#include <math.h>
#include <stdlib.h>

struct entropy_model {
    uint16_t freq[ENTROPY_CLASSES], start[ENTROPY_CLASSES];
    uint64_t inverse[ENTROPY_CLASSES]; /* 2^63 / freq, rounded up: a division as a multiplication */
    unsigned lo, hi; /* classes that occur */
};

/* Four counters a class, so that runs of one class do not wait for each other. */
void
class_counts_add(struct class_counts *c, const uint64_t *v, size_t n)
{
    uint32_t part[4][ENTROPY_CLASSES] = {0};
    size_t i;
    unsigned k;

    for (i = 0; i + 4 <= n; i += 4)
        for (k = 0; k < 4; k++)
            part[k][bit_width(v[i + k])]++;
    for (; i < n; i++)
        part[0][bit_width(v[i])]++;
    for (k = 0; k < ENTROPY_CLASSES; k++)
        c->of[k] += part[0][k] + part[1][k] + part[2][k] + part[3][k];
}

double
entropy_bits(const struct class_counts *c, size_t n)
{
    double bits = 0;
    unsigned k;

    for (k = 0; k < ENTROPY_CLASSES; k++)
        if (c->of[k])
            bits += c->of[k] * (log2((double)n / c->of[k]) + entropy_rest_bits(k));
    return bits;
}

size_t
entropy_estimate(const struct class_counts *c, size_t n)
{
    unsigned lo = 0, hi = ENTROPY_CLASSES - 1;

    while (lo < hi && !c->of[lo])
        lo++;
    while (hi > lo && !c->of[hi])
        hi--;
    return (size_t)(entropy_bits(c, n) / 8) + 12 + 3 * (hi - lo + 1) / 2;
}

/* Scales the counts so that they add up to ENTROPY_ONE and nothing that occurs gets 0. */
static void
model_build(struct entropy_model *m, const struct class_counts *c, size_t n)
{
    unsigned k, best;
    int left = ENTROPY_ONE;

    *m = (struct entropy_model){.lo = ENTROPY_CLASSES};
    for (k = 0; k < ENTROPY_CLASSES; k++) {
        if (!c->of[k])
            continue;
        m->lo = MIN(m->lo, k);
        m->hi = k;
        m->freq[k] = (uint16_t)MAX((uint64_t)c->of[k] * ENTROPY_ONE / n, 1u);
        left -= m->freq[k];
    }
    for (; left; left += left > 0 ? -1 : 1) { /* at most one step a class */
        for (best = m->lo, k = m->lo; k <= m->hi; k++)
            if (m->freq[k] > m->freq[best])
                best = k;
        m->freq[best] = (uint16_t)(m->freq[best] + (left > 0 ? 1 : -1));
    }
    for (k = m->lo; k < m->hi; k++)
        m->start[k + 1] = (uint16_t)(m->start[k] + m->freq[k]);
    for (k = m->lo; k <= m->hi; k++)
        m->inverse[k] = m->freq[k] ? (1ULL << 63) / m->freq[k] + 1 : 0;
}

static void
model_write(const struct entropy_model *m, struct buf *out)
{
    unsigned k;

    buf_put_u8(out, (uint8_t)m->lo);
    buf_put_u8(out, (uint8_t)(m->hi - m->lo));
    for (k = m->lo; k <= m->hi; k++)
        varint_put(out, m->freq[k]);
}

static uint32_t
state_push(uint32_t x, const struct entropy_model *m, unsigned class)
{
    const uint32_t f = m->freq[class];
    /* exact: 2x * inverse is off from x * 2^64 / f by less than 2^33, and x / f, if no whole number, by at
     * least 1 / f from the next one */
    const uint32_t q = (uint32_t)(((unsigned __int128)(2 * (uint64_t)x) * m->inverse[class]) >> 64);

    return (q << ENTROPY_ONE_BITS) + (x - q * f) + m->start[class];
}

/* Runs over the integers from last to first, as the decoder unwinds a stack: words are filled from
 * the end of `words` downward. Returns the first used place. */
static uint16_t *
push_classes(const uint64_t *v, size_t n, const struct entropy_model *m, uint16_t *words,
             uint32_t state[ENTROPY_STATES])
{
    uint16_t *w = words + n;
    size_t i;

    for (i = n; i-- > 0;) {
        unsigned class = bit_width(v[i]);
        uint32_t *x = &state[i % ENTROPY_STATES];
        if (*x >= (uint64_t)m->freq[class] << (32 - ENTROPY_ONE_BITS)) {
            *--w = (uint16_t)*x;
            *x >>= 16;
        }
        *x = state_push(*x, m, class);
    }
    return w;
}

#define PUT_WIDTH_MAX 56 /* beside up to seven bits that wait, in one word */

/* The bits below the leading ones; room for all of them is made before. */
static void
write_rest(const uint64_t *v, size_t n, const struct class_counts *c, unsigned widest,
           struct buf *out)
{
    uint64_t bits = 0, acc = 0;
    unsigned k, have = 0, width;
    char *p;
    size_t i;

    for (k = 0; k < ENTROPY_CLASSES; k++)
        bits += (uint64_t)c->of[k] * entropy_rest_bits(k);
    p = buf_reserve(out, (bits + 7) / 8 + sizeof(acc));
    ASSERT(widest <= PUT_WIDTH_MAX);
    for (i = 0; i < n; i++) {
        width = entropy_rest_bits(bit_width(v[i]));
        acc |= (v[i] & ((1ULL << width) - 1)) << have;
        have += width;
        put_le64(p, acc);
        p += have / 8;
        acc >>= have & ~7u;
        have &= 7;
    }
    out->n += (bits + 7) / 8;
}

static void
write_wide_rest(const uint64_t *v, size_t n, struct buf *out)
{
    struct bit_writer rest;
    size_t i;

    bit_writer_init(&rest, out);
    for (i = 0; i < n; i++)
        bit_writer_put(&rest, v[i], entropy_rest_bits(bit_width(v[i])));
    bit_writer_finish(&rest);
}

void
entropy_encode(const uint64_t *v, size_t n, const struct class_counts *c, struct buf *out)
{
    struct entropy_model m;
    uint32_t state[ENTROPY_STATES] = {ENTROPY_STATE_LOW, ENTROPY_STATE_LOW};
    uint16_t *words = malloc(n * sizeof(*words)), *first;

    ASSERT(n > 0 && words);
    model_build(&m, c, n);
    first = push_classes(v, n, &m, words, state);
    model_write(&m, out);
    varint_put(out, (uint64_t)(words + n - first));
    buf_append(out, state, sizeof(state));
    buf_append(out, first, (size_t)((char *)(words + n) - (char *)first));
    if (entropy_rest_bits(m.hi) <= PUT_WIDTH_MAX)
        write_rest(v, n, c, entropy_rest_bits(m.hi), out);
    else
        write_wide_rest(v, n, out);
    free(words);
}
