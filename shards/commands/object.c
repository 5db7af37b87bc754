/* OBJECT: how a value is represented, in the words Redis has for it. */
#include "shards/commands/handlers.h"
#include "shards/engine/keyspace.h"

/* The longest string Redis embeds into the object's header. Ours are all inline up to
 * ENTRY_INLINE_MAX; clients that ask want to know what they know. */
#define EMBSTR_BYTES_MAX 44
/* Integers below this are shared objects in Redis, with a number of references of their own. */
#define SHARED_INTEGERS 10000
#define SHARED_REFERENCES INT32_MAX

/* Does Redis keep it as an integer? */
static bool
is_integer(const struct entry *e, int64_t *ret_v)
{
    struct slice value = entry_string(e);

    return e->form == STRING_SET && value.n < RESP_INT_TEXT_MAX && parse_int(value, ret_v);
}

static const char *
string_encoding(const struct entry *e)
{
    int64_t v;

    if (is_integer(e, &v))
        return "int";
    return e->form != STRING_CHANGED && entry_string(e).n <= EMBSTR_BYTES_MAX ? "embstr" : "raw";
}

/* The key in argument 2, null replied when there is none. */
static struct entry *
object_entry(struct ctx *c)
{
    struct key k = key_open(c, c->argv[2]);
    struct entry *e = key_peek(c, &k);

    if (e == NULL)
        resp_null(c->out, c->proto);
    return e;
}

void
cmd_object_encoding(struct ctx *c)
{
    const struct entry *e = object_entry(c);

    if (e)
        resp_bulk(c->out,
                  slice_of(e->type == ENTRY_STRING ? string_encoding(e) : "raw"));
}

void
cmd_object_refcount(struct ctx *c)
{
    const struct entry *e = object_entry(c);
    int64_t v = -1;

    if (e == NULL)
        return;
    if (e->type == ENTRY_STRING && is_integer(e, &v) && v >= 0 && v < SHARED_INTEGERS)
        resp_int(c->out, SHARED_REFERENCES);
    else
        resp_int(c->out, 1);
}

void
cmd_object_idletime(struct ctx *c)
{
    const struct entry *e = object_entry(c);
    int64_t now_s = ctx_now_ms(c) / 1000;

    if (e)
        resp_int(c->out, MAX((int64_t)(uint32_t)(now_s - e->access_s), 0));
}

void
cmd_object_freq(struct ctx *c)
{
    if (object_entry(c))
        ctx_error(c, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                     "Please note that when switching between policies at runtime LRU and LFU data "
                     "will take some time to adjust.");
}
