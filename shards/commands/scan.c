/* SCAN: walks over the keys of a database, a few a call, core by core.
 *
 * The cursor: position * 1024 + core * 4 + phase, so that small cursors stay readable; 0 is the
 * start and the end. A position of the head is below 2^HEAD_BUCKETS_LOG2_MAX, one of the store is
 * the next slot.
 *
 * Every key that is there from start to end must be seen at least once, although keys move between
 * memory and store meanwhile. On each core:
 *
 *   HEAD_ALL   All keys are in memory when the walk comes to this core: the head shows them all. If
 *              none has ever left the memory of this core by the end, that was all; else STORE.
 *   HEAD_NEW   Some keys are only in the store: the head shows the keys the store does not have.
 *              STORE follows.
 *   STORE      Every row of the store is shown that was not deleted, whether its key is in memory
 *              or not.
 *
 * Why nothing is missed: a key that the head does not show was in the store then, and its row stays
 * there while the key lives; so STORE shows it, later. A key may come twice when it was written to
 * the store between the two, which SCAN allows.
 *
 * A call looks at up to COUNT keys; in the store it ends with a slot, since rows within a slot have
 * no order that a number could name. What is not in the block cache is fetched first (NEED_ROWS),
 * but a call that has something to show returns that. */
#include "shards/commands/handlers.h"
#include "shards/commands/walk_priv.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define CURSOR_POSITION_SHIFT 10
#define CURSOR_CORE_SHIFT 2
#define CURSOR_PHASE_MASK 3
#define CURSOR_TEXT_MAX 64
#define CURSOR_POSITION_LOG2 32 /* HEAD_BUCKETS_LOG2_MAX */
static_assert(MESH_CORES_MAX <= 1 << (CURSOR_POSITION_SHIFT - CURSOR_CORE_SHIFT),
              "a core's number fits between position and phase");
static_assert(CURSOR_POSITION_LOG2 + CURSOR_POSITION_SHIFT <= 63, "a cursor fits 63 bits");

#define SCAN_COUNT_DEFAULT 10
/* Buckets visited for one key asked for, so that a call ends in an empty table. */
#define SCAN_BUCKETS_PER_KEY 10

enum scan_phase { HEAD_ALL, HEAD_NEW, STORE, PHASES_END };

struct cursor {
    uint64_t position;
    uint32_t core;
    enum scan_phase phase;
};

/* The number as strtoull reads it, but without spaces before it; the empty text is 0. A NUL ends
 * the text, as in Redis. */
static bool
cursor_parse(struct slice text, struct cursor *ret_cur)
{
    char digits[CURSOR_TEXT_MAX];
    unsigned long long v;
    char *end;

    if (text.n >= sizeof(digits) ||
        (text.n && (text.p[0] == ' ' || (text.p[0] >= '\t' && text.p[0] <= '\r'))))
        return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    errno = 0;
    v = strtoull(digits, &end, 10);
    if (*end || errno == ERANGE)
        return false;
    ret_cur->position = v >> CURSOR_POSITION_SHIFT;
    ret_cur->core =
        (uint32_t)(v >> CURSOR_CORE_SHIFT) % (1 << (CURSOR_POSITION_SHIFT - CURSOR_CORE_SHIFT));
    ret_cur->phase = (enum scan_phase)(v & CURSOR_PHASE_MASK);
    return true;
}

static uint64_t
cursor_number(const struct cursor *cur)
{
    return cur->position << CURSOR_POSITION_SHIFT | (uint64_t)cur->core << CURSOR_CORE_SHIFT |
           cur->phase;
}

uint32_t
scan_cursor_core(struct slice text)
{
    struct cursor cur;

    return cursor_parse(text, &cur) ? cur.core : 0;
}

/* The walk over this core is over: on to the next, or the end. */
static void
cursor_next_core(const struct ctx *c, struct cursor *cur)
{
    *cur = (struct cursor){.core = cur->core + 1};
    if (cur->core >= c->core->ncores)
        cur->core = 0;
}

