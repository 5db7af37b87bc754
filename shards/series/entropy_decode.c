/* Decoding, a vector at a time and in two goes: first the classes, then what stands below the
 * leading bits.
 *
 * A state must have been unwound before it tells its next class: a look into the table, a
 * multiplication, a word, a dozen cycles one after the other. Two states are not enough to keep a
 * processor busy, so classes of two streams (the times and the values of a block) are unwound
 * beside each other where both are wanted. The rests wait for nothing but the classes and are done
 * by a kernel.
 *
 * Both goes read whole groups without looking where the stream ends as long as it is far enough.
 * When it is near they go on in a copy of its last bytes, with zeros behind; when a damaged stream
 * runs over its end, integer by integer. */
#include "shards/series/codec_kernels.h"
#include "shards/series/entropy.h"

#define PLACES_AT_ONCE (ENTROPY_PLACE_ROOM + 1)

typedef uint32_t places __attribute__((vector_size(PLACES_AT_ONCE * sizeof(struct entropy_place))));

/* The places of a class, and a few more that the next one overwrites. */
static void
fill_places(struct entropy_place *place, uint32_t freq)
{
    places x = (places){0, 1, 2, 3} << 16 | freq; /* as they lie in memory: freq first */
    uint32_t i;

    for (i = 0; i < freq; i += PLACES_AT_ONCE) {
        memcpy(place + i, &x, sizeof(x));
        x += PLACES_AT_ONCE << 16;
    }
}

