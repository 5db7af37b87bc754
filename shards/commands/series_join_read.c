#include "shards/commands/series_join.h"

#include "core/clock.h"
#include "core/reaper.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define FIRST_ROWS 128
#define SETTLED_AT_ONCE 4096 /* rows between two looks at the clock */

/* --- life ------------------------------------------------------------------------------------- */

void
join_rows_fini(struct join_rows *r)
{
    for (uint32_t i = 0; i < r->cap; i += JOIN_PAGE_ROWS)
        reaper_free(r->pages[i / JOIN_PAGE_ROWS],
                    MIN(r->cap - i, JOIN_PAGE_ROWS) * sizeof(struct join_row));
    free(r->pages);
    *r = (struct join_rows){0};
}

void
join_forget_right(struct join *j)
{
    j->right = (struct ts_position){0};
    j->at = 0;
    j->looked = j->has_previous = j->has_next = j->has_decided = false;
}

void
join_forget(struct join *j)
{
    join_rows_fini(&j->rows);
    j->left = (struct ts_position){0};
    join_forget_right(j);
}

/* --- matching --------------------------------------------------------------------------------- */

static uint64_t
distance(const struct sample *a, const struct sample *b)
{
    return a->ts > b->ts ? (uint64_t)a->ts - (uint64_t)b->ts : (uint64_t)b->ts - (uint64_t)a->ts;
}

/* The right point for the next row, between the previous one and this; NULL = there is no next. */
static void
settle(struct join *j, const struct sample *next)
{
    struct join_row *row = join_row_at(&j->rows, j->at++);
    const struct sample *previous = j->has_previous ? &j->previous : NULL, *take;

    if (j->asked.asof == ASOF_PREVIOUS)
        take = previous;
    else if (j->asked.asof == ASOF_NEXT || previous == NULL)
        take = next;
    else if (next == NULL)
        take = previous;
    else
        take = distance(&row->left, next) < distance(&row->left, previous) ? next : previous;
    j->decided = next ? next->ts : INT64_MAX;
    j->has_decided = true;
    row->matched = take && distance(&row->left, take) <= j->asked.tolerance;
    if (row->matched)
        row->right = *take;
}

/* Of right points that share a time PREVIOUS takes the last, the others the first. */
static bool
is_settled_by(const struct join *j, const struct sample *right)
{
    int64_t left = join_row_at(&j->rows, j->at)->left.ts;

    return j->asked.asof == ASOF_PREVIOUS ? left < right->ts : left <= right->ts;
}

/* The rows that this right point decides. False: the time is over, and some are left. */
static bool
settle_rows(struct join *j, const struct sample *right)
{
    while (j->at < j->rows.n && is_settled_by(j, right)) {
        settle(j, right);
        if (ts_position_works(&j->right, 1))
            return false;
    }
    return true;
}

bool
join_settle(struct join *j, const struct ctx *c, uint64_t until_ns)
{
    while (j->at < j->rows.n) {
        settle(j, j->has_next ? &j->next : NULL);
        if (j->at % SETTLED_AT_ONCE == 0 && slices_time_is_over(c, until_ns, 0))
            return j->at == j->rows.n;
    }
    return true;
}

/* --- points as they come ---------------------------------------------------------------------- */

/* Room for a row more: a larger first page, or another one. */
static void
grow(struct join_rows *r)
{
    uint32_t page = r->cap / JOIN_PAGE_ROWS, rows = JOIN_PAGE_ROWS;

    if (r->cap < JOIN_PAGE_ROWS) {
        rows = r->cap ? 2 * r->cap : FIRST_ROWS;
        r->cap = 0;
    }
    if (r->pages == NULL) {
        r->pages = calloc(JOIN_ROWS_MAX / JOIN_PAGE_ROWS + 1, sizeof(*r->pages));
        ASSERT(r->pages);
    }
    r->pages[page] = realloc(r->pages[page], rows * sizeof(**r->pages));
    ASSERT(r->pages[page]);
    r->cap += rows;
}
static_assert(FIRST_ROWS << 8 == JOIN_PAGE_ROWS, "the first page becomes whole by doubling");

