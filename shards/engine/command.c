#include "shards/engine/command.h"

#include "shards/engine/shard.h"

#include "shards/engine/core.h"

#include <pthread.h>

#define COMMAND_BUCKETS 2048 /* a power of two, several times the number of commands */
#define COMMAND_NAME_MAX 64

static const struct command *index_slots[COMMAND_BUCKETS];
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static uint32_t
name_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)(p[i] | 0x20)) * 16777619u;
    return h ^ h >> 15;
}

static void
index_build(void)
{
    uint32_t n;
    const struct command *table = command_table(&n);

    ASSERT(n < COMMAND_BUCKETS / 2);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = name_hash(table[i].name, strlen(table[i].name));

        while (index_slots[at % COMMAND_BUCKETS])
            at++;
        index_slots[at % COMMAND_BUCKETS] = &table[i];
    }
}

const struct command *
command_find(struct slice name)
{
    uint32_t at;

    pthread_once(&index_once, index_build);
    if (name.n == 0 || name.n > COMMAND_NAME_MAX)
        return NULL;
    for (at = name_hash(name.p, name.n); index_slots[at % COMMAND_BUCKETS]; at++)
        if (slice_is(name, index_slots[at % COMMAND_BUCKETS]->name))
            return index_slots[at % COMMAND_BUCKETS];
    return NULL;
}

const struct command *
command_find_near(const struct command *prev, struct slice name)
{
    if (likely(prev != NULL) && slice_is(name, prev->name))
        return prev;
    return command_find(name);
}

const struct command *
command_resolve(const struct command *cmd, const struct slice *argv, uint32_t argc)
{
    if (cmd->sub == NULL || argc < 2)
        return cmd;
    for (const struct command *s = cmd->sub; s->name; s++) {
        const char *bar = strchr(s->name, '|');

        if (slice_is(argv[1], bar + 1))
            return s;
    }
    return NULL;
}

uint32_t
command_numkeys(const struct command *cmd, const struct slice *argv, uint32_t argc)
{
    uint32_t first = (uint32_t)cmd->key_first;
    int64_t n;

    if (argc <= first || !parse_int(argv[first - 1], &n) || n < 1 || n > argc - first)
        return 0;
    return (uint32_t)n;
}

uint32_t
command_keys(const struct command *cmd, const struct slice *argv, uint32_t argc,
             void (*fn)(void *arg, uint32_t index), void *arg)
{
    uint32_t last, n = 0, whole = cmd->key_step > 2 ? (uint32_t)cmd->key_step : 1;

    if (cmd->key_first == 0 || argc <= (uint32_t)cmd->key_first)
        return 0;
    if (unlikely(cmd->flags & CMD_NUMKEYS))
        last = (uint32_t)cmd->key_first + command_numkeys(cmd, argv, argc) - 1;
    else
        last = cmd->key_last >= 0 ? (uint32_t)cmd->key_last : argc - (uint32_t)-cmd->key_last;
    /* A word behind the last whole group is no key: CREATE of TS.MADD. */
    for (uint32_t i = (uint32_t)cmd->key_first; i <= last && i + whole <= argc;
         i += (uint32_t)cmd->key_step, n++)
        fn(arg, i);
    return n;
}

void
ctx_need_range(struct ctx *c, const struct need *need)
{
    struct need *copy;

    ASSERT(need->kind == NEED_RANGE);
    if (c->need.kind == NEED_NOTHING) {
        c->need = *need;
        c->need.next_n = 0;
        c->need.next = NULL;
        return;
    }
    if (c->need.kind != NEED_RANGE || c->need.next_n + 1 >= NEED_KEYS_MAX)
        return;
    copy = scratch_alloc(&c->core->scratch, sizeof(*copy));
    *copy = *need;
    copy->next = c->need.next;
    c->need.next = copy;
    c->need.next_n++;
}

void
ctx_need_key(struct ctx *c, const struct need *need)
{
    struct need *n = &c->need;
    struct slice *more;

    ASSERT(need->kind == NEED_KEY && need->more_n == 0);
    if (n->kind == NEED_NOTHING) {
        *n = *need;
        return;
    }
    if (n->kind != NEED_KEY || n->sh != need->sh || n->db != need->db)
        return;
    if (n->more == NULL) {
        n->more_max = NEED_KEYS_MAX - 1;
        n->more = scratch_alloc(&c->core->scratch, n->more_max * sizeof(*n->more));
    }
    if (n->more_n >= n->more_max)
        return;
    more = (struct slice *)n->more;
    more[n->more_n++] = need->key;
}

bool
ctx_has_shard(const struct ctx *c, uint32_t core)
{
    if (c->sh)
        return c->sh->id == core;
    return c->leased == NULL || (c->leased[core / 64] >> core % 64 & 1);
}

bool
ctx_int(struct ctx *c, uint32_t i, int64_t *ret_v)
{
    if (parse_int(c->argv[i], ret_v))
        return true;
    ctx_error(c, ERR_NOT_INT);
    return false;
}
