/* Filters over labels: whatever is parsed finds in an index of a few series exactly what its
 * definition finds, and nothing is read past the end. Input: expressions, separated by newlines. */
#include "shards/head/head.h"
#include "shards/labels/label_filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define ARGS_MAX 16

static const struct {
    const char *key;
    uint32_t n;
    struct {
        const char *name, *value;
    } l[3];
} series[] = {
    {"s0", 2, {{"a", "1"}, {"b", "x"}}},        {"s1", 2, {{"a", "1"}, {"b", "y"}}},
    {"s2", 3, {{"a", "2"}, {"b", "x"}, {"c", "long value"}}},
    {"s3", 1, {{"b", "x"}}},                    {"s4", 3, {{"a", "1"}, {"a", "2"}, {"c", "1"}}},
};

static uint32_t
labels_at_index(uint32_t i, struct series_label *ret)
{
    for (uint32_t k = 0; k < series[i].n; k++)
        ret[k] = (struct series_label){slice_of(series[i].l[k].name), slice_of(series[i].l[k].value)};
    return series[i].n;
}

static bool
was_hit(const struct label_hits *h, struct slice key)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (slice_equal(h->p[i].key, key))
            return true;
    return false;
}

static void
check_filter(const struct labels *x, const struct label_filter *f)
{
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_hits h;
    struct series_label l[3];

    if (labels_select(x, f, ARRAY_SIZE(series), &h, err) < 0)
        return; /* a pattern of too many steps */
    for (uint32_t i = 0; i < ARRAY_SIZE(series); i++) {
        uint32_t n = labels_at_index(i, l);

        ASSERT(label_filter_matches(f, l, n) == was_hit(&h, slice_of(series[i].key)));
    }
    for (uint32_t i = 1; i < h.n; i++)
        ASSERT(memcmp(h.p[i - 1].key.p, h.p[i].key.p, 2) < 0);
    label_hits_free(&h);
}

/* Each expression at its very length, so that a read past it is noticed. */
static uint32_t
split(const uint8_t *data, size_t n, struct slice *argv)
{
    uint32_t argc = 0;

    while (n > 0 && argc < ARGS_MAX) {
        const uint8_t *end = memchr(data, '\n', n);
        size_t len = end ? (size_t)(end - data) : n;
        char *exact = malloc(len + !len);

        ASSERT(exact);
        memcpy(exact, data, len);
        argv[argc++] = (struct slice){exact, len};
        len += end != NULL;
        data += len;
        n -= len;
    }
    return argc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct labels *x;
    static struct arena *arena;
    char err[LABEL_FILTER_ERROR_BYTES];
    struct slice argv[ARGS_MAX];
    struct label_filter *f;
    struct series_label l[3];
    uint32_t argc = split(data, n, argv);

    if (x == NULL) {
        ASSERT(arena_create(&arena) == 0);
        x = labels_create(arena);
        for (uint32_t i = 0; i < ARRAY_SIZE(series); i++) {
            struct slice key = slice_of(series[i].key);

            labels_set(x, key, head_hash(key), l, labels_at_index(i, l));
        }
    }
    for (int extended = 0; extended < 2; extended++)
        if (label_filter_parse(argv, argc, extended, &f, err) == 0) {
            check_filter(x, f);
            label_filter_free(&f);
        }
    for (uint32_t i = 0; i < argc; i++)
        free((void *)argv[i].p);
    return 0;
}
