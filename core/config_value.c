/* Values as text and back, one parser and one printer a type. A parser's first words are Redis 7's,
 * so that client libraries recognise them; what follows says what would have been allowed. */
#include "core/config_priv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

#define SHOWN_BYTES_MAX 64
#define RANGE_TEXT "argument must be between %" PRIu64 " and %" PRIu64 " inclusive"

/* Text to value */

struct number {
    uint64_t value;
    bool negative;
    bool huge;           /* more than 64 bits */
    bool padded;         /* 01, -0: another way to write a number */
    struct slice suffix; /* what follows the digits */
};

static int
number_parse(struct slice text, struct number *ret)
{
    struct number n = {.negative = text.n > 0 && text.p[0] == '-'};
    size_t start = n.negative, i;

    for (i = start; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(n.value, (uint64_t)10, &n.value) ||
            __builtin_add_overflow(n.value, (uint64_t)(text.p[i] - '0'), &n.value))
            n.huge = true;
    if (i == start)
        return -EINVAL;
    n.padded = text.p[start] == '0' && (i > start + 1 || n.negative);
    n.suffix = (struct slice){text.p + i, text.n - i};
    *ret = n;
    return 0;
}

struct factor {
    const char *suffix;
    uint64_t times;
};

static const struct factor byte_factors[] = {
    {"", 1},     {"b", 1},          {"k", 1000}, {"kb", KIB}, {"m", 1000000},
    {"mb", MIB}, {"g", 1000000000}, {"gb", GIB}, {NULL, 0},
};
/* In microseconds, the smallest unit a DURATION row may have. */
static const struct factor time_factors[] = {
    {"us", 1},         {"ms", 1000},       {"s", 1000000}, {"m", 60000000},
    {"h", 3600000000}, {"d", 86400000000}, {NULL, 0},
};

static uint64_t
factor_find(const struct factor *f, struct slice suffix)
{
    while (f->suffix != NULL && !slice_is(suffix, f->suffix))
        f++;
    return f->times;
}

/* Applies the suffix; 0 = it is none of this type's. Sets huge on overflow. */
static int
number_scale(const struct config_row *row, struct number *n)
{
    uint64_t times = 1, parts = 1;

    if (row->type == CONFIG_BYTES) {
        times = factor_find(byte_factors, n->suffix);
    } else if (n->suffix.n > 0) {
        times = row->type == CONFIG_DURATION ? factor_find(time_factors, n->suffix) : 0;
        parts = row->type == CONFIG_DURATION ? factor_find(time_factors, slice_of(row->unit)) : 1;
    }
    if (times == 0)
        return -EINVAL;
    n->huge |= __builtin_mul_overflow(n->value, times, &n->value);
    if (!n->huge && n->value % parts != 0)
        return -EINVAL;
    n->value /= parts;
    return 0;
}

/* As in Redis: sizes have no sign, and what is no size is written in one way only. */
static bool
number_is_written_well(const struct config_row *row, const struct number *n)
{
    return row->type == CONFIG_BYTES ? !n->negative : !n->padded;
}

static int
number_refuse(const struct config_row *row, struct buf *err)
{
    if (row->type == CONFIG_BYTES)
        buf_append_lit(err, "argument must be a memory value (a number, then b, k, kb, m, mb, g, "
                            "gb or nothing)");
    else if (row->type == CONFIG_DURATION)
        buf_printf(err,
                   "argument couldn't be parsed into an integer number of %s (a time such as "
                   "30, 500ms, 30s, 5m, 2h or 1d)",
                   row->unit);
    else
        buf_printf(err,
                   "argument couldn't be parsed into an integer between %" PRIu64 " and %" PRIu64,
                   row->min, row->max);
    return -EINVAL;
}

static int
parse_number(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    struct number n;

    if (number_parse(text, &n) < 0 || !number_is_written_well(row, &n) || number_scale(row, &n) < 0)
        return number_refuse(row, err);
    if (n.huge || n.negative || n.value < row->min || n.value > row->max) {
        buf_printf(err, RANGE_TEXT, row->min, row->max);
        return -EINVAL;
    }
    if (row->type == CONFIG_POWER2 && (n.value & (n.value - 1)) != 0) {
        buf_append_lit(err, "argument must be a power of two");
        return -EINVAL;
    }
    *(uint64_t *)config_field(c, row) = n.value;
    return 0;
}