static void
take_left(struct join_rows *r, const struct sample *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (r->n == r->cap)
            grow(r);
        *join_row_at(r, r->n++) = (struct join_row){.left = p[i]};
    }
}

static int
left_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct join *j = arg;
    uint32_t known = ts_position_known(&j->left, &p->ts, sizeof(*p) / sizeof(p->ts), n);

    p += known;
    n -= known;
    if (n == 0)
        return 0;
    if (j->rows.n + n > JOIN_ROWS_MAX)
        return -E2BIG;
    take_left(&j->rows, p, n);
    return ts_position_pass(&j->left, &p->ts, sizeof(*p) / sizeof(p->ts), n);
}

/* A point at which the time is over comes once more. */
static int
right_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct join *j = arg;
    uint32_t stride = sizeof(*p) / sizeof(p->ts), i = 0;
    uint32_t known = ts_position_known(&j->right, &p->ts, stride, n);
    bool stops = false;

    p += known;
    n -= known;
    for (; i < n && settle_rows(j, &p[i]); i++) {
        j->has_previous = true;
        j->previous = p[i];
    }
    if (i > 0)
        stops = ts_position_pass(&j->right, &p->ts, stride, i);
    j->right.stopped = stops || i < n;
    return j->right.stopped || j->at == j->rows.n;
}

static int
left_block(void *arg, const struct block_info *info)
{
    struct join *j = arg;

    return ts_position_stops_at(&j->left, info) ? SERIES_BLOCK_ENOUGH : SERIES_BLOCK_READ;
}

static int
right_block(void *arg, const struct block_info *info)
{
    struct join *j = arg;

    return ts_position_stops_at(&j->right, info) ? SERIES_BLOCK_ENOUGH : SERIES_BLOCK_READ;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int
read_on(struct join *j, const struct join_side *side, struct ts_position *position,
        struct series_query q, series_emit_fn emit)
{
    int rc;

    ts_position_go(position, side->c, side->until_ns);
    ts_position_narrow(position, &q);
    if (q.start > q.end)
        return 0;
    if (side->until_ns == UINT64_MAX)
        q.block = NULL;
    rc = ts_read(side->c, side->k, side->s, &q, emit, j);
    return rc == 0 && position->stopped ? -EINPROGRESS : rc;
}

/* Have points come behind the right ones that have been read? Else those count for them as well. */
static void
check_new_rows(struct join *j, uint32_t old_n)
{
    if (j->rows.n > old_n && j->right.begun && join_row_at(&j->rows, old_n)->left.ts <= j->right.at)
        join_forget_right(j);
}

int
join_read_left(struct join *j, const struct join_side *side)
{
    uint32_t n = j->rows.n;
    int rc;

    if (side->s == NULL)
        return 0;
    if (!j->left.begun)
        j->left_visible = side->visible;
    rc = read_on(j, side, &j->left,
                 (struct series_query){.start = MAX(j->asked.start, j->left_visible),
                                       .end = j->asked.end, .limit = UINT64_MAX,
                                       .block = left_block},
                 left_emit);
    check_new_rows(j, n);
    return rc;
}

static int64_t
plus(int64_t ts, uint64_t distance)
{
    return distance > (uint64_t)INT64_MAX - (uint64_t)ts ? INT64_MAX : (int64_t)((uint64_t)ts + distance);
}

static int64_t
minus(int64_t ts, uint64_t distance)
{
    return distance > (uint64_t)ts - (uint64_t)INT64_MIN ? INT64_MIN : (int64_t)((uint64_t)ts - distance);
}

struct found {
    bool has;
    struct sample sample;
};

static int
found_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(struct found *)arg = (struct found){true, p[0]};
    return 1;
}

