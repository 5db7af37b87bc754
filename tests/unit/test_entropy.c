/* Entropy coded integers: whatever they are, they come back, alone or beside another stream, by
 * every build of the kernels; what is cut off or runs over its end is refused. */
#include "shards/series/codec_kernels.h"
#include "shards/series/entropy.h"
#include "tests/unit/block_reference.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define LENGTH_MAX 5000

static uint64_t seed = 88172645463325252ULL;

static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* --- integers of many shapes ------------------------------------------------------------------ */

static uint64_t
integer_of(unsigned shape)
{
    switch (shape) {
    case 0: /* one class without rest */
        return 1;
    case 1: /* hardly ever a word is taken */
        return rnd() % 500 == 0;
    case 2: /* price steps */
        return rnd() % 10 ? 0 : rnd() % 5;
    case 3: /* gaps between ticks */
        return rnd() % 5 < 3 ? 0 : rnd() % 400;
    case 4: /* four of them are more than one load, now and then */
        return rnd() >> (rnd() % 20 ? 54 : 24);
    case 5: /* any width that is read at once: classes up to 57 */
        return rnd() >> (7 + rnd() % 57);
    case 6: /* wider than that */
        return rnd() >> rnd() % 64;
    default: /* all of the greatest */
        return rnd() | 1ULL << 63;
    }
}
#define SHAPES 8

struct stream {
    uint64_t *v;
    uint32_t n;
    char *bytes; /* exactly as many as there are, so that a sanitizer sees the first one too far */
    size_t size;
};

static struct stream
stream_of(const uint64_t *v, uint32_t n)
{
    struct stream s = {malloc(n * sizeof(*v)), n, NULL, 0};
    struct class_counts c = {0};
    struct buf out = {0};

    memcpy(s.v, v, n * sizeof(*v));
    class_counts_add(&c, v, n);
    entropy_encode(v, n, &c, &out);
    s.bytes = malloc(out.n);
    s.size = out.n;
    memcpy(s.bytes, out.p, out.n);
    buf_fini(&out);
    return s;
}

static struct stream
make(unsigned shape, uint32_t n)
{
    uint64_t *v = malloc(n * sizeof(*v));
    struct stream s;
    uint32_t i;

    for (i = 0; i < n; i++)
        v[i] = integer_of(shape);
    s = stream_of(v, n);
    free(v);
    return s;
}

static void
drop(struct stream *s)
{
    free(s->v);
    free(s->bytes);
}

/* --- decoding --------------------------------------------------------------------------------- */

#define EACH_BUILD(k) \
    for (const struct codec_kernels *const *at_ = codec_kernels_all(), *k; (k = *at_); at_++)

static struct slice
bytes_of(const struct stream *s)
{
    return (struct slice){s->bytes, s->size};
}

/* Delivers `piece` integers at a time. */
static bool
decode(struct slice in, uint32_t n, uint32_t piece, uint64_t *out)
{
    struct entropy_decoder d;
    uint32_t i;

    if (!entropy_decoder_init(&d, in))
        return false;
    for (i = 0; i < n; i += piece)
        entropy_decoder_next(&d, out + i, MIN(n - i, piece));
    return entropy_decoder_done(&d);
}

/* Both at once, as far as both have integers. */
static void
decode_two(struct slice in_a, struct slice in_b, uint32_t n, uint32_t piece, uint64_t *a,
           uint64_t *b, bool ret_good[2])
{
    struct entropy_decoder d, e;
    uint32_t i, k;

    ret_good[0] = ret_good[1] = false;
    if (!entropy_decoder_init(&d, in_a) || !entropy_decoder_init(&e, in_b))
        return;
    for (i = 0; i < n; i += piece) {
        k = MIN(n - i, piece);
        entropy_decoders_ahead(&d, &e, k);
        entropy_decoder_next(&d, a + i, k);
        entropy_decoder_next(&e, b + i, k);
    }
    ret_good[0] = entropy_decoder_done(&d);
    ret_good[1] = entropy_decoder_done(&e);
}

static void
assert_reference(const struct stream *s, uint64_t *room)
{
    struct reference_seen seen = {0};
    struct reference r = {(const uint8_t *)s->bytes, (const uint8_t *)s->bytes + s->size, &seen};

    reference_entropy(&r, s->n, room);
    cr_assert_eq(r.p, r.end);
    cr_assert_eq(memcmp(room, s->v, s->n * sizeof(*room)), 0);
}

static const uint32_t lengths[] = {1,  2,  3,   4,   5,    7,    8,    15,   16,  17,
                                   31, 33, 100, 255, 1000, 1023, 1024, 1025, 5000};
static const uint32_t pieces[] = {ENTROPY_VECTOR, 1000, 17, 3};

