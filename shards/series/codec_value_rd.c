/* True doubles: what they have in common is their upper bits.
 *
 * The idea of ALP-RD (Afroozeh, Kuffo, Boncz 2023): cut every bit pattern in two. The right part is
 * noise and is packed as it is; the left part (exponent and upper bits of the mantissa) varies
 * little and is an integer column of its own. The sign is turned to the low end first, so that it
 * costs one bit on the right and does not tear the left part in two.
 *
 * [bits on the right:1][bytes of the left column: varint][left column][right column] */
#include "shards/series/block_priv.h"
#include "shards/series/codec_int_priv.h"

#include <stdlib.h>

#define RIGHT_BITS_MIN HALVES_BITS_MIN
#define RIGHT_BITS_MAX 62
#define RIGHT_BITS_STEP 2

/* The sign becomes the lowest bit. */
static inline uint64_t
turned(double v)
{
    uint64_t u = double_bits(v);

    return u << 1 | u >> 63;
}

static inline double
turned_back(uint64_t u)
{
    return bits_double(u >> 1 | u << 63);
}

static size_t
take_samples(const double *v, size_t n, uint64_t ret[LOOK_POINTS])
{
    size_t k = MIN(n, (size_t)LOOK_POINTS), i;

    for (i = 0; i < k; i++)
        ret[i] = turned(v[i * n / k]);
    return k;
}

/* Bits that k samples take on both sides. */
static size_t
cost_of(const uint64_t *sample, size_t k, unsigned right_bits)
{
    int64_t left[LOOK_POINTS];
    struct int_look look;
    size_t least = SIZE_MAX, i;
    unsigned way;

    for (i = 0; i < k; i++)
        left[i] = (int64_t)(sample[i] >> right_bits);
    int_take_look(left, k, 0, &look);
    for (way = 0; way < INT_WAYS_OF_NUMBERS; way++)
        least = MIN(least, (size_t)int_look_bits(&look, (enum int_way)way));
    return least + k * right_bits;
}

static unsigned
best_right_bits(const double *v, size_t n)
{
    uint64_t sample[LOOK_POINTS];
    size_t k = take_samples(v, n, sample), least = SIZE_MAX;
    unsigned bits, best = RIGHT_BITS_MAX;

    for (bits = RIGHT_BITS_MAX; bits >= RIGHT_BITS_MIN; bits -= RIGHT_BITS_STEP) {
        size_t cost = cost_of(sample, k, bits);
        if (cost < least) {
            least = cost;
            best = bits;
        }
    }
    return best;
}

void
halves_encode(const double *v, size_t n, int64_t *spare, struct buf *out)
{
    const unsigned right_bits = best_right_bits(v, n);
    const uint64_t mask = ~0ULL >> (64 - right_bits);
    struct buf left = {0};
    size_t i;

    for (i = 0; i < n; i++)
        spare[i] = (int64_t)(turned(v[i]) >> right_bits);
    int_encode(spare, n, BLOCK_SMALL, &left);
    buf_put_u8(out, (uint8_t)right_bits);
    varint_put(out, left.n);
    buf_append(out, left.p, left.n);
    for (i = 0; i < n; i++)
        spare[i] = (int64_t)(turned(v[i]) & mask);
    int_encode(spare, n, BLOCK_QUICK, out);
    buf_fini(&left);
}

/* --- decoding --------------------------------------------------------------------------------- */

bool
halves_decoder_open(struct halves_decoder *d, struct slice in)
{
    struct cursor c = cursor_of(in);
    const uint8_t *left;
    uint64_t bytes;

    if (!cursor_u8(&c, &d->right_bits) || d->right_bits < RIGHT_BITS_MIN ||
        d->right_bits > RIGHT_BITS_MAX)
        return false;
    if (!varint_get(&c, &bytes) || !(left = cursor_take(&c, bytes)))
        return false;
    return int_decoder_init(&d->left, (struct slice){(const char *)left, bytes}) &&
           int_decoder_init(&d->right, (struct slice){(const char *)c.p, cursor_left(&c)});
}

bool
halves_decoder_next(struct halves_decoder *d, double *ret_v, uint32_t n)
{
    int64_t left[INT_VECTOR], right[INT_VECTOR];
    uint32_t i;

    if (!int_decoder_next(&d->left, left, n) || !int_decoder_next(&d->right, right, n))
        return false;
    for (i = 0; i < n; i++)
        ret_v[i] = turned_back((uint64_t)left[i] << d->right_bits | (uint64_t)right[i]);
    return true;
}

bool
halves_decoder_done(const struct halves_decoder *d)
{
    return int_decoder_done(&d->left) && int_decoder_done(&d->right);
}
