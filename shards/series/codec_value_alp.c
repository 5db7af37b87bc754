/* Doubles that were decimal numbers before they became doubles: prices, sensor readings.
 *
 * The idea of ALP (Afroozeh, Kuffo, Boncz 2023): find the number of digits after the point with
 * which v = d / 10^digits holds exactly, and code the integers d. Dividing by a power of ten rounds
 * correctly, so every decimal of up to 15 digits comes back bit for bit. Readings that passed
 * through a 32-bit float on their way are decimals only after rounding to float again: a flag.
 *
 * What is not such a decimal (a sum with rounding noise, NaN, -0, infinity, huge numbers) gets a
 * correction: the difference between its bit pattern and that of the nearest decimal, with its
 * position. For rounding noise that is one or two units in the last place, so that even columns
 * full of 74.93588199999998 stay small, and any bit pattern at all comes back.
 *
 * [digits:1, top bit = float][corrections: varint]
 * [only with corrections: length, integer column of positions; length, integer column of
 * differences] [integer column of d] */
#include "shards/series/block_priv.h"

#include <math.h>
#include <stdlib.h>

#define DIGITS_MAX 18
#define DIGITS_FLOAT 0x80
#define SAMPLES 32
#define CORRECTION_BITS 10 /* what a position takes, about */
#define DIGIT_BITS 3.33    /* what one more digit takes in every value */

static const double power10[DIGITS_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
};

/* A way of writing values as decimals. */
struct decimal_form {
    unsigned digits;
    bool is_float;
};

static inline double
decimal_value(int64_t d, double scale, bool is_float)
{
    double whole = bits_double((uint64_t)d + double_bits(KERNEL_ROUNDER)) - KERNEL_ROUNDER;
    double v = whole / scale;

    return is_float ? (double)(float)v : v;
}

/* 0 when v has no nearby decimal with so many digits. */
static inline int64_t
decimal_of(double v, double scale)
{
    double t = v * scale;

    t = fabs(t) < KERNEL_DECIMAL_LIMIT ? t : 0.0;
    return (int64_t)(double_bits(t + KERNEL_ROUNDER) - double_bits(KERNEL_ROUNDER));
}

static inline uint64_t
difference(double v, int64_t d, double scale, bool is_float)
{
    return double_bits(v) - double_bits(decimal_value(d, scale, is_float));
}

/* --- choosing the form ------------------------------------------------------------------------ */

/* Bits the samples take in this form beyond those of whole numbers; not worked out to the end when
 * it exceeds `enough`. */
static double
form_cost(const double *sample, size_t n, struct decimal_form form, double enough)
{
    const double scale = power10[form.digits];
    double bits = DIGIT_BITS * form.digits * (double)n;
    int64_t d[SAMPLES];
    uint32_t wrong = codec_kernels->to_decimals(sample, (uint32_t)n, scale, form.is_float, d);
    size_t i;

    if (wrong == 0 || bits + wrong * (CORRECTION_BITS + 1) > enough)
        return bits + wrong * (CORRECTION_BITS + 1);
    for (i = 0; i < n; i++) {
        uint64_t off = difference(sample[i], d[i], scale, form.is_float);
        if (off)
            bits += CORRECTION_BITS + bit_width(zigzag((int64_t)off));
    }
    return bits;
}

/* The least digits with which every sample comes back; DIGITS_MAX when there are none. */
static unsigned
exact_digits(const double *sample, size_t n, bool is_float, bool *ret_exact)
{
    int64_t d[SAMPLES];
    unsigned digits;

    *ret_exact = true;
    for (digits = 0; digits <= DIGITS_MAX; digits++)
        if (codec_kernels->to_decimals(sample, (uint32_t)n, power10[digits], is_float, d) == 0)
            return digits;
    *ret_exact = false;
    return DIGITS_MAX;
}