static int
parse_real(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    char copy[64], *end;
    double v;

    memcpy(copy, text.p, MIN(text.n, sizeof(copy) - 1));
    copy[MIN(text.n, sizeof(copy) - 1)] = '\0';
    v = strtod(copy, &end);
    if (text.n == 0 || text.n >= sizeof(copy) || end != copy + text.n ||
        strpbrk(copy, "xXnN \t") != NULL) {
        buf_append_lit(err, "argument couldn't be parsed into a number");
        return -EINVAL;
    }
    if (!(v >= (double)row->min && v <= (double)row->max)) {
        buf_printf(err, RANGE_TEXT, row->min, row->max);
        return -EINVAL;
    }
    *(double *)config_field(c, row) = v;
    return 0;
}

static int
parse_bool(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    bool yes = slice_is(text, "yes");

    if (!yes && !slice_is(text, "no")) {
        buf_append_lit(err, "argument must be 'yes' or 'no'");
        return -EINVAL;
    }
    *(bool *)config_field(c, row) = yes;
    return 0;
}

static bool
same_word(struct slice a, struct slice b)
{
    size_t i;

    for (i = 0; i < a.n && i < b.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return a.n == b.n;
}

static int
parse_enum(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    const char *words = row->unit;
    struct slice word;
    unsigned i;

    for (i = 0; config_enum_word(&words, &word); i++)
        if (same_word(text, word)) {
            *(unsigned *)config_field(c, row) = i;
            return 0;
        }
    buf_append_lit(err, "argument(s) must be one of the following: ");
    config_enum_list(row, ", ", err);
    return -EINVAL;
}

int32_t
config_utf8_next(struct slice *rest)
{
    static const int32_t smallest[] = {0x20, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)rest->p[0];
    size_t more = first < 0x80 ? 0 : first < 0xc0 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3, i;
    int32_t code = more == 0 ? first : first & (0x3f >> more);

    if (more >= rest->n || more > 3 || first >= 0xf8)
        return -1;
    for (i = 1; i <= more; i++) {
        if (((unsigned char)rest->p[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (rest->p[i] & 0x3f);
    }
    if (code < smallest[more] || code == 0x7f || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff))
        return -1;
    *rest = (struct slice){rest->p + more + 1, rest->n - more - 1};
    return code;
}

static int
parse_text(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    struct slice rest = text;
    char *field = config_field(c, row);

    if (text.n < row->min || text.n > row->max) {
        buf_printf(err, "argument must have between %" PRIu64 " and %" PRIu64 " bytes", row->min,
                   row->max);
        return -EINVAL;
    }
    while (rest.n > 0)
        if (config_utf8_next(&rest) < 0) {
            buf_append_lit(err, "argument must be UTF-8 text without control characters");
            return -EINVAL;
        }
    memmove(field, text.p, text.n);
    field[text.n] = '\0';
    return 0;
}

static bool
is_address(struct slice word)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];

    if (word.n > 0 && word.p[0] == '-')
        word = (struct slice){word.p + 1, word.n - 1};
    if (slice_is(word, "*") || slice_is(word, "::*"))
        return true;
    if (word.n == 0 || word.n >= sizeof(text))
        return false;
    memcpy(text, word.p, word.n);
    text[word.n] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int
parse_addresses(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    struct slice rest = text, word;
    bool any = false;

    while (config_next_word(&rest, &word)) {
        any = true;
        if (!is_address(word)) {
            buf_printf(err, "argument must be IPv4 or IPv6 addresses, * or ::*, '%.*s' is none",
                       (int)MIN(word.n, (size_t)SHOWN_BYTES_MAX), word.p);
            return -EINVAL;
        }
    }
    if (!any) {
        buf_append_lit(err, "argument must name at least one address");
        return -EINVAL;
    }
    return parse_text(c, row, text, err);
}

static int
parse_cpulist(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    struct cpu_set set = {0};

    if (text.n > 0 && (cpu_set_parse(text, &set) < 0 || set.n == 0)) {
        buf_append_lit(err, "argument must be a list of CPUs such as 0-3,8 (numbers up to 1023), "
                            "or empty");
        return -EINVAL;
    }
    *(struct cpu_set *)config_field(c, row) = set;
    return 0;
}

static int
parse_fields(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    return fieldmap_parse(text, config_field(c, row), err);
}

static int
parse_compactions(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    return compactions_parse(text, config_field(c, row), err);
}

typedef int config_parse_fn(struct config *c, const struct config_row *row, struct slice text,
                            struct buf *err);

static config_parse_fn *const parsers[] = {
    [CONFIG_INT] = parse_number,      [CONFIG_POWER2] = parse_number,
    [CONFIG_BYTES] = parse_number,    [CONFIG_DURATION] = parse_number,
    [CONFIG_BOOL] = parse_bool,       [CONFIG_ENUM] = parse_enum,
    [CONFIG_TEXT] = parse_text,       [CONFIG_ADDRESSES] = parse_addresses,
    [CONFIG_CPULIST] = parse_cpulist, [CONFIG_REAL] = parse_real,
    [CONFIG_FIELDS] = parse_fields,   [CONFIG_COMPACTIONS] = parse_compactions,
};

int
config_parse(struct config *c, const struct config_row *row, struct slice text, struct buf *err)
{
    if (row->when == CONFIG_FIXED && !same_word(text, slice_of(row->fallback))) {
        buf_printf(err, "argument can only be '%s' here", row->fallback);
        return -EINVAL;
    }
    return parsers[row->type](c, row, text, err);
}

/* Value to text */

static void
get_number(uint64_t value, const struct config_row *row, bool human, struct buf *out)
{
    static const struct factor *const units[] = {&byte_factors[7], &byte_factors[5],
                                                 &byte_factors[3]};
    size_t i;

    for (i = 0; human && row->type == CONFIG_BYTES && i < ARRAY_SIZE(units); i++)
        if (value > 0 && value % units[i]->times == 0) {
            buf_printf(out, "%" PRIu64 "%s", value / units[i]->times, units[i]->suffix);
            return;
        }
    buf_printf(out, "%" PRIu64, value);
}

/* The shortest of two that reads back as the same. */
static void
get_real(double value, struct buf *out)
{
    char text[32];

    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof(text), "%.17g", value);
    buf_printf(out, "%s", text);
}

static void
get_enum(unsigned value, const struct config_row *row, struct buf *out)
{
    const char *words = row->unit;
    struct slice word;
    unsigned i;

    for (i = 0; config_enum_word(&words, &word); i++)
        if (i == value)
            buf_append(out, word.p, word.n);
}

static void
get_cpulist(const struct cpu_set *set, struct buf *out)
{
    char text[4096]; /* 1024 CPUs, every other one: 512 numbers of at most 4 digits and commas */

    if (set->n > 0)
        buf_append(out, text, MIN(cpu_set_format(set, text, sizeof(text)), sizeof(text) - 1));
}

static void
get(const struct config *c, const struct config_row *row, bool human, struct buf *out)
{
    const void *field = config_field_const(c, row);

    switch (row->type) {
    case CONFIG_INT:
    case CONFIG_POWER2:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
        get_number(*(const uint64_t *)field, row, human, out);
        break;
    case CONFIG_REAL:
        get_real(*(const double *)field, out);
        break;
    case CONFIG_BOOL:
        buf_printf(out, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case CONFIG_ENUM:
        get_enum(*(const unsigned *)field, row, out);
        break;
    case CONFIG_TEXT:
    case CONFIG_ADDRESSES:
        buf_printf(out, "%s", (const char *)field);
        break;
    case CONFIG_FIELDS:
        fieldmap_format(field, out);
        break;
    case CONFIG_COMPACTIONS:
        compactions_format(field, out);
        break;
    case CONFIG_CPULIST:
        get_cpulist(field, out);
        break;
    }
}

void
config_get(const struct config *c, const struct config_row *row, struct buf *out)
{
    get(c, row, false, out);
}

void
config_get_human(const struct config *c, const struct config_row *row, struct buf *out)
{
    get(c, row, true, out);
}
