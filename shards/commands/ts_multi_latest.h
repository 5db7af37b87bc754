/* LATEST over several cores: the open buckets of destinations whose sources other cores own.
 *
 * A core that gathers (ts_multi.h) cannot look at those sources. When it comes to such a destination
 * it stops, asks all cores for the open buckets of this one and of those that follow, and goes on
 * when the answers are there. A bucket may be over and written when its destination is read: a point
 * that was written at its time stands for it then. Outside of transactions only: in one all shards
 * are at hand. */
#ifndef SHARDS_COMMANDS_TS_MULTI_LATEST_H
#define SHARDS_COMMANDS_TS_MULTI_LATEST_H

#include "shards/commands/ts_multi.h"
#include "shards/commands/ts_rule.h"

#define TS_QUESTIONS_MAX 1024 /* asked together */

struct ts_question {
    size_t names; /* its place in `names`: the destination's name, then the source's */
    uint32_t to_n, from_n;
    int rc;       /* as of ts_rule_open; -EBUSY: what it needs does not stay in the block cache */
    struct sample sample;
};

/* Is the series a destination whose source the request must not touch? */
bool ts_is_foreign(const struct ctx *c, const struct entry *e);

void ts_questions_fini(struct ts_questions *q);
/* Forgets all and begins anew. */
void ts_questions_clear(struct ts_questions *q);
/* False: no more are taken. */
bool ts_questions_add(struct ts_questions *q, struct slice to, struct slice from);
/* The answer for a destination, NULL = it was not asked for. They are looked up in the order in which
 * they were added. */
const struct ts_question *ts_questions_find(struct ts_questions *q, struct slice to,
                                            struct slice from);

/* Who asks, and for which command. */
struct ts_asker {
    void (*answered)(struct ts_asker *a); /* on the core that asked */
    struct ts_questions *questions;       /* not to be touched meanwhile */
    const struct command *cmd;
    struct slice *argv; /* all this as long as it is asked */
    uint32_t argc;
    uint8_t db;
};
void ts_ask(struct core *core, struct ts_asker *a);

#endif
