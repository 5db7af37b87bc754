/* The commands. See tsbs.h. */
#include "bench/tsbs.h"
#include "net/number.h"
#include "tools/lib/client.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define ARGS_MAX 64
#define TEXT_BYTES_MAX 8192

const char *const tsbs_fields[TSBS_FIELDS] = {
    "usage_user",    "usage_system", "usage_idle",  "usage_nice",  "usage_iowait",
    "usage_irq",     "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice",
};

/* --- a command being put together ------------------------------------------------------------- */

struct words {
    struct slice argv[ARGS_MAX];
    unsigned n;
    char text[TEXT_BYTES_MAX];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void
word(struct words *w, const char *fmt, ...)
{
    char *start = w->text + w->used;
    size_t room = sizeof(w->text) - w->used;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(start, room, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0 && (size_t)n < room && w->n < ARGS_MAX);
    w->argv[w->n++] = (struct slice){start, (size_t)n};
    w->used += (size_t)n;
}

static void
finish(struct words *w, struct buf *out)
{
    client_command(out, w->n, w->argv);
}

static void
key(struct words *w, const char *field, uint64_t host)
{
    word(w, "cpu_%s{host_%llu}", field, (unsigned long long)host);
}

/* --- loading ---------------------------------------------------------------------------------- */

static const char *const regions[] = {"us-east-1", "us-west-1", "eu-west-1", "eu-central-1",
                                      "ap-southeast-1", "sa-east-1"};
static const char *const teams[] = {"SF", "NYC", "LON", "CHI"};

void
tsbs_put_series(struct tsbs_data *d, uint64_t host, struct buf *out)
{
    const char *region = regions[load_rng_below(&d->rng, ARRAY_SIZE(regions))];
    const char *team = teams[load_rng_below(&d->rng, ARRAY_SIZE(teams))];
    unsigned rack = (unsigned)load_rng_below(&d->rng, 100);

    for (unsigned i = 0; i < TSBS_FIELDS; i++) {
        struct words w = {.n = 0};

        word(&w, "TS.CREATE");
        key(&w, tsbs_fields[i], host);
        word(&w, "LABELS");
        word(&w, "hostname");
        word(&w, "host_%llu", (unsigned long long)host);
        word(&w, "region");
        word(&w, "%s", region);
        word(&w, "rack");
        word(&w, "%u", rack);
        word(&w, "os");
        word(&w, "Ubuntu16.04LTS");
        word(&w, "team");
        word(&w, "%s", team);
        word(&w, "measurement");
        word(&w, "cpu");
        word(&w, "fieldname");
        word(&w, "%s", tsbs_fields[i]);
        finish(&w, out);
    }
}

/* Of variance 1, near enough to normal. */
static double
random_step(struct load_rng *rng)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += load_rng_unit(rng);
    return sum;
}

void
tsbs_put_points(struct tsbs_data *d, uint64_t host, int64_t ts, double *values, struct buf *out)
{
    struct words w = {.n = 0};

    word(&w, "TS.MADD");
    for (unsigned i = 0; i < TSBS_FIELDS; i++) {
        values[i] = fmin(100, fmax(0, values[i] + random_step(&d->rng)));
        key(&w, tsbs_fields[i], host);
        word(&w, "%lld", (long long)ts);
        word(&w, "%d", (int)values[i]);
    }
    finish(&w, out);
}

/* --- questions -------------------------------------------------------------------------------- */

#define MINUTE_MS 60000
#define HOUR_MS 3600000

