/* Who waits for points of which series: the table behind commands that block until a series has
 * enough (TS.READ). A waiter says from which time on points count and how many it lacks; what
 * becomes of its key is told to the table, and a waiter whose time to look again has come is put into the
 * list `fired`, once. It stays in the table until it has looked: its key may still go meanwhile. Nothing is
 * read here and nobody is answered: that is blocked.h.
 *
 * Waiters of one key stand together, so that a crowd at one key costs the others nothing. The table
 * is NULL while nobody waits.
 * Owner: the shard's owner, or the lease holder. */
#ifndef SHARDS_ENGINE_WAIT_H
#define SHARDS_ENGINE_WAIT_H

#include "core/base.h"
#include "core/list.h"

struct wait_key;
struct wait_table;

struct key_waiter {
    struct list node;     /* among the waiters of its key: list_init it and `fired` first */
    struct list fired;    /* in the list of those that are to look */
    bool has_fired;       /* since it was registered */
    struct wait_key *key; /* NULL: it stands in no table */
    int64_t from;         /* points before do not count */
    uint64_t missing;     /* points that it lacks, at least 1 */
    uint8_t type;         /* their data type */
    bool seen;            /* the series was there */
    bool gone;            /* and went since */
};

/* Registers it for a key; from, missing, type and seen are set. */
void wait_add(struct wait_table **t, struct key_waiter *w, uint8_t db, struct slice key);
/* Takes it out of the table and of `fired`; nothing where it is in neither. */
void wait_remove(struct wait_table **t, struct key_waiter *w);

/* The series got a point of this type and time. */
void wait_point(struct wait_table *t, uint8_t db, struct slice key, uint8_t type, int64_t ts,
                struct list *fired);
/* The series changed in some other way: all look again. */
void wait_changed(struct wait_table *t, uint8_t db, struct slice key, struct list *fired);
/* The series is not there any more / none of the database is. Who never saw it waits on. */
void wait_gone(struct wait_table *t, uint8_t db, struct slice key, struct list *fired);
void wait_gone_db(struct wait_table *t, uint8_t db, struct list *fired);

/* Forgets all of them. */
void wait_table_destroy(struct wait_table **t);

#endif
