/* Cells of a file to numbers of the server and back. Both sides are text: a decimal that is moved
 * by its point is exact, and the server rounds it once. */
#include "tools/lib/columns.h"

#include "net/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAIN_DIGITS_MAX 17    /* so many digits are finite whatever the point */
#define SCALED_MAX 999999999999999LL /* any decimal of 15 digits comes back from a double */
#define WHOLE_MAX (1LL << 53)        /* whole numbers up to it are exact */
#define HEX_DIGITS_MAX 14            /* of WHOLE_MAX */
#define EXPONENT_MAX 400       /* of a double's text: 308 and its digits */
#define EXPONENT_SPELLED_MAX 30 /* 1e-30 to 9.9e30 are written without exponent */

/* Digits with perhaps a sign and a point, few enough to be surely finite. */
static bool
is_plain_number(struct slice s)
{
    size_t i = s.n > 0 && s.p[0] == '-', digits = 0, points = 0;

    for (; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9')
            digits++;
        else if (s.p[i] == '.')
            points++;
        else
            return false;
    }
    return digits > 0 && digits <= PLAIN_DIGITS_MAX && points <= 1;
}

static const char *
read_number(struct slice cell, struct slice *ret)
{
    double v;

    *ret = cell;
    if (likely(is_plain_number(cell)))
        return NULL;
    if (!parse_double(cell, &v))
        return "is no number";
    return isfinite(v) ? NULL : "is no finite number";
}

/* 1815200 with 4 decimals is 181.5200. */
static const char *
read_scaled(struct slice cell, int decimals, char *room, struct slice *ret)
{
    char digits[RESP_INT_TEXT_MAX];
    size_t n, at = 0, whole;
    int64_t v;

    if (!parse_int(cell, &v))
        return "is no whole number";
    if (v > SCALED_MAX || v < -SCALED_MAX)
        return "has more than 15 digits";
    n = format_uint(digits, (uint64_t)(v < 0 ? -v : v));
    if (v < 0)
        room[at++] = '-';
    whole = n > (size_t)decimals ? n - (size_t)decimals : 0;
    memcpy(room + at, digits, whole);
    at += whole;
    if (whole == 0)
        room[at++] = '0';
    room[at++] = '.';
    for (size_t i = n; i < (size_t)decimals; i++)
        room[at++] = '0';
    memcpy(room + at, digits + whole, n - whole);
    *ret = (struct slice){room, at + n - whole};
    return NULL;
}

static const char *
read_hex(struct slice cell, char ten, char *room, struct slice *ret)
{
    uint64_t v = 0;

    if (cell.n == 0 || cell.n > HEX_DIGITS_MAX || (cell.n > 1 && cell.p[0] == '0'))
        return "is no hexadecimal number of up to 14 digits without leading zeros";
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] >= '0' && cell.p[i] <= '9')
            v = v << 4 | (uint64_t)(cell.p[i] - '0');
        else if (cell.p[i] >= ten && cell.p[i] <= ten + 5)
            v = v << 4 | (uint64_t)(cell.p[i] - ten + 10);
        else
            return ten == 'a' ? "is no hexadecimal number in lower case"
                              : "is no hexadecimal number in upper case";
    }
    if (v > WHOLE_MAX)
        return "is a hexadecimal number above 20000000000000 (2^53)";
    *ret = (struct slice){room, format_uint(room, v)};
    return NULL;
}

static const char *
read_text(struct slice cell, char *room, struct slice *ret)
{
    uint64_t v = 0;

    if (cell.n > CELL_TEXT_BYTES_MAX)
        return "is longer than 6 bytes";
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] == '\0')
            return "has a NUL byte";
        v = v << 8 | (uint8_t)cell.p[i];
    }
    *ret = (struct slice){room, format_uint(room, v)};
    return NULL;
}

const char *
cell_read(const struct column *c, struct slice cell, char *room, struct slice *ret)
{
    switch (c->kind) {
    case CELL_SCALED:
        return read_scaled(cell, c->decimals, room, ret);
    case CELL_HEX:
    case CELL_UPPER_HEX:
        return read_hex(cell, c->kind == CELL_HEX ? 'a' : 'A', room, ret);
    case CELL_TEXT:
        return read_text(cell, room, ret);
    default:
        return read_number(cell, ret);
    }
}

/* --- writing -------------------------------------------------------------------------------------
 */

/* A decimal in pieces: digits, and how many of them stand before the point. */
struct decimal {
    bool negative;
    char digits[PLAIN_DIGITS_MAX + 8]; /* with the zeros of 0.0001 */
    int n, whole;
};

/* "-05", which parse_int would not take. */
static bool
take_exponent(struct slice s, int *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    int v = 0;

    for (size_t i = negative; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || v > EXPONENT_MAX)
            return false;
        v = v * 10 + s.p[i] - '0';
    }
    *ret = negative ? -v : v;
    return s.n > negative;
}

