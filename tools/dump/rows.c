#include "tools/dump/rows.h"

/* The points that were handed out with the last row are taken only now: they stayed valid. */
static void
take_last(struct rows *r, const struct row *row)
{
    for (unsigned i = 0; r->any && i < r->n; i++)
        if (row->points[i])
            pager_take(&r->pagers[i]);
}

static int
look_at_all(struct rows *r, struct row *row, int64_t *ret_ts)
{
    int rc, there = 0;

    for (unsigned i = 0; i < r->n; i++) {
        rc = pager_look(&r->pagers[i], &row->points[i]);
        if (rc < 0)
            return rc;
        if (rc == 0)
            row->points[i] = NULL;
        else if (!there++ || row->points[i]->ts < *ret_ts)
            *ret_ts = row->points[i]->ts;
    }
    return there;
}

static void
count(struct rows *r, const struct row *row, unsigned cells, bool mixed)
{
    bool again = r->any && row->ts == r->ts, whole = cells == r->n;

    r->uneven += again && (!whole || !r->last_whole);
    r->mixed += mixed;
    r->ts = row->ts;
    r->last_whole = whole;
    r->any = true;
}

int
rows_next(struct rows *r, struct row *ret)
{
    unsigned cells = 0;
    bool mixed = false;
    int rc;

    take_last(r, ret);
    rc = look_at_all(r, ret, &ret->ts);
    if (rc <= 0)
        return rc;
    for (unsigned i = 0; i < r->n; i++) {
        const struct pager_point *p = ret->points[i];

        if (p && p->ts != ret->ts)
            p = ret->points[i] = NULL;
        if (p == NULL)
            continue;
        if (cells++ == 0)
            ret->quality = p->quality;
        mixed |= p->quality != ret->quality;
    }
    count(r, ret, cells, mixed);
    return 1;
}
