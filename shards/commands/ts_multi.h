/* Commands over all series that a filter finds: TS.MGET, TS.MRANGE, TS.MREVRANGE, TS.QUERYINDEX;
 * and TS.QUERYLABELS, which asks the same index.
 *
 * The way: every core looks into its own index and reads its own series, in slices of a
 * millisecond, also within a long one (ts_watched.h), each core into a part (ts_gather_step); what only
 * the disk has is fetched by a helper meanwhile. The client's core reduces groups, or counts words that several cores have, in such
 * slices too, merges the parts by key, and writes the reply as the client takes it. Each series is
 * read at one moment, all of them at moments of their own. In a transaction all shards are leased
 * and everything happens at once.
 *
 * A part is bounded by LIMIT_MULTI_BYTES, a list by LIMIT_LIST_BYTES (limits.h), the rows of groups by
 * TS_MULTI_GROUP_ROWS_MAX; what is written of groups, which may say the keys of all their series many
 * times, by LIMIT_MULTI_BYTES as well. A part stands in pages, so that it neither moves when it grows nor goes all
 * at once. */
#ifndef SHARDS_COMMANDS_TS_MULTI_H
#define SHARDS_COMMANDS_TS_MULTI_H

#include "shards/commands/ts_watched.h"
#include "shards/labels/label_scan.h"

#define TS_SELECTED_LABELS_MAX 50
#define TS_MULTI_GROUP_ROWS_MAX 4000000 /* rows that GROUPBY reduces */

enum ts_labels {
    TS_LABELS_NONE,
    TS_LABELS_ALL,
    TS_LABELS_SELECTED,
};

/* What is asked. Points into the arguments and the scratch. */
struct ts_multi {
    bool is_range; /* else the newest point of each, or */
    bool is_list;  /* nothing but the keys, or names or values of labels */
    enum label_scan_of of;
    struct slice name;
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

/* One series: places in the bytes of its page, and its rows where they are many or to be reduced. */
struct ts_item {
    uint32_t key, group, text;
    uint32_t key_n, group_n, text_n; /* text: the reply behind the key, without the rows of t */
    struct series_table t;
};

struct ts_page {
    struct ts_item *items;
    uint32_t n, cap;
    struct buf bytes;
};

/* What a core found, in byte order of the keys. */
struct ts_part {
    struct label_list list; /* keys or words that are all there is; else */
    struct ts_page *pages;
    uint32_t pages_n, pages_cap;
    uint32_t freed, freed_items; /* by ts_part_free_step: pages, and items of the next one */
    uint64_t n, rows;            /* items; rows of their tables */
    size_t bytes;                /* of all pages but the last, and of all tables */
};

void ts_part_fini(struct ts_part *p);
/* ts_part_fini in slices, until the clock says until_ns; true: it is over. */
bool ts_part_free_step(struct ts_part *p, uint64_t until_ns);
void ts_page_fini(struct ts_page *g);
/* Bytes it holds, without those of tables. */
size_t ts_page_bytes(const struct ts_page *g);
static inline struct slice
ts_item_key(const struct ts_page *g, const struct ts_item *it)
{
    return (struct slice){g->bytes.p + it->key, it->key_n};
}
static inline struct slice
ts_item_group(const struct ts_page *g, const struct ts_item *it)
{
    return (struct slice){g->bytes.p + it->group, it->group_n};
}
/* An item of this key, the last of the last page; the caller appends its text to that page's bytes,
 * then comes ts_part_close. */
struct ts_page *ts_part_add(struct ts_part *p, struct slice key);
static inline struct ts_item *
ts_page_last(const struct ts_page *g)
{
    return &g->items[g->n - 1];
}
/* Ends the text with the rows of t (NULL: no rows belong to it), which is empty afterwards: few
 * rows become text, many stay a table. */
void ts_part_close(struct ts_part *p, int proto, struct series_table *t);
/* The rows of the last item stay a table; t is empty afterwards. */
void ts_part_keep_rows(struct ts_part *p, struct series_table *t);
/* Bytes it holds. */
size_t ts_part_bytes(const struct ts_part *p);

/* A place in a part, for going through it in order. Starts zeroed. */
struct ts_place {
    uint32_t page, item; /* of a list: the item */
};
/* False: that was the last. */
bool ts_place_is_there(const struct ts_part *p, struct ts_place at);
struct slice ts_place_key(const struct ts_part *p, struct ts_place at);
void ts_place_next(const struct ts_part *p, struct ts_place *at);
/* The part of n whose next key is the lowest, the first of those; n = all are through. */
uint32_t ts_lowest(const struct ts_part *parts, uint32_t n, const struct ts_place *at);
/* Every part that has the lowest one's next key, which is that one or comes behind it, goes on. */
void ts_pass_over(const struct ts_part *parts, uint32_t n, struct ts_place *at, uint32_t lowest);

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
    uint32_t done;           /* how many have been read */
    struct ts_watched next;  /* of a range: the one that is being read */
    uint32_t waited;         /* done + 1 when something was fetched last */
    bool begun, listed;
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
/* On the core of the shard, before it is over. */
void ts_gather_leave(struct ts_gather *g, struct shard *sh);
void ts_gather_fini(struct ts_gather *g);

/* --- replying ---------------------------------------------------------------------------------- */

/* Labels as they stand in a reply: how many, then each. value.p NULL: it has none. */
void ts_put_labels_head(struct buf *out, int proto, uint32_t n);
void ts_put_label(struct buf *out, int proto, struct slice name, struct slice value);

/* How many different keys or words n parts have, counted in slices. Starts zeroed. */
struct ts_counting {
    struct ts_place *at; /* of each part */
    uint64_t n;
};
bool ts_counting_step(struct ts_counting *x, const struct ts_part *parts, uint32_t n,
                      uint64_t until_ns);
void ts_counting_fini(struct ts_counting *x);

/* GROUPBY, under way: makes one part of n, a series for each group. The parts stay the caller's, as
 * they are, until it is over. */
struct ts_grouping;
/* NULL: more than TS_MULTI_GROUP_ROWS_MAX rows. bytes_max: of labels and keys in the new part. */
struct ts_grouping *ts_grouping_create(const struct ts_part *parts, uint32_t n, uint64_t bytes_max);
/* Goes on until the clock says until_ns. 0: ret_part, empty before the first step, is whole; -EINPROGRESS:
 * not yet; -E2BIG: it would have more than bytes_max. */
int ts_grouping_step(struct ts_grouping *g, const struct ts_multi *m, int proto,
                     struct ts_part *ret_part, uint64_t until_ns);
void ts_grouping_destroy(struct ts_grouping **g);
/* Appends the reply of n series or words, merged by key. Takes the parts, parts_n of them: they are
 * empty afterwards. */
void ts_multi_reply(struct buf *out, int proto, const struct ts_multi *m, uint64_t n,
                    struct ts_part *parts, uint32_t parts_n);
/* The error of who finds more bytes than so many. */
void ts_multi_too_much(struct buf *out, uint64_t limit, const char *who, const char *cure);

#endif
