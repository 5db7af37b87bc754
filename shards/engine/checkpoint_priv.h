/* What the files of the checkpoint share. checkpoint.c drives it through its stages; each of the others
 * is one of them: checkpoint_gather.c and checkpoint_settle.c on the loop, checkpoint_write.c, with
 * checkpoint_sort.c, on the helper. */
#ifndef SHARDS_ENGINE_CHECKPOINT_PRIV_H
#define SHARDS_ENGINE_CHECKPOINT_PRIV_H

#include "alloc/scratch.h"
#include "core/buf.h"
#include "core/offload.h"
#include "shards/engine/checkpoint.h"

enum checkpoint_stage { GATHER, WAIT, WRITE, SETTLE };

/* One captured entry. Lives in the checkpoint's memory until it is settled. */
struct item {
    struct item *next;
    struct series_key *series; /* whose chunks are lent; identity only */
    struct series_flush *flushes;
    uint32_t flushes_n;
    uint32_t row_n;  /* 0 = the key is gone: remove its rows */
    char *row;       /* main row's value; what a long string shares follows it */
    struct blob *blob;
    struct slice tail;
    uint16_t key_n;
    uint8_t db;
    uint8_t was;     /* ENTRY_IN_STORE, ENTRY_MAYBE_STORE or 0 */
    bool purge;      /* sub rows of an older incarnation must go */
    bool labels;     /* so does its row of labels, or it becomes ... */
    uint16_t slot;   /* of the key, once the items are sorted */
    uint32_t labels_n;
    char *labels_row; /* ... this */
    char key[];
};

/* A series whose entry went away while its chunks were lent. */
struct orphan {
    struct orphan *next;
    struct series_key *series;
};

struct checkpoint {
    struct offload_job job;
    struct shard *sh;
    enum checkpoint_stage stage;
    uint64_t started_ns;
    int64_t started_ms; /* wall clock, as the commands of this turn see it */
    uint64_t start_lsn; /* replay starts after it */
    uint64_t need_lsn;  /* must be on disk before anything is written */
    uint8_t db;         /* being gathered */
    bool purge_db[SHARD_DBS];
    uint32_t flushes[SHARD_DBS]; /* of each database, at the start */
    struct scratch memory;
    struct buf labels; /* of the series being captured: struct series_label */
    struct item *items, **tail, *at;
    bool settling;
    uint64_t rows, bytes;
    struct list waiters;
    struct orphan *orphans;
    /* the helper's result */
    int rc;
    struct store_error error;
    uint64_t keys[SHARD_DBS];
};

/* When a slice ends: after so many entries, or at that time (clock_now_ns) once one is done. */
struct checkpoint_slice {
    uint32_t entries;
    uint64_t until_ns;
};

/* Captures a slice of the dirty entries. True when every database is through. */
bool checkpoint_gather(struct checkpoint *c, struct checkpoint_slice slice);

/* Brings the items into the order of their rows. On the helper. */
void checkpoint_sort(struct checkpoint *c);

/* The work of c->job: everything captured into the store, in one commit. Sets c->rc. */
void checkpoint_write(struct offload_job *job);

/* Tells a slice of the captured entries how it ended (c->rc). True when all know. */
bool checkpoint_settle(struct checkpoint *c, struct checkpoint_slice slice);
/* Destroys the series that checkpoint_keep kept. */
void checkpoint_release_orphans(struct checkpoint *c);

#endif