static int
find_one(struct join *j, const struct join_side *side, struct series_query q, bool *ret_has,
         struct sample *ret_sample)
{
    struct found found = {.has = false};
    int rc = 0;

    q.limit = 1;
    q.start = MAX(q.start, j->right_visible);
    if (q.start <= q.end)
        rc = ts_read(side->c, side->k, side->s, &q, found_emit, &found);
    if (rc < 0)
        return rc;
    *ret_has = found.has;
    *ret_sample = found.sample;
    return 0;
}

static int
look_before(struct join *j, const struct join_side *side)
{
    int64_t first = join_row_at(&j->rows, 0)->left.ts;
    struct series_query q = {.start = minus(first, j->asked.tolerance), .end = first - 1,
                             .reverse = true};
    int rc = 0;

    j->right_visible = side->visible;
    j->looked_from = first;
    if (j->asked.asof != ASOF_NEXT && first != INT64_MIN) {
        rc = find_one(j, side, q, &j->has_previous, &j->previous);
        j->looked_from = j->has_previous ? j->previous.ts : q.start;
    }
    j->looked = rc == 0;
    return rc;
}

static int
look_after(struct join *j, const struct join_side *side)
{
    int64_t last = join_row_at(&j->rows, j->rows.n - 1)->left.ts;

    j->has_next = false;
    if (j->asked.asof == ASOF_PREVIOUS || last == INT64_MAX || j->at == j->rows.n)
        return 0;
    return find_one(j, side,
                    (struct series_query){.start = last + 1, .end = plus(last, j->asked.tolerance)},
                    &j->has_next, &j->next);
}

static int
read_within(struct join *j, const struct join_side *side, bool whole)
{
    int64_t first = join_row_at(&j->rows, 0)->left.ts, last = join_row_at(&j->rows, j->rows.n - 1)->left.ts;

    if (j->at == j->rows.n)
        return 0;
    return read_on(j, side, &j->right,
                   (struct series_query){.start = MAX(first, j->right_visible),
                                         .end = whole ? last : minus(last, 1), .limit = UINT64_MAX,
                                         .block = right_block},
                   right_emit);
}

/* What must be fetched for one part is noted, and the others go on to note theirs: what these read does not
 * count then. */
static int
note_the_rest(struct join *j, const struct join_side *side)
{
    int rc = read_within(j, side, true);

    if (rc == 0 || rc == -EAGAIN)
        look_after(j, side);
    join_forget_right(j);
    return -EAGAIN;
}

int
join_read_right(struct join *j, const struct join_side *side, bool whole)
{
    int rc = 0;

    if (j->rows.n == 0 || side->s == NULL)
        return 0;
    if (!j->looked)
        rc = look_before(j, side);
    if (rc == -EAGAIN)
        return note_the_rest(j, side);
    if (rc == 0)
        rc = read_within(j, side, whole);
    if (rc == 0 || rc == -EAGAIN) {
        int after = look_after(j, side);

        rc = rc == 0 ? after : rc;
    }
    return rc;
}

/* --- what stands ------------------------------------------------------------------------------- */

bool
join_left_stands(const struct join *j, int64_t from, int64_t to)
{
    return to < j->asked.start || from > j->asked.end || !ts_position_has_read(&j->left, from, to);
}

bool
join_right_stands(const struct join *j, int64_t from, int64_t to)
{
    int64_t until;

    if (!j->looked)
        return true;
    until = j->right.begun ? j->right.at : join_row_at(&j->rows, 0)->left.ts;
    if (j->has_decided)
        until = MAX(until, j->decided);
    return to < j->looked_from || from > until;
}

int64_t
join_left_from(const struct join *j)
{
    return j->left.begun ? MAX(j->asked.start, j->left_visible) : INT64_MAX;
}

int64_t
join_right_from(const struct join *j)
{
    if (!j->looked)
        return INT64_MAX;
    return MAX(minus(join_row_at(&j->rows, 0)->left.ts, j->asked.tolerance), j->right_visible);
}