static bool
model_read(struct entropy_decoder *d, struct cursor *c)
{
    uint8_t lo, more;
    uint64_t freq;
    uint32_t sum = 0;
    unsigned k;

    if (!cursor_u8(c, &lo) || !cursor_u8(c, &more) || lo + more >= ENTROPY_CLASSES)
        return false;
    d->widest = entropy_rest_bits((unsigned)lo + more);
    for (k = lo; k <= (unsigned)lo + more; k++) {
        if (!varint_get(c, &freq) || freq > ENTROPY_ONE - sum)
            return false;
        fill_places(d->place + sum, (uint32_t)freq);
        memset(d->place_class + sum, (int)k, freq);
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
    d->ahead = 0;
    d->overrun = false;
    return d->state[0] >= ENTROPY_STATE_LOW && d->state[1] >= ENTROPY_STATE_LOW;
}

/* --- classes ---------------------------------------------------------------------------------- */

#define GROUP 4 /* classes popped without looking at the end of the words */
#define GROUP_WORD_BYTES (GROUP * sizeof(uint16_t))
static_assert(2 * GROUP_WORD_BYTES <= sizeof(((struct entropy_decoder *)0)->word_tail),
              "what is left for a tail, and what a group may read beyond it");

/* The state before `at`, its lowest bits, was pushed; below ENTROPY_STATE_LOW it lacks a word. */
static inline uint32_t
unwound(uint32_t state, const struct entropy_place *at)
{
    return at->freq * (state >> ENTROPY_ONE_BITS) + at->offset;
}

static void
pop_carefully(struct entropy_decoder *d, uint32_t i, uint32_t n)
{
    for (; i < n; i++, d->turn = !d->turn) {
        uint32_t *state = &d->state[d->turn];
        uint32_t at = *state & (ENTROPY_ONE - 1), x = unwound(*state, &d->place[at]);
        if (x < ENTROPY_STATE_LOW && d->word < d->word_end) {
            x = x << 16 | get_le16(d->word);
            d->word += sizeof(uint16_t);
        } else if (x < ENTROPY_STATE_LOW) {
            d->overrun = true;
            x = ENTROPY_STATE_LOW;
        }
        *state = x;
        d->class_of[i] = d->place_class[at];
    }
}

/* Can a group be read? Then also from where in the words the last one can. Who has not overrun can
 * always read one, if need be in the tail. */
static bool
group_at_hand(struct entropy_decoder *d, const uint8_t **ret_last)
{
    uint8_t *tail_end = d->word_tail + GROUP_WORD_BYTES;
    const bool in_tail = d->word_end == tail_end;
    size_t n = (size_t)(d->word_end - d->word);

    if (!in_tail && n < GROUP_WORD_BYTES) {
        memset(d->word_tail, 0, sizeof(d->word_tail));
        memcpy(tail_end - n, d->word, n);
        d->word = tail_end - n;
        d->word_end = tail_end;
    }
    *ret_last = d->word_end == tail_end ? tail_end : d->word_end - GROUP_WORD_BYTES;
    return d->word <= *ret_last;
}

/* What changes with every integer of a stream, in registers. */
struct unwinding {
    struct entropy_decoder *d;
    const uint8_t *word;
    uint32_t a, b; /* the states, the next one first */
};

static inline struct unwinding
unwinding_of(struct entropy_decoder *d)
{
    return (struct unwinding){d, d->word, d->state[d->turn], d->state[!d->turn]};
}

static inline void
unwinding_keep(const struct unwinding *u)
{
    struct entropy_decoder *d = u->d;

    d->word = u->word;
    d->state[d->turn] = u->a;
    d->state[!d->turn] = u->b;
}

/* a or b. Whether a state takes a word cannot be foretold, but compilers put a jump there as if it
 * could be: they leave off where both are at hand anyway. */
static inline uint32_t
either(bool which, uint32_t a, uint32_t b)
{
    __asm__("" : "+r"(a), "+r"(b));
    return which ? a : b;
}

static inline void
pop(struct unwinding *u, uint32_t *state, size_t i)
{
    const uint32_t at = *state & (ENTROPY_ONE - 1), x = unwound(*state, &u->d->place[at]);
    const uint32_t filled = x << 16 | get_le16(u->word), lacks = x < ENTROPY_STATE_LOW;

    u->d->class_of[i] = u->d->place_class[at];
    u->word += lacks * sizeof(uint16_t);
    *state = either(lacks, filled, x);
}

static uint32_t
pop_groups(struct entropy_decoder *d, uint32_t i, uint32_t n, const uint8_t *last)
{
    struct unwinding u = unwinding_of(d);

    for (; i + GROUP <= n && u.word <= last; i += GROUP) {
        pop(&u, &u.a, i);
        pop(&u, &u.b, i + 1);
        pop(&u, &u.a, i + 2);
        pop(&u, &u.b, i + 3);
    }
    unwinding_keep(&u);
    return i;
}

static uint32_t
pop_groups_of_two(struct entropy_decoder *d, struct entropy_decoder *e, uint32_t i, uint32_t n,
                  const uint8_t *last_d, const uint8_t *last_e)
{
    struct unwinding u = unwinding_of(d), v = unwinding_of(e);

    for (; i + GROUP <= n && u.word <= last_d && v.word <= last_e; i += GROUP) {
        pop(&u, &u.a, i);
        pop(&v, &v.a, i);
        pop(&u, &u.b, i + 1);
        pop(&v, &v.b, i + 1);
        pop(&u, &u.a, i + 2);
        pop(&v, &v.a, i + 2);
        pop(&u, &u.b, i + 3);
        pop(&v, &v.b, i + 3);
    }
    unwinding_keep(&u);
    unwinding_keep(&v);
    return i;
}

/* Classes i to n of the vector. */
static void
pop_classes(struct entropy_decoder *d, uint32_t i, uint32_t n)
{
    const uint8_t *last;

    while (i + GROUP <= n && group_at_hand(d, &last))
        i = pop_groups(d, i, n, last);
    pop_carefully(d, i, n);
    d->ahead = n;
}

void
entropy_decoders_ahead(struct entropy_decoder *d, struct entropy_decoder *e, uint32_t n)
{
    const uint8_t *last_d, *last_e;
    uint32_t i = 0;

    ASSERT(n <= ENTROPY_VECTOR);
    while (i + GROUP <= n && group_at_hand(d, &last_d) && group_at_hand(e, &last_e))
        i = pop_groups_of_two(d, e, i, n, last_d, last_e);
    pop_classes(d, i, n);
    pop_classes(e, i, n);
}

/* --- what stands below the leading bits ------------------------------------------------------- */

static_assert(2 * (KERNEL_RESTS_BITS / 8 + 1) <= sizeof(((struct entropy_decoder *)0)->rest_tail),
              "what is left for a tail, and what a step may read beyond it");

/* Up to where in the rest a step of the kernel may begin. */
static uint64_t
last_step(struct entropy_decoder *d)
{
    struct bit_reader *r = &d->rest;
    size_t at = r->pos >> 3, n = (r->end >> 3) - at;

    if (r->p == d->rest_tail)
        return r->end;
    if (r->end - r->pos >= KERNEL_RESTS_BITS)
        return r->end - KERNEL_RESTS_BITS;
    memset(d->rest_tail, 0, sizeof(d->rest_tail));
    memcpy(d->rest_tail, r->p + at, n);
    *r = (struct bit_reader){.p = d->rest_tail, .pos = r->pos & 7, .end = n * 8};
    return r->end;
}

void
entropy_decoder_next(struct entropy_decoder *d, uint64_t *out, uint32_t n)
{
    struct bit_reader *r = &d->rest;
    uint32_t i = 0;
    unsigned class;

    ASSERT(n <= ENTROPY_VECTOR && (!d->ahead || d->ahead == n));
    if (!d->ahead)
        pop_classes(d, 0, n);
    d->ahead = 0;
    while (d->widest < KERNEL_CLASS_MAX && i + KERNEL_RESTS <= n && r->pos <= r->end) {
        uint64_t last = last_step(d);
        i += codec_kernels->add_rests(d->class_of + i, n - i, r->p, &r->pos, last, out + i);
    }
    for (; i < n; i++) {
        class = d->class_of[i];
        out[i] = class < 2 ? class : 1ULL << (class - 1) | bit_reader_get(r, class - 1);
    }
}

bool
entropy_decoder_done(const struct entropy_decoder *d)
{
    return !d->overrun && d->word == d->word_end && d->state[0] == ENTROPY_STATE_LOW &&
           d->state[1] == ENTROPY_STATE_LOW && bit_reader_at_end(&d->rest);
}
