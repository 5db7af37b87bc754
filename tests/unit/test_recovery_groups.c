/* Groups after a crash: three journals with three groups across them, every combination of how much
 * of each journal is left and how far each store's checkpoint is, and what recovery makes of it.
 *
 * The oracle does not cut step by step as recovery does: it tries every vector of cuts, keeps those
 * with which each group is whole or absent, and takes the longest of each journal. (Two such vectors
 * combine to a third by taking the longer cut of each journal, so there is one that is longest.) */
#include "shards/engine/recovery.h"

#include "shards/engine/record.h"

#include "journal_fixture.h"

#define SHARDS 3
#define RECORDS 5
#define OTHER (-1) /* a record that belongs to no group */
#define NONE (-2)

/* The journals in full: record i has LSN i + 1. Groups 0, 1 and 2 stand in the order in which leases
 * let them happen. */
static const int journals[SHARDS][RECORDS] = {
    {OTHER, 0, OTHER, 2, NONE},
    {0, OTHER, 1, 2, OTHER},
    {OTHER, 1, OTHER, 2, NONE},
};

static uint64_t
lsn_of(unsigned shard, int group)
{
    for (unsigned i = 0; i < RECORDS; i++)
        if (journals[shard][i] == group)
            return i + 1;
    return 0;
}

static unsigned
length_of(unsigned shard)
{
    return journals[shard][RECORDS - 1] == NONE ? RECORDS - 1 : RECORDS;
}

static void
write_record(struct journal *j, int group)
{
    uint16_t shards[SHARDS];
    uint64_t lsns[SHARDS];
    uint32_t n = 0;

    if (group == OTHER) {
        record_flush(j, 0);
        return;
    }
    for (unsigned i = 0; i < SHARDS; i++) {
        if (lsn_of(i, group) == 0)
            continue;
        shards[n] = (uint16_t)i;
        lsns[n++] = lsn_of(i, group);
    }
    record_group(j, shards, lsns, n);
}

/* A journal with the first n records, in a directory of its own. */
static void
write_journal(struct fix *f, unsigned shard, unsigned n)
{
    fix_start(f, JOURNAL_ALWAYS);
    fix_open(f);
    for (unsigned i = 0; i < n; i++)
        write_record(&f->j, journals[shard][i]);
    if (n)
        fix_settle(f);
    fix_close(f);
    reactor_fini(&f->r);
}

/* What the first pass finds, by what is left of the journal and the checkpoint's LSN. */
struct scanned {
    struct fix fix[SHARDS][RECORDS + 1];
    struct recovery_shard r[SHARDS][RECORDS + 1][RECORDS + 1];
    struct shard shards[SHARDS];
};

static void
scan_all(struct scanned *s)
{
    for (unsigned i = 0; i < SHARDS; i++)
        for (unsigned left = 0; left <= length_of(i); left++) {
            struct fix *f = &s->fix[i][left];

            write_journal(f, i, left);
            for (unsigned lsn = 0; lsn <= left; lsn++) {
                struct recovery_shard *r = &s->r[i][left][lsn];
                struct journal_error err;

                r->sh = &s->shards[i];
                r->state.lsn = lsn;
                snprintf(r->dir, sizeof(r->dir), "%s", f->dir);
                cr_assert_eq(recovery_scan(r, &err), 0, "%s", err.text);
                cr_assert_eq(r->cut_lsn, left);
            }
            nftw(f->dir, fix_remove, 8, FTW_DEPTH | FTW_PHYS);
        }
}

struct state {
    unsigned left[SHARDS], checkpoint[SHARDS];
};

static bool
groups_are_whole_or_absent(const unsigned *cut)
{
    for (int g = 0; g < 3; g++) {
        bool here = false, gone = false;

        for (unsigned i = 0; i < SHARDS; i++) {
            if (lsn_of(i, g) == 0)
                continue;
            here = here || lsn_of(i, g) <= cut[i];
            gone = gone || lsn_of(i, g) > cut[i];
        }
        if (here && gone)
            return false;
    }
    return true;
}

static void
longest_cuts(const struct state *st, unsigned *best)
{
    unsigned cut[SHARDS];

    memset(best, 0, SHARDS * sizeof(*best));
    for (cut[0] = 0; cut[0] <= st->left[0]; cut[0]++)
        for (cut[1] = 0; cut[1] <= st->left[1]; cut[1]++)
            for (cut[2] = 0; cut[2] <= st->left[2]; cut[2]++)
                for (unsigned i = 0; groups_are_whole_or_absent(cut) && i < SHARDS; i++)
                    best[i] = MAX(best[i], cut[i]);
}

/* A store takes no part of a group before that group and all that stand before it are whole on disk:
 * states in which a checkpoint is further than recovery could go without it cannot be. So what
 * checkpoints know must never change the outcome. */
static bool
is_possible(const struct state *st, const unsigned *longest)
{
    bool possible = true;

    for (unsigned i = 0; i < SHARDS; i++)
        possible = possible && st->checkpoint[i] <= longest[i];
    return possible;
}

static void
check_state(struct scanned *s, const struct state *st, const unsigned *want)
{
    struct recovery_shard all[SHARDS];
    unsigned got[SHARDS];

    for (unsigned i = 0; i < SHARDS; i++)
        all[i] = s->r[i][st->left[i]][st->checkpoint[i]];
    recovery_decide(all, SHARDS);
    for (unsigned i = 0; i < SHARDS; i++) {
        got[i] = (unsigned)all[i].cut_lsn;
        cr_assert_eq(got[i], want[i],
                     "left %u %u %u, checkpoints %u %u %u: journal %u is cut at %u, not %u",
                     st->left[0], st->left[1], st->left[2], st->checkpoint[0], st->checkpoint[1],
                     st->checkpoint[2], i, got[i], want[i]);
        cr_assert_eq(recovery_next_lsn(&all[i]), want[i] + 1);
    }
    cr_assert(groups_are_whole_or_absent(got));
}

/* The next of all states; false after the last. */
static bool
next_state(struct state *st)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        if (st->checkpoint[i] < st->left[i]) {
            st->checkpoint[i]++;
            return true;
        }
        st->checkpoint[i] = 0;
        if (st->left[i] < length_of(i)) {
            st->left[i]++;
            return true;
        }
        st->left[i] = 0;
    }
    return false;
}

Test(recovery_groups, a_group_is_whole_or_absent_whatever_is_left_of_the_journals)
{
    struct scanned *s = calloc(1, sizeof(*s));
    struct state st = {.left = {0}};
    unsigned longest[SHARDS], states = 0;

    cr_assert_not_null(s);
    scan_all(s);
    do {
        longest_cuts(&st, longest);
        if (!is_possible(&st, longest))
            continue;
        check_state(s, &st, longest);
        states++;
    } while (next_state(&st));
    cr_assert_gt(states, 500);
    for (unsigned i = 0; i < SHARDS; i++)
        for (unsigned left = 0; left <= length_of(i); left++)
            for (unsigned lsn = 0; lsn <= left; lsn++)
                recovery_end(&s->r[i][left][lsn]);
    free(s);
}