static void
show_in_head(void *arg, struct entry *e)
{
    struct walk *w = arg;

    if (!(e->flags & ENTRY_TOMBSTONE) && !(w->only_new && (e->flags & ENTRY_IN_STORE)))
        walk_show_entry(w, e);
}

static void
scan_head(struct walk *w, struct cursor *cur)
{
    const struct head *h = &w->sh->db[w->c->db].head;
    uint64_t buckets = 0;

    if (cur->position == 0 && walk_store_has_more(w))
        cur->phase = HEAD_NEW;
    w->only_new = cur->phase == HEAD_NEW;
    do {
        cur->position = head_scan(h, cur->position, show_in_head, w);
        ASSERT(cur->position >> CURSOR_POSITION_LOG2 == 0);
        buckets++;
    } while (cur->position && w->seen < w->count && buckets / SCAN_BUCKETS_PER_KEY < w->count);
    if (cur->position)
        return;
    if (w->only_new || walk_store_has_more(w) || w->sh->evicted > 0)
        cur->phase = STORE;
    else
        cursor_next_core(w->c, cur);
}

/* Whole slots, until COUNT keys are shown. False: ctx->need is set, or an error replied. */
static bool
scan_store(struct walk *w, struct cursor *cur)
{
    uint32_t slot = (uint32_t)cur->position, first = slot;
    struct walk_mark mark = walk_mark(w);
    struct rows r;
    bool more;
    int rc;

    if (slot >= ROW_SLOTS || w->sh->db[w->c->db].hidden) {
        cursor_next_core(w->c, cur);
        return true;
    }
    rows_open_shard(&r, w->sh, w->c->db, slot, ROW_SLOTS - 1);
    while ((more = rows_next(&r))) {
        if (r.slot != slot) {
            slot = r.slot;
            mark = walk_mark(w);
            if (w->seen >= w->count)
                break;
        }
        walk_show_row(w, &r, true);
    }
    rc = rows_close(&r);
    if (rc == -EAGAIN && slot == first)
        return walk_need(w, first, ROW_SLOTS - 1, w->count);
    if (rc == -EIO)
        return walk_failed(w);
    if (rc == -EAGAIN)
        walk_return_to(w, mark);
    cur->position = slot;
    if (rc == 0 && !more)
        cursor_next_core(w->c, cur);
    return true;
}

static bool
scan_options(struct ctx *c, struct walk *w)
{
    int64_t count = SCAN_COUNT_DEFAULT;

    for (uint32_t i = 2; i < c->argc; i += 2) {
        bool has_value = i + 1 < c->argc;

        if (has_value && slice_is(c->argv[i], "count")) {
            if (!ctx_int(c, i + 1, &count))
                return false;
            if (count >= 1)
                continue;
        } else if (has_value && slice_is(c->argv[i], "match")) {
            w->pattern = c->argv[i + 1];
            continue;
        } else if (has_value && slice_is(c->argv[i], "type")) {
            w->type = c->argv[i + 1];
            continue;
        }
        ctx_error(c, ERR_SYNTAX);
        return false;
    }
    w->count = (uint64_t)count;
    return true;
}

void
cmd_scan(struct ctx *c)
{
    struct walk w = {.c = c};
    struct cursor cur;
    bool ok = true;

    if (!cursor_parse(c->argv[1], &cur)) {
        ctx_error(c, "ERR invalid cursor");
        return;
    }
    if (!scan_options(c, &w))
        return;
    if (cur.core >= c->core->ncores || cur.phase >= PHASES_END) {
        cur = (struct cursor){0}; /* nobody was given this cursor: nothing is left to show */
    } else {
        walk_at(&w, c->sh ? c->sh : ctx_shard_at(c, cur.core));
        if (cur.phase == STORE)
            ok = scan_store(&w, &cur);
        else
            scan_head(&w, &cur);
    }
    if (ok && !c->probe) {
        resp_array(c->out, 2);
        resp_bulk_int(c->out, (int64_t)cursor_number(&cur));
        walk_reply(&w);
    }
    walk_fini(&w);
}
