/* A set of data and questions like that of TSBS (Time Series Benchmark Suite), use case "cpu-only":
 * hosts with ten figures of their processors each, a point of each every ten seconds, and the fifteen
 * questions of its DevOps set, as TS.* commands. Data are made here, by a walk of random steps, and so
 * is the draw of hosts and times; both by seed. */
#ifndef BENCH_TSBS_H
#define BENCH_TSBS_H

#include "bench/load_random.h"
#include "core/base.h"
#include "core/buf.h"

#define TSBS_FIELDS 10
#define TSBS_STEP_MS 10000LL
#define TSBS_START_MS 1451606400000LL /* 2016-01-01, as there */
#define TSBS_HOUR_MS 3600000LL
#define TSBS_HOSTS_MAX 100000

struct tsbs_data {
    uint64_t hosts, hours;
    struct load_rng rng;
};

extern const char *const tsbs_fields[TSBS_FIELDS];

/* Appends a TS.CREATE for each series of the host, TSBS_FIELDS commands. */
void tsbs_put_series(struct tsbs_data *d, uint64_t host, struct buf *out);
/* Appends the TS.MADD of a host's ten points; `values` are those of the step before, and move on. */
void tsbs_put_points(struct tsbs_data *d, uint64_t host, int64_t ts, double *values,
                     struct buf *out);

struct tsbs_query {
    const char *name;
    uint32_t fields, hosts; /* 0 = all */
    uint32_t hours;         /* of data asked for */
    int64_t bucket_ms;
    const char *function;   /* NULL: points as they are */
    const char *reduce;     /* over the hosts of a field; NULL: every series by itself */
    bool high;              /* only values over 90 */
    enum { TSBS_RANGE, TSBS_LAST, TSBS_NEWEST } kind;
};

/* The i-th of the fifteen, NULL beyond. */
const struct tsbs_query *tsbs_query(unsigned i);
/* Appends one of its commands, hosts and time drawn. */
void tsbs_put_query(struct tsbs_data *d, const struct tsbs_query *q, struct buf *out);

#endif
