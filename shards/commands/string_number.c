/* Strings that are numbers. A change keeps the key's expiry.
 *
 * INCRBYFLOAT counts in long double and writes plain decimals with up to 17 digits after the point,
 * without trailing zeros, as Redis does: what clients stored with one must read the same with the
 * other. That is why the C library reads and writes here: net/number.h has doubles only. */
#include "shards/commands/handlers.h"
#include "shards/engine/keyspace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Longest text taken for a number, and longest written: the largest long double has 4933 digits. */
#define FLOAT_TEXT_MAX 5120

static void
add_to(struct ctx *c, int64_t delta)
{
    struct key k = key_open(c, c->argv[1]);
    bool ok;
    struct entry *e = key_find_type(c, &k, ENTRY_STRING, &ok);
    char text[RESP_INT_TEXT_MAX];
    int64_t v = 0;

    if (!ok)
        return;
    if (e && !parse_int(entry_string(e), &v)) {
        ctx_error(c, ERR_NOT_INT);
        return;
    }
    if (__builtin_add_overflow(v, delta, &v)) {
        ctx_error(c, "ERR increment or decrement would overflow");
        return;
    }
    key_set_string(c, &k, (struct slice){text, format_int(text, v)}, KEEP_EXPIRE);
    resp_int(c->out, v);
}

void
cmd_incr(struct ctx *c)
{
    add_to(c, 1);
}

void
cmd_decr(struct ctx *c)
{
    add_to(c, -1);
}

void
cmd_incrby(struct ctx *c)
{
    int64_t delta;

    if (ctx_int(c, 2, &delta))
        add_to(c, delta);
}

void
cmd_decrby(struct ctx *c)
{
    int64_t delta;

    if (!ctx_int(c, 2, &delta))
        return;
    if (delta == INT64_MIN) {
        ctx_error(c, "ERR decrement would overflow");
        return;
    }
    add_to(c, -delta);
}

static bool
is_space(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* The whole slice as a long double in any notation of the C library, infinities included. */
static bool
parse_float(struct slice s, long double *ret_v)
{
    char text[FLOAT_TEXT_MAX];
    char *end;
    long double v;

    if (s.n == 0 || s.n >= sizeof(text) || is_space(s.p[0]))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    errno = 0;
    v = strtold(text, &end);
    if (end != text + s.n || isnan(v))
        return false;
    if (errno == ERANGE && (isinf(v) || v == 0))
        return false;
    *ret_v = v;
    return true;
}

static size_t
format_float(char out[FLOAT_TEXT_MAX], long double v)
{
    size_t n = (size_t)snprintf(out, FLOAT_TEXT_MAX, "%.17Lf", v);

    ASSERT(n < FLOAT_TEXT_MAX);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    if (n == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        n = 1;
    }
    return n;
}

void
cmd_incrbyfloat(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    bool ok;
    struct entry *e = key_find_type(c, &k, ENTRY_STRING, &ok);
    long double v = 0, delta;
    char text[FLOAT_TEXT_MAX];
    struct slice sum = {text, 0};

    if (!ok)
        return;
    if ((e && !parse_float(entry_string(e), &v)) || !parse_float(c->argv[2], &delta)) {
        ctx_error(c, ERR_NOT_FLOAT);
        return;
    }
    v += delta;
    if (isnan(v) || isinf(v)) {
        ctx_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    sum.n = format_float(text, v);
    key_set_string(c, &k, sum, KEEP_EXPIRE)->form = STRING_FLOAT;
    resp_bulk(c->out, sum);
}
