#include "shards/series/duration.h"

struct suffix {
    const char *text;
    int64_t ns;
};

static const struct suffix suffixes[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
    {"d", 86400000000000},
    {"w", 604800000000000},
};

/* The digits that text begins with; -EINVAL: none, -ERANGE: too many. */
static int
parse_digits(struct slice text, size_t *ret_n, int64_t *ret_v)
{
    int64_t v = 0;
    size_t n;

    for (n = 0; n < text.n && text.p[n] >= '0' && text.p[n] <= '9'; n++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text.p[n] - '0', &v))
            return -ERANGE;
    *ret_n = n;
    *ret_v = v;
    return n == 0 ? -EINVAL : 0;
}

int
duration_parse(struct slice text, int64_t unit_ns, int64_t *ret)
{
    struct slice rest;
    int64_t count;
    size_t n;
    int rc = parse_digits(text, &n, &count);

    if (rc < 0)
        return rc;
    rest = (struct slice){text.p + n, text.n - n};
    if (rest.n == 0) {
        *ret = count;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        __int128 ns = (__int128)count * suffixes[i].ns;

        if (!slice_is(rest, suffixes[i].text))
            continue;
        if (ns % unit_ns != 0 || ns / unit_ns > INT64_MAX)
            return -ERANGE;
        *ret = (int64_t)(ns / unit_ns);
        return 0;
    }
    return -EINVAL;
}
