/* Gathering keys from the heads and from the store: what KEYS, SCAN and RANDOMKEY share. */
#ifndef SHARDS_COMMANDS_WALK_PRIV_H
#define SHARDS_COMMANDS_WALK_PRIV_H

#include "shards/engine/keyspace.h"
#include "shards/engine/rows.h"

struct walk {
    struct ctx *c;
    struct shard *sh;     /* where it is */
    struct slice pattern; /* p NULL = every key */
    struct slice type;    /* p NULL = every type */
    uint64_t count;       /* keys asked for */
    uint64_t seen;        /* keys looked at that are there, whether they match or not */
    bool only_new;        /* show_in_head: only keys the store does not have */
    struct buf keys;      /* bulk strings */
    uint64_t keys_n;
};

/* Goes to a shard; what is shown of it waits for its last deletion. */
void walk_at(struct walk *w, struct shard *sh);
void walk_fini(struct walk *w);
/* The keys as an array. */
void walk_reply(struct walk *w);

/* A key that is there: unless it has expired, counts it, and keeps it when it matches. The reply
 * waits for its last change. */
void walk_show_entry(struct walk *w, const struct entry *e);
/* A row of the store: passed over when it was deleted in memory, or when it is in memory at all and
 * `also_in_memory` is false. */
void walk_show_row(struct walk *w, const struct rows *r, bool also_in_memory);
/* Are there keys of the database here that are only in the store? */
bool walk_store_has_more(const struct walk *w);

/* A place to return to, forgetting what was kept since. */
struct walk_mark {
    size_t bytes;
    uint64_t n, seen;
};
struct walk_mark walk_mark(const struct walk *w);
void walk_return_to(struct walk *w, struct walk_mark m);

/* Asks for `rows` rows from slot `first` on to be fetched; always false. */
bool walk_need(struct walk *w, uint32_t first, uint32_t last, uint64_t rows);
/* The store cannot be read: replies so; always false. */
bool walk_failed(struct walk *w);

#endif
