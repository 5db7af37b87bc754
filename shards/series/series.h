/* A series in memory: the newest points of one (key, data type).
 *
 * Points live in three places. Stored blocks: rows in the store, disjoint in time, each covering
 * [its first ts, next block's first ts). Chunks in memory: the same, not yet (or just) stored, raw,
 * oldest first; the last one is open and takes new points. Late points: times that belong to what
 * is stored or being stored; a small list beside, merged into stored blocks by the next checkpoint.
 * Equal timestamps never straddle two chunks or blocks. A series that has points has some in its
 * open chunk.
 *
 * Deletions reach at once what is not stored and not being stored; for the rest the range stands
 * beside the series, readers leave out what it covers, and the next checkpoint merges it into stored
 * blocks as well (series_delete.c). A point that comes after a deletion is not touched by it.
 *
 * mem_first: memory is authoritative for ts >= mem_first, its chunks and nothing else; stored points
 * at or beyond it are older copies and are ignored by readers.
 *
 * A series key (entry type ENTRY_SERIES) holds up to 256 of these, by data type: struct series_key.
 * Memory comes from the shard's arena. Owner: the shard's owner. */
#ifndef SHARDS_SERIES_SERIES_H
#define SHARDS_SERIES_SERIES_H

#include "alloc/arena.h"
#include "shards/series/block.h"
#include "shards/series/series_meta.h"

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

#define SERIES_TYPES_MAX 256
#define SERIES_SAME_TS_MAX 1000000 /* points of one timestamp under KEEP, wherever they are */
static_assert(SERIES_SAME_TS_MAX <= BLOCK_POINTS_MAX, "one block holds them");

struct series_limits {
    uint32_t block_points;     /* seal at this many points when the span is long enough: 1024 */
    uint32_t block_points_max; /* seal in any case: 8192 */
    int64_t block_span;        /* block-seconds in the series' unit */
    uint32_t same_ts_max;      /* SERIES_SAME_TS_MAX */
    bool accepted; /* what is added was accepted before (replay): no time is too crowded for it */
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
    uint32_t order; /* of arrival; only while sorting */
};

/* Points in order of arrival; the first `sorted` of them by ts, equal ones in order of arrival. */
struct late_list {
    struct late_point *p;
    uint32_t n, sorted, cap;
};

struct time_range {
    int64_t from, to; /* both included */
};

/* Sorted, disjoint, never adjacent. */
struct range_list {
    struct time_range *p;
    uint32_t n, cap;
};

/* How many points there are at one time that is nearly full, see series_room.c: `others`, and the
 * late ones of that time. */
struct series_crowd {
    int64_t ts, others; /* others is below 0 where late points met each other */
    bool known;
};

/* What waits for the next checkpoint beside the chunks; few series have any. Stored points are first
 * cut by `dead`, then meet `late`. */
struct series_aside {
    struct late_list late;
    struct range_list dead;
    struct series_crowd crowd;
};

/* What of a series is in the checkpoint under way, and must stay as it is. */
struct series_frozen {
    struct late_list late;
    struct range_list dead;
    uint32_t sealed_n; /* the first so many sealed chunks */
    uint32_t late_gen; /* the main row's, once the two are in the stored blocks */
    uint32_t run_max;  /* bound of series.run_max once it is stored */
    int64_t open_ts;   /* first ts of the open chunk's copy; INT64_MAX = it has none */
    struct series_limits limits;
};

/* One data type of a key. Small: with its key and one point 176 bytes. What an append looks at comes
 * first. */
struct series {
    struct series_chunk open;
    uint32_t late_gen;            /* checkpoints that took `aside` along, or tried to */
    uint32_t run_max : 22;        /* no time has more points in the stored blocks */
    uint32_t type : 8;            /* data type 00..ff */
    bool has_stored_open : 1;     /* stored_open_ts is one */
    bool has_stored_blocks : 1;   /* the store may hold blocks before mem_first */
    struct series_chunk *sealed; /* oldest first, all before open; NULL when none */
    uint32_t sealed_n;
    uint32_t sealed_cap : 31;
    bool has_stored_tail : 1; /* the stored blocks may end with small ones, see series_tail.h */
    struct series_aside *aside;   /* NULL: nothing */
    struct series_frozen *frozen; /* NULL: no checkpoint under way */
    int64_t stored_open_ts;       /* first ts of the open chunk's row in the store */
    int64_t stored_until;         /* last ts of the first stored block, INT64_MIN = not known */
    uint64_t as_of_lsn;           /* points of records up to here are in (for replay) */
};
static_assert(BLOCK_POINTS_MAX < 1 << 22, "run_max");

/* The first data type stands behind the key in the same allocation: an append to the usual key, which
 * has one, meets one or two cache lines on its way to the points. */
