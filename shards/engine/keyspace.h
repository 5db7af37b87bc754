/* The keyspace as handlers see it. Every change goes through here: it is made in the head and
 * recorded in the journal in one place, and marks the reply as waiting for that record. */
#ifndef SHARDS_ENGINE_KEYSPACE_H
#define SHARDS_ENGINE_KEYSPACE_H

#include "shards/engine/command.h"
#include "shards/head/head.h"
#include "shards/series/series.h"

/* One key, resolved: where it lives. */
struct key {
    struct slice name;
    uint64_t hash;
    struct shard *sh;
    struct head *head;
    uint8_t db;
    bool known; /* not in memory means not in the store either */
};

/* Resolves argument i (or any name) in the client's database. */
struct key key_open(struct ctx *c, struct slice name);
struct key key_open_db(struct ctx *c, struct slice name, uint8_t db);
/* The same for many keys: a result that is copied whole has to wait until its fields are written. */
void key_open_at(struct ctx *c, struct slice name, struct key *ret);

/* The live entry or NULL. Counts a hit or miss, marks it used, removes it first if it has expired. */
struct entry *key_find(struct ctx *c, struct key *k);
/* The same without statistics and without marking it used (EXISTS-like internals, OBJECT). */
struct entry *key_peek(struct ctx *c, struct key *k);
/* Finds and checks the type: NULL with *ret_ok true = absent; on a wrong type replies WRONGTYPE and
 * *ret_ok false. */
struct entry *key_find_type(struct ctx *c, struct key *k, enum entry_type type, bool *ret_ok);

/* Makes the key a string with this value; whatever it was before is gone. expire_ms 0 = never;
 * KEEP_EXPIRE keeps what the old entry had. `value` must not stand in the old entry. */
#define KEEP_EXPIRE INT64_MIN
struct entry *key_set_string(struct ctx *c, struct key *k, struct slice value, int64_t expire_ms);
/* The same with the value of another entry, of which a long one is shared instead of copied. */
struct entry *key_share_string(struct ctx *c, struct key *k, const struct entry *from,
                               int64_t expire_ms);
/* Overwrites part of a string (created when absent), zero-filling any gap; keeps the expiry. */
struct entry *key_patch_string(struct ctx *c, struct key *k, uint64_t offset, struct slice bytes);
/* Would it keep the loop for long, for want of memory that the string can be written to? Then ctx->need
 * is set (false), the handler returns and is run again. `e` is the live string, NULL = absent. */
bool key_patch_ready(struct ctx *c, const struct key *k, const struct entry *e, uint64_t offset,
                     uint64_t n);
/* Removes the key (it must be live). */
void key_delete(struct ctx *c, struct key *k, struct entry *e);
/* Removes a key that memory has nothing of and the store has, for certain. */
void key_delete_stored(struct ctx *c, struct key *k, bool is_series);
/* Removes a key that memory has nothing of, and the store may have: nobody can tell. */
void key_delete_unread(struct ctx *c, struct key *k);
/* Sets or (0) removes the expiry of a live key. A time in the past deletes it. */
void key_set_expire(struct ctx *c, struct key *k, struct entry *e, int64_t expire_ms);

/* Makes an empty series (the key must be absent). */
struct entry *key_create_series(struct ctx *c, struct key *k, const struct series_meta *meta);
/* All metadata of a live series: its settings, and its labels from the index. It points into both,
 * with an array in the scratch memory of the request: until either changes. */
void key_series_meta(struct ctx *c, const struct key *k, const struct entry *e,
                     struct series_meta *ret_meta);
/* Another metadata takes the place of what the series had: all of it, labels too. `meta` may point
 * into what it had where that stays as it was. */
void key_set_series_meta(struct ctx *c, struct key *k, struct entry *e,
                         const struct series_meta *meta);
/* Adds a point to a series, creating the key when absent (the caller has checked the type: `e` is
 * NULL or a series). */
enum series_result key_add_point(struct ctx *c, struct key *k, struct entry *e, uint8_t type,
                                 int64_t ts, double value, uint8_t quality,
                                 enum duplicate_policy policy);
/* Adds points, sorted by time, under KEEP, as one record: `block` is what block_encode makes of them.
 * Cheap when they come after all that is there. `e` as above. False: some were refused. */
bool key_add_block(struct ctx *c, struct key *k, struct entry *e, uint8_t type,
                   const struct samples *points, struct slice block);
/* The points of a data type that the series has between the two times, both included, go. 0;
 * -EAGAIN: ctx->need is set, nothing was changed; -EBUSY: too many deletions wait for a checkpoint,
 * which has been asked for; -EIO, -EBADMSG. With ctx->probe nothing is changed. */
int key_delete_points(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t from,
                      int64_t to);
/* Of a live series. */
static inline struct series_key *
entry_series(const struct entry *e)
{
    ASSERT(e->type == ENTRY_SERIES && !(e->flags & ENTRY_TOMBSTONE));
    return entry_ptr(e);
}

/* Everything of the client's database / of all databases, on every shard of the request. */
void keyspace_flush(struct ctx *c, int db /* -1 = all */);
/* Live keys of a database on one shard, in memory or not; exact once maybes are resolved. */
uint64_t keyspace_keys(const struct shard *sh, uint8_t db);

/* Frees heads of flushed databases, up to `budget` buckets; returns work done. */
unsigned keyspace_release_detached(struct shard *sh, uint32_t budget);

/* --- copying, keyspace_copy.c --- */

/* False: blocks of the series must be fetched first; ctx->need is set, the handler returns. */
bool key_copy_ready(struct ctx *c, struct key *from, struct entry *e);
/* Gives `to` (absent, any shard of the request) the value of `from`: COPY, RENAME. The stored blocks
 * of a series must be in the block cache (key_copy_ready). 0 or -EIO. */
int key_copy_value(struct ctx *c, struct key *from, struct entry *e, struct key *to,
                   int64_t expire_ms);

/* Takes the points of a series, a block at a time: one data type after the other, by time. Returns 0
 * or a negative errno, which ends it. */
typedef int (*key_block_fn)(void *arg, uint8_t type, const struct samples *points,
                            struct slice block);
/* Every point of a series in encoded blocks of at most `block_points_max`. Stored ones are in the block
 * cache (key_copy_ready), or were a moment ago: what has left it since is read from the disk at once.
 * 0, -EIO, -EBADMSG, or what fn returned. */
int key_each_block(struct key *k, const struct series_key *sk, key_block_fn fn, void *arg);

/* The reply shows more of the shard than single keys: it waits for everything changed there so far. */
void ctx_hold_newest(struct ctx *c, const struct shard *sh);
/* It shows which keys the shard has not: it waits for what was last deleted there. */
void ctx_hold_deletions(struct ctx *c, const struct shard *sh);
/* It shows an entry that was not found by key_find or key_peek: it waits for the entry's last
 * change. */
void ctx_hold_entry(struct ctx *c, const struct shard *sh, const struct entry *e);

/* Time of the request, ms since the epoch. */
int64_t ctx_now_ms(const struct ctx *c);
int64_t ctx_now_us(const struct ctx *c);

/* The shards a ROUTE_ALL or multi-key handler may touch. */
uint32_t ctx_shards(const struct ctx *c);
struct shard *ctx_shard_at(const struct ctx *c, uint32_t i);

#endif
