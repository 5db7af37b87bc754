/* Keys of any type: existence, type, deletion. */
#include "shards/commands/generic_priv.h"
#include "shards/commands/handlers.h"
#include "shards/engine/shard.h"

const char *
type_name(uint8_t type)
{
    return type == ENTRY_STRING ? "string" : "TSDB-TYPE";
}

bool
type_is(struct slice name, uint8_t type)
{
    return slice_is(name, type == ENTRY_STRING ? "string" : "tsdb-type");
}

/* DEL and UNLINK: freeing never waits for anything here, so they are one. */
void
cmd_del(struct ctx *c)
{
    int64_t n = 0;

    for (uint32_t i = 1; i < c->argc; i++) {
        struct key k = key_open(c, c->argv[i]);
        struct entry *e = key_peek(c, &k);

        if (e == NULL)
            continue;
        key_delete(c, &k, e);
        n++;
    }
    resp_int(c->out, n);
}

void
cmd_exists(struct ctx *c)
{
    int64_t n = 0;

    for (uint32_t i = 1; i < c->argc; i++) {
        struct key k = key_open(c, c->argv[i]);
        bool there = key_peek(c, &k) != NULL;

        k.sh->hits += there;
        k.sh->misses += !there;
        n += there;
    }
    resp_int(c->out, n);
}

void
cmd_touch(struct ctx *c)
{
    int64_t n = 0;

    for (uint32_t i = 1; i < c->argc; i++) {
        struct key k = key_open(c, c->argv[i]);

        n += key_find(c, &k) != NULL;
    }
    resp_int(c->out, n);
}

void
cmd_type(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    const struct entry *e = key_peek(c, &k);

    resp_simple(c->out, e ? type_name(e->type) : "none");
}
