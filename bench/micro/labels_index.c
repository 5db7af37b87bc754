/* The label index of a million series: time to set the labels of one, bytes it takes, and how long
 * filters take that find 1,000, 10,000 and all series, the keys in order. Labels as in a monitoring
 * system: host (10,000 values), metric (100), region (8), and one that only this series bears.
 *
 *   bench_labels_index [series]        one line of JSON */
#include "core/clock.h"
#include "shards/head/head.h"
#include "shards/labels/label_filter.h"

#include <stdio.h>
#include <stdlib.h>

#define HOSTS 10000
#define RUNS 20

static void
set_one(struct labels *x, uint32_t i)
{
    char text[5][32];
    struct series_label l[4] = {{.name = SLICE("host")}, {.name = SLICE("metric")},
                         {.name = SLICE("region")}, {.name = SLICE("id")}};
    struct slice key;

    snprintf(text[0], 32, "host_%u", i % HOSTS);
    snprintf(text[1], 32, "cpu_usage_%u", i / HOSTS);
    snprintf(text[2], 32, "region-%u", i % 8);
    snprintf(text[3], 32, "%u", i);
    snprintf(text[4], 32, "cpu_usage_%u:host_%u", i / HOSTS, i % HOSTS);
    for (unsigned k = 0; k < 4; k++)
        l[k].value = slice_of(text[k]);
    key = slice_of(text[4]);
    labels_set(x, key, head_hash(key), l, 4);
}

/* The best of RUNS, ms. */
static double
ask(const struct labels *x, const char *a, const char *b, uint32_t *ret_hits)
{
    struct slice argv[] = {slice_of(a), slice_of(b ? b : "")};
    char err[LABEL_FILTER_ERROR_BYTES] = "";
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < RUNS; i++) {
        uint64_t began = clock_now_ns();
        struct label_filter *f;
        struct label_hits h;

        ASSERT(label_filter_parse(argv, b ? 2 : 1, true, &f, err) == 0);
        ASSERT(labels_select(x, f, UINT32_MAX, &h, err) == 0);
        *ret_hits = h.n;
        label_hits_free(&h);
        label_filter_free(&f);
        best = MIN(best, clock_now_ns() - began);
    }
    return (double)best / 1e6;
}

int
main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000, hits;
    struct arena *a;
    struct labels *x;
    uint64_t began;

    ASSERT(arena_create(&a) == 0);
    x = labels_create(a);
    began = clock_now_ns();
    for (uint32_t i = 0; i < n; i++)
        set_one(x, i);
    printf("{\"bench\": \"labels_index\", \"series\": %u, \"set_ns\": %.0f", n,
           (double)(clock_now_ns() - began) / n);
    printf(", \"bytes_per_series\": %.1f",
           (double)(arena_bytes(a) + labels_outer_bytes(x)) / n);
    printf(", \"one_host_ms\": %.3f", ask(x, "host=host_17", NULL, &hits));
    printf(", \"one_host_hits\": %u", hits);
    printf(", \"thousand_ms\": %.3f", ask(x, "metric=cpu_usage_3", "host=~host_.?.?.?", &hits));
    printf(", \"thousand_hits\": %u", hits);
    printf(", \"metric_region_ms\": %.3f", ask(x, "region=region-3", "metric=cpu_usage_7", &hits));
    printf(", \"metric_region_hits\": %u", hits);
    printf(", \"ten_thousand_ms\": %.3f", ask(x, "metric=cpu_usage_3", "host!=host_1", &hits));
    printf(", \"ten_thousand_hits\": %u", hits);
    printf(", \"all_ms\": %.1f", ask(x, "region=~.*", NULL, &hits));
    printf(", \"all_hits\": %u}\n", hits);
    labels_destroy(&x);
    arena_destroy(&a);
    return 0;
}
