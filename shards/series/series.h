/* A series in memory: the newest points of one (key, data type).
 *
 * Points live in three places. Stored blocks: rows in the store, disjoint in time, each covering
 * [its first ts, next block's first ts). Chunks in memory: the same, not yet (or just) stored, raw,
 * oldest first; the last one is open and takes new points. Late points: times before the first
 * chunk in memory; a small sorted array, merged into stored blocks by the next checkpoint.
 * Equal timestamps never straddle two chunks or blocks.
 *
 * mem_first: chunks in memory are authoritative for ts >= mem_first; stored rows with a first ts at
 * or beyond it are older copies and are ignored by readers.
 *
 * A series key (entry type ENTRY_SERIES) holds up to 256 of these, by data type: struct series_key.
 * Memory comes from the shard's arena. Owner: the shard's owner. */
#ifndef SHARDS_SERIES_SERIES_H
#define SHARDS_SERIES_SERIES_H

#include "alloc/arena.h"
#include "shards/series/block.h"

/* In the order of the configuration's enum. */
enum duplicate_policy {
    DUPLICATE_LAST,
    DUPLICATE_FIRST,
    DUPLICATE_MIN,
    DUPLICATE_MAX,
    DUPLICATE_SUM,
    DUPLICATE_BLOCK,
    DUPLICATE_KEEP,
};

#define SERIES_SAME_TS_MAX 1000000 /* points of one timestamp under KEEP */

struct series_limits {
    uint32_t block_points;     /* seal at this many points when the span is long enough: 1024 */
    uint32_t block_points_max; /* seal in any case: 8192 */
    int64_t block_span;        /* block-seconds in the series' unit */
};

struct series_chunk {
    struct sample *p;
    uint8_t *quality; /* NULL while every quality is 0 */
    uint32_t n, cap;
};

struct late_point {
    int64_t ts;
    double value;
    uint8_t quality;
    uint8_t policy; /* how it meets an existing point: LAST FIRST MIN MAX SUM KEEP */
};

/* One data type of a key. Small: a series of one point stays well under 200 bytes with its entry.
 */
struct series {
    struct series_chunk open;
    struct series_chunk *sealed; /* oldest first, all before open; NULL when none */
    struct late_point *late;
    uint32_t sealed_n, sealed_cap;
    uint32_t late_n, late_cap;
    uint32_t flushing_sealed; /* the first so many sealed chunks and ... */
    uint32_t flushing_late;   /* ... late points are in the checkpoint under way: frozen */
    int64_t stored_open_ts;   /* first ts of the open chunk's row in the store */
    bool has_stored_open;     /* such a row exists */
    bool has_stored_blocks;   /* the store may hold blocks before mem_first */
    uint8_t type;             /* data type 00..ff */
    uint64_t as_of_lsn;       /* points of records up to here are in (for replay) */
};

struct series_key {
    struct series **types; /* sorted by data type */
    uint32_t n;
    uint32_t bytes; /* arena bytes below this object, kept by this module */
};

enum series_result {
    SERIES_ADDED,     /* a new point */
    SERIES_REPLACED,  /* an existing point changed */
    SERIES_UNCHANGED, /* policy kept the old one (FIRST, or MIN/MAX not better) */
    SERIES_BLOCKED,   /* policy BLOCK and a point is there */
    SERIES_LATE,      /* went to the late points; what it meets is seen by readers and checkpoint */
    SERIES_CROWDED,   /* more than SERIES_SAME_TS_MAX points of one timestamp */
    SERIES_NEED_STORED, /* policy BLOCK and only the stored block covering ts can tell */
};

struct series_key *series_key_create(struct arena *a);
void series_key_destroy(struct arena *a, struct series_key **k);
/* NULL = no points of this type. */
struct series *series_find(const struct series_key *k, uint8_t type);
struct series *series_get(struct arena *a, struct series_key *k, uint8_t type);

/* Adds one point. Appending in order is the hot path: under 20 ns when the chunk has room. */
enum series_result series_add(struct arena *a, struct series_key *k, struct series *s,
                              const struct series_limits *lim, int64_t ts, double value,
                              uint8_t quality, enum duplicate_policy policy);

/* First timestamp for which memory is authoritative; INT64_MAX when no chunk holds a point. */
int64_t series_mem_first(const struct series *s);
/* Newest point by time; false when none is in memory. */
bool series_last(const struct series *s, struct sample *ret_sample, uint8_t *ret_quality);
size_t series_memory_points(const struct series *s);

/* --- checkpoint: copy out (owner), write (helper), take over (owner) ----------------------------
 */

/* What one checkpoint takes of one series. Sealed chunks and late points are lent (frozen in the
 * series until series_flush_done); the open chunk is copied. */
struct series_flush {
    const struct series_chunk *sealed;
    uint32_t sealed_n;
    struct series_chunk open; /* copy, malloc'd; n may be 0 */
    const struct late_point *late;
    uint32_t late_n;
    int64_t stale_open_ts; /* row of an earlier open chunk to delete unless rewritten */
    bool has_stale_open;
    bool has_stored_blocks;
    uint8_t type;
    uint64_t as_of_lsn;
    uint32_t block_points_max;
};
void series_flush_begin(struct series *s, const struct series_limits *lim, uint64_t as_of_lsn,
                        struct series_flush *ret_f);
/* After the checkpoint is on disk: frees frozen sealed chunks and late points. Failed: thaws them.
 */
void series_flush_done(struct arena *a, struct series_key *k, struct series *s,
                       const struct series_flush *f, bool ok);
void series_flush_fini(struct series_flush *f);

/* --- merging, shared by readers and the checkpoint -----------------------------------------------
 */

/* Merges late points (sorted by ts, arrival order within a ts) into sorted samples, applying each
 * point's policy. `out` is malloc'd by the callee (p, quality); returns 0 or -ENOMEM. */
int series_merge_late(const struct samples *base, const struct late_point *late, uint32_t late_n,
                      struct samples *out);

#endif
