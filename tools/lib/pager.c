#include "tools/lib/pager.h"

#include "net/number.h"
#include "tools/lib/columns.h"

#include <stdio.h>
#include <stdlib.h>

#define DATA_TYPE_MAX 0xff

void
pager_init(struct pager *p, struct link *l, struct slice key, int type, int64_t start, int64_t end,
           uint64_t page)
{
    *p = (struct pager){.link = l,
                        .key = key,
                        .type = type,
                        .only = -1,
                        .next = start,
                        .end = end,
                        .page = page,
                        .limit = page,
                        .crowd = -1,
                        .last = start > end};
}

void
pager_fini(struct pager *p)
{
    buf_fini(&p->reply);
    free(p->points);
    p->points = NULL;
}

/* What the server refused is about this key. */
static void
say_key(struct pager *p)
{
    char said[LINK_ERROR_MAX];

    memcpy(said, p->link->error, sizeof(said));
    snprintf(p->link->error, sizeof(p->link->error), "'%.*s': %.*s", (int)MIN(p->key.n, 128),
             p->key.p, LINK_ERROR_MAX - 140, said);
}

static int
ask(struct pager *p)
{
    char start[RESP_INT_TEXT_MAX], end[RESP_INT_TEXT_MAX], limit[RESP_INT_TEXT_MAX], type[2];
    int one = p->crowd >= 0 ? p->crowd : p->type;
    struct slice argv[7] = {SLICE("TSDB_GET"),
                            p->key,
                            {start, format_int(start, p->next)},
                            {end, format_int(end, p->crowd >= 0 ? p->next : p->end)},
                            {limit, format_uint(limit, p->limit)},
                            SLICE("TYPE"),
                            {type, 2}};
    struct buf keep;
    int rc;

    if (one >= 0)
        type_put((uint8_t)one, type);
    rc = link_ask(p->link, one >= 0 ? 7 : 5, argv);
    if (rc == -EPROTO)
        say_key(p);
    keep = p->reply; /* other pagers ask over the same link */
    p->reply = p->link->reply;
    p->link->reply = keep;
    return rc;
}

/* "[timestamp, value, type, quality]" */
static bool
read_point(struct reply_walk *w, struct pager_point *pt)
{
    struct slice text;
    char type;
    int64_t n = reply_walk_next(w, &type, &text), quality;
    int data_type;

    if (type != '*' || n != 4)
        return false;
    pt->ts = reply_walk_next(w, &type, &text);
    if (type != ':')
        return false;
    reply_walk_next(w, &type, &pt->value);
    if (type != '$')
        return false;
    reply_walk_next(w, &type, &text);
    data_type = type == '$' ? type_parse(text) : -1;
    quality = reply_walk_next(w, &type, &text);
    if (type != ':' || data_type < 0 || quality < 0 || quality > 255)
        return false;
    pt->type = (uint8_t)data_type;
    pt->quality = (uint8_t)quality;
    return true;
}

static int
read_page(struct pager *p)
{
    struct reply_walk w = reply_walk_start(&p->reply);
    struct slice text;
    char type;
    int64_t n = reply_walk_next(&w, &type, &text);

    if (type != '*' || n < 0 || (uint64_t)n > p->limit)
        return link_bad_answer(p->link, "TSDB_GET");
    if ((size_t)n > p->cap) {
        p->points = realloc(p->points, (size_t)n * sizeof(*p->points));
        ASSERT(p->points);
        p->cap = (size_t)n;
    }
    for (int64_t i = 0; i < n; i++)
        if (!read_point(&w, &p->points[i]))
            return link_bad_answer(p->link, "TSDB_GET");
    p->n = (size_t)n;
    p->at = 0;
    p->answers++;
    p->gave = p->gave || n > 0;
    return 0;
}

/* All points of a time have been taken. */
static void
pass_time(struct pager *p, int64_t ts)
{
    p->last = ts == p->end;
    p->next = ts + !p->last;
    p->limit = p->page;
    p->crowd = -1;
}

/* Points of one time fill a whole answer of the greatest size: of one series, these are all. Of a
 * key, each of its series is asked for by itself. */
static void
meet_crowd(struct pager *p, int64_t ts)
{
    if (p->type >= 0) {
        pass_time(p, ts);
        return;
    }
    p->crowd = 0;
    p->next = ts;
    p->n = 0;
}

/* Leaves away what may be incomplete, and sets what to ask for next. */
static void
cut_page(struct pager *p)
{
    int64_t ts;
    size_t n = p->n;

    if (p->crowd >= 0) {
        if (p->crowd++ == DATA_TYPE_MAX)
            pass_time(p, p->next);
        return;
    }
    if (p->n < p->limit) {
        p->last = true;
        return;
    }
    ts = p->points[n - 1].ts;
    while (n > 0 && p->points[n - 1].ts == ts)
        n--;
    if (n > 0) {
        p->n = n;
        p->next = ts;
        p->limit = p->page;
    } else if (p->limit == PAGER_LIMIT_MAX) {
        meet_crowd(p, ts);
    } else {
        p->limit = MIN(p->limit * 2, (uint64_t)PAGER_LIMIT_MAX);
        p->n = 0;
    }
}

static void
pass_others(struct pager *p)
{
    for (; p->at < p->n && p->only >= 0 && p->points[p->at].type != p->only; p->at++)
        p->others++;
}

int
pager_look(struct pager *p, const struct pager_point **ret)
{
    int rc = 0;

    pass_others(p);
    while (rc == 0 && p->at == p->n && !p->last) {
        rc = ask(p);
        if (rc == 0)
            rc = read_page(p);
        if (rc == 0)
            cut_page(p);
        if (rc == 0)
            pass_others(p);
    }
    if (rc < 0)
        return rc;
    if (p->at == p->n)
        return 0;
    *ret = &p->points[p->at];
    return 1;
}
