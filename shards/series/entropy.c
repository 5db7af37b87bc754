#include "shards/series/entropy.h"

#include <math.h>
#include <stdlib.h>

#define STATE_LOW (1u << 16) /* states live in [STATE_LOW, 2^32) between integers */
#define STATES 2

struct entropy_model {
    uint16_t freq[ENTROPY_CLASSES], start[ENTROPY_CLASSES];
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

static unsigned
rest_bits(unsigned class)
{
    return class ? class - 1 : 0;
}

size_t
entropy_estimate(const struct class_counts *c, size_t n)
{
    double bits = 0;
    unsigned k, lo = ENTROPY_CLASSES, hi = 0;

    for (k = 0; k < ENTROPY_CLASSES; k++) {
        if (!c->of[k])
            continue;
        lo = MIN(lo, k);
        hi = k;
        bits += c->of[k] * (log2((double)n / c->of[k]) + rest_bits(k));
    }
    return (size_t)(bits / 8) + 12 + 3 * (hi - lo + 1) / 2;
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
    uint32_t f = m->freq[class];

    return (x / f << ENTROPY_ONE_BITS) + x % f + m->start[class];
}

/* Runs over the integers from last to first, as the decoder unwinds a stack: words are filled from
 * the end of `words` downward. Returns the first used place. */
static uint16_t *
push_classes(const uint64_t *v, size_t n, const struct entropy_model *m, uint16_t *words,
             uint32_t state[STATES])
{
    uint16_t *w = words + n;
    size_t i;

    for (i = n; i-- > 0;) {
        unsigned class = bit_width(v[i]);
        uint32_t *x = &state[i % STATES];
        if (*x >= (uint64_t)m->freq[class] << (32 - ENTROPY_ONE_BITS)) {
            *--w = (uint16_t)*x;
            *x >>= 16;
        }
        *x = state_push(*x, m, class);
    }
    return w;
}

void
entropy_encode(const uint64_t *v, size_t n, const struct class_counts *c, struct buf *out)
{
    struct entropy_model m;
    struct bit_writer rest;
    uint32_t state[STATES] = {STATE_LOW, STATE_LOW};
    uint16_t *words = malloc(n * sizeof(*words)), *first;
    size_t i;

    ASSERT(n > 0 && words);
    model_build(&m, c, n);
    first = push_classes(v, n, &m, words, state);
    model_write(&m, out);
    varint_put(out, (uint64_t)(words + n - first));
    buf_append(out, state, sizeof(state));
    buf_append(out, first, (size_t)((char *)(words + n) - (char *)first));
    bit_writer_init(&rest, out);
    for (i = 0; i < n; i++)
        bit_writer_put(&rest, v[i], rest_bits(bit_width(v[i])));
    bit_writer_finish(&rest);
    free(words);
}

#define PLACE_FREQ_SHIFT 20
#define PLACE_OFFSET_SHIFT 8
#define PLACE_OFFSET_MASK (ENTROPY_ONE - 1)
#define PLACE_CLASS_MASK 0xff
static_assert(ENTROPY_ONE_BITS <= PLACE_FREQ_SHIFT - PLACE_OFFSET_SHIFT,
              "the parts do not overlap");

static bool
model_read(struct entropy_decoder *d, struct cursor *c)
{
    uint8_t lo, more;
    uint64_t freq;
    uint32_t sum = 0, i;
    unsigned k;

    if (!cursor_u8(c, &lo) || !cursor_u8(c, &more) || lo + more >= ENTROPY_CLASSES)
        return false;
    for (k = lo; k <= (unsigned)lo + more; k++) {
        if (!varint_get(c, &freq) || freq > ENTROPY_ONE - sum)
            return false;
        for (i = 0; i < freq; i++)
            d->place[sum + i] =
                (uint32_t)freq << PLACE_FREQ_SHIFT | i << PLACE_OFFSET_SHIFT | (uint32_t)k;
        sum += (uint32_t)freq;
    }
    return sum == ENTROPY_ONE;
}

bool
entropy_decoder_init(struct entropy_decoder *d, struct slice in)
{
    struct cursor c = cursor_of(in);
    const uint8_t *p;
    uint64_t words;

    if (!model_read(d, &c) || !varint_get(&c, &words))
        return false;
    p = cursor_take(&c, sizeof(d->state));
    if (!p || words > cursor_left(&c) / 2)
        return false;
    memcpy(d->state, p, sizeof(d->state));
    d->word = cursor_take(&c, words * 2);
    d->word_end = c.p;
    bit_reader_init(&d->rest, c.p, cursor_left(&c));
    d->turn = 0;
    d->overrun = false;
    return d->state[0] >= STATE_LOW && d->state[1] >= STATE_LOW;
}

static inline unsigned
pop_class(struct entropy_decoder *d, uint32_t *state)
{
    uint32_t x = *state, place = d->place[x & (ENTROPY_ONE - 1)];

    x = (place >> PLACE_FREQ_SHIFT) * (x >> ENTROPY_ONE_BITS) +
        (place >> PLACE_OFFSET_SHIFT & PLACE_OFFSET_MASK);
    if (x < STATE_LOW) {
        if (likely(d->word < d->word_end)) {
            x = x << 16 | get_le16(d->word);
            d->word += 2;
        } else {
            d->overrun = true;
            x = STATE_LOW;
        }
    }
    *state = x;
    return place & PLACE_CLASS_MASK;
}

static inline uint64_t
value_of(struct entropy_decoder *d, unsigned class)
{
    if (class < 2)
        return class;
    return 1ULL << (class - 1) | bit_reader_get(&d->rest, class - 1);
}

void
entropy_decoder_next(struct entropy_decoder *d, uint64_t *out, uint32_t n)
{
    uint32_t x[STATES] = {d->state[d->turn], d->state[!d->turn]};
    uint32_t i;

    for (i = 0; i + 1 < n; i += 2) {
        unsigned a = pop_class(d, &x[0]), b = pop_class(d, &x[1]);
        out[i] = value_of(d, a);
        out[i + 1] = value_of(d, b);
    }
    if (i < n)
        out[i] = value_of(d, pop_class(d, &x[0]));
    d->state[d->turn] = x[0];
    d->state[!d->turn] = x[1];
    d->turn = (d->turn + n) % STATES;
}

bool
entropy_decoder_done(const struct entropy_decoder *d)
{
    return !d->overrun && d->word == d->word_end && d->state[0] == STATE_LOW &&
           d->state[1] == STATE_LOW && bit_reader_at_end(&d->rest);
}