/* Less digits than exact ones may cost less, with corrections. */
static struct decimal_form
best_form(const double *sample, size_t n, double *ret_cost)
{
    struct decimal_form best = {0}, form;
    double best_cost = INFINITY;
    bool exact = false;
    unsigned k, end;

    for (k = 0; k < 2 && !exact; k++) {
        form.is_float = k == 1;
        end = exact_digits(sample, n, form.is_float, &exact) + 1;
        for (form.digits = end; form.digits-- > 0;) {
            double cost = form_cost(sample, n, form, best_cost);
            if (cost > best_cost || (cost == best_cost && form.is_float))
                continue;
            best_cost = cost;
            best = form;
        }
    }
    *ret_cost = best_cost;
    return best;
}

static size_t
take_samples(const double *v, size_t n, double *ret_sample)
{
    size_t i, k = MIN(n, (size_t)SAMPLES);

    for (i = 0; i < k; i++)
        ret_sample[i] = v[n < SAMPLES ? i : i * n / SAMPLES];
    return k;
}

/* --- encoding --------------------------------------------------------------------------------- */

/* The values of one block as integers, with what the integers miss. */
struct decimals {
    int64_t *d;
    int64_t *at, *off; /* corrections */
    size_t corrections;
};

/* Notes what the decimals of values [at, at + n) miss. */
static void
note_corrections(const double *v, size_t at, size_t n, struct decimal_form form, struct decimals *c)
{
    const double scale = power10[form.digits];
    size_t i, k = c->corrections;

    for (i = at; i < at + n; i++) {
        uint64_t off = difference(v[i], c->d[i], scale, form.is_float);
        if (likely(!off))
            continue;
        if (!(fabs(v[i] * scale) < KERNEL_DECIMAL_LIMIT)) { /* no jump in the column for it */
            c->d[i] = i ? c->d[i - 1] : 0;
            off = difference(v[i], c->d[i], scale, form.is_float);
        }
        if (!off)
            continue;
        c->at[k] = (int64_t)i;
        c->off[k++] = (int64_t)off;
    }
    c->corrections = k;
}

/* Room for corrections is taken when the first one turns up. */
static void
convert(const double *v, size_t n, struct decimal_form form, struct decimals *c)
{
    size_t i, piece;

    for (i = 0; i < n; i += piece) {
        piece = MIN(n - i, (size_t)INT_VECTOR);
        if (!codec_kernels->to_decimals(v + i, (uint32_t)piece, power10[form.digits], form.is_float,
                                        c->d + i))
            continue;
        if (!c->at) {
            c->at = malloc(2 * n * sizeof(*c->at));
            ASSERT(c->at);
            c->off = c->at + n;
        }
        note_corrections(v, i, piece, form, c);
    }
}

static void
append_column(int64_t *x, size_t n, enum block_effort effort, struct buf *out)
{
    struct buf column = {0};

    int_encode(x, n, effort, &column);
    varint_put(out, column.n);
    buf_append(out, column.p, column.n);
    buf_fini(&column);
}

bool
decimal_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    double sample[SAMPLES], cost;
    size_t samples = take_samples(v, n, sample);
    struct decimal_form form = best_form(sample, samples, &cost);
    struct decimals c = {.d = spare};

    if (cost >= 64.0 * (double)samples)
        return false;
    convert(v, n, form, &c);
    buf_put_u8(out, (uint8_t)(form.digits | (form.is_float ? DIGITS_FLOAT : 0)));
    varint_put(out, c.corrections);
    if (c.corrections) {
        append_column(c.at, c.corrections, effort, out);
        append_column(c.off, c.corrections, effort, out);
    }
    int_encode(c.d, n, effort, out);
    free(c.at);
    return true;
}

/* --- decoding --------------------------------------------------------------------------------- */

static bool
take_column(struct cursor *c, struct slice *ret)
{
    uint64_t bytes;
    const uint8_t *p;

    if (!varint_get(c, &bytes))
        return false;
    p = cursor_take(c, bytes);
    if (!p)
        return false;
    *ret = (struct slice){(const char *)p, bytes};
    return true;
}

