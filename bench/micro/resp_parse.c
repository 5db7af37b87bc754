/* Nanoseconds to parse one pipelined request, the best of some rounds over a buffer that stays in
 * the first-level cache, as it would when it has just been received. One JSON line a workload; the
 * first, "resp_parse", is a time series write of four arguments. */
#include "core/clock.h"
#include "net/resp.h"

#include <stdio.h>
#include <stdlib.h>

#define PIPELINE 100
#define PASSES 2000
#define ROUNDS 15

struct workload {
    const char *name;
    void (*append)(struct buf *b, int i);
};

/* The request as `words` separated by spaces. */
static void
append_words(struct buf *b, const char *words)
{
    struct slice argv[8];
    uint64_t argc = 0, i;

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        ASSERT(argc < ARRAY_SIZE(argv));
        argv[argc++] = (struct slice){words, n};
        words += n + (words[n] == ' ');
    }
    resp_array(b, argc);
    for (i = 0; i < argc; i++)
        resp_bulk(b, argv[i]);
}

static void
append_sample(struct buf *b, int i)
{
    char words[96];

    snprintf(words, sizeof(words), "TSDB_SET stock_%012d * %d.5", 12345 + i, 100 + i);
    append_words(b, words);
}

static void
append_set(struct buf *b, int i)
{
    char words[96];

    snprintf(words, sizeof(words), "SET key:%012d xxx", 12345 + i * 7919);
    append_words(b, words);
}

/* Lengths that change from request to request, so that branches cannot be foreseen. */
static void
append_mixed(struct buf *b, int i)
{
    char words[96], value[40];
    unsigned n = 1 + (unsigned)i * 2654435761U % 32;

    memset(value, 'v', n);
    value[n] = '\0';
    snprintf(words, sizeof(words), i % 3 ? "SET k%d %s" : "GET k%d", i * i * i, value);
    append_words(b, words);
}

/* One request that only the slow path takes: an argument of 1,000 bytes. */
static void
append_long(struct buf *b, int i)
{
    char words[1100];
    int n = snprintf(words, sizeof(words), "SET key:%012d ", i);

    memset(words + n, 'v', 1000);
    words[n + 1000] = '\0';
    append_words(b, words);
}

static void
append_inline(struct buf *b, int i)
{
    buf_printf(b, "SET key:%012d xxx\r\n", i);
}

static void
parse_all(struct resp_parser *p, struct buf *b)
{
    size_t at = 0;
    int count = 0;

    while (at < b->n) {
        ASSERT(resp_parse(p, b->p + at, b->n - at) == RESP_COMPLETE);
        ASSERT(p->argc >= 2);
        at += p->used;
        count++;
    }
    ASSERT(count == PIPELINE);
}

static double
measure(struct resp_parser *p, struct buf *b)
{
    double best = 1e18;
    int round, pass;

    for (round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_now_ns();
        double ns;

        for (pass = 0; pass < PASSES; pass++)
            parse_all(p, b);
        ns = (double)(clock_now_ns() - start) / PASSES / PIPELINE;
        best = MIN(best, ns);
    }
    return best;
}

int
main(void)
{
    static const struct workload workloads[] = {{"resp_parse", append_sample},
                                                {"resp_parse_set", append_set},
                                                {"resp_parse_mixed", append_mixed},
                                                {"resp_parse_1000_bytes", append_long},
                                                {"resp_parse_inline", append_inline}};
    struct resp_parser p;
    struct buf b = {0};
    size_t i;
    int k;

    resp_parser_init(&p, 512 * MIB);
    for (i = 0; i < ARRAY_SIZE(workloads); i++) {
        b.n = 0;
        for (k = 0; k < PIPELINE; k++)
            workloads[i].append(&b, k);
        printf("{\"name\":\"%s\",\"ns\":%.1f,\"bytes\":%.1f}\n", workloads[i].name, measure(&p, &b),
               (double)b.n / PIPELINE);
    }
    resp_parser_fini(&p);
    buf_fini(&b);
    return 0;
}
