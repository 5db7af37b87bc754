#include "shards/series/series_tail.h"

#include <stdlib.h>

/* The rows, newest first; returns their points. The very first row of all is left out when there
 * are late points: it grows by those before it. It ends where one cannot be read. */
static uint32_t
find_rows(struct series_rows *rows, const struct series_tail_query *q, struct series_tail *t)
{
    uint32_t points = 0, oldest = 0;
    int rc = series_rows_at(rows, q->before - 1);

    for (; rc == 1 && t->rows < SERIES_TAIL_ROWS_MAX; rc = series_rows_prev(rows)) {
        if (q->skip && rows->ts == *q->skip)
            continue;
        if (rows->info.count >= q->cold_points || rows->info.last_ts >= q->before)
            break;
        if (q->after != INT64_MIN && rows->ts <= q->after)
            break;
        t->row_ts[t->rows++] = rows->ts;
        oldest = rows->info.count;
        points += oldest;
    }
    if (rc == 1 || q->after == INT64_MIN || t->rows == 0)
        return points;
    t->rows--;
    return points - oldest;
}

/* Appends the points of the row it stands on. */
static int
append_row(struct series_rows *rows, struct samples *room, struct samples *all)
{
    int rc = series_rows_decode(rows, room);

    if (rc < 0)
        return rc;
    memcpy(all->p + all->n, room->p, room->n * sizeof(*all->p));
    memcpy(all->quality + all->n, room->quality, room->n);
    all->n += room->n;
    return 0;
}

static int
read_rows(struct series_rows *rows, uint32_t points, struct series_tail *t)
{
    struct samples room = {0};
    uint32_t i;
    int rc = 0;

    t->points = (struct samples){malloc(points * sizeof(*t->points.p)), malloc(points), 0};
    ASSERT(t->points.p && t->points.quality);
    for (i = t->rows; i-- > 0 && rc == 0;) {
        rc = series_rows_at(rows, t->row_ts[i]);
        if (rc >= 0) /* another row than was found before would lose points, or double them */
            rc = rc == 1 && rows->ts == t->row_ts[i] ? append_row(rows, &room, &t->points) : -EBADMSG;
    }
    free(room.p);
    free(room.quality);
    return rc;
}

void
series_tail_read(struct store *s, const struct series_id *id, const struct series_tail_query *q,
                 struct series_tail *ret)
{
    struct series_rows rows;
    uint32_t points;
    int rc = 0;

    *ret = (struct series_tail){0};
    if (q->before == INT64_MIN)
        return;
    series_rows_open(&rows, s, id, false, false);
    points = find_rows(&rows, q, ret);
    if (ret->rows > 1 && points >= q->cold_points)
        rc = read_rows(&rows, points, ret);
    else
        ret->rows = 0;
    series_rows_close(&rows);
    if (rc < 0)
        series_tail_fini(ret);
}

void
series_tail_fini(struct series_tail *t)
{
    free(t->points.p);
    free(t->points.quality);
    *t = (struct series_tail){0};
}
