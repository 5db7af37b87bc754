/* Metadata of a series, any bytes: refused, or what is read, written again, is read as the same, and
 * every text lies within the bytes. */
#include "shards/series/series_meta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_inside(struct slice part, struct slice whole)
{
    ASSERT(part.n == 0 || (part.p >= whole.p && part.n <= (size_t)(whole.p + whole.n - part.p)));
}

static void
check(struct slice bytes)
{
    struct series_meta m, again;
    struct buf out = {0};

    if (!series_meta_parse(bytes, &m))
        return;
    for (uint32_t i = 0; i < m.labels_n; i++) {
        check_inside(m.labels[i].name, bytes);
        check_inside(m.labels[i].value, bytes);
    }
    for (uint32_t i = 0; i < m.rules_n; i++)
        check_inside(m.rules[i].to, bytes);
    if (m.has_source)
        check_inside(m.source, bytes);
    series_meta_write(&out, &m);
    ASSERT(out.n <= series_meta_size(&m));
    ASSERT(series_meta_parse((struct slice){out.p, out.n}, &again));
    ASSERT(series_meta_equal(&m, &again));
    series_meta_parsed_fini(&again);
    series_meta_parsed_fini(&m);
    buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *exact = malloc(n + !n);

    ASSERT(exact);
    if (n)
        memcpy(exact, data, n); /* at its very length, so that a read past it is noticed */
    check((struct slice){exact, n});
    free(exact);
    return 0;
}
