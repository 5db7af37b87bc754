#include "shards/series/entropy.h"

#include <math.h>
#include <stdlib.h>

#define STATE_LOW (1u << 16) /* states live in [STATE_LOW, 2^32) between integers */
#define STATES 2

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

static unsigned
rest_bits(unsigned class)
{
    return class ? class - 1 : 0;
}

double
entropy_bits(const struct class_counts *c, size_t n)
{
    double bits = 0;
    unsigned k;

    for (k = 0; k < ENTROPY_CLASSES; k++)
        if (c->of[k])
            bits += c->of[k] * (log2((double)n / c->of[k]) + rest_bits(k));
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
        bits += (uint64_t)c->of[k] * rest_bits(k);
    p = buf_reserve(out, (bits + 7) / 8 + sizeof(acc));
    ASSERT(widest <= PUT_WIDTH_MAX);
    for (i = 0; i < n; i++) {
        width = rest_bits(bit_width(v[i]));
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
        bit_writer_put(&rest, v[i], rest_bits(bit_width(v[i])));
    bit_writer_finish(&rest);
}

void
entropy_encode(const uint64_t *v, size_t n, const struct class_counts *c, struct buf *out)
{
    struct entropy_model m;
    uint32_t state[STATES] = {STATE_LOW, STATE_LOW};
    uint16_t *words = malloc(n * sizeof(*words)), *first;

    ASSERT(n > 0 && words);
    model_build(&m, c, n);
    first = push_classes(v, n, &m, words, state);
    model_write(&m, out);
    varint_put(out, (uint64_t)(words + n - first));
    buf_append(out, state, sizeof(state));
    buf_append(out, first, (size_t)((char *)(words + n) - (char *)first));
    if (rest_bits(m.hi) <= PUT_WIDTH_MAX)
        write_rest(v, n, c, rest_bits(m.hi), out);
    else
        write_wide_rest(v, n, out);
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
    d->widest = rest_bits((unsigned)lo + more);
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

/* --- decoding carefully: near the end of the words or of the rest ----------------------------- */

static unsigned
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

static void
decode_carefully(struct entropy_decoder *d, uint64_t *out, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        unsigned class = pop_class(d, &d->state[d->turn]);
        d->turn = !d->turn;
        out[i] = class < 2 ? class : 1ULL << (class - 1) | bit_reader_get(&d->rest, class - 1);
    }
}

/* --- decoding fast: whole groups, without a branch -------------------------------------------- */

#define FAST_WIDTH 56 /* that one load delivers from any bit on */
#define GROUP_WORD_BYTES (ENTROPY_GROUP * sizeof(uint16_t))
static_assert(GROUP_WORD_BYTES == sizeof(uint64_t), "one load takes the words of a group");
static_assert(2 * (ENTROPY_GROUP * FAST_WIDTH + 64 + 8) / 8 <= ENTROPY_TAIL_BYTES,
              "what is left for a tail, and what a group may read beyond it");

/* Sees to it that a group can be read, whatever is in it. False: the stream has overrun. */
static bool
make_room(struct entropy_decoder *d)
{
    const uint64_t need = ENTROPY_GROUP * (uint64_t)d->widest + 64;
    struct bit_reader *r = &d->rest;

    if (d->word > d->word_end || r->pos > r->end)
        return false;
    if ((size_t)(d->word_end - d->word) < GROUP_WORD_BYTES && d->word_end != d->word_tail + 8) {
        size_t n = (size_t)(d->word_end - d->word);
        memset(d->word_tail, 0, sizeof(d->word_tail));
        memcpy(d->word_tail + 8 - n, d->word, n);
        d->word = d->word_tail + 8 - n;
        d->word_end = d->word_tail + 8;
    }
    if (r->end - r->pos < need && r->p != d->rest_tail) {
        size_t at = r->pos >> 3, n = (r->end >> 3) - at;
        memset(d->rest_tail, 0, sizeof(d->rest_tail));
        memcpy(d->rest_tail, r->p + at, n);
        *r = (struct bit_reader){.p = d->rest_tail, .pos = r->pos & 7, .end = n * 8};
    }
    return true;
}

/* What a group reads, in registers. */
struct group {
    uint64_t words; /* the next ones, lowest first */
    uint64_t pos;   /* of the rest */
};

/* Takes a class off the state and the bits that follow it off the rest. */
static inline uint64_t
pop(const struct entropy_decoder *d, uint32_t *state, struct group *g, uint32_t *taken)
{
    const uint32_t place = d->place[*state & (ENTROPY_ONE - 1)];
    const unsigned class = place & PLACE_CLASS_MASK;
    const uint32_t x = (place >> PLACE_FREQ_SHIFT) * (*state >> ENTROPY_ONE_BITS) +
                       (place >> PLACE_OFFSET_SHIFT & PLACE_OFFSET_MASK);
    const uint32_t filled = x << 16 | (uint16_t)g->words;
    const uint64_t lead = (1ULL << class) >> 1;
    const uint64_t rest = get_le64(d->rest.p + (g->pos >> 3)) >> (g->pos & 7);

    g->words >>= x < STATE_LOW ? 16 : 0;
    *taken += x < STATE_LOW;
    *state = x < STATE_LOW ? filled : x;
    g->pos += class - (class > 0);
    return lead | (rest & (lead - (class > 0)));
}

static uint32_t
decode_groups(struct entropy_decoder *d, uint64_t *out, uint32_t n)
{
    uint32_t a = d->state[d->turn], b = d->state[!d->turn], i;

    if (d->widest > FAST_WIDTH)
        return 0;
    for (i = 0; i + ENTROPY_GROUP <= n && make_room(d); i += ENTROPY_GROUP) {
        struct group g = {get_le64(d->word), d->rest.pos};
        uint32_t low = 0;
        out[i] = pop(d, &a, &g, &low);
        out[i + 1] = pop(d, &b, &g, &low);
        out[i + 2] = pop(d, &a, &g, &low);
        out[i + 3] = pop(d, &b, &g, &low);
        d->word += low * sizeof(uint16_t);
        d->rest.pos = g.pos;
    }
    d->state[d->turn] = a;
    d->state[!d->turn] = b;
    return i;
}

/* Where the stream has overrun, the careful way delivers what there is. */
void
entropy_decoder_next(struct entropy_decoder *d, uint64_t *out, uint32_t n)
{
    uint32_t i = decode_groups(d, out, n);

    decode_carefully(d, out + i, n - i);
}

bool
entropy_decoder_done(const struct entropy_decoder *d)
{
    return !d->overrun && d->word == d->word_end && d->state[0] == STATE_LOW &&
           d->state[1] == STATE_LOW && bit_reader_at_end(&d->rest);
}
