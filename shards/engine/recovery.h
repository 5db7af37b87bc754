/* Recovery: the store's checkpoint plus the journal after it.
 *
 * One shard: records after the checkpoint's LSN are applied in order. Several shards: a group record
 * names the LSN of its part in every participant's journal. A journal is cut before its first group
 * of which some other journal does not have its part (neither as a record nor below its
 * checkpoint); a cut may take parts of other groups with it, so this repeats until nothing changes.
 * Nothing after a cut was ever acknowledged (shard.h), so every acknowledged write survives.
 *
 * What deletes or overwrites a key needs nothing of it. Where another record needs a key that the store
 * cannot read, that key is set aside (aside.h) and the rest goes on. */
#ifndef SHARDS_ENGINE_RECOVERY_H
#define SHARDS_ENGINE_RECOVERY_H

#include "shards/engine/checkpoint.h"
#include "shards/engine/shard.h"

struct recovery_shard {
    struct shard *sh;
    char dir[1200];        /* of its journal */
    struct checkpoint_state state;
    struct journal_tail tail;
    bool scanned;          /* tail is filled */
    uint64_t cut_lsn;      /* last record that may be applied */
    /* groups found after the checkpoint */
    struct recovery_group *groups;
    uint32_t groups_n, groups_cap;
    /* results */
    uint64_t applied, groups_dropped;
    double seconds;
};

/* Reads the store's state into r->state and the shard. Blocking. */
int recovery_begin(struct recovery_shard *r, struct store_error *err);
/* First pass, only needed with several shards: finds groups and the end of the journal. */
int recovery_scan(struct recovery_shard *r, struct journal_error *err);
/* With every shard scanned: sets cut_lsn of each. */
void recovery_decide(struct recovery_shard *all, uint32_t n);
/* Reads the labels of the store's series, then applies the journal to the shard. Blocking; any thread
 * that owns the shard. */
int recovery_replay(struct recovery_shard *r, struct journal_error *err);
/* Does the journal in `dir` reach as far as its store? The store never has what was not in the journal
 * first, and the newest segment stays. 0, also where somebody has cut it, or -EBADMSG and err->text. */
int recovery_check_end(const char *dir, uint64_t store_lsn, const struct journal_tail *tail,
                       struct journal_error *err);
/* The LSN the journal goes on with. */
uint64_t recovery_next_lsn(const struct recovery_shard *r);
void recovery_end(struct recovery_shard *r);

#endif
