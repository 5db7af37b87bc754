/* Compactions that new series get: "max:1M:1h;twa:1d:0m:360M", as RedisTimeSeries writes them. A plain
 * value. */
#ifndef CORE_COMPACTIONS_H
#define CORE_COMPACTIONS_H

#include "core/aggregate_names.h"
#include "core/base.h"
#include "core/buf.h"

#define COMPACTIONS_MAX 32
#define COMPACTION_MS_MAX (INT64_MAX / 1000000) /* fits in nanoseconds, too */

struct compaction {
    enum aggregate function;
    int64_t bucket_ms, retention_ms, align_ms; /* retention 0 = for ever */
};

struct compactions {
    struct compaction c[COMPACTIONS_MAX];
    uint32_t n;
};

/* Function, bucket, retention and perhaps alignment, separated by colons; compactions separated by
 * semicolons. A duration is a number and one of m (milliseconds), s, M (minutes), h, d. -EINVAL: `err`
 * gets what is allowed, *ret is untouched. */
int compactions_parse(struct slice text, struct compactions *ret, struct buf *err);
/* Appends them as text that is read back as the same. */
void compactions_format(const struct compactions *m, struct buf *out);

#endif