struct series_key {
    struct series **list; /* sorted by data type; NULL while there is but the first */
    uint64_t n : 16;
    uint64_t bytes : 48; /* arena bytes below this object, kept by this module */
    struct series_meta *meta; /* NULL: the defaults */
    struct series first[];
};
static_assert(sizeof(struct series_key) + sizeof(struct series) == 112, "a size class");

/* The i-th of its n data types. */
static inline struct series *
series_at(const struct series_key *k, uint32_t i)
{
    return k->list ? k->list[i] : (struct series *)k->first;
}

/* Touches what the next write will look at. Two calls, a little apart: the key, then its points. */
static inline void
series_prefetch_key(const struct series_key *k)
{
    __builtin_prefetch(k);
    __builtin_prefetch((const char *)&k->first[0].sealed - 1);
}

static inline void
series_prefetch_points(const struct series_key *k)
{
    const struct series_chunk *c = &k->first[0].open;
    uintptr_t end = (uintptr_t)c->p + c->n * sizeof(*c->p); /* a number: there may be no points */

    /* the last one's time is compared; one in four is in another line */
    __builtin_prefetch((const void *)(end - sizeof(*c->p)));
    __builtin_prefetch((const void *)end, 1);
}

enum series_result {
    SERIES_ADDED,     /* a new point */
    SERIES_REPLACED,  /* an existing point changed */
    SERIES_UNCHANGED, /* policy kept the old one (FIRST, or MIN/MAX not better) */
    /* A point is there, and the policy is BLOCK; or it is MIN, MAX or SUM and exactly one of the
     * two values is NaN. */
    SERIES_BLOCKED,
    SERIES_LATE,    /* went to the late points; what it meets is seen by readers and checkpoint */
    SERIES_CROWDED, /* KEEP, and there are same_ts_max points of this time */
    /* Only the stored block covering ts can tell. Policy BLOCK: whoever finds no point there
     * (series_read with start = end = ts) adds it with policy FIRST. KEEP: see series_room. */
    SERIES_NEED_STORED,
};

/* A new point meets one of the same timestamp. Changes *old and *old_quality as the policy (not
 * KEEP) says. */
enum series_result series_meet(double *old, uint8_t *old_quality, double value, uint8_t quality,
                               enum duplicate_policy policy);

/* What a key of type series has, without a series yet. */
struct series_key *series_key_create(struct arena *a);
/* No checkpoint may be reading what it has borrowed of the key; one that is through with reading
 * may still be settling (series_flush_fini only). */
void series_key_destroy(struct arena *a, struct series_key **k);
/* Its metadata but for the labels, of which it says there are none: those are in the label index
 * (key_series_meta, keyspace.h, puts both together). The defaults' when it has none of its own. */
static inline const struct series_meta *
series_key_settings(const struct series_key *k)
{
    return k->meta ? k->meta : &series_meta_default;
}
/* A copy of m, labels left out, takes the place of what there was. */
void series_set_meta(struct arena *a, struct series_key *k, const struct series_meta *m);
/* The usual way is inline, the rest is here. */
struct series *series_search(const struct series_key *k, uint8_t type);
/* NULL = no points of this type. */
static inline struct series *
series_find(const struct series_key *k, uint8_t type)
{
    if (likely(k->n == 1 && k->first[0].type == type))
        return (struct series *)k->first;
    return series_search(k, type);
}
struct series *series_get(struct arena *a, struct series_key *k, uint8_t type);

/* Adds one point. Appending in order is the hot path: under 20 ns when the chunk has room.
 *
 * A point with a timestamp that is there meets, of several, the newest one. NaN as RedisTimeSeries
 * has it: a number always wins over NaN, except that MIN, MAX and SUM refuse (SERIES_BLOCKED). */
enum series_result series_add(struct arena *a, struct series_key *k, struct series *s,
                              const struct series_limits *lim, int64_t ts, double value,
                              uint8_t quality, enum duplicate_policy policy);
/* Adds points, sorted by time, under KEEP: a few ns each when all of them come after what is there.
 * False: some were refused (SERIES_CROWDED, or SERIES_NEED_STORED). */
bool series_append(struct arena *a, struct series_key *k, struct series *s,
                   const struct series_limits *lim, const struct samples *in);

/* Do so many more points of this time find room under KEEP? Whoever is told to look reads how many
 * there are (series_read with start = end = ts), says so by series_counted, and asks again. */
enum series_room {
    SERIES_ROOM_YES,
    SERIES_ROOM_NO,
    SERIES_ROOM_LOOK,
};
enum series_room series_room(const struct series *s, const struct series_limits *lim, int64_t ts,
                             uint64_t more);
void series_counted(struct arena *a, struct series_key *k, struct series *s, int64_t ts,
                    uint64_t n);

/* Gives an empty series an open chunk of n points read from the store. */
void series_restore_open(struct arena *a, struct series_key *k, struct series *s,
                         const struct samples *in);