static bool
take_decimal(struct slice s, struct decimal *d)
{
    const char *p = s.p, *end = s.p + s.n;
    int exponent = 0;

    *d = (struct decimal){.negative = p < end && *p == '-'};
    p += d->negative;
    for (bool point = false; p < end && *p != 'e'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9' || d->n == (int)sizeof(d->digits))
            return false;
        d->digits[d->n++] = *p;
        d->whole += !point;
    }
    if (p < end) {
        p += 1 + (p + 1 < end && p[1] == '+');
        if (!take_exponent((struct slice){p, (size_t)(end - p)}, &exponent))
            return false;
    }
    d->whole += exponent;
    return d->n > 0;
}

static void
put_zeros(struct buf *out, int n)
{
    while (n-- > 0)
        buf_append_lit(out, "0");
}

/* All digits, without exponent. */
static void
put_decimal(const struct decimal *d, struct buf *out)
{
    int whole = MIN(MAX(d->whole, 0), d->n), end = d->n;

    if (d->negative)
        buf_append_lit(out, "-");
    while (end > whole && d->digits[end - 1] == '0')
        end--;
    buf_append(out, d->digits, (size_t)whole);
    if (whole == 0)
        buf_append_lit(out, "0");
    put_zeros(out, d->whole - d->n);
    if (end == whole)
        return;
    buf_append_lit(out, ".");
    put_zeros(out, -d->whole);
    buf_append(out, d->digits + whole, (size_t)(end - whole));
}

static bool
put_number(const struct column *c, struct slice value, struct buf *out)
{
    struct decimal d;
    double v;

    if (c->decimals >= 0) {
        if (!parse_double(value, &v))
            return false;
        buf_printf(out, "%.*f", c->decimals, v);
    } else if (memchr(value.p, 'e', value.n) && take_decimal(value, &d) &&
               abs(d.whole - 1) <= EXPONENT_SPELLED_MAX) {
        put_decimal(&d, out);
    } else {
        buf_append(out, value.p, value.n);
    }
    return true;
}

/* As many programs write what they hold as a float: 7 is 7.0. */
static bool
put_float(const struct column *c, struct slice value, struct buf *out)
{
    size_t from = out->n;

    put_number(c, value, out);
    if (!memchr(out->p + from, '.', out->n - from) && !memchr(out->p + from, 'e', out->n - from))
        buf_append_lit(out, ".0");
    return true;
}

static bool
put_scaled(const struct column *c, struct slice value, struct buf *out)
{
    size_t before = out->n;
    struct decimal d;

    if (!take_decimal(value, &d))
        return false;
    d.whole += c->decimals;
    while (d.n > 1 && d.whole > 1 && d.digits[0] == '0') { /* 0.5: 05 before the point */
        memmove(d.digits, d.digits + 1, (size_t)--d.n);
        d.whole--;
    }
    if (d.n == 1 && d.digits[0] == '0')
        d.whole = 1;
    put_decimal(&d, out);
    return !memchr(out->p + before, '.', out->n - before);
}

static bool
put_text(uint64_t v, struct buf *out)
{
    char text[CELL_TEXT_BYTES_MAX];
    size_t n = 0;

    for (int shift = 8 * CELL_TEXT_BYTES_MAX - 8; shift >= 0; shift -= 8) {
        if (v >> shift == 0)
            continue;
        text[n++] = (char)(v >> shift & 0xff);
        if (text[n - 1] == '\0')
            return false;
    }
    buf_append(out, text, n);
    return v >> 8 * CELL_TEXT_BYTES_MAX == 0;
}

/* NaN is written by every kind of number, and read back; an infinite value by those that are not
 * whole ones. */
static bool
put_not_finite(const struct column *c, struct slice value, double v, struct buf *out)
{
    if (isnan(v) ? c->kind == CELL_TEXT : c->kind != CELL_NUMBER && c->kind != CELL_FLOAT)
        return false;
    buf_append(out, value.p, value.n);
    return true;
}

bool
cell_put(const struct column *c, struct slice value, struct buf *out)
{
    double v;

    if (likely(c->kind == CELL_NUMBER && is_plain_number(value)))
        return put_number(c, value, out);
    if (!parse_double(value, &v))
        return false;
    if (!isfinite(v))
        return put_not_finite(c, value, v, out);
    if (c->kind == CELL_NUMBER)
        return put_number(c, value, out);
    if (c->kind == CELL_FLOAT)
        return put_float(c, value, out);
    if (c->kind == CELL_SCALED)
        return put_scaled(c, value, out);
    if (v < 0 || v > (double)WHOLE_MAX || v != floor(v))
        return false;
    if (c->kind == CELL_TEXT)
        return put_text((uint64_t)v, out);
    buf_printf(out, c->kind == CELL_HEX ? "%llx" : "%llX", (unsigned long long)v);
    return true;
}
