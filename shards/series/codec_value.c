/* The value column: which codec wins. Decimal is tried first since nearly all measured and quoted
 * numbers are decimals; bit patterns and their halves when that leaves much; raw when nothing
 * helps. */
#include "shards/series/block_priv.h"

/* Bit patterns are tried when the decimal column takes more than this ... */
#define DECIMAL_GOOD_BITS 16
/* ... and a few values of a long column do not say that they would take much more: runs of
 * neighbours here and there, encoded quickly both ways. Most such columns are decimals that jump,
 * and bit patterns are as much work as the decimals were. */
#define SAMPLE_COLUMN_MIN 2048
#define SAMPLE_RUNS 4
#define SAMPLE_RUN 64
#define SAMPLE_VALUES (SAMPLE_RUNS * SAMPLE_RUN)
#define SAMPLE_MARGIN 1.25
#define CONSTANT_STRIDE 64

/* Looks at some at a time: nearly every column shows soon that it is none. */
static bool
is_constant(const double *v, size_t n)
{
    const uint64_t first = double_bits(v[0]);
    size_t at, i, end;

    for (at = 0; at < n; at = end) {
        uint64_t differ = 0;
        end = MIN(n, at + CONSTANT_STRIDE);
        for (i = at; i < end; i++)
            differ |= double_bits(v[i]) ^ first;
        if (differ)
            return false;
    }
    return true;
}

/* One way of writing the column. */
struct attempt {
    enum value_codec codec;
    struct buf bytes;
};

static struct attempt
try_bits(const double *v, size_t n, int64_t *spare, enum block_effort effort)
{
    struct attempt t = {.codec = VALUE_BITS};

    memcpy(spare, v, n * sizeof(*spare));
    int_encode_bits(spare, n, effort, &t.bytes);
    return t;
}

static struct attempt
try_halves(const double *v, size_t n, int64_t *spare)
{
    struct attempt t = {.codec = VALUE_HALVES};

    halves_encode(v, n, spare, &t.bytes);
    return t;
}

/* Keeps the shorter one in *best; the earlier one when they are equal. */
static void
keep_best(struct attempt *best, struct attempt other)
{
    struct attempt worse = other.bytes.n < best->bytes.n ? *best : other;

    if (other.bytes.n < best->bytes.n)
        *best = other;
    buf_fini(&worse.bytes);
}

/* May bit patterns be shorter than decimals? */
static bool
bits_may_win(const double *v, size_t n)
{
    double sample[SAMPLE_VALUES];
    int64_t spare[SAMPLE_VALUES];
    struct buf decimals = {0};
    struct attempt bits;
    bool may = true;
    size_t i;

    if (n < SAMPLE_COLUMN_MIN)
        return true;
    for (i = 0; i < SAMPLE_RUNS; i++)
        memcpy(sample + i * SAMPLE_RUN, v + i * (n - SAMPLE_RUN) / (SAMPLE_RUNS - 1),
               SAMPLE_RUN * sizeof(*v));
    if (decimal_encode(sample, SAMPLE_VALUES, spare, BLOCK_QUICK, &decimals)) {
        bits = try_bits(sample, SAMPLE_VALUES, spare, BLOCK_QUICK);
        may = (double)bits.bytes.n < (double)decimals.n * SAMPLE_MARGIN;
        buf_fini(&bits.bytes);
    }
    buf_fini(&decimals);
    return may;
}

static void
append_best(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    struct attempt best = {.codec = VALUE_DECIMAL};
    bool has_decimal = decimal_encode(v, n, spare, effort, &best.bytes);

    if (!has_decimal)
        best = try_bits(v, n, spare, effort);
    else if (best.bytes.n * 8 > n * DECIMAL_GOOD_BITS && bits_may_win(v, n))
        keep_best(&best, try_bits(v, n, spare, effort));
    if (effort == BLOCK_SMALL && best.bytes.n * 8 > n * HALVES_BITS_MIN)
        keep_best(&best, try_halves(v, n, spare));
    if (best.bytes.n < n * sizeof(*v)) {
        buf_put_u8(out, best.codec);
        buf_append(out, best.bytes.p, best.bytes.n);
    } else {
        buf_put_u8(out, VALUE_RAW);
        buf_append(out, v, n * sizeof(*v));
    }
    buf_fini(&best.bytes);
}

void
value_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    if (is_constant(v, n))
        buf_put_u8(out, VALUE_CONSTANT);
    else
        append_best(v, n, spare, effort, out);
}

/* --- decoding --------------------------------------------------------------------------------- */

bool
value_decoder_open(struct value_decoder *d, struct slice in, size_t n, double first)
{
    struct slice rest = {in.p + 1, in.n - 1};

    if (in.n == 0)
        return false;
    d->codec = (uint8_t)in.p[0];
    d->first = first;
    d->raw = cursor_of(rest);
    switch (d->codec) {
    case VALUE_CONSTANT:
        return rest.n == 0;
    case VALUE_RAW:
        return rest.n == n * sizeof(double);
    case VALUE_BITS:
        return int_decoder_init_bits(&d->ints, rest);
    case VALUE_HALVES:
        return halves_decoder_open(&d->halves, rest);
    case VALUE_DECIMAL:
        return decimal_decoder_open(&d->decimal, rest, n);
    default:
        return false;
    }
}

struct int_decoder *
value_decoder_ints(struct value_decoder *d)
{
    switch (d->codec) {
    case VALUE_BITS:
        return &d->ints;
    case VALUE_DECIMAL:
        return &d->decimal.ints;
    case VALUE_HALVES:
        return &d->halves.left;
    default:
        return NULL;
    }
}

static void
fill(double *v, uint32_t n, double with)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        v[i] = with;
}

bool
value_decoder_next(struct value_decoder *d, double *ret_v, uint32_t n)
{
    int64_t bits[INT_VECTOR];

    switch (d->codec) {
    case VALUE_CONSTANT:
        fill(ret_v, n, d->first);
        return true;
    case VALUE_RAW:
        memcpy(ret_v, cursor_take(&d->raw, n * sizeof(*ret_v)), n * sizeof(*ret_v));
        return true;
    case VALUE_BITS:
        if (!int_decoder_next(&d->ints, bits, n))
            return false;
        memcpy(ret_v, bits, n * sizeof(*ret_v));
        return true;
    case VALUE_HALVES:
        return halves_decoder_next(&d->halves, ret_v, n);
    default:
        return decimal_decoder_next(&d->decimal, ret_v, n);
    }
}

bool
value_decoder_done(const struct value_decoder *d)
{
    switch (d->codec) {
    case VALUE_BITS:
        return int_decoder_done(&d->ints);
    case VALUE_DECIMAL:
        return decimal_decoder_done(&d->decimal);
    case VALUE_HALVES:
        return halves_decoder_done(&d->halves);
    default: /* sizes were right from the start */
        return true;
    }
}