/* First timestamp for which memory is authoritative; INT64_MAX when nothing is known from it. */
int64_t series_mem_first(const struct series *s);
/* Newest point by time; false when there is none. */
static inline bool
series_last(const struct series *s, struct sample *ret_sample, uint8_t *ret_quality)
{
    uint32_t n = s->open.n;

    if (n == 0)
        return false;
    *ret_sample = s->open.p[n - 1];
    *ret_quality = s->open.quality ? s->open.quality[n - 1] : 0;
    return true;
}
/* Points in memory, late ones included. */
size_t series_memory_points(const struct series *s);
/* Chunks from oldest to open: their number, and the i-th. */
static inline uint32_t
series_chunks(const struct series *s)
{
    return s->sealed_n + 1;
}
static inline const struct series_chunk *
series_chunk_at(const struct series *s, uint32_t i)
{
    return i < s->sealed_n ? &s->sealed[i] : &s->open;
}

/* --- deleting --------------------------------------------------------------------------------- */

#define SERIES_DEAD_MAX 16384 /* ranges that may wait for the checkpoint, of one series */

/* A deletion, planned (series_delete_plan, series_store.h). */
struct series_deletion {
    struct time_range range; /* what goes; wider than asked for when the open chunk begins again */
    struct samples refill;   /* with these points; malloc'd */
};
/* Does the range take all of the open chunk? Then planning may have to look into the store. */
bool series_delete_empties(const struct series *s, int64_t from, int64_t to);
void series_delete(struct arena *a, struct series_key *k, struct series *s,
                   const struct series_deletion *d);
void series_deletion_fini(struct series_deletion *d);
/* Ranges that wait for the checkpoint. */
uint32_t series_dead_ranges(const struct series *s);
/* Late points that do. */
uint32_t series_late_points(const struct series *s);

/* --- retention -------------------------------------------------------------------------------- */

/* The oldest time that is kept where points older than the newest by more than `retention` go;
 * INT64_MIN = every time is. `s` may be NULL. */
int64_t series_kept_from(const struct series *s, int64_t retention);
/* The oldest time that memory and disk have to keep: also what is hidden, while it belongs to the open
 * bucket of a rule and so will be counted. */
int64_t series_stored_from(const struct series *s, const struct series_meta *m);
/* Drops what memory has of points before `kept_from`: whole chunks, and late points. No checkpoint
 * may be under way. True: there were some. */
bool series_expire(struct arena *a, struct series_key *k, struct series *s, int64_t kept_from);

/* --- checkpoint: copy out (owner), write (helper), take over (owner) -------------------------- */

/* What one checkpoint takes of one series. Sealed points and late points are lent (frozen in the
 * series until series_flush_done); chunk structs and the open chunk are copies. Every type of a key
 * goes into the same checkpoint and batch, together with the key's main row (series_row.h). */
struct series_flush {
    struct series_chunk *sealed; /* malloc'd array, points lent */
    uint32_t sealed_n;
    uint32_t late_n;
    const struct late_point *late; /* lent, sorted by ts */
    struct range_list dead;        /* lent; cuts stored points before late ones are merged */
    struct series_chunk open;      /* copy, malloc'd; n is 0 only in a series without points */
    int64_t kept_from;             /* stored blocks that end before go; INT64_MIN = none */
    int64_t stored_until;          /* set by series_flush_write: series.stored_until */
    int64_t stale_open_ts;         /* row of an earlier open chunk to delete unless rewritten */
    uint64_t as_of_lsn;
    uint32_t run_max; /* brought up to date by series_flush_write: series.run_max */
    uint32_t block_points_max;
    uint8_t type;
    bool has_stale_open;
    bool has_stored_blocks;
    bool has_stored_tail; /* brought up to date by series_flush_write: series.has_stored_tail */
};
/* No other checkpoint of the series may be under way. Stored blocks that end before `kept_from`
 * are dropped (INT64_MIN: none is). */
void series_flush_begin(struct series *s, const struct series_limits *lim, uint64_t as_of_lsn,
                        int64_t kept_from, struct series_flush *ret_f);
/* May stored blocks go, as retention hides them? */
static inline bool
series_flush_expires(const struct series_flush *f)
{
    return f->has_stored_blocks && f->kept_from != INT64_MIN;
}
/* After the checkpoint is on disk (ok): the series forgets the frozen chunks and late points.
 * Failed: they are its own again. */
void series_flush_done(struct arena *a, struct series_key *k, struct series *s,
                       const struct series_flush *f, bool ok);
/* Frees what `f` itself holds. */
void series_flush_fini(struct series_flush *f);

/* --- merging, shared by readers and the checkpoint -------------------------------------------- */

/* Merges late points (sorted by ts, arrival order within a ts) into sorted samples, applying each
 * point's policy. `out` is malloc'd by the callee (p, quality; to be freed by the caller); returns
 * 0 or -ENOMEM. `base` may be empty. */
int series_merge_late(const struct samples *base, const struct late_point *late, uint32_t late_n,
                      struct samples *out);

#endif
