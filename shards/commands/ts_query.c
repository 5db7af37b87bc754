/* TS.QUERYLABELS: what the label index says, without a look at any series. With several cores it runs
 * as a transaction over all shards. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts.h"
#include "shards/engine/core.h"
#include "shards/labels/label_filter.h"

#include <stdlib.h>

static int
compare_slices(const void *pa, const void *pb)
{
    const struct slice *a = pa, *b = pb;
    int c = memcmp(a->p, b->p, MIN(a->n, b->n));

    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* False: what the index finds is over, although nobody has removed it yet. What only the store has is
 * not looked up. */
static bool
is_live(const struct ctx *c, const struct head *h, struct slice key)
{
    const struct entry *e;

    if (h->expires == 0)
        return true;
    e = head_find(h, head_hash(key), key);
    return e == NULL || entry_expire(e) == 0 || entry_expire(e) > ctx_now_ms(c);
}

/* The filter in the arguments from `from` on; NULL: the error is replied. */
static struct label_filter *
parse_filter(struct ctx *c, uint32_t from)
{
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_filter *f;

    if (label_filter_parse(c->argv + from, c->argc - from,
                           c->core->config.ts_compat != CONFIG_TS_STRICT, &f, err) == 0)
        return f;
    ctx_error(c, err);
    return NULL;
}

/* --- TS.QUERYLABELS --------------------------------------------------------------------------- */

/* Names or values; they point into the indexes. Repetitions are removed now and then. */
struct words {
    struct slice *p;
    size_t n, cap, distinct;
};

#define WORDS_FIRST 1024

static void
words_unite(struct words *w)
{
    size_t n = 0;

    if (w->n == w->distinct)
        return;
    qsort(w->p, w->n, sizeof(*w->p), compare_slices);
    for (size_t i = 0; i < w->n; i++)
        if (n == 0 || !slice_equal(w->p[n - 1], w->p[i]))
            w->p[n++] = w->p[i];
    w->n = w->distinct = n;
}

static void
words_add(void *arg, struct slice word)
{
    struct words *w = arg;

    if (w->n == w->cap) {
        words_unite(w);
        if (w->n >= w->cap / 2) {
            w->cap = w->cap ? 2 * w->cap : WORDS_FIRST;
            w->p = realloc(w->p, w->cap * sizeof(*w->p));
            ASSERT(w->p);
        }
    }
    w->p[w->n++] = word;
}

struct label_question {
    struct slice name; /* whose values; p NULL = names of labels */
    struct label_filter *filter; /* NULL = all series */
};

static void
add_labels_of(const struct labels *x, uint32_t id, const struct label_question *q, struct words *w)
{
    for (uint32_t i = 0; i < labels_of(x, id); i++) {
        struct series_label l = labels_at(x, id, i);

        if (q->name.p == NULL)
            words_add(w, l.name);
        else if (slice_equal(l.name, q->name))
            words_add(w, l.value);
    }
}

static int
ask_shard(struct ctx *c, struct shard *sh, const struct label_question *q, struct words *w,
          char *ret_err)
{
    const struct shard_db *db = &sh->db[c->db];
    struct label_hits hits;
    int rc;

    ctx_hold_newest(c, sh);
    if (db->labels == NULL)
        return 0;
    if (q->filter == NULL) {
        if (q->name.p)
            labels_each_value(db->labels, q->name, words_add, w);
        else
            labels_each_name(db->labels, words_add, w);
        return 0;
    }
    rc = labels_select(db->labels, q->filter, TS_HITS_MAX, &hits, ret_err);
    for (uint32_t i = 0; rc == 0 && i < hits.n; i++)
        if (is_live(c, &db->head, hits.p[i].key))
            add_labels_of(db->labels, hits.p[i].id, q, w);
    label_hits_free(&hits);
    return rc;
}

/* LABELS | VALUES label [FILTER expr ...]. False: the error is replied. */
static bool
parse_question(struct ctx *c, struct label_question *q)
{
    uint32_t at = 2;

    *q = (struct label_question){0};
    if (slice_is(c->argv[1], "values")) {
        if (c->argc < 3) {
            resp_errorf(c->out, "ERR wrong number of arguments for '%s' command", c->cmd->name);
            return false;
        }
        q->name = c->argv[at++];
    } else if (!slice_is(c->argv[1], "labels")) {
        ctx_error(c, "ERR TSDB: unknown subtype, must be one of LABELS|VALUES");
        return false;
    }
    if (c->argc == at)
        return true;
    if (!slice_is(c->argv[at], "filter")) {
        ctx_error(c, "ERR TSDB: unknown argument, expected FILTER");
        return false;
    }
    if (c->argc == at + 1) {
        ctx_error(c, "ERR TSDB: FILTER given with no filter expressions");
        return false;
    }
    return (q->filter = parse_filter(c, at + 1)) != NULL;
}

void
cmd_ts_querylabels(struct ctx *c)
{
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_question q;
    struct words w = {0};
    int rc = 0;

    if (!parse_question(c, &q))
        return;
    for (uint32_t i = 0; rc == 0 && i < ctx_shards(c); i++)
        rc = ask_shard(c, ctx_shard_at(c, i), &q, &w, err);
    words_unite(&w);
    if (rc < 0) {
        ctx_error(c, err);
    } else {
        resp_set(c->out, c->proto, w.n);
        for (size_t i = 0; i < w.n; i++)
            resp_bulk(c->out, w.p[i]);
    }
    free(w.p);
    label_filter_free(&q.filter);
}
