/* What the files of the series in memory share. */
#ifndef SHARDS_SERIES_SERIES_PRIV_H
#define SHARDS_SERIES_SERIES_PRIV_H

#include "shards/series/series.h"

/* Arena memory counted in k->bytes. */
void *series_alloc(struct arena *a, struct series_key *k, size_t n);
void *series_realloc(struct arena *a, struct series_key *k, void *p, size_t old_n, size_t new_n);
void series_free(struct arena *a, struct series_key *k, void *p, size_t n);

/* First index whose ts is >= ts (lower) or > ts (upper). */
uint32_t samples_lower(const struct sample *p, uint32_t n, int64_t ts);
uint32_t samples_upper(const struct sample *p, uint32_t n, int64_t ts);
/* No more of them than this have the same time: a bound that is found without looking at each. */
uint32_t samples_run_max(const struct sample *p, uint32_t n);

/* Chunks. */
void chunk_reserve(struct arena *a, struct series_key *k, struct series_chunk *c, uint32_t cap);
void chunk_insert(struct arena *a, struct series_key *k, struct series_chunk *c, uint32_t at,
                  struct sample p, uint8_t quality);
/* Copies the points before `at` into a chunk of just that size and takes them out of c, which keeps
 * its memory: the open chunk goes on in the same, cached place. */
struct series_chunk chunk_take_front(struct arena *a, struct series_key *k, struct series_chunk *c,
                                     uint32_t at);
void chunk_free(struct arena *a, struct series_key *k, struct series_chunk *c);
/* The index nearest to `at` at which cutting separates no equal timestamps, 0 if there is none;
 * below `at` before above. */
uint32_t chunk_boundary(const struct series_chunk *c, uint32_t at);

/* Takes the points out that the range covers. */
void chunk_cut(struct series_chunk *c, struct time_range r);
/* Puts these points, none of which is earlier, behind those of the chunk. */
void chunk_append(struct arena *a, struct series_key *k, struct series_chunk *c,
                  const struct samples *in);
/* The same of the sealed chunks [first, end); those that become empty go. Returns the new end. */
uint32_t sealed_cut(struct arena *a, struct series_key *k, struct series *s, uint32_t first,
                    uint32_t end, struct time_range r);

/* Ranges of time. */
void ranges_add(struct arena *a, struct series_key *k, struct range_list *l, struct time_range r);
void ranges_free(struct arena *a, struct series_key *k, struct range_list *l);
/* The first range with a time in [from, to], or NULL. */
const struct time_range *ranges_meet(const struct range_list *l, int64_t from, int64_t to);
/* Does one range have all of [from, to]? */
bool ranges_cover(const struct range_list *l, int64_t from, int64_t to);
/* Takes points out, in place. */
void samples_cut(struct samples *in, int64_t from, int64_t to);
void samples_cut_ranges(struct samples *in, const struct range_list *l);

/* Does a point of this time, which is not after all others, go to the late ones? *ret_chunk: the
 * chunk that it is in or, were nothing stored, would be. */
bool series_is_late(const struct series *s, int64_t ts, uint32_t *ret_chunk);
/* A late point was added. */
void crowd_added(struct series_aside *aside, int64_t ts, enum duplicate_policy policy);

/* What stands beside a series, made when it has none. */
struct series_aside *series_aside_get(struct arena *a, struct series_key *k, struct series *s);
void series_aside_free(struct arena *a, struct series_key *k, struct series *s);

/* Late points. */
void late_add(struct arena *a, struct series_key *k, struct late_list *l,
              const struct late_point *p);
bool late_has(const struct late_list *l, int64_t ts);
uint32_t late_count(const struct late_list *l, int64_t ts);
/* How many of a settled list share a time at most. */
uint32_t late_run(const struct late_list *l);
void late_cut(struct late_list *l, struct time_range r);
/* Sorts the whole list. */
void late_settle(struct late_list *l);
void late_free(struct arena *a, struct series_key *k, struct late_list *l);
/* Puts `earlier`, settled, before everything in l, and settles the result. */
void late_prepend(struct arena *a, struct series_key *k, struct late_list *l,
                  struct late_list *earlier);

#endif