Test(entropy, every_shape_comes_back_by_every_build)
{
    static uint64_t out[LENGTH_MAX];
    const struct codec_kernels *best = codec_kernels;
    unsigned shape, l, p;

    for (shape = 0; shape < SHAPES; shape++)
        for (l = 0; l < ARRAY_SIZE(lengths); l++) {
            struct stream s = make(shape, lengths[l]);
            assert_reference(&s, out);
            EACH_BUILD(k)
            for (p = 0; p < ARRAY_SIZE(pieces); p++) {
                codec_kernels = k;
                memset(out, 0xee, sizeof(out));
                cr_assert(decode(bytes_of(&s), s.n, pieces[p], out), "%s: shape %u, %u of %u",
                          k->name, shape, s.n, pieces[p]);
                cr_assert_eq(memcmp(out, s.v, s.n * sizeof(*out)), 0, "%s: shape %u, %u of %u",
                             k->name, shape, s.n, pieces[p]);
            }
            codec_kernels = best;
            drop(&s);
        }
}

/* Each shape beside each: one runs out of words or rest long before the other. */
Test(entropy, two_streams_beside_each_other_are_the_two_alone)
{
    static uint64_t a[LENGTH_MAX], b[LENGTH_MAX];
    unsigned shape, other, l, p;
    bool good[2];

    for (shape = 0; shape < SHAPES; shape++)
        for (other = 0; other < SHAPES; other++)
            for (l = 0; l < ARRAY_SIZE(lengths); l++) {
                struct stream s = make(shape, lengths[l]), t = make(other, lengths[l]);
                for (p = 0; p < ARRAY_SIZE(pieces); p++) {
                    decode_two(bytes_of(&s), bytes_of(&t), s.n, pieces[p], a, b, good);
                    cr_assert(good[0] && good[1], "shapes %u and %u, %u of %u", shape, other, s.n,
                              pieces[p]);
                    cr_assert_eq(memcmp(a, s.v, s.n * sizeof(*a)), 0);
                    cr_assert_eq(memcmp(b, t.v, t.n * sizeof(*b)), 0);
                }
                drop(&s);
                drop(&t);
            }
}

/* --- damage ----------------------------------------------------------------------------------- */

Test(entropy, any_truncation_is_refused)
{
    static uint64_t a[LENGTH_MAX], b[LENGTH_MAX];
    struct stream whole = make(3, 1500);
    unsigned shape;
    bool good[2];
    size_t cut;

    for (shape = 0; shape < SHAPES; shape++) {
        struct stream s = make(shape, 1500);
        for (cut = 0; cut < s.size; cut += 1 + s.size / 300) {
            char *exact = malloc(cut ? cut : 1);
            struct slice in = {exact, cut};
            memcpy(exact, s.bytes, cut);
            cr_assert_not(decode(in, s.n, ENTROPY_VECTOR, a), "shape %u: %zu of %zu bytes", shape,
                          cut, s.size);
            decode_two(in, bytes_of(&whole), s.n, ENTROPY_VECTOR, a, b, good);
            cr_assert_not(good[0], "shape %u: %zu of %zu bytes", shape, cut, s.size);
            free(exact);
        }
        drop(&s);
    }
    drop(&whole);
}

Test(entropy, bytes_or_integers_too_many_are_refused)
{
    static uint64_t out[LENGTH_MAX];
    unsigned shape;

    for (shape = 0; shape < SHAPES; shape++) {
        struct stream s = make(shape, 1500);
        char *more = calloc(1, s.size + 1);
        memcpy(more, s.bytes, s.size);
        cr_assert_not(decode((struct slice){more, s.size + 1}, s.n, ENTROPY_VECTOR, out));
        if (shape > 1) { /* which are worth hardly anything, the next one as well */
            cr_assert_not(decode(bytes_of(&s), s.n + 500, ENTROPY_VECTOR, out), "%u", shape);
            cr_assert_not(decode(bytes_of(&s), s.n - 500, ENTROPY_VECTOR, out), "%u", shape);
        }
        free(more);
        drop(&s);
    }
}

/* Damage in one stream stays in bounds and does not show in the other; and it comes to the same
 * whether the stream is decoded alone or not. */
Test(entropy, flipped_bits_in_one_stream_leave_the_other_alone)
{
    static uint64_t a[LENGTH_MAX], b[LENGTH_MAX], alone[LENGTH_MAX];
    unsigned round;
    bool good[2];

    for (round = 0; round < 3000; round++) {
        uint32_t n = 1 + (uint32_t)(rnd() % 2100);
        struct stream s = make(round % SHAPES, n), t = make(round / SHAPES % SHAPES, n);
        uint64_t flips = 1 + rnd() % 3;
        struct entropy_decoder d;
        while (flips-- > 0)
            s.bytes[rnd() % (rnd() % 2 ? s.size : MIN(s.size, (size_t)40))] ^= 1 << rnd() % 8;
        if (entropy_decoder_init(&d, bytes_of(&s))) {
            bool same = decode(bytes_of(&s), n, ENTROPY_VECTOR, alone);
            decode_two(bytes_of(&s), bytes_of(&t), n, ENTROPY_VECTOR, a, b, good);
            cr_assert_eq(good[0], same);
            cr_assert(good[1]);
            cr_assert_eq(memcmp(b, t.v, n * sizeof(*b)), 0);
            cr_assert_eq(memcmp(a, alone, n * sizeof(*a)), 0);
        }
        drop(&s);
        drop(&t);
    }
}
