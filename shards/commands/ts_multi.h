/* Commands over all series that a filter finds: TS.MGET, TS.MRANGE, TS.MREVRANGE, TS.QUERYINDEX.
 *
 * The way: every core looks into its own index and reads its own series, in slices of a millisecond,
 * each into a part (ts_gather_step); what only the disk has is fetched by a helper meanwhile. The
 * client's core reduces groups, in such slices too, merges the parts by key, and writes the reply as the
 * client takes it. Each series is read at one moment, all of them at moments of their own. In a transaction all
 * shards are leased and everything happens at once.
 *
 * A part is bounded by TS_MULTI_BYTES_MAX, groups by TS_MULTI_GROUP_ROWS_MAX. */
#ifndef SHARDS_COMMANDS_TS_MULTI_H
#define SHARDS_COMMANDS_TS_MULTI_H

#include "shards/commands/ts_range.h"
#include "shards/labels/label_scan.h"

#define TS_SELECTED_LABELS_MAX 50
#define TS_MULTI_BYTES_MAX (128 * MIB)   /* what one core gathers for one reply */
#define TS_MULTI_GROUP_ROWS_MAX 4000000  /* rows that GROUPBY reduces */

enum ts_labels {
    TS_LABELS_NONE,
    TS_LABELS_ALL,
    TS_LABELS_SELECTED,
};

/* What is asked. Points into the arguments and the scratch. */
struct ts_multi {
    bool is_range; /* else the newest point of each, or */
    bool is_index; /* nothing but the keys */
    bool latest;
    struct ts_range r;
    enum ts_labels with;
    const struct slice *selected;
    uint32_t selected_n;
    struct label_filter *filter;
    bool exclude_empty;
    bool grouped;
    struct slice group_by;
    enum aggregate reducer;
};

/* Reads the arguments of c->cmd. False: the error is replied, and there is nothing to be freed. */
bool ts_multi_parse(struct ctx *c, struct ts_multi *ret_m);
void ts_multi_fini(struct ts_multi *m);

/* --- gathering --------------------------------------------------------------------------------- */

/* One series: places in ts_part.bytes, and its rows where they are many or to be reduced. */
struct ts_item {
    size_t key, group, text;
    uint32_t key_n, group_n, text_n; /* text: the reply behind the key, without the rows of t */
    struct series_table t;
};

/* What a core found, in byte order of the keys. */
struct ts_part {
    struct ts_item *items;
    uint32_t n, cap;
    struct buf bytes;
    size_t table_bytes;
};

void ts_part_fini(struct ts_part *p);
static inline struct slice
ts_item_key(const struct ts_part *p, const struct ts_item *it)
{
    return (struct slice){p->bytes.p + it->key, it->key_n};
}
static inline struct slice
ts_item_group(const struct ts_part *p, const struct ts_item *it)
{
    return (struct slice){p->bytes.p + it->group, it->group_n};
}
/* An item of this key; its text is appended to p->bytes by the caller, then ts_part_close. */
struct ts_item *ts_part_add(struct ts_part *p, struct slice key);
/* Ends the text with the rows of t (NULL: no rows belong to it), which is empty afterwards: few rows
 * become text, many stay a table. */
void ts_part_close(struct ts_part *p, struct ts_item *it, int proto, struct series_table *t);
/* Bytes it holds. */
size_t ts_part_bytes(const struct ts_part *p);

/* Open buckets that were asked for (ts_multi_latest.h), in the order of the keys. */
struct ts_questions {
    struct ts_question *p;
    uint32_t n, cap;
    uint32_t at; /* the next one that is looked for */
    struct buf names;
};

/* One shard's reading, under way. Starts zeroed. */
struct ts_gather {
    struct label_scan found; /* by the filter */
    uint32_t done;   /* how many have been read */
    uint32_t waited; /* done + 1 when something was fetched last */
    bool begun, sorted;
    struct ts_part part;
    struct ts_questions questions;
};

enum ts_gathered {
    TS_GATHER_DONE,
    TS_GATHER_MORE,   /* the time of the slice is over */
    TS_GATHER_NEED,   /* c->need is set, in the scratch */
    TS_GATHER_ASK,    /* g->questions are to be asked */
    TS_GATHER_FAILED, /* the error is replied */
};
/* Reads on until the clock says until_ns. The shard is the caller's to touch. */
enum ts_gathered ts_gather_step(struct ts_gather *g, struct ctx *c, struct shard *sh,
                                uint64_t until_ns);
void ts_gather_fini(struct ts_gather *g);

/* --- replying ---------------------------------------------------------------------------------- */

/* Labels as they stand in a reply: how many, then each. value.p NULL: it has none. */
void ts_put_labels_head(struct buf *out, int proto, uint32_t n);
void ts_put_label(struct buf *out, int proto, struct slice name, struct slice value);

/* GROUPBY, under way: makes one part of n, a series for each group. The parts stay the caller's, as
 * they are, until it is over. */
struct ts_grouping;
/* NULL: more than TS_MULTI_GROUP_ROWS_MAX rows. */
struct ts_grouping *ts_grouping_create(const struct ts_part *parts, uint32_t n);
/* Goes on until the clock says until_ns. True: ret_part, empty before the first step, is whole. */
bool ts_grouping_step(struct ts_grouping *g, const struct ts_multi *m, int proto,
                      struct ts_part *ret_part, uint64_t until_ns);
void ts_grouping_destroy(struct ts_grouping **g);
/* Appends the reply, merged by key. Takes the n parts: they are empty afterwards. */
void ts_multi_reply(struct buf *out, int proto, const struct ts_multi *m, struct ts_part *parts,
                    uint32_t n);

#endif
