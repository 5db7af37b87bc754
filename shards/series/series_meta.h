/* What a series is besides its points: retention, how its points meet, labels, compaction rules.
 *
 * It belongs to the key (all data types; RedisTimeSeries commands work on type 00). A key without it
 * has the defaults: most keys that TSDB_SET makes. In memory it is one allocation that is never
 * changed: another metadata takes its place as a whole (series_set_meta), in the journal it is one
 * absolute record, in the store a part of the key's main row. */
#ifndef SHARDS_SERIES_SERIES_META_H
#define SHARDS_SERIES_SERIES_META_H

#include "alloc/arena.h"
#include "core/buf.h"

#define SERIES_META_VERSION 1
#define SERIES_META_BYTES_MAX (1 * MIB) /* serialised */
#define SERIES_LABELS_MAX 4096
#define SERIES_LABEL_BYTES_MAX 65000 /* of a name, or of a value */
#define SERIES_RULES_MAX 1024
#define SERIES_CHUNK_BYTES_DEFAULT 4096 /* said to clients; our blocks do not depend on it */
#define SERIES_CHUNK_BYTES_MIN 48
#define SERIES_CHUNK_BYTES_MAX 1048576

struct series_label {
    struct slice name, value;
};

/* Compaction: aggregates of the buckets of this series become points of another. */
struct series_rule {
    struct slice to; /* key of the destination, in the same database */
    uint8_t aggregator; /* enum aggregate */
    int64_t bucket;
    int64_t align;
    /* The bucket that was open when the rule was made counts points after this time only, until it
     * is computed anew; INT64_MIN: all. */
    int64_t after;
};

struct series_meta {
    int64_t retention;    /* 0 = for ever; else what is older than the newest point by more is gone */
    int64_t ignore_time;  /* under LAST a point this close to the newest one ... */
    double ignore_value;  /* ... in both is dropped; 0 and 0: only an equal one */
    uint32_t chunk_bytes;
    uint8_t policy;       /* enum duplicate_policy, or SERIES_POLICY_UNSET */
    bool uncompressed;    /* said to clients; blocks choose for themselves */
    bool has_source;      /* it is the destination of a rule of `source` */
    uint32_t labels_n, rules_n;
    uint32_t bytes;       /* of the allocation; 0 where it is not series_meta_copy's */
    const struct series_label *labels; /* in the order given */
    const struct series_rule *rules;
    struct slice source;
};
#define SERIES_POLICY_UNSET 0xff

/* What a key without metadata has. */
extern const struct series_meta series_meta_default;

/* The same settings, labels, source and rules, in the same order. */
bool series_meta_equal(const struct series_meta *a, const struct series_meta *b);
static inline bool
series_meta_is_default(const struct series_meta *m)
{
    return series_meta_equal(m, &series_meta_default);
}
/* The value of a label; false when there is none of that name. */
bool series_meta_label(const struct series_meta *m, struct slice name, struct slice *ret_value);
/* The place of the rule with this destination, -1 = none. */
int series_meta_rule(const struct series_meta *m, struct slice to);

/* A copy of everything, in one allocation of m->bytes. */
struct series_meta *series_meta_copy(struct arena *a, const struct series_meta *from);
void series_meta_destroy(struct arena *a, struct series_meta **m);

/* Bytes: docs/FORMATS.md. They are at most SERIES_META_BYTES_MAX when the counts are within their
 * limits and series_meta_size says so. */
size_t series_meta_size(const struct series_meta *m);
void series_meta_write(struct buf *out, const struct series_meta *m);
/* False: damaged, of a later version, or beyond a limit. Texts point into `bytes`; the arrays are
 * malloc'd: series_meta_parsed_fini frees them. */
bool series_meta_parse(struct slice bytes, struct series_meta *ret_m);
void series_meta_parsed_fini(struct series_meta *m);

#endif
