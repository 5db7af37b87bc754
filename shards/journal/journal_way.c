#include "shards/journal/journal_way.h"

enum journal_way_kind
journal_way_choose(struct journal_way *w, uint64_t now_ns)
{
    if (likely(now_ns < w->probe_ns))
        return w->current;
    w->probe_ns = now_ns + JOURNAL_PROBE_NS;
    return w->current == JOURNAL_WAY_DSYNC ? JOURNAL_WAY_FLUSH : JOURNAL_WAY_DSYNC;
}

/* A probe weighs more than one of the many writes by the current way. The other way must be better
 * by a quarter, so that noise does not flip it at every write. */
void
journal_way_note(struct journal_way *w, enum journal_way_kind kind, uint64_t ns)
{
    enum journal_way_kind other = !w->current;
    unsigned share = kind == w->current ? 8 : 2;

    ns = MAX(ns, 1UL);
    if (w->ns[kind] == 0)
        w->ns[kind] = ns;
    else
        w->ns[kind] += ns / share - w->ns[kind] / share;
    if (w->ns[other] && w->ns[other] < w->ns[w->current] / 4 * 3)
        w->current = other;
}