static bool
corrections_open(struct correction_decoder *d, struct cursor *c, uint64_t corrections)
{
    struct slice positions, differences;

    d->left = corrections;
    d->next = d->loaded = 0;
    d->done = 0;
    return take_column(c, &positions) && take_column(c, &differences) &&
           int_decoder_init(&d->at, positions) && int_decoder_init(&d->off, differences);
}

bool
decimal_decoder_open(struct decimal_decoder *d, struct slice in, size_t n)
{
    struct cursor c = cursor_of(in);
    uint64_t corrections;
    uint8_t head;

    if (!cursor_u8(&c, &head) || (head & ~DIGITS_FLOAT) > DIGITS_MAX)
        return false;
    if (!varint_get(&c, &corrections) || corrections > n)
        return false;
    d->scale = power10[head & ~DIGITS_FLOAT];
    d->is_float = head & DIGITS_FLOAT;
    d->corrected = corrections > 0;
    if (d->corrected && !corrections_open(&d->corrections, &c, corrections))
        return false;
    return int_decoder_init(&d->ints, (struct slice){(const char *)c.p, cursor_left(&c)});
}

/* The next corrections into the arrays. Their positions rise. */
static bool
load_corrections(struct correction_decoder *d)
{
    uint32_t n = (uint32_t)MIN(d->left, (uint64_t)INT_VECTOR);
    int64_t before = d->loaded ? d->position[d->loaded - 1] : -1;

    if (!int_decoder_next(&d->at, d->position, n) || !int_decoder_next(&d->off, d->difference, n))
        return false;
    d->left -= n;
    d->next = 0;
    d->loaded = n;
    return d->position[0] > before && codec_kernels->rises(d->position, n, before);
}

/* Corrects the next n values. Afterwards the next position, if there is one, is beyond them. */
static bool
correct(struct correction_decoder *d, double *v, uint32_t n)
{
    int64_t end = d->done + n;

    for (;; d->next++) {
        double *at;
        if (d->next == d->loaded) {
            if (d->left == 0)
                break;
            if (!load_corrections(d))
                return false;
        }
        if (d->position[d->next] >= end)
            break;
        at = &v[d->position[d->next] - d->done];
        *at = bits_double(double_bits(*at) + (uint64_t)d->difference[d->next]);
    }
    d->done = end;
    return true;
}

bool
decimal_decoder_next(struct decimal_decoder *d, double *ret_v, uint32_t n)
{
    int64_t x[INT_VECTOR];

    if (!int_decoder_next(&d->ints, x, n))
        return false;
    codec_kernels->from_decimals(x, n, d->scale, d->is_float, ret_v);
    return !d->corrected || correct(&d->corrections, ret_v, n);
}

bool
decimal_decoder_done(const struct decimal_decoder *d)
{
    const struct correction_decoder *c = &d->corrections;

    if (!int_decoder_done(&d->ints))
        return false;
    return !d->corrected || (c->left == 0 && c->next == c->loaded && int_decoder_done(&c->at) &&
                             int_decoder_done(&c->off));
}

/* 5^digits; digits up to DIGITS_MAX. */
static int64_t
power5(unsigned digits)
{
    int64_t p = 1;

    while (digits-- > 0)
        p *= 5;
    return p;
}

/* d / 10^digits is a multiple of 2^-digits if d is one of 5^digits: if the first d and the divisor
 * of all differences are. */
double
decimal_unit(struct slice in)
{
    struct cursor c = cursor_of(in);
    struct int_decoder ints;
    uint64_t corrections;
    uint8_t head;
    int64_t five;

    if (!cursor_u8(&c, &head) || !varint_get(&c, &corrections) || corrections)
        return 0;
    if (head > DIGITS_MAX ||
        !int_decoder_peek(&ints, (struct slice){(const char *)c.p, cursor_left(&c)}))
        return 0;
    five = power5(head);
    if ((int64_t)ints.first % five || ints.scale % (uint64_t)five)
        return 0;
    return ldexp(1, -(int)head);
}
