/* Compactions as text: what is read is written back as the same. */
#include "core/compactions.h"

#include <criterion/criterion.h>

static int
parse(const char *text, struct compactions *ret, struct buf *err)
{
    buf_cut(err, 0);
    return compactions_parse(slice_of(text), ret, err);
}

Test(compactions, text_is_read_and_written_back)
{
    static const struct {
        const char *text, *back;
    } cases[] = {
        {"", ""},
        {";;", ""},
        {"max:1M:1h", "max:1M:1h"},
        {" MAX:60s:0d ; std.p:1500m:24h:90s;", "max:1M:0m;std.p:1500m:1d:90s"},
        {"countnan:106751d:1m", "countnan:106751d:1m"},
    };
    struct compactions m, again;
    struct buf err = {0}, out = {0};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_assert_eq(parse(cases[i].text, &m, &err), 0, "%s", cases[i].text);
        buf_cut(&out, 0);
        compactions_format(&m, &out);
        cr_assert(slice_equal((struct slice){out.p ? out.p : "", out.n}, slice_of(cases[i].back)),
                  "%s: %.*s", cases[i].text, (int)out.n, out.p);
        cr_assert_eq(parse(cases[i].back, &again, &err), 0);
        cr_assert_eq(again.n, m.n);
        for (uint32_t k = 0; k < m.n; k++)
            cr_assert(again.c[k].function == m.c[k].function &&
                      again.c[k].bucket_ms == m.c[k].bucket_ms &&
                      again.c[k].retention_ms == m.c[k].retention_ms &&
                      again.c[k].align_ms == m.c[k].align_ms);
    }
    cr_assert_eq(parse("avg:2s:3M:4h", &m, &err), 0);
    cr_assert(m.n == 1 && m.c[0].function == AGGREGATE_AVG && m.c[0].bucket_ms == 2000 &&
              m.c[0].retention_ms == 180000 && m.c[0].align_ms == 14400000);
    buf_fini(&err);
    buf_fini(&out);
}

Test(compactions, what_is_none_is_refused_and_nothing_is_touched)
{
    static const char *const wrong[] = {
        "max", "max:", "max:1M", "max:1M:1h:1m:1m", "max:1M:1h:", "max:0s:1h", "max:1:1h", "max:M:1h",
        "max:+1M:1h", "max:1 M:1h", "max:1x:1h", "nope:1M:1h", "max:106752d:1h",
        "max:99999999999999999999m:1h", "max:9223372036854775807m:1h", "max:1M:1h;max:60s:5h",
    };
    struct compactions m = {.n = 7};
    struct buf err = {0};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cr_assert_eq(parse(wrong[i], &m, &err), -EINVAL, "%s", wrong[i]);
        cr_assert(err.n > 0 && m.n == 7, "%s", wrong[i]);
    }
    buf_fini(&err);
}
