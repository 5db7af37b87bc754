#include "core/compactions.h"

#define SHOWN_BYTES 64 /* of a wrong text, in its error */

static const struct {
    char letter;
    int64_t ms;
} units[] = {{'d', 86400000}, {'h', 3600000}, {'M', 60000}, {'s', 1000}, {'m', 1}};

/* What stands before the first `sign`, taken off the text; false: the text has ended. */
static bool
next_part(struct slice *rest, char sign, struct slice *ret)
{
    const char *end;

    if (rest->p == NULL)
        return false;
    end = rest->n ? memchr(rest->p, sign, rest->n) : NULL;
    *ret = (struct slice){rest->p, end ? (size_t)(end - rest->p) : rest->n};
    if (end)
        *rest = (struct slice){end + 1, rest->n - ret->n - 1};
    else
        *rest = (struct slice){NULL, 0};
    return true;
}

static struct slice
trim(struct slice s)
{
    while (s.n > 0 && s.p[0] == ' ')
        s = (struct slice){s.p + 1, s.n - 1};
    while (s.n > 0 && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static bool
parse_number(struct slice text, int64_t *ret_v)
{
    int64_t v = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || v > COMPACTION_MS_MAX)
            return false;
        v = 10 * v + (text.p[i] - '0');
    }
    *ret_v = v;
    return text.n > 0;
}

static bool
parse_duration(struct slice text, int64_t *ret_ms)
{
    char letter = text.n > 1 ? text.p[text.n - 1] : '\0';
    int64_t v;

    if (letter == '\0' || !parse_number((struct slice){text.p, text.n - 1}, &v))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(units); i++)
        if (units[i].letter == letter && v <= COMPACTION_MS_MAX / units[i].ms) {
            *ret_ms = v * units[i].ms;
            return true;
        }
    return false;
}

static bool
parse_one(struct slice text, struct compaction *ret)
{
    struct slice rest = text, part[5];
    uint32_t n = 0;

    while (n < ARRAY_SIZE(part) && next_part(&rest, ':', &part[n]))
        n++;
    *ret = (struct compaction){.align_ms = 0};
    if (n < 3 || n > 4 || !aggregate_parse(part[0], &ret->function))
        return false;
    return parse_duration(part[1], &ret->bucket_ms) && ret->bucket_ms > 0 &&
           parse_duration(part[2], &ret->retention_ms) &&
           (n == 3 || parse_duration(part[3], &ret->align_ms));
}

/* The series of both would have one name. */
static bool
is_there(const struct compactions *m, const struct compaction *c)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->c[i].function == c->function && m->c[i].bucket_ms == c->bucket_ms &&
            m->c[i].align_ms == c->align_ms)
            return true;
    return false;
}

int
compactions_parse(struct slice text, struct compactions *ret, struct buf *err)
{
    struct compactions m = {.n = 0};
    struct slice rest = text, word;

    while (next_part(&rest, ';', &word)) {
        struct compaction c;
        int shown = (int)MIN(word.n, (size_t)SHOWN_BYTES);

        word = trim(word);
        if (word.n == 0)
            continue;
        if (!parse_one(word, &c)) {
            buf_printf(err, "argument must be function:bucket:retention[:alignment] separated by ;, "
                            "such as max:1M:1h (units: m milliseconds, s, M minutes, h, d), '%.*s' "
                            "is none", shown, word.p);
            return -EINVAL;
        }
        if (is_there(&m, &c)) {
            buf_printf(err, "argument has the function and bucket of '%.*s' twice", shown, word.p);
            return -EINVAL;
        }
        if (m.n == COMPACTIONS_MAX) {
            buf_printf(err, "argument must have at most %d compactions", COMPACTIONS_MAX);
            return -EINVAL;
        }
        m.c[m.n++] = c;
    }
    *ret = m;
    return 0;
}

/* In the longest unit that divides it. */
static void
format_duration(int64_t ms, struct buf *out)
{
    unsigned i = ms == 0 ? ARRAY_SIZE(units) - 1 : 0;

    while (ms % units[i].ms != 0)
        i++;
    buf_printf(out, ":%lld%c", (long long)(ms / units[i].ms), units[i].letter);
}

void
compactions_format(const struct compactions *m, struct buf *out)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct compaction *c = &m->c[i];

        buf_printf(out, "%s%s", i ? ";" : "", aggregate_name(c->function, false));
        format_duration(c->bucket_ms, out);
        format_duration(c->retention_ms, out);
        if (c->align_ms)
            format_duration(c->align_ms, out);
    }
}
