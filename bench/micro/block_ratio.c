/* Size of encoded blocks on a column of data, for choosing codecs and for claims about size.
 *
 *   zcat FILE | block_ratio [-b points per block] [-t time column] [-v value column] [-s scale]
 * [-q]
 *
 * Columns are counted from 1; without -t the values stand 1 apart. Times are multiplied by the
 * scale and cut to integers. -q encodes the quick way. Lines whose value is no number are skipped.
 * One JSON line. */
#include "shards/series/block.h"
#include "shards/series/block_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct column_options {
    uint32_t block_points;
    int time_column, value_column;
    double scale;
    enum block_effort effort;
};

struct totals {
    uint64_t points, bytes, time_bytes, value_bytes, blocks;
};

/* The text of a column, or NULL. */
static const char *
column_of(const char *line, int column)
{
    while (line && --column > 0)
        if ((line = strchr(line, ',')))
            line++;
    return line;
}

/* "YYYY-MM-DD hh:mm:ss" or a number times the scale. */
static int64_t
time_of(const char *text, double scale)
{
    struct tm tm = {0};

    if (strptime(text, "%Y-%m-%d %H:%M:%S", &tm))
        return (int64_t)timegm(&tm) * 1000;
    return (int64_t)floor(strtod(text, NULL) * scale + 1e-3);
}

static struct sample *
read_points(const struct column_options *opt, uint32_t *ret_n)
{
    struct sample *p = NULL;
    char line[4096], *end;
    uint32_t n = 0, cap = 0;

    while (fgets(line, sizeof(line), stdin)) {
        const char *t = opt->time_column ? column_of(line, opt->time_column) : NULL;
        const char *v = column_of(line, opt->value_column);
        double value = v ? strtod(v, &end) : 0;
        if (!v || end == v || (opt->time_column && !t))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 4096;
            p = realloc(p, cap * sizeof(*p));
            ASSERT(p);
        }
        p[n] = (struct sample){t ? time_of(t, opt->scale) : n, value};
        if (n && p[n].ts < p[n - 1].ts)
            p[n].ts = p[n - 1].ts;
        n++;
    }
    *ret_n = n;
    return p;
}

/* What the two big columns take of it. */
static void
add_columns(struct totals *t, const struct sample *p, uint32_t n, enum block_effort effort)
{
    struct buf column = {0};
    int64_t *ts = malloc(n * sizeof(*ts)), *spare = malloc(n * sizeof(*spare));
    double *v = malloc(n * sizeof(*v));

    ASSERT(ts && spare && v);
    codec_kernels->split(p, n, ts, v);
    time_encode(ts, n, effort, &column);
    t->time_bytes += column.n;
    column.n = 0;
    value_encode(v, n, spare, effort, &column);
    t->value_bytes += column.n;
    buf_fini(&column);
    free(ts);
    free(spare);
    free(v);
}

static void
add_block(struct totals *t, struct sample *p, uint32_t n, enum block_effort effort)
{
    struct samples in = {.p = p, .n = n};
    struct buf out = {0};
    struct sample *back = malloc(n * sizeof(*back));

    ASSERT(back);
    block_encode(&in, effort, &out);
    ASSERT(block_decode((struct slice){out.p, out.n}, back, NULL));
    ASSERT(memcmp(back, p, n * sizeof(*p)) == 0);
    t->bytes += out.n;
    t->points += n;
    t->blocks++;
    add_columns(t, p, n, effort);
    free(back);
    buf_fini(&out);
}

static void
parse_options(int argc, char **argv, struct column_options *opt)
{
    int c;

    *opt = (struct column_options){
        .block_points = 1024, .value_column = 1, .scale = 1, .effort = BLOCK_SMALL};
    while ((c = getopt(argc, argv, "b:t:v:s:q")) != -1) {
        switch (c) {
        case 'b':
            opt->block_points = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 't':
            opt->time_column = atoi(optarg);
            break;
        case 'v':
            opt->value_column = atoi(optarg);
            break;
        case 's':
            opt->scale = strtod(optarg, NULL);
            break;
        case 'q':
            opt->effort = BLOCK_QUICK;
            break;
        default:
            fprintf(stderr,
                    "usage: block_ratio [-b points] [-t column] [-v column] [-s scale] [-q]\n");
            exit(2);
        }
    }
}

int
main(int argc, char **argv)
{
    struct column_options opt;
    struct totals t = {0};
    struct sample *p;
    uint32_t n, i;

    parse_options(argc, argv, &opt);
    p = read_points(&opt, &n);
    for (i = 0; i < n; i += opt.block_points)
        add_block(&t, p + i, MIN(n - i, opt.block_points), opt.effort);
    free(p);
    if (t.points == 0)
        return 1;
    printf("{\"points\": %lu, \"block_points\": %u, \"bytes_per_point\": %.3f, "
           "\"time_bytes\": %.3f, \"value_bytes\": %.3f, \"value_bits\": %.2f}\n",
           t.points, opt.block_points, (double)t.bytes / t.points, (double)t.time_bytes / t.points,
           (double)t.value_bytes / t.points, 8.0 * t.value_bytes / t.points);
    return 0;
}