static const struct tsbs_query queries[] = {
    {"single-groupby-1-1-1", 1, 1, 1, MINUTE_MS, "MAX", NULL, false, TSBS_RANGE},
    {"single-groupby-1-1-12", 1, 1, 12, MINUTE_MS, "MAX", NULL, false, TSBS_RANGE},
    {"single-groupby-1-8-1", 1, 8, 1, MINUTE_MS, "MAX", "max", false, TSBS_RANGE},
    {"single-groupby-5-1-1", 5, 1, 1, MINUTE_MS, "MAX", NULL, false, TSBS_RANGE},
    {"single-groupby-5-1-12", 5, 1, 12, MINUTE_MS, "MAX", NULL, false, TSBS_RANGE},
    {"single-groupby-5-8-1", 5, 8, 1, MINUTE_MS, "MAX", "max", false, TSBS_RANGE},
    {"cpu-max-all-1", 0, 1, 8, HOUR_MS, "MAX", NULL, false, TSBS_RANGE},
    {"cpu-max-all-8", 0, 8, 8, HOUR_MS, "MAX", "max", false, TSBS_RANGE},
    {"double-groupby-1", 1, 0, 12, HOUR_MS, "AVG", NULL, false, TSBS_RANGE},
    {"double-groupby-5", 5, 0, 12, HOUR_MS, "AVG", NULL, false, TSBS_RANGE},
    {"double-groupby-all", 0, 0, 12, HOUR_MS, "AVG", NULL, false, TSBS_RANGE},
    {"high-cpu-1", 1, 1, 12, 0, NULL, NULL, true, TSBS_RANGE},
    {"high-cpu-all", 1, 0, 12, 0, NULL, NULL, true, TSBS_RANGE},
    {"lastpoint", 0, 0, 0, 0, NULL, NULL, false, TSBS_LAST},
    {"groupby-orderby-limit", 1, 0, 0, MINUTE_MS, "MAX", "max", false, TSBS_NEWEST},
};

const struct tsbs_query *
tsbs_query(unsigned i)
{
    return i < ARRAY_SIZE(queries) ? &queries[i] : NULL;
}

/* "fieldname=(usage_user,usage_system)" */
static void
field_filter(struct words *w, uint32_t n)
{
    char list[256] = "";

    for (uint32_t i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? "," : "",
                 tsbs_fields[i]);
    if (n > 0)
        word(w, "fieldname=(%s)", list);
}

static void
host_filter(struct tsbs_data *d, struct words *w, uint32_t n)
{
    uint64_t first = load_rng_below(&d->rng, d->hosts);
    char list[512] = "";

    for (uint32_t i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%shost_%llu", i ? "," : "",
                 (unsigned long long)((first + i * 7) % d->hosts));
    if (n > 0)
        word(w, "hostname=(%s)", list);
}

static void
filters(struct tsbs_data *d, const struct tsbs_query *q, struct words *w)
{
    word(w, "FILTER");
    word(w, "measurement=cpu");
    field_filter(w, q->fields);
    host_filter(d, w, q->hosts);
    if (q->reduce) {
        word(w, "GROUPBY");
        word(w, "fieldname");
        word(w, "REDUCE");
        word(w, "%s", q->reduce);
    }
}

/* A stretch of that many hours within the data. */
static int64_t
draw_start(struct tsbs_data *d, uint32_t hours)
{
    uint64_t spare = d->hours > hours ? (d->hours - hours) * (uint64_t)TSBS_HOUR_MS : 0;

    return TSBS_START_MS + (int64_t)load_rng_below(&d->rng, spare + 1);
}

static void
put_times(struct tsbs_data *d, const struct tsbs_query *q, struct words *w)
{
    int64_t start = draw_start(d, MAX(q->hours, 1u));

    if (q->kind == TSBS_NEWEST) {
        word(w, "-");
        word(w, "%lld", (long long)(start + TSBS_HOUR_MS));
        word(w, "COUNT");
        word(w, "5");
    } else {
        word(w, "%lld", (long long)start);
        word(w, "%lld", (long long)(start + q->hours * TSBS_HOUR_MS - 1));
    }
}

void
tsbs_put_query(struct tsbs_data *d, const struct tsbs_query *q, struct buf *out)
{
    struct words w = {.n = 0};

    word(&w, "%s", q->kind == TSBS_LAST     ? "TS.MGET"
                   : q->kind == TSBS_NEWEST ? "TS.MREVRANGE"
                                            : "TS.MRANGE");
    if (q->kind != TSBS_LAST)
        put_times(d, q, &w);
    if (q->high) {
        word(&w, "FILTER_BY_VALUE");
        word(&w, "90");
        word(&w, "100");
    }
    if (q->function) {
        word(&w, "AGGREGATION");
        word(&w, "%s", q->function);
        word(&w, "%lld", (long long)q->bucket_ms);
    }
    filters(d, q, &w);
    finish(&w, out);
}
