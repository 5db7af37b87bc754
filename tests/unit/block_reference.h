/* A decoder of blocks written from docs/FORMATS.md alone, one bit and one value at a time, for
 * comparison with the fast one. Knows good blocks only: whatever does not fit fails the test.
 *
 * It also counts which forms it has met, so that a test can tell that none was left out. */
#ifndef TESTS_UNIT_BLOCK_REFERENCE_H
#define TESTS_UNIT_BLOCK_REFERENCE_H

#include "shards/series/block.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* How often each was met. */
struct reference_seen {
    unsigned value_codec[8], quality_codec[8];
    unsigned transform[4], packing[4];
    unsigned signed_residuals, divisors, vector_bases, patched, full_vectors, runs;
    unsigned corrections, floats;
};

struct reference {
    const uint8_t *p, *end;
    struct reference_seen *seen;
};

static inline const uint8_t *
reference_take(struct reference *r, size_t n)
{
    const uint8_t *p = r->p;

    cr_assert_leq(n, (size_t)(r->end - r->p));
    r->p += n;
    return p;
}

static inline uint8_t
reference_u8(struct reference *r)
{
    return *reference_take(r, 1);
}

static inline uint64_t
reference_little(struct reference *r, unsigned bytes)
{
    const uint8_t *p = reference_take(r, bytes);
    uint64_t v = 0;
    unsigned i;

    for (i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline double
reference_double_of(uint64_t u)
{
    double v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

static inline uint64_t
reference_bits_of(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof(u));
    return u;
}

static inline double
reference_f64(struct reference *r)
{
    return reference_double_of(reference_little(r, 8));
}

static inline uint64_t
reference_varint(struct reference *r)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b;

    do {
        b = reference_u8(r);
        v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while (b & 0x80);
    return v;
}

static inline uint64_t
reference_unfold(uint64_t r)
{
    return r >> 1 ^ (0 - (r & 1));
}

static inline uint64_t
reference_signed(struct reference *r)
{
    return reference_unfold(reference_varint(r));
}

/* A part of r's bytes. */
static inline struct reference
reference_part(struct reference *r, size_t n)
{
    const uint8_t *p = reference_take(r, n);

    return (struct reference){p, p + n, r->seen};
}

/* --- packed integers -------------------------------------------------------------------------- */

static inline uint64_t
reference_bit(const uint8_t *p, size_t at)
{
    return p[at / 8] >> at % 8 & 1;
}

/* Where bit b of integer i of m stands. */
static inline size_t
reference_place(uint32_t i, uint32_t m, unsigned w, unsigned b)
{
    size_t in_lane = (size_t)(i / 16) * w + b;

    if (m < 1024)
        return (size_t)i * w + b;
    return (in_lane / 64 * 16 + i % 16) * 64 + in_lane % 64;
}

static inline void
reference_unpack(struct reference *r, uint32_t m, unsigned w, uint64_t *x)
{
    const uint8_t *p = reference_take(r, ((size_t)m * w + 7) / 8);
    uint32_t i;
    unsigned b;

    for (i = 0; i < m; i++) {
        x[i] = 0;
        for (b = 0; b < w; b++)
            x[i] |= reference_bit(p, reference_place(i, m, w, b)) << b;
    }
}

static inline void
reference_vector(struct reference *r, uint32_t m, uint64_t *x)
{
    uint64_t at[1024], high[1024], base;
    uint32_t i, patches = 0;
    unsigned head = reference_u8(r), w = head & 0x7f, h = 0;

    base = reference_varint(r);
    if (head & 0x80) {
        patches = (uint32_t)reference_varint(r);
        h = reference_u8(r);
    }
    reference_unpack(r, m, w, x);
    reference_unpack(r, patches, 10, at);
    reference_unpack(r, patches, h, high);
    for (i = 0; i < patches; i++)
        x[at[i]] |= high[i] << w;
    for (i = 0; i < m; i++)
        x[i] += base;
    r->seen->patched += patches > 0;
    r->seen->vector_bases += base > 0;
    r->seen->full_vectors += m == 1024;
    r->seen->runs += m < 1024;
}

/* --- entropy coded integers ------------------------------------------------------------------- */

static inline void
reference_entropy(struct reference *r, uint32_t n, uint64_t *x)
{
    uint32_t freq[65] = {0}, state[2], start, i;
    unsigned low = reference_u8(r), more = reference_u8(r), c, b;
    struct reference words;
    const uint8_t *rest;
    size_t bit = 0, count;

    for (c = low; c <= low + more; c++)
        freq[c] = (uint32_t)reference_varint(r);
    count = reference_varint(r);
    state[0] = (uint32_t)reference_little(r, 4);
    state[1] = (uint32_t)reference_little(r, 4);
    words = reference_part(r, 2 * count);
    rest = r->p;
    for (i = 0; i < n; i++) {
        uint32_t *s = &state[i % 2], place = *s % 2048;
        for (c = low, start = 0; place >= start + freq[c]; c++)
            start += freq[c];
        *s = freq[c] * (*s / 2048) + place - start;
        if (*s < 65536)
            *s = *s * 65536 + (uint32_t)reference_little(&words, 2);
        x[i] = c ? 1ULL << (c - 1) : 0;
        for (b = 0; b + 1 < c; b++, bit++)
            x[i] |= reference_bit(rest, bit) << b;
    }
    cr_assert(state[0] == 65536 && state[1] == 65536 && words.p == words.end);
    reference_take(r, (bit + 7) / 8);
}

/* --- integer columns -------------------------------------------------------------------------- */

/* Residuals to y; with transform 3 to x. */
static inline void
reference_transform(unsigned transform, uint64_t first, uint64_t base, uint32_t n, uint64_t *y)
{
    uint64_t before = 0 - base, d = base;
    uint32_t i;

    for (i = 0; i < n; i++)
        switch (transform) {
        case 0:
            y[i] += base;
            break;
        case 1:
            before = y[i] += before + base;
            break;
        case 3:
            first = y[i] = first ^ y[i] << base;
            break;
        default:
            d += y[i];
            before = y[i] = before + d;
            break;
        }
}

/* The column takes all of r. */
static inline void
reference_column(struct reference *r, uint32_t n, uint64_t *x)
{
    unsigned mode = reference_u8(r), transform = mode & 3, packing = mode >> 4 & 3;
    uint64_t first = reference_signed(r), g = mode & 8 ? reference_varint(r) : 1;
    uint64_t base = reference_signed(r);
    uint32_t i;

    memset(x, 0, n * sizeof(*x));
    for (i = 0; packing == 1 && i < n; i += 1024)
        reference_vector(r, MIN(n - i, 1024u), x + i);
    if (packing == 2)
        reference_entropy(r, n, x);
    for (i = 0; i < n && mode & 4; i++)
        x[i] = reference_unfold(x[i]);
    reference_transform(transform, first, base, n, x);
    for (i = 0; i < n && transform != 3; i++)
        x[i] = first + g * x[i];
    cr_assert_eq(r->p, r->end);
    r->seen->transform[transform]++;
    r->seen->packing[packing]++;
    r->seen->signed_residuals += (mode & 4) > 0;
    r->seen->divisors += (mode & 8) > 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static inline double
reference_decimal(uint64_t d, unsigned digits, bool is_float)
{
    const double rounder = 0x1.8p52;
    volatile double whole = reference_double_of(d + reference_bits_of(rounder));
    volatile double v = (whole - rounder) / pow(10, digits);

    return is_float ? (double)(float)v : v;
}

static inline void
reference_decimals(struct reference *r, uint32_t n, double *v)
{
    unsigned form = reference_u8(r);
    uint32_t corrections = (uint32_t)reference_varint(r), i;
    uint64_t *at = malloc((2 * (size_t)corrections + n) * sizeof(*at));
    uint64_t *off = at + corrections, *d = off + corrections;
    struct reference part;

    if (corrections) {
        part = reference_part(r, reference_varint(r));
        reference_column(&part, corrections, at);
        part = reference_part(r, reference_varint(r));
        reference_column(&part, corrections, off);
    }
    reference_column(r, n, d);
    for (i = 0; i < n; i++)
        v[i] = reference_decimal(d[i], form & 0x7f, form & 0x80);
    for (i = 0; i < corrections; i++)
        v[at[i]] = reference_double_of(reference_bits_of(v[at[i]]) + off[i]);
    r->seen->corrections += corrections > 0;
    r->seen->floats += (form & 0x80) > 0;
    free(at);
}

static inline void
reference_halves(struct reference *r, uint32_t n, double *v)
{
    unsigned p = reference_u8(r);
    size_t left_bytes = reference_varint(r);
    struct reference part = reference_part(r, left_bytes);
    uint64_t *left = malloc(2 * n * sizeof(*left)), *right = left + n;
    uint32_t i;

    reference_column(&part, n, left);
    reference_column(r, n, right);
    for (i = 0; i < n; i++) {
        uint64_t u = left[i] << p | right[i];
        v[i] = reference_double_of(u >> 1 | u << 63);
    }
    free(left);
}

static inline void
reference_values(struct reference *r, uint32_t n, double first, double *v)
{
    unsigned codec = reference_u8(r);
    uint32_t i;

    r->seen->value_codec[codec]++;
    switch (codec) {
    case 0:
        for (i = 0; i < n; i++)
            v[i] = first;
        break;
    case 1:
        for (i = 0; i < n; i++)
            v[i] = reference_f64(r);
        break;
    case 2:
        reference_column(r, n, (uint64_t *)v);
        break;
    case 3:
        reference_decimals(r, n, v);
        break;
    default:
        cr_assert_eq(codec, 4);
        reference_halves(r, n, v);
        break;
    }
    cr_assert_eq(r->p, r->end);
}

/* --- qualities -------------------------------------------------------------------------------- */

static inline void
reference_runs(struct reference *r, uint32_t n, uint8_t *q)
{
    uint32_t i = 0;

    while (i < n) {
        uint8_t quality = reference_u8(r);
        uint64_t length = reference_varint(r);
        cr_assert_gt(length, 0);
        for (; length > 0; length--)
            q[i++] = quality;
    }
}

static inline void
reference_qualities(struct reference *r, uint32_t n, uint8_t *q)
{
    unsigned codec = reference_u8(r);
    uint64_t *x = malloc(n * sizeof(*x));
    uint32_t i;

    memset(q, 0, n);
    r->seen->quality_codec[codec]++;
    switch (codec) {
    case 0:
        break;
    case 1:
        reference_runs(r, n, q);
        break;
    case 2:
        memcpy(q, reference_take(r, n), n);
        break;
    default:
        cr_assert_eq(codec, 3);
        reference_column(r, n, x);
        for (i = 0; i < n; i++)
            q[i] = (uint8_t)x[i];
        break;
    }
    cr_assert_eq(r->p, r->end);
    free(x);
}

/* --- block ------------------------------------------------------------------------------------ */

static inline void
reference_header(struct reference *r, struct block_info *b)
{
    unsigned flags;

    cr_assert_eq(reference_u8(r), 2);
    flags = reference_u8(r);
    b->count = (uint32_t)reference_varint(r);
    b->first_ts = (int64_t)reference_signed(r);
    b->last_ts = (int64_t)((uint64_t)b->first_ts + reference_varint(r));
    b->first = reference_f64(r);
    b->last = flags & 0x01 ? b->first : reference_f64(r);
    b->min = flags & 0x04 ? b->last : flags & 0x02 ? b->first : reference_f64(r);
    b->max = flags & 0x10 ? b->last : flags & 0x08 ? b->first : reference_f64(r);
    b->sum = flags & 0x20 ? b->first * b->count : reference_f64(r);
    b->sum_squares = flags & 0x20 ? b->first * b->first * b->count : reference_f64(r);
    b->nan_count = flags & 0x40 ? (uint32_t)reference_varint(r) : 0;
}

/* Points of a block: times, values and qualities, malloc'd, `info->count` of each. */
struct reference_points {
    uint64_t *ts;
    double *v;
    uint8_t *q;
};

static inline struct reference_points
reference_decode(struct slice block, struct reference_seen *seen, struct block_info *ret_info)
{
    struct reference r = {(const uint8_t *)block.p, (const uint8_t *)block.p + block.n, seen};
    struct reference_points ret;
    struct reference time, value;
    size_t time_bytes, value_bytes;
    uint32_t n, i;

    reference_header(&r, ret_info);
    n = ret_info->count;
    ret.ts = malloc(n * sizeof(*ret.ts));
    ret.v = malloc(n * sizeof(*ret.v));
    ret.q = malloc(n);
    time_bytes = reference_varint(&r);
    value_bytes = reference_varint(&r);
    time = reference_part(&r, time_bytes);
    value = reference_part(&r, value_bytes);
    reference_column(&time, n, ret.ts);
    for (i = 0; i < n; i++)
        ret.ts[i] += (uint64_t)ret_info->first_ts;
    reference_values(&value, n, ret_info->first, ret.v);
    reference_qualities(&r, n, ret.q);
    return ret;
}

static inline void
reference_free(struct reference_points *p)
{
    free(p->ts);
    free(p->v);
    free(p->q);
}

#endif
